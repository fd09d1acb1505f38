#!/bin/sh
# Holds the source against its format and the lints, with warnings denied.
set -eu
cd "$(dirname "$0")/.."
. scripts/rust.sh
"$CARGO" fmt --all --check
"$CARGO" clippy --workspace --all-targets -- -D warnings
