"""One load run: by our own generator (HTTP/1.1, closed or open loop), or by h2load (TLS, HTTP/2)."""
import json
import os
import re
import subprocess


def own(tools, cores, port, workload, seconds, connections, rate=0):
    """Requests of `workload` for `seconds`; at `rate` a second, or each when the one before it is answered."""
    command = [os.path.join(tools, "load"), "--addr", f"127.0.0.1:{port}", "--secs", str(seconds),
               "--warm", "0.3" if rate else "0", "--conns", str(connections), "--rate", str(rate),
               "--cycle", ",".join(map(str, workload["cycle"]))]
    for request in workload["reqs"]:
        command += ["--req", request]
    return json.loads(_run(command, cores, seconds))


def h2load(cores, port, request, seconds, connections, version):
    """One request again and again over TLS, by HTTP/1.1 or, with `version` 2, by HTTP/2 of eight streams each."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    method, target, _ = line.split(" ")
    command = ["h2load", "-D", str(seconds), "-c", str(connections), "-t", "1"]
    command += ["-m", "8"] if version == 2 else ["--h1"]
    for field in fields:
        if not field.lower().startswith(("host:", "content-length:")):
            command += ["-H", field]
    command += ["-H", f":method: {method}"]
    if body:
        path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"h2load-{os.getpid()}.body")
        with open(path, "wb") as file:
            file.write(body)
        command += ["-d", path]
    try:
        said = _run([*command, f"https://127.0.0.1:{port}{target}"], cores, seconds).decode()
    finally:
        if body:
            os.unlink(path)
    number = lambda pattern: float(re.search(pattern, said)[1])
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
    good, *bad = map(int, codes.groups())
    return {"good": good, "bad": sum(bad), "io_err": int(number(r"(\d+) errored")), "rps": number(r"([\d.]+) req/s")}


def _run(command, cores, seconds):
    if cores is not None:
        command = ["taskset", "-c", cores, *command]
    return subprocess.run(command, stdout=subprocess.PIPE, timeout=seconds + 30, check=True).stdout
