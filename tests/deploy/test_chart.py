"""The chart: linted, rendered by the real Helm SDK, and held against what a pod with scimshim has to be."""

import base64
import copy
import json
import re
import shutil
import tarfile

import pytest
import yaml

from conftest import (
    CHART,
    EXAMPLE,
    OPERATOR,
    ROOT,
    Refused,
    assert_checks,
    assert_operator_valid,
    assert_restricted,
    assert_shim,
    assert_snapshot,
    assert_valid,
    binary,
    documents,
    manifests,
    missing,
    module,
    notes,
    only,
    pods,
    render,
    run,
    tool,
    values_of,
)

SETS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
GATEWAY = {"mode": "gateway", "config": {"upstream": {"url": "http://my-app.apps.svc:8080/scim/v2"}}}


def a_set(name):
    return values_of(CHART / "ci" / f"{name}-values.yaml")


def merged(*layers):
    """Values over values, as Helm merges them."""
    out = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(out.get(key), dict)
            out[key] = merged(out[key], value) if both else copy.deepcopy(value)
    return out


def nested(path, value):
    """`a.b` and 1 as {"a": {"b": 1}}."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def config_of(files):
    (found,) = [o for o in documents(files) if o["kind"] == "ConfigMap" and "config.yaml" in o["data"]]
    return yaml.safe_load(found["data"]["config.yaml"])


# Every set of values.


@pytest.mark.parametrize("kube", ["v1.25.0", "v1.28.0", "v1.31.0", "v1.37.0"])
@pytest.mark.parametrize("name", ["default", *SETS])
def test_lint_finds_nothing(name, kube):
    values = {} if name == "default" else a_set(name)
    report = module("helm_python").lint(str(CHART), values, strict=True, kube_version=kube)
    assert report["total_charts_linted"] == 1
    assert not report["errors"] and not report["messages"], report


@pytest.mark.parametrize("name", SETS)
def test_what_is_rendered_is_valid_and_as_it_was(name, tmp_path):
    files = render(a_set(name), apis=OPERATOR)
    objects = documents(files)
    assert_valid(objects)
    if any(o["apiVersion"] in OPERATOR for o in objects):
        assert_operator_valid(objects)
    assert_checks(objects, tmp_path)
    assert files == render(a_set(name), apis=OPERATOR), "not the same twice"
    assert_snapshot(f"{name}.yaml", manifests(without_copies(files)))


def without_copies(files):
    """Without what is only a copy of config/: other tests compare it, and a snapshot would change with each edit there."""
    return {path: text for path, text in files.items() if not path.endswith(("/dashboards.yaml", "/prometheusrule.yaml"))}


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_restricted_and_every_object_is_labelled(name):
    objects = documents(render(a_set(name), apis=OPERATOR))
    seen = 0
    for o in objects:
        labels = o["metadata"]["labels"]
        assert {"helm.sh/chart", "app.kubernetes.io/name", "app.kubernetes.io/instance"} <= set(labels)
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert o["metadata"]["namespace"]
    for pod_name, pod in pods(objects):
        seen += 1
        assert pod["automountServiceAccountToken"] is False, pod_name
        for container in pod["containers"] + pod.get("initContainers", []):
            assert_restricted(pod, container)
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= {volume["name"] for volume in pod.get("volumes", [])}
        if any(container["name"] == "scimshim" for container in pod["containers"]):
            assert_shim(pod, native=False)
    assert seen, "no pod at all"


@pytest.mark.parametrize("name", SETS)
def test_no_service_finds_the_pods_of_a_test(name):
    objects = documents(render(a_set(name), apis=OPERATOR))
    selectors = [o["spec"]["selector"] for o in objects if o["kind"] == "Service"]
    selectors += [o["spec"]["selector"]["matchLabels"] for o in objects if o["kind"] in ("Deployment", "PodDisruptionBudget")]
    hooks = [o for o in objects if o["kind"] == "Pod"]
    assert hooks
    for hook in hooks:
        assert hook["metadata"]["annotations"]["helm.sh/hook"] == "test"
        assert hook["spec"]["restartPolicy"] == "Never"
        for selector in selectors:
            assert not selector.items() <= hook["metadata"]["labels"].items()


# The gateway.


def test_a_gateway_is_updated_without_a_gap():
    objects = documents(render(GATEWAY))
    deployment = only(objects, "Deployment")["spec"]
    assert deployment["replicas"] == 2 and deployment["minReadySeconds"] >= 1
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 60
    assert [c["whenUnsatisfiable"] for c in pod["topologySpreadConstraints"]] == ["ScheduleAnyway"] * 2
    for constraint in pod["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == deployment["selector"]["matchLabels"]
    budget = only(objects, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1 and budget["selector"] == deployment["selector"]
    service = only(objects, "Service", "rel-scimshim")["spec"]
    assert service["ports"] == [
        {"name": "scim", "port": 80, "targetPort": 7643, "protocol": "TCP", "appProtocol": "http"}
    ]
    # Nobody sees the admin port through a load balancer.
    assert only(objects, "Service", "rel-scimshim-admin")["spec"]["type"] == "ClusterIP"


def test_the_grace_period_follows_what_draining_needs():
    def grace(**values):
        objects = documents(render(merged(GATEWAY, values)))
        return only(objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    assert grace(config={"listen": {"limits": {"drain": "2m"}}}) == 130
    assert grace(config={"listen": {"limits": {"drain": "1500ms"}}}) == 60
    assert grace(config={"listen": {"limits": {"drain": "50s"}}}, lingerSeconds=20) == 75
    assert grace(terminationGracePeriodSeconds=300) == 300


def test_autoscaling_leaves_the_replicas_alone():
    objects = documents(render(merged(GATEWAY, {"autoscaling": {"enabled": True}})))
    assert "replicas" not in only(objects, "Deployment")["spec"]
    scaler = only(objects, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == only(objects, "Deployment")["metadata"]["name"]
    assert [m["resource"]["name"] for m in scaler["metrics"]] == ["cpu"]


def test_zero_replicas_are_zero():
    assert only(documents(render(merged(GATEWAY, {"replicaCount": 0}))), "Deployment")["spec"]["replicas"] == 0


def test_a_claim_is_of_one_pod():
    values = merged(GATEWAY, {"replicaCount": 1, "state": {"persistence": {"enabled": True}}})
    objects = documents(render(values))
    assert only(objects, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    claim = only(objects, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "storageClassName" not in claim["spec"]
    volumes = only(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "scimshim-state", "persistentVolumeClaim": {"claimName": "rel-scimshim-state"}} in volumes
    existing = documents(render(merged(values, nested("state.persistence.existingClaim", "mine"))))
    assert not [o for o in existing if o["kind"] == "PersistentVolumeClaim"]


@pytest.mark.parametrize(
    "values",
    [
        {"commonLabels": {"team": "a", "app.kubernetes.io/name": "other"}},
        {"podLabels": {"team": "a"}},
        {"image": {"tag": "9.9.9"}},
        {"config": {"threads": 2}},
        {"tls": {"enabled": True, "existingSecret": "tls"}},
        {"podMonitor": {"enabled": True}},
    ],
    ids=lambda values: next(iter(values)),
)
def test_selectors_are_the_same_whatever_the_values(values):
    # They are immutable: an upgrade that changes one fails.
    before, after = (only(documents(render(v)), "Deployment")["spec"] for v in (GATEWAY, merged(GATEWAY, values)))
    assert before["selector"] == after["selector"]
    assert after["selector"]["matchLabels"].items() <= after["template"]["metadata"]["labels"].items()


# The configuration.


def test_a_part_of_the_configuration_is_merged_with_the_defaults():
    config = config_of(render({"config": {"journal": {"entries": 12_345_678}}}))
    assert config == {
        "feeds": {"cache_dir": "/var/lib/scimshim"},
        "journal": {"entries": 12_345_678},
        "upstream": {"url": "http://127.0.0.1:8080/scim/v2"},
    }


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    files = render(a_set("tenants"))
    config = config_of(files)
    acme = config["tenants"]["list"]["acme"]
    assert acme["tokens"][0]["sha256"] == "0123456789" * 6 + "0123"
    assert acme["tokens"][0]["name"] == "2026-11"
    assert config["journal"]["entries"] == 1_000_000
    # YAML 1.1 has read a bare off as false.
    assert config["normalize"]["quirks"]["bool-string"] == "off"
    assert config["tenants"]["defaults"]["allow"]["mode"] == "off"
    assert config["tenants"]["list"]["globex"]["normalize"]["mode"] == "off"
    text = next(o for o in documents(files) if o["kind"] == "ConfigMap")["data"]["config.yaml"]
    assert "1e+06" not in text


@pytest.mark.parametrize("name", ["full", "minimal"])
def test_the_configuration_of_the_contract_fits(name, tmp_path):
    # As it stands in tests/config, but for what the chart has a better place for.
    config = values_of(ROOT / f"tests/config/{name}.yaml")
    listen = config.get("listen", {})
    listen.pop("tls", None)
    values = {"config": config, "configFiles": {"office.txt": "192.0.2.0/24\n"}}
    assert_checks(documents(render(values)), tmp_path)


def test_secrets_are_mounted_where_the_configuration_looks():
    objects = documents(render(a_set("tenants")))
    secret = only(objects, "Secret", "rel-scimshim-files")
    assert {name: base64.b64decode(text).decode() for name, text in secret["data"].items()} == {
        "acme": "Bearer of-the-app"
    }
    (pod,) = [spec for _, spec in pods(objects)]
    sources = next(v for v in pod["volumes"] if v["name"] == "scimshim-config")["projected"]["sources"]
    assert sources == [
        {"configMap": {"name": "rel-scimshim"}},
        {"secret": {"name": "rel-scimshim-files", "items": [{"key": "acme", "path": "secrets/acme"}]}},
        {"secret": {"name": "scimshim-admin", "items": [{"key": "token", "path": "secrets/admin-token"}]}},
    ]


def test_tls_is_filled_in_and_mounted():
    files = render(a_set("mtls"))
    assert config_of(files)["listen"]["tls"] == {
        "certificate": "/etc/scimshim/tls/tls.crt",
        "private_key": "/etc/scimshim/tls/tls.key",
        "client_ca": "/etc/scimshim/tls/ca.crt",
    }
    objects = documents(files)
    made = only(objects, "Secret", "rel-scimshim-tls")
    assert made["type"] == "kubernetes.io/tls" and set(made["data"]) == {"tls.crt", "tls.key"}
    paths = [
        item["path"]
        for source in only(objects, "Deployment")["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
        for item in source.get("secret", {}).get("items", [])
    ]
    assert paths == ["tls/tls.crt", "tls/tls.key", "tls/ca.crt"]
    assert only(objects, "Service", "rel-scimshim")["spec"]["ports"][0]["port"] == 443


def test_tls_of_ones_own_is_tls_too():
    tls = {"certificate": "/certs/a", "private_key": "/certs/b"}
    mounts = {"extraVolumes": [{"name": "certs", "secret": {"secretName": "certs"}}], "extraVolumeMounts": [{"name": "certs", "mountPath": "/certs"}]}
    files = render(merged(GATEWAY, mounts, nested("config.listen.tls", tls)))
    (port,) = only(documents(files), "Service", "rel-scimshim")["spec"]["ports"]
    assert port["port"] == 443 and port["appProtocol"] == "https"
    assert "curl -k 'https://" in notes(files)


def test_the_password_of_redis_is_in_no_configmap():
    objects = documents(render(a_set("redis")))
    store = config_of(render(a_set("redis")))["rate_limit_store"]
    assert store == {
        "kind": "redis",
        "url": "rediss://scim%20shim:${SCIMSHIM_REDIS_PASSWORD}@redis-master.redis.svc:6379/0",
    }
    secret = only(objects, "Secret", "rel-scimshim-redis")
    assert base64.b64decode(secret["data"]["password"]).decode() == "p%40ss%2Fword%231"
    (shim,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    reference = {"secretKeyRef": {"name": "rel-scimshim-redis", "key": "password"}}
    assert {"name": "SCIMSHIM_REDIS_PASSWORD", "valueFrom": reference} in shim["env"]
    whole = merged(GATEWAY, {"redis": {"enabled": True, "existingSecret": "mine", "urlKey": "url"}})
    assert config_of(render(whole))["rate_limit_store"]["url"] == "${SCIMSHIM_REDIS_URL}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("listen.address", "0.0.0.0:8643"),
        ("listen.limits.header", "32KiB"),
        ("listen.limits.connections", 500),
        ("admin.address", "0.0.0.0:8644"),
        ("admin.readiness", "app"),
        ("feeds.cache_dir", "/var/lib/scimshim/feeds"),
        ("threads", 2),
        ("log.level", "debug"),
        ("telemetry.otlp_endpoint", "http://collector:4318"),
    ],
)
def test_what_needs_a_restart_restarts(path, value):
    assert checksum(GATEWAY) != checksum(merged(GATEWAY, {"config": nested(path, value)}))


@pytest.mark.parametrize(
    "values",
    [
        {"config": {"listen": {"limits": {"body": "1MiB"}}}},
        {"config": {"upstream": {"hold": "5s"}}},
        {"config": {"normalize": {"mode": "observe"}}},
        {"config": {"tenants": {"defaults": {"idp": "okta"}}}},
        {"config": {"feeds": {"office": {"kind": "list", "file": "office.txt"}}}},
        {"configFiles": {"office.txt": "192.0.2.0/24"}},
        {"secrets": {"a": {"value": "b"}}},
        {"redis": {"enabled": True, "host": "redis"}},
    ],
    ids=str,
)
def test_what_is_read_again_does_not_restart(values):
    assert checksum(GATEWAY) == checksum(merged(GATEWAY, values))


def test_tls_and_a_password_in_the_environment_restart():
    assert checksum(GATEWAY) != checksum(merged(GATEWAY, {"tls": {"enabled": True, "existingSecret": "tls"}}))
    one, other = (merged(GATEWAY, {"redis": {"enabled": True, "host": "r", "password": p}}) for p in ("a", "b"))
    assert checksum(one) != checksum(other)


def checksum(values):
    template = only(documents(render(values)), "Deployment")["spec"]["template"]
    return template["metadata"]["annotations"]["scimshim.io/restart-checksum"]


def test_the_list_of_keys_that_need_a_restart_is_the_binarys():
    # Those that a reload puts back, by the names that it logs.
    source = (ROOT / "src/proxy/running.rs").read_text()
    kept = set(re.findall(r'keep\("([a-z_.]+)"', source))
    assert kept == {
        "admin.address",
        "admin.readiness",
        "feeds.cache_dir",
        "listen.address",
        "listen.limits.connections",
        "listen.limits.header",
        "listen.tls",
        "log",
        "telemetry",
        "threads",
    }, "the template scimshim.restart and the README of the chart have to follow"


# What is refused.


REFUSED = [
    ({"mode": "daemonset"}, "/mode"),
    ({"replicaCount": "2"}, "/replicaCount"),
    ({"replicas": 2}, "replicas"),
    ({"image": {"tag": 1.0}}, "/image/tag"),
    ({"image": {"tag": "a b"}}, "/image/tag"),
    ({"image": {"digest": "sha256:short"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"image": None}, "image"),
    ({"imagePullSecrets": ["regcred"]}, "/imagePullSecrets/0"),
    ({"nativeSidecar": "yes"}, "/nativeSidecar"),
    ({"fullnameOverride": "Upper"}, "/fullnameOverride"),
    ({"fullnameOverride": "a" * 64}, "/fullnameOverride"),
    ({"commonLabels": {"a": 1}}, "/commonLabels/a"),
    ({"podLabels": {"a": "b c"}}, "/podLabels/a"),
    ({"podAnnotations": {"a": 1}}, "/podAnnotations/a"),
    ({"configFiles": {"a/b": "c"}}, "/configFiles"),
    ({"secrets": {"a": "in clear"}}, "/secrets/a"),
    ({"secrets": {"a": {"from": "b"}}}, "/secrets/a"),
    ({"tls": {"minVersion": "1.1"}}, "/tls/minVersion"),
    ({"tls": {"enabled": "true"}}, "/tls/enabled"),
    ({"redis": {"port": 70000}}, "/redis/port"),
    ({"state": {"sizeLimit": "64 MB"}}, "/state/sizeLimit"),
    ({"state": {"persistence": {"accessModes": ["ReadOnlyMany"]}}}, "/state/persistence/accessModes/0"),
    ({"portNames": {"scim": "a-name-that-is-too-long"}}, "/portNames/scim"),
    ({"portNames": {"scim": "7643"}}, "/portNames/scim"),
    ({"portNames": {"scim": "scim--shim"}}, "/portNames/scim"),
    ({"portNames": {"admin": "-admin"}}, "/portNames/admin"),
    ({"portNames": {"admin": "admin-"}}, "/portNames/admin"),
    ({"portNames": {"admin": "Admin"}}, "/portNames/admin"),
    ({"env": [{"name": "A", "value": 1}]}, "/env/0/value"),
    ({"env": [{"name": "A", "value": "a"}, {"name": "B", "value": True}]}, "/env/1/value"),
    ({"probes": {"startup": {"path": "/readyz"}}}, "/probes/startup"),
    ({"probes": {"startup": {"successThreshold": 2}}}, "/probes/startup/successThreshold"),
    ({"probes": {"liveness": {"successThreshold": 2}}}, "/probes/liveness/successThreshold"),
    ({"probes": {"readiness": {"terminationGracePeriodSeconds": 5}}}, "/probes/readiness"),
    ({"service": {"port": "80"}}, "/service/port"),
    ({"service": {"type": "ExternalName"}}, "/service/type"),
    ({"maxSurge": 0}, "/maxSurge"),
    ({"podMonitor": {"interval": "often"}}, "/podMonitor/interval"),
    ({"prometheusRule": {"runbookUrlPrefix": "wiki"}}, "/prometheusRule/runbookUrlPrefix"),
    ({"networkPolicy": {"ingress": []}}, "/networkPolicy"),
    # The schema of the binary.
    ({"config": "upstream: {}"}, "/config"),
    ({"config": {"upstreem": {}}}, "/config"),
    ({"config": {"upstream": {"url": None}}}, "/config/upstream"),
    ({"config": {"upstream": {"url": "app:8080"}}}, "/config/upstream/url"),
    ({"config": {"upstream": {"hold": "20"}}}, "/config/upstream/hold"),
    ({"config": {"upstream": {"hold": 20}}}, "/config/upstream/hold"),
    ({"config": {"threads": 0}}, "/config/threads"),
    ({"config": {"threads": "2"}}, "/config/threads"),
    ({"config": {"listen": {"limits": {"body": "10 MB"}}}}, "/config/listen/limits/body"),
    ({"config": {"normalize": {"mode": "on"}}}, "/config/normalize/mode"),
    ({"config": {"normalize": {"quirks": {"bool-string": "fixed"}}}}, "/config/normalize/quirks/bool-string"),
    ({"config": {"normalize": {"quirks": {"bool-strong": "fix"}}}}, "/config/normalize/quirks"),
    ({"config": {"tenants": {"list": {"Acme": {}}}}}, "/config/tenants/list"),
    ({"config": {"tenants": {"list": {"acme": {"token": "secret"}}}}}, "/config/tenants/list/acme"),
    ({"config": {"tenants": {"list": {"acme": {"tokens": ["secret"]}}}}}, "/config/tenants/list/acme/tokens/0"),
    ({"config": {"tenants": {"list": {"acme": {"tokens": [{"sha256": "secret"}]}}}}}, "tokens/0/sha256"),
    ({"config": {"feeds": {"office": {"kind": "csv"}}}}, "/config/feeds/office/kind"),
    ({"config": {"admin": {"token": {"path": "/x"}}}}, "/config/admin/token"),
]


@pytest.mark.parametrize(("values", "where"), REFUSED, ids=str)
def test_the_schema_refuses(values, where):
    with pytest.raises(Refused) as refused:
        render(values)
    assert "schema" in str(refused.value) and where in str(refused.value), refused.value


# A number in quotes is one to the binary, though not to the schema that it prints.
LENIENT = [{"threads": "2"}]
CONFIGS = [values["config"] for values, _ in REFUSED if "config" in values and values["config"] not in LENIENT]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_what_the_schema_refuses_of_the_configuration_the_binary_refuses(config, tmp_path):
    # So that the chart is not narrower than what it configures.
    whole = merged({"config": {"upstream": {"url": "http://127.0.0.1:8080/scim/v2"}}}, {"config": config})["config"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole))
    result = run(binary(), "check", tmp_path / "config.yaml")
    assert result.returncode == 1 and "not usable" in result.stdout, result.stdout


SECRET = {"existingSecret": "a"}
CONTRADICTIONS = [
    ({"mode": "gateway"}, "in the pod of a gateway is no app"),
    (merged(GATEWAY, nested("config.upstream.url", "http://localhost:8080/scim")), "in the pod of a gateway is no app"),
    (merged(GATEWAY, nested("config.upstream.url", "http://[::1]:8080/scim")), "in the pod of a gateway is no app"),
    ({"config": None}, "config.upstream.url is missing"),
    (nested("config.upstream.url", "http://127.0.0.1:7643/scim"), "scimshim's own port"),
    (nested("config.upstream.url", "http://user:pw@app/scim"), "user or password"),
    (nested("config.listen.address", "127.0.0.1:7643"), "nobody outside the pod reaches it"),
    (nested("config.admin.address", "localhost:7644"), "nobody outside the pod reaches it"),
    (nested("config.listen.address", "0.0.0.0:${PORT}"), "does not say the port"),
    (nested("config.admin.address", "0.0.0.0:0"), "does not say the port"),
    (nested("config.listen.address", "0.0.0.0:07643"), "does not say the port"),
    (nested("config.listen.address", "0.0.0.0:65536"), "config.listen.address is 0.0.0.0:65536, and no port is over 65535"),
    (nested("config.admin.address", "[::]:99999999999999999999"), "no port is over 65535"),
    (nested("config.admin.address", "0.0.0.0:7643"), "the same port"),
    (nested("portNames.admin", "scim"), "portNames.scim and portNames.admin are the same"),
    ({"env": [{"name": "SCIMSHIM_LISTEN", "value": "0.0.0.0:1"}]}, "env has SCIMSHIM_LISTEN"),
    ({"extraArgs": ["--admin=0.0.0.0:1"]}, "extraArgs has --admin"),
    (nested("config.admin.token", "in-clear"), "config.admin.token stands in clear"),
    (
        {"config": {"tenants": {"resolve": ["token"], "list": {"acme": {"upstream_authorization": "Bearer x"}}}}},
        "config.tenants.list.acme.upstream_authorization stands in clear",
    ),
    (nested("config.tenants.defaults.upstream_authorization", "x"), "defaults.upstream_authorization stands in clear"),
    ({"secrets": {"a": {"value": "b", "existingSecret": "c"}}}, "secrets.a has both"),
    ({"secrets": {"a": {}}}, "secrets.a has neither"),
    ({"secrets": {"a": {"value": "b", "key": "c"}}}, "secrets.a.key"),
    (nested("config.admin.token", {"file": "secrets/none"}), "`secrets` has no none"),
    (nested("config.admin.token", {"file": "/etc/scimshim/secrets/none"}), "`secrets` has no none"),
    ({"tls": {"enabled": True}}, "tls.enabled needs"),
    ({"tls": {"enabled": True, "certificate": "a"}}, "tls.enabled needs"),
    ({"tls": {"enabled": True, "certificate": "a", "privateKey": "b", **SECRET}}, "tls has both"),
    ({"tls": SECRET}, "while tls.enabled is false"),
    ({"tls": {"enabled": True, **SECRET, "clientCa": SECRET}}, "while tls.clientCa.enabled is false"),
    ({"tls": {"enabled": True, "certificate": "a", "privateKey": "b", "clientCa": {"enabled": True}}}, "has no CA"),
    ({"tls": {"enabled": True, **SECRET, "clientCa": {"enabled": True, "value": "c", **SECRET}}}, "tls.clientCa has both"),
    (
        {"tls": {"enabled": True, **SECRET}, "config": {"listen": {"tls": {"certificate": "a", "private_key": "b"}}}},
        "tls.enabled and config.listen.tls",
    ),
    ({"redis": {"enabled": True}}, "redis.enabled needs"),
    ({"redis": {"host": "redis"}}, "while redis.enabled is false"),
    ({"redis": {"enabled": True, "urlKey": "url"}}, "redis.urlKey is a key"),
    ({"redis": {"enabled": True, "urlKey": "url", "host": "r", **SECRET}}, "`host` and `urlKey`"),
    ({"redis": {"enabled": True, "host": "redis", "password": "a", **SECRET}}, "redis has both"),
    (
        {"redis": {"enabled": True, "host": "redis"}, "config": {"rate_limit_store": {"kind": "local"}}},
        "redis.enabled and config.rate_limit_store",
    ),
    ({"config": {"rate_limit_store": {"kind": "redis", "url": "redis://:pw@r:6379"}}}, "password in clear"),
    (merged(GATEWAY, nested("state.persistence.enabled", True)), "replicas must not write into the same ledger"),
    (
        merged(GATEWAY, {"replicaCount": 3, "state": {"persistence": {"enabled": True}}}),
        "replicas must not write into the same ledger",
    ),
    (
        merged(GATEWAY, {"autoscaling": {"enabled": True}, "state": {"persistence": {"enabled": True}}}),
        "replicas must not write into the same ledger",
    ),
    ({"state": {"enabled": False, "persistence": {"enabled": True}}}, "while state.enabled is false"),
    (nested("state.persistence.existingClaim", "a"), "while state.persistence.enabled is false"),
    (
        {"state": {"persistence": {"enabled": True, "existingClaim": "a", "storageClass": "b"}}},
        "`existingClaim` and `storageClass`",
    ),
    (nested("config.feeds.cache_dir", "/data"), "config.feeds.cache_dir is /data"),
    ({"extraVolumes": [{"name": "scimshim-state", "emptyDir": {}}]}, "a name of this chart's own"),
    ({"configFiles": {"config.yaml": "a: b"}}, "configFiles has config.yaml"),
    ({"configFiles": {"tls": "a"}, "tls": {"enabled": True, **SECRET}}, "configFiles has tls"),
    ({"configFiles": {"secrets": "a"}, "secrets": {"a": {"value": "b"}}}, "configFiles has secrets"),
    ({"terminationGracePeriodSeconds": 30}, "terminationGracePeriodSeconds is 30"),
    (nested("config.listen.limits.drain", "${DRAIN}"), "write terminationGracePeriodSeconds"),
    (merged(GATEWAY, {"replicaCount": 2, "autoscaling": {"enabled": True}}), "would undo each other"),
    (merged(GATEWAY, {"autoscaling": {"enabled": True, "minReplicas": 9}}), "is over autoscaling.maxReplicas"),
    (merged(GATEWAY, {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}), "resources.requests.cpu"),
    (
        merged(GATEWAY, {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": None}}),
        "has no metric to go by",
    ),
    (merged(GATEWAY, {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}), "podDisruptionBudget has both"),
    (merged(GATEWAY, {"service": {"nodePort": 30000}}), "while service.type is ClusterIP"),
    (merged(GATEWAY, {"service": {"type": "NodePort", "loadBalancerClass": "a"}}), "while service.type is NodePort"),
    (merged(GATEWAY, {"networkPolicy": {"enabled": True, "closeAppPort": True}}), "closeAppPort is for a sidecar"),
    (merged(GATEWAY, {"podSelector": {"a": "b"}}), "podSelector is for a sidecar"),
    (merged(GATEWAY, {"podLabels": {"app.kubernetes.io/name": "a"}}), "by which the Deployment finds its pods"),
    (merged(GATEWAY, {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}), "counted twice"),
    ({"replicaCount": 2}, "the replicas are those of your app"),
    ({"autoscaling": {"enabled": True}}, "the replicas are those of your app"),
    ({"serviceMonitor": {"enabled": True}}, "so use podMonitor"),
    (
        merged(nested("networkPolicy", {"enabled": True, "closeAppPort": True}), nested("config.upstream.url", "http://app/scim")),
        "is not known to be in it",
    ),
    (nested("config.audit.target", "/var/log/audit.jsonl"), "nothing there can be written"),
    (
        merged(
            GATEWAY,
            nested("config.upstream.url", "${APP_URL}"),
            nested("networkPolicy", {"enabled": True, "egress": {"enabled": True}}),
        ),
        "networkPolicy.egress.app.ports is empty",
    ),
    (nested("config.audit.target", "audit.jsonl"), "nothing there can be written"),
    (nested("networkPolicy.closeAppPort", True), "while networkPolicy.enabled is false"),
]


@pytest.mark.parametrize(("values", "said"), CONTRADICTIONS, ids=str)
def test_values_that_contradict_each_other_are_refused(values, said):
    with pytest.raises(Refused) as refused:
        render(values)
    assert said in str(refused.value), refused.value


@pytest.mark.parametrize(
    "values",
    [
        {"portNames": {"scim": "s-1", "admin": "1-a"}},
        {"portNames": {"scim": "a" * 15}},
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]},
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]},
        {"probes": {"startup": {"successThreshold": 1, "terminationGracePeriodSeconds": 5}}},
        {"probes": {"readiness": {"successThreshold": 3}}},
        {"configFiles": {"tls": "a", "secrets": "b"}},
        nested("config.listen.address", "0.0.0.0:65535"),
    ],
    ids=str,
)
def test_what_is_next_to_a_refusal_is_rendered(values):
    assert_valid(documents(render(merged(GATEWAY, values))))


def test_all_contradictions_are_said_at_once():
    with pytest.raises(Refused) as refused:
        render({"tls": {"enabled": True}, "redis": {"enabled": True}, "replicaCount": 2})
    for said in ("tls.enabled needs", "redis.enabled needs", "replicas are those of your app"):
        assert said in str(refused.value)


def test_a_native_sidecar_is_refused_where_kubernetes_knows_none():
    render({"nativeSidecar": True}, kube="v1.28.0")
    with pytest.raises(Refused, match="does not know native sidecars"):
        render({"nativeSidecar": True}, kube="v1.27.9")


DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def paths(values, prefix=""):
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


@pytest.mark.parametrize("path", list(paths(DEFAULTS)))
def test_null_is_the_default_or_refused_in_words(path):
    on = {"enabled": True}
    busy = {"networkPolicy": {**on, "egress": on}, "podMonitor": on, "prometheusRule": on, "dashboards": on}
    for base in (busy, merged(busy, GATEWAY)):
        try:
            documents(render(merged(base, nested(path, None)), apis=OPERATOR))
        except Refused as refused:
            assert "missing propert" in str(refused) or "config.upstream.url is missing" in str(refused), refused


def test_every_value_is_in_the_schema_and_nothing_else():
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(values, node, path):
        if "properties" not in node or path in ("config", "resources"):
            return
        known = set(node["properties"])
        assert set(values) <= known, path
        if not path.startswith("probes."):
            assert known <= set(values), f"{path}: {known - set(values)} is in the schema, and values.yaml has no default"
        for key, value in values.items():
            if isinstance(value, dict):
                compare(value, node["properties"][key], f"{path}.{key}" if path else key)

    compare(DEFAULTS, schema, "")


# Names.


@pytest.mark.parametrize("name", ["a" * 53, "1234", "scimshim", "a-very-long-release-name-that-ends-in-scimshim-for-53"])
@pytest.mark.parametrize("overrides", [{}, {"fullnameOverride": "x" * 63}, {"nameOverride": "n" * 63}], ids=str)
def test_names_fit_and_differ(name, overrides):
    values = merged(a_set("monitoring"), a_set("mtls"), {"secrets": {"a": {"value": "b"}}}, overrides)
    objects = documents(render(values, name=name, apis=OPERATOR))
    seen = set()
    for o in objects:
        assert len(o["metadata"]["name"]) <= 63, o["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", o["metadata"]["name"])
        assert (o["kind"], o["metadata"]["name"]) not in seen, o["metadata"]["name"]
        seen.add((o["kind"], o["metadata"]["name"]))
        for value in o["metadata"]["labels"].values():
            assert isinstance(value, str) and len(value) <= 63
    assert_valid(objects, versions=("1.37",))


def test_long_names_of_two_releases_stay_two():
    values = merged(GATEWAY, {"nameOverride": "a-name-that-is-long"})
    one, other = (
        {o["metadata"]["name"] for o in documents(render(values, name="r" * 52 + end))} for end in ("a", "b")
    )
    assert not one & other


# What stands beside the pod.


def allows(policy, port, protocol="TCP"):
    """Who may reach a port, by a NetworkPolicy: a list of peers, [] for everyone, None for nobody."""
    for rule in policy["spec"]["ingress"]:
        for entry in rule["ports"]:
            if entry["protocol"] == protocol and entry["port"] <= port <= entry.get("endPort", entry["port"]):
                return rule.get("from", [])
    return None


def test_the_apps_port_is_closed_if_asked():
    on = {"networkPolicy": {"enabled": True}}
    policy = only(documents(render(on)), "NetworkPolicy")
    assert allows(policy, 7643) == [] and allows(policy, 8080) == [] and allows(policy, 53, "UDP") == []
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}} in allows(policy, 7644)
    closed = only(documents(render(merged(on, nested("networkPolicy.closeAppPort", True)))), "NetworkPolicy")
    assert allows(closed, 8080) is None
    assert [port for port in (1, 80, 7642, 7643, 7645, 8079, 8081, 65535) if allows(closed, port) != []] == []


def test_a_namespace_with_policies_of_its_own_is_opened_no_further():
    values = {"networkPolicy": {"enabled": True, "openOtherPorts": False}}
    for close in (False, True):
        objects = documents(render(merged(values, nested("networkPolicy.closeAppPort", close))))
        assert_valid(objects)
        policy = only(objects, "NetworkPolicy")
        assert [p for p in range(1, 65536) if allows(policy, p) is not None] == [7643, 7644]
        assert [p for p in range(1, 65536) if allows(policy, p, "UDP") is not None] == []
        assert allows(policy, 7643) == [] and allows(policy, 7644) != []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:65535/a", "http://127.0.0.1:7642", "http://127.0.0.1"])
def test_the_closed_port_is_the_only_one_whatever_it_is(url):
    port = int((re.search(r":(\d+)(/|$)", url) or [0, 80])[1])
    values = {"config": {"upstream": {"url": url}}, "networkPolicy": {"enabled": True, "closeAppPort": True}}
    objects = documents(render(values))
    assert_valid(objects)
    policy = only(objects, "NetworkPolicy")
    closed = [p for p in range(1, 65536) if allows(policy, p) is None]
    assert closed == [port]


def test_egress_names_what_scimshim_calls():
    feeds = {
        "okta": {"kind": "okta", "url": "https://a.example/x"},
        "office": {"kind": "list", "url": "http://b.example:8000/list"},
        "here": {"kind": "list", "file": "office.txt"},
    }
    more = {"feeds": feeds, "telemetry": {"otlp_endpoint": "http://collector:4318"}}
    values = merged(a_set("redis"), {"config": more})
    rules = only(documents(render(values)), "NetworkPolicy")["spec"]["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in rules] == [
        [53, 53],
        [8080],
        [8000, 443],
        [4318],
        [6379],
    ]
    assert rules[1]["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}]


@pytest.mark.parametrize("apis", [[], ["monitoring.coreos.com/v1"], ["monitoring.coreos.com/v1/PodMonitor"]], ids=str)
def test_objects_of_the_operator_are_made_where_it_is(apis):
    values = merged(GATEWAY, {"podMonitor": {"enabled": True}})
    files = render(values, apis=apis)
    made = [o["kind"] for o in documents(files) if o["apiVersion"] in OPERATOR]
    assert made == (["PodMonitor"] if apis else [])
    assert ("no PodMonitor was made" in notes(files)) is not bool(apis)
    forced = render(merged(values, {"monitoring": {"skipApiCheck": True}}))
    assert [o["kind"] for o in documents(forced) if o["apiVersion"] in OPERATOR] == ["PodMonitor"]


def test_monitors_find_the_port_and_set_the_job():
    objects = documents(render(a_set("monitoring"), apis=OPERATOR))
    monitor = only(objects, "ServiceMonitor")["spec"]
    service = only(objects, "Service", "rel-scimshim-admin")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    other = only(objects, "Service", "rel-scimshim")
    assert not monitor["selector"]["matchLabels"].items() <= other["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert monitor["endpoints"][0]["relabelings"][0] == {"targetLabel": "job", "replacement": "scimshim"}
    sidecar = only(documents(render(a_set("native-off"), apis=OPERATOR)), "PodMonitor")["spec"]
    assert sidecar["selector"]["matchLabels"] == {"scimshim.io/instance": "rel-scimshim"}


def test_alerts_are_the_files_with_runbooks_of_ours(tmp_path):
    rule = only(documents(render(a_set("monitoring"), apis=OPERATOR)), "PrometheusRule")
    expected = [
        group
        for name in ("rules", "alerts")
        for group in yaml.safe_load(
            (ROOT / f"config/prometheus/{name}.yaml")
            .read_text()
            .replace("runbook_url: https://scimshim.example/runbooks/", "runbook_url: https://wiki.example.com/scimshim/")
        )["groups"]
    ]
    assert rule["spec"]["groups"] == expected
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    checked = run(tool("promtool"), "check", "rules", tmp_path / "rules.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_runbooks_are_pages_of_the_repository_by_default():
    rule = only(documents(render(a_set("everything"), apis=OPERATOR)), "PrometheusRule")
    urls = {r["annotations"]["runbook_url"] for g in rule["spec"]["groups"] for r in g["rules"] if "alert" in r}
    assert urls
    for url in urls:
        path = url.removeprefix("https://github.com/scimshim/scimshim/blob/main/")
        assert (ROOT / path).is_file(), url


def test_dashboards_are_the_files():
    objects = documents(render(a_set("monitoring"), apis=OPERATOR))
    found = {}
    for o in objects:
        if o["kind"] == "ConfigMap" and o["metadata"]["labels"].get("grafana_dashboard") == "1":
            assert o["metadata"]["namespace"] == "grafana"
            assert o["metadata"]["annotations"]["grafana_folder"] == "SCIM"
            found.update(o["data"])
    files = {f"scimshim-{path.name}": path.read_text() for path in (ROOT / "config/grafana").glob("*.json")}
    assert files and {name: text.rstrip("\n") for name, text in files.items()} == {
        name: text.rstrip("\n") for name, text in found.items()
    }


def test_a_packaged_chart_has_the_rules_and_the_dashboards(tmp_path):
    # In the repository they are symlinks to config/.
    package = module("helm_python").package(str(CHART), destination=str(tmp_path))
    with tarfile.open(package) as archive:
        names = set(archive.getnames())
        assert all(archive.getmember(name).isreg() for name in names)
        for source in [*(ROOT / "config/grafana").glob("*.json"), ROOT / "config/prometheus/alerts.yaml"]:
            member = f"scimshim/files/{source.parent.name}/{source.name}"
            assert archive.extractfile(member).read() == source.read_bytes()
    assert not [name for name in names if "/ci/" in name or "/tests/" in name and "templates" not in name]
    assert render(a_set("monitoring"), chart=package, apis=OPERATOR) == render(a_set("monitoring"), apis=OPERATOR)


def test_images_can_come_from_elsewhere():
    def image(values):
        return only(documents(render(merged(GATEWAY, values))), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]

    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert image({}) == f"ghcr.io/scimshim/scimshim:{version}"
    assert image({"image": {"registry": "", "repository": "local/scimshim", "tag": "dev"}}) == "local/scimshim:dev"
    assert image({"global": {"imageRegistry": "registry.example.com"}}).startswith("registry.example.com/scimshim/")
    digest = "sha256:" + "0" * 64
    assert image({"image": {"digest": digest}}) == f"ghcr.io/scimshim/scimshim@{digest}"


def test_pull_secrets_are_said_once():
    values = merged(GATEWAY, {"imagePullSecrets": [{"name": "a"}], "global": {"imagePullSecrets": ["a", {"name": "b"}]}})
    pod = only(documents(render(values)), "Deployment")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sidecar", ["kubectl -n ns port-forward POD 7643 7644", "-l 'scimshim.io/instance=rel-scimshim'", "targetPort: 7643"]),
        ("gateway", ["kubectl -n ns port-forward deployment/rel-scimshim 7643 7644", "'http://localhost:7643/scim/v2/Users?count=1'"]),
        ("tls", ["curl -k 'https://localhost:7643/scim/v2/Users?count=1'"]),
        ("everything", ["port-forward deployment/rel-scimshim 8643 8644", "ends the old pod before the new one starts"]),
    ],
)
def test_notes_say_how_to_try_it(name, said):
    text = notes(render(a_set(name), apis=OPERATOR))
    retried = "curl --retry 10 --retry-connrefused --retry-delay 1 'http://localhost:"
    for part in [*said, "kubectl -n ns rollout status deployment/", retried, "/readyz", "helm -n ns test rel"]:
        assert part in text, text


def test_notes_warn_of_limits_that_are_not_shared():
    limited = merged(GATEWAY, nested("config.tenants.defaults.rate_limit.writes", {"per_second": 1}))
    assert "each replica counts rates for itself" in notes(render(limited))
    assert "each replica counts rates for itself" not in notes(render(a_set("redis")))


# In the chart of an app.


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example with its dependency, in a copy: resolving writes into the folder."""
    charts = tmp_path_factory.mktemp("charts") / "charts"
    shutil.copytree(ROOT / "charts", charts, ignore=shutil.ignore_patterns("Chart.lock", "*.tgz"))
    module("helm_python").dependency_update(str(charts / EXAMPLE.relative_to(ROOT / "charts")))
    return charts / EXAMPLE.relative_to(ROOT / "charts")


