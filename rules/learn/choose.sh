#!/bin/sh
# SPDX-License-Identifier: MIT
# From the learner's candidates to rules worth their place: choose.sh BUILD PROFILE CANDIDATES DIR
#
# Those that save host instructions in the training profile, and the most frequent of the corpus that lose nothing there
# (choose.log), are proven (prove.log); of the proven ones those stay that lose nothing beside the others: DIR/corpus.rules. Records of proofs are kept in DIR/proofs, other files of DIR are made
# anew. PROFILE may be empty: then the most frequent candidates are taken. JOBS: processes, LIBS: libraries to link,
# BASE and MODEL: base rules and the semantic model's sources.
set -eu
build=$1 profile=$2 candidates=$3 dir=$4
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir/gen" "$dir/proofs"

# An evaluator with the rules of file $1 compiled in.
evaluator() {
	# shellcheck disable=SC2086
	"$build/gen/rules-compile" --unproven -o "$dir/gen/rules_gen.inc" base $BASE learned "$1"
	# shellcheck disable=SC2086
	cc -std=gnu11 -O0 -w -D_GNU_SOURCE -I"$dir/gen" -I. -I"$build/gen" -o "$dir/rules-eval" rules/learn/eval*.c dbt/rules.c \
		"$build/libarmature.a" $LIBS -lZydis -pthread
}

choose() { # rules, how, least saved, so many more, out
	if [ -z "$profile" ]; then
		/usr/bin/python3 -B "$here/pick.py" "$1" --max 300 --out "$5"
		return
	fi
	evaluator "$1"
	"$dir/rules-eval" "$2" "$profile" >"$dir/uses"
	/usr/bin/python3 -B "$here/pick.py" "$1" --uses "$dir/uses" --least "$3" --more "$4" --out "$5"
}

echo "choose: $candidates" >&2
if [ -n "$profile" ]; then # what is never executed need not be tried
	"$build/rules-eval" --grams "$profile" >"$dir/grams"
	/usr/bin/python3 -B "$here/pick.py" "$candidates" --grams "$dir/grams" --max "${TRY:-1500}" --out "$dir/tried.rules" |
		tee "$dir/tried.log"
	candidates=$dir/tried.rules
fi
choose "$candidates" --uses 1000 60 "$dir/chosen.rules" >"$dir/choose.log"
cat "$dir/choose.log"
# shellcheck disable=SC2086
"$build/rules-prove" -j "${JOBS:-2}" --limit 15 $MODEL --records "$dir/proofs" --keep "$dir/proven.rules" \
	"$dir/chosen.rules" >"$dir/prove.log" || true
tail -n 1 "$dir/prove.log"
choose "$dir/proven.rules" --marginal 0 0 "$dir/second.rules"
choose "$dir/second.rules" --marginal 0 0 "$dir/corpus.rules"
# The records of what stayed, under its name.
cp "$dir/proofs/chosen.proofs" "$dir/proofs/corpus.proofs"
# shellcheck disable=SC2086
"$build/rules-prove" $MODEL --records "$dir/proofs" "$dir/corpus.rules" | tail -n 1
