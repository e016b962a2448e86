#!/bin/sh
# Redis emptied in mid-queue: FANS= (2000), RATE= a minute (1200).
exec "$(dirname "$0")/of_crate.sh" waitroom fans flush
