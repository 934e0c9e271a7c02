#!/bin/sh
# Installs logfast on this host's Docker engine. Without --apply it changes
# nothing and says what it would do.
set -eu

usage() {
    cat <<'END'
install.sh [--apply] [--from REFERENCE] [OPTION...] [NAME=value...]

Installs the plugin, or upgrades the one that is there, which keeps its settings.

  --apply             do it; without, only say what would be done
  --from REFERENCE    the plugin in a registry, such as registry.example.com/logfast:0.1.0;
                      a tag that names no platform gets this engine's: -amd64, -arm64.
                      Without: the release that this script lies in, or a build (make build)
  --no-check          take settings that logfast check refuses
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
check=true
daemon_json=
while [ $# -gt 0 ]; do
    case $1 in
    --apply) apply=true ;;
    --from) from=$(value "$@"); shift ;;
    --name) name=$(value "$@"); shift ;;
    --daemon-json) daemon_json=$(value "$@"); shift ;;
    --default) default=true ;;
    --no-check) check=false ;;
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
was_enabled=$enabled

# finish runs at the end, whatever ends the script. After a failure it goes back to
# the plugin that was there, because containers wait while there is none.
work=$(mktemp -d)
undo=false
upgraded=false # the plugin may be another one by now
finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM
    if $undo; then go_back >&2; fi
    rm -rf "$work"
    exit $status
}
trap finish EXIT
# In a trap, the arguments are those of the function that ended the script, in some shells.
for setting in "$@"; do say "${setting%%=*}"; done >"$work/given"
trap 'exit 130' INT TERM

# serve_tree upgrades the plugin to the directory $1. Docker upgrades from a
# registry only, so logfast is one meanwhile, on loopback.
serve_tree() {
    step "$logfast" plugin-tree serve "$1" docker plugin upgrade --skip-remote-check --grant-all-permissions "$name" REFERENCE
}

# same_as reports whether the plugin is that of the directory $1.
same_as() {
    find_logfast plugin-tree settings "$1"
    [ -n "$logfast" ] && cmp -s "$1/rootfs/logfast" "$root/plugins/$id/rootfs/logfast" &&
        docker plugin inspect -f '{{json .Config}}' "$name" | "$logfast" plugin-tree same "$1" 2>/dev/null
}

# save_old copies the plugin that is there, as far as this user may read it.
save_old() {
    find_logfast plugin-tree --help
    mkdir -p "$work/old/rootfs"
    docker plugin inspect -f '{{json .Config}}' "$name" >"$work/old/config.json"
    cp "$root/plugins/$id/rootfs/logfast" "$work/old/rootfs/logfast" 2>/dev/null || rm -rf "$work/old"
}

go_back() {
    undo=false
    way_out="containers that log to $name wait until it is enabled: docker plugin enable --timeout 0 $name"
    outcome="the plugin is as it was, with its settings"
    say "# going back to the plugin as it was"
    docker plugin disable -f "$name" >/dev/null 2>&1 || true
    if [ -d "$work/old" ]; then
        if ! same_as "$work/old"; then
            if [ -z "$logfast" ] || ! (serve_tree "$work/old" >/dev/null); then
                say "# it is not as it was; $way_out"
                return
            fi
        fi
    elif $upgraded; then # this user may not read the plugin that was there
        outcome="the new plugin stays, with the settings of the one before"
    fi
    # What was set for the first time is taken away again, if the plugin knows it.
    while IFS= read -r given; do
        case $given in *.source) continue ;; esac
        if ! grep -q "^$given=" "$work/before"; then docker plugin set "$name" "$given=" >/dev/null 2>&1 || true; fi
    done <"$work/given"
    set_settings "$name" "$work/before" || true
    if [ "$was_enabled" = true ]; then
        docker plugin enable --timeout 0 "$name" >/dev/null || { say "# $way_out"; return; }
    fi
    say "# $outcome"
}

# check_settings refuses settings that are wrong, before anything is changed.
check_settings() {
    $check || return 0
    find_logfast check --settings-only --config /dev/null
    if [ -z "$logfast" ]; then
        say "# the settings are not checked: there is no logfast program on this host yet"
        return
    fi
    output=$("$logfast" check --settings-only --config-dir "$config" --config "$work/result" 2>/dev/null) && return
    die "these settings are wrong, says $("$logfast" version), so nothing was changed:
$(say "$output" | grep -v '^ok ')
Correct them on the command line: NAME=value, or NAME= for none. --no-check takes them as they are."
}

# Everything that can refuse does so before anything is changed.
tree=
if [ -n "$from" ]; then
    last=${from##*/}
    case $last in
    *@* | *:*-amd64 | *:*-arm64) ;;
    *:*) from=$from-$platform ;;
    *) die "$from names no version: write $from:VERSION" ;;
    esac
