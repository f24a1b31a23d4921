#!/bin/sh
# Install Helix into a folder of its own, from Debian's packages only.
#
#   scripts/install-helix.sh PREFIX        then run PREFIX/bin/hx
#
# It is in no stable Debian yet: it is taken from the suite below with its libraries. Meant for a bare Debian 12 as root;
# elsewhere tmux and a Debian apt must be there already. Run again, it does nothing.
set -eu

SUITE=${HELIX_SUITE:-forky}

[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd)
exec 9>"$PREFIX/.lock" # two test runs may come here at the same time
flock 9

command -v tmux >/dev/null || "$(dirname "$0")/debian-packages.sh" tmux
if ! "$PREFIX/bin/hx" --version >/dev/null 2>&1; then
    "$(dirname "$0")/unpack-debian.sh" "$PREFIX/root" "$SUITE" hx
    loader=$(find "$PREFIX/root" -name 'ld-linux*.so.*' | head -n 1)
    libraries=$(dirname "$(find "$PREFIX/root/usr/lib" -name 'libc.so.6' | head -n 1)")
    mkdir -p "$PREFIX/bin"
    cat >"$PREFIX/bin/hx" <<WRAPPER
#!/bin/sh
HELIX_RUNTIME="$PREFIX/root/usr/lib/hx/runtime" exec "$loader" --library-path "$libraries" "$PREFIX/root/usr/lib/hx/hx" "\$@"
WRAPPER
    chmod +x "$PREFIX/bin/hx"
fi
"$PREFIX/bin/hx" --version
