#!/bin/sh
# A concert goes on sale on this machine: a stack of its own in a fresh folder, 2,804 seats, a crowd that
# buys them all, a judge who looks on. Then it stays up, with a matinee to queue for by hand. Ctrl-C stops
# everything. Each option may also come from the environment: make demo FANS=500, make demo ARGS="--fans 500".
set -eu
cd "$(dirname "$0")/.."
FANS=${FANS:-3000} RATE=${RATE:-1200} PORT=${PORT:-8080} DATA=${DATA:-} STAY=${STAY:-yes}
ARRIVALS=${ARRIVALS:-ramp:20} BROWSE=${BROWSE:-yes}
# for whoever works on this script: PROFILE=debug spares the long build, and says nothing about speed
PROFILE=${PROFILE:-release}

usage() {
    cat <<'USAGE'
scripts/demo.sh: a concert goes on sale on this machine.

  --fans N          how many fans come                                     3000   FANS
  --rate N          how many are let in a minute                           1200   RATE
  --arrivals SHAPE  spike, ramp:SECONDS or trace:FILE[:SECONDS]         ramp:20   ARRIVALS
  --port N          where it listens; 0 takes any free one                 8080   PORT
  --data FILE       schema.org events to import first                      none   DATA
  --stay yes|no     no: end after the verdict                               yes   STAY
  --no-browser      open no browser tab                                           BROWSE=no
USAGE
}
refuse() { printf 'demo: %s\n(scripts/demo.sh --help tells the options)\n' "$*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --no-browser) BROWSE=no; shift; continue ;;
        --*=*) option=${1%%=*} value=${1#*=}; shift ;;
        --fans | --rate | --port | --data | --stay | --arrivals)
            [ $# -ge 2 ] || refuse "$1 wants a value"
            option=$1 value=$2; shift 2 ;;
        *) refuse "what is $1?" ;;
    esac
    case $option in
        --fans) FANS=$value ;;
        --rate) RATE=$value ;;
        --port) PORT=$value ;;
        --data) DATA=$value ;;
        --stay) STAY=$value ;;
        --arrivals) ARRIVALS=$value ;;
        *) refuse "what is $option?" ;;
    esac
done

# number NAME VALUE LEAST MOST
number() {
    case $2 in
        '' | *[!0-9]* | 0?* | ????????*) refuse "$1 wants a whole number from $3 to $4, not '$2'" ;;
    esac
    if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then refuse "$1 wants a whole number from $3 to $4, not '$2'"; fi
}
number --fans "$FANS" 1 100000
number --rate "$RATE" 1 1000000
number --port "$PORT" 0 65535
case $STAY in yes | no) ;; *) refuse "--stay wants yes or no, not '$STAY'" ;; esac
case $PROFILE in release | debug) ;; *) refuse "PROFILE is release or debug, not '$PROFILE'" ;; esac
case $ARRIVALS in
    spike | trace:?*) ;;
    ramp:*) number "--arrivals ramp:SECONDS" "${ARRIVALS#ramp:}" 1 86400 ;;
    *) refuse "--arrivals wants spike, ramp:SECONDS or trace:FILE[:SECONDS], not '$ARRIVALS'" ;;
esac
[ -z "$DATA" ] || [ -r "$DATA" ] || refuse "--data: cannot read '$DATA'"

steps=0
step() { steps=$((steps + 1)); printf '\n\033[1m%s. %s\033[0m\n' "$steps" "$*"; }

# every fan of the load test takes two open files; some systems start with 256
# shellcheck disable=SC3045 # not POSIX, but in every sh
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

step "Redis and Postgres"
scripts/setup.sh
echo "found"

step "Building ($PROFILE)"
if [ "$PROFILE" = release ]; then
    cargo build --release --workspace --bins --locked
else
    cargo build --workspace --bins --locked
fi
bin=target/$PROFILE

