#!/bin/bash
# SPDX-License-Identifier: MIT
# apt-get and apt-cache with private state, for a foreign architecture: the host's dpkg database, its
# architectures and its package lists are neither read nor written. The archive's address comes from the
# host's own apt sources; signatures are checked against Debian's archive keyring.
#   apt.sh STATE_DIR ARCH get|cache ARGS...
# With APT_SOURCES=1 in the environment source packages too (get source).
#   apt.sh --mirror            print the archive's address (main, then security)
set -euo pipefail
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suite=${GUEST_SUITE:-bookworm}

# The addresses of the host's apt sources, deb822 (URIs:) or one-line (deb [options] URI suite ...).
etc=${APT_ETC:-/etc/apt}
host_uris() {
	cat "$etc"/sources.list.d/*.sources "$etc"/sources.list "$etc"/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^URIs:[ \t]*\([^ \t]*\).*/\1/p; s/^deb[ \t]\+\(\[[^]]*\][ \t]*\)\?\([^ \t]*\)[ \t].*/\2/p' |
		sed 's:/*$::' || true
}
mirror=$(host_uris | grep '/debian$' | head -n 1 || true)
security=$(host_uris | grep '/debian-security$' | head -n 1 || true)
if [ -z "$mirror" ]; then
	echo "apt.sh: no Debian archive (an address that ends in /debian) in $etc/sources.list*" >&2
	exit 1
fi
if [ "${1:-}" = --mirror ]; then
	echo "$mirror"
	echo "${security:-$mirror-security}"
	exit
fi

state=$(readlink -m "$1") arch=$2 tool=$3
shift 3
if [ ! -r "$keyring" ]; then
	echo "apt.sh: $keyring is missing: install debian-archive-keyring" >&2
	exit 1
fi
mkdir -p "$state"/{lists/partial,archives/partial,preferences}
touch "$state/status"
{
	echo "deb [signed-by=$keyring] $mirror $suite main"
	echo "deb [signed-by=$keyring] $mirror $suite-updates main"
	echo "deb [signed-by=$keyring] ${security:-$mirror-security} $suite-security main"
	if [ -n "${APT_SOURCES:-}" ]; then
		echo "deb-src [signed-by=$keyring] $mirror $suite main"
	fi
} >"$state/sources.list"

exec "apt-$tool" \
	-o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
	-o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" \
	-o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
	-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/preferences" \
	-o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Install-Recommends=0 \
	-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
