#!/bin/sh
# Build what is given to users: the wheels of tabspec, tabspec-native and tabspec-large; the VS Code extension is copied beside them.
# Usage: scripts/dist.sh PYTHON FOLDER
set -eu
cd "$(dirname "$0")/.."
python=$1 out=$2
mkdir -p "$out"
rm -f "$out"/*.whl "$out"/*.vsix
"$python" -m pip wheel -qq --no-deps --constraint constraints.txt --wheel-dir "$out" . ./native ./large
cp editor-configs/vscode/dist/tabspec.vsix "$out/"
ls -l "$out"
