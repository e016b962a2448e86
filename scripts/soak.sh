#!/bin/sh
# Purchases by the thousand while things go wrong, one family of faults after the other, over processes of their own:
# the tests of tests/it/faults.rs, which `make test` runs with fifty each. Ends with a table; every row of it must say
# 0 double, 0 for a human, and owed = kept.
#   scripts/soak.sh                     all families, 3,000 purchases each
#   PURCHASES=500 scripts/soak.sh webhooks postgres
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
esac
scripts/setup.sh
purchases=${PURCHASES:-3000}
log=target/soak.log
mkdir -p target
[ $# -gt 0 ] || set -- ''
status=0
: >"$log"
for family in "$@"; do
    # names are matched by their parts: `webhooks` is three families
    { ONSALE_SOAK_PURCHASES=$purchases scripts/with-servers.sh cargo test --release --features failpoints --locked \
        -p onsale --test it -- --nocapture --test-threads 2 --color never "faults::$family" 2>&1 || echo FAILED; } \
        | tee -a "$log"
done
! grep -q '^FAILED' "$log" || status=1
grep -q '^| ' "$log" || { echo "soak: no family named like that" >&2; exit 2; }

cat <<HEAD

| family | fans | bought | paid and left | cancelled | refused | never paid | too late | none left | owed | kept | double | for a human | 500s | sale took | settled after |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
HEAD
grep '^| ' "$log"
[ "$status" = 0 ] || echo "soak: FAILED; see $log" >&2
exit "$status"
