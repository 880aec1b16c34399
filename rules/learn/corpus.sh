#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches and compiles the corpus of rules/learn: corpus.sh OUT-DIRECTORY
#
# For every C file of every package of corpus.txt, and of rules/learn/corpus, and each optimisation level,
# an A64 and an x86-64 executable with line information; OUT/list names them. Files that do not compile
# by themselves are left out. A second call does no work twice.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$1
jobs=${JOBS:-$(nproc)}
mkdir -p "$out/src" "$out/obj"
out=$(cd "$out" && pwd)

# apt with a state of its own: the host's is left alone.
papt() {
	st=$out/apt
	: "${MIRROR:=$("$here/../../tools/guest/apt.sh" --mirror | head -n 1)}"
	mkdir -p "$st/state/lists/partial" "$st/cache/archives/partial" "$st/prefs" "$st/dpkg"
	: >>"$st/dpkg/status"
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"$MIRROR bookworm main" >"$st/sources.list"
	apt-get -q -o Dir::State="$st/state" -o Dir::State::status="$st/dpkg/status" \
		-o Dir::Cache="$st/cache" -o Dir::Etc::sourcelist="$st/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::Preferencesparts="$st/prefs" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

fetch() { # package
	[ -f "$out/src/$1/.done" ] && return
	[ -n "${updated:-}" ] || papt update >"$out/apt.log" 2>&1
	updated=1
	rm -rf "$out/src/$1"
	mkdir -p "$out/src/$1/dl"
	(cd "$out/src/$1/dl" && papt source --download-only "$1" >>"$out/apt.log" 2>&1)
	for t in "$out/src/$1/dl"/*.orig.tar.*; do
		case $t in *.asc) continue ;; esac
		tar -xf "$t" -C "$out/src/$1" && touch "$out/src/$1/.done"
	done
	[ -f "$out/src/$1/.done" ] || echo "corpus: $1 could not be fetched, see $out/apt.log" >&2
}

# One file at one level: both compilers, each linked by itself so that branches are resolved.
cat >"$out/one.sh" <<'END'
src=$1 level=$2 obj=$3 dir=$4
shift 4
[ -f "$obj.ok" ] || [ -f "$obj.no" ] && exit 0
common="-g $level -w -std=gnu11 -fno-tree-vectorize -fno-stack-protector -fno-pic -fno-pie -fno-asynchronous-unwind-tables"
cd "$dir" || exit 0
if timeout 60 aarch64-linux-gnu-gcc $common -mno-outline-atomics "$@" -c -o "$obj.a64.o" "$src" 2>/dev/null &&
	timeout 60 gcc $common -march=x86-64-v3 -fcf-protection=none "$@" -c -o "$obj.x86.o" "$src" 2>/dev/null &&
	aarch64-linux-gnu-ld --unresolved-symbols=ignore-all -e 0 -o "$obj.a64" "$obj.a64.o" 2>/dev/null &&
	ld --unresolved-symbols=ignore-all -e 0 -o "$obj.x86" "$obj.x86.o" 2>/dev/null; then
	touch "$obj.ok"
else
	touch "$obj.no"
fi
rm -f "$obj.a64.o" "$obj.x86.o"
END

jobs_for() { # package, directory, flags
	pkg=$1 dir=$2
	shift 2
	inc=$(find "$dir" -name '*.h' | sed 's,/[^/]*$,,' | sort -u | head -40 | sed 's/^/-I/' | tr '\n' ' ')
	find "$dir" -name '*.c' ! -path '*/test*' ! -path '*/debian/*' | sort |
		awk -v pkg="$pkg" -v dir="$dir" -v obj="$out/obj/" -v flags="$inc $*" '{
			here = $0
			sub("/[^/]*$", "", here)
			name = pkg substr($0, length(dir) + 1)
			gsub("/", "_", name)
			n = split("-O1 -O2 -Os", level, " ")
			for (i = 1; i <= n; i++)
				print $0, level[i], obj name level[i], here, flags
		}'
}

: >"$out/jobs"
jobs_for own "$here/corpus" >>"$out/jobs"
grep -v '^#' "$here/corpus.txt" | while read -r pkg flags; do
	fetch "$pkg"
	[ -f "$out/src/$pkg/.done" ] && jobs_for "$pkg" "$out/src/$pkg" $flags >>"$out/jobs"
done
# What is done already costs no process.
ls "$out/obj" | sed -n 's/\.\(ok\|no\)$//p' >"$out/done"
awk -v obj="$out/obj/" 'NR == FNR { done[obj $0] = 1; next } !($3 in done)' "$out/done" "$out/jobs" >"$out/todo"
echo "corpus: $(wc -l <"$out/todo") of $(wc -l <"$out/jobs") files and levels to compile" >&2
xargs -r -P "$jobs" -L 1 sh "$out/one.sh" <"$out/todo"
# The list is sorted by name: the same corpus gives the same rules.
ls "$out/obj" | sed -n 's/\.ok$//p' >"$out/done"
awk -v obj="$out/obj/" 'NR == FNR { ok[obj $0] = 1; next } $3 in ok {
	pkg = substr($3, length(obj) + 1)
	sub("_.*", "", pkg)
	print pkg, $3 ".a64", $3 ".x86"
}' "$out/done" "$out/jobs" | sort >"$out/list"
echo "corpus: $(wc -l <"$out/list") of $(wc -l <"$out/jobs") files and levels compile"