@pytest.mark.parametrize(("kube", "native"), [("v1.36.0", True), ("v1.29.0-gke.1", True), ("v1.28.15", False), ("v1.27.1", False)])
def test_the_example_has_one_sidecar_in_its_place(example, kube, native, tmp_path):
    lint = module("helm_python").lint(str(example), {}, strict=True, kube_version=kube, with_subcharts=True)
    assert not lint["errors"] and not lint["messages"], lint
    files = render(chart=example, kube=kube, apis=OPERATOR)
    objects = documents(files)
    assert_valid(objects, versions=("1.28", "1.31", "1.37") if native else ("1.27", "1.28", "1.37"))
    assert_checks(objects, tmp_path)
    deployment = only(objects, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    assert_shim(pod, native=native)
    for container in pod["containers"]:
        assert_restricted(pod, container)
    assert pod["containers"][0]["name"] == "app"
    assert pod["containers"][0]["lifecycle"]["preStop"]
    service = only(objects, "Service")["spec"]
    assert service["ports"][0]["targetPort"] == 7643
    policy = only(objects, "NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()
    assert allows(policy, 8080) is None
    if kube in ("v1.36.0", "v1.28.15"):
        # The checksum of the script changes with it; the rest is of the chart.
        text = re.sub(r"checksum/script: .*", "checksum/script: ...", manifests(without_copies(files)))
        assert_snapshot(f"example-{'native' if native else 'regular'}.yaml", text)


def test_the_example_without_scimshim_is_the_app_alone(example):
    objects = documents(render({"scimshim": {"enabled": False}}, chart=example))
    assert_valid(objects)
    assert {o["kind"] for o in objects} == {"ConfigMap", "Deployment", "Secret", "Service"}
    assert only(objects, "Service")["spec"]["ports"][0]["targetPort"] == 8080
    assert [c["name"] for c in only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]] == ["app"]


def test_values_of_a_parent_reach_the_sidecar(example):
    values = {
        "scimshim": {
            "fullnameOverride": "shim",
            "nativeSidecar": "false",
            "portNames": {"scim": "scimshim", "admin": "scimshim-admin"},
            "config": {"listen": {"address": "0.0.0.0:9643"}, "admin": {"address": "0.0.0.0:9644"}},
            "extraArgs": ["--threads", "2"],
            "imagePullSecrets": [{"name": "regcred"}],
            "state": {"enabled": False},
        },
        "global": {"imageRegistry": "registry.example.com"},
    }
    objects = documents(render(values, chart=example))
    assert_valid(objects)
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    shim = assert_shim(pod, native=False)
    assert shim["image"].startswith("registry.example.com/")
    assert shim["args"] == ["serve", "/etc/scimshim/config.yaml", "--threads", "2"]
    assert [port["containerPort"] for port in shim["ports"]] == [9643, 9644]
    assert pod["imagePullSecrets"] == [{"name": "regcred"}]
    assert [volume["name"] for volume in pod["volumes"]] == ["script", "scimshim-config"]
    assert only(objects, "Service")["spec"]["ports"][0]["targetPort"] == 9643
    assert "cache_dir" not in only(objects, "ConfigMap", "shim")["data"]["config.yaml"]


def parent(folder, files, values=None):
    """A chart of these files that depends on this one, with the dependency resolved."""
    shutil.copytree(CHART, folder / "scimshim")
    chart = folder / "my-app"
    for name, text in files.items():
        path = chart / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    module("helm_python").dependency_update(str(chart))
    return chart


def blocks_of_the_readme():
    text = (CHART / "README.head.md").read_text()
    found = dict(re.findall(r"```yaml\n# ([\w./]+)\n(.*?)```", text, re.S))
    assert set(found) == {"Chart.yaml", "values.yaml", "templates/deployment.yaml", "templates/service.yaml"}
    found["Chart.yaml"] = found["Chart.yaml"].replace("oci://ghcr.io/scimshim/charts", "file://../scimshim")
    return found


@pytest.mark.parametrize(("kube", "native"), [("v1.36.0", True), ("v1.28.0", False)])
def test_what_the_readme_has_to_copy_works(tmp_path, kube, native):
    chart = parent(tmp_path, blocks_of_the_readme())
    objects = documents(render(chart=chart, kube=kube))
    assert_valid(objects)
    assert_shim(only(objects, "Deployment")["spec"]["template"]["spec"], native=native)
    assert only(objects, "Service")["spec"]["ports"][0]["targetPort"] == 7643
    # The first of two steps: the sidecar is there, and the Service goes to the app. The second rolls no pods.
    first = documents(render({"throughScimshim": False}, chart=chart, kube=kube))
    assert only(first, "Service")["spec"]["ports"][0]["targetPort"] == 8080
    assert only(first, "Deployment") == only(objects, "Deployment")
    off = documents(render({"scimshim": {"enabled": False}}, chart=chart, kube=kube))
    assert_valid(off)
    assert [o["kind"] for o in off] == ["Deployment", "Service"]


POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}%(suffix)s
spec:
  containers:
    - name: app
      image: app
    %(sidecars)s
  volumes:
    %(volumes)s
