#!/bin/sh
# Builds the Docker engine $1 into .tools/engines/$1, from the Go module proxy:
# dockerd, and the containerd, shim and runc that both of today's lines run with.
# runc is C too, and wants libseccomp (make seccomp). What is there already is not built again.
set -eu
version=$1
cd "$(dirname "$0")/.."
root=$(pwd)/.tools/engines
engine=$root/$version
containerd=$root/containerd-$CONTAINERD
runc=$root/runc-$RUNC
export CGO_ENABLED=0 GOFLAGS=-mod=mod

if [ ! -x "$containerd/containerd" ]; then
    mkdir -p "$containerd"
    for program in containerd containerd-shim-runc-v2; do
        GOFLAGS='' GOBIN=$containerd go install -trimpath -tags 'no_btrfs no_devmapper no_zfs' "github.com/containerd/containerd/v2/cmd/$program@$CONTAINERD"
    done
fi
if [ ! -x "$runc/runc" ]; then
    CGO_ENABLED=1 GOFLAGS='' GOBIN=$runc go install -trimpath -tags seccomp "github.com/opencontainers/runc@$RUNC"
fi
if [ ! -x "$engine/dockerd" ]; then
    mkdir -p "$engine"
    tags='exclude_graphdriver_btrfs exclude_graphdriver_devicemapper exclude_graphdriver_zfs'
    case $version in
    v2.*)
        GOFLAGS='' GOBIN=$engine go install -trimpath -tags "$tags" "github.com/moby/moby/v2/cmd/dockerd@$version" ;;
    *)  # Before v2 it was no module: its requirements are in vendor.mod.
        source=$(mktemp -d)
        trap 'chmod -R u+w "$source"; rm -rf "$source"' EXIT
        cp -r "$(cd / && go mod download -json "github.com/docker/docker@$version+incompatible" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/." "$source"
        chmod -R u+w "$source"
        mv "$source/vendor.mod" "$source/go.mod"
        mv "$source/vendor.sum" "$source/go.sum"
        (cd "$source" && go build -trimpath -tags "$tags" -ldflags "-X github.com/docker/docker/dockerversion.Version=${version#v}" -o "$engine/dockerd" ./cmd/dockerd) ;;
    esac
fi
for program in containerd containerd-shim-runc-v2; do
    ln -sf "../containerd-$CONTAINERD/$program" "$engine/$program"
done
ln -sf "../runc-$RUNC/runc" "$engine/runc"
echo "engine $version is in .tools/engines/$version"
