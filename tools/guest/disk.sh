#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the small ext4 disk image of the busybox guest, without mounting anything: disk.sh OUT
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
out=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "This disk is guest/disk.img on the host: debugfs -R 'cat /README' guest/disk.img" >"$dir/README"
rm -f "$out.tmp"
mke2fs -q -F -t ext4 -L data -E root_owner=0:0 -d "$dir" "$out.tmp" 64M
mv "$out.tmp" "$out"
