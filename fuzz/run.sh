#!/bin/sh
# Fuzzes all targets in turn, for SECONDS altogether (300 unless told), from the committed seeds: run.sh [SECONDS [TARGET...]].
# Needs cargo-fuzz. Fails at the first finding, which lands in fuzz/artifacts.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-300}
[ $# = 0 ] || shift
# Lets a stable compiler take the flags that cargo-fuzz passes.
export RUSTC_BOOTSTRAP=1
[ $# -gt 0 ] || set -- $(cargo fuzz list)
# Keeps freed memory back to catch late uses of it, but not so much that the limit means nothing.
export ASAN_OPTIONS=quarantine_size_mb=16
cargo fuzz build
for target in "$@"; do
    # libFuzzer adds what it finds to the first folder that it is given.
    found=target/fuzz-corpus/$target
    mkdir -p "$found"
    seeds=fuzz/corpus/$target
    [ -d "$seeds" ] || seeds=fuzz/corpus/elf_open
    echo "=== $target ==="
    cargo fuzz run "$target" "$found" "$seeds" -- -max_total_time=$((seconds / $# + 1)) -timeout=5 \
        -rss_limit_mb=512 -malloc_limit_mb=512 -print_final_stats=1 -verbosity=0
done
