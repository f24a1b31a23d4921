#!/bin/sh
# Make a virtual environment with tabspec and its compiled decoder, once for each state of what it is made from.
#
#   scripts/setup-venv.sh FOLDER [EXTRA,...]       EXTRA: of pyproject.toml, with all that the tests and checks need: train,dev
#
# On Debian or Ubuntu, as root, the venv module and a C++ compiler are installed, too.
set -eu
cd "$(dirname "$0")/.."
venv=$1 extras=${2:-}
mkdir -p "$venv"
exec 8>"$venv/.lock" # two targets may come here at the same time
flock 8

state=$(cat pyproject.toml constraints.txt "$0" native/*.py native/*.toml native/cpp/* | sha256sum | cut -d' ' -f1)
done_with() { [ "$(cat "$venv/.made$1" 2>/dev/null)" = "$state" ]; }
if done_with "" && { [ -z "$extras" ] || done_with "-$extras"; }; then exit 0; fi

pip() { "$venv/bin/python" -m pip "$@"; }
# constraints.txt holds the versions that were tested. Modules are compiled when they are first imported: thousands never are.
install() { pip install -qq --no-compile --constraint constraints.txt "$@"; }

python_for_venv() {
    for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$candidate" && return
    done
    echo "tabspec needs Python 3.11 or newer (set PYTHON to name one)" >&2
    exit 1
}

compiler() { command -v "${CXX:-g++}" || command -v clang++ || command -v c++; }

if [ ! -x "$venv/bin/python" ]; then
    python=$(python_for_venv)
    # Debian packs the venv module apart; without it the module imports, but cannot bring pip.
    "$python" -c 'import venv, ensurepip' 2>/dev/null || scripts/debian-packages.sh python3-venv
    echo "making $venv ..."
    "$python" -m venv "$venv"
fi
if ! done_with ""; then
    echo "installing tabspec and its dependencies into $venv (two minutes the first time)..."
    compiling=
    if ! compiler >/dev/null; then # while pip downloads
        scripts/debian-packages.sh g++ >"$venv/.compiler.log" 2>&1 &
        compiling=$!
    fi
    # torch is named first so that its CPU build is found where pip has one
    install torch
    install --editable .
    [ -z "$compiling" ] || wait "$compiling" || true
    # Without a compiler torch decodes: everything works, and takes longer.
    if ! { compiler >/dev/null && install --force-reinstall --no-deps ./native; } >>"$venv/.compiler.log" 2>&1; then
        echo "The compiled decoder is not there (see $venv/.compiler.log): suggestions take about three times as long." \
            "To build it, install a C++ compiler (Debian: sudo apt-get install g++), then run: make native" >&2
    fi
    echo "$state" >"$venv/.made"
fi
if [ -n "$extras" ] && ! done_with "-$extras"; then
    echo "installing what the tests and checks need into $venv..."
    install --editable ".[$extras]"
    echo "$state" >"$venv/.made-$extras"
fi