else
    for dir in "$here/plugin" "$here/../build/plugin"; do
        if [ -f "$dir/config.json" ] && [ -x "$dir/rootfs/logfast" ]; then tree=$dir; break; fi
    done
    if [ -n "$tree" ]; then
        version=$("$tree/rootfs/logfast" version 2>/dev/null) || die "$tree/rootfs/logfast does not run here: take the release for linux/$platform"
    elif [ -z "$present" ]; then
        die "there is no plugin here to install: name one in a registry with --from, or build one (make tree)"
    fi
fi
if $default; then
    find_daemon_json
    refuse_clash
fi

# What the plugin has now. An upgrade forgets where its mounts come from.
upgrade=false
: >"$work/before"
if [ -n "$present" ]; then
    settings_of "$name" >"$work/before"
    if [ -n "$from" ]; then
        case $installed in
        "$from" | */"$from") ;;
        *) upgrade=true ;;
        esac
    elif [ -n "$tree" ] && ! same_as "$tree"; then
        upgrade=true
    fi
fi
logs=${logs:-$(sed -n 's/^logs.source=//p' "$work/before")}
logs=${logs:-/var/log/logfast}
config=${config:-$(sed -n 's/^config.source=//p' "$work/before")}
config=${config:-/etc/logfast}
for dir in "$logs" "$config"; do
    case $dir in /*) ;; *) die "$dir is no absolute path" ;; esac
done

# What it will have. A registry's plugin does not say beforehand what it knows.
cp "$work/before" "$work/kept"
if [ -n "$tree" ]; then
    find_logfast plugin-tree settings "$tree"
    "$logfast" plugin-tree settings "$tree" >"$work/names"
    select_known "$work/before" "$work/names" >"$work/kept"
    warn_unknown "$work/before" "$work/names" "$version"
fi
grep -v '^[a-z]*\.source=' "$work/kept" >"$work/result" || true
for setting in "$@"; do
    case $setting in *.source=*) ;; *) say "$setting" >>"$work/result" ;; esac
done
check_settings
for dir in "$logs" "$config"; do
    if [ ! -d "$ROOT$dir" ]; then step mkdir -p -m 0750 "$ROOT$dir"; fi
done

# 1. The plugin, not enabled yet.
if [ -z "$present" ]; then
    if [ -n "$from" ]; then
        step docker plugin install --alias "$name" --disable --grant-all-permissions "$from"
    else
        step docker plugin create "$name" "$tree"
    fi
elif $upgrade || [ $# -gt 0 ]; then
    if $apply && $upgrade; then save_old; fi
    if $apply; then undo=true; fi
    if [ "$enabled" = true ]; then
        say "# containers that log to $name wait until it is enabled again; no line is lost"
        step docker plugin disable -f "$name"
        enabled=false
    fi
    if $upgrade && [ -n "$from" ]; then
        step docker plugin upgrade --skip-remote-check --grant-all-permissions "$name" "$from"
    elif $upgrade; then
        # Docker keeps the value of a variable that the new one does not know.
        if $apply; then
            while IFS= read -r setting; do
                case $setting in *.source=*) continue ;; esac
                if ! grep -qxF -e "${setting%%=*}" "$work/names"; then docker plugin set "$name" "${setting%%=*}=" >/dev/null; fi
            done <"$work/before"
        fi
        find_logfast plugin-tree settings "$tree"
        serve_tree "$tree"
    fi
    if $apply && $upgrade; then upgraded=true; fi
else
    say "# the plugin $name is there: ${version:-$installed}"
    if [ "$enabled" = true ] && ! $default; then say "# there is nothing to do"; fi
fi

# 2. Its settings, then on. Without --timeout 0 docker logs -f would end after 30 s.
if [ "$enabled" != true ]; then
    say docker plugin set "$name" "logs.source=$logs" "config.source=$config" "$@"
    if $upgrade; then say "# and it keeps: $(names_of "$work/kept")"; fi
    if $apply; then
        if $upgrade && [ -n "$from" ]; then
            docker plugin inspect -f "$setting_names" "$name" >"$work/names"
            select_known "$work/before" "$work/names" >"$work/kept"
            warn_unknown "$work/before" "$work/names" "$from"
        fi
        set_settings "$name" "$work/kept" "logs.source=$logs" "config.source=$config" "$@" || die "the settings were not taken"
    fi
    step docker plugin enable --timeout 0 "$name"
fi
undo=false

# 3. The engine. Its file gets log-driver alone: with log-opts in it an engine
# whose plugin is missing does not start. Options are the plugin's variables.
if $default; then
    need_logfast
    new=$work/daemon.json
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
