#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes GUEST/debian.img: Debian bookworm arm64 with systemd on ext4, from the archive the host uses.
# The directory tree stays in GUEST/debian-root, so that a change of the packages only adds to it.
#   debian.sh GUEST        (root)
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
guest=$(readlink -m "$1")
root=$guest/debian-root
suite=bookworm
log=$guest/debian.log
mapfile -t mirrors < <("$here/apt.sh" --mirror)
packages=$(sed 's/#.*//' "$here/debian-packages.txt" | tr '\n' ' ')
say() { echo "  DEBIAN  $*"; }
quiet() { # its output only when it fails
	"$@" >>"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		echo "debian.sh: failed: $* (whole output: $log)" >&2
		exit 1
	}
}
arm64() { "$here/userns.py" chroot "$root" /usr/bin/env -i PATH=/fake:/usr/sbin:/usr/bin:/sbin:/bin \
	HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

if [ "$(id -u)" != 0 ]; then
	echo "debian.sh: the Debian root image needs root (debootstrap, file owners): sudo make guest-debian" >&2
	exit 1
fi
: >"$log"

if [ ! -e "$root/.bootstrapped" ]; then
	rm -rf "$root"
	mkdir -p "$root/fake"
	say "debootstrap, first stage (download and unpack)"
	quiet debootstrap --foreign --arch=arm64 --variant=minbase \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$root" "${mirrors[0]}"
	# In a user namespace mknod is refused: make the nodes here and let the second stage believe it did.
	while read -r name major minor; do
		[ -e "$root/dev/$name" ] || mknod -m 666 "$root/dev/$name" c "$major" "$minor"
	done <<-NODES
		null 1 3
		zero 1 5
		full 1 7
		random 1 8
		urandom 1 9
		tty 5 0
		console 5 1
		ptmx 5 2
	NODES
	printf '#!/bin/sh\nexit 0\n' >"$root/fake/mknod"
	chmod 755 "$root/fake/mknod"
	# Documentation and translations are half the image.
	mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
	printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$root/etc/dpkg/dpkg.cfg.d/armature"
	say "debootstrap, second stage (configure, under qemu-user)"
	quiet arm64 /debootstrap/debootstrap --second-stage
	touch "$root/.bootstrapped"
fi

say "packages: $packages"
printf 'deb %s %s main\n' "${mirrors[0]}" $suite "${mirrors[0]}" $suite-updates "${mirrors[1]}" $suite-security \
	>"$root/etc/apt/sources.list"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service is started in the chroot
chmod 755 "$root/usr/sbin/policy-rc.d"
quiet arm64 apt-get -o APT::Sandbox::User=root -qq update
# shellcheck disable=SC2086  # a list of words
quiet arm64 apt-get -o APT::Sandbox::User=root -qq -y --no-install-recommends install $packages
rm "$root/usr/sbin/policy-rc.d"

say "settings and kernel modules"
quiet "$here/debian-setup.sh" "$root" "$guest/pkg/cloud" "$guest/pkg/generic"

# A small archive of our own, for `apt-get install` in the guest without the world outside.
say "pool: hello"
rm -rf "$guest/pool"
mkdir -p "$guest/pool"
(
	cd "$guest/pool"
	"$here/apt.sh" "$guest/apt" arm64 get download -qq hello
	dpkg-scanpackages -m . 2>>"$log" >Packages
)

say "$guest/debian.img"
echo "$packages" >"$root/etc/armature-packages" # tests/boot refuses an image that lacks some
rm -f "$guest/debian.img.tmp"
quiet mke2fs -q -F -t ext4 -L debian -d "$root" "$guest/debian.img.tmp" 3G
mv "$guest/debian.img.tmp" "$guest/debian.img"
