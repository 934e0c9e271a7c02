#!/bin/sh
# Puts logfast's policy module into this host's SELinux policy, or takes it out,
# and labels its directories anew. It shows what it would do; --apply does it.
#
#   selinux/install.sh                        show what installing does
#   selinux/install.sh --apply                install
#   selinux/install.sh --uninstall [--apply]  take it out again
#   --root DIR   work on the policy store below DIR: load and label nothing
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
if [ "$action" = install ]; then
    build=${BUILD:-build}
    if [ ! -e "$build/logfast.pp" ]; then
        need checkmodule "apt-get install checkpolicy, or dnf install checkpolicy"
        need semodule_package "apt-get install semodule-utils, or dnf install policycoreutils"
        run make -s BUILD="$build"
    fi
    run semodule $store -i "$build/logfast.pp"
    if [ -z "$root" ]; then
        run mkdir -p /var/log/logfast /etc/logfast
        run chmod 0750 /var/log/logfast
        run chmod 0700 /etc/logfast
    fi
else
    run semodule $store -r logfast
fi
if [ -z "$root" ]; then
    for directory in /var/log/logfast /etc/logfast; do
        [ ! -e "$directory" ] && [ "$action" = uninstall ] || run restorecon -RF "$directory"
    done
fi
[ -n "$apply" ] || echo "nothing was done; with --apply it is"
