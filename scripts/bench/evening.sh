#!/bin/sh
# A whole sale under pressure, judged: the demo with more fans at a higher rate, and without staying up.
set -eu
cd "$(dirname "$0")/../.."
FANS=${FANS:-8000} RATE=${RATE:-6000} ARRIVALS=${ARRIVALS:-spike} STAY=no
export FANS RATE ARRIVALS STAY
exec scripts/demo.sh
