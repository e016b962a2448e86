#!/bin/sh
# Everything that can be said without running the program. The same here and in CI.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
skip() { printf 'NOT CHECKED: %s\n' "$*"; }

step "format"
cargo fmt --all --check

step "clippy"
cargo clippy --workspace --all-targets --features failpoints --locked -- -D warnings

step "one TLS stack: neither ring nor OpenSSL in the tree"
for crate in ring openssl-sys; do
    if cargo tree --workspace --locked --edges normal,build -i "$crate" 2>/dev/null | grep -q .; then
        cargo tree --workspace --locked --edges normal,build -i "$crate"
        echo "$crate must not be in the tree" >&2
        exit 1
    fi
done
echo "neither"

step "licences, sources and doubles"
if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --locked check bans licenses sources
else
    skip "cargo-deny is not installed (cargo install --locked cargo-deny)"
fi

step "shell scripts"
if command -v shellcheck >/dev/null 2>&1; then
    # older ones take what a trap calls for code nobody reaches
    shellcheck --exclude=SC2317 scripts/*.sh scripts/bench/*.sh .ci/run
else
    for script in scripts/*.sh scripts/bench/*.sh .ci/run; do sh -n "$script"; done
    skip "shellcheck is not installed; the scripts were only parsed"
fi

step "browser modules"
if command -v node >/dev/null 2>&1; then
    for module in */assets/*.js; do
        # From standard input, because an older node parses a named .js file as CommonJS, and leniently.
        node --input-type=module --check <"$module" || { echo "$module" >&2; exit 1; }
    done
else
    skip "node is not installed; nothing parsed the JavaScript"
fi

step "compose.yaml"
scripts/check-compose.sh
