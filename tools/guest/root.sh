# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What debian.sh and programs.sh share: `. root.sh NAME GUEST`, before NAME.sh defines arm64(), which runs a command in
# the tree GUEST/NAME-root. Packages are those of NAME-packages.txt.
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
image=$1
guest=$(readlink -m "$2")
root=$guest/$image-root
log=$guest/$image.log
mapfile -t mirrors < <("$here/apt.sh" --mirror)
packages=$(sed 's/#.*//' "$here/$image-packages.txt" | tr '\n' ' ')

say() { echo "  DEBIAN  $*"; }
quiet() { # its output only when it fails
	"$@" >>"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		echo "$image.sh: failed: $* (whole output: $log)" >&2
		exit 1
	}
}
apt() { arm64 apt-get -o APT::Sandbox::User=root -qq "$@"; }

install_packages() {
	say "packages: $packages"
	printf 'deb %s %s main\n' "${mirrors[0]}" bookworm "${mirrors[0]}" bookworm-updates \
		"${mirrors[1]}" bookworm-security >"$root/etc/apt/sources.list"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service is started in the chroot
	chmod 755 "$root/usr/sbin/policy-rc.d"
	quiet apt update
	# shellcheck disable=SC2086  # a list of words
	quiet apt -y --no-install-recommends install $packages
	rm "$root/usr/sbin/policy-rc.d"
}

make_image() { # make_image SIZE
	say "$guest/$image.img"
	echo "$packages" >"$root/etc/armature-packages" # tests/boot refuses an image that lacks some
	rm -f "$guest/$image.img.tmp"
	quiet mke2fs -q -F -t ext4 -L "$image" -d "$root" "$guest/$image.img.tmp" "$1"
	mv "$guest/$image.img.tmp" "$guest/$image.img"
}

if [ "$(id -u)" != 0 ]; then
	echo "$image.sh: needs root (debootstrap, file owners): sudo make guest-$image" >&2
	exit 1
fi
: >"$log"
