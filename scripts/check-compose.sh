#!/bin/sh
# Checks compose.yaml against the compose specification's schema, without a container engine.
set -eu
cd "$(dirname "$0")/.."

if docker compose version >/dev/null 2>&1; then
    docker compose -f compose.yaml config -q
    echo "compose.yaml: accepted by docker compose"
    exit 0
fi

# where it must be checked, not being able to is a failure
unchecked() {
    echo "compose.yaml: NOT CHECKED, $1" >&2
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
}

tool=$(command -v check-jsonschema || true)
if [ -z "$tool" ]; then
    venv=target/check-compose
    tool=$venv/bin/check-jsonschema
    if [ ! -x "$tool" ]; then
        command -v python3 >/dev/null || unchecked "neither docker compose nor python3 here"
        if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check check-jsonschema==0.39.0; }; then
            rm -rf "$venv"
            unchecked "check-jsonschema could not be installed (python3-venv and PyPI are needed)"
        fi
    fi
fi
"$tool" --builtin-schema vendor.compose-spec compose.yaml
