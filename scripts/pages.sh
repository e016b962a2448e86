#!/bin/sh
# Walks every page in Chromium: pictures of phone and desktop, light and dark, into target/pages, and a table of
# what each weighs, what axe-core finds and when it first paints. Looking at the pictures is up to you.
set -eu
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
rm -rf target/pages
scripts/with-servers.sh cargo test --package onsale --test it --locked -- \
    --ignored --exact browser::pages::pictures_of_every_page --nocapture
echo "pictures: $(pwd)/target/pages"
