#!/bin/sh
# The whole suite over real servers, and a summary of it.
set -eu
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
log=target/test.log
mkdir -p target
started=$(date +%s)
status=0
{ scripts/with-servers.sh cargo test --workspace --locked --no-fail-fast -- --color never 2>&1 && echo 0 >target/test.status \
    || echo $? >target/test.status; } | tee "$log"
status=$(cat target/test.status)

awk -v seconds="$(($(date +%s) - started))" '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    /^test .* \.\.\. FAILED/ { names = names "\n  " $2 }
    /SKIPPED:/ { sub(/.*SKIPPED:/, "skipped:"); skipped = skipped "\n  " $0 }
    END {
        printf "\n== %d passed, %d failed, %d ignored in %d min %d s%s%s\n",
            passed, failed, ignored, seconds / 60, seconds % 60, names, skipped
    }' "$log"
exit "$status"
