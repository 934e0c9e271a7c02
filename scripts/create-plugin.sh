#!/bin/sh
# Makes the managed plugin $1 of build/logfast, Dockerfile and config.json.
# A plugin of that name is replaced, but not while containers use it.
set -eu
name=$1
cd "$(dirname "$0")/.."
image=logfast-rootfs:$$
work=$(mktemp -d)
container=
cleanup() {
    if [ -n "$container" ]; then docker rm "$container" >/dev/null; fi
    docker image rm -f "$image" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Without buildx the client falls back to the engine's own builder and warns.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0

mkdir "$work/context" "$work/rootfs"
cp build/logfast "$work/context/"
docker build --quiet --tag "$image" --file Dockerfile "$work/context" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
# The engine's own driver may be the plugin that is to be made.
container=$(docker create --log-driver none "$image")
docker export "$container" | tar -x -C "$work/rootfs"
cp config.json "$work/"
rm -r "$work/context"
if docker plugin inspect "$name" >/dev/null 2>&1; then
    docker plugin disable "$name" >/dev/null 2>&1 || true
    docker plugin rm "$name" >/dev/null
fi
docker plugin create "$name" "$work" >/dev/null
echo "plugin $name is there, not enabled"
