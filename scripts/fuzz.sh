#!/bin/sh
# Runs each fuzz target for $1, such as 60s.
set -eu
cd "$(dirname "$0")/.."
for pkg in $(go list ./driver/...); do
    for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
        echo "== $pkg $target"
        go test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
    done
done
