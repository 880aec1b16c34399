#!/bin/sh
# SPDX-License-Identifier: MIT
# Golden listings of the rules, as TAP: golden.sh [--update]. A difference is shown; --update accepts it.
set -u
BUILD=${BUILD:-build}
dir=$(dirname "$0")/golden
mkdir -p "$dir"
n=0
bad=0
for f in rules/base/*.rules rules/learned/*.rules; do
	[ -f "$f" ] || continue
	n=$((n + 1))
	name=$(basename "$f" .rules)
	"$BUILD/rules-golden" "$f" >"$BUILD/golden.tmp" || echo "# $f: not every rule has an example"
	if [ "${1:-}" = --update ]; then
		cp "$BUILD/golden.tmp" "$dir/$name.txt"
		echo "ok $n - $name updated"
	elif diff -u "$dir/$name.txt" "$BUILD/golden.tmp" >"$BUILD/golden.diff"; then
		echo "ok $n - golden listing of $name"
	else
		bad=$((bad + 1))
		sed 's/^/# /' "$BUILD/golden.diff" | head -60
		echo "not ok $n - golden listing of $name (make golden-update accepts it)"
	fi
done
echo "1..$n"
[ "$bad" = 0 ]
