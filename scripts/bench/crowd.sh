#!/bin/sh
# 100,000 fans on this machine with open streams and moving positions: how soon a called fan hears of it, and what
# the crowd costs, beside 1,000 fans; and Redis's commands beside 100 fans (the target `commands`).
# FANS= (100000), RATE= (6000 a minute), SECONDS_CALLED= (60), WAITROOMS= (7).
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/bench/stack.sh
. scripts/bench/stack.sh
FANS=${FANS:-100000} RATE=${RATE:-6000} SECONDS_CALLED=${SECONDS_CALLED:-60} WAITROOMS=${WAITROOMS:-7}
window_s=60

# shellcheck disable=SC2119 # on every core
start_stack
BENCH_OPERATOR_PASSWORD=$(onsale operator add bench@example.org --json | sed 's/.*"password":"\([^"]*\)".*/\1/')
export BENCH_OPERATOR_PASSWORD
onsale drop create crowd --event "$(an_event "An evening of crowds")" --rate-per-minute 1 --claim-window-s "$window_s" \
    --session-s 3600 >/dev/null
onsale drop open crowd >/dev/null
each=$((FANS / WAITROOMS + 100)) # files enough below the 20,000 that many systems allow a process
set --
n=0
while [ "$n" -lt "$WAITROOMS" ]; do
    n=$((n + 1))
    ONSALE_WAITROOM__STREAMS_MAX=$each ONSALE_SERVER__MAX_CONNECTIONS=$((each + 1000)) start_waitroom "waitroom-$n"
    set -- "$@" --waitroom "$waitroom_url=$waitroom_pid"
done
"$BENCH_BIN/bench" crowd "$@" --admission "$stack_pid" --redis "$redis_url" --ops "$stack_url" --drop crowd \
    --operator bench@example.org --fans "$FANS" --rate "$RATE" --seconds "$SECONDS_CALLED" --claim-window-s "$window_s" \
    --baseline "${BASELINE:-1000}" --few "${FEW:-100}" --out "$BENCH_OUT"
