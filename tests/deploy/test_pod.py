"""The example's pod, run: its containers as they are rendered, by podman in place of a kubelet.

What podman 4.3 does not know is done here as the kubelet does it: a native sidecar is started before the app (here: as
one of the containers), projected volumes are folders behind a `..data` symlink, probes are asked from outside, and
preStop is executed. Images, commands, users, mounts and read-only roots are the manifest's.
"""

import base64
import copy
import http.client
import json
import os
import shutil
import time

import pytest
import yaml

import images
from conftest import EXAMPLE, ROOT, documents, module, only, render

TOKEN = "Bearer of-the-legacy-app"
PATCH = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
}


class Mount:
    """A projected volume or a ConfigMap, as the kubelet lays it out and exchanges it."""

    def __init__(self, path, files):
        self.path = path
        self.round = 0
        path.mkdir(parents=True)
        path.chmod(0o755)
        self.write(files)

    def write(self, files):
        self.round += 1
        data = self.path / f"..{self.round}"
        for name, text in files.items():
            target = data / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
            target.chmod(0o644)
        new = self.path / "..data_tmp"
        new.symlink_to(data.name)
        new.rename(self.path / "..data")
        for top in {name.split("/")[0] for name in files}:
            if not (self.path / top).is_symlink():
                (self.path / top).symlink_to(f"..data/{top}")


class Running:
    """A pod that runs."""

    def __init__(self, folder, name, spec, objects):
        self.folder, self.name, self.mounts = folder, name, {}
        self.objects = {(o["kind"], o["metadata"]["name"]): o for o in objects}
        self.spec = copy.deepcopy(spec)
        pod = copy.deepcopy(spec)
        for container in pod.get("initContainers", []):
            # podman would wait for it to end.
            assert container.pop("restartPolicy") == "Always"
        pod["containers"] = pod.pop("initContainers", []) + pod["containers"]
        for container in pod["containers"]:
            images.python_image(container["image"]) if "python" in container["image"] else None
            # Ports are for a network of the pod's own, and this one is the machine's.
            for key in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "resources", "ports"):
                container.pop(key, None)
            container["imagePullPolicy"] = "Never"
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    reference = variable.pop("valueFrom")["secretKeyRef"]
                    variable["value"] = self.secret(reference["name"])[reference["key"]].decode()
        for volume in pod["volumes"]:
            path = folder / "volumes" / volume["name"]
            if "emptyDir" in volume:
                path.mkdir(parents=True)
                path.chmod(0o777)
            else:
                self.mounts[volume["name"]] = Mount(path, self.files(volume))
            for key in set(volume) - {"name"}:
                del volume[key]
            volume["hostPath"] = {"path": str(path), "type": "Directory"}
        manifest = folder / "pod.yaml"
        manifest.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}))
        empty = folder / "empty"
        empty.mkdir()
        # A folder that is named like an image would be taken for the place to build it from.
        images.podman("kube", "play", "--network", "host", manifest, cwd=empty)

    def files(self, volume):
        sources = volume.get("projected", {}).get("sources") or [volume]
        found = {}
        for source in sources:
            if "configMap" in source:
                data = self.objects["ConfigMap", source["configMap"]["name"]]["data"]
                found.update({name: text.encode() for name, text in data.items()})
            else:
                data = self.secret(source["secret"]["name"])
                found.update({item["path"]: data[item["key"]] for item in source["secret"]["items"]})
        return found

    def secret(self, name):
        return {key: base64.b64decode(text) for key, text in self.objects["Secret", name]["data"].items()}

    def container(self, name):
        found = [c for c in self.spec.get("initContainers", []) + self.spec["containers"] if c["name"] == name]
        return found[0]

    def probe(self, container, kind):
        """What a probe of the manifest says: the status of its httpGet, or whether its command succeeded."""
        probe = self.container(container)[kind]
        if "exec" in probe:
            return images.podman("exec", f"{self.name}-{container}", *probe["exec"]["command"], check=False).returncode == 0
        ports = {port["name"]: port["containerPort"] for port in self.container(container)["ports"]}
        return call(ports[probe["httpGet"]["port"]], "GET", probe["httpGet"]["path"])[0]

    def pre_stop(self, container):
        command = self.container(container)["lifecycle"]["preStop"]["exec"]["command"]
        return images.podman("exec", f"{self.name}-{container}", *command)

    def stop(self, container):
        """Ends one container as the kubelet does after its hook, and gives its exit code."""
        grace = self.spec["terminationGracePeriodSeconds"]
        images.podman("stop", "--time", grace, f"{self.name}-{container}")
        return self.code(container)

    def code(self, container):
        return int(images.podman("inspect", "--format", "{{.State.ExitCode}}", f"{self.name}-{container}").stdout)

    def logs(self):
        names = [c["name"] for c in self.spec.get("initContainers", []) + self.spec["containers"]]
        said = [images.podman("logs", f"{self.name}-{name}", check=False) for name in names]
        return "\n".join(f"{one.stdout}{one.stderr}" for one in said)

    def remove(self):
        images.podman("pod", "rm", "--force", "--time", "1", self.name, check=False)


