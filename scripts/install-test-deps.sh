#!/bin/sh
# Installs what the tests need beyond the Rust toolchain, where it is missing: PostgreSQL's server, OpenSSL's and
# curl's programs, Java's keytool (Debian packages; as root or with sudo), and in .venv what
# scripts/python-requirements.txt lists. Done once; then it takes no time.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "install-test-deps: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

has_postgres() {
    has initdb && has pg_ctl || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

# Debian's python3 can be there without what makes virtual environments.
has_venv() {
    has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null
}

missing=
has cc || missing="$missing gcc libc6-dev"
has curl || missing="$missing curl"
has openssl || missing="$missing openssl"
has keytool || missing="$missing default-jre-headless"
has_postgres && has pg_dump || missing="$missing postgresql"
has_venv || missing="$missing python3 python3-venv"

if [ -n "$missing" ]; then
    has apt-get || fail "please install:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        has sudo || fail "please install as root:$missing"
        as_root=sudo
    fi
    echo "installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing >/dev/null
fi

wanted=$(sha256sum scripts/python-requirements.txt | cut -c 1-16)
if [ ! -e ".venv/installed-$wanted" ]; then
    echo "installing scripts/python-requirements.txt in .venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install -q --disable-pip-version-check -r scripts/python-requirements.txt
    touch ".venv/installed-$wanted"
fi
