#!/bin/sh
# Joins over HTTP beside a route that says hello: CONNECTIONS= (1024), TURN_S= (4), ROUNDS= (4).
exec "$(dirname "$0")/of_crate.sh" waitroom fans joins
