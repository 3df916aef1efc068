"""Who is measured. One entry each: how it is started, what it claims.

Commands and configuration templates may hold `{listen}` (address:port), `{listen_port}`, `{upstream}` (address:port),
`{upstream_port}`, `{config}` (the rendered template), `{dir}` (an empty folder of its own), `{threads}`, `{peers}`,
`{certificate}`, `{private_key}`, `{pem}` (both in one file), and `{token_sha256}` (of the token that all requests carry).
"""
import dataclasses
import os
import shutil

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")


@dataclasses.dataclass(frozen=True)
class Peer:
    """A proxy under test."""

    command: str
    template: str | None = None
    rewrites: bool = False
    """It claims to make the requests compliant; whether it does is looked at before and under load."""
    tls: bool = False
    """It listens for TLS, and speaks HTTP/2 where the client asks for it."""


def known(work, scimshim):
    """All proxies by name, in the order of the tables. `work` holds what was built and fetched."""
    tools = os.path.join(work, "target", "release")
    envoy = os.path.join(work, "envoy", "envoy", "_bin", "envoy") + (
        " -c {config} --concurrency {threads} --disable-hot-restart -l error")
    nginx = "nginx -e stderr -p {dir} -c {config}"
    haproxy = "haproxy -db -q -f {config}"
    floor = os.path.join(tools, "floor")
    serve = f"{scimshim} serve {{config}}"
    return {
        "relay": Peer(f"{tools}/relay {{listen}} {{upstream}}"),
        "floor": Peer(f"{floor} plain {{listen}} {{upstream}} {{threads}}"),
        "floor-serde": Peer(f"{floor} serde {{listen}} {{upstream}} {{threads}}", rewrites=True),
        "scimshim": Peer(serve, "scimshim.yaml", rewrites=True),
        "scimshim-off": Peer(serve, "scimshim-off.yaml"),
        "nginx": Peer(nginx, "nginx.conf"),
        "nginx-lua": Peer(nginx, "nginx-lua.conf", rewrites=True),
        "nginx-njs": Peer(nginx, "nginx-njs.conf", rewrites=True),
        "haproxy": Peer(haproxy, "haproxy.cfg"),
        "envoy": Peer(envoy, "envoy.yaml"),
        "envoy-lua": Peer(envoy, "envoy-lua.yaml", rewrites=True),
        "node-http": Peer("node {dir}/bare.mjs {listen} {upstream}", rewrites=True),
        "node-express": Peer("node {dir}/server.mjs {listen} {upstream}", rewrites=True),
        "floor-tls": Peer(f"{floor} plain {{listen}} {{upstream}} {{threads}} {{certificate}} {{private_key}}", tls=True),
        "scimshim-tls": Peer(serve, "scimshim-tls.yaml", rewrites=True, tls=True),
        "nginx-tls": Peer(nginx, "nginx-tls.conf", tls=True),
        "haproxy-tls": Peer(haproxy, "haproxy-tls.cfg", tls=True),
        "envoy-tls": Peer(envoy, "envoy-tls.yaml", tls=True),
    }


def furnish(name, peer, folder, values, work):
    """Puts what the peer needs into its folder and returns its command."""
    if name.startswith("node-"):
        for file in ("node/server.mjs", "node/bare.mjs", "node/package.json", "normalize.mjs"):
            shutil.copy(os.path.join(HERE, file), folder)
        os.symlink(os.path.join(work, "node", "node_modules"), os.path.join(folder, "node_modules"))
    if peer.template:
        values = values | {"config": os.path.join(folder, os.path.basename(peer.template))}
        with open(os.path.join(HERE, peer.template)) as template, open(values["config"], "w") as config:
            config.write(render(template.read(), values))
    return render(peer.command, values)


def render(text, values):
    for key, value in values.items():
        text = text.replace("{%s}" % key, str(value))
    return text
