#!/bin/sh
# Makes the directory $2 of the program $1: what docker plugin create takes. Times
# and modes are the same each time, and with them the plugin's digest.
set -eu
case $1 in /*) program=$1 ;; *) program=$(pwd)/$1 ;; esac
case $2 in /*) tree=$2 ;; *) tree=$(pwd)/$2 ;; esac
cd "$(dirname "$0")/.."
rm -rf "$tree"
mkdir -p "$tree/rootfs"
cp "$program" "$tree/rootfs/logfast"
cp config.json "$tree/config.json"
chmod 0755 "$tree" "$tree/rootfs" "$tree/rootfs/logfast"
chmod 0644 "$tree/config.json"
find "$tree" -exec touch -h -d @0 {} +
