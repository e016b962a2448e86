#!/bin/sh
# Checkouts and decisions a second at the store, beside pgbench's purchase and the ways others take tickets.
exec "$(dirname "$0")/of_crate.sh" booking purchases
