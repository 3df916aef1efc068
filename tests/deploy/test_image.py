"""The image of the real Dockerfile, in the hands of a real runtime: locked down as a pod locks it down."""

import http.client
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import tarfile
import threading
import time
import uuid

import pytest

import images
from images import ROOT, free_ports, need, podman, run

# As the pods of the chart have it. Podman's own tmpfs for a read-only root is off: Kubernetes has none.
LOCKED = [
    "--network=host",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
]
CONFIG = "/etc/scimshim/config.yaml"
STATE = "/var/lib/scimshim"
# Unpacked, and as a node pulls it. The binary is most of it; a growth of half a megabyte is to be noticed.
LIMIT = 15_000_000
PULLED = 7_500_000


@pytest.fixture(scope="session")
def image():
    return images.shim_image()


class App:
    """An app on a port of its own that writes down what it was asked."""

    def __init__(self, tls=None):
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()
        self.arrived = threading.Event()
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                app.asked.append((self.command, self.path, body))
                app.arrived.set()
                app.hold.wait(30)
                said = b'{"id": 1, "userName": "ann", "active": "True"}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PATCH = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def app():
    app = App()
    yield app
    app.close()


class Shim:
    """A container of the image, with a configuration and what else is mounted."""

    def __init__(self, image, folder, url, *options, **more):
        self.name = f"scimshim-{uuid.uuid4().hex[:12]}"
        self.data, self.admin = free_ports(2)
        config = {
            "upstream": {"url": url, **more.pop("upstream", {})},
            "listen": {"address": f"127.0.0.1:{self.data}"},
            "admin": {"address": f"127.0.0.1:{self.admin}"},
            **more,
        }
        mounted = folder / self.name
        mounted.mkdir()
        # JSON is YAML.
        (mounted / "config.yaml").write_text(json.dumps(config))
        options = [f"--volume={mounted}:/etc/scimshim:ro", *options]
        podman("run", "--detach", "--name", self.name, *LOCKED, *options, image, "serve", CONFIG)

    def __enter__(self):
        until(lambda: self.ready() == 200, f"not ready:\n{self.log()}")
        return self

    def __exit__(self, *_):
        podman("rm", "--force", "--time", "2", self.name)

    def ready(self):
        try:
            return ask(self.admin, "GET", "/readyz")[0]
        except OSError:
            return None

    def log(self):
        done = podman("logs", self.name)
        return done.stdout + done.stderr

    def inspect(self, what):
        return podman("inspect", "--format", f"{{{{{what}}}}}", self.name).stdout.strip()

    def process(self, file):
        return pathlib.Path(f"/proc/{self.inspect('.State.Pid')}/{file}").read_text()

    def stop(self):
        """SIGTERM, and the exit code; SIGKILL would be 137."""
        podman("stop", "--time", "40", self.name)
        return int(self.inspect(".State.ExitCode"))


def ask(port, method, path, body=None, timeout=20):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"content-type": "application/scim+json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until(true, otherwise, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


def deactivate(shim):
    patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
    patch["Operations"] = [{"op": "Replace", "path": "active", "value": "False"}]
    return ask(shim.data, "PATCH", "/scim/v2/Users/1", patch)


def upstream(app, scheme="http", host="127.0.0.1"):
    return f"{scheme}://{host}:{app.port}/scim/v2"


def state(tmp_path):
    """A volume as the kubelet makes it writable by fsGroup."""
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 65532, 65532)
    return folder, f"--volume={folder}:{STATE}"


# What is in it.


def config_of(image):
    return json.loads(podman("image", "inspect", image).stdout)[0]


def test_it_says_what_it_is(image):
    config = config_of(image)["Config"]
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "scimshim"
    assert labels["version"] == version
    assert labels["revision"] == images.COMMIT
    assert labels["created"] == images.CREATED
    assert labels["licenses"] == "Apache-2.0"
    assert labels["base.name"] == "scratch"
    assert labels["description"] and labels["source"] and labels["documentation"] and labels["url"]


def test_it_starts_as_nobody_and_by_no_shell(image):
    config = config_of(image)["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/local/bin/scimshim"]
    assert "Cmd" not in config or config["Cmd"] in (None, [])
    assert config["StopSignal"] == "SIGTERM"
    assert set(config["ExposedPorts"]) == {"7643/tcp", "7644/tcp"}
    assert {entry.split("=")[0] for entry in config["Env"]} <= {"PATH"}


