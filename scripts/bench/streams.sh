#!/bin/sh
# 10,000 live streams on one waitroom, and on nginx with nchan: the same client, the same message of 120 bytes to
# all. The server measured has one core, the client and all else the other. FANS= (10000), ROUNDS= (12).
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/bench/stack.sh
. scripts/bench/stack.sh
FANS=${FANS:-10000} ROUNDS=${ROUNDS:-12}
module=${NCHAN_MODULE:-/usr/lib/nginx/modules/ngx_nchan_module.so}
nginx=${NGINX:-$(command -v nginx || echo /usr/sbin/nginx)}
bench() {
    # shellcheck disable=SC2046 # words
    $(core 1) "$BENCH_BIN/bench" "$@"
}

# shellcheck disable=SC2046 # words
start_stack $(core 1)
BENCH_OPERATOR_PASSWORD=$(onsale operator add bench@example.org --json | sed 's/.*"password":"\([^"]*\)".*/\1/')
export BENCH_OPERATOR_PASSWORD
# it does not open: everybody stands in the lobby, where nothing moves but what is told
onsale drop create streams --event "$(an_event "An evening of streams")" --rate-per-minute 60 >/dev/null
# shellcheck disable=SC2046 # words
ONSALE_WAITROOM__STREAMS_MAX=$((FANS + 100)) start_waitroom measured $(core 0)
bench streams-ours --pid "$waitroom_pid" --url "$waitroom_url" --join "$stack_url" --ops "$stack_url" --drop streams \
    --operator bench@example.org --fans "$FANS" --rounds "$ROUNDS" --out "$dir/ours.json"
stop_all_children

mkdir "$dir/nginx"
port=$(bench port)
cat >"$dir/nginx/nginx.conf" <<NGINX
load_module $module;
daemon off;
worker_processes 1;
pid $dir/nginx/pid;
error_log stderr warn;
$([ "$(id -u)" != 0 ] || echo 'user root;')
events { worker_connections 19500; }
http {
    access_log off;
    client_body_temp_path $dir/nginx/body;
    proxy_temp_path $dir/nginx/proxy;
    fastcgi_temp_path $dir/nginx/fastcgi;
    uwsgi_temp_path $dir/nginx/uwsgi;
    scgi_temp_path $dir/nginx/scgi;
    server {
        listen 127.0.0.1:$port backlog=4096;
        location = /subscribe {
            nchan_subscriber eventsource;
            nchan_channel_id fans;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval 10; # as often as our heartbeats
        }
        location = /publish {
            nchan_publisher;
            nchan_channel_id fans;
        }
    }
}
NGINX
# shellcheck disable=SC2046 # words
background nginx $(core 0) "$nginx" -p "$dir/nginx" -c "$dir/nginx/nginx.conf"
master=$started
until worker=$(cat "/proc/$master/task/$master/children" 2>/dev/null) && [ -n "$worker" ] && [ -s "$dir/nginx/pid" ]; do
    kill -0 "$master" 2>/dev/null || { cat "$dir/nginx.log" >&2; exit 3; }
    sleep 0.1
done
bench streams-peer --name nchan --pid "${worker%% *}" --url "http://127.0.0.1:$port" --subscribe /subscribe \
    --publish /publish --like "$dir/ours.json" --fans "$FANS" --rounds "$ROUNDS" --out "$dir/peer.json"
bench streams-verdict "$dir/ours.json" "$dir/peer.json" --out "$BENCH_OUT"
