#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes GUEST/programs.img for the boot tests of real programs: the Debian root image's tree, the packages of
# programs-packages.txt, and test suites from Debian's sources, cross-compiled by programs-build.sh. The tree stays in
# GUEST/programs-root, what was built in GUEST/programs-build.
#   programs.sh GUEST        (root, after debian.sh)
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
guest=$(readlink -m "$1")
root=$guest/programs-root
build=$guest/programs-build
log=$guest/programs.log
mapfile -t mirrors < <("$here/apt.sh" --mirror)
packages=$(sed 's/#.*//' "$here/programs-packages.txt" | tr '\n' ' ')
say() { echo "  DEBIAN  $*"; }
quiet() { # its output only when it fails
	"$@" >>"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		echo "programs.sh: failed: $* (whole output: $log)" >&2
		exit 1
	}
}
# shellcheck disable=SC2016  # expanded inside
arm64() { # with /proc, which Java wants
	"$here/userns.py" sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" /usr/bin/env -i \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
apt() { arm64 apt-get -o APT::Sandbox::User=root -qq "$@"; }

if [ "$(id -u)" != 0 ]; then
	echo "programs.sh: needs root, as the Debian root image does: sudo make guest-programs" >&2
	exit 1
fi
: >"$log"
if ! cmp -s "$guest/debian-root/etc/armature-packages" "$root/.copied"; then
	rm -rf "$root"
	cp -a --reflink=auto "$guest/debian-root/." "$root"
	cp "$root/etc/armature-packages" "$root/.copied"
fi
say "packages: $packages"
printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' \
	"${mirrors[0]}" "${mirrors[0]}" "${mirrors[1]}" >"$root/etc/apt/sources.list"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service is started in the chroot
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/usr/share/man/man1" # Java's alternatives have manual pages
quiet apt update
# shellcheck disable=SC2086  # a list of words
quiet apt -y --no-install-recommends install $packages
rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
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
		rm -f ./*.dsc ./*.tar.* && touch .fetched
	)
fi
say "test suites, cross-compiled"
quiet "$here/programs-build.sh" "$build" "$root"

say "$guest/programs.img"
echo "$packages" >"$root/etc/armature-packages" # tests/boot refuses an image that lacks some
rm -f "$guest/programs.img.tmp"
quiet mke2fs -q -F -t ext4 -L programs -d "$root" "$guest/programs.img.tmp" 5G
mv "$guest/programs.img.tmp" "$guest/programs.img"
