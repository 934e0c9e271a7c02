#!/bin/sh
# Takes logfast off this host's Docker engine again. Without --apply it changes
# nothing and says what it would do. Log files and credentials stay.
set -eu

usage() {
    cat <<'END'
uninstall.sh [--apply] [OPTION...]

  --apply             do it; without, only say what would be done
  --name NAME         what the plugin is called on this host (default: logfast)
  --restart           restart the engine where that is needed, with systemctl
  --daemon-json FILE  (default: the running engine's, else /etc/docker/daemon.json)
END
}

. "$(dirname "$0")/lib.sh"
daemon_json=
while [ $# -gt 0 ]; do
    case $1 in
    --apply) apply=true ;;
    --name) name=$(value "$@"); shift ;;
    --daemon-json) daemon_json=$(value "$@"); shift ;;
    --restart) restart=true ;;
    -h | --help) usage; exit ;;
    *) die "unknown option $1; uninstall.sh --help lists them" ;;
    esac
    shift
done
find_engine
find_daemon_json
need_logfast
dropin=$ROOT$dropins/logfast-$name.conf

# 1. The engine's file: the very bytes from before where only the installer has
# changed it since, else the two members.
before=$daemon_json.before-$name
names=
if [ -e "$daemon_json" ] && [ -n "$logfast" ]; then
    names=$("$logfast" daemon-json driver "$daemon_json")
fi
if [ "${names%% *}" = "$name" ]; then
    new=$(mktemp)
    trap 'rm -f "$new"' EXIT
    if [ -e "$before" ] && "$logfast" daemon-json merge --name "$name" "$before" | cmp -s - "$daemon_json"; then
        cat "$before" >"$new"
    else
        "$logfast" daemon-json restore "$daemon_json" "$before" >"$new"
    fi
    if [ -s "$new" ]; then
        validate "$new"
        replace "$daemon_json" "$new"
    else
        step rm "$daemon_json" # there was none
    fi
    if [ -e "$before" ]; then step rm "$before"; fi
fi

if [ -e "$dropin" ]; then
    step rm "$dropin"
    rmdir "$(dirname "$dropin")" 2>/dev/null || true
    step systemctl daemon-reload
fi

# 2. The engine must have another driver before the plugin goes: it would start
# no container.
restart_engine ''
if $apply && [ "$(docker info -f '{{.LoggingDriver}}')" = "$name" ]; then
    die "the engine still has $name as its logging driver: restart it, then run this again to remove the plugin"
fi

# 3. Containers keep the driver that they were made with.
users=$(docker ps -aq | while read -r id; do
    docker inspect -f "{{if or (eq .HostConfig.LogConfig.Type \"$name\") (eq .HostConfig.LogConfig.Type \"$name:latest\")}}{{.Name}} {{end}}" "$id" 2>/dev/null || true
done | tr -d '\n')
[ -z "$users" ] || die "these containers log to $name and could not start without it: ${users% }
Make them anew with another driver (docker rm, docker run; docker compose up --force-recreate), then run this again."

# 4. The plugin.
present=$(docker plugin inspect -f '{{.Enabled}}' "$name" 2>/dev/null || true)
if [ -n "$present" ]; then
    logs=$(source_of logs)
    config=$(source_of config)
    if [ "$present" = true ]; then step docker plugin disable "$name"; fi
    step docker plugin rm "$name"
    say "# log files stay in $logs, credentials in $config"
else
    say "# there is no plugin $name"
fi
$apply || say "# nothing was changed: --apply does it"
