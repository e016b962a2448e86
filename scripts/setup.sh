#!/bin/sh
# Finds, or installs with apt or brew, what a private stack needs: redis-server (or valkey-server) and
# PostgreSQL's server programs. With --tests also nginx, Chromium with its driver, and axe-core from the npm registry;
# with --bench nginx with the nchan module, the baseline of live streams.
# Nothing is left running: packages are kept from starting servers of their own.
set -eu

tests=no bench=no
for argument in "$@"; do
    case $argument in
        --tests) tests=yes ;;
        --bench) bench=yes ;;
        *) echo "usage: scripts/setup.sh [--tests] [--bench]" >&2; exit 2 ;;
    esac
done

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

find_postgres() { # Debian and Homebrew keep initdb out of PATH
    for bin in ${PGBIN:-} /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin /usr/pgsql-*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return 0
    done
    has initdb && has postgres
}
find_redis() { [ -n "${REDIS_SERVER:-}" ] || has redis-server || has valkey-server; }
find_nginx() { [ -n "${NGINX:-}" ] || has nginx || [ -x /usr/sbin/nginx ]; }
find_nchan() {
    [ -n "${NCHAN_MODULE:-}" ] || [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ]
}
find_chromium() {
    { has chromium || has chromium-browser || has google-chrome \
        || [ -d "/Applications/Google Chrome.app" ] || [ -d "/Applications/Chromium.app" ]; } && has chromedriver
}

# axe-core is not ours to keep in the repository; without it the tests that need it say that they were skipped
axe_version=4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
fetch_axe() {
    tools=$(dirname "$0")/../target/tools
    axe=$tools/axe-core-$axe_version.min.js
    [ ! -s "$axe" ] || return 0
    say "fetching axe-core $axe_version from the npm registry"
    mkdir -p "$tools"
    fetched=$(mktemp -d "$tools/fetch.XXXXXX")
    if download_axe "$fetched" && [ "$(sha512 "$fetched/axe-core-$axe_version.tgz")" = "$axe_sha512" ] \
        && tar -xzf "$fetched/axe-core-$axe_version.tgz" -C "$fetched" package/axe.min.js; then
        mv "$fetched/package/axe.min.js" "$axe"
    else
        say "axe-core could not be fetched, or is not what it should be: the pages are tested without it"
    fi
    rm -rf "$fetched"
}
download_axe() { # npm knows about mirrors and proxies; it may be absent
    { has npm && (cd "$1" && npm pack --silent "axe-core@$axe_version" >/dev/null 2>&1); } \
        || { has curl && curl -fsSL --retry 2 -o "$1/axe-core-$axe_version.tgz" \
            "https://registry.npmjs.org/axe-core/-/axe-core-$axe_version.tgz"; }
}
sha512() { { sha512sum "$1" 2>/dev/null || shasum -a 512 "$1"; } | cut -d ' ' -f 1; }
[ "$tests" = no ] || fetch_axe

missing=
find_postgres || missing="$missing postgresql"
find_redis || missing="$missing redis"
if [ "$tests" = yes ]; then
    find_nginx || missing="$missing nginx"
    find_chromium || missing="$missing chromium"
fi
if [ "$bench" = yes ]; then
    find_nginx || missing="$missing nginx"
    find_nchan || missing="$missing nchan"
fi
[ -n "$missing" ] || exit 0
say "missing:$missing"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif has sudo; then sudo "$@"
    else say "cannot become root to install$missing: run this as root, or install sudo"; return 1
    fi
}

# Debian starts a server with its package, unless policy-rc.d forbids it and createcluster.conf says no.
# Both are put back as they were, whatever happens.
guard=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
guarded=no
cluster_was=
close_guard() {
    cluster_was=absent
    if [ -e "$cluster" ]; then cluster_was=$(mktemp) && cp "$cluster" "$cluster_was"; fi
    as_root mkdir -p "$(dirname "$cluster")"
    printf 'create_main_cluster = false\n' | as_root tee "$cluster" >/dev/null
    if [ ! -e "$guard" ]; then
        guarded=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
    fi
}
open_guard() {
    [ "$guarded" = no ] || { as_root rm -f "$guard"; guarded=no; }
    case $cluster_was in
        '') ;;
        absent) # the package may have brought its own by now; ours has one line
            if [ "$(cat "$cluster" 2>/dev/null)" = 'create_main_cluster = false' ]; then as_root rm -f "$cluster"; fi ;;
        *) as_root cp "$cluster_was" "$cluster"; rm -f "$cluster_was" ;;
    esac
    cluster_was=
}

with_apt() {
    packages=
    for thing in $missing; do
        case $thing in
            postgresql) packages="$packages postgresql" ;;
            redis) packages="$packages redis-server" ;;
            nginx) packages="$packages nginx-light" ;;
            nchan) packages="$packages libnginx-mod-nchan" ;;
            chromium) packages="$packages chromium chromium-driver" ;;
        esac
    done
    say "installing with apt:$packages"
    trap open_guard EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    close_guard
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold $packages >/dev/null
    open_guard
}

with_brew() {
    for thing in $missing; do
        case $thing in
            postgresql) brew install postgresql@17 ;;
            redis) brew install redis ;;
            nginx) brew install nginx ;;
            nchan) say "no formula brings nginx's nchan module; build it, and name it in NCHAN_MODULE"; exit 1 ;;
            chromium) brew install --cask chromedriver google-chrome ;;
        esac
    done
}

if has apt-get; then with_apt
elif has brew; then with_brew
else
    say "no apt or brew here. Please install, and run this again:"
    for thing in $missing; do
        case $thing in
            postgresql) say "  PostgreSQL 15 or newer with initdb and postgres (set PGBIN to their folder if not on PATH)" ;;
            redis) say "  Redis 7 or newer, or Valkey (set REDIS_SERVER to the program if not on PATH)" ;;
            nginx) say "  nginx (set NGINX to the program if not on PATH)" ;;
            nchan) say "  nchan 1.3 for that nginx (set NCHAN_MODULE to ngx_nchan_module.so)" ;;
            chromium) say "  Chromium or Chrome, and chromedriver of the same version" ;;
        esac
    done
    exit 1
fi

find_postgres || { say "PostgreSQL's server programs are still missing"; exit 1; }
find_redis || { say "redis-server is still missing"; exit 1; }
[ "$tests" = no ] || find_nginx || { say "nginx is still missing"; exit 1; }
[ "$bench" = no ] || { find_nginx && find_nchan; } || { say "nginx with nchan is still missing"; exit 1; }
[ "$tests" = no ] || find_chromium || { say "Chromium or its driver is still missing"; exit 1; }