"""


def a_pod(suffix, sidecars=1):
    context = ".Subcharts.scimshim"
    return POD % {
        "suffix": suffix,
        "sidecars": '{{- include "scimshim.sidecar" %s | nindent 4 }}' % context * sidecars,
        "volumes": '{{- include "scimshim.volumes" %s | nindent 4 }}' % context,
    }


def dependent():
    blocks = blocks_of_the_readme()
    return {name: blocks[name] for name in ("Chart.yaml", "values.yaml")}


def test_two_pods_may_have_a_sidecar_each(tmp_path):
    files = {**dependent(), "templates/a.yaml": a_pod("-a"), "templates/b.yaml": a_pod("-b")}
    objects = documents(render(chart=parent(tmp_path, files)))
    assert [o["metadata"]["name"] for o in objects if o["metadata"]["name"] in ("rel-a", "rel-b")] == ["rel-a", "rel-b"]


def test_a_second_sidecar_in_one_pod_is_refused(tmp_path):
    chart = parent(tmp_path, {**dependent(), "templates/a.yaml": a_pod("", sidecars=2)})
    with pytest.raises(Refused, match="the sidecar is included twice in one pod"):
        render(chart=chart)


def test_a_sidecar_behind_a_gateway_is_refused(tmp_path):
    chart = parent(tmp_path, {**dependent(), "templates/a.yaml": a_pod("")})
    with pytest.raises(Refused, match="mode: sidecar"):
        render({"scimshim": GATEWAY}, chart=chart)


WHOLE = """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
spec:
  {{- include "scimshim.podSpec" (list .Subcharts.scimshim (include "my-app.podSpec" .)) | nindent 2 }}
