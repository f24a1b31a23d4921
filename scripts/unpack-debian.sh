#!/bin/sh
# Unpack a Debian package with all that it needs, glibc too, into a folder of its own.
#
#   scripts/unpack-debian.sh FOLDER SUITE PACKAGE
#
# For programs that no stable Debian has. dpkg's database and apt's sources stay as they are; nothing is configured.
set -eu

die() { echo "unpack-debian: $*" >&2; exit 2; }

[ $# -eq 3 ] || die "usage: $0 FOLDER SUITE PACKAGE"
FOLDER=$1 SUITE=$2 PACKAGE=$3

uri=$("$(dirname "$0")/debian-mirror.sh")
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$key" ] || die "$key is missing: install debian-archive-keyring"

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status" # nothing counts as installed, so that apt fetches every library, libc6 included
echo "deb [signed-by=$key] $uri $SUITE main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
APT::Sandbox::User "root";
Debug::NoLocking "true";
#clear DPkg::Post-Invoke;
#clear APT::Update::Post-Invoke;
CONF
export APT_CONFIG="$apt/apt.conf"
apt-get update -qq
apt-get install -qq -y --download-only "$PACKAGE" >/dev/null
unset APT_CONFIG
rm -rf "$FOLDER"
mkdir -p "$FOLDER"
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$FOLDER"; done
