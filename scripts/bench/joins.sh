#!/bin/sh
# Joins over HTTP beside a route that says hello: CONNECTIONS= (1024), TURN_S= (2), ROUNDS= (8).
exec "$(dirname "$0")/of_crate.sh" waitroom fans joins
