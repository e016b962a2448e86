#!/bin/sh
# A concert goes on sale on this machine: a stack of its own in a fresh folder, 2,804 seats, a crowd that
# buys them all, a judge who looks on. Then it stays up to be tried. Ctrl-C stops everything.
#   FANS   how many fans come                       3000
#   RATE   how many are let in a minute             2000
#   PORT   where it listens                         8080
#   DATA   a file of schema.org events to import    none
#   STAY   no: end after the verdict                yes
set -eu
cd "$(dirname "$0")/.."
FANS=${FANS:-3000} RATE=${RATE:-2000} PORT=${PORT:-8080} DATA=${DATA:-} STAY=${STAY:-yes}

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# every fan of the load test takes two open files; some systems start with 256
# shellcheck disable=SC3045 # not POSIX, but in every sh
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

step "1. Redis and Postgres"
scripts/setup.sh
echo "found"

step "2. Building (release)"
cargo build --release --workspace --bins --locked
bin=target/release

# outside the checkout: Postgres runs as a user of its own when we are root, and must get in
dir=$(mktemp -d "${TMPDIR:-/tmp}/onsale-demo.XXXXXX")
chmod 711 "$dir"
up=
# shellcheck disable=SC2329 # the traps call it
stop() {
    trap '' INT TERM
    trap - EXIT
    if [ -n "$up" ]; then
        # Ctrl-C reached it too, and a second signal would cut it short; stack.json goes at the first
        sleep 0.5
        if [ "$1" = TERM ] || [ -e "$dir/stack.json" ]; then kill "$up" 2>/dev/null || true; fi
        wait "$up" || true
    fi
    rm -rf "$dir"
    echo "stopped; nothing is left running"
}
trap 'stop TERM' EXIT
trap 'stop INT; exit 130' INT
trap 'stop TERM; exit 143' TERM

onsale() { "$bin/onsale" --data-dir "$dir" "$@"; }

step "3. The stack"
RUST_LOG=${RUST_LOG:-warn} "$bin/onsale" --data-dir "$dir" up --listen "127.0.0.1:$PORT" --private-listen 127.0.0.1:0 \
    >"$dir/up.out" 2>"$dir/up.log" &
up=$!
until grep -q '^ready ' "$dir/up.out"; do
    kill -0 "$up" 2>/dev/null || { cat "$dir/up.log" >&2; up=; echo "(another port: make demo PORT=…)" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^ready //p' "$dir/up.out")
echo "ready at $url, log in $dir/up.log"

if [ -n "$DATA" ]; then
    step "4. Importing $DATA"
    onsale import "$DATA" || echo "(the good lines are in)"
fi

step "5. An evening at Carnegie Hall goes on sale"
evening=$(onsale event create --name "An evening" --venue carnegie-hall --date 2027-03-12 --time 19:30)
onsale drop create an-evening --event "$evening" --rate-per-minute "$RATE" --claim-window-s 15 --session-s 300
onsale drop open an-evening

step "6. $FANS fans"
verdict=0
"$bin/loadtest" --data-dir "$dir" --url "$url" --drop an-evening --fans "$FANS" || verdict=$?
[ "$STAY" = yes ] || exit "$verdict"

matinee=$(onsale event create --name "A matinee" --venue carnegie-hall --date 2027-03-13 --time 14:00 \
    --price balcony=3500)
onsale drop create a-matinee --event "$matinee" --rate-per-minute 60 >/dev/null
onsale drop open a-matinee >/dev/null
password=$(onsale operator add operator@example.org --json | sed 's/.*"password":"\([^"]*\)".*/\1/')

step "It stays up. In another terminal:"
cat <<TRY
# search, and look at the sold-out evening and at its line
curl -sw '\n' '$url/events/search?q=evening'
curl -sw '\n' '$url/events/details/$evening'
curl -sw '\n' '$url/queue/an-evening/pulse'

# queue for the matinee: a secret of your own, a place, your place live (Ctrl-C ends the stream, not the place)
VISITOR=\$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
curl -sw '\n' '$url/queue/a-matinee/join' -X POST -H "Onsale-Visitor: \$VISITOR" -H 'Content-Type: application/json' -d '{}'
curl -sw '\n' '$url/queue/a-matinee/status' -H "Onsale-Visitor: \$VISITOR"
curl -sN '$url/queue/a-matinee/events?claim=auto' -H "Onsale-Visitor: \$VISITOR"

# steer it: by the command line, or signed in as operator@example.org with $password
$bin/onsale --data-dir $dir drop set a-matinee --rate-per-minute 120
curl -sw '\n' '$url/ops/api/sessions' -H 'Content-Type: application/json' \\
    -d '{"email":"operator@example.org","password":"$password"}'
curl -sw '\n' '$url/ops/api/drops' -H "Authorization: Bearer THE-TOKEN"

# is all well?
$bin/onsale --data-dir $dir doctor
TRY
[ "$verdict" = 0 ] || printf '\nThe judge was NOT content; see above.\n'
printf '\nCtrl-C stops everything.\n'
status=0
wait "$up" || status=$?
up=
[ "$status" = 0 ] || cat "$dir/up.log" >&2
exit "$verdict"
