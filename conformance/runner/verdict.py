"""What a set of results says: what is lost, what remains and why, what fell below the recorded figures."""
from collections import defaultdict

import cells


def lost(results):
    """Checks that pass directly and do not pass through the shim -> [(server, suite, mode, check)]. A suite that makes
    fewer checks than before has lost those that it no longer makes."""
    found = []
    for (server, suite, mode), result in sorted(results.items()):
        direct = results.get((server, suite, "direct"))
        if mode != "direct" and direct:
            found += [(server, suite, mode, check) for check in sorted(cells.passing(direct) - cells.passing(result))]
    return found


def remaining(results, causes, mode="chosen"):
    """Failed checks through the shim -> [(server, suite, check, rule or None)], in the order of the suites."""
    found = []
    for server in cells.SERVERS:
        for suite in cells.SUITES:
            result = results.get((server, suite, mode))
            for check in cells.failing(result) if result else []:
                found.append((server, suite, check, causes.of(server, suite, check)))
    return found


def by_cause(rest, causes):
    """-> {cause: {"checks", "flows", "alone"}}: failed checks; flows in which at least one fails for it; flows in which all
    do, so that lifting this cause alone would lift the flow."""
    table = {name: {"checks": 0, "flows": 0, "alone": 0} for name in causes.causes}
    flows = defaultdict(set)
    for server, suite, check, rule in rest:
        if rule:
            table[rule.cause]["checks"] += 1
        if suite in cells.FIXED:
            flows[server, suite, check["id"].split("/")[0]].add(rule.cause if rule else None)
    for wanted in flows.values():
        for name in wanted - {None}:
            table[name]["flows"] += 1
            table[name]["alone"] += len(wanted) == 1
    return table, flows


def sums(results, mode, suites, servers=None):
    """-> (passed, total, flows passed, flows), over the cells that ran in this mode."""
    total = [0, 0, 0, 0]
    for (server, suite, how), result in results.items():
        if how == mode and suite in suites and (servers is None or server in servers):
            for index, key in enumerate(("passed", "total", "cases_passed", "cases_total")):
                total[index] += result.get(key, 0)
    return tuple(total)


def fallen(results, recorded):
    """What is worse than the recorded figures -> lines."""
    lines = []
    for (server, suite, mode), result in sorted(results.items()):
        was = recorded["cells"].get(server, {}).get(suite, {}).get(mode)
        if not was or mode == "direct":
            continue
        for key, name in (("passed", "checks"), ("cases_passed", "flows")):
            if result.get(key, 0) < was.get(key, 0):
                lines.append(f"{server} {suite} {mode}: {result.get(key, 0)} {name}, recorded {was[key]}")
    return lines


def differences(first, second):
    """Checks whose result is not the same in two runs -> lines."""
    lines = []
    for cell in sorted(set(first) & set(second)):
        one, two = ({check["id"]: check["ok"] for check in run[cell]["checks"]} for run in (first, second))
        other = sorted(check for check in {**one, **two} if one.get(check) != two.get(check))
        lines += [f"{' '.join(cell)}: {check}" for check in other]
    return lines
