"""The tables of a session, as Markdown."""
import statistics

from . import goals
from .session import RATES


def markdown(results, known, options):
    parts = [judged(results)] if "scimshim" in results else []
    workloads, plain = options.workloads, [name for name in results if results[name]["closed"]]
    median = lambda name, workload, key: statistics.median(run[key] for run in results[name]["closed"][workload])

    def half_range(name, workload, key):
        values = [run[key] for run in results[name]["closed"][workload]]
        return (max(values) - min(values)) / 2 / (statistics.median(values) or 1) * 100

    if plain:
        parts.append(table(f"CPU-µs per request, median of {options.rounds} (± half the range)", workloads, [
            [name, *(f"{median(name, w, 'cpu_us'):.1f} ±{half_range(name, w, 'cpu_us'):.0f} %" for w in workloads)] for name in plain]))
        for base in [base for base in ("floor", "nginx", "nginx-lua") if base in plain]:
            parts.append(table(f"CPU per request as a ratio to {base}: median of the rounds (lowest to highest)", workloads, [
                [name, *(spelt(goals.ratio(results, name, base, w)) for w in workloads)] for name in plain if name not in ("direct", base)]))
        parts.append(table(f"Requests/s, closed loop, {options.connections} connections", workloads, [
            [name, *(f"{median(name, w, 'rps'):.0f} ±{half_range(name, w, 'rps'):.0f} %" for w in workloads)] for name in plain]))
    parts += over_tls(results, options)
    parts += latency(results, plain, workloads)
    parts += memory(results, plain)
    parts += truth(results, known)
    return "\n".join(parts)


def judged(results):
    def verdict(figure, must, aim):
        return "aim reached" if figure <= aim else "must held" if figure <= must else "**missed**"

    return table("Goals", ["measured", "must", "aim", ""], [
        [what, f"{figure:.2f}", f"{must}", f"{aim}", verdict(figure, must, aim)] for what, figure, must, aim in goals.judge(results)], "goal")


def over_tls(results, options):
    names = [name for name in results if results[name]["tls"]]
    if not names:
        return []
    columns = list(results[names[0]]["tls"])
    median = lambda name, column, key: statistics.median(run[key] for run in results[name]["tls"][column])
    parts = [table(f"Over TLS: CPU-µs per request, median of {options.rounds}", columns, [
        [name, *(f"{median(name, column, 'cpu_us'):.1f}" for column in columns)] for name in names])]
    if "floor-tls" in names:
        parts.append(table("Over TLS: CPU per request as a ratio to floor-tls", columns, [
            [name, *(spelt(goals.ratio(results, name, "floor-tls", column, kind="tls")) for column in columns)] for name in names if name != "floor-tls"]))
    return parts


def latency(results, plain, workloads):
    parts = []
    if not any(results[name]["open"] for name in plain):
        return parts
    for kind, rates in RATES.items():
        for key, percentile in (("p50_us", "p50"), ("p99_us", "p99")):
            def cell(name, workload):
                values = [run[key] for run in results[name]["open"].get(kind, {}).get(workload, [])]
                if not values:
                    return "over capacity"
                middle = statistics.median(values)
                if name != "direct" and "direct" in results:
                    middle -= statistics.median(run[key] for run in results["direct"]["open"][kind][workload])
                return f"{middle:.0f} ±{(max(values) - min(values)) / 2:.0f}"

            parts.append(table(f"{percentile} at the {kind} rate, added to direct, µs (direct: its own)",
                               [f"{w} at {rates[w]}/s" for w in workloads], [[name, *(cell(name, w) for w in workloads)] for name in plain]))
    return parts


def memory(results, plain):
    if not all("memory_crowd" in results[name] for name in plain) or not plain:
        return []
    mib = lambda kilobytes: f"{kilobytes / 1024:.1f}"
    return [table("Memory, MiB, summed over the process tree",
                  ["resident after start", "anonymous after start", "peak with 32 connections", "peak with 1,000", "proportional with 1,000"],
                  [[name, mib(r["memory_start"]["VmRSS"]), mib(r["memory_start"]["RssAnon"]), mib(r["memory_busy"]["VmHWM"]),
                    mib(r["memory_crowd"]["VmHWM"]), mib(r["memory_crowd"]["Pss"])] for name, r in results.items() if name in plain])]


def truth(results, known):
    """Whether each did what it claims, and what failed."""
    runs = [run for result in results.values() for kind in ("closed", "tls") for each in result[kind].values() for run in each]
    lines = []
    if runs:
        foreign = [run["foreign"] for run in runs]
        lines.append(f"Others used {statistics.median(foreign):.1%} of the machine during these runs (median; the most was {max(foreign):.1%}).\n")
    lines.append("### Did it do the work?\n")
    for name, result in results.items():
        if "check" not in result:
            continue
        before = set(result["check"].values())
        under_load = {run["under_load"] for each in result["closed"].values() for run in each if "under_load" in run}
        all_runs = [run for each in result["closed"].values() for run in each]
        all_runs += [run for kinds in result["open"].values() for each in kinds.values() for run in each]
        lost = sum(run["bad"] + run["io_err"] for run in all_runs)
        void = known[name].rewrites and not (before | under_load) <= {"rewritten"}
        lines.append(f"- {name}: {'/'.join(sorted(before)) or '-'}; under load {'/'.join(sorted(under_load)) or '-'}; failed requests: {lost}"
                     + (" **claims to rewrite and did not: its figures for W2, W3, W5 and W6 are void**" if void else ""))
    return ["\n".join(lines) + "\n"]


def void(results, known):
    """Those that claim to rewrite and did not."""
    return [name for name, result in results.items() if known.get(name) and known[name].rewrites
            and set(result.get("check", {}).values()) - {"rewritten"}]


def spelt(found):
    return "{:.2f} ({:.2f}-{:.2f})".format(*found) if found else "-"


def table(title, columns, rows, first="proxy"):
    lines = [f"### {title}\n", f"| {first} | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"
