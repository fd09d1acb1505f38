#!/bin/sh
# Installs what is needed beyond the Rust toolchain, where it is missing.
#
#   scripts/install-deps.sh run     to build and to follow the README: make, a C compiler, curl, OpenSSL's program
#   scripts/install-deps.sh test    for the tests also: PostgreSQL's server, pgbouncer, Java's keytool, Rust's formatter and lints,
#                                   and in .venv what scripts/python-requirements.txt lists
#
# Debian packages, as root or with sudo. Done once; then it takes no time. What cannot be installed is named in one
# sentence, with the exit code 1.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "install-deps: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# A compiler without the C library's headers compiles nothing.
has_c() {
    has cc && echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1
}

has_postgres() {
    has initdb && has pg_ctl || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

# Debian's python3 can be there without what makes virtual environments.
has_venv() {
    has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null
}

missing=
find_missing() {
    missing=
    has make || missing="$missing make"
    has_c || missing="$missing gcc libc6-dev"
    has curl || missing="$missing curl"
    has openssl || missing="$missing openssl"
    [ "$purpose" = test ] || return 0
    has keytool || missing="$missing default-jre-headless"
    has_postgres && has pg_dump || missing="$missing postgresql"
    has pgbouncer || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
    has_venv || missing="$missing python3 python3-venv"
}

# Says what the package manager said only if it fails.
quietly() {
    said=$("$@" 2>&1) || {
        echo "$said" >&2
        return 1
    }
}

install_packages() {
    has apt-get || fail "this is no Debian; please install what Debian calls:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        has sudo || fail "please install as root (there is no sudo): apt-get install$missing"
        as_root=sudo
    fi
    echo "installing:$missing"
    quietly $as_root apt-get -o DPkg::Lock::Timeout=300 update -qq ||
        fail "apt-get update failed, so this cannot be installed:$missing"
    # shellcheck disable=SC2086
    quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing || fail "apt-get could not install:$missing"
    find_missing
    [ -z "$missing" ] || fail "installed, and yet not found:$missing"
}

install_components() {
    components=
    "$CARGO" fmt --version >/dev/null 2>&1 || components="$components rustfmt"
    "$CARGO" clippy --version >/dev/null 2>&1 || components="$components clippy"
    [ -n "$components" ] || return 0
    has rustup || fail "please add to the Rust toolchain:$components"
    echo "installing:$components"
    # shellcheck disable=SC2086
    quietly rustup component add $components || fail "rustup could not install:$components"
}

install_python_packages() {
    wanted=$(sha256sum scripts/python-requirements.txt | cut -c 1-16)
    [ ! -e ".venv/installed-$wanted" ] || return 0
    echo "installing scripts/python-requirements.txt in .venv"
    rm -rf .venv
    quietly python3 -m venv .venv || fail "python3 could not make the virtual environment .venv"
    quietly .venv/bin/pip install -q --disable-pip-version-check -r scripts/python-requirements.txt ||
        fail "pip could not install what scripts/python-requirements.txt lists"
    touch ".venv/installed-$wanted"
}

purpose=${1:-}
case $purpose in
run | test) ;;
*) fail "usage: scripts/install-deps.sh run|test" ;;
esac
. scripts/rust.sh
find_missing
[ -z "$missing" ] || install_packages
if [ "$purpose" = test ]; then
    install_components
    install_python_packages
fi
