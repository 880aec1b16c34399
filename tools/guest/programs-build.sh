#!/bin/bash
# SPDX-License-Identifier: MIT
# Cross-compiles test suites of Debian's sources for guest/programs.img: programs-build.sh BUILD ROOT
# BUILD/src has the sources; each suite is installed into ROOT/root/NAME, with a script `run` where one is needed.
set -euo pipefail
build=$(readlink -m "$1") root=$(readlink -m "$2")/root
cross=aarch64-linux-gnu
jobs=$(nproc)
src() { echo "$build/src/$1"-*/ | sed 's:/$::'; }
fresh() { # fresh NAME: an empty directory in the guest's /root
	rm -rf "${root:?}/$1"
	mkdir -p "$root/$1"
}
is_elf() { [ "$(head -c 4 "$1")" = $'\x7fELF' ]; }

# zlib is built in the guest.
fresh zlib
cp -a "$(src zlib)/." "$root/zlib/"

if [ ! -e "$build/gmp/.built" ]; then
	mkdir -p "$(src gmp)/doc" # left out of Debian's source, wanted by configure
	printf 'all check install:\n' >"$(src gmp)/doc/Makefile.in"
	rm -rf "$build/gmp" && mkdir "$build/gmp"
	(
		cd "$build/gmp"
		"$(src gmp)/configure" --host=$cross --disable-shared
		make -j"$jobs"
		make -j"$jobs" check TESTS=
		touch .built
	)
fi
fresh gmp
find "$build/gmp/tests" -type f -perm -1 ! -path '*/devel/*' -print0 | while IFS= read -r -d '' f; do
	is_elf "$f" || continue
	name=${f#"$build/gmp/tests/"}
	$cross-strip -o "$root/gmp/${name//\//-}" "$f"
done

if [ ! -e "$build/sqlite3/.built" ]; then
	rm -rf "$build/sqlite3" && mkdir "$build/sqlite3"
	(
		cd "$build/sqlite3"
		"$(src sqlite3)/configure" --host=$cross --disable-tcl --disable-shared --disable-readline CFLAGS=-O1
		gcc -o lemon "$(src sqlite3)/tool/lemon.c" # Debian's makefile takes the cross compiler
		cp "$(src sqlite3)/tool/lempar.c" .
		make -j"$jobs" fuzzcheck speedtest1 threadtest3 mptester
		touch .built
	)
fi
fresh sqlite3
for p in fuzzcheck speedtest1 threadtest3 mptester; do
	$cross-strip -o "$root/sqlite3/$p" "$build/sqlite3/$p"
done
cp "$(src sqlite3)"/test/fuzzdata*.db "$root/sqlite3/"
cp -r "$(src sqlite3)/mptest" "$root/sqlite3/"

# OpenSSL: the tests of its arithmetic and ciphers (the library is assembly here), of TLS through its API, of threads.
openssl_programs="bn_internal_test chacha_internal_test curve448_internal_test ec_internal_test modes_internal_test
	poly1305_internal_test siphash_internal_test sm2_internal_test sm3_internal_test sm4_internal_test
	asn1_internal_test bntest exptest ectest ecdsatest dhtest dsatest dsa_no_digest_size_test rsa_test evp_test evp_kdf_test
	aesgcmtest cmactest hmactest destest bftest igetest constant_time_test threadstest sslapitest asn1_time_test
	threadstest_fips gmdifftest ecstresstest bio_enc_test srptest pkey_meth_test lhash_test sparse_array_test"
if [ ! -e "$build/openssl/.built" ]; then
	rm -rf "$build/openssl"
	cp -a "$(src openssl)" "$build/openssl"
	(
		cd "$build/openssl"
		./Configure linux-aarch64 --cross-compile-prefix=$cross- no-shared \
			no-idea no-mdc2 no-rc5 no-ssl3 no-ssl3-method enable-rfc3779 # as in Debian's rules
		# The libraries under test are Debian's own; -o: make is to take them for up to date.
		cp "$build"/libssl-dev/usr/lib/$cross/lib{crypto,ssl}.a .
		make -j"$jobs" -o libcrypto.a -o libssl.a build_generated
		# shellcheck disable=SC2046,SC2086  # lists of words
		make -j"$jobs" -o libcrypto.a -o libssl.a util/wrap.pl util/shlib_wrap.sh $(printf 'test/%s ' $openssl_programs)
		touch .built
	)
fi
fresh openssl
(cd "$build/openssl" && tar -c --exclude='*.[oacd]' Configure Configurations configdata.pm VERSION.dat test util \
	external/perl apps/openssl.cnf apps/*.pl) | tar -x -C "$root/openssl"
# shellcheck disable=SC2046,SC2086
for p in $(printf 'test/%s ' $openssl_programs); do
	$cross-strip "$root/openssl/$p"
done
mkdir "$root/openssl/providers"
ln -s /usr/bin/openssl "$root/openssl/apps/openssl"
ln -s /usr/lib/$cross/ossl-modules/legacy.so "$root/openssl/providers/legacy.so"
grep -rlIF "$build/openssl" "$root/openssl" | xargs -r sed -i "s:$build/openssl:/root/openssl:g"

# Perl's own tests with Debian's perl: a tree of its t/ and one lib/ of all that the packages scatter.
fresh perl
cp -a "$(src perl)/t" "$(src perl)/regen" "$root/perl/"
mkdir "$root/perl/lib"
for d in "$root"/../usr/{share/perl/5.*,lib/$cross/perl/5.*,lib/$cross/perl-base}; do
	[ -L "$d" ] || cp -aL "$d/." "$root/perl/lib/"
done
cp -an "$(src perl)/lib/." "$root/perl/lib/"
cp "$(src perl)"/{TestInit.pm,MANIFEST} "$root/perl/"
ln -s /usr/bin/perl "$root/perl/t/perl"
ln -s /usr/bin/perl "$root/perl/perl"
