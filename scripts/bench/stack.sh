# shellcheck shell=sh
# What the targets share, to be sourced from the repository's root: a stack of one's own in a fresh folder, more
# roles beside it, and the end of all of them by their process ids. BENCH_BIN and BENCH_OUT come from bench.sh;
# a target run by hand takes the release build.
BENCH_BIN=${BENCH_BIN:-$(pwd)/target/release}
BENCH_OUT=${BENCH_OUT:-$(pwd)/target/bench}
mkdir -p "$BENCH_OUT"

# outside the checkout: Postgres runs as a user of its own when we are root, and must get in
dir=$(mktemp -d "${TMPDIR:-/tmp}/onsale-bench.XXXXXX")
chmod 711 "$dir"
children='' # newest first, so that the stack with the stores goes last

# everything that was started, and stays so until it is gone
stop_all_children() {
    for child in $children; do
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    children=''
}
# shellcheck disable=SC2329 # the traps call it
stop_all() {
    trap '' INT TERM
    trap - EXIT
    stop_all_children
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'stop_all; exit 130' INT
trap 'stop_all; exit 143' TERM

# core N: the words that keep a command on that core alone, where that can be said
core() {
    if command -v taskset >/dev/null 2>&1 && [ "$(nproc)" -gt 1 ]; then echo "taskset -c $1"; fi
}

# background NAME COMMAND…: output in $dir/NAME.out and NAME.log, $started is the process's id. A group of its
# own (setsid) keeps Ctrl-C from it: the traps end it, in order.
background() {
    name=$1; shift
    : >"$dir/$name.out" # there before anybody looks
    setsid "$@" >"$dir/$name.out" 2>"$dir/$name.log" &
    started=$!
    children="$started $children"
}

# until_ready NAME PID: waits for the line `ready URL`, and says the URL in $url
until_ready() {
    until grep -q '^ready ' "$dir/$1.out"; do
        kill -0 "$2" 2>/dev/null || { cat "$dir/$1.log" >&2; echo "bench: $1 ended" >&2; exit 3; }
        sleep 0.1
    done
    url=$(sed -n 's/^ready //p' "$dir/$1.out")
}

onsale() { "$BENCH_BIN/onsale" --data-dir "$dir/stack" "$@"; }

# start_stack [COMMAND…]: `onsale up` with stores of its own (the append-only file synced each second), behind
# the words given (say, `$(core 1)`); sets stack_url, stack_pid, redis_url, database_url.
start_stack() {
    mkdir "$dir/stack" && chmod 711 "$dir/stack"
    RUST_LOG=${RUST_LOG:-warn} background stack "$@" "$BENCH_BIN/onsale" --data-dir "$dir/stack" up \
        --listen 127.0.0.1:0 --private-listen 127.0.0.1:0
    stack_pid=$started
    until_ready stack "$stack_pid"
    stack_url=$url
    redis_url=$(sed -n 's/.*"redis_url": "\([^"]*\)".*/\1/p' "$dir/stack/stack.json")
    database_url=$(sed -n 's/.*"database_url": "\([^"]*\)".*/\1/p' "$dir/stack/stack.json")
    export redis_url database_url
}

# start_waitroom NAME [COMMAND…]: one more waitroom beside the stack, settings from ONSALE_… in the environment;
# sets waitroom_url, waitroom_pid
start_waitroom() {
    name=$1; shift
    mkdir "$dir/$name"
    RUST_LOG=${RUST_LOG:-warn} REDIS_URL=$redis_url ONSALE_KEYS__FILE=$dir/stack/secrets.toml \
        ONSALE_SERVER__PUBLIC_URL=$stack_url \
        background "$name" "$@" "$BENCH_BIN/onsale" --data-dir "$dir/$name" waitroom \
        --listen 127.0.0.1:0 --private-listen 127.0.0.1:0
    waitroom_pid=$started
    until_ready "$name" "$waitroom_pid"
    waitroom_url=$url
    export waitroom_pid waitroom_url
}

# an_event NAME: an event of 2,804 seats; says its id
an_event() {
    onsale event create --name "$1" --venue carnegie-hall --date "$(($(date +%Y) + 1))-03-12" --time 19:30
}
