"""A session: all proxies up at once, measured in turn, so that what is compared lies seconds apart."""
import os
import statistics
import time

from . import load, machine, peers
from .processes import Process, free_port

# Requests a second of the open loop, never changed, so that runs compare. Calm is what IdPs really send; busy is a third
# to a half of what Envoy and the scripted nginx carry on one core.
RATES = {
    "calm": {"W1": 200, "W2": 200, "W3": 200, "W4": 100, "W5": 25, "W6": 200},
    "busy": {"W1": 3000, "W2": 3000, "W3": 2500, "W4": 1200, "W5": 200, "W6": 3000},
}
# A proxy that carries less than this many times the rate is not asked for its latency there.
HEADROOM = 1.25
OPEN_CONNECTIONS = 64
# A closed-loop run during which others used more of the machine than this is repeated.
FOREIGN = 0.06
# What h2load sends: it knows one request a run.
TLS_REQUESTS = {"W1": "get_user", "W2": "patch_user", "W5": "patch_group_1000"}


class Session:
    """`results` after `run`: {proxy: {"closed": {workload: [run]}, "open": {kind: {workload: [run]}}, ...}}."""

    def __init__(self, options, tools, folder, upstream, workloads, token_sha256):
        self.options, self.tools, self.folder = options, tools, folder
        self.upstream, self.all_workloads = upstream, workloads
        self.workloads = options.workloads
        self.values = {"upstream": f"127.0.0.1:{upstream.port}", "upstream_port": upstream.port, "peers": peers.HERE,
                       "threads": options.threads, "token_sha256": token_sha256} | certificate(folder)
        self.known = peers.known(options.work, options.scimshim) | options.added
        self.live, self.results = {}, {}

    def start(self):
        """Starts every proxy that was asked for; says which did not start, and goes on without it."""
        missing = []
        for name in self.options.proxies:
            if name == "direct":
                self.live[name] = (self.upstream.process, self.upstream.port)
                continue
            folder, port = os.path.join(self.folder, name), free_port()
            os.makedirs(folder)
            values = self.values | {"listen": f"127.0.0.1:{port}", "listen_port": port, "dir": folder}
            command = peers.furnish(name, self.known[name], folder, values, self.options.work)
            process = Process(name, command.split(), self.options.proxy_cores, self.folder)
            self.live[name] = (process, port)
            if not process.listens(port):
                print(f"!! {name} did not start:\n{process.said()}", flush=True)
                missing.append(name)
                self.live.pop(name)[0].stop()
        time.sleep(1)
        return missing

    def stop(self):
        for process, _ in self.live.values():
            process.stop()

    def run(self):
        for name, (process, _) in self.live.items():
            self.results[name] = {"closed": {}, "open": {}, "tls": {}, "memory_start": machine.memory(process.pid)}
        self.check()
        if self.options.check_only:
            return
        for name in self.plain():
            for workload in {self.workloads[0], self.workloads[-1]}:
                self.send(name, workload, 0.5, self.options.connections)
        self.closed()
        for name in self.plain():
            self.results[name]["memory_busy"] = machine.memory(self.live[name][0].pid)
        self.over_tls()
        if self.options.latency:
            self.open()
        if self.options.memory:
            self.crowd()

    def plain(self):
        """Those that our own generator can talk to."""
        return [name for name in self.live if name == "direct" or not self.known[name].tls]

    def check(self):
        """Does each rewrite what it claims to rewrite?"""
        for name in self.plain():
            if name == "direct":
                continue
            names = sorted({n for workload in self.workloads for n in self.all_workloads[workload].get("names", [])})
            verdicts = self.upstream.check(self.live[name][1], names)
            self.results[name]["check"] = {request: verdict for request, (verdict, _) in verdicts.items()}
            print(f"check {name:16}", " ".join(f"{r}: {v}" for r, (v, _) in verdicts.items()), flush=True)
            for request, (verdict, why) in verdicts.items():
                if why:
                    print(f"   {request}: {why[:600]}")

    def closed(self):
        """Throughput and CPU, interleaved with a rotating start."""
        for number in range(self.options.rounds):
            for workload in self.workloads:
                for name in turn(self.plain(), number):
                    run = self.quiet(lambda: self.measure(name, workload))
                    self.results[name]["closed"].setdefault(workload, []).append(run)
                    print(f"round {number + 1}/{self.options.rounds} {workload} {name:16} {run['rps']:8.0f} req/s "
                          f"{run['cpu_us']:7.1f} CPU-us  p50 {run['p50_us']:6.0f} us  failed {failed(run)}  "
                          f"foreign {run['foreign']:.3f} {run.get('under_load', '')}", flush=True)

    def quiet(self, measure):
        """The run during which others used the machine least, of as many as are allowed."""
        best = None
        for _ in range(self.options.retries + 1):
            run = measure()
            if best is None or run["foreign"] < best["foreign"]:
                best = run
            if best["foreign"] < FOREIGN:
                break
        return best

    def measure(self, name, workload):
        self.send(name, workload, 0.3, self.options.connections)
        names = self.all_workloads[workload].get("names")
        if names:
            self.upstream.watch()
        run = self.metered(name, lambda: self.send(name, workload, self.options.seconds, self.options.connections))
        if names:
            run["under_load"] = self.upstream.verdict(names)[0]
        return run

    def metered(self, name, send):
        """A run, with the CPU that the proxy used for it, and what others used of the machine."""
        pid, stub = self.live[name][0].pid, self.upstream.process.pid
        before = machine.cpu_seconds(pid), machine.cpu_seconds(stub), machine.cores()
        children = os.times().children_user + os.times().children_system
        run = send()
        generator = os.times().children_user + os.times().children_system - children
        proxy, upstream = machine.cpu_seconds(pid) - before[0], machine.cpu_seconds(stub) - before[1]
        ticks = machine.passed(before[2], machine.cores())
        run["cpu_us"] = proxy / max(1, run["good"]) * 1e6
        ours = upstream + generator + (0 if pid == stub else proxy)
        used = sum(core["all"] - core["idle"] for core in ticks.values()) / machine.HZ
        run["foreign"] = max(0, used - ours) / (sum(core["all"] for core in ticks.values()) / machine.HZ)
        return run

    def over_tls(self):
        """CPU of those that speak TLS, for HTTP/1.1 and for HTTP/2."""
        names = [name for name in self.live if name != "direct" and self.known[name].tls]
        for number in range(self.options.rounds if names else 0):
            for workload in [workload for workload in self.workloads if workload in TLS_REQUESTS]:
                with open(os.path.join(self.upstream.bodies, TLS_REQUESTS[workload] + ".req"), "rb") as file:
                    request = file.read()
                for version in (1, 2):
                    for name in turn(names, number):
                        send = lambda: load.h2load(self.options.load_cores, self.live[name][1], request,
                                                   max(1, round(self.options.seconds)), self.options.connections, version)
                        run = self.quiet(lambda: self.metered(name, send))
                        column = f"{workload}, HTTP/{'1.1' if version == 1 else 2}"
                        self.results[name]["tls"].setdefault(column, []).append(run)
                        print(f"round {number + 1}/{self.options.rounds} TLS {column} {name:16} {run['rps']:8.0f} req/s "
                              f"{run['cpu_us']:7.1f} CPU-us  failed {failed(run)}  foreign {run['foreign']:.3f}", flush=True)

    def open(self):
        """Latency at fixed rates; it counts from the moment at which a request was due."""
        for number in range(self.options.open_rounds):
            for kind, rates in RATES.items():
                for workload in self.workloads:
                    for name in turn(self.plain(), number):
                        carried = statistics.median(run["rps"] for run in self.results[name]["closed"][workload])
                        if carried < HEADROOM * rates[workload]:
                            continue
                        run = self.send(name, workload, self.options.open_seconds, OPEN_CONNECTIONS, rates[workload])
                        self.results[name]["open"].setdefault(kind, {}).setdefault(workload, []).append(run)
                        print(f"open {number + 1}/{self.options.open_rounds} {kind} {workload} {name:16} "
                              f"p50 {run['p50_us']:7.0f} p99 {run['p99_us']:7.0f} us  failed {failed(run)}", flush=True)

    def crowd(self):
        """A thousand connections, all asking; then none asks and all stay."""
        workload = "W2" if "W2" in self.workloads else self.workloads[0]
        for name in self.plain():
            run = self.send(name, workload, 2.0, 1000)
            memory = machine.memory(self.live[name][0].pid)
            self.results[name] |= {"memory_crowd": memory, "crowd": run}
            print(f"1,000 connections {name:16} {run['rps']:8.0f} req/s  failed {failed(run)}  "
                  f"peak {memory['VmHWM']} kB", flush=True)

    def send(self, name, workload, seconds, connections, rate=0):
        port = self.live[name][1]
        return load.own(self.tools, self.options.load_cores, port, self.all_workloads[workload], seconds, connections, rate)


def turn(names, number):
    start = number * 3 % max(1, len(names))
    return names[start:] + names[:start]


def failed(run):
    return run["bad"] + run["io_err"]


def certificate(folder):
    """A key and a self-signed certificate for 127.0.0.1."""
    import subprocess

    key, chain, both = (os.path.join(folder, name) for name in ("tls.key", "tls.crt", "tls.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain],
                   check=True, stderr=subprocess.DEVNULL)
    with open(both, "w") as pem:
        for part in (chain, key):
            with open(part) as file:
                pem.write(file.read())
    return {"certificate": chain, "private_key": key, "pem": both}
