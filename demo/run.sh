#!/usr/bin/env bash
# The demo: a server error travels from a container to S3, for real.
#
#   make demo            builds everything, then calls this
#   demo/run.sh          needs the plugin logfast-demo:latest (created, disabled)
#                        and .tools/bin/versitygw
#   demo/run.sh clean    removes what a demo killed with -9 left behind
#
# It touches nothing but what it makes, and removes that again however it ends.
# All traffic stays on this machine's loopback and the containers' own.
set -eEuo pipefail
export LC_ALL=C

plugin=logfast-demo
image=logfast-demo-web:latest
label=logfast.demo
django=logfast-demo-django
nginx=logfast-demo-nginx
bucket=shop-logs
quiet=3 # seconds; the plugin's default is 30

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${LOGFAST_CACHE:-$PWD/.demo}
versitygw=$PWD/.tools/bin/versitygw
started=${LOGFAST_DEMO_STARTED:-$(date +%s)} # make says when it began to build

tmp=
gateway=
stage=0
stages=8
title="Check what is needed"
failure=

# --- words -------------------------------------------------------------------

bold='' dim='' red='' green='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

elapsed() { echo $(($(date +%s) - started)); }
step() {
    stage=$((stage + 1))
    title=$1
    printf '\n%s%4ss  %s/%s  %s%s\n' "$bold" "$(elapsed)" "$stage" "$stages" "$title" "$plain"
}
say() { printf '       %s\n' "$*"; }
quote() {
    local line
    while IFS= read -r line; do
        printf '       %s%s%s\n' "$dim" "$line" "$plain"
    done
}
die() {
    failure=$*
    exit 1
}
# blame names the line below that failed, however deep in a function it was.
blame() {
    local line=$1
    if [ "${#BASH_LINENO[@]}" -gt 2 ]; then
        line=${BASH_LINENO[-2]}
    fi
    failure="$(sed -n "${line}s/^ *//p" demo/run.sh) (demo/run.sh, line $line)"
}

# --- the engine, the bucket, and waiting: every one of them bounded ----------

engine() { timeout --foreground 60 docker "$@"; }

# wait_for SECONDS WHAT COMMAND... polls until the command succeeds.
wait_for() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || die "$what: not after $seconds s"
        sleep 0.1
    done
}

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

listens() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

gateway_answers() {
    kill -0 "$gateway" 2>/dev/null || die "versitygw ended"
    listens "$port"
}

# archive COMMAND...: logfast's own commands on the bucket, through S3 and
# nothing else, as on any machine that may read it.
archive() {
    env -i PATH="$PATH" TERM=dumb LOGFAST_STORE="s3://$bucket" AWS_ENDPOINT_URL_S3="http://127.0.0.1:$port" \
        AWS_REGION=us-east-1 AWS_SHARED_CREDENTIALS_FILE="$tmp/etc/credentials" \
        AWS_EC2_METADATA_DISABLED=true timeout --foreground 20 build/logfast "$1" --no-spool --utc "${@:2}"
}

on_disk() { cat "$tmp"/log/*/"$1".log 2>/dev/null; }

# Both of the group's segments, sealed and uploaded because of an error, and the
# incident that refers to them.
errors_shipped() {
    kill -0 "$gateway" 2>/dev/null || die "versitygw ended"
    archive ls >"$tmp/listing" 2>"$tmp/listing.error" || return 1
    [ "$(grep -c -- '-error\.log\.gz$' "$tmp/listing")" -ge 2 ] || return 1
    archive incidents >"$tmp/incidents" 2>"$tmp/listing.error" && grep -q /checkout "$tmp/incidents"
}

# --- the way out -------------------------------------------------------------

# sweep removes everything a demo makes, this one or an earlier one. A demo
# may fail in the middle of anything, so each part stands alone.
sweep() {
    sweep_containers
    if engine plugin inspect "$plugin" >/dev/null 2>&1; then
        engine plugin disable --force "$plugin" >/dev/null 2>&1 || true
        engine plugin rm --force "$plugin" >/dev/null 2>&1 || true
    fi
    engine image rm --force "$image" >/dev/null 2>&1 || true
    sweep_files
}

sweep_containers() {
    local ids
    ids=$(engine ps --all --quiet --filter "label=$label" 2>/dev/null) || ids=
    # shellcheck disable=SC2086 # one argument an id
    if [ -n "$ids" ] && ! engine rm --force $ids >/dev/null 2>&1; then
        # A plugin that is stuck can hold its containers: it goes first, then.
        engine plugin disable --force "$plugin" >/dev/null 2>&1 || true
        engine rm --force $ids >/dev/null 2>&1 || true
    fi
}

# sweep_files ends the S3 server and removes the temporary directory.
sweep_files() {
    if [ -z "$tmp" ] && [ -s "$cache/running" ]; then
        tmp=$(cat "$cache/running")
    fi
    case $tmp in */logfast-demo.*) ;; *) return 0 ;; esac
    if [ -s "$tmp/gateway.pid" ]; then
        gateway=$(cat "$tmp/gateway.pid")
        # Only what is still that process: an old number may be anybody's by now.
        if tr '\0' '\n' 2>/dev/null <"/proc/$gateway/cmdline" | grep -qxF "$tmp/s3"; then
            kill "$gateway" 2>/dev/null || true
            for _ in {1..50}; do
                kill -0 "$gateway" 2>/dev/null || break
                sleep 0.1
            done
            if kill -0 "$gateway" 2>/dev/null; then
                kill -9 "$gateway" 2>/dev/null || true
            fi
        fi
    fi
    rm -rf --one-file-system "$tmp" || true
    [ -e "$tmp" ] || rm -f "$cache/running"
}

