#!/bin/sh
# Prints a fresh file of keys for `keys.file`. Keep it: passes, sessions and sealed fields need it.
set -eu
key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
printf 'master_keys = ["%s"]\nindex_key = "%s"\n' "$(key)" "$(key)"
