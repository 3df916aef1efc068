"""What is shipped, under which licence, and from where."""

import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import tomllib

import pytest

from images import ROOT, missing, need, run

SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))
import crates  # noqa: E402

TARGET = crates.TARGETS[0]


def package(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return missing(f"the Python package of {name} is not installed")


def script(name):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def sources():
    """Manifests and texts of the crates are read from cargo's registry on this machine."""
    need("cargo")
    run("cargo", "fetch", "--locked", "--manifest-path", ROOT / "Cargo.toml")


# The bill of materials.


def bill(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return run(SCRIPTS / "sbom", *arguments, env={**clean, **environment}).stdout


@pytest.mark.parametrize("target", crates.TARGETS)
def test_the_bill_is_valid_cyclonedx(target):
    package("cyclonedx")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    said = bill(target, SOURCE_DATE_EPOCH="1700000000")
    assert validator.validate_str(said) is None
    assert json.loads(said)["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    # And the schema is looked at.
    assert validator.validate_str(said.replace('"scope": "excluded"', '"scope": "unheard-of"')) is not None


def test_the_same_sources_give_the_same_bill():
    assert bill() == bill()
    assert bill(TARGET) == bill()
    first, second = json.loads(bill()), json.loads(bill(SOURCE_DATE_EPOCH="1"))
    assert "timestamp" not in first["metadata"]
    assert first["serialNumber"] != second["serialNumber"], "another document has another number"


def test_the_bill_is_what_cargo_compiles():
    document = json.loads(bill())
    scopes = {(part["name"], part["version"]): part["scope"] for part in document["components"]}
    in_binary = {key for key, scope in scopes.items() if scope == "required"} - {
        ("rust-std", scopes_version(document, "rust-std")),
        ("glibc", scopes_version(document, "glibc")),
        ("libgcc", scopes_version(document, "libgcc")),
    }
    tree = ["cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--features", "otlp", "--target", TARGET]
    said = run(*tree, "--prefix", "none", "--format", "{p}", cwd=ROOT).stdout
    assert in_binary == set(re.findall(r"^(?!scimshim )(\S+) v(\S+)", said, re.MULTILINE))
    names = {name for name, _ in in_binary}
    assert {"ring", "rustls", "opentelemetry", "tokio"} <= names
    assert not {"criterion", "proptest", "rcgen"} & {name for name, _ in scopes}, "tests are not shipped"
    assert scopes[next(key for key in scopes if key[0] == "serde_derive")] == "excluded", "a macro is not in the binary"


def scopes_version(document, name):
    return next(part["version"] for part in document["components"] if part["name"] == name)


def test_the_bill_has_for_each_crate_what_a_scanner_looks_for():
    document = json.loads(bill())
    locked = {(part["name"], part["version"]): part.get("checksum") for part in lock()}
    crates_of_others = [part for part in document["components"] if part["purl"].startswith("pkg:cargo/")]
    assert len(crates_of_others) > 150
    for part in crates_of_others:
        assert part["hashes"] == [{"alg": "SHA-256", "content": locked[part["name"], part["version"]]}], part["name"]
        assert part["licenses"][0]["expression"], part["name"]
    references = {part["bom-ref"] for part in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    assert {node["ref"] for node in document["dependencies"]} == references
    assert {to for node in document["dependencies"] for to in node["dependsOn"]} <= references
    # Everything hangs together: nothing is listed that nothing needs.
    reached, open_ends = set(), [document["metadata"]["component"]["bom-ref"]]
    needs = {node["ref"]: node["dependsOn"] for node in document["dependencies"]}
    while open_ends:
        reference = open_ends.pop()
        if reference not in reached:
            reached.add(reference)
            open_ends += needs[reference]
    assert reached == references


def lock():
    return tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]


# Licences, bans, sources.


def test_every_crate_is_as_the_rules_want_it():
    done = run(SCRIPTS / "licences", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Two versions of one crate are told.
    assert re.search(r"^note: getrandom: ", done.stdout, re.MULTILINE)


@pytest.fixture
def planted(tmp_path):
    """A package with dependencies to be found fault with; cargo's own folder is left alone."""
    need("git")
    environment = {**os.environ, "CARGO_HOME": str(tmp_path / "cargo"), "CARGO_NET_OFFLINE": "false"}
    environment |= {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    home = tmp_path / "home"
    crate(home, "app", "Apache-2.0")

    def plant(name, licence, where="path", version="1.0.0"):
        if where == "git":
            place = tmp_path / "elsewhere" / name
            crate(place, name, licence, version)
            for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
                run("git", "-C", place, *command, env=environment)
            wish = f'{{ git = "file://{place}" }}'
        else:
            crate((home if where == "path" else tmp_path / "elsewhere") / name, name, licence, version)
            wish = f'{{ path = "{"" if where == "path" else "../elsewhere/"}{name}", version = "{version}" }}'
        with (home / "Cargo.toml").open("a") as manifest:
            manifest.write(f"{name} = {wish}\n")

    def check(config=ROOT / "deny.toml"):
        run("cargo", "generate-lockfile", cwd=home, env=environment)
        line = [SCRIPTS / "licences", "--manifest", home / "Cargo.toml", "--config", config]
        return run(*line, check=False, env=environment)

    return plant, check


def crate(folder, name, licence, version="1.0.0"):
    (folder / "src").mkdir(parents=True)
    (folder / "src/lib.rs").touch()
    named = f'license = "{licence}"\n' if licence else ""
    features = '[features]\notlp = []\n' if name == "app" else ""
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2024"\n{named}{features}[dependencies]\n'
    )


def test_good_crates_pass(planted):
    plant, check = planted
    plant("one", "MIT OR Apache-2.0")
    plant("two", "MIT/Apache-2.0")
    plant("three", "(GPL-3.0-only OR MIT) AND Unicode-3.0")
    done = check()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "planting, reason",
    [
        (("copyleft", "GPL-3.0-only"), "copyleft 1.0.0: licence GPL-3.0-only: not allowed by licenses.allow"),
        (("half", "MIT AND AGPL-3.0-only"), "half 1.0.0: licence MIT AND AGPL-3.0-only: not allowed by licenses.allow"),
        (("odd", "CC0-1.0"), "odd 1.0.0: licence CC0-1.0: not allowed by licenses.allow"),
        (("silent", None), "silent 1.0.0: it names no licence"),
        (("broken", "MIT OR"), "broken 1.0.0: licence is no SPDX expression"),
        (("openssl", "Apache-2.0"), "openssl 1.0.0: banned: TLS is rustls with ring"),
        (("serde_yaml", "MIT"), "serde_yaml 1.0.0: banned: archived"),
        (("fork", "MIT", "git"), "fork 1.0.0: comes from git+file://"),
        (("aside", "MIT", "beside"), "aside 1.0.0: comes from /"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_planted_crate_is_found(planted, planting, reason):
    plant, check = planted
    plant("good", "MIT")
    plant(*planting)
    done = check()
    assert done.returncode == 1, done.stdout + done.stderr
    assert reason in done.stdout
    assert "good 1.0.0" not in done.stdout


def test_an_exception_is_for_one_crate(planted):
    plant, check = planted
    plant("notify", "CC0-1.0")
    assert check().returncode == 0


def test_a_rule_that_the_check_does_not_know_is_refused(planted, tmp_path):
    _, check = planted
    config = tmp_path / "deny.toml"
    rules = (ROOT / "deny.toml").read_text()
    config.write_text(rules.replace("[sources]", '[sources]\nallow-org = "all"'))
    done = check(config)
    assert done.returncode == 1 and "sources.allow-org: this check does not know it" in done.stderr
    config.write_text(rules.replace('unknown-git = "deny"', 'unknown-git = "warn"'))
    done = check(config)
    assert done.returncode == 1 and "sources.unknown-git" in done.stderr


def test_expressions_are_read_as_the_public_parser_reads_them():
    spdx = package("license_expression").get_spdx_licensing()
    for one in crates.everything():
        parsed = spdx.parse(one.licence, validate=True)
        ours = crates.parse(one.licence)
        assert ids(ours) == {str(key) for key in parsed.symbols}, str(one)
        for allowed in (["MIT"], ["Apache-2.0"], ["Apache-2.0", "ISC", "Unicode-3.0"], ["BSD-3-Clause", "MIT"], ["Zlib"]):
            assert (crates.choose(one.licence, allowed) is not None) == public(parsed, allowed), (str(one), allowed)


def ids(node):
    return {node} if isinstance(node, str) else ids(node[1]) | ids(node[2])


def public(node, allowed):
    """Whether an expression of the public parser can be met."""
    if not hasattr(node, "args") or not node.args:
        return str(node) in allowed
    met = (public(part, allowed) for part in node.args)
    return all(met) if type(node).__name__ == "AND" else any(met)


# The texts of others.


def test_the_texts_of_others_are_fresh():
    done = run(SCRIPTS / "third-party", "--check", check=False)
    assert done.returncode == 0, done.stderr


def test_texts_that_are_not_fresh_are_found(monkeypatch, tmp_path):
    third_party = script("third-party")
    monkeypatch.setattr(third_party, "FILE", tmp_path / "THIRD_PARTY.md")
    monkeypatch.setattr(sys, "argv", ["third-party", "--check"])
    with pytest.raises(SystemExit, match="not fresh"):
        third_party.main()
    text = (ROOT / "THIRD_PARTY.md").read_text()
    (tmp_path / "THIRD_PARTY.md").write_text(text.replace("| tokio |", "| tokyo |"))
    with pytest.raises(SystemExit, match="not fresh"):
        third_party.main()


def test_each_shipped_crate_is_listed_with_the_text_it_asks_for():
    text = (ROOT / "THIRD_PARTY.md").read_text()
    table, texts = text.split("# Texts", 1)
    headings = "\n".join(re.findall(r"^## .*$", texts, re.MULTILINE))
    shipped = script("third-party").shipped()
    assert len(shipped) > 150
    for one in shipped:
        row = next((line for line in table.splitlines() if line.startswith(f"| {one.name} | {one.version} |")), None)
        assert row, f"{one} is not listed"
        taken = row.split("|")[4].strip()
        assert taken == "Apache-2.0" or re.search(rf"\b{re.escape(str(one))}(,|$)", headings, re.MULTILINE), row
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in texts
