#!/bin/sh
# Runs a command with one private Postgres and one private Redis for tests, named by TEST_DATABASE_URL and
# TEST_REDIS_URL, and stops both whatever happens. Their data is thrown away: fsync is off.
#   scripts/with-servers.sh cargo test --workspace
set -eu
[ $# -gt 0 ] || { echo "usage: scripts/with-servers.sh COMMAND [ARGUMENT…]" >&2; exit 2; }

say() { printf '%s\n' "$*" >&2; }

postgres_bin() { # newest first
    for bin in ${PGBIN:-} $(printf '%s\n' /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin /usr/pgsql-*/bin | sort -Vr); do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && { echo "$bin"; return; }
    done
    initdb=$(command -v initdb) && dirname "$initdb"
}
redis_program() {
    for program in ${REDIS_SERVER:-} redis-server valkey-server; do
        command -v "$program" 2>/dev/null && return
    done
    return 1
}

pg=$(postgres_bin) || { say "no PostgreSQL server programs: run scripts/setup.sh"; exit 1; }
redis=$(redis_program) || { say "no redis-server: run scripts/setup.sh"; exit 1; }

# short, because a socket's path may have 107 bytes; outside the checkout, because Postgres's user must get in
state=$(mktemp -d /tmp/onsale-test.XXXXXX)
if [ "$(id -u)" = 0 ]; then # Postgres refuses to run as root
    owner=postgres
    id "$owner" >/dev/null 2>&1 || owner=nobody
    as_owner() { setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups env HOME=/nonexistent "$@"; }
    chown "$owner" "$state"
else
    as_owner() { "$@"; }
fi

redis_pid=
# shellcheck disable=SC2329 # the traps call it
stop() {
    trap '' INT TERM
    (cd / && as_owner "$pg/pg_ctl" -D "$state/pg" -m immediate -w stop >/dev/null 2>&1) || true
    [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || wait "$redis_pid" 2>/dev/null || true
    rm -rf "$state"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_postgres() ( # a subshell: it may not be allowed to stand in our folder
    cd /
    as_owner "$pg/initdb" -D "$state/pg" -U onsale -A trust -E UTF8 --locale=C --no-instructions >"$state/initdb.log" 2>&1 &&
        as_owner "$pg/pg_ctl" -D "$state/pg" -l "$state/postgres.log" -w -t 30 -o \
            "-k $state -c listen_addresses='' -c max_connections=500 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
            start >/dev/null
)
start_postgres || { cat "$state"/*.log >&2; exit 1; }

"$redis" --port 0 --unixsocket "$state/redis" --unixsocketperm 777 --dir "$state" --save '' --appendonly no \
    --maxmemory-policy noeviction >"$state/redis.log" 2>&1 &
redis_pid=$!
tries=0
until [ -S "$state/redis" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$state/redis.log" >&2; exit 1; }
    sleep 0.05
done

TEST_DATABASE_URL="postgres:///postgres?host=$state&user=onsale"
TEST_REDIS_URL="redis+unix://$state/redis"
export TEST_DATABASE_URL TEST_REDIS_URL
# in the foreground: Ctrl-C reaches it, and the servers outlive it
status=0
"$@" || status=$?
exit "$status"
