#!/bin/bash
# Install what the VS Code tests drive: code-server (VS Code's own workbench and extension host, served to a browser),
# Chromium and playwright-core.
#
#   scripts/install-code-server.sh PREFIX NODE        NODE: the folder that install-node.sh has filled
#
# Everything but Debian's packages lands below PREFIX; nothing is written to HOME. Run as root on Debian 12 (or with the
# Debian packages below already there). Takes about three minutes the first time, nothing when run again.
set -euo pipefail

CODE_SERVER_VERSION=4.139.1  # is VS Code 1.139.1
PLAYWRIGHT_VERSION=1.65.1
# The compiler and krb5's headers build the native modules (argon2, kerberos, …) that code-server has no binaries of.
DEBIAN_PACKAGES=(chromium fonts-dejavu-core g++ libkrb5-dev make pkg-config python3)

[ $# -eq 2 ] || { echo "usage: $0 PREFIX NODE" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
node=$(cd "$2" && pwd)
stamp=$prefix/installed
wanted="node $("$node/bin/node" --version), code-server $CODE_SERVER_VERSION, playwright-core $PLAYWRIGHT_VERSION"

say() { echo "install-code-server: $*" >&2; }

code_server() {
    say "code-server $CODE_SERVER_VERSION and playwright-core $PLAYWRIGHT_VERSION (builds native modules; minutes)"
    rm -rf "$prefix/app"
    mkdir -p "$prefix/app"
    cd "$prefix/app"
    echo '{"private": true}' >package.json
    export PATH=$node/bin:$PATH
    # node-gyp must compile against this Node's headers, and keep its hands off ~/.npm and ~/.cache
    export npm_config_nodedir=$node/home npm_config_cache=$prefix/npm-cache npm_config_devdir=$prefix/node-gyp
    export XDG_CACHE_HOME=$prefix/cache PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
    # Tests run on the same two cores meanwhile: SQLite alone takes 35 s of a processor with -O3, and 4 s without.
    export CFLAGS=-O0 CXXFLAGS=-O0
    # code-server's postinstall runs npm again for VS Code's own modules: without --foreground-scripts a failure is silent
    npm install --foreground-scripts --no-audit --no-fund --loglevel=error \
        "code-server@$CODE_SERVER_VERSION" "playwright-core@$PLAYWRIGHT_VERSION" >"$prefix/npm.log" 2>&1 ||
        { tail -n 40 "$prefix/npm.log" >&2; say "npm failed; its whole log is $prefix/npm.log"; exit 1; }
    rm -rf "$prefix/npm-cache" "$prefix/cache" "$prefix/node-gyp"
}

"$(dirname "$0")/debian-packages.sh" "${DEBIAN_PACKAGES[@]}"
exec 9>"$prefix/.lock" # two test runs may come here at the same time
flock 9
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && { say "$wanted: already there"; exit 0; }
rm -f "$stamp"
code_server
# does it start? (it makes folders in HOME even to print its version)
HOME=$prefix/home "$node/bin/node" "$prefix/app/node_modules/code-server/out/node/entry.js" --version >/dev/null
rm -rf "$prefix/home"
echo "$wanted" >"$stamp"
say "$wanted: done"
