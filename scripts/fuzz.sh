#!/bin/sh
# Runs each fuzzer for FUZZ_SECONDS (60), or only those named:
#
#   scripts/fuzz.sh [TARGET…]
#
# The flags are those of cargo-fuzz, so nothing has to be installed but a C++ compiler. New inputs are kept in
# fuzz/corpus/, and what breaks a target in fuzz/artifacts/: a good seed for fuzz/seeds/, once mended.
set -eu
cd "$(dirname "$0")/.."

command -v c++ >/dev/null 2>&1 || {
    echo "fuzz: a C++ compiler is needed (on Debian: apt-get install g++)" >&2
    exit 1
}

seconds=${FUZZ_SECONDS:-60}
[ $# -gt 0 ] || set -- csr forms json_bodies names private_keys
platform=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"

# The sanitizer is an unstable option; the toolchain has it all the same.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="$coverage --cfg fuzzing -Zsanitizer=address -Cdebug-assertions"
export CARGO_TARGET_DIR="${FUZZ_TARGET_DIR:-fuzz/target}"
cargo build --release --target "$platform" -p chancery-fuzz --features libfuzzer --bins

# SQLite defines a table twice on purpose.
export ASAN_OPTIONS="detect_odr_violation=0:${ASAN_OPTIONS:-}"

for target in "$@"; do
    echo "== $target, $seconds s"
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    "$CARGO_TARGET_DIR/$platform/release/$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
        -artifact_prefix="fuzz/artifacts/$target/" "fuzz/corpus/$target" "fuzz/seeds/$target"
done
