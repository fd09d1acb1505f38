#!/bin/sh
# Measures the release binary on SQLite and PostgreSQL, beside the limits of this machine and cfssl.
#
#   scripts/bench.sh [ARGUMENT…]
#
# Without arguments the table in docs/performance.md is written anew. With arguments the report is printed only:
# --quick for a short run, --engine sqlite|postgres for one engine, --help for the rest. With `searches` as the first
# argument, searches among ten million orders are measured instead, with `contacts` only the LogicBoxes dialect, with
# `silence` only what silent name servers take from others. Installs PostgreSQL and cfssl where they are missing (Debian packages; as root or with sudo).
set -eu
cd "$(dirname "$0")/.."

has() {
    command -v "$1" >/dev/null 2>&1
}

missing=
has cfssl || missing="$missing golang-cfssl"
has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
if [ -n "$missing" ]; then
    has apt-get || { echo "bench: please install:$missing" >&2; exit 1; }
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing >/dev/null
fi

# /tmp is memory on some systems, and a durable commit to memory measures nothing.
TMPDIR=${TMPDIR:-/var/tmp}
export TMPDIR

${CARGO:-cargo} build --release -p chancery -p chancery-bench
bench=${CARGO_TARGET_DIR:-target}/release/chancery-bench
if [ $# -eq 0 ]; then
    set -- --report docs/performance.md
fi
exec scripts/with-postgres.sh "$bench" "$@"
