#!/bin/sh
# Print the Debian mirror that this machine's apt uses, from either form of apt's sources. Exit status 1 without one.
set -eu
mirror=$(for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    case $file in *.list | *.sources) [ ! -f "$file" ] || cat "$file" ;; esac
done | awk '
    /^[[:space:]]*#/ { next }
    $1 == "URIs:" || $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /\/debian\/?$/) { print $i; exit } }')
[ -n "$mirror" ] || { echo "apt's sources name no Debian mirror" >&2; exit 1; }
echo "$mirror"
