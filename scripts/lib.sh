# What install.sh, uninstall.sh and the scripts of "make plugin" share; they read
# it at their start.
# ROOT is put before the host's paths, for tests.
ROOT=${ROOT:-}
here=$(cd "$(dirname "$0")" && pwd)
apply=false
restart=false
name=logfast
dropins=/etc/systemd/system/docker.service.d

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; exit 1; }

# value is what follows an option.
value() {
    [ $# -gt 1 ] && [ -n "$2" ] || die "$1 wants a value"
    printf '%s' "$2"
}

# step says a command, and runs it where things are to be done.
step() {
    say "$*"
    if $apply; then
        output=$("$@" 2>&1) || die "$* failed: $output"
    fi
}

# find_engine sets platform, and refuses an engine that logfast does not know.
find_engine() {
    command -v docker >/dev/null || die "there is no docker command here: install Docker first"
    engine=$(docker version -f '{{.Server.APIVersion}} {{.Server.Os}} {{.Server.Arch}}' 2>&1) ||
        die "the engine does not answer: start it, or run this as root ($engine)"
    # shellcheck disable=SC2086 # three words
    set -- $engine
    case $2/$3 in
    linux/amd64 | linux/arm64) platform=$3 ;;
    *) die "this engine is for $2/$3; logfast runs on linux/amd64 and linux/arm64" ;;
    esac
    [ "${1#1.}" -ge 41 ] || die "this engine speaks API $1; logfast wants Docker 20.10 or later, API 1.41"
    security=$(docker info -f '{{.SecurityOptions}}')
    case $security in *rootless*) die "this engine is rootless: install logfast by hand, as docs/engines.md says" ;; esac
}

# engine_pid is the process id of this host's dockerd, if it runs.
engine_pid() {
    pid=$(cat "$ROOT/run/docker.pid" "$ROOT/var/run/docker.pid" 2>/dev/null | head -n 1)
    if [ -n "$pid" ] && [ -r "$ROOT/proc/$pid/cmdline" ]; then say "$pid"; fi
}

# engine_flags prints the command line of this host's dockerd, a word a line.
engine_flags() {
    pid=$(engine_pid)
    if [ -n "$pid" ]; then tr '\0' '\n' <"$ROOT/proc/$pid/cmdline"; fi
}

# find_daemon_json sets daemon_json to the file that the engine reads.
find_daemon_json() {
    if [ -n "$daemon_json" ]; then return; fi
    daemon_json=$(engine_flags | sed -n 's/^--config-file=//p; /^--config-file$/{n;p;}' | tail -n 1)
    daemon_json=$ROOT${daemon_json:-/etc/docker/daemon.json}
}

