#!/bin/bash
# Run commands as a new user would: in a fresh clone of this repository on a minimal Debian 12 that has python3, make,
# git and ca-certificates, and nothing else.
#
#   scripts/bare-machine.sh 'make demo' 'make test' ...       in order; stops at the first that fails, with its status
#   BARE_FOLDER=/var/tmp/bare scripts/bare-machine.sh ...     keep the machine there, and use it again (a fresh clone each time)
#
# Needs root and debootstrap (installed if it is not there). Where they cannot be had, the commands are run in this
# checkout, and a warning stands before and after them.
# Only what is committed is cloned. The machine is a folder with a mount and a process namespace of its own: when this
# script ends, however it ends, the kernel ends every process in there and takes down every mount.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
RELEASE=bookworm
PACKAGES=python3,make,git,ca-certificates

[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# Run each command by `"$1" COMMAND`, and report how long it took. Stops at the first that fails, with its status.
run_all() {
    local by=$1 command status=0 TIMEFORMAT
    shift
    for command; do
        TIMEFORMAT="$where: '${command//%/%%}' took %0R s (%0U + %0S s of the processors)"
        time "$by" "$command" </dev/null || status=$?
        [ $status = 0 ] || { echo "$where: '$command' failed with status $status" >&2; return $status; }
    done
}

here() { sh -c "$1"; }

without_machine() {
    local status=0 warning="WARNING: no bare machine ($1). What the set-up forgets to install goes unnoticed."
    shift
    echo "$warning" >&2
    where="this machine"
    run_all here "$@" || status=$?
    echo "$warning" >&2
    exit $status
}

[ "$(id -u)" = 0 ] || without_machine "not root" "$@"
command -v debootstrap >/dev/null || scripts/debian-packages.sh debootstrap || without_machine "no debootstrap" "$@"
unshare --mount --pid --fork true 2>/dev/null || without_machine "no namespaces of its own" "$@"
mirror=$(scripts/debian-mirror.sh) || without_machine "no mirror" "$@"

if [ -n "${BARE_FOLDER:-}" ]; then
    mkdir -p "$BARE_FOLDER"
    root=$(realpath "$BARE_FOLDER") temporary=
else
    root=$(mktemp -d /var/tmp/tabspec-bare-XXXXXX) temporary=yes
fi
chmod 755 "$root" # it is the machine's "/", which every user may enter
machine=
finish() {
    [ -z "$machine" ] || kill -KILL "$machine" 2>/dev/null || true # and with it all that runs in the machine
    [ -z "$machine" ] || wait "$machine" 2>/dev/null || true
    # A process that is just being ended may still write: then once more.
    [ -z "$temporary" ] || rm -rf --one-file-system "$root" 2>/dev/null || { sleep 2; rm -rf --one-file-system "$root"; } || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Copy a file or folder of this machine to the same place in the other one, if there is one.
lend() { [ ! -e "$1" ] || { mkdir -p "$root$(dirname "$1")" && cp -rL --remove-destination "$1" "$root$(dirname "$1")/"; }; }

# What pip's settings and variables name on this machine: sources of packages, constraints, certificates. Of an index
# the folder above is meant, since the files lie beside it.
pip_paths() {
    { python3 -m pip config list 2>/dev/null || true; env | grep '^PIP_' || true; } |
        grep -oE "(file://)?/[^ ',\"]+" | sed -E 's,^file://(/.*[^/])/+[^/]+/*$,\1,; s,^file://,,' | sort -u |
        while read -r path; do [ ! -e "$path" ] || echo "$path"; done
}

# How this machine reaches its package registries: apt's sources and network settings, certificates, pip's and npm's
# settings (without npm's credentials).
lend_settings() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/keyrings /etc/ssl/certs /etc/resolv.conf /etc/hosts; do
        lend "$file"
    done
    [ -e /etc/apt/sources.list ] || : >"$root/etc/apt/sources.list"
    apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/lent" || true
    { python3 -m pip config debug 2>/dev/null || true; } | sed -n 's/^ *\(.*\), exists: True$/\1/p' | while read -r file; do
        case $file in
            "$HOME"/*) mkdir -p "$(dirname "$root/root/${file#"$HOME"/}")" && cp "$file" "$root/root/${file#"$HOME"/}" ;;
            *) lend "$file" ;;
        esac
    done
    { cat /etc/npmrc /usr/etc/npmrc /usr/local/etc/npmrc "$HOME/.npmrc" 2>/dev/null || true; } |
        grep -E '^((@[^:]*:)?registry|cafile|strict-ssl|(https?-)?proxy|noproxy) *=' >"$root/root/.npmrc" || true
    for file in $(pip_paths); do [ -d "$file" ] || lend "$file"; done
}

# Variables about the network, certificates and the processor, not about this machine's programs.
lent_variables() {
    local registries='PIP_[A-Z_]*|(npm|NPM)_(config|CONFIG)_(registry|cafile|proxy|https_proxy)'
    local network='(https?|no|HTTPS?|NO)_(proxy|PROXY)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE'
    env | grep -E "^($registries|$network|CI|OPENBLAS_[A-Z0-9_]*)=" || true
}

if [ ! -e "$root/.bare" ]; then
    echo "making a bare Debian ($RELEASE) in $root ..."
    debootstrap --variant=minbase --include="$PACKAGES" "$RELEASE" "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 5 "$root.log" >&2; echo "bare-machine: debootstrap failed" >&2; exit 1; }
    rm "$root.log"
    touch "$root/.bare"
fi
lend_settings
rm -rf "$root/root/tabspec"
git -c safe.directory='*' clone -q "$repository" "$root/root/tabspec"

inside() {
    env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" \
        chroot "$root" sh -c "cd /root/tabspec && $1"
}

# The first process in there: when it ends, the kernel ends all others.
machine_main() {
    set -euo pipefail
    local path
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sys "$root/sys"
    mount --rbind --make-rslave /dev "$root/dev"
    for path in "${folders[@]}"; do
        mkdir -p "$root$path"
        mount --bind -o ro "$path" "$root$path"
    done
    run_all inside "$@"
}

mapfile -t folders < <(pip_paths | while read -r path; do [ ! -d "$path" ] || echo "$path"; done)
mapfile -t variables < <(lent_variables)
where="bare machine"
program="$(declare -f machine_main run_all inside); $(declare -p root folders variables where); machine_main \"\$@\""
setpriv --pdeathsig KILL \
    unshare --mount --propagation private --pid --fork --kill-child bash -c "$program" bash "$@" &
machine=$!
status=0
wait "$machine" || status=$?
exit $status
