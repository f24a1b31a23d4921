#!/bin/sh
# Install the Debian packages that are missing; with none missing, apt is not called and root is not needed.
#
#   scripts/debian-packages.sh PACKAGE...
#
# Exit status 2, with one line, where it may not install: not root, or no apt. Scripts that run at the same time wait
# for each other.
set -eu
state=$(cd "$(dirname "$0")/.." && pwd)/.tools

missing() {
    for name; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf ' %s' "$name"
    done
}

names=$(missing "$@")
[ -n "$names" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "missing Debian packages; install them, then run this again:$names" >&2
    exit 2
fi
mkdir -p "$state"
exec 9>"$state/apt.lock"
flock 9
names=$(missing "$@") # another script may have installed them meanwhile
[ -n "$names" ] || exit 0
echo "installing Debian packages:$names" >&2
export DEBIAN_FRONTEND=noninteractive
# The lists of an hour ago still name packages that the mirror has.
{
    if [ -z "$(find "$state/apt-updated" -mmin -60 2>/dev/null)" ]; then
        apt-get update -qq && touch "$state/apt-updated"
    fi &&
        # shellcheck disable=SC2086 # names are words
        apt-get install -y -qq --no-install-recommends $names
} >"$state/apt.log" 2>&1 || { tail -n 5 "$state/apt.log" >&2; exit 1; }
