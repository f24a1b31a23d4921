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
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TRIPLE=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -dumpmachine 2>/dev/null || echo "$(uname -m)-linux-gnu")

if [ -x "$PREFIX/bin/llama-server" ] && "$PREFIX/bin/llama-server" --version >/dev/null 2>&1; then
    echo "llama-server is there: $PREFIX/bin/llama-server"
    exit 0
fi

# The mirror that this machine already uses (deb822 or one-line sources).
MIRROR=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    awk '/^URIs:/ && $2 ~ /\/debian\/?$/ { print $2; exit }
         /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /\/debian\/?$/) { print $i; exit } }')
[ -n "$MIRROR" ] || { echo "$0: no Debian mirror in apt's sources" >&2; exit 1; }
[ -r "$KEYRING" ] || { echo "$0: no $KEYRING (package debian-archive-keyring)" >&2; exit 1; }

STATE=$PREFIX/apt
rm -rf "$STATE" "$PREFIX/root"
mkdir -p "$PREFIX/root" "$PREFIX/bin" "$STATE/lists/partial" "$STATE/cache/archives/partial"
: >"$STATE/status" # nothing installed: apt resolves the whole closure from SUITE
echo "deb [signed-by=$KEYRING] $MIRROR $SUITE main" >"$STATE/sources.list"
private_apt() {
    apt-get -qq -o Dir::Etc::SourceList="$STATE/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State="$STATE" -o Dir::State::status="$STATE/status" -o Dir::Cache="$STATE/cache" \
        -o Acquire::Languages=none -o APT::Install-Recommends=false -o Debug::NoLocking=1 \
        -o APT::Update::Post-Invoke="" -o APT::Update::Post-Invoke-Success="" -o DPkg::Post-Invoke="" \
        -o APT::Keep-Downloaded-Packages=true -o APT::Sandbox::User="" "$@"
}
private_apt update
private_apt -y --download-only install llama.cpp-tools
for package in "$STATE"/cache/archives/*.deb; do dpkg-deb -x "$package" "$PREFIX/root"; done
rm -rf "$STATE"

ROOT=$PREFIX/root
LIBRARIES=$ROOT/usr/lib/$TRIPLE
LOADER=$(find "$ROOT" -name 'ld-linux*.so.*' | head -n 1)
SERVER=$ROOT/usr/bin/llama-server
[ -n "$LOADER" ] && [ -x "$SERVER" ] || { echo "$0: the packages of $SUITE hold no llama-server" >&2; exit 1; }
# ggml takes the best kernels for this processor of those that lie beside the running program, and that is the loader:
# so a copy of it goes there.
KERNELS=$(dirname "$(find "$ROOT" -name 'libggml-cpu-x64.so' | head -n 1)")
[ -d "$KERNELS" ] && cp "$LOADER" "$KERNELS/" && LOADER=$KERNELS/$(basename "$LOADER")
cat >"$PREFIX/bin/llama-server" <<END
#!/bin/sh
exec "$LOADER" --library-path "$LIBRARIES:$LIBRARIES/llama:$ROOT/lib/$TRIPLE" "$SERVER" "\$@"
END
chmod +x "$PREFIX/bin/llama-server"
"$PREFIX/bin/llama-server" --version
