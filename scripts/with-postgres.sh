#!/bin/sh
# Runs a command beside a throw-away PostgreSQL cluster and removes it afterwards.
#
#   scripts/with-postgres.sh [--fast] COMMAND [ARGUMENT…]
#
# The command finds the cluster in TEST_POSTGRES, the URL of a superuser, and the certificate to trust for
# TLS in the file TEST_POSTGRES_ROOT. --fast gives up durability: right for tests, wrong for measurements.
# The exit code is the command's.
set -eu

fail() {
    echo "with-postgres: $*" >&2
    exit 1
}

durability=on
if [ "${1:-}" = --fast ]; then
    durability=off
    shift
fi
[ $# -gt 0 ] || fail "usage: scripts/with-postgres.sh [--fast] COMMAND [ARGUMENT…]"

# Debian keeps the server's programs out of PATH, one folder for each version; the newest will do.
bin=
for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) $(echo "$PATH" | tr : ' '); do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then
        bin=$folder
        break
    fi
done
[ -n "$bin" ] || fail "PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin (on Debian: apt-get install postgresql)"

command -v openssl >/dev/null || fail "openssl is not installed (on Debian: apt-get install openssl)"

# PostgreSQL refuses to run as root.
as_owner() {
    "$@"
}
owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
    owner=postgres
    id "$owner" >/dev/null 2>&1 || useradd --system --no-create-home "$owner" || fail "cannot create the user $owner"
    as_owner() {
        runuser -u "$owner" -- "$@"
    }
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/chancery-postgres.XXXXXX")
started=

stop() {
    code=$?
    trap - EXIT INT TERM HUP
    if [ -n "$started" ]; then
        (cd / && as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1) || true
    fi
    rm -rf "$folder"
    exit "$code"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$(id -u)" = 0 ]; then
    chown "$owner" "$folder"
fi

(cd / && as_owner "$bin/initdb" -D "$folder/data" -U chancery --auth=trust --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1) ||
    { cat "$folder/initdb.log" >&2; fail "initdb failed"; }

(cd / && as_owner openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1,DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -keyout "$folder/data/server.key" -out "$folder/data/server.crt" >"$folder/openssl.log" 2>&1) ||
    { cat "$folder/openssl.log" >&2; fail "openssl could not make a certificate"; }

cat >>"$folder/data/postgresql.conf" <<EOF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
fsync = $durability
synchronous_commit = $durability
full_page_writes = $durability
ssl = on
EOF

# A port that is free now may be taken a moment later, so a few are tried.
attempt=0
while :; do
    attempt=$((attempt + 1))
    port=$((20000 + ($$ * 7 + attempt * 1009 + $(date +%N | sed 's/^0*//;s/^$/0/') / 1000) % 12000))
    if (cd / && as_owner "$bin/pg_ctl" -D "$folder/data" -o "-p $port" -l "$folder/server.log" -w start >/dev/null 2>&1); then
        started=yes
        break
    fi
    [ "$attempt" -lt 10 ] || { cat "$folder/server.log" >&2; fail "PostgreSQL did not start"; }
done

TEST_POSTGRES="postgres://chancery@127.0.0.1:$port/postgres"
TEST_POSTGRES_ROOT="$folder/data/server.crt"
export TEST_POSTGRES TEST_POSTGRES_ROOT
"$@"
