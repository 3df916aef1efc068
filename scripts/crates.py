"""What is compiled into scimshim, by cargo's own word: for the SBOM, for the licences and for their check.

Offline. `cargo metadata` knows of licences, sources and edges, but its features include what the tests ask for;
`cargo tree` knows exactly which packages a build without tests compiles. So the graph is that of the one, the packages
are those of the other.
"""

import dataclasses
import functools
import json
import pathlib
import re
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
# As the image is built, see the Dockerfile.
FEATURES = "otlp"
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


@dataclasses.dataclass(frozen=True)
class Crate:
    name: str
    version: str
    licence: str | None
    source: str | None
    repository: str | None
    description: str | None
    authors: tuple[str, ...]
    folder: pathlib.Path
    checksum: str | None

    @property
    def key(self):
        return self.name, self.version

    @property
    def purl(self):
        return f"pkg:cargo/{self.name}@{self.version.replace('+', '%2B')}"

    def __str__(self):
        return f"{self.name} {self.version}"


@dataclasses.dataclass(frozen=True)
class Graph:
    root: Crate
    crates: dict[tuple[str, str], Crate]
    # Of these a part is in the binary.
    linked: frozenset[tuple[str, str]]
    # Of each crate, what it is built from.
    edges: dict[tuple[str, str], tuple[tuple[str, str], ...]]


@functools.cache
def graph(target, manifest=ROOT / "Cargo.toml"):
    """What a build of the image for `target` compiles, without what only tests need."""
    described, edges, root = metadata(manifest, target)
    compiled = tree(manifest, target, "normal,build")
    linked = tree(manifest, target, "normal,no-proc-macro")
    return Graph(
        root=described[root],
        crates={key: described[key] for key in sorted(compiled)},
        linked=frozenset(linked),
        edges={key: tuple(sorted(to for to in edges[key] if to in compiled)) for key in sorted(compiled)},
    )


def everything(manifest=ROOT / "Cargo.toml"):
    """Each crate of Cargo.lock that any build for our targets may touch, tests included."""
    crates = {}
    for target in TARGETS:
        crates |= metadata(manifest, target, "--all-features")[0]
    return [crates[key] for key in sorted(crates)]


def metadata(manifest, target, *features):
    said = cargo("metadata", manifest, "--format-version", "1", "--filter-platform", target, *(features or ["--features", FEATURES]))
    packages = {package["id"]: package for package in said["packages"]}
    checksums = lock(manifest)
    keys = {id: (package["name"], package["version"]) for id, package in packages.items()}
    nodes = said["resolve"]["nodes"]
    used = {node["id"] for node in nodes}
    described = {keys[id]: crate(package, checksums) for id, package in packages.items() if id in used}
    edges = {
        keys[node["id"]]: [
            keys[to["pkg"]] for to in node["deps"] if any(kind["kind"] in (None, "build") for kind in to["dep_kinds"])
        ]
        for node in nodes
    }
    return described, edges, keys[said["resolve"]["root"]]


def crate(package, checksums):
    return Crate(
        name=package["name"],
        version=package["version"],
        licence=expression(package["license"]),
        source=package["source"],
        repository=package["repository"],
        description=package["description"],
        authors=tuple(package["authors"]),
        folder=pathlib.Path(package["manifest_path"]).parent,
        checksum=checksums.get((package["name"], package["version"])),
    )


def expression(licence):
    """SPDX; before 2018 cargo took a slash for OR."""
    return licence and re.sub(r"\s*/\s*", " OR ", licence)


def lock(manifest):
    packages = tomllib.loads((pathlib.Path(manifest).parent / "Cargo.lock").read_text())["package"]
    return {(package["name"], package["version"]): package.get("checksum") for package in packages}


def tree(manifest, target, edges):
    lines = ["tree", "--edges", edges, "--features", FEATURES, "--target", target, "--prefix", "none", "--format", "{p}"]
    return {
        (found[1], found[2])
        for found in map(re.compile(r"(\S+) v(\S+)").match, run(*lines, "--manifest-path", manifest).splitlines())
        if found
    }


def cargo(command, manifest, *arguments):
    return json.loads(run(command, "--manifest-path", manifest, *arguments))


def run(command, *arguments):
    line = ["cargo", command, "--locked", "--offline", *map(str, arguments)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(line)}:\n{done.stderr.strip()}\n(`cargo fetch --locked` gets what is missing.)")
    return done.stdout


def parse(licence):
    """An SPDX expression as nested lists: an id, `["AND", left, right]` or `["OR", left, right]`. WITH stays in the id."""
    words = re.findall(r"[()]|[^\s()]+", licence)

    def either():
        left = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            left = ["OR", left, both()]
        return left

    def both():
        left = one()
        while words[:1] == ["AND"]:
            words.pop(0)
            left = ["AND", left, one()]
        return left

    def one():
        word = words.pop(0) if words else ")"
        if word == "(":
            inner = either()
            if words[:1] != [")"]:
                raise ValueError(f"{licence!r}: a parenthesis is not closed")
            words.pop(0)
            return inner
        if word in (")", "AND", "OR", "WITH"):
            raise ValueError(f"{licence!r}: expected a licence before {word!r}")
        if words[:1] == ["WITH"] and len(words) > 1:
            word = f"{word} WITH {words[1]}"
            del words[:2]
        return word

    parsed = either()
    if words:
        raise ValueError(f"{licence!r}: expected AND or OR before {words[0]!r}")
    return parsed


def choose(licence, wanted):
    """The ids that are taken, as few and as early in `wanted` as the expression lets; None where it lets none."""

    def taken(node):
        if isinstance(node, str):
            return [node] if node in wanted else None
        left, right = taken(node[1]), taken(node[2])
        if node[0] == "AND":
            return None if left is None or right is None else left + [id for id in right if id not in left]
        offers = [offer for offer in (left, right) if offer is not None]
        return min(offers, key=lambda ids: (len(ids), [wanted.index(id) for id in ids]), default=None)

    return taken(parse(licence))
