#!/bin/sh
# Redis's commands a second with 100 and with 100,000 fans waiting. The target `crowd` counts them by the way: its
# figures of this run are taken when they are there.
set -eu
cd "$(dirname "$0")/../.."
BENCH_BIN=${BENCH_BIN:-$(pwd)/target/release}
BENCH_OUT=${BENCH_OUT:-$(pwd)/target/bench}
[ -e "$BENCH_OUT/commands.json" ] || SECONDS_CALLED=10 scripts/bench/crowd.sh || [ -e "$BENCH_OUT/commands.json" ]
exec "$BENCH_BIN/bench" verdict "$BENCH_OUT/commands.json"
