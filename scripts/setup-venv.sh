#!/bin/sh
# Make .venv with everything that `make` targets need, once for each state of pyproject.toml and constraints.txt.
# On a bare Debian it also installs the venv module. Usage: scripts/setup-venv.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
stamp=$venv/.tabspec-stamp
want=$(cat pyproject.toml constraints.txt "$0" native/*.py native/*.toml native/cpp/* | sha256sum | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

python=
for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || { echo "tabspec needs Python 3.11 or newer (set PYTHON to name one)" >&2; exit 1; }

if [ ! -x "$venv/bin/python" ]; then
    # Debian packs the venv module apart; without it the module imports, but cannot bring pip.
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "installing the venv module (python3-venv)..."
        { apt-get update -q && apt-get install -qy python3-venv; } >/dev/null
    fi
    echo "making $venv ..."
    "$python" -m venv "$venv"
fi
echo "installing tabspec and its dependencies into $venv (a few minutes the first time)..."
# constraints.txt holds the versions that were tested; torch is named first so that its CPU build is found where pip has one.
"$venv/bin/python" -m pip install -qq --constraint constraints.txt torch
"$venv/bin/python" -m pip install -qq --constraint constraints.txt --editable '.[train,dev]'
# The compiled decoder is optional: without a compiler (or where it fails) torch decodes, more slowly.
"$venv/bin/python" -m pip install -qq --constraint constraints.txt --force-reinstall --no-deps ./native 2>/dev/null ||
    echo "tabspec-native was not built (is there a C++ compiler?): going on without the compiled decoder" >&2
echo "$want" > "$stamp"
