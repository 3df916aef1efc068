"""Runs SCIM servers and suites that others wrote: directly, through the shim with default settings, and through the shim
with the settings chosen for that server. Fails if a check that passes directly fails through the shim."""
import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import causes as causes_of  # noqa: E402
import cells  # noqa: E402
import children  # noqa: E402
import report  # noqa: E402
import verdict  # noqa: E402

ROOT = os.path.dirname(cells.HERE)
RESULTS, PAGE = os.path.join(cells.HERE, "results.json"), os.path.join(ROOT, "docs", "conformance.md")
# For CI: the suites with fixed totals, which take a second each; the others take up to half a minute.
SHORT = {"servers": list(cells.SERVERS), "suites": cells.FIXED, "modes": list(cells.MODES)}
EXAMPLES = """
examples:
  conformance/run                                        every suite, every server, three ways; figures and what remains
  conformance/run --shim target/debug/scimshim --short   what CI runs: the five suites with fixed totals
  conformance/run --server polis --suite entra-flow --failures
  conformance/run --record --repeat 2                    writes docs/conformance.md and conformance/results.json
  conformance/run --serve legacy-a --port 8080           one server alone, until Ctrl-C

exit status: 0 all is well; 1 a check was lost (and causes.toml does not say why it must be), or fell below the recorded figures, or is not classified, or a rule of
causes.toml fits nothing, or two runs differ; 2 wrong usage, or something did not start; 130 stopped by Ctrl-C.
The packages go into CONFORMANCE_CACHE (default: scimshim-conformance in the user's cache folder). Only registries while
installing, only loopback afterwards."""


def arguments():
    ap = argparse.ArgumentParser(prog="conformance/run", description=__doc__, epilog=EXAMPLES,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--shim", metavar="FILE", default=os.environ.get("SCIMSHIM_BIN"),
                    help="the scimshim to test (or SCIMSHIM_BIN); without it a release build is made")
    ap.add_argument("--server", metavar="NAMES", help="comma separated; default: all")
    ap.add_argument("--suite", metavar="NAMES", help="comma separated; default: all")
    ap.add_argument("--mode", metavar="MODES", help="of direct, default, chosen; default: all three")
    ap.add_argument("--short", action="store_true", help="the five suites with fixed totals, one to two minutes, compared with the recorded figures")
    ap.add_argument("--repeat", type=int, default=1, choices=range(1, 6), help="run everything so often, and name what differs")
    ap.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), choices=range(1, 65), metavar="N",
                    help="cells at a time (default: one for each core, 4 at most)")
    ap.add_argument("--record", action="store_true", help="write docs/conformance.md and conformance/results.json (whole runs only)")
    ap.add_argument("--out", metavar="DIR", help="folder for the full result of every cell, as JSON")
    ap.add_argument("--failures", action="store_true", help="print every check that failed, with what was answered")
    ap.add_argument("--list", action="store_true", help="name the servers and suites")
    ap.add_argument("--serve", metavar="NAME", help="start one server on --port and stay")
    ap.add_argument("--port", type=int, help="for --serve (default: a free one)")
    args = ap.parse_args()
    if args.short and (args.server or args.suite or args.mode or args.record):
        ap.error("--short is a selection of its own: leave out --server, --suite, --mode and --record")
    if args.record and (args.server or args.suite or args.mode):
        ap.error("--record needs a whole run: leave out --server, --suite and --mode")

    def chosen(text, known, what):
        names = list(known) if not text else [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                ap.error(f"no {what} {name!r}; there are {', '.join(known)}")
        return names

    args.servers = SHORT["servers"] if args.short else chosen(args.server, cells.SERVERS, "server")
    args.suites = SHORT["suites"] if args.short else chosen(args.suite, cells.SUITES, "suite")
    args.modes = SHORT["modes"] if args.short else chosen(args.mode, cells.MODES, "mode")
    args.whole = not (args.short or args.server or args.suite or args.mode)
    if args.serve and args.serve not in cells.SERVERS:
        ap.error(f"no server {args.serve!r}; there are {', '.join(cells.SERVERS)}")
    return args


def say(text=""):
    print(text, flush=True)


def listing():
    for name, server in cells.SERVERS.items():
        say(f"server {name:20} {server['kind']:12} {server['source']}; {server['what']}")
    for name, suite in cells.SUITES.items():
        say(f"suite  {name:20} {suite['idp']:12} {suite['what']}")


def serve(name, port):
    port = port or children.free_port()
    with cells.server(name, port) as server:
        say(f"http://127.0.0.1:{port}{cells.SERVERS[name]['base']}  token {cells.TOKEN}")
        server.child.wait()
        raise children.Failed(f"{name} ended:\n{server.last_words()}")


def shim_binary(given):
    """The binary; built as a release if none is named."""
    if not given:
        say("building scimshim (release); --shim FILE tests one that is there")
        if subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=False).returncode:
            raise children.Failed("cargo build --release failed")
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
        given = os.path.join(target, "release", "scimshim")
    if not os.access(given, os.X_OK):
        raise children.Failed(f"--shim: {given} is not a program")
    return os.path.abspath(given)


