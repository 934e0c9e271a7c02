#!/bin/sh
# Makes build/release/logfast-$1-linux-{amd64,arm64}.tar.gz with their bills of
# materials and checksums. The same source and Go give the same bytes, wherever
# and whenever.
set -eu
version=$1
cd "$(dirname "$0")/.."
case $version in
'' | *[!0-9A-Za-z.-]*) echo "release: VERSION=$version: write one such as 0.1.0" >&2; exit 1 ;;
esac
release=build/release
rm -rf "$release"
mkdir -p "$release"
export CGO_ENABLED=0 GOOS=linux GOFLAGS=-buildvcs=false GOAMD64=v1 GOARM64=v8.0 LC_ALL=C TZ=UTC
umask 022

# Whose licences are in it: "make licenses" writes them, where it is there.
if make -n licenses >/dev/null 2>&1; then make licenses >&2; fi

for arch in amd64 arm64; do
    base=logfast-$version-linux-$arch
    dir=$release/$base
    mkdir "$dir"
    GOARCH=$arch go build -trimpath -ldflags "-s -w -funcalign=16 -X github.com/logfast/logfast/cli.Version=$version" -o "$release/logfast" .
    scripts/tree.sh "$release/logfast" "$dir/plugin"
    rm "$release/logfast"
    GOARCH='' GOOS='' go run ./scripts/sbom "$dir/plugin/rootfs/logfast" "$version" >"$release/$base.cdx.json"
    cp "$release/$base.cdx.json" "$dir/sbom.cdx.json"
    cp scripts/install.sh scripts/uninstall.sh scripts/lib.sh README.md CHANGELOG.md LICENSE "$dir/"
    cp -r docs "$dir/docs"
    if [ -d build/LICENSES ]; then cp -r build/LICENSES "$dir/LICENSES"; fi
    find "$dir" -type d -exec chmod 0755 {} +
    find "$dir" -type f ! -perm -u+x -exec chmod 0644 {} +
    find "$dir" -type f -perm -u+x -exec chmod 0755 {} +
    tar --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$release" -cf - "$base" | gzip -9n >"$release/$base.tar.gz"
    rm -rf "$dir"
done
(cd "$release" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS && cat SHA256SUMS)
