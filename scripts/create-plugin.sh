#!/bin/sh
# Makes the managed plugin $1 of build/logfast, Dockerfile and config.json. A
# plugin of that name is replaced and keeps its settings, but not while containers
# use it: scripts/install.sh upgrades it then.
set -eu
. "$(dirname "$0")/lib.sh"
name=$1
cd "$here/.."
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

# What there is, and whether it may go. Docker does not disable, without -f, what
# is in use.
present=$(docker plugin inspect -f '{{.Enabled}}' "$name" 2>/dev/null || true)
settings=$work/settings
: >"$settings"
if [ -n "$present" ]; then settings_of "$name" >"$settings"; fi
in_use() {
    die "running containers log to $name, so nothing was changed. Upgrade it under them: make tree && scripts/install.sh --apply --name $name"
}
if [ "$present" = false ] && in_use_by_containers "$name"; then in_use; fi

# Without buildx the client falls back to the engine's own builder and warns.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0

mkdir "$work/context" "$work/plugin" "$work/plugin/rootfs"
cp build/logfast "$work/context/"
docker build --quiet --tag "$image" --file Dockerfile "$work/context" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
# The engine's own driver may be the plugin that is to be made.
container=$(docker create --log-driver none "$image")
docker export "$container" | tar -x -C "$work/plugin/rootfs"
cp config.json "$work/plugin/"
if [ "$present" = true ]; then
    output=$(docker plugin disable "$name" 2>&1) || case $output in
    *"in use"*) in_use ;;
    *) die "docker plugin disable $name failed: $output" ;;
    esac
fi
if [ -n "$present" ]; then
    if ! output=$(docker plugin rm "$name" 2>&1); then
        if [ "$present" = true ]; then docker plugin enable --timeout 0 "$name" >/dev/null; fi
        die "docker plugin rm $name failed, so the plugin is as it was: $output"
    fi
fi
if ! output=$(docker plugin create "$name" "$work/plugin" 2>&1); then
    if [ -s "$settings" ]; then
        cp "$settings" build/plugin-settings
        say "# the settings of the plugin that was there are in build/plugin-settings" >&2
    fi
    die "docker plugin create $name failed: $output"
fi
if [ -z "$present" ]; then
    say "plugin $name is there, not enabled"
    exit
fi

# Its settings again.
docker plugin inspect -f "$setting_names" "$name" >"$work/names"
select_known "$settings" "$work/names" >"$work/known"
warn_unknown "$settings" "$work/names" "$name"
set_settings "$name" "$work/known"
say "plugin $name is replaced, and keeps its settings: $(names_of "$work/known")"
if [ "$present" = true ]; then
    docker plugin enable --timeout 0 "$name" >/dev/null
    say "it is enabled again"
else
    say "it was not enabled, and is not: docker plugin enable --timeout 0 $name"
fi