def call(port, method, path, body=None, **headers):
    """One request: status, headers, body; status 0 where nobody listens."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except OSError:
        return 0, {}, None
    finally:
        connection.close()
    is_json = "json" in (answer.headers.get("content-type") or "")
    return answer.status, dict(answer.headers.items()), json.loads(text) if is_json and text else text


def until(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The objects of the example, on ports that are free here."""
    shim_image = images.shim_image()
    registry, _, rest = shim_image.partition("/")
    repository, _, tag = rest.rpartition(":")
    charts = tmp_path_factory.mktemp("charts") / "charts"
    shutil.copytree(ROOT / "charts", charts, ignore=shutil.ignore_patterns("Chart.lock", "*.tgz"))
    example = charts / EXAMPLE.relative_to(ROOT / "charts")
    module("helm_python").dependency_update(str(example))
    app, scim, admin = images.free_ports(3)
    values = {
        "port": app,
        "scimshim": {
            "image": {"registry": registry, "repository": repository, "tag": tag},
            "config": {
                "listen": {"address": f"0.0.0.0:{scim}"},
                "admin": {"address": f"0.0.0.0:{admin}"},
                "upstream": {"url": f"http://127.0.0.1:{app}/scim/v2"},
            },
        },
    }
    return documents(render(values, chart=example)), (app, scim, admin)


@pytest.fixture
def pod(rendered, tmp_path):
    objects, _ = rendered
    tmp_path.chmod(0o755)
    running = Running(tmp_path, "example", only(objects, "Deployment")["spec"]["template"]["spec"], objects)
    try:
        until(lambda: running.probe("scimshim", "startupProbe") == 200)
        until(lambda: running.probe("scimshim", "readinessProbe") == 200)
        until(lambda: running.probe("app", "readinessProbe"))
        yield running
    except BaseException:
        print(running.logs())
        raise
    finally:
        running.remove()


def test_a_dirty_request_becomes_a_clean_one_and_the_pod_ends_cleanly(rendered, pod):
    _, (app, scim, admin) = rendered
    scim_json = {"content_type": "application/scim+json", "authorization": TOKEN}

    # The app alone takes nothing of this.
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada", "active": "True"}
    assert call(app, "POST", "/scim/v2/Users", user, **scim_json)[0] == 415
    old = {"content_type": "application/json", "authorization": TOKEN}
    assert call(app, "POST", "/scim/v2/Users", user, **old)[0] == 400

    status, headers, body = call(scim, "POST", "/scim/v2/Users", user, **scim_json)
    assert status == 201, body
    assert headers["content-type"] == "application/scim+json"
    assert body["id"] == "1" and body["active"] is True and body["schemas"] and body["meta"]["resourceType"] == "User"
    assert call(app, "GET", "/scim/v2/Users/1", **old)[2]["active"] is True

    # As Entra deactivates.
    assert call(app, "PATCH", "/scim/v2/Users/1", PATCH, **old)[0] == 400
    status, _, body = call(scim, "PATCH", "/scim/v2/Users/1", PATCH, **scim_json)
    assert status == 200 and body["id"] == "1" and body["active"] is False, body
    stored = call(app, "GET", "/scim/v2/Users/1", **old)[2]
    assert stored["id"] == 1 and stored["active"] is False

    # The app judges the token, and its refusal is one that an identity provider can read.
    status, _, body = call(scim, "GET", "/scim/v2/Users", authorization="Bearer wrong")
    assert status == 401 and body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    # Nobody walks around: the app listens on loopback alone.
    listening = [line.split()[1] for line in open("/proc/net/tcp") if line.split()[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{app:04X}")] == [f"0100007F:{app:04X}"]

    # The kubelet exchanges the mounted file; nothing is restarted.
    mount = pod.mounts["scimshim-config"]
    config = yaml.safe_load((mount.path / "config.yaml").read_text())
    config["normalize"] = {"debug_headers": True}
    mount.write({"config.yaml": yaml.safe_dump(config).encode()})
    until(lambda: "scimshim-fixes" in call(scim, "PATCH", "/scim/v2/Users/1", PATCH, **scim_json)[1], 20)

    # The end of the pod: hooks at once, then SIGTERM to the app, then to the sidecar.
    pod.pre_stop("scimshim")
    assert pod.probe("scimshim", "readinessProbe") == 503
    assert pod.probe("scimshim", "livenessProbe") == 200
    status, headers, _ = call(scim, "GET", "/scim/v2/Users/1", **scim_json)
    assert status == 200 and headers["connection"] == "close"
    assert pod.stop("app") == 0
    started = time.monotonic()
    assert pod.stop("scimshim") == 0
    assert time.monotonic() - started < 30
    assert call(scim, "GET", "/scim/v2/Users/1", **scim_json)[0] == 0


def test_the_pod_of_helm_test_says_that_the_configuration_can_be_used(rendered, tmp_path):
    objects, _ = rendered
    tmp_path.chmod(0o755)
    (hook,) = [o for o in objects if o["kind"] == "Pod"]
    running = Running(tmp_path, "check", hook["spec"], objects)
    try:
        assert images.podman("wait", "check-check").stdout.strip() == "0", running.logs()
        assert "ok, 0 problems" in running.logs()
    finally:
        running.remove()