# leftovers names what is still there.
leftovers() {
    engine ps --all --filter "label=$label" --format 'container {{.Names}}'
    engine plugin ls --format '{{.Name}}' | sed -n "s/^$plugin\(:latest\)\{0,1\}\$/plugin $plugin/p"
    engine image ls --format 'image {{.Repository}}:{{.Tag}}' "$image"
    if [ -n "$gateway" ] && kill -0 "$gateway" 2>/dev/null; then
        echo "process $gateway (versitygw)"
    fi
    if [ -n "$tmp" ] && [ -e "$tmp" ]; then
        echo "directory $tmp"
    fi
}

# explain says where the demo stopped and shows what the others had to say.
explain() {
    printf '\n%sThe demo failed in step %s, "%s": %s%s\n' "$red" "$stage" "$title" "$failure" "$plain"
    [ "$stage" -gt 0 ] || return 0
    if [ -n "$tmp" ] && [ -s "$tmp/versitygw.log" ]; then
        say "versitygw's last words, without its banner and the listings:"
        grep -v -e '^[^ -~]' -e "GET | /$bucket | - | list-type" "$tmp/versitygw.log" | tail -n 15 | quote
    fi
    say "The bucket, the spool and the containers:"
    if [ -n "$tmp" ]; then
        [ ! -s "$tmp/listing.error" ] || quote <"$tmp/listing.error"
        find "$tmp/s3" "$tmp/log" -type f -exec ls -l {} + 2>/dev/null | quote
    fi
    engine ps --all --filter "label=$label" --format '{{.Names}}: {{.Status}}' | quote
    local log id
    id=$(engine plugin inspect --format '{{.Id}}' "$plugin" 2>/dev/null)
    if systemctl is-active --quiet docker 2>/dev/null; then
        say "The plugin's own words, from journalctl -u docker:"
        journalctl -u docker --since "@$started" --no-pager --output cat 2>/dev/null |
            grep "plugin=$id" | tail -n 10 | quote
    elif log=$(readlink "/proc/$(cat /var/run/docker.pid 2>/dev/null)/fd/2") && [ -f "$log" ]; then
        say "The plugin's own words, from dockerd's log $log:"
        tail -n 1000 "$log" | grep -a "plugin=$id" | tail -n 10 | quote
    else
        say "The plugin's own words are in dockerd's log, wherever its stderr goes."
    fi
}

finish() {
    local status=$? left
    set +e
    trap - ERR EXIT
    trap '' INT TERM HUP PIPE # what follows is bounded; let it be whole
    if [ "$status" -ne 0 ] && [ "$status" -ne 130 ]; then
        explain >&2
    fi
    if [ "$status" -ne 0 ]; then
        printf '\nCleaning up.\n' >&2
    fi
    sweep
    left=$(leftovers)
    if [ -n "$left" ]; then # such as a container that began when Ctrl-C came
        sleep 2
        sweep
        left=$(leftovers)
    fi
    if [ -n "$left" ]; then
        printf '%sLeft behind:%s\n%s\n' "$red" "$plain" "$left" >&2
        [ "$status" -ne 0 ] || status=1
    elif [ "$status" -ne 0 ]; then
        echo "Nothing is left behind." >&2
    else
        say "containers, plugin, image, S3 server, temporary files: all gone"
        printf '\n%s%4ss  From the error to its log in the bucket: %s s, of which %s s were the quiet period.%s\n' \
            "$bold$green" "$(elapsed)" "$latency" "$quiet" "$plain"
    fi
    exit "$status"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock --nonblock 9; then
    echo "another demo is running" >&2
    exit 1
fi
[ "$(id -u)" -eq 0 ] || {
    echo "the demo needs root (plugins write as root): sudo env \"PATH=\$PATH\" make demo" >&2
    exit 1
}
case ${1:-} in
'') ;;
clean)
    sweep
    exit
    ;;
*)
    echo "usage: demo/run.sh [clean]" >&2
    exit 2
    ;;
esac

trap 'blame "$LINENO"' ERR
trap finish EXIT
trap 'exit 130' INT TERM HUP PIPE

# --- the demo ----------------------------------------------------------------

engine version >/dev/null || die "no Docker engine answers"
[ -x "$versitygw" ] || die "$versitygw is missing: make demo builds it"
engine plugin inspect "$plugin" >/dev/null 2>&1 || die "the plugin $plugin is missing: make demo builds it"
# What an earlier demo left when it was killed with -9.
sweep_containers
sweep_files
tmp='' gateway=''
engine plugin disable --force "$plugin" >/dev/null 2>&1 || true

