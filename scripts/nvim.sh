#!/bin/sh
# Open Neovim with the plugin and the bundled model on an example file.
# Usage: scripts/nvim.sh VENV OUT [FILE]      VENV has tabspec; the example is copied into OUT, so that it can be spoilt
# Takes the nvim on PATH if it is new enough; otherwise the project's own script installs one into .tools/.
set -eu
cd "$(dirname "$0")/.."
venv=$1 out=$2 file=${3:-}
config=$PWD/editor-configs/neovim

nvim=$(command -v nvim || true)
if [ -z "$nvim" ] || [ "$("$nvim" --clean --headless +'lua io.write(vim.fn.has("nvim-0.11"))' +q 2>&1)" != 1 ]; then
    nvim=$PWD/.tools/nvim-0.12/bin/nvim
    if [ ! -x "$nvim" ]; then
        echo "installing Neovim 0.12 into .tools (once)..." >&2
        scripts/install-neovim.sh .tools/nvim-0.12 0.12 >&2
    fi
fi
if [ -z "$file" ]; then
    mkdir -p "$out"
    file=$out/point.py
    cp "$config/first-minute.py" "$file"
fi
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
TABSPEC_LSP=${TABSPEC_LSP:-$venv/bin/tabspec-lsp}
export TABSPEC_LSP
exec "$nvim" --clean -n -u "$config/first-minute.lua" "$file"
