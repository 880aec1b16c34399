#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the bench disk: Debian programs (unpacked with all they depend on), our workloads, their inputs, the agent.
#   disk.sh GUEST BIN_DIR      BIN_DIR: the cross-compiled workloads; writes GUEST/bench.img
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
guest=$(readlink -m "$1") bin=$2
root=$guest/bench-root
apt=$here/../../tools/guest/apt.sh
packages=$(sed 's/#.*//' "$here/packages.txt" | tr '\n' ' ')

if [ "$(cat "$root/.packages" 2>/dev/null)" != "$packages" ]; then
	rm -rf "$root" "$guest/apt-bench/archives"
	mkdir -p "$root"/usr/{bin,sbin,lib}
	for d in bin sbin lib; do # merged /usr, which in a real system a package's script makes
		ln -s usr/$d "$root/$d"
	done
	"$apt" "$guest/apt-bench" arm64 get update -qq
	# shellcheck disable=SC2086  # a list of words
	"$apt" "$guest/apt-bench" arm64 get install -qq -y --download-only $packages >/dev/null
	for deb in "$guest"/apt-bench/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' --exclude='./dev/*'
	done
	rm -rf "$guest/apt-bench/archives"
	mkdir -p "$root"/{proc,sys,dev,tmp,bench}
	echo "$packages" >"$root/.packages"
fi
install -m 755 "$here/agent" "$root/agent"
rm -rf "$root/bench"
mkdir -p "$root/bench"
install -m 755 "$bin"/* "$root/bench/"
install -m 644 "$here"/programs/* "$root/bench/"
/usr/bin/python3 "$here/inputs.py" "$root/bench/data"
rm -f "$guest/bench.img.tmp"
mke2fs -q -F -t ext4 -O ^has_journal -L bench -E root_owner=0:0 -d "$root" "$guest/bench.img.tmp" 700M
mv "$guest/bench.img.tmp" "$guest/bench.img"