def check_settings(binary, servers):
    """Every file of settings must be one that `scimshim check` has nothing to say about."""
    for name in servers:
        done = subprocess.run([binary, "check", "--strict", cells.settings_of(name)], capture_output=True, text=True, check=False,
                              env={**os.environ, "APP": "http://127.0.0.1:8080"})
        if done.returncode:
            raise children.Failed(f"scimshim check {os.path.relpath(cells.settings_of(name), ROOT)}:\n{done.stdout}{done.stderr}")


def line(cell, result, number, of):
    server, suite, mode = cell
    flows = f"  flows {result['cases_passed']:2}/{result['cases_total']}" if "cases_total" in result else ""
    broken = "  THE SUITE BROKE" if result.get("broken") else ""
    say(f"[{number:3}/{of}] {server:13} {suite:19} {mode:8} {result['passed']:4}/{result['total']:<4} {result['seconds']:5.1f} s{flows}{broken}")


def matrix(args, binary):
    """Runs every cell -> results by cell."""
    # Slow cells first, so that the last ones to end are short.
    wanted = [(server, suite, mode) for suite in reversed(args.suites) for server in args.servers for mode in args.modes]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(cells.run, cell, binary): cell for cell in wanted}
        try:
            for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                results[futures[future]] = future.result()
                line(futures[future], future.result(), number, len(wanted))
        except BaseException:
            children.stop_all()
            pool.shutdown(cancel_futures=True)
            raise
    return results


def keep(results, folder):
    os.makedirs(folder, exist_ok=True)
    for cell, result in results.items():
        with open(os.path.join(folder, ".".join(cell) + ".json"), "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)


def judge(args, results, causes, unequal):
    """Prints the verdict -> the list of what is wrong."""
    wrong = []
    say()
    for mode in args.modes:
        passed, total, flows, all_flows = verdict.sums(results, mode, cells.FIXED)
        rest, of, _, _ = verdict.sums(results, mode, [s for s in cells.SUITES if s not in cells.FIXED])
        say(f"{mode:8} {passed:5} of {total} checks and {flows:3} of {all_flows} flows; {rest} of {of} where the suite decides how many")
    for one in verdict.lost(results):
        rule = causes.why_lost(*one)
        if rule:
            say(f"lost, and cannot be otherwise: {' '.join(one)}: {rule.reason}")
        else:
            wrong.append("lost: " + " ".join(one))
    if "chosen" in args.modes:
        rest = verdict.remaining(results, causes)
        table, _ = verdict.by_cause(rest, causes)
        say("\nwhat still fails through the chosen settings (checks, flows with one, flows with nothing else):")
        for name, row in sorted(table.items(), key=lambda item: -item[1]["checks"]):
            if row["checks"]:
                say(f"  {causes.causes[name]['kind']:10} {name:24} {row['checks']:4} {row['flows']:4} {row['alone']:4}")
        wrong += [f"not classified in causes.toml: {server} {suite} {check['id']}: {check['detail']}"
                  for server, suite, check, rule in rest if rule is None]
        if args.whole:
            wrong += [f"causes.toml: {rule} fits nothing" for rule in causes.idle()]
    if not args.record and os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as f:
            wrong += ["below the recorded figures: " + one for one in verdict.fallen(results, json.load(f))]
    wrong += ["two runs differ: " + one for one in unequal]
    return wrong


def main():
    args = arguments()
    if args.list:
        return listing()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.serve:
        return serve(args.serve, args.port)
    with open(os.path.join(cells.HERE, "causes.toml"), encoding="utf-8") as f:
        causes = causes_of.Causes(f.read())
    binary = shim_binary(args.shim)
    if "chosen" in args.modes:
        check_settings(binary, args.servers)
    started, first, unequal = time.monotonic(), None, []
    for turn in range(args.repeat):
        if args.repeat > 1:
            say(f"run {turn + 1} of {args.repeat}")
        results = matrix(args, binary)
        if args.out:
            keep(results, args.out if turn == 0 else os.path.join(args.out, str(turn + 1)))
        if first is None:
            first = results
        else:
            unequal += verdict.differences(first, results)
    if args.failures:
        for cell, result in sorted(first.items()):
            for check in cells.failing(result):
                say(f"{' '.join(cell)} {check['id']}: {check['detail']}")
    wrong = judge(args, first, causes, unequal)
    if args.record:
        rest = verdict.remaining(first, causes)
        facts = report.machine(binary)
        with open(RESULTS, "w", encoding="utf-8") as f:
            json.dump(report.figures(first, rest, causes, facts), f, indent=1)
            f.write("\n")
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(report.page(first, rest, causes, facts, args.repeat, unequal))
        say("\nwritten: docs/conformance.md, conformance/results.json")
    say()
    for one in wrong:
        say(one)
    say(f"{'FAILED: ' + str(len(wrong)) + ' findings' if wrong else 'all is well'}, after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        children.stop_all()
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except children.Stopped:
        sys.exit(130)
    except (children.Failed, ValueError) as problem:
        children.stop_all()
        print(f"conformance/run: {problem}", file=sys.stderr)
        sys.exit(2)
