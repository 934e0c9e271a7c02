#!/bin/sh
# Enables the plugin $1. $2 and $3 are its directories on this host, for logs and
# for credentials; without them it keeps the ones that it has.
set -eu
. "$(dirname "$0")/lib.sh"
name=$1
enabled=$(docker plugin inspect -f '{{.Enabled}}' "$name" 2>/dev/null) || die "there is no plugin $name: make plugin"
if [ "$enabled" = true ]; then
    [ -z "${2:-}${3:-}" ] || die "$name is enabled: docker plugin disable -f $name, then run this again (containers wait meanwhile)"
    say "plugin $name is enabled already"
    exit
fi
logs=${2:-$(source_of logs)}
config=${3:-$(source_of config)}
mkdir -p "$logs" "$config"
# An upgrade by hand forgets them: so they are set in any case.
docker plugin set "$name" "logs.source=$logs" "config.source=$config"
docker plugin enable --timeout 0 "$name"
say "log files are in $logs, credentials in $config"
