"""What the tests of deployment share: the tools, the real Helm SDK, the validators.

A tool that is missing skips the tests that need it, with the reason; with SCIMSHIM_REQUIRE=all it fails them.
SCIMSHIM_BIN names the binary (target/debug/scimshim), SCIMSHIM_DEPLOY_NODE_MODULES the modules of package.json
(node_modules beside this file).
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHART = ROOT / "charts/scimshim"
EXAMPLE = ROOT / "charts/examples/legacy-app"
KUSTOMIZE = ROOT / "config/kustomize"
SNAPSHOTS = HERE / "snapshots"
OPERATOR = ["monitoring.coreos.com/v1"]


def missing(what):
    """Skips the test that called, or fails it where nothing may be skipped."""
    if os.environ.get("SCIMSHIM_REQUIRE") == "all":
        pytest.fail(f"{what}, and SCIMSHIM_REQUIRE=all allows no skips", pytrace=False)
    pytest.skip(what)


def tool(name):
    """The path of a program, beside this Python or on the PATH."""
    import sys

    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or missing(f"{name} is not installed")


def module(name):
    """An installed Python module."""
    try:
        return __import__(name)
    except ImportError:
        missing(f"the Python package {name} is not installed (tests/deploy/requirements.txt)")


def node_modules():
    folder = Path(os.environ.get("SCIMSHIM_DEPLOY_NODE_MODULES", HERE / "node_modules"))
    tool("node")
    return folder if folder.is_dir() else missing(f"{folder} is not there (npm ci in tests/deploy)")


def binary():
    path = Path(os.environ.get("SCIMSHIM_BIN", ROOT / "target/debug/scimshim"))
    return path if path.exists() else missing(f"{path} is not built (cargo build)")


def run(*command, **options):
    """Runs a program and gives what it said, whether it succeeded or not."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


# Helm.


class Refused(Exception):
    """Helm did not render: by the schema or by the templates."""


def render(values=None, *, chart=CHART, name="rel", namespace="ns", kube="v1.36.0", apis=()):
    """The rendered files by their path, through the real Helm SDK."""
    helm = module("helm_python")
    from helm_python import _native

    options = {"name": name, "namespace": namespace, "kube_version": kube}
    if apis:
        options["api_versions"] = list(apis)
    try:
        # Loaded anew each time: a dependency that is switched off is gone from a loaded chart for good.
        with helm.Chart.load(str(chart)) as loaded:
            # Only the native call takes the version and the API groups of the cluster.
            text = _native.call_string("helm_render", loaded._raw(), json.dumps(values or {}), json.dumps(options))
    except helm.HelmError as error:
        raise Refused(str(error)) from None
    return json.loads(text)


def values_of(path):
    """Values as Helm reads them: YAML 1.1, where a bare `off` is false."""
    return module("helm_python").values_from_yaml(Path(path).read_text())


def documents(files):
    """The objects of rendered files, in their order; no NOTES."""
    text = "\n---\n".join(files[path] for path in sorted(files) if not path.endswith("NOTES.txt"))
    # In C where it is there: dashboards are long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, loader) if document]


def notes(files):
    return next(text for path, text in files.items() if path.endswith("NOTES.txt"))


def only(objects, kind, name=None):
    """The one object of a kind."""
    found = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name}: {[(o['kind'], o['metadata']['name']) for o in objects]}"
    return found[0]


# What every pod has to be.


def pods(objects):
    """Name and spec of every pod, also of those that another object makes."""
    for o in objects:
        if o["kind"] == "Pod":
            yield o["metadata"]["name"], o["spec"]
        elif o["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"):
            yield o["metadata"]["name"], o["spec"]["template"]["spec"]


def assert_restricted(pod, container):
    """The Pod Security Standard *restricted*, and a read-only root."""
    own, shared = container.get("securityContext") or {}, pod.get("securityContext") or {}
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert own["readOnlyRootFilesystem"] is True
    assert own.get("runAsNonRoot", shared.get("runAsNonRoot")) is True
    assert own.get("runAsUser", shared.get("runAsUser")) not in (None, 0)
    assert own.get("seccompProfile", shared.get("seccompProfile")) == {"type": "RuntimeDefault"}
    assert not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert not any("hostPath" in volume for volume in pod.get("volumes") or [])
    assert not any("hostPort" in port for port in container.get("ports") or [])


