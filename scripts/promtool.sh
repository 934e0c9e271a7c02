#!/bin/sh
# Puts promtool at $1, out of Debian's package prometheus, without installing
# that: it would start a server.
set -eu
to=$1
if found=$(command -v promtool); then
    mkdir -p "$(dirname "$to")"
    ln -sf "$found" "$to"
    exit
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "promtool is missing: install Prometheus' tools (https://prometheus.io/download) so that promtool is in the PATH" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; } ||
    { echo "apt-get cannot download the package prometheus, which has promtool: look at the network and /etc/apt/sources.list, or install promtool" >&2; exit 1; }
dpkg-deb -x prometheus_*.deb root
cd - >/dev/null
mkdir -p "$(dirname "$to")"
mv "$work/root/usr/bin/promtool" "$to"