# outside the checkout: Postgres runs as a user of its own when we are root, and must get in
dir=$(mktemp -d "${TMPDIR:-/tmp}/onsale-demo.XXXXXX")
chmod 711 "$dir"
up='' others=''
# shellcheck disable=SC2329 # the traps call it
stop() {
    trap '' INT TERM
    trap - EXIT
    if [ -n "$others" ]; then
        kill "$others" 2>/dev/null || true # sh lets background jobs ignore Ctrl-C
        wait "$others" 2>/dev/null || true
    fi
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

# a tab, where there is a screen to show it on
browse() {
    if [ "$BROWSE" = no ] || [ "$STAY" = no ]; then
        return 0
    elif [ "$(uname)" = Darwin ]; then
        open "$1" >/dev/null 2>&1 || true
    elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null 2>&1; then
        (xdg-open "$1" >/dev/null 2>&1 &)
    fi
}

step "The stack"
RUST_LOG=${RUST_LOG:-warn} "$bin/onsale" --data-dir "$dir" up --listen "127.0.0.1:$PORT" --private-listen 127.0.0.1:0 \
    >"$dir/up.out" 2>"$dir/up.log" &
up=$!
until grep -q '^ready ' "$dir/up.out"; do
    kill -0 "$up" 2>/dev/null || { cat "$dir/up.log" >&2; up=; echo "(another port: --port N)" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^ready //p' "$dir/up.out")
echo "ready at $url, log in $dir/up.log"

if [ -n "$DATA" ]; then
    step "Importing $DATA"
    onsale import "$DATA" || echo "(the good lines are in)"
fi

step "Two concerts at Carnegie Hall"
year=$(($(date +%Y) + 1))
evening=$(onsale event create --name "Beethoven’s Ninth" --venue carnegie-hall --date "$year-03-12" --time 19:30 \
    --description "The Harbour Philharmonic ends its season with the symphony that ends all seasons." \
    --ensemble "Harbour Philharmonic" --ensemble "Harbour Chorus" --performer "Ines Calder=conductor" \
    --performer "Mara Lindholm=soprano" --performer "Tomas Ferrer=tenor" \
    --work "Egmont, overture, op. 84=Ludwig van Beethoven" \
    --work "Symphony No. 9 in D minor, op. 125=Ludwig van Beethoven")
onsale drop create an-evening --event "$evening" --rate-per-minute "$RATE" --claim-window-s 15 --session-s 300 >/dev/null
matinee=$(onsale event create --name "Peter and the Wolf: a family matinee" --venue carnegie-hall \
    --date "$year-03-13" --time 14:00 \
    --price parquet=4500 --price first-tier=5500 --price second-tier=3500 --price dress-circle=2500 --price balcony=1500 \
    --description "An hour of animals, for listeners from five years on. No intermission; wolves are let in last." \
    --ensemble "Harbour Philharmonic" --performer "Ines Calder=conductor" --performer "Noor Abadi=narrator" \
    --work "Peter and the Wolf, op. 67=Sergei Prokofiev" --work "The Carnival of the Animals=Camille Saint-Saëns")
# half a minute's wait behind fifteen others
onsale drop create a-matinee --event "$matinee" --rate-per-minute 30 --claim-window-s 60 --session-s 900 >/dev/null
email=operator@example.org
password=$(onsale operator add "$email" --json | sed 's/.*"password":"\([^"]*\)".*/\1/')
onsale drop open an-evening >/dev/null
cat <<PAGES
Beethoven’s Ninth is on sale, Peter and the Wolf follows. Watch in a browser:

  the event        $url/e/$evening
  its line         $url/queue/an-evening
  the console      $url/ops/drops/an-evening
                   sign in at $url/ops as $email, password $password
  home             $url/
PAGES
browse "$url/e/$evening"

step "$FANS fans come ($ARRIVALS), $RATE a minute are let in"
report="file://$(pwd | sed 's/ /%20/g')/target/demo-report/report.html"
verdict=0
rm -f target/demo-report/report.html target/demo-report/report.json
"$bin/loadtest" --data-dir "$dir" --url "$url" --drop an-evening --fans "$FANS" --arrivals "$ARRIVALS" \
    --report "$dir/report" || verdict=$?
if [ -e "$dir/report/report.html" ]; then
    mkdir -p target/demo-report
    cp "$dir/report/report.html" "$dir/report/report.json" target/demo-report/
    printf '\nThe report, with plots: %s\n' "$report"
fi
[ "$STAY" = yes ] || exit "$verdict"

# Company for the visitor: fifteen at first, then as many as are let in, so that the line stays about that
# long. 465 fans in 15 minutes, and no more.
onsale drop open a-matinee >/dev/null
awk 'BEGIN { print "slot,fans"; print "0,20"; for (slot = 1; slot < 90; slot++) print slot ",5" }' >"$dir/company.csv"
"$bin/loadtest" --data-dir "$dir" --url "$url" --drop a-matinee --fans 465 --arrivals "trace:$dir/company.csv:900" \
    --leave 0 --quantity 1-2 --timeout 1200 --accounts-concurrency 2 >"$dir/company.log" 2>&1 &
others=$!

step "It stays up: your turn"
cat <<TRY
Peter and the Wolf has just opened, and others are in line too (for the next quarter of an hour).
  1. Join the line          $url/e/$matinee
     About half a minute later it is your turn: claim, choose seats, pay with a test card.
  2. Steer it meanwhile     $url/ops/drops/a-matinee
     Sign in as $email, password $password. Raise the rate, pause with a reason,
     write the fans a notice, and see your own page in line react.
  3. After the crowd        $url/e/$evening
  4. The crowd's report     $report

Or without a browser, in another terminal:
# search, and look at a line from outside
curl -sw '\n' '$url/events/search?q=wolf'
curl -sw '\n' '$url/queue/a-matinee/pulse'

# queue: a secret of your own, a place, your place live (Ctrl-C ends the stream, not the place)
VISITOR=\$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
curl -sw '\n' '$url/queue/a-matinee/join' -X POST -H "Onsale-Visitor: \$VISITOR" -H 'Content-Type: application/json' -d '{}'
curl -sN '$url/queue/a-matinee/events?claim=auto' -H "Onsale-Visitor: \$VISITOR"

# steer it, and ask whether all is well
$bin/onsale --data-dir $dir drop set a-matinee --rate-per-minute 120
$bin/onsale --data-dir $dir doctor
TRY
[ "$verdict" = 0 ] || printf '\nThe judge was NOT content; see above.\n'
printf '\nCtrl-C stops everything.\n'
browse "$url/e/$matinee"
status=0
wait "$up" || status=$?
up=
[ "$status" = 0 ] || cat "$dir/up.log" >&2
exit "$verdict"
