#!/usr/bin/env python3
"""Runs scim2-tester (PyPI) against a SCIM base URL and prints its verdicts as JSON.

Usage: check.py BASE_URL TOKEN
Prints {"resource/check#n": "success", ...}, in the order of the checks.
"""
import json
import logging
import sys

import httpx2
import scim2_tester
from scim2_client.engines.httpx2 import SyncSCIMClient

logging.disable(logging.CRITICAL)


def main():
    base_url, token = sys.argv[1:]
    http = httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    verdicts, seen = {}, {}
    for result in scim2_tester.check_server(SyncSCIMClient(http)):
        name = f"{result.resource_type or '-'}/{result.title}"
        seen[name] = seen.get(name, 0) + 1
        verdicts[f"{name}#{seen[name]}"] = result.status.name.lower()
    json.dump(verdicts, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