# refuse_clash ends where the engine's command line sets a logging driver: the
# engine does not start with one there and one in daemon.json.
refuse_clash() {
    found=$(
        for file in "$ROOT/etc/sysconfig/docker" "$ROOT/etc/default/docker" \
            "$ROOT"/etc/systemd/system/docker.service "$ROOT"/etc/systemd/system/docker.service.d/*.conf \
            "$ROOT"/run/systemd/system/docker.service.d/*.conf \
            "$ROOT"/usr/lib/systemd/system/docker.service "$ROOT"/usr/lib/systemd/system/docker.service.d/*.conf \
            "$ROOT"/lib/systemd/system/docker.service "$ROOT"/lib/systemd/system/docker.service.d/*.conf; do
            if [ -f "$file" ]; then grep -nH -e '^[^#;]*--log-\(driver\|opt\)' "$file" || true; fi
        done
    )
    if [ -z "$found" ]; then
        found=$(engine_flags | grep -e '^--log-\(driver\|opt\)' || true)
        if [ -n "$found" ]; then found="the running engine's command line: $found"; fi
    fi
    [ -z "$found" ] || die "a logging driver is set on the engine's command line:
$found
With one in daemon.json as well the engine does not start. Take it out there, restart the engine, then run this again; or leave --default out."
}

# find_logfast sets logfast to a program for this host that can do what follows:
# one of the release or build here, or the plugin's own. Empty where there is none.
find_logfast() {
    logfast=
    root=$(docker info -f '{{.DockerRootDir}}')
    id=$(docker plugin inspect -f '{{.ID}}' "$name" 2>/dev/null || true)
    for program in "${tree:-$here/plugin}/rootfs/logfast" "$here/../build/logfast" "$(command -v logfast || true)" \
        "${work:-none}/old/rootfs/logfast" "$root/plugins/${id:-none}/rootfs/logfast"; do
        if [ -n "$program" ] && "$program" "$@" </dev/null >/dev/null 2>&1; then logfast=$program; return; fi
    done
}

# need_logfast is find_logfast for daemon.json; --apply cannot do without it.
need_logfast() {
    find_logfast daemon-json driver /dev/null
    if $apply && [ -z "$logfast" ]; then die "no logfast program was found in $root/plugins/$id/rootfs: put one beside this script"; fi
}

# source_of is where a mount of the plugin $name comes from, $1 is logs or config.
# Docker mounts what Config says and shows Settings too. Config is newer, but for
# an upgrade, which puts it back to the default.
source_of() {
    from_config=$(docker plugin inspect -f "{{range .Config.Mounts}}{{if eq .Name \"$1\"}}{{.Source}}{{end}}{{end}}" "$name")
    from_settings=$(docker plugin inspect -f "{{range .Settings.Mounts}}{{if eq .Name \"$1\"}}{{.Source}}{{end}}{{end}}" "$name")
    is_enabled=$(docker plugin inspect -f '{{.Enabled}}' "$name")
    case $is_enabled:$1:$from_config in
    false:logs:/var/log/logfast | false:config:/etc/logfast) say "${from_settings:-$from_config}" ;;
    *) say "${from_config:-$from_settings}" ;;
    esac
}

# setting_names has docker plugin inspect print what can be set, a name a line.
setting_names='{{range .Config.Env}}{{if .Settable}}{{println .Name}}{{end}}{{end}}{{range .Config.Mounts}}{{if .Settable}}{{.Name}}.source{{println}}{{end}}{{end}}'

# settings_of prints all settings of a plugin, NAME=value or NAME.source=value a
# line.
settings_of() {
    lines=$(docker plugin inspect -f '{{range .Settings.Env}}{{println .}}{{end}}' "$1")
    wrong=$(say "$lines" | grep -vn -e '^$' -e '^[A-Za-z_][A-Za-z0-9_]*=' || true)
    [ -z "$wrong" ] || die "a setting of $1 has more than one line (docker plugin inspect $1): set it to one line first, with docker plugin set"
    if [ -n "$lines" ]; then say "$lines"; fi
    say "logs.source=$(source_of logs)"
    say "config.source=$(source_of config)"
}

# select_known prints the lines of the file $1 whose names are in the file $2.
select_known() {
    while IFS= read -r setting; do
        if grep -qxF -e "${setting%%=*}" "$2"; then say "$setting"; fi
    done <"$1"
}

# warn_unknown names the settings of $1 that are not in $2: of the plugin $3.
warn_unknown() {
    while IFS= read -r setting; do
        if [ -n "${setting#*=}" ] && ! grep -qxF -e "${setting%%=*}" "$2"; then
            say "warning: $3 has no setting ${setting%%=*} any more, so that it is not kept" >&2
        fi
    done <"$1"
}

# names_of prints the names of a file's settings, in one line.
names_of() { sed 's/=.*//' "$1" | tr '\n' ' ' | sed 's/ $//'; }

# set_settings sets the settings of the file $2 on the plugin $1, then what
# follows: the last of a name wins. It prints no value: one may be a secret.
set_settings() {
    plugin=$1 file=$2
    shift 2
    given=$#
    while IFS= read -r setting; do set -- "$@" "$setting"; done <"$file"
    while [ "$given" -gt 0 ]; do
        setting=$1
        shift
        set -- "$@" "$setting"
        given=$((given - 1))
    done
    [ $# -gt 0 ] || return 0
    output=$(docker plugin set "$plugin" "$@" 2>&1) || { say "docker plugin set $plugin failed: $output" >&2; return 1; }
}

# in_use_by_containers reports whether running containers log to a plugin.
in_use_by_containers() {
    for id in $(docker ps -q); do
        case $(docker inspect -f '{{.HostConfig.LogConfig.Type}}' "$id" 2>/dev/null) in
        "$1" | "$1:latest" | "${1%:latest}") return 0 ;;
        esac
    done
    return 1
}

# validate asks the engine's program about a daemon.json, where it can tell.
validate() {
    if dockerd --help 2>/dev/null | grep -q -e --validate; then
        output=$(dockerd --validate --config-file "$1" 2>&1) || die "the engine would not take it, so nothing was changed there: $output"
        say "# dockerd --validate takes it"
    else
        say "# this dockerd cannot validate a file"
    fi
}

# keep keeps daemon.json as it was before logfast: an empty file where there was
# none. One that was kept already is not replaced.
keep() {
    before=$daemon_json.before-$name
    if [ -e "$before" ]; then return; fi
    if [ -e "$daemon_json" ]; then
        step cp -p "$daemon_json" "$before"
    else
        step mkdir -p "$(dirname "$daemon_json")"
        say ": >$before"
        if $apply; then : >"$before"; fi
    fi
}

# replace gives a file new contents by a rename; owner and mode stay.
replace() {
    say "write $1"
    $apply || return 0
    fresh=$1.logfast-new
    if [ -e "$1" ]; then cp -p "$1" "$fresh"; else : >"$fresh" && chmod 0644 "$fresh"; fi
    cat "$2" >"$fresh"
    sync "$fresh" 2>/dev/null || sync
    mv "$fresh" "$1"
}

# make_boot_safe has the plugin's directories made before the engine starts. An
# engine that finds one gone does not enable the plugin, and Docker 20.10 ends in
# a panic then when it starts again a container that logs to it.
make_boot_safe() {
    dropin=$ROOT$dropins/logfast-$name.conf
    if [ ! -d "$ROOT/run/systemd/system" ]; then
        say "# there is no systemd here: have \"mkdir -p $logs $config\" run before the engine starts (docs/installing.md)"
        return
    fi
    text="[Service]
ExecStartPre=-/bin/mkdir -p \"$logs\" \"$config\""
    if [ -e "$dropin" ] && [ "$(cat "$dropin")" = "$text" ]; then return; fi
    say "# $dropin becomes:"
    say "$text" | sed 's/^/#   /'
    step mkdir -p "$(dirname "$dropin")"
    if $apply; then say "$text" >"$dropin"; fi
    step systemctl daemon-reload
}

# restart_engine restarts it where that is wanted and its logging driver is not
# what it shall be ($1; empty: anything but this plugin).
restart_engine() {
    now=$(docker info -f '{{.LoggingDriver}}')
    if [ -n "$1" ]; then
        [ "$now" != "$1" ] || return 0
    else
        [ "$now" = "$name" ] || return 0
    fi
    if $restart; then
        step systemctl restart docker
    else
        say "# the engine reads it when it starts: systemctl restart docker (containers stop, unless it has live-restore)"
    fi
}
