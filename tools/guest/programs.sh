#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes GUEST/programs.img for the boot tests of real programs: the Debian root image's tree, the packages of
# programs-packages.txt, and test suites from Debian's sources, cross-compiled by programs-build.sh. The tree stays in
# GUEST/programs-root, what was built in GUEST/programs-build.
#   programs.sh GUEST        (root, after debian.sh)
set -euo pipefail
# shellcheck source=tools/guest/root.sh
. "$(dirname "$(readlink -f "$0")")/root.sh" programs "$1"
build=$guest/programs-build
# shellcheck disable=SC2016  # expanded inside
arm64() { # with /proc, which Java wants
	"$here/userns.py" sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" /usr/bin/env -i \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

if ! cmp -s "$guest/debian-root/etc/armature-packages" "$root/.copied"; then
	rm -rf "$root"
	cp -a --reflink=auto "$guest/debian-root/." "$root"
	cp "$root/etc/armature-packages" "$root/.copied"
fi
mkdir -p "$root/usr/share/man/man1" # Java's alternatives have manual pages
install_packages
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"

say "sources: zlib gmp sqlite3 openssl perl"
mkdir -p "$build/src"
if [ ! -e "$build/src/.fetched" ]; then
	(
		cd "$build/src"
		export APT_SOURCES=1
		quiet "$here/apt.sh" "$build/apt" arm64 get -qq update
		quiet "$here/apt.sh" "$build/apt" arm64 get -qq source --download-only zlib gmp sqlite3 openssl perl
		for dsc in *.dsc; do
			quiet dpkg-source --no-check -x "$dsc"
		done
		version=$(sed -n 's/^Version: //p' openssl_*.dsc)
		quiet "$here/apt.sh" "$build/apt" arm64 get -qq download "libssl-dev=$version"
		quiet dpkg-deb -x libssl-dev_*.deb "$build/libssl-dev"
		rm -f ./*.deb ./*.dsc ./*.tar.* && touch .fetched
	)
fi
say "test suites, cross-compiled"
quiet "$here/programs-build.sh" "$build" "$root"

make_image 5G
