#!/bin/sh
# Prints a pattern of the tests that are there with the build tag $1 alone: the
# others have been run without it.
set -eu
cd "$(dirname "$0")/.."
names=$(git grep -l "^//go:build $1\$" -- '*_test.go' | xargs sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p')
[ -n "$names" ]
echo "^($(echo $names | tr ' ' '|'))\$"
