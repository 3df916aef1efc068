#!/usr/bin/env python3
"""Reads dashboards into Grafana's own types and writes them again: what is lost is a key that Grafana does not know.

Usage: monitoring.py DASHBOARD.json...
"""
import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before, after, path):
    """What is in the one and not, or not so, in the other."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: dropped"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after)):
            yield from lost(left, right, f"{path}[{index}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield f"{path}: {before!r} became {after!r}"


def main():
    problems = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            before = json.load(file)
        after = json.loads(JSONEncoder().encode(Dashboard.from_json(before)))
        problems += lost(before, after, name)
    print("\n".join(problems))
    return bool(problems) or len(sys.argv) < 2


if __name__ == "__main__":
    sys.exit(main())
