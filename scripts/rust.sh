# Sets CARGO, for scripts that read this file; ends them with a sentence where there is no Rust toolchain. A shell that
# was open while rustup installed it does not have it in its PATH yet.
if [ -z "${CARGO:-}" ]; then
    if ! command -v cargo >/dev/null 2>&1; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    CARGO=cargo
fi
# A cargo that is rustup's own is there without a toolchain, too.
"$CARGO" --version >/dev/null 2>&1 || {
    echo "the Rust toolchain is missing: https://www.rust-lang.org/tools/install has it" >&2
    exit 1
}
export CARGO
