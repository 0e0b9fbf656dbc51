#!/bin/sh
# Fuzzes all targets in turn, for SECONDS altogether (default 300), from the committed seeds: run.sh [SECONDS [TARGET...]].
# Needs cargo-fuzz. Stops at the first finding, which lands in fuzz/artifacts.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-300}
[ $# = 0 ] || shift
# Lets a stable compiler accept the flags that cargo-fuzz passes.
export RUSTC_BOOTSTRAP=1
[ $# -gt 0 ] || set -- $(cargo fuzz list)
# Quarantines freed memory to catch use after free, but not so much that the limit becomes meaningless.
export ASAN_OPTIONS=quarantine_size_mb=16
cargo fuzz build
for target in "$@"; do
    # libFuzzer adds new inputs to the first folder it is given.
    found=target/fuzz-corpus/$target
    mkdir -p "$found"
    seeds=fuzz/corpus/$target
    [ -d "$seeds" ] || seeds=fuzz/corpus/elf_open
    echo "=== $target ==="
    cargo fuzz run "$target" "$found" "$seeds" -- -max_total_time=$((seconds / $# + 1)) -timeout=5 \
        -rss_limit_mb=512 -malloc_limit_mb=512 -print_final_stats=1 -verbosity=0
done
