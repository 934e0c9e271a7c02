#!/bin/sh
# Installs what the tests of the SELinux policy need: Debian's default policy,
# its headers, the compilers and setools. They are files; nothing is enabled.
set -eu
missing=
for package in selinux-policy-default selinux-policy-dev checkpolicy semodule-utils policycoreutils selinux-utils setools; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null || { echo "the tests of the SELinux policy want Debian's packages:$missing" >&2; exit 1; }
if [ "$(id -u)" != 0 ]; then
    echo "the tests of the SELinux policy need packages; as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing for the tests of the SELinux policy:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # several words
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; }