tmp=$(mktemp -d "${TMPDIR:-/tmp}/logfast-demo.XXXXXXXX")
echo "$tmp" >"$cache/running"
mkdir -m 0700 "$tmp/log" "$tmp/etc" "$tmp/s3" "$tmp/metadata"

step "Make an image of nginx, gunicorn and Django from Debian's packages"
demo/image.sh "$image" | quote

step "Start a real S3 server (versitygw) on loopback"
access=DEMO$(random_hex 8)
secret=$(random_hex 20)
(umask 077 && printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$access" "$secret" >"$tmp/etc/credentials")
for _ in {1..20}; do
    port=$((20000 + RANDOM % 12000)) # below the range that outgoing connections use
    listens "$port" || break
done
# setsid: a Ctrl-C here is for the script, which then stops it in its turn.
env -i PATH="$PATH" ROOT_ACCESS_KEY="$access" ROOT_SECRET_KEY="$secret" setsid "$versitygw" \
    --port "127.0.0.1:$port" posix --sidecar "$tmp/metadata" "$tmp/s3" >"$tmp/versitygw.log" 2>&1 9>&- &
gateway=$!
echo "$gateway" >"$tmp/gateway.pid"
wait_for 20 "versitygw answers on 127.0.0.1:$port" gateway_answers
env -i PATH="$PATH" ADMIN_ACCESS_KEY="$access" ADMIN_SECRET_KEY="$secret" timeout --foreground 20 "$versitygw" \
    admin --endpoint-url "http://127.0.0.1:$port" create-bucket --owner "$access" --bucket "$bucket"
archive ls >/dev/null
say "http://127.0.0.1:$port, random keys, an empty bucket: s3://$bucket"

step "Configure and enable the plugin $plugin"
engine plugin set "$plugin" logs.source="$tmp/log" config.source="$tmp/etc" LOGFAST_STORE="s3://$bucket" \
    LOGFAST_QUIET_PERIOD="${quiet}s" AWS_ENDPOINT_URL_S3="http://127.0.0.1:$port" AWS_REGION=us-east-1
engine plugin enable "$plugin" >/dev/null
say "The quiet period is $quiet s here, so that you need not wait; its default is 30 s."

step "Run two containers, nginx in front of Django, with --log-driver $plugin"
# One private network namespace for both, with nothing in it but loopback.
driver=(--log-driver "$plugin" --log-opt fast-track-scope=group --log-opt group=shop)
engine run --detach --label "$label" --name "$django" --network none "${driver[@]}" "$image" serve django >/dev/null
engine run --detach --label "$label" --name "$nginx" --network "container:$django" "${driver[@]}" "$image" serve nginx >/dev/null
engine exec "$nginx" python3 client.py wait 8000 8080
say "docker run ${driver[*]} ..."
say "One group, shop: an error of one ships the words of both."

# fetch PATH... as the shop's customer; leaves the last answer's time in $answered.
fetch() {
    local time status bytes path colour
    engine exec "$nginx" python3 client.py get 8080 "$@" >"$tmp/answers"
    while read -r time status bytes path; do
        colour=$green
        [ "$status" -lt 500 ] || colour=$bold$red
        say "GET $(printf '%-12s' "$path") $colour$status$plain $dim$bytes bytes$plain"
        answered=$time
    done <"$tmp/answers"
}

step "Visit the shop: all is well, and two orders do not exist"
fetch / /orders/1 /orders/2 /orders/98 /orders/99 /
both_on_disk() { on_disk "$nginx" | grep -q /orders/99 && on_disk "$django" | grep -q /orders/99; }
wait_for 20 "the containers' lines are in text files under $tmp/log" both_on_disk
say "Their lines are plain text on this machine's disk already:"
find "$tmp/log" -name '*.log' | sort | quote
say "and end so:"
on_disk "$django" | tail -n 3 | quote
on_disk "$nginx" | tail -n 2 | quote

step "Check out: a real exception"
fetch /checkout
wait_for 60 "the error's log and its incident are in the bucket" errors_shipped
arrived=$EPOCHREALTIME
hundredths=$(((${arrived/./} - ${answered/./}) / 10000))
printf -v latency '%d.%02d' $((hundredths / 100)) $((hundredths % 100))
say "${bold}After $latency s the error's log is in the bucket$plain ($quiet s of quiet, then sealed, packed and uploaded)."

step "Look into the bucket with logfast's own commands"
# show COMMAND...: an archive command as you would type it, and what it prints.
show() {
    printf '\n       %s$ logfast %s%s\n' "$bold" "$*" "$plain"
    archive "$@" >"$tmp/shown"
    quote <"$tmp/shown"
}
show ls
show incidents
incident=$(awk 'END { print $NF }' "$tmp/shown") # the column LATEST
show incident "$incident"
grep -q Traceback "$tmp/shown" || die "the incident lacks the traceback"
# The incident quotes lines around each error. The traceback's end is not always among them.
show grep Error:

step "Clean up"