def test_it_holds_the_expected_files_and_nothing_else(image, tmp_path):
    archive = tmp_path / "image.tar"
    podman("save", "--format", "docker-archive", "--output", archive, image)
    files, folders = {}, {}
    with tarfile.open(archive) as outer:
        for layer in json.load(outer.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                for member in inner:
                    owner = (member.uid, member.gid, oct(member.mode & 0o7777))
                    (folders if member.isdir() else files)[member.name.rstrip("/")] = owner
    assert files == {
        "etc/group": (0, 0, "0o644"),
        "etc/passwd": (0, 0, "0o644"),
        "etc/ssl/certs/ca-certificates.crt": (0, 0, "0o644"),
        "usr/local/bin/scimshim": (0, 0, "0o755"),
        "usr/share/doc/scimshim/LICENSE": (0, 0, "0o644"),
        "usr/share/doc/scimshim/THIRD_PARTY.md": (0, 0, "0o644"),
    }
    assert folders.pop("var/lib/scimshim") == (65532, 65532, "0o755")
    assert all(owner[:2] == (0, 0) for owner in folders.values()), folders
    parents = {str(parent) for file in [*files, "var/lib/scimshim"] for parent in pathlib.PurePath(file).parents} - {"."}
    assert set(folders) == parents


def test_it_is_small(image, tmp_path):
    size = config_of(image)["Size"]
    assert size < LIMIT, f"{size / 1e6:.2f} MB"
    podman("save", "--format", "oci-archive", "--output", tmp_path / "image.tar", image)
    pulled = (tmp_path / "image.tar").stat().st_size
    assert pulled < PULLED, f"{pulled / 1e6:.2f} MB"


def test_the_binary_needs_no_library(image):
    said = podman("run", "--rm", *LOCKED, image, "--version").stdout
    assert re.fullmatch(r"scimshim \S+ \(([0-9a-f]{12}|unknown), x86_64-unknown-linux-gnu\)\n", said), said
    if not os.environ.get("SCIMSHIM_STATIC_BIN"):
        assert images.COMMIT in said, "the commit that the build was told"


# How it runs.


def test_it_serves_locked_down(image, app, tmp_path):
    with Shim(image, tmp_path, upstream(app)) as shim:
        status, body = deactivate(shim)
        assert status == 200 and json.loads(body)["id"] == "1", body
        _, path, sent = app.asked[0]
        assert path == "/scim/v2/Users/1"
        assert json.loads(sent)["Operations"] == [{"op": "replace", "path": "active", "value": False}]

        is_ = dict(line.split(":\t", 1) for line in shim.process("status").splitlines() if ":\t" in line)
        assert is_["Uid"].split() == ["65532"] * 4 and is_["Gid"].split() == ["65532"] * 4
        assert {is_[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert is_["NoNewPrivs"] == "1"
        mounts = (line.split() for line in shim.process("mountinfo").splitlines())
        assert "ro" in next(fields[5] for fields in mounts if fields[4] == "/").split(",")


def test_it_writes_to_its_volume_only(image, app, tmp_path):
    folder, volume = state(tmp_path)
    with Shim(image, tmp_path, upstream(app), volume, feeds={"cache_dir": STATE}) as shim:
        deactivate(shim)
        assert shim.stop() == 0
        assert {path.name for path in folder.iterdir()} == {"ledger.snapshot"}
        assert (folder / "ledger.snapshot").stat().st_uid == 65532
        assert "cannot be written" not in shim.log()
        written = podman("diff", shim.name).stdout.splitlines()
        # What the runtime itself makes for its mounts.
        assert not [line for line in written if not re.match(r"[AC] /(etc|dev|proc|sys|run)\b", line)], written


def test_it_runs_without_a_volume_and_says_that_it_keeps_nothing(image, app, tmp_path):
    with Shim(image, tmp_path, upstream(app), feeds={"cache_dir": STATE}, quarantine={"snapshot": "1s"}) as shim:
        assert deactivate(shim)[0] == 200
        until(lambda: "ledger cannot be written" in shim.log(), "nothing was said")
        assert deactivate(shim)[0] == 200
        assert shim.ready() == 200
        assert shim.stop() == 0


def test_a_request_in_flight_is_answered_before_it_stops(image, app, tmp_path):
    with Shim(image, tmp_path, upstream(app)) as shim:
        app.hold.clear()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(deactivate(shim)))
        asking.start()
        assert app.arrived.wait(10)
        codes = []
        stopping = threading.Thread(target=lambda: codes.append(shim.stop()))
        stopping.start()
        until(lambda: shim.ready() == 503, "it does not say that it drains")
        assert not answers and not codes, "it waits for the app"
        app.hold.set()
        asking.join(20)
        stopping.join(40)
        assert [status for status, _ in answers] == [200]
        assert codes == [0]


def test_it_looks_names_up_in_the_hosts_file(image, app, tmp_path):
    with Shim(image, tmp_path, upstream(app, host="app.shop.test"), "--add-host=app.shop.test:127.0.0.1") as shim:
        assert deactivate(shim)[0] == 200
        assert len(app.asked) == 1


def test_it_looks_names_up_by_dns_as_a_pod_does(image, app, tmp_path):
    # A short name, found by a search domain, as a Service is.
    with Resolver("127.0.0.77", {"app.shop.svc.cluster.test": "127.0.0.1"}) as resolver:
        resolv = tmp_path / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.77\nsearch shop.svc.cluster.test svc.cluster.test\noptions ndots:5\n")
        mount = f"--volume={resolv}:/etc/resolv.conf:ro"
        with Shim(image, tmp_path, upstream(app, host="app"), mount) as shim:
            assert deactivate(shim)[0] == 200
            assert "app.shop.svc.cluster.test" in resolver.asked


class Resolver:
    """A name server that knows a few IPv4 addresses."""

    def __init__(self, address, names):
        self.names, self.asked = names, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            labels, place = [], 12
            while query[place]:
                labels.append(query[place + 1 : place + 1 + query[place]].decode())
                place += 1 + query[place]
            name, kind = ".".join(labels).lower(), struct.unpack(">H", query[place + 1 : place + 3])[0]
            self.asked.append(name)
            address = self.names.get(name)
            answers = b""
            if address and kind == 1:
                answers = struct.pack(">HHHLH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(address)
            flags = 0x8180 if address else 0x8183
            header = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answers else 0, 0, 0)
            self.socket.sendto(header + query[12 : place + 5] + answers, peer)


# TLS towards the app.


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A private CA and a certificate of it for the app."""
    need("openssl")
    folder = tmp_path_factory.mktemp("tls")
    new = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    ca = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-subj", "/CN=Shop CA"]
    run(*new, *ca, "-addext", "keyUsage=critical,keyCertSign")
    leaf = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-keyout", folder / "app.key", "-out", folder / "app.crt"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:false"]
    run(*new, *leaf, "-subj", "/CN=app", *names)
    return folder


@pytest.fixture
def https(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "app.crt", authority / "app.key")
    app = App(context)
    yield app
    app.close()


def test_it_trusts_a_private_ca_that_is_named(image, https, authority, tmp_path):
    mount = f"--volume={authority / 'ca.crt'}:/etc/scimshim-ca/ca.crt:ro"
    ca = {"upstream": {"tls": {"ca": "/etc/scimshim-ca/ca.crt"}}}
    with Shim(image, tmp_path, upstream(https, "https"), mount, **ca) as shim:
        assert deactivate(shim)[0] == 200
        assert len(https.asked) == 1


def test_the_roots_of_the_image_are_read_and_do_not_know_a_private_ca(image, https, tmp_path):
    with Shim(image, tmp_path, upstream(https, "https"), upstream={"hold": "0s"}) as shim:
        status, _ = deactivate(shim)
        assert status in (502, 503) and https.asked == []
        assert "no certificate" not in shim.log().lower() and "native" not in shim.log().lower()


def test_roots_that_are_mounted_over_those_of_the_image_hold(image, https, authority, tmp_path):
    mount = f"--volume={authority / 'ca.crt'}:/etc/ssl/certs/ca-certificates.crt:ro"
    with Shim(image, tmp_path, upstream(https, "https"), mount) as shim:
        assert deactivate(shim)[0] == 200


def test_the_roots_of_the_image_are_many(image, tmp_path):
    bundle = tmp_path / "bundle"
    container = podman("create", image).stdout.strip()
    podman("cp", f"{container}:/etc/ssl/certs/ca-certificates.crt", bundle)
    podman("rm", container)
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 100


# What it costs.


def test_it_is_ready_at_once_and_takes_little(image, capsys):
    engine = images.podman_command()
    line = [ROOT / "scripts/image-facts", "--image", image, "--engine", " ".join(engine), "--runs", "9", "--json"]
    facts = json.loads(run(*line, env=images.environment()).stdout)
    with capsys.disabled():
        print("\nthe image:", ", ".join(f"{name} {value}" for name, value in facts.items()))
    assert facts["image_bytes"] < LIMIT
    assert facts["ready_ms"] < 50, facts
    assert facts["rest_kib"] < 15 * 1024, facts
    assert facts["after_requests_kib"] < 15 * 1024, facts
