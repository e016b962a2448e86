#!/bin/sh
# Positions and slots with nobody, 30 % and 60 % of the fans gone silently: FANS= (6000), RATE= a minute (6000).
exec "$(dirname "$0")/of_crate.sh" waitroom fans gone
