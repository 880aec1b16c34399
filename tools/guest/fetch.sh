#!/bin/bash
# SPDX-License-Identifier: MIT
# Downloads the guest's packages and unpacks them under GUEST/pkg: the kernels that Debian's
# linux-image-cloud-arm64 and linux-image-arm64 depend on today, and busybox-static.
#   fetch.sh GUEST
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
guest=$(readlink -m "$1")
apt() { "$here/apt.sh" "$guest/apt" arm64 "$@"; }

mkdir -p "$guest/debs" "$guest/pkg"
apt get update -qq

# The metapackage's one dependency of the form linux-image-VERSION is the kernel itself.
kernel_of() {
	local p
	p=$(apt cache depends --no-recommends --no-suggests "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
	if [ -z "$p" ]; then
		echo "fetch.sh: $1 depends on no linux-image-VERSION" >&2
		return 1
	fi
	echo "$p"
}

# unpack NAME PACKAGE: into pkg/NAME, unless that very version is there already
unpack() {
	local name=$1 package=$2 file
	# file name as the archive has it: 'URI' NAME SIZE HASH
	file=$(cd "$guest/debs" && apt get download --print-uris "$package" | awk '{ print $2 }' | tail -n 1)
	if [ -n "$file" ] && [ "$(cat "$guest/pkg/$name/.package" 2>/dev/null)" = "$file" ]; then
		echo "  $name: $file is there"
		return
	fi
	(cd "$guest/debs" && apt get download -qq "$package")
	rm -rf "$guest/pkg/$name.new"
	mkdir "$guest/pkg/$name.new"
	dpkg-deb -x "$guest/debs/$file" "$guest/pkg/$name.new"
	echo "$file" >"$guest/pkg/$name.new/.package"
	rm -rf "${guest:?}/pkg/$name"
	mv "$guest/pkg/$name.new" "$guest/pkg/$name"
	rm -f "$guest/debs/$file"
	echo "  $name: $file"
}

unpack cloud "$(kernel_of linux-image-cloud-arm64)"
unpack generic "$(kernel_of linux-image-arm64)"
unpack busybox busybox-static
