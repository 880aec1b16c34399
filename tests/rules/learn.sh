#!/bin/sh
# SPDX-License-Identifier: MIT
# The same corpus gives the same rules: learned twice, by one process and by three, from the learner's own small files.
set -eu
build=${BUILD:-build}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
common="-g -w -std=gnu11 -fno-tree-vectorize -fno-stack-protector -fno-pic -fno-pie -fno-asynchronous-unwind-tables"
for f in bits loops structs; do
	for level in -O1 -Os; do
		o=$tmp/$f$level
		# shellcheck disable=SC2086
		aarch64-linux-gnu-gcc $common $level -c -o "$o.a.o" rules/learn/corpus/$f.c
		# shellcheck disable=SC2086
		gcc $common $level -march=x86-64-v3 -fcf-protection=none -c -o "$o.x.o" rules/learn/corpus/$f.c
		aarch64-linux-gnu-ld --unresolved-symbols=ignore-all -e 0 -o "$o.a64" "$o.a.o" 2>/dev/null
		ld --unresolved-symbols=ignore-all -e 0 -o "$o.x86" "$o.x.o" 2>/dev/null
		# each a package of its own, for several pieces
		echo "$f$level $o.a64 $o.x86"
	done
done >"$tmp/list"
for n in 1 3; do
	mkdir "$tmp/work$n"
	"$build/rules-learn" -j $n --work "$tmp/work$n" --pairs "$tmp/pairs$n" -o "$tmp/rules$n" "$tmp/list" >"$tmp/stats$n" \
		2>/dev/null
	grep -v cpu_now "$tmp/stats$n" >"$tmp/counts$n"
done
cmp "$tmp/rules1" "$tmp/rules3"
cmp "$tmp/pairs1" "$tmp/pairs3"
cmp "$tmp/counts1" "$tmp/counts3"
grep -c '^rule ' "$tmp/rules1"
# Broken off and taken up: nothing is learned again, and one piece left out is as if it had never been there.
"$build/rules-learn" -j 1 --work "$tmp/work1" --without bits-O1 -o "$tmp/less1" "$tmp/list" >/dev/null 2>&1
grep -v bits-O1 "$tmp/list" >"$tmp/list-less"
mkdir "$tmp/work-less"
"$build/rules-learn" -j 1 --work "$tmp/work-less" -o "$tmp/less2" "$tmp/list-less" >/dev/null 2>&1
cmp "$tmp/less1" "$tmp/less2"
