"""One cell of the matrix: one suite against one fresh, empty server, directly or through the shim."""
import json
import os
import sys
import time

import children

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.get("CONFORMANCE_CACHE", "")
MODES = ("direct", "default", "chosen")
SUITE_SECONDS = 200
TOKEN = "conformance-token"


def load(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


SERVERS, SUITES = load("servers/servers.json"), load("suites/suites.json")
# Suites whose number of checks is the same on every server; the others decide for themselves how many they make.
FIXED = [name for name, suite in SUITES.items() if suite["run"] == "steps"]


def settings_of(server):
    return os.path.join(HERE, "settings", f"{server}.yaml")


def server(name, port):
    fill = {"bin": os.path.join(CACHE, "venv", "bin"), "python": sys.executable, "here": HERE, "port": str(port), "token": TOKEN}
    cmd = [part.format(**fill) for part in SERVERS[name]["cmd"]]
    return children.Listener(name, cmd, port, {"NODE_MODULES_DIR": os.path.join(CACHE, "node", "node_modules")})


def shim(binary, mode, name, port, app):
    """The shim, as an operator starts it: with nothing but the address, or with the file chosen for this server."""
    config = [settings_of(name)] if mode == "chosen" else ["--upstream", app + SERVERS[name]["base"]]
    cmd = [binary, "serve", *config, "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"]
    return children.Listener("scimshim", cmd, port, {"APP": app})


def suite_command(name, base_url):
    suite, at = SUITES[name], lambda file: os.path.join(HERE, "suites", file)
    tail = ["--base-url", base_url, "--token", TOKEN]
    return [sys.executable] + {
        "steps": lambda: [at("steps.py"), at(suite["file"]), *tail],
        "tester": lambda: [at("run_scim2_tester.py"), *tail],
        "tester-fixed": lambda: [at("run_scim2_tester.py"), "--fixed", *tail],
        "sanity": lambda: [at("run_sanity.py"), *tail],
    }[suite["run"]]()


def ask(suite, base_url):
    """Runs a suite; one that breaks is one failed check."""
    out, err, late = children.output(suite_command(suite, base_url), SUITE_SECONDS)
    try:
        return json.loads(out)
    except ValueError:
        said = f"took over {SUITE_SECONDS} s" if late else (err or out)[-400:]
        return {"suite": suite, "total": 1, "passed": 0, "failed": 1, "broken": True,
                "checks": [{"id": "suite", "level": "error", "ok": False, "detail": said}]}


def run(cell, binary):
    """cell: (server, suite, mode) -> the suite's result."""
    name, suite, mode = cell
    started = time.monotonic()
    port = children.free_port()
    app, base = f"http://127.0.0.1:{port}", SERVERS[name]["base"]
    with server(name, port):
        if mode == "direct":
            result = ask(suite, app + base)
        else:
            shim_port = children.free_port()
            # The chosen settings tell the identity providers apart by path, as one shim before many customers does.
            prefix = f"/t/{SUITES[suite]['idp']}" if mode == "chosen" else ""
            with shim(binary, mode, name, shim_port, app):
                result = ask(suite, f"http://127.0.0.1:{shim_port}{prefix}{base}")
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def passing(result):
    return {check["id"] for check in result["checks"] if check["ok"]}


def failing(result):
    return [check for check in result["checks"] if not check["ok"]]
