#!/bin/sh
# Writes into the directory $1 the licences of all that is linked into logfast:
# each module's licence and notice files, those of its packages that are linked,
# Go's, and an INDEX of one line a module: path, version, licence.
# A module without a licence, or with one that is not in the list below, fails.
set -eu
out=${1:?write where to: scripts/licenses.sh build/LICENSES}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is linked may differ by architecture: the released ones count.
for arch in amd64 arm64; do
    CGO_ENABLED=0 GOOS=linux GOARCH=$arch go list -deps \
        -f '{{with .Module}}{{if not .Main}}{{.Path}}|{{.Version}}|{{.Dir}}|{{$.Dir}}{{end}}{{end}}' . >>"$work/packages"
done
grep . "$work/packages" | sort -u >"$work/linked"
cut -d '|' -f 1-3 "$work/linked" | sort -u >"$work/modules"

kind() {
    text=$(tr -s ' \t\r\n' ' ' <"$1")
    case $text in
    *"Apache License Version 2.0"*) echo Apache-2.0 ;;
    *"Mozilla Public License"*"2.0"*) echo MPL-2.0 ;;
    *"Neither the name"*"Redistributions in binary form"* | *"Redistributions in binary form"*"Neither the name"*) echo BSD-3-Clause ;;
    *"Redistributions in binary form"*) echo BSD-2-Clause ;;
    *"Permission is hereby granted, free of charge"*) echo MIT ;;
    *"Permission to use, copy, modify, and/or distribute"* | *"Permission to use, copy, modify, and distribute"*) echo ISC ;;
    *) return 1 ;;
    esac
}

rm -rf "$out"
mkdir -p "$out"
while IFS='|' read -r path version dir; do
    [ -n "$dir" ] || { echo "licenses: $path is not in the module cache: go mod download" >&2; exit 1; }
    found=
    # The module's own directory, and those of linked packages up to it.
    grep -F "$path|$version|" "$work/linked" | cut -d '|' -f 4 | while read -r package; do
        while [ "$package" != "$dir" ] && [ "${package#"$dir"/}" != "$package" ]; do
            echo "$package"
            package=${package%/*}
        done
    done | sort -u >"$work/dirs"
    for place in "$dir" $(cat "$work/dirs"); do
        for file in "$place"/LICEN[CS]E* "$place"/COPYING* "$place"/NOTICE* "$place"/PATENTS*; do
            [ -f "$file" ] || continue
            case $file in *.go) continue ;; esac
            to=$out/$path${file#"$dir"}
            mkdir -p "${to%/*}"
            cp "$file" "$to"
            chmod 644 "$to"
            if [ "$place" = "$dir" ] && [ -z "$found" ]; then
                case ${file##*/} in
                LICEN[CS]E* | COPYING*) found=$(kind "$file") || { echo "licenses: $path: what licence is $file? Say so in scripts/licenses.sh" >&2; exit 1; } ;;
                esac
            fi
        done
    done
    [ -n "$found" ] || { echo "licenses: $path $version has no licence in $dir" >&2; exit 1; }
    echo "$path $version $found" >>"$out/INDEX"
done <"$work/modules"

mkdir -p "$out/go"
cp "$(go env GOROOT)/LICENSE" "$out/go/LICENSE"
echo "go $(go env GOVERSION) BSD-3-Clause" >>"$out/INDEX"
cp LICENSE "$out/LICENSE"
echo "$(wc -l <"$out/INDEX") licences of what is linked are in $out"
