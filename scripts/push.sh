#!/bin/sh
# Pushes the release build/release/logfast-$1-* to the repository $2, such as
# registry.example.com/logfast. A plugin's manifest names no platform and Docker
# chooses none, so each has a tag: $1-amd64, $1-arm64, and $1 is amd64's.
set -eu
version=$1
repository=$2
cd "$(dirname "$0")/.."
(cd build/release && sha256sum --quiet -c SHA256SUMS)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for arch in amd64 arm64; do
    base=logfast-$version-linux-$arch
    tar -xzf "build/release/$base.tar.gz" -C "$work"
    tags=$version-$arch
    if [ $arch = amd64 ]; then tags="$tags $version"; fi
    for tag in $tags; do
        docker plugin create "$repository:$tag" "$work/$base/plugin" >/dev/null
        docker plugin push "$repository:$tag" || { docker plugin rm "$repository:$tag" >/dev/null; exit 1; }
        docker plugin rm "$repository:$tag" >/dev/null
    done
done