"""


def whole(tmp_path, spec, values=None, kube="v1.36.0"):
    helper = '{{- define "my-app.podSpec" -}}\n%s\n{{- end -}}\n' % yaml.safe_dump(spec)
    chart = parent(tmp_path, {**dependent(), "templates/_pod.tpl": helper, "templates/pod.yaml": WHOLE})
    return only(documents(render(values, chart=chart, kube=kube)), "Pod", "rel")["spec"]


APP = {"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}


@pytest.mark.parametrize(("kube", "native"), [("v1.36.0", True), ("v1.28.0", False)])
def test_a_whole_pod_gets_all_that_it_needs(tmp_path, kube, native):
    spec = {
        "automountServiceAccountToken": False,
        "initContainers": [{"name": "migrate", "image": "app:1"}],
        "containers": [APP],
        "terminationGracePeriodSeconds": 10,
    }
    pod = whole(tmp_path, spec, {"scimshim": {"imagePullSecrets": [{"name": "a"}]}}, kube)
    assert_shim(pod, native=native)
    assert pod["initContainers"][0]["name"] == "migrate" and pod["containers"][0] == APP
    assert pod["imagePullSecrets"] == [{"name": "a"}]
    assert pod["terminationGracePeriodSeconds"] == 60


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": [APP, {"name": "scimshim", "image": "x"}]}, "has a sidecar already"),
        ({"containers": [APP], "initContainers": [{"name": "s", "image": "mirror/scimshim/scimshim:1"}]}, "has a sidecar already"),
        ({"containers": [{**APP, "ports": [{"containerPort": 7643}]}]}, "port 7643 is taken"),
        ({"containers": [{**APP, "ports": [{"containerPort": 1, "name": "admin"}]}]}, "the port name admin is taken"),
        ({"containers": [APP], "volumes": [{"name": "scimshim-state", "emptyDir": {}}]}, "has a volume scimshim-state"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_whole_pod_with_something_of_ours_is_refused(tmp_path, spec, said):
    with pytest.raises(Refused, match=said):
        whole(tmp_path, spec)


# What is made from elsewhere.


def test_the_readme_and_the_schema_are_fresh():
    import os
    import sys

    module("yaml")
    environment = {**os.environ, "SCIMSHIM_BIN": str(binary())}
    result = run(sys.executable, ROOT / "charts/generate.py", "--check", env=environment)
    assert result.returncode == 0, result.stderr


def test_the_chart_has_the_version_of_the_crate():
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == version
    assert yaml.safe_load(chart["annotations"]["artifacthub.io/images"])[0]["image"].endswith(f":{version}")
    dependency = yaml.safe_load((EXAMPLE / "Chart.yaml").read_text())["dependencies"][0]
    assert dependency["version"] == chart["version"]
    for key in ("category", "changes", "containsSecurityUpdates", "images", "license", "links", "maintainers", "prerelease", "recommendations"):
        assert yaml.safe_load(chart["annotations"][f"artifacthub.io/{key}"]) not in (None, "", []), key
