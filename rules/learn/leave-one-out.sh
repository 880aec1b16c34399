#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs against rules learned without them: leave-one-out.sh BUILD PROFILE-DIRECTORY CORPUS-LIST
#
# Every program with a profile against all learned rules (NAME.all), bzip2 against rules learned without bzip2, and gzip,
# whose code is zlib's ancestor, against rules learned without zlib (NAME.without), in BUILD/learn/held-out. Variables as for
# choose.sh.
set -eu
build=$1 profiles=$2 list=$3
here=$(cd "$(dirname "$0")" && pwd)
out=$build/learn/held-out
mkdir -p "$out"
rm -f "$out"/*.all "$out"/*.without
for p in "$profiles"/*.prof; do
	name=$(basename "$p" .prof)
	[ "$name" = train ] || "$build/rules-eval" "$p" >"$out/$name.all"
done
for pair in bzip2:bzip2 zlib:gzip; do
	package=${pair%%:*} name=${pair#*:}
	[ -f "$profiles/$name.prof" ] || continue
	dir=$build/learn/without-$package
	mkdir -p "$dir/proofs"
	[ -f "$dir/proofs/chosen.proofs" ] || cp "$build/learn/all/proofs/chosen.proofs" "$dir/proofs" || true
	"$build/rules-learn" -j "${JOBS:-2}" --work "$build/learn/pieces" --without "$package" -o "$dir/candidates.rules" \
		"$list" >"$dir/stats"
	"$here/choose.sh" "$build" "$profiles/train.prof" "$dir/candidates.rules" "$dir"
	"$dir/rules-eval" "$profiles/$name.prof" >"$out/$name.without"
done