def assert_shim(pod, *, native, ours=True):
    """The one container of scimshim in a pod, as every way of deploying it has to make it."""
    init, regular = pod.get("initContainers") or [], pod.get("containers") or []
    found = [c for c in init + regular if c["name"] == "scimshim"]
    assert len(found) == 1, [c["name"] for c in init + regular]
    shim = found[0]
    names = [c["name"] for c in init + regular]
    assert len(names) == len(set(names))
    # Last among its like: one-shot init containers of the app run before it, and the first of `containers` is the one
    # that `kubectl logs` shows.
    assert (init if native else regular)[-1] is shim
    assert shim.get("restartPolicy") == ("Always" if native else None)
    assert_restricted(pod, shim)
    assert shim["securityContext"]["runAsUser"] == 65532

    ports = {port["name"]: port["containerPort"] for port in shim["ports"]}
    assert len(ports) == 2
    admin = [name for name in ports if "admin" in name]
    assert len(admin) == 1
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        get = shim[probe]["httpGet"]
        assert get["path"] == path, f"{probe} asks {get['path']}"
        assert get["port"] in (admin[0], ports[admin[0]])
    assert shim["startupProbe"]["periodSeconds"] == 1

    command = shim["lifecycle"]["preStop"]["exec"]["command"]
    assert command[:3] == ["/usr/local/bin/scimshim", "drain", "/etc/scimshim/config.yaml"]
    # The port of the pod, whatever the file has come to say.
    assert command[3:5] == ["--admin", f"127.0.0.1:{ports[admin[0]]}"]
    # In every pod: an app that ends at once takes a native sidecar with it before endpoints are removed.
    assert command[5] == "--linger" and len(command) == 7
    linger = int(command[6].removesuffix("s"))
    assert linger >= 5
    assert pod["terminationGracePeriodSeconds"] >= max(60, linger + 50 + 5)

    assert "memory" in shim["resources"]["limits"] and "cpu" not in shim["resources"]["limits"]
    assert {"cpu", "memory"} <= set(shim["resources"]["requests"])
    mounts = {mount["mountPath"]: mount for mount in shim["volumeMounts"]}
    assert mounts["/etc/scimshim"]["readOnly"] is True
    assert not any("subPath" in mount for mount in mounts.values())
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in shim["volumeMounts"]} <= volumes
    if ours:
        assert pod["automountServiceAccountToken"] is False
    return shim


# Validators.


def assert_valid(objects, versions=("1.28", "1.31", "1.37"), tmp=None):
    """Each object against the schema of Kubernetes, one by one: the validator reports the first error of a file."""
    validator = module("kubernetes_validate")
    for version in versions:
        for o in objects:
            if o["apiVersion"].startswith("monitoring.coreos.com/"):
                continue
            validator.validate(o, version, strict=True)


def assert_operator_valid(objects):
    """The objects of the Prometheus operator, against the schema of its CRDs."""
    ours = [o for o in objects if o["apiVersion"].startswith("monitoring.coreos.com/")]
    assert ours, "nothing to validate"
    modules = node_modules()
    result = run("node", HERE / "operator.mjs", modules, input=json.dumps(ours))
    assert result.returncode == 0, result.stderr


def assert_checks(objects, tmp_path):
    """`scimshim check` on each configuration: missing files and variables are warnings, problems are not."""
    found = 0
    for o in objects:
        if o["kind"] == "ConfigMap" and "config.yaml" in o.get("data", {}):
            found += 1
            path = tmp_path / "config.yaml"
            for name, text in o["data"].items():
                (tmp_path / name).write_text(text)
            result = run(binary(), "check", path)
            assert result.returncode == 0, result.stdout + result.stderr
    assert found, "no configuration was rendered"


def assert_snapshot(name, text):
    """Compares with snapshots/NAME, or writes it with UPDATE=1."""
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is not there; UPDATE=1 writes it"
    assert text == path.read_text(), f"{path.name} differs; UPDATE=1 writes it, `git diff` shows what changed"


def manifests(files):
    """Rendered files as one text, as `helm template` prints it."""
    parts = []
    for path in sorted(files):
        if not path.endswith("NOTES.txt") and files[path].strip():
            parts.append(f"---\n# Source: {path}\n{files[path].strip()}\n")
    return "".join(parts)
