#!/bin/sh
# The whole suite over real servers, with crash points built in, and a summary of it.
set -eu
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
log=target/test.log
mkdir -p target
started=$(date +%s)
status=0
{ scripts/with-servers.sh cargo test --workspace --features failpoints --locked --no-fail-fast -- --color never 2>&1 && echo 0 >target/test.status \
    || echo $? >target/test.status; } | tee "$log"
status=$(cat target/test.status)

# an ignored test is one not run, unless it is only the child process of another; a skipped one said so and passed
awk -v seconds="$(($(date +%s) - started))" '
    /^test result:/ { passed += $4; failed += $6 }
    /^test .* \.\.\. FAILED/ { names = names "\n  failed: " $2 }
    /^test .* \.\.\. ignored/ && !/ignored, a process for/ { sub(/^test /, ""); left_out++; names = names "\n  " $0 }
    /SKIPPED:/ { sub(/.*SKIPPED:/, "skipped:"); left_out++; passed--; names = names "\n  " $0 }
    END {
        printf "\n== %d passed, %d failed, %d skipped in %d min %d s%s\n",
            passed, failed, left_out, seconds / 60, seconds % 60, names
    }' "$log"
exit "$status"
