"""What `scimshim inject` writes, before real readers: PyYAML for the values, kubernetes-validate for the API.

Each manifest of tests/inject is injected with the flags beside it. The values are compared by a parser that is none of
ours; the schemas are those of a Kubernetes with native sidecars (1.31), of the first that knows the field (1.28), and,
as a regular container, of one that does not (1.27).
"""

import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = sorted(path for path in (ROOT / "tests/inject").iterdir() if path.suffix in (".yaml", ".json"))
BINARY = os.environ.get("SCIMSHIM_BIN", str(ROOT / "target/debug/scimshim"))
WORKLOADS = ("DaemonSet", "Deployment", "Pod", "ReplicaSet", "StatefulSet")
VOLUMES = ("scimshim-config", "scimshim-state")


def need(found, what):
    """Skips without a tool, and fails where every tool is demanded."""
    if found:
        return found
    if os.environ.get("SCIMSHIM_REQUIRE") == "all":
        pytest.fail(f"{what} is not here, and SCIMSHIM_REQUIRE=all")
    pytest.skip(f"{what} is not here")


def yaml():
    try:
        import yaml as module
    except ImportError:
        module = None
    return need(module, "PyYAML")


def validator():
    beside = pathlib.Path(sys.executable).parent / "kubernetes-validate"
    return need(str(beside) if beside.exists() else shutil.which("kubernetes-validate"), "kubernetes-validate")


def inject(path, *more):
    need(pathlib.Path(BINARY).exists(), BINARY)
    flags = path.with_suffix(".args").read_text().split()
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCIMSHIM_")}
    done = subprocess.run([BINARY, "inject", *flags, *more, path], capture_output=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def objects(text, json_text):
    documents = [json.loads(text)] if json_text else yaml().safe_load_all(text)
    found = []
    for document in documents:
        if document is not None:
            found.extend(document["items"] if document.get("kind") == "List" else [document])
    return found


def pod(thing):
    return thing if thing["kind"] == "Pod" else thing["spec"]["template"]


def bare(thing):
    """Without what inject adds; of two values that it sets, without their number."""
    thing = copy.deepcopy(thing)
    for around in [thing, pod(thing)] if thing["kind"] in WORKLOADS else [thing]:
        metadata = around.get("metadata") or {}
        annotations = metadata.get("annotations") or {}
        kept = {name: value for name, value in annotations.items() if name not in ("scimshim.io/injected", "scimshim.io/restore")}
        metadata["annotations"] = kept
        around["metadata"] = {name: value for name, value in metadata.items() if value}
        spec = around.get("spec") or {}
        spec.pop("terminationGracePeriodSeconds", None)
        for name in ("initContainers", "containers", "volumes"):
            items = [item for item in spec.get(name) or [] if item["name"] not in ("scimshim", *VOLUMES)]
            spec[name] = items
            if not items:
                del spec[name]
    if thing["kind"] == "Service" and thing["apiVersion"] == "v1":
        for port in thing["spec"]["ports"]:
            port.pop("targetPort", None)
    return thing


def injected(found):
    workloads = [thing for thing in found if thing["kind"] in WORKLOADS]
    marked = "scimshim.io/injected"
    return [thing for thing in workloads if marked in (pod(thing).get("metadata", {}).get("annotations") or {})]


def regular(path):
    """The flags for a regular container, where the manifest's own do not say so already."""
    return [] if "--no-native" in path.with_suffix(".args").read_text() else ["--no-native"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_only_the_sidecar_is_added(path):
    before = objects(path.read_text(encoding="utf-8-sig"), path.suffix == ".json")
    after = objects(inject(path).removeprefix("\ufeff"), path.suffix == ".json")
    assert [bare(thing) for thing in after] == [bare(thing) for thing in before]


@pytest.mark.parametrize("native", [True, False], ids=["native", "regular"])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_the_sidecar_is_where_it_belongs(path, native):
    if native and not regular(path):
        pytest.skip("its flags say that it is a regular container")
    flags = [] if native else regular(path)
    found = injected(objects(inject(path, *flags).removeprefix("\ufeff"), path.suffix == ".json"))
    assert found
    for thing in found:
        spec = pod(thing)["spec"]
        ours = [item for item in spec["containers"] + (spec.get("initContainers") or []) if item["name"] == "scimshim"]
        assert ours == [spec["initContainers" if native else "containers"][-1]]
        assert (ours[0].get("restartPolicy") == "Always") == native
        assert spec["terminationGracePeriodSeconds"] >= 60
        volumes = {volume["name"] for volume in spec.get("volumes") or []}
        assert {mount["name"] for mount in ours[0].get("volumeMounts", [])} <= volumes


@pytest.mark.parametrize("version, native", [("1.31.0", True), ("1.28.0", True), ("1.27.0", False)])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_the_api_takes_it(path, version, native, tmp_path):
    tool = validator()
    flags = [] if native else regular(path)
    found = objects(inject(path, *flags).removeprefix("\ufeff"), path.suffix == ".json")
    for i, thing in enumerate(thing for thing in found if "knative" not in thing["apiVersion"]):
        # The validator stops at the first finding of a file.
        file = tmp_path / f"{i}.yaml"
        file.write_text(yaml().safe_dump(thing))
        done = subprocess.run([tool, "-k", version, "--strict", file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "WARN" not in done.stdout + done.stderr, done.stdout + done.stderr
