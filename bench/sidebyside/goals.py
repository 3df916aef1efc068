"""What scimshim has to reach, as ratios within one session. `must` holds for a release; `aim` is worth work.

Why these numbers: what scimshim adds to a plain hyper proxy besides JSON is a look at the tenant, a limiter, an address
and some counters, each well below a microsecond; a byte relay shows that two thirds of the plain proxy are the kernel. A
list is read and checked once (about as much again as sending it), a group of a thousand members likewise.
"""
import statistics

# (what, proxy, to whom, workload, must, aim)
CPU = [
    ("one user passed through", "scimshim", "floor", "W1", 1.30, 1.15),
    ("dirty PATCH", "scimshim", "floor", "W2", 1.35, 1.20),
    ("dirty PATCH", "scimshim", "nginx-lua", "W2", 0.80, 0.70),
    ("full user", "scimshim", "floor", "W3", 1.45, 1.20),
    ("full user", "scimshim", "nginx-lua", "W3", 0.50, 0.42),
    ("list of 100, streamed", "scimshim-off", "floor", "W4", 1.15, 1.05),
    ("list of 100, repaired", "scimshim", "floor", "W4", 3.0, 2.2),
    ("group of 1,000 members", "scimshim", "floor", "W5", 3.0, 2.2),
    ("group of 1,000 members", "scimshim", "nginx-lua", "W5", 0.20, 0.11),
    ("mixed cycle", "scimshim", "floor", "W6", 1.30, 1.15),
]


def ratio(results, name, base, workload, key="cpu_us", kind="closed"):
    """Median over the rounds of `name` divided by `base` in the same round; with the lowest and the highest."""
    pairs = zip(results[name][kind].get(workload, []), results[base][kind].get(workload, []))
    values = [mine[key] / theirs[key] for mine, theirs in pairs if theirs[key]]
    return (statistics.median(values), min(values), max(values)) if values else None


def judge(results):
    """Each goal that these results can judge: what, the figure, must, aim."""
    rows = []
    for what, name, base, workload, must, aim in CPU:
        if name in results and base in results and (found := ratio(results, name, base, workload)):
            rows.append((f"{what}: CPU of {base} ({workload})", found[0], must, aim))
    shim, floor = results.get("scimshim"), results.get("floor")
    if not shim:
        return rows
    rows.append(("resident after start, MiB", shim["memory_start"]["VmRSS"] / 1024, 15, 8))
    if floor and "memory_crowd" in shim and "memory_crowd" in floor:
        peak = shim["memory_crowd"]["VmHWM"] / floor["memory_crowd"]["VmHWM"]
        rows.append(("peak with 1,000 connections, of the floor's", peak, 1.3, 0.6))
    if floor and "direct" in results and "W2" in shim["open"].get("busy", {}):
        median = lambda name: statistics.median(run["p50_us"] for run in results[name]["open"]["busy"]["W2"])
        direct = median("direct")
        rows.append(("p50 added at the busy rate, of the floor's (W2)", (median("scimshim") - direct) / (median("floor") - direct), 1.25, 1.10))
    runs = [run for kind in ("closed", "tls") for runs in shim[kind].values() for run in runs]
    runs += [run for kinds in shim["open"].values() for runs in kinds.values() for run in runs]
    runs += [shim["crowd"]] if "crowd" in shim else []
    rows.append(("failed requests under every load", sum(run["bad"] + run["io_err"] for run in runs), 0, 0))
    return rows
