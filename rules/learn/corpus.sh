#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches and compiles the corpus of rules/learn: corpus.sh OUT-DIRECTORY
#
# For every C file of every package of corpus.txt, and of rules/learn/corpus, and each optimisation level,
# an A64 and an x86-64 executable with line information; OUT/list names them. Files that do not compile
# by themselves are left out. A second call does no work twice.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
out=$1
jobs=${JOBS:-$(nproc)}
command -v cmake >/dev/null || {
	echo "corpus: cmake is missing, which libjpeg-turbo's recipe needs: apt-get install cmake" >&2
	exit 1
}
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

# One file at one level: one compiler for both, each linked by itself so that branches are resolved. Where the corpus lies
# must not show: the length of a name in assert() moves what comes behind it.
export CORPUS="$out" OWN="$here"
cat >"$out/one.sh" <<'END'
src=$1 level=$2 obj=$3 dir=$4
shift 4
[ -f "$obj.ok" ] || [ -f "$obj.no" ] && exit 0
a64=aarch64-linux-gnu-gcc x86=gcc
common="-g -ffile-prefix-map=$CORPUS/=/ -ffile-prefix-map=$OWN/=/ ${level#clang} -w -std=gnu11 -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables"
case $level in
clang*)
	a64="clang --target=aarch64-linux-gnu" x86=clang
	common="$common -fno-vectorize -fno-slp-vectorize -fno-unroll-loops"
	;;
*) common="$common -fno-tree-vectorize -fno-pie" ;;
esac
cd "$dir" || exit 0
if timeout 600 $a64 $common -mno-outline-atomics "$@" -c -o "$obj.a64.o" "$src" 2>/dev/null &&
	timeout 600 $x86 $common -march=x86-64-v3 -fcf-protection=none "$@" -c -o "$obj.x86.o" "$src" 2>/dev/null &&
	aarch64-linux-gnu-ld --unresolved-symbols=ignore-all -e 0 -o "$obj.a64" "$obj.a64.o" 2>/dev/null &&
	ld --unresolved-symbols=ignore-all -e 0 -o "$obj.x86" "$obj.x86.o" 2>/dev/null; then
	touch "$obj.ok"
else
	touch "$obj.no"
fi
rm -f "$obj.a64.o" "$obj.x86.o"
END

# No package is to drown the others: at most $files of its files, evenly spread over the names.
files=${FILES:-16}
spread() {
	awk -v max="$files" '{ f[NR] = $0 }
		END { for (i = 1; i <= NR; i++) if (NR <= max || int(i * max / NR) != int((i - 1) * max / NR)) print f[i] }'
}

# Compile jobs of a package: its C files in $dirs (the top directory when empty), from the top directory $top.
jobs_for() { # package, top directory, flags and @directories
	pkg=$1 top=$2
	shift 2
	dirs='' flags='' levels='-O1 -O2 -Os clang-O2'
	for f in "$@"; do
		case $f in
		@*) dirs="$dirs $top/${f#@}" ;;
		=*) levels=$(echo "${f#=}" | tr , ' ') ;;
		*) flags="$flags $f" ;;
		esac
	done
	inc=$(find "$top" -name '*.h' ! -path '*/test*' ! -path '*/debian/*' | sed 's,/[^/]*$,,' | sort | uniq -c |
		sort -k1,1nr -k2 | awk '{ print "-I" $2 }' | head -40 | sort | tr '\n' ' ')
	case $flags in *-nostdinc*) inc="-I$top/obj/include -I$top/obj/src/internal" ;; esac
	find ${dirs:-"$top"} -name '*.c' ! -path '*/test*' ! -path '*/debian/*' ! -path '*/CMakeFiles/*' | sort |
		spread | awk -v pkg="$pkg" -v top="$top" -v obj="$out/obj/" -v flags="$flags $inc" -v levels="$levels" '{
			name = pkg substr($0, length(top) + 1)
			gsub("/", "_", name)
			n = split(levels, level, " ")
			for (i = 1; i <= n; i++)
				print $0, level[i], obj name level[i], top, flags
		}'
}

# What a build would make first, once; only its headers matter, so a failure is no error.
prepare() { # package, top directory, command
	[ -f "$out/src/$1/.ready" ] && return
	[ -z "$3" ] || (cd "$2" && sh -c "$3") >"$out/src/$1/prepare.log" 2>&1 </dev/null
	touch "$out/src/$1/.ready"
}

: >"$out/jobs"
jobs_for own "$here/corpus" >>"$out/jobs"
grep -v '^#' "$here/corpus.txt" | while read -r pkg flags; do
	fetch "$pkg"
	[ -f "$out/src/$pkg/.done" ] || continue
	case $flags in
	*!*) command=${flags#*!} flags=${flags%%!*} ;;
	*) command='' ;;
	esac
	top=$(find "$out/src/$pkg" -mindepth 1 -maxdepth 1 -type d ! -name dl | sort | head -n 1)
	prepare "$pkg" "$top" "$command"
	jobs_for "$pkg" "$top" $flags >>"$out/jobs"
done
# What is done already costs no process.
ls "$out/obj" | sed -n 's/\.\(ok\|no\)$//p' >"$out/done"
awk -v obj="$out/obj/" 'FILENAME == ARGV[1] { done[obj $0] = 1; next } !($3 in done)' "$out/done" "$out/jobs" >"$out/todo"
echo "corpus: $(wc -l <"$out/todo") of $(wc -l <"$out/jobs") files and levels to compile" >&2
# A blank at the end of a line would join it to the next.
sed "s/ *$//" "$out/todo" | xargs -r -P "$jobs" -L 1 sh "$out/one.sh"
# The list is sorted by name: the same corpus gives the same rules.
ls "$out/obj" | sed -n 's/\.ok$//p' >"$out/done"
awk -v obj="$out/obj/" 'FILENAME == ARGV[1] { ok[obj $0] = 1; next } $3 in ok {
	pkg = substr($3, length(obj) + 1)
	sub("_.*", "", pkg)
	print pkg, $3 ".a64", $3 ".x86"
}' "$out/done" "$out/jobs" | sort >"$out/list"
echo "corpus: $(wc -l <"$out/list") of $(wc -l <"$out/jobs") files and levels compile"
