#!/bin/sh
# Joins, releases and the pulse with a million places in the line: PLACES= (1000000).
exec "$(dirname "$0")/of_crate.sh" admission line
