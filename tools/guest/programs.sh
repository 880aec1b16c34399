#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes GUEST/programs.img for the boot tests of real programs: the Debian root image's tree with the packages of
# programs-packages.txt and zlib's source. The tree stays in GUEST/programs-root.
#   programs.sh GUEST        (root, after debian.sh)
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
guest=$(readlink -m "$1")
root=$guest/programs-root
log=$guest/programs.log
suite=bookworm
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
arm64() { "$here/userns.py" chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
	DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { arm64 apt-get -o APT::Sandbox::User=root -qq "$@"; }

: >"$log"
if [ ! -e "$root/.copied" ]; then
	rm -rf "$root"
	cp -a --reflink=auto "$guest/debian-root/." "$root"
	touch "$root/.copied"
fi
say "packages: $packages"
printf 'deb %s %s main\n' "${mirrors[0]}" $suite "${mirrors[0]}" $suite-updates "${mirrors[1]}" $suite-security \
	>"$root/etc/apt/sources.list"
echo "deb-src ${mirrors[0]} $suite main" >>"$root/etc/apt/sources.list"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service is started in the chroot
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/usr/share/man/man1" # Java's alternatives have manual pages
quiet apt update
# shellcheck disable=SC2086  # a list of words
quiet apt -y --no-install-recommends install $packages
say "source: zlib"
rm -rf "$root/root/src"
mkdir -p "$root/root/src"
quiet arm64 sh -c 'cd /root/src && apt-get -o APT::Sandbox::User=root -qq source --download-only zlib'
(cd "$root/root/src" && quiet dpkg-source --no-check -x ./*.dsc && rm -f ./*.dsc ./*.tar.*)
rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"

say "$guest/programs.img"
rm -f "$guest/programs.img.tmp"
quiet mke2fs -q -F -t ext4 -L programs -d "$root" "$guest/programs.img.tmp" 5G
mv "$guest/programs.img.tmp" "$guest/programs.img"
