#!/bin/sh
# Builds a benchmark of a crate and becomes it, so that its exit code is the target's.
#   scripts/bench/of_crate.sh CRATE BENCH [WORD…]
set -eu
cd "$(dirname "$0")/../.."
crate=$1 bench=$2; shift 2
set_profile=''
[ "${PROFILE:-release}" = release ] || set_profile='--profile dev'
# shellcheck disable=SC2086 # two words, or none
built=$(cargo bench --locked --no-run $set_profile -p "$crate" --bench "$bench" 2>&1) || { echo "$built" >&2; exit 3; }
program=$(printf '%s\n' "$built" | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -x "$program" ] || { echo "$built" >&2; echo "bench: cargo names no program" >&2; exit 3; }
exec "$program" "$@"
