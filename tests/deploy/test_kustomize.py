"""The kustomize components: built by the real kustomize of kubectl, on pods of every kind."""

import re
import shutil

import pytest
import yaml

from conftest import KUSTOMIZE, ROOT, assert_checks, assert_shim, assert_snapshot, assert_valid, only, run, tool

EXAMPLES = {"example": True, "example-regular": False}


def build(folder):
    result = run(tool("kubectl"), "kustomize", folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


def objects_of(folder):
    return [document for document in yaml.safe_load_all(build(folder)) if document]


def pod_of(objects):
    (found,) = [o for o in objects if o["kind"] in ("Deployment", "StatefulSet", "DaemonSet")]
    return found["spec"]["template"]["spec"]


@pytest.mark.parametrize(("name", "native"), EXAMPLES.items())
def test_the_examples_are_valid_and_as_they_were(name, native, tmp_path):
    text = build(KUSTOMIZE / name)
    objects = [document for document in yaml.safe_load_all(text) if document]
    # A restart policy of a container is unknown before 1.28.
    assert_valid(objects, versions=("1.28", "1.31", "1.37") if native else ("1.25", "1.28", "1.37"))
    assert_checks(objects, tmp_path)
    assert_shim(pod_of(objects), native=native)
    assert only(objects, "Service")["spec"]["ports"][0]["targetPort"] == 7643
    assert_snapshot(f"kustomize-{name}.yaml", text)


def app(kind="Deployment", init=False, **spec):
    pod = {
        "automountServiceAccountToken": False,
        "containers": [{"name": "app", "image": "app:1", "ports": [{"containerPort": 8080}]}],
        **({"initContainers": [{"name": "migrate", "image": "app:1"}, {"name": "seed", "image": "app:1"}]} if init else {}),
        **spec,
    }
    labels = {"app": "my-app"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "my-app", "labels": {"scimshim.io/sidecar": "enabled"}},
        "spec": {
            "selector": {"matchLabels": labels},
            **({"serviceName": "my-app"} if kind == "StatefulSet" else {}),
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def overlay(tmp_path, component, *objects, **more):
    shutil.copytree(KUSTOMIZE, tmp_path / "kustomize")
    folder = tmp_path / "kustomize/mine"
    folder.mkdir()
    (folder / "app.yaml").write_text(yaml.safe_dump_all(objects))
    (folder / "config.yaml").write_text("upstream: { url: http://127.0.0.1:8080/scim/v2 }\n")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["app.yaml"],
        "components": [f"../{component}"],
        "configMapGenerator": [
            {"name": "scimshim-config", "files": ["config.yaml"], "options": {"disableNameSuffixHash": True}}
        ],
        **more,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return objects_of(folder)


@pytest.mark.parametrize("init", [False, True], ids=["no init containers", "with init containers"])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize(("component", "native"), [("sidecar", True), ("sidecar-regular", False)])
def test_the_sidecar_is_last_of_its_like(tmp_path, component, native, kind, init):
    objects = overlay(tmp_path, component, app(kind, init))
    assert_valid(objects)
    pod = pod_of(objects)
    assert_shim(pod, native=native)
    wanted = (["migrate", "seed"] if init else []) + (["scimshim"] if native else [])
    assert [c["name"] for c in pod.get("initContainers", [])] == wanted
    assert [c["name"] for c in pod["containers"]] == ["app"] + ([] if native else ["scimshim"])
    assert pod["containers"][0]["image"] == "app:1"


def test_volumes_of_the_app_stay(tmp_path):
    objects = overlay(tmp_path, "sidecar", app(volumes=[{"name": "data", "emptyDir": {}}]))
    assert {volume["name"] for volume in pod_of(objects)["volumes"]} == {"data", "scimshim-config", "scimshim-state"}


def test_what_has_no_label_is_left_alone(tmp_path):
    other = app()
    other["metadata"] = {"name": "other", "labels": {"scimshim.io/sidecar": "disabled"}}
    objects = overlay(tmp_path, "sidecar", app(), other)
    assert only(objects, "Deployment", "other") == other


def test_a_prefix_is_followed(tmp_path):
    objects = overlay(tmp_path, "sidecar", app(), namePrefix="eu-")
    config = only(objects, "ConfigMap")["metadata"]["name"]
    assert config == "eu-scimshim-config"
    volume = next(v for v in pod_of(objects)["volumes"] if v["name"] == "scimshim-config")
    assert volume["projected"]["sources"][0] == {"configMap": {"name": config}}


def test_the_name_of_the_configmap_does_not_follow_its_content(tmp_path):
    # Else a change would roll the pods in place of being read again.
    assert only(overlay(tmp_path, "sidecar", app()), "ConfigMap")["metadata"]["name"] == "scimshim-config"


def test_the_variants_differ_in_what_they_are_about():
    def container(component):
        (patch,) = yaml.safe_load((KUSTOMIZE / component / "sidecar.yaml").read_text())
        return patch["value"]

    native, regular = container("sidecar"), container("sidecar-regular")
    assert native.pop("restartPolicy") == "Always"
    assert native == regular


def test_the_container_is_that_of_the_chart():
    from conftest import documents, render

    chart = only(documents(render({"mode": "gateway", "config": {"upstream": {"url": "http://a/b"}}})), "Deployment")
    (shim,) = chart["spec"]["template"]["spec"]["containers"]
    (patch,) = yaml.safe_load((KUSTOMIZE / "sidecar-regular/sidecar.yaml").read_text())
    ours = patch["value"]
    # The chart says a default of Kubernetes aloud.
    ours["startupProbe"]["timeoutSeconds"] = 1
    assert ours == shim


def test_the_image_has_the_version_of_the_crate():
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    for component in ("sidecar", "sidecar-regular"):
        (patch,) = yaml.safe_load((KUSTOMIZE / component / "sidecar.yaml").read_text())
        assert patch["value"]["image"] == f"ghcr.io/scimshim/scimshim:{version}"


def patch_of_the_readme():
    (found,) = re.findall(r"```yaml\n(patches:\n.*?)```", (KUSTOMIZE / "README.md").read_text(), re.S)
    return yaml.safe_load(found)


@pytest.mark.parametrize("component", ["sidecar", "sidecar-regular"])
def test_a_longer_grace_period_is_lowered_and_kept_by_the_patch_of_the_readme(tmp_path, component):
    mine = app(terminationGracePeriodSeconds=300)
    lowered, kept = tmp_path / "lowered", tmp_path / "kept"
    assert pod_of(overlay(lowered, component, mine))["terminationGracePeriodSeconds"] == 60
    pod = pod_of(overlay(kept, component, mine, **patch_of_the_readme()))
    assert pod["terminationGracePeriodSeconds"] == 300
    assert_shim(pod, native=component == "sidecar")


def service(labels):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "my-app", "labels": labels},
        "spec": {"selector": {"app": "my-app"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }


def test_the_sidecar_can_be_there_before_the_service_goes_through_it(tmp_path):
    before = overlay(tmp_path / "before", "sidecar", app(), service({}))
    after = overlay(tmp_path / "after", "sidecar", app(), service({"scimshim.io/sidecar": "enabled"}))
    assert [only(o, "Service")["spec"]["ports"][0]["targetPort"] for o in (before, after)] == [8080, 7643]
    assert_shim(pod_of(before), native=True)
    # The second step rolls no pods.
    assert only(before, "Deployment") == only(after, "Deployment")


def test_what_the_readme_has_to_copy_works(tmp_path):
    text = (KUSTOMIZE / "README.md").read_text()
    files = dict(re.findall(r"```yaml\n# ([\w./]+)\n(.*?)```", text, re.S))
    assert set(files) == {"config.yaml", "kustomization.yaml"}
    shutil.copytree(KUSTOMIZE, tmp_path / "kustomize")
    folder = tmp_path / "kustomize/mine"
    folder.mkdir()
    local, count = re.subn(r"https://github\.com/scimshim/scimshim//config/kustomize/(\w+)\?ref=v[\d.]+", r"../\1", files["kustomization.yaml"])
    assert count == 1
    (folder / "kustomization.yaml").write_text(local)
    (folder / "config.yaml").write_text(files["config.yaml"])
    (folder / "app.yaml").write_text(yaml.safe_dump(app()))
    objects = objects_of(folder)
    assert_valid(objects)
    assert_checks(objects, tmp_path)
    assert_shim(pod_of(objects), native=True)
