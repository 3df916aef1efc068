#!/bin/sh
# Engine-only anchors: JSON libraries on the five bench bodies, one core.
# Builds three variants: plain x86-64, x86-64-v3 (AVX2), plain with mimalloc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${BENCH_WORK:-$HOME/.cache/scimshim-bench}
mkdir -p "$work"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here" python3 -c "import sys; from sidebyside import bodies; bodies.write(sys.argv[1])" "$work/bodies"
m="$here/anchors/Cargo.toml"
CARGO_TARGET_DIR="$work/target" cargo build --release --quiet --manifest-path "$m"
CARGO_TARGET_DIR="$work/target-v3" RUSTFLAGS="-C target-cpu=x86-64-v3" cargo build --release --quiet --manifest-path "$m"
CARGO_TARGET_DIR="$work/target-mi" cargo build --release --quiet --features mimalloc --manifest-path "$m"
for t in target target-v3 target-mi; do
  echo; echo "### $t"; echo
  taskset -c 0 "$work/$t/release/anchors" "$work/bodies" "${1:-0.1}"
done
