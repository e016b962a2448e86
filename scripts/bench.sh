#!/bin/sh
# What the line can do on this machine: every target prints its figures, each with a baseline measured in
# the same run and the ratio to it, and says whether the bound is reached. Loopback only, a stack of its own,
# nothing is left running. Results also as JSON in target/bench/.
#   scripts/bench.sh                  all of them but `evening`
#   scripts/bench.sh streams crowd    some of them
# One target is one file, scripts/bench/TARGET.sh: it exits with 0 when every bound is reached, with 1 when one
# is missed, and with anything else when it could not measure.
set -eu
cd "$(dirname "$0")/.."
all='streams crowd commands line joins gone flush purchases'

usage() {
    cat <<USAGE
scripts/bench.sh [TARGET…]: figures of this machine, each beside a baseline of the same run.

  streams    10,000 live streams on one process, beside nginx with nchan: memory, CPU, time
  crowd      100,000 fans with open streams and moving positions: from the call to being told
  commands   Redis commands a second with 100 and with 100,000 fans waiting
  line       joins, releases and the pulse with a million places in the line
  joins      joins over HTTP, beside a route that says hello
  gone       positions and slots with 30 % and 60 % of the fans gone silently
  flush      who is back how soon, and in which order, after Redis is emptied
  purchases  checkouts and decisions at the store, beside pgbench and the ways others take tickets
  evening    a whole sale under pressure: FANS= (8000), RATE= (6000); only when named

Without a target: all but the evening.
USAGE
}

# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $all
for target in "$@"; do
    case $target in
        -h | --help) usage; exit 0 ;;
    esac
    case " $all evening " in
        *" $target "*) ;;
        *) echo "bench: no target $target" >&2; usage >&2; exit 2 ;;
    esac
done

# shellcheck disable=SC3045 # not POSIX, but in every sh
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
case " $* " in
    *' streams '*) scripts/setup.sh --bench ;; # nginx with nchan, the baseline
    *) scripts/setup.sh ;;
esac
BENCH_BIN=$(pwd)/target/${PROFILE:-release} BENCH_OUT=$(pwd)/target/bench
export BENCH_BIN BENCH_OUT
# for whoever works on a target: PROFILE=debug spares the long build, and says nothing about speed
if [ "${PROFILE:-release}" = release ]; then
    cargo build --release --locked -p onsale -p loadtest --bins
else
    cargo build --locked -p onsale -p loadtest --bins
fi
mkdir -p "$BENCH_OUT"
for target in "$@"; do rm -f "$BENCH_OUT/$target.json"; done

verdict=0 summary=
for target in "$@"; do
    printf '\n\033[1m== %s\033[0m\n' "$target"
    started=$(date +%s) status=0
    # in the foreground, with traps of its own: Ctrl-C reaches it, and this waits for it to clean up
    trap : INT
    "scripts/bench/$target.sh" || status=$?
    trap - INT
    case $status in
        0) word=reached ;;
        1) word=MISSED verdict=1 ;;
        130 | 143) echo "stopped" >&2; exit "$status" ;;
        *) word="NOT MEASURED (exit $status)" verdict=1 ;;
    esac
    summary="$summary$(printf '%-10s %-26s %4d s' "$target" "$word" "$(($(date +%s) - started))")
"
done
printf '\n\033[1m== summary\033[0m\n%s' "$summary"
exit "$verdict"
