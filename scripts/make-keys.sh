#!/bin/sh
# A fresh file of keys for `keys.file`. Keep it: passes, sessions and sealed fields need it.
#   scripts/make-keys.sh FILE     writes it for its owner alone; never over another
#   scripts/make-keys.sh          prints it; then `umask 077` is yours to set
set -eu
umask 077
[ $# -le 1 ] || { echo "usage: scripts/make-keys.sh [FILE]" >&2; exit 2; }
key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
if [ $# = 1 ]; then
    set -C # a file that is there already stays as it is
    exec >"$1"
fi
printf 'master_keys = ["%s"]\nindex_key = "%s"\n' "$(key)" "$(key)"
