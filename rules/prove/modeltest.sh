#!/bin/sh
# SPDX-License-Identifier: MIT
# The A64 model against qemu-user, op by op, and the HIR model against the evaluator: modeltest.sh [CASES]
set -u
BUILD=${BUILD:-build}
cases=${1:-200}
seed=${SEED:-1}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
for op in $("$BUILD/rules-modeltest" --ops); do
	"$BUILD/tests/insn/insn-gen" --seed "$seed" --count "$cases" --op "$op" --full -o "$tmp/cases" || exit 2
	qemu-aarch64-static -cpu max,sve=off,pauth=off "$BUILD/tests/insn/runner" "$tmp/cases" >"$tmp/out"
	if "$BUILD/rules-modeltest" "$tmp/cases" "$tmp/out" >"$tmp/log"; then
		sed "s/^A64 model/$op/" "$tmp/log"
	else
		bad=$((bad + 1))
		sed "s/^/$op: /" "$tmp/log"
	fi
done
"$BUILD/rules-modeltest" --hir -s "$seed" || bad=$((bad + 1))
echo "$bad failed"
[ "$bad" = 0 ]
