#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the packages of tools/packages.txt that are missing: as root by apt-get, else it prints the
# one command to run and fails. Says nothing to do, and does nothing, when all are there.
#   tools/setup.sh           install
#   tools/setup.sh --list    print the whole list, one a line
#   tools/setup.sh --check   print what is missing, one a line; status 1 if anything is
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

packages() { sed 's/#.*//' "$here/packages.txt" | tr -s ' \t' '\n' | sed '/^$/d' | sort -u; }

missing() {
	# db:Status-Status is "installed" or not there; the architecture is the host's own.
	comm -23 <(packages) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
}

case "${1:-}" in
--list)
	packages
	exit
	;;
--check)
	m=$(missing)
	[ -z "$m" ] && exit 0
	echo "$m"
	exit 1
	;;
"") ;;
*)
	echo "usage: setup.sh [--list|--check]" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "setup: this is not a Debian system: install by hand what tools/packages.txt lists" >&2
	exit 1
fi
mapfile -t need < <(missing)
if [ ${#need[@]} -eq 0 ]; then
	echo "setup: all packages of tools/packages.txt are installed"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "setup: ${#need[@]} packages are missing and this is not root. Run:" >&2
	echo "  sudo apt-get install --no-install-recommends ${need[*]}" >&2
	exit 1
fi
echo "setup: installing ${#need[@]} packages: ${need[*]}"
export DEBIAN_FRONTEND=noninteractive
apt_install() { apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=600 "${need[@]}" >/dev/null; }
# The package lists may be absent (a new container) or too old to download from: refresh, then retry once.
if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -print -quit 2>/dev/null)" ]; then
	apt-get update -qq
fi
apt_install || { apt-get update -qq && apt_install; }
left=$(missing | tr '\n' ' ')
if [ -n "$left" ]; then
	echo "setup: still missing after apt-get: $left" >&2
	exit 1
fi
echo "setup: done"
