#!/bin/sh
# llama.cpp's server from Debian's packages, unpacked into one folder: neither dpkg's database nor apt's sources are
# touched, no build, no root (apt's mirror and keyring are those that the machine has).
#
# usage: install-llama-server.sh PREFIX [SUITE]        then: PREFIX/bin/llama-server --version
#
# SUITE (default: sid) wants a newer C library than a stable release has, so all libraries come along and the program
# is started through their own loader. Nothing in sid is pinned: the version that is there is taken, and told.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 PREFIX [SUITE]" >&2; exit 2; }
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd)
SUITE=${2:-sid}
TRIPLE=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -dumpmachine 2>/dev/null || echo "$(uname -m)-linux-gnu")

exec 9>"$PREFIX/.lock" # two test runs may come here at the same time
flock 9
if [ -x "$PREFIX/bin/llama-server" ] && "$PREFIX/bin/llama-server" --version >/dev/null 2>&1; then
    echo "llama-server is there: $PREFIX/bin/llama-server"
    exit 0
fi

"$(dirname "$0")/unpack-debian.sh" "$PREFIX/root" "$SUITE" llama.cpp-tools

ROOT=$PREFIX/root
LIBRARIES=$ROOT/usr/lib/$TRIPLE
LOADER=$(find "$ROOT" -name 'ld-linux*.so.*' | head -n 1)
SERVER=$ROOT/usr/bin/llama-server
[ -n "$LOADER" ] && [ -x "$SERVER" ] || { echo "$0: the packages of $SUITE hold no llama-server" >&2; exit 1; }
# ggml takes the best kernels for this processor of those that lie beside the running program, and that is the loader:
# so a copy of it goes there.
KERNELS=$(dirname "$(find "$ROOT" -name 'libggml-cpu-x64.so' | head -n 1)")
[ -d "$KERNELS" ] && cp "$LOADER" "$KERNELS/" && LOADER=$KERNELS/$(basename "$LOADER")
mkdir -p "$PREFIX/bin"
cat >"$PREFIX/bin/llama-server" <<END
#!/bin/sh
exec "$LOADER" --library-path "$LIBRARIES:$LIBRARIES/llama:$ROOT/lib/$TRIPLE" "$SERVER" "\$@"
END
chmod +x "$PREFIX/bin/llama-server"
"$PREFIX/bin/llama-server" --version
