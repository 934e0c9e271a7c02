#!/usr/bin/env bash
# Builds the demo's Docker image from Debian's packages, with nothing pulled
# from a registry: nginx, gunicorn and Django by debootstrap, then docker import.
#
#   demo/image.sh NAME[:TAG]
#
# The file system is kept as a tarball in ${LOGFAST_CACHE:-<repository>/.demo},
# named by a hash of all that goes into it; a second run only imports it.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 1 ]; then
    echo "usage: demo/image.sh NAME[:TAG]" >&2
    exit 2
fi
name=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LOGFAST_CACHE:-$(dirname "$here")/.demo}
packages=nginx,gunicorn,python3-django
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "image: $*"; }
die() {
    echo "image: $*" >&2
    exit 1
}

# The host's own Debian, so that its apt mirror serves; elsewhere bookworm.
suite=bookworm
host_is_debian=
if [ -r /etc/os-release ]; then
    # shellcheck source=/dev/null
    host=$(. /etc/os-release && echo "${ID:-} ${VERSION_CODENAME:-}")
    if [[ $host =~ ^debian\ ([a-z]+)$ ]]; then
        suite=${BASH_REMATCH[1]}
        host_is_debian=yes
    fi
fi

inputs() {
    echo "$suite $(uname -m)"
    cd "$here"
    find image.sh nginx.conf app -type f ! -name '*.pyc' | sort | xargs sha256sum
}
key=$(inputs | sha256sum)
key=${key:0:16}
tarball=$cache/web-$suite-$key.tar

# apt_setting NAME prints a setting of the host's apt, or nothing.
apt_setting() {
    command -v apt-config >/dev/null || return 0
    local value=
    eval "$(apt-config shell value "$1")"
    echo "$value"
}

# mirror prints where the host's apt gets this suite from, or nothing.
mirror() {
    [ -n "$host_is_debian" ] && command -v apt-get >/dev/null || return 0
    local target
    # shellcheck disable=SC2016 # apt's own variables
    while read -r target; do
        case $target in
        "$suite main http://"* | "$suite main https://"*)
            target=${target##* }
            echo "${target%/}"
            return
            ;;
        esac
    done < <(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null)
}

get_debootstrap() {
    if ! command -v debootstrap >/dev/null; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            die "debootstrap is missing. Install it (Debian, Ubuntu: sudo apt-get install debootstrap debian-archive-keyring;" \
                "Fedora: sudo dnf install debootstrap debian-keyring) and run this again"
        fi
        say "installing debootstrap with apt-get"
        local log=$work/apt.log
        apt_install() {
            DEBIAN_FRONTEND=noninteractive apt-get install -y -o DPkg::Lock::Timeout=60 --no-install-recommends \
                debootstrap debian-archive-keyring >>"$log" 2>&1
        }
        apt_install || { apt-get update >>"$log" 2>&1 && apt_install; } || {
            tail -n 20 "$log" >&2
            die "apt-get could not install debootstrap (its words are above)"
        }
    fi
    [ "$(id -u)" -eq 0 ] ||
        die "debootstrap needs root: run this once with sudo, its result is kept in $cache"
}

build() {
    local started=$SECONDS root=$work/root from
    get_debootstrap
    [ -e "/usr/share/debootstrap/scripts/$suite" ] ||
        die "this debootstrap does not know Debian $suite: install a newer one"
    from=$(mirror)
    http_proxy=${http_proxy:-$(apt_setting Acquire::http::Proxy)}
    https_proxy=${https_proxy:-$(apt_setting Acquire::https::Proxy)}
    [ -z "$http_proxy" ] || [ "$http_proxy" = DIRECT ] || export http_proxy
    [ -z "$https_proxy" ] || [ "$https_proxy" = DIRECT ] || export https_proxy
    say "building Debian $suite with ${packages//,/, } from ${from:-the default mirror} (about a minute)"

    # dpkg: no fsync for files that end in a tarball, no documentation; and no
    # package may start its service.
    mkdir -p "$root/etc/dpkg/dpkg.cfg.d" "$root/usr/sbin"
    printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \
        'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/locale/*' \
        'path-exclude=/usr/lib/python3/dist-packages/*.mo' >"$root/etc/dpkg/dpkg.cfg.d/demo"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"

    local options=(--variant=minbase "--include=$packages")
    if [ -e "$keyring" ]; then
        options+=("--keyring=$keyring")
    fi
    # In a mount namespace of its own: what debootstrap mounts goes when it does.
    # shellcheck disable=SC2086 # an empty mirror is debootstrap's default
    timeout --foreground 600 unshare --mount debootstrap "${options[@]}" "$suite" "$root" $from >"$work/debootstrap.log" 2>&1 || {
        tail -n 20 "$work/debootstrap.log" "$root/debootstrap/debootstrap.log" >&2 || true
        die "debootstrap failed (its last words are above)"
    }

    rm -rf "$root"/usr/share/{doc,man,info,locale} "$root"/var/cache/apt "$root"/var/cache/debconf \
        "$root"/var/lib/apt/lists "$root"/var/log/* "$root/etc/dpkg/dpkg.cfg.d/demo" \
        "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf" "$root/etc/hostname"
    mkdir -p "$root/srv/app"
    cp -R "$here/app/shop" "$here/app/client.py" "$root/srv/app/"
    find "$root/srv/app" -name __pycache__ -prune -exec rm -rf {} +
    install -m 0755 "$here/app/serve" "$root/usr/local/bin/serve"
    install -m 0644 "$here/nginx.conf" "$root/srv/nginx.conf"

    tar -C "$root" --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$work/web.tar" .
    rm -f "$cache"/web-*.tar
    mv "$work/web.tar" "$tarball"
    say "built $(du -h "$tarball" | cut -f1) in $((SECONDS - started)) s"
}

mkdir -p "$cache"
if [ ! -e "$tarball" ]; then
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    trap 'exit 130' INT TERM
    build
fi
comment="logfast demo $key"
was=$(docker image inspect --format '{{.Comment}}' "$name" 2>/dev/null) || was=
if [ "$was" = "$comment" ]; then
    say "$name is there already"
    exit
fi
[ -z "$was" ] || docker image rm --force "$name" >/dev/null
docker import --message "$comment" \
    --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1' \
    --change 'WORKDIR /srv/app' --change 'CMD ["serve", "django"]' \
    "$tarball" "$name" >/dev/null
say "imported $name"
