#!/bin/sh
# Installs logfast on this host's Docker engine. Without --apply it changes
# nothing and says what it would do.
set -eu

usage() {
    cat <<'END'
install.sh [--apply] [--from REFERENCE] [OPTION...] [NAME=value...]

  --apply             do it; without, only say what would be done
  --from REFERENCE    the plugin in a registry, such as registry.example.com/logfast:0.1.0;
                      a tag that names no platform gets this engine's: -amd64, -arm64.
                      Without: the release that this script lies in, or a build (make build)
  --name NAME         what the plugin is called on this host (default: logfast)
  --default           make it the logging driver of all new containers, in daemon.json
  --restart           restart the engine then, with systemctl: containers stop, unless
                      the engine has live-restore
  --daemon-json FILE  (default: the running engine's, else /etc/docker/daemon.json)

NAME=value are the plugin's variables, such as LOGFAST_STORE=s3://my-logs, and the
directories of this host, logs.source=/data/log and config.source=/root/logfast.
Credentials go into the file credentials of the latter (default: /etc/logfast).
END
}

. "$(dirname "$0")/lib.sh"
from=
default=false
daemon_json=
while [ $# -gt 0 ]; do
    case $1 in
    --apply) apply=true ;;
    --from) from=$(value "$@"); shift ;;
    --name) name=$(value "$@"); shift ;;
    --daemon-json) daemon_json=$(value "$@"); shift ;;
    --default) default=true ;;
    --restart) restart=true ;;
    -h | --help) usage; exit ;;
    -*) die "unknown option $1; install.sh --help lists them" ;;
    *=*) break ;;
    *) die "$1 is neither an option nor NAME=value; install.sh --help" ;;
    esac
    shift
done

logs=
config=
for setting in "$@"; do
    case $setting in
    logs.source=*) logs=${setting#*=} ;;
    config.source=*) config=${setting#*=} ;;
    AWS_SECRET_ACCESS_KEY=* | AWS_SESSION_TOKEN=* | AWS_ACCESS_KEY_ID=*)
        die "${setting%%=*} would be seen in docker plugin inspect: write it to the file credentials in ${config:-/etc/logfast}, or use a role (docs/installing.md)" ;;
    [A-Z]*=*) ;;
    *) die "$setting is not NAME=value; install.sh --help" ;;
    esac
done

find_engine
present=$(docker plugin inspect -f '{{.PluginReference}} {{.Enabled}}' "$name" 2>/dev/null || true)
installed=${present% *}
enabled=${present##* }

# Everything that can refuse does so before anything is changed.
if [ -n "$from" ]; then
    last=${from##*/}
    case $last in
    *@* | *:*-amd64 | *:*-arm64) ;;
    *:*) from=$from-$platform ;;
    *) die "$from names no version: write $from:VERSION" ;;
    esac
elif [ -z "$present" ]; then
    tree=
    for dir in "$here/plugin" "$here/../build/plugin"; do
        if [ -f "$dir/config.json" ] && [ -x "$dir/rootfs/logfast" ]; then tree=$dir; break; fi
    done
    [ -n "$tree" ] || die "there is no plugin here to install: name one in a registry with --from, or build one (make tree)"
fi
if $default; then
    find_daemon_json
    refuse_clash
fi

# 1. The plugin, not enabled yet.
logs_were=
config_were=
upgrade=false
if [ -n "$present" ]; then
    # What it has now: an upgrade forgets it.
    logs_were=$(source_of logs)
    config_were=$(source_of config)
    case $installed in
    "$from" | */"$from") ;;
    *) if [ -n "$from" ]; then upgrade=true; fi ;;
    esac
fi
logs=${logs:-${logs_were:-/var/log/logfast}}
config=${config:-${config_were:-/etc/logfast}}
for dir in "$logs" "$config"; do
    case $dir in /*) ;; *) die "$dir is no absolute path" ;; esac
    if [ ! -d "$ROOT$dir" ]; then step mkdir -p -m 0750 "$ROOT$dir"; fi
done
if [ -z "$present" ]; then
    if [ -n "$from" ]; then
        step docker plugin install --alias "$name" --disable --grant-all-permissions "$from"
    else
        step docker plugin create "$name" "$tree"
    fi
elif $upgrade || [ $# -gt 0 ]; then
    if [ "$enabled" = true ]; then
        say "# containers that log to $name wait until it is enabled again; no line is lost"
        step docker plugin disable -f "$name"
        enabled=false
    fi
    if $upgrade; then step docker plugin upgrade --skip-remote-check --grant-all-permissions "$name" "$from"; fi
else
    say "# the plugin $name is there: $installed"
fi

# 2. Its settings, then on. Without --timeout 0 docker logs -f would end after 30 s.
if [ "$enabled" != true ]; then
    step docker plugin set "$name" "logs.source=$logs" "config.source=$config" "$@"
    step docker plugin enable --timeout 0 "$name"
fi

# 3. The engine. Its file gets log-driver alone: with log-opts in it an engine
# whose plugin is missing does not start. Options are the plugin's variables.
if $default; then
    find_logfast
    new=$(mktemp)
    trap 'rm -f "$new"' EXIT
    if $apply || [ -n "$logfast" ]; then
        "$logfast" daemon-json merge --name "$name" "$daemon_json" >"$new"
        if [ -e "$daemon_json" ] && cmp -s "$daemon_json" "$new"; then
            say "# $daemon_json has it already"
        else
            opts=$("$logfast" daemon-json driver "$daemon_json")
            case $opts in *\ *) say "# daemon-wide log-opts (${opts#* }) go: they are kept in $daemon_json.before-$name for uninstall.sh" ;; esac
            say "# $daemon_json becomes:"
            sed 's/^/#   /' "$new"
            validate "$new"
            keep
            replace "$daemon_json" "$new"
        fi
    else
        say "# $daemon_json gets \"log-driver\": \"$name\"; what else is in it stays, but for log-opts"
    fi
    make_boot_safe
    restart_engine "$name"
    say "# containers that exist already keep their logging driver"
fi
$apply || say "# nothing was changed: --apply does it"
