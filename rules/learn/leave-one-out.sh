#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs against rules learned without them: leave-one-out.sh BUILD PROFILE-DIRECTORY CORPUS-LIST
#
# Every program with a profile against all learned rules (NAME.all); bzip2 against those that are learned without bzip2 as well,
# and gzip, whose code is zlib's ancestor, against those learned without zlib (NAME.without), in BUILD/learn/held-out.
# Variables as for choose.sh.
set -eu
build=$1 profiles=$2 list=$3
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
	mkdir -p "$dir/gen"
	"$build/rules-learn" -j "${JOBS:-2}" --work "$build/learn/pieces" --without "$package" --max 1000000 \
		-o "$dir/candidates.rules" "$list" >"$dir/stats"
	# Of the rules compiled in, those that are candidates still.
	awk 'FILENAME == ARGV[1] { if ($1 == "rule") left[$2] = 1; next }
		$1 == "rule" { out = !($2 in left) } !out' "$dir/candidates.rules" rules/learned/corpus.rules >"$dir/corpus.rules"
	echo "without $package: $(grep -c '^rule ' "$dir/corpus.rules") of $(grep -c '^rule ' rules/learned/corpus.rules) rules"
	# shellcheck disable=SC2086
	"$build/gen/rules-compile" --unproven -o "$dir/gen/rules_gen.inc" base $BASE learned "$dir/corpus.rules"
	# shellcheck disable=SC2086
	cc -std=gnu11 -O0 -w -D_GNU_SOURCE -I"$dir/gen" -I. -I"$build/gen" -o "$dir/rules-eval" rules/learn/eval*.c dbt/rules.c \
		"$build/libarmature.a" $LIBS -lZydis -pthread
	"$dir/rules-eval" "$profiles/$name.prof" >"$out/$name.without"
done
