#!/bin/sh
# Runs a command with the Docker engine of directory $1 (dockerd, containerd and
# its shim, runc) beside the machine's own, and removes it:
#   scripts/with-engine.sh .tools/engines/v28.5.2 go test -tags e2e ./test/e2e/
# Engines that the command starts itself are of the same directory. CGROUP=v2 lets
# them all find that version, without controllers where the machine has v1.
set -eu
if [ "${CGROUP:-}" = v2 ] && [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    exec unshare --mount --propagation private sh -ec 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"' sh "$0" "$@"
fi
engine=$(cd "$1" && pwd)
shift
dir=$(mktemp -d /tmp/logfast-engine.XXXXXX) # short: sockets' paths are
PATH=$engine:$PATH
export PATH
dockerd=
containerd=
cleanup() {
    status=$?
    for pid in $dockerd $containerd; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    grep -F " $dir/" /proc/self/mounts | cut -d ' ' -f 2 | sort -r | while read -r at; do umount -l "$at" || true; done
    if [ $status -ne 0 ]; then tail -n 100 "$dir/log" >&2; fi
    rm -rf "$dir"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# await waits a minute for a command to succeed.
await() {
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "with-engine: $* never succeeded" >&2
    exit 1
}

echo '{}' >"$dir/config.json"
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$dir/config.toml"
containerd --config "$dir/config.toml" --root "$dir/c" --state "$dir/s" --address "$dir/c.sock" >>"$dir/log" 2>&1 &
containerd=$!
await test -S "$dir/c.sock"
dockerd --config-file "$dir/config.json" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" \
    --host "unix://$dir/sock" --containerd "$dir/c.sock" --bridge=none --iptables=false >>"$dir/log" 2>&1 &
dockerd=$!
export DOCKER_HOST="unix://$dir/sock"
await docker version
docker info -f 'engine {{.ServerVersion}}, storage {{.Driver}}, cgroup v{{.CgroupVersion}}'
"$@"
