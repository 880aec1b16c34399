#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules' semantic models against other implementations, case counts op by op: modeltest.sh [CASES [EVERY]]
#	A64: CASES cases an op against qemu-user; of the ops every EVERYth only, from SEED on
#	HIR: 100 * CASES cases against an evaluator and this host's CPU
set -u
BUILD=${BUILD:-build}
cases=${1:-200}
every=${2:-1}
seed=${SEED:-1}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
n=0
for op in $("$BUILD/rules-modeltest" --ops); do
	n=$((n + 1))
	[ $(((n + seed) % every)) = 0 ] || continue
	"$BUILD/rules-modeltest" --branches "$op" -s "$seed" -n "$cases" "$tmp/cases" || "$BUILD/tests/insn/insn-gen" \
		--seed "$seed" --count "$cases" --op "$op" --full -o "$tmp/cases" || exit 2
	qemu-aarch64-static -cpu max,sve=off,pauth=off "$BUILD/tests/insn/runner" "$tmp/cases" >"$tmp/out"
	if "$BUILD/rules-modeltest" "$tmp/cases" "$tmp/out" >"$tmp/log"; then
		sed "s/^A64 model/$op/" "$tmp/log"
	else
		bad=$((bad + 1))
		sed "s/^/$op: /" "$tmp/log"
	fi
done
"$BUILD/rules-modeltest" --hir -s "$seed" -n $((100 * cases)) || bad=$((bad + 1))
echo "$bad failed"
[ "$bad" = 0 ]
