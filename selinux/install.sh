#!/bin/sh
# Puts logfast's policy modules into this host's SELinux policy, or takes them
# out, and labels its directories anew. It shows what it would do; --apply does it.
#
# The second module, logfast_initrc, is for a host where dockerd runs in initrc_t.
# If dockerd does not run, a policy without a module "container" decides for it.
#
#   selinux/install.sh                        show what installing does
#   selinux/install.sh --apply                install
#   selinux/install.sh --uninstall [--apply]  take it out again
#   --root DIR   work on the policy store below DIR: load and label nothing
#   PROC=DIR     look for dockerd below DIR instead of /proc
set -eu
cd "$(dirname "$0")"

apply= root= action=install
while [ $# -gt 0 ]; do
    case $1 in
    --apply) apply=yes ;;
    --uninstall) action=uninstall ;;
    --root)
        [ $# -gt 1 ] || { echo "install.sh: --root wants a directory: --root DIR" >&2; exit 2; }
        root=$2
        shift ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' install.sh; exit 0 ;;
    *) echo "install.sh: unknown option $1: write --apply, --uninstall, --root DIR" >&2; exit 2 ;;
    esac
    shift
done

fail() { echo "install.sh: $1" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is missing: install it with $2"; }
run() {
    echo "+ $*"
    [ -z "$apply" ] || "$@"
}

need semodule "apt-get install policycoreutils, or dnf install policycoreutils"
if [ -z "$root" ]; then
    need selinuxenabled "apt-get install selinux-utils, or dnf install libselinux-utils"
    [ -z "$apply" ] || selinuxenabled || fail "SELinux is off on this host: there is nothing to do. sestatus tells why"
    store=
else
    config=$(ls -d "$root"/etc/selinux/*/policy 2>/dev/null | head -n 1)
    [ -n "$config" ] || fail "there is no policy below $root/etc/selinux: name a root that has one"
    store="-n -p $root -s $(basename "$(dirname "$config")")"
fi

# shellcheck disable=SC2086 # $store is several words
installed=$(semodule $store -l) ||
    fail "semodule -l cannot list the policy's modules: run install.sh as root"
has() { echo "$installed" | grep -qE "^$1([[:space:]]|\$)"; }

# engine prints the type of the domain that dockerd runs in, if it runs. The
# policy store below --root is not this machine's, so only PROC counts there.
engine() {
    proc=${PROC:-/proc}
    [ -n "${PROC:-}" ] || [ -z "$root" ] || return 0
    for process in "$proc"/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" = dockerd ] || continue
        tr -d '\0' 2>/dev/null <"$process/attr/current" | cut -s -d : -f 3
        return 0
    done
}

# initrc says whether the second module belongs here.
initrc() {
    case $domain in
    initrc_t) return 0 ;;
    "") ! has container ;;
    *) return 1 ;;
    esac
}

# shellcheck disable=SC2086 # $store is several words
if [ "$action" = install ]; then
    domain=$(engine)
    case $domain in
    "" | initrc_t | container_runtime_t | dockerd_t) ;;
    *) echo "install.sh: dockerd runs in $domain, which logfast's modules do not know: its rules and those of the" \
        "command logfast will not fit. Write a module with logfast_engine_domain($domain) and" \
        "logfast_plugin_domain of the plugin's domain: docs/selinux.md" >&2 ;;
    esac
    build=${BUILD:-build}
    if [ ! -e "$build/logfast.pp" ] || { initrc && [ ! -e "$build/logfast_initrc.pp" ]; }; then
        need make "apt-get install make, or dnf install make"
        need checkmodule "apt-get install checkpolicy, or dnf install checkpolicy"
        need semodule_package "apt-get install semodule-utils, or dnf install policycoreutils"
        run make -s BUILD="$build"
    fi
    set -- -i "$build/logfast.pp"
    if initrc; then
        set -- "$@" -i "$build/logfast_initrc.pp"
    elif has logfast_initrc; then
        set -- "$@" -r logfast_initrc
    fi
    run semodule $store "$@"
    if [ -z "$root" ]; then
        run mkdir -p /var/log/logfast /etc/logfast
        run chmod 0750 /var/log/logfast
        run chmod 0700 /etc/logfast
    fi
else
    set -- -r logfast
    if has logfast_initrc; then set -- -r logfast_initrc "$@"; fi
    run semodule $store "$@"
fi
if [ -z "$root" ]; then
    for directory in /var/log/logfast /etc/logfast; do
        [ ! -e "$directory" ] && [ "$action" = uninstall ] || run restorecon -RF "$directory"
    done
fi
[ -n "$apply" ] || echo "nothing was done; with --apply it is"
