#!/usr/bin/env python3
"""Writes what of the chart is made from elsewhere; with --check says what is not fresh, and exits 1.

- scimshim/README.md: README.head.md, and a table of the comments in values.yaml.
- scimshim/values.schema.json: `config` is the schema that `scimshim schema` prints. The rest is written by hand.

SCIMSHIM_BIN names the binary; without it, target/debug/scimshim.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent / "scimshim"
BINARY = os.environ.get("SCIMSHIM_BIN", str(CHART.parents[1] / "target/debug/scimshim"))


def main():
    made = {
        CHART / "README.md": readme(),
        CHART / "values.schema.json": schema(),
    }
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(CHART.parent)} is not what charts/generate.py makes of its sources", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path])
    return 0


# The schema.


def schema():
    values = json.loads((CHART / "values.schema.json").read_text())
    config = json.loads(subprocess.run([BINARY, "schema"], check=True, capture_output=True, text=True).stdout)
    definitions = config.pop("$defs")
    del config["$schema"]
    values["properties"]["config"] = embedded(config)
    # The keyword of draft 7, which older Helm reads.
    values["definitions"] = {f"config.{name}": embedded(definition) for name, definition in definitions.items()}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def embedded(node):
    """The same node, for its place in the schema of the values."""
    if isinstance(node, list):
        return [embedded(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: embedded(value) for key, value in node.items()}
    if "$ref" in node:
        # Beside `$ref` draft 7 reads nothing, so a description there is only for people.
        node["$ref"] = node["$ref"].replace("#/$defs/", "#/definitions/config.")
    # YAML 1.1, which Helm reads, takes a bare `off` for false. The templates make it `off` again.
    choices = node.get("oneOf")
    if choices and any(choice.get("const") == "off" for choice in choices):
        choices.append({"const": False, "description": "`off` without quotes, as YAML 1.1 reads it"})
    # Formats of our own say nothing to a validator, and may be another's.
    if isinstance(node.get("format"), str):
        del node["format"]
    return node


# The README.


def readme():
    rows = ["| key | default | meaning |", "|---|---|---|"]
    rows += [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in documented()]
    return (CHART / "README.head.md").read_text().rstrip("\n") + "\n\n" + "\n".join(rows) + "\n"


def documented():
    """Key, default and meaning of every value, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    path, comment, documented_keys = [], None, []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped[5:]]
        elif stripped.startswith("#"):
            if comment is not None:
                comment.append(stripped[1:].strip())
        elif key := re.match(r"( *)([A-Za-z][A-Za-z0-9]*):(?: |$)", line):
            path[len(key[1]) // 2 :] = [key[2]]
            if comment is not None:
                documented_keys.append(".".join(path))
                yield ".".join(path), *said(comment, looked_up(values, path))
                comment = None
        else:
            comment = None
    for leaf in leaves(values):
        if not any(leaf == key or leaf.startswith(key + ".") for key in documented_keys):
            raise SystemExit(f"values.yaml: {leaf} has no comment that begins with `# --`")


def said(comment, value):
    meaning = " ".join(comment)
    default = [index for index, line in enumerate(comment) if line.startswith("@default ")]
    if default:
        meaning = " ".join(comment[: default[0]])
        shown = " ".join(comment[default[0] :]).removeprefix("@default ")
    else:
        shown = f"`{json.dumps(value, ensure_ascii=False)}`"
    return shown.replace("|", "\\|"), meaning.replace("|", "\\|")


def looked_up(values, path):
    for key in path:
        values = values[key]
    return values


def leaves(values, prefix=()):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*prefix, key))
        else:
            yield ".".join((*prefix, key))


if __name__ == "__main__":
    sys.exit(main())
