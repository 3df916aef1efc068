"""The page `docs/conformance.md` and the figures `conformance/results.json`, made of one run."""
import os
import platform
import subprocess

import cells
import verdict

MODES = {"direct": "direct", "default": "shim, default", "chosen": "shim, chosen"}


def first_line(*cmd):
    try:
        done = subprocess.run(cmd, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "not found"
    return (done.stdout or done.stderr).strip().splitlines()[0]


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.machine()


def machine(binary):
    return {"shim": first_line(binary, "--version"), "python": platform.python_version(), "node": first_line("node", "--version"),
            "system": f"{platform.system()} {platform.machine()}", "processor": processor(), "cores": os.cpu_count()}


def figures(results, rest, causes, facts):
    """The recorded figures, which a later run is compared with."""
    out = {"made_by": "conformance/run --record", "machine": facts, "cells": {}, "remaining": [], "causes": {}}
    for server in cells.SERVERS:
        for suite in cells.SUITES:
            for mode in cells.MODES:
                result = results[server, suite, mode]
                keep = {k: result[k] for k in ("passed", "total", "cases_passed", "cases_total") if k in result}
                out["cells"].setdefault(server, {}).setdefault(suite, {})[mode] = keep
    for server, suite, check, rule in rest:
        # Not what was answered: it holds ids that are new in each run.
        out["remaining"].append({"server": server, "suite": suite, "check": check["id"], "cause": rule.cause if rule else None})
    table, _ = verdict.by_cause(rest, causes)
    out["causes"] = {name: row for name, row in table.items() if row["checks"]}
    return out


def share(passed, total):
    return f"{passed}/{total}" if total else "-"


def page(results, rest, causes, facts, repeats, unequal):
    fixed, free = cells.FIXED, [s for s in cells.SUITES if s not in cells.FIXED]
    lines = ["# Conformance: outside suites, without and with the shim", "",
             "Five SCIM servers that others wrote and two legacy stand-ins of ours, asked by eight suites: directly, through the shim",
             "with default settings, and through the shim with the settings that a team would choose for that server",
             "([conformance/settings](../conformance/settings)). Made by `conformance/run --record`; [conformance](../conformance) says how,",
             "and what the servers and suites are. Every figure is a count of checks that passed.", ""]
    lines += ["## The sum", "", "A flow is a whole story (create, read, disable, read); it passes when all its checks do.", "",
              "| | checks | flows |", "|---|--:|--:|"]
    for mode, name in MODES.items():
        passed, total, flows, all_flows = verdict.sums(results, mode, fixed)
        lines.append(f"| {name} | {passed} of {total} | {flows} of {all_flows} |")
    gone = {mode: [one for one in verdict.lost(results) if one[2] == mode] for mode in cells.MODES[1:]}
    lines += ["", "Over the suites whose number of checks is the same on every server. Checks of any suite that pass directly and fail",
              f"through the shim: **{len(gone['chosen'])}** with the chosen settings, **{len(gone['default'])}** with default settings. The command fails on one",
              "that [conformance/causes.toml](../conformance/causes.toml) does not name as unavoidable.", ""]
    for one in [one for lost in gone.values() for one in lost]:
        rule = causes.why_lost(*one)
        lines.append(f"- {' '.join(one)}: {rule.reason if rule else 'a bug'}")
    lines += [""] if any(gone.values()) else []
    lines += ["## Every server and suite", "",
              "`direct / default / chosen`. The last three suites decide for themselves how many checks they make, so there only what passed",
              "is comparable.", "",
              "| server | " + " | ".join(fixed) + " | checks | flows |", "|---|" + "--:|" * (len(fixed) + 2)]
    for server in cells.SERVERS:
        row = [" / ".join(str(results[server, suite, mode]["passed"]) for mode in cells.MODES)
               + f" of {results[server, suite, 'direct']['total']}" for suite in fixed]
        total = [verdict.sums(results, mode, fixed, [server]) for mode in cells.MODES]
        row.append(" / ".join(str(one[0]) for one in total) + f" of {total[0][1]}")
        row.append(" / ".join(str(one[2]) for one in total) + f" of {total[0][3]}")
        lines.append(f"| {server} | " + " | ".join(row) + " |")
    lines += ["", "| server | " + " | ".join(free) + " |", "|---|" + "--:|" * len(free)]
    for server in cells.SERVERS:
        row = [" / ".join(share(*(results[server, suite, mode][k] for k in ("passed", "total"))) for mode in cells.MODES) for suite in free]
        lines.append(f"| {server} | " + " | ".join(row) + " |")
    lines += why(rest, causes)
    lines += ["", "## How it was measured", "",
              "| | |", "|---|---|", f"| shim | {facts['shim']} |"]
    lines += [f"| {name} | {server['kind']}: {server['source']} |" for name, server in cells.SERVERS.items()]
    lines += [f"| {name} | {suite['what']} |" for name, suite in cells.SUITES.items()]
    lines += [f"| machine | {facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}, Node {facts['node']} |", "",
              "Every cell has a fresh, empty server and a fresh shim on loopback."]
    if repeats > 1:
        lines.append(f"The whole was run {repeats} times; " + ("all runs agreed in every check." if not unequal else
                     f"{len(unequal)} checks did not have the same result each time:"))
        lines += [""] + [f"- {one}" for one in unequal] if unequal else []
    return "\n".join(lines) + "\n"


def why(rest, causes):
    """The section on what remains."""
    table, flows = verdict.by_cause(rest, causes)
    kinds = {"emulation": "needs emulation: requests made of other requests", "mapping": "needs attribute mapping",
             "repair": "could be repaired", "no": "cannot be lifted"}
    lines = ["", "## What still fails through the chosen settings, and why", "",
             f"{sum(row['checks'] for row in table.values())} checks of all eight suites, and {len(flows)} flows. *Flows* counts those in which a check fails",
             "for this cause; *alone*, those in which none fails for another, so that lifting this cause lifts the flow. Each rule with",
             "its reason stands in [conformance/causes.toml](../conformance/causes.toml).", "",
             "| cause | kind | checks | flows | alone |", "|---|---|--:|--:|--:|"]
    for name, row in sorted(table.items(), key=lambda item: (list(kinds).index(causes.causes[item[0]]["kind"]), -item[1]["checks"])):
        if row["checks"]:
            cause = causes.causes[name]
            lines.append(f"| {cause['title']} | {kinds[cause['kind']]} | {row['checks']} | {row['flows']} | {row['alone']} |")
    together = [wanted for wanted in flows.values()
                if None not in wanted and all(causes.causes[name]["kind"] == "emulation" for name in wanted)]
    lines += ["", f"All emulations together would lift {len(together)} flows.", ""]
    for name, cause in causes.causes.items():
        if not table[name]["checks"]:
            continue
        lines += [f"### {cause['title']}", "", cause.get("about", "").strip(), "", "| server | suite | checks | reason |", "|---|---|--:|---|"]
        rows = {}
        for server, suite, _, rule in rest:
            if rule and rule.cause == name:
                key = server, suite, rule.reason
                rows[key] = rows.get(key, 0) + 1
        lines += [f"| {server} | {suite} | {count} | {reason} |" for (server, suite, reason), count in rows.items()]
        lines.append("")
    unknown = [(server, suite, check["id"]) for server, suite, check, rule in rest if rule is None]
    if unknown:
        lines += ["### Not classified", ""] + [f"- {' '.join(one)}" for one in unknown]
    return lines
