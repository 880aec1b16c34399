#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes GUEST/debian.img: Debian bookworm arm64 with systemd on ext4, from the archive the host uses.
# The directory tree stays in GUEST/debian-root, so that a change of the packages only adds to it.
#   debian.sh GUEST        (root)
set -euo pipefail
# shellcheck source=tools/guest/root.sh
. "$(dirname "$(readlink -f "$0")")/root.sh" debian "$1"
arm64() { "$here/userns.py" chroot "$root" /usr/bin/env -i PATH=/fake:/usr/sbin:/usr/bin:/sbin:/bin \
	HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

if [ ! -e "$root/.bootstrapped" ]; then
	rm -rf "$root"
	mkdir -p "$root/fake"
	say "debootstrap, first stage (download and unpack)"
	quiet debootstrap --foreign --arch=arm64 --variant=minbase \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg bookworm "$root" "${mirrors[0]}"
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

install_packages

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

make_image 3G
