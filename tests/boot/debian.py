# SPDX-License-Identifier: MIT
"""Tests in the Debian guest, for `make test-long`: programs as tests (guest/debian.img, guest/programs.img)."""
import hashlib
import os
import re
import shutil
import time

from harness import PROGRAMS, check, debian, fetch, test

GDB_PROGRAM = [
    ("break work if n == 4", r"Breakpoint 1 at 0x"),
    ("run", r"Breakpoint 1, work \(n=n@entry=4\)"),
    ("backtrace", r"#1 .* in main \(\)"),
    ("watch counter", r"Hardware watchpoint 2: counter"),
    ("continue", r"Old value = 0\nNew value = 14\n"),
    ("delete", ""),
    ("hbreak work", r"Hardware assisted breakpoint 3 at"),
    ("continue", r"Breakpoint 3, work \(n=n@entry=5\)"),
    ("rwatch counter", r"Hardware read watchpoint 4: counter"),
    ("continue", r"Value = 14\n"),
    ("delete", ""),
    ("finish", r"Value returned is .* = 30"),
    ("stepi", r"for \(int k"),
    ("continue", r"50 28\n(.*\n)*.*exited normally"),
]


@test("gdb and strace in the guest: breakpoints, watchpoints, steps, system calls", long=True)
def gdb_in_guest(env):
    with debian(env) as vm:
        fetch(env, vm, "debugged.c")
        out, status = vm.run("gcc -g -O1 -o debugged debugged.c && ./debugged")
        check(status == 0 and out == "50 28", f"gcc: {out}", vm)
        lines = " ".join(f"-ex '{line}'" for line, _ in GDB_PROGRAM)
        out, _ = vm.run(f"gdb -nx -q -batch {lines} ./debugged 2>&1", 600)
        at = 0
        for line, wanted in GDB_PROGRAM:
            m = re.compile(wanted).search(out, at)
            check(m, f"gdb: {line}: no /{wanted}/ after what came before in\n{out}")
            at = m.end()
        out, status = vm.run("strace -f -e trace=openat,read,execve sh -c 'cat /etc/hostname' 2>&1")
        check(status == 0 and re.search(r'openat\(AT_FDCWD, "/etc/hostname", O_RDONLY\) = 3', out) and
              re.search(r'read\(3, "armature\\n", \d+\) += 9', out), f"strace: {out}", vm)


def perf_counts(text):
    return {event: int(n) for n, event in re.findall(r"^(\d+),[^,]*,([\w:-]+),", text, re.M)}


@test("perf in the guest: counters, sampling by their overflow", long=True)
def perf(env):
    turns = 20000
    loop = f"i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done"
    with debian(env) as vm:
        for line in ("true", f"sh -c '{loop}'"):
            events = "cycles,instructions,cycles:u,instructions:u,cycles:k,instructions:k"
            out, status = vm.run(f"perf stat -x, -e {events} {line} 2>&1")
            n = perf_counts(out)
            check(status == 0 and len(n) == 6, f"perf stat: status {status}\n{out}")
            for what in ("cycles", "instructions"):
                parts = n[what + ":u"] + n[what + ":k"]
                check(n[what + ":u"] > 0 and n[what + ":k"] > 0 and 0.95 < parts / n[what] < 1.05,
                      f"{line}: {what} are not the sum of those at EL0 and EL1\n{out}")
        # 13,043 instructions a turn of dash's loop (qemu-aarch64 -singlestep -d exec,nochain, 100 turns)
        check(11000 < n["instructions:u"] / turns < 16000, f"instructions of {turns} turns of {loop}: {out}")
        for event, period in (("cycles", 1000000), ("cycles:u", 1000000), ("instructions:u", 1000000),
                              ("instructions", 100000)):
            out, status = vm.run(f"perf record -q -e {event} -c {period} -o /tmp/data sh -c '{loop}' 2>&1 && "
                                 "perf script -i /tmp/data -F ip,comm | grep -c -w sh; rm -f /tmp/data")
            check(status == 0 and out.isdigit() and int(out) >= 20, f"samples by {event}: {out}")


# What the programs print on any machine; the references come from x86-64 (java, node) and qemu-user (luajit).
JIT = [("java -cp . Bench", "Bench.java", "javac Bench.java", "Bench.java.out"),
       ("java -Xint -cp . Bench", "Bench.java", "true", "Bench.java.out"),
       ("node bench.js", "bench.js", "true", "bench.node.out"),
       ("luajit bench.lua", "bench.lua", "true", "bench.luajit.out"),
       ("luajit -joff bench.lua", "bench.lua", "true", "bench.luajit.out")]


@test("JIT compilers in the guest: java, node, luajit; static Go and Rust programs", long=True)
def jits(env):
    with debian(env, 1536, 2, "programs.img") as vm:
        for line, source, prepare, reference in JIT:
            fetch(env, vm, source)
            out, status = vm.run(prepare, 900)
            check(status == 0, f"{prepare}: {out}", vm)
            out, status = vm.run(line, 1800)
            with open(os.path.join(PROGRAMS, reference)) as f:
                wanted = f.read().strip()
            check(status == 0 and out == wanted, f"{line}: status {status}\n{out}\n--- expected\n{wanted}")
        out, status = vm.run("gosu nobody id -un")
        check(status == 0 and out == "nobody", f"gosu (Go): {out}", vm)
        out, status = vm.run("rg -c console bench.js")
        check(status == 0 and int(out) > 10, f"ripgrep (Rust): {out}", vm)


@test("zlib from source in the guest: gcc, make, its tests", long=True)
def build_zlib(env):
    with debian(env, 1024, 2, "programs.img") as vm:
        out, status = vm.run("cd /root/zlib && ./configure && make -j2 && make test", 1800)
        for kind in ("zlib", "zlib shared", "zlib 64-bit"):
            check(status == 0 and f"*** {kind} test OK ***" in out, f"make test: status {status}\n{out[-2000:]}")


@test("gmp's test suite", long=True)
def gmp_tests(env):
    with debian(env, 1024, 2, "programs.img") as vm:
        out, _ = vm.run("cd /tmp; for t in /root/gmp/*; do timeout 3600 $t >out 2>&1; s=$?; echo $t >>ran; "
                        "[ $s = 0 -o $s = 77 ] || { echo $t: status $s; tail -n 20 out; }; done", 14400)
        check(not out, f"failed:\n{out}")
        out, _ = vm.run("wc -l <ran")
        check(int(out) > 150, f"{out} programs of gmp's tests ran")


# speedtest1 prints a hash of all its queries' results, the same on any machine (this one is of qemu-aarch64 7.2).
SQLITE_TESTS = [("./fuzzcheck fuzzdata*.db", r"0 errors out of (?!0 )\d+ tests"),
                ("./speedtest1 --size 5 --verify /tmp/speed.db",
                 "Verification Hash: 826556 2ef302098d252181c4cb98b84a8a332a8e98506910393697"),
                ("cd /tmp && /root/sqlite3/threadtest3; cd /root/sqlite3", r"0 errors out of (?!0 )\d+ tests"),
                ("./mptester /tmp/mp.db mptest/multiwrite01.test", r"Summary: 0 errors out of (?!0 )\d+ tests")]


@test("sqlite3: fuzzcheck, speedtest1, threadtest3, mptester", long=True)
def sqlite_tests(env):
    with debian(env, 1024, 2, "programs.img") as vm:
        vm.run("cd /root/sqlite3")
        for line, wanted in SQLITE_TESTS:
            out, status = vm.run(f"{line} >/tmp/out 2>&1; s=$?; tail -n 40 /tmp/out; (exit $s)", 14400)
            check(status == 0 and re.search(wanted, out), f"{line}: status {status}\n{out}")


# op/goto_xs wants XS::APItest, re/uniprops a generated TestProp.pl: neither is shipped. re/fold_grind takes long.
PERL_TESTS = "base/*.t cmd/*.t comp/*.t io/*.t lib/*.t mro/*.t op/*.t opbasic/*.t re/*.t run/*.t uni/*.t"
PERL_LEFT_OUT = "win32/* op/goto_xs.t re/uniprops*.t re/fold_grind*.t"


@test("perl's core tests", long=True)
def perl_tests(env):
    with debian(env, 1536, 2, "programs.img") as vm:
        vm.run(f"cd /root/perl/t && rm -rf {PERL_LEFT_OUT}")
        vm.run("export PERL_SKIP_PSYCHO_TEST=1 PERL_TEST_TIME_OUT_FACTOR=20 TEST_JOBS=2")
        out, status = vm.run(f"./perl harness {PERL_TESTS} >/tmp/out 2>&1; s=$?; "
                             "grep -A 1000 -E '^(Test Summary|All tests)' /tmp/out; (exit $s)", 14400)
        files = re.search(r"^Files=(\d+), Tests=(\d+)", out, re.M)
        check(status == 0 and files and int(files[1]) > 480 and int(files[2]) > 240000 and "Result: PASS" in out,
              f"harness: status {status}\n{out}")


# Of OpenSSL's recipes: arithmetic and ciphers (assembly here), TLS through its API, threads. The others need the
# programs that programs-build.sh leaves out.
OPENSSL_TESTS = """test_internal_bn test_internal_chacha test_internal_curve448 test_internal_ec test_internal_modes
test_internal_poly1305 test_internal_siphash test_internal_sm2 test_internal_sm3 test_internal_sm4 test_internal_asn1
test_bn test_exp test_ec test_ecdsa test_dh test_dsa test_rsa test_evp test_evp_kdf test_aesgcm test_cmac
test_hmac test_des test_bf test_ige test_constant_time test_threads test_sslapi test_asn1_time test_gmdiff test_ecstress
test_bio_enc test_srp test_pkey_meth test_lhash test_sparse_array test_enc test_dgst test_mac""".split()


@test("openssl: tests of its arithmetic, ciphers, TLS", long=True)
def openssl_tests(env):
    with debian(env, 1024, 2, "programs.img") as vm:
        out, status = vm.run("cd /root/openssl && SRCTOP=. BLDTOP=. PERL=perl EXE_EXT= perl test/run_tests.pl "
                             f"{' '.join(OPENSSL_TESTS)} >/tmp/out 2>&1; s=$?; tail -n 40 /tmp/out; (exit $s)", 14400)
        files = re.findall(r"^Files=(\d+), Tests=\d+", out, re.M)
        check(status == 0 and files and int(files[-1]) == len(OPENSSL_TESTS) and "Result: PASS" in out,
              f"run_tests.pl: status {status}\n{out}")


PYTHON_TESTS = """test_array test_binascii test_bytes test_bz2 test_cmath test_codecs test_complex test_coroutines
test_ctypes test_dict test_decimal test_exceptions test_faulthandler test_float test_format test_fractions test_gc
test_generators test_hashlib test_heapq test_int test_itertools test_json test_list test_long test_lzma test_math test_mmap
test_pickle test_queue test_random test_re test_set test_signal test_sort test_statistics test_string test_struct
test_thread test_threading test_time test_tuple test_unicode test_weakref test_zlib""".split()


@test("python3 -m test: a core subset", long=True)
def python_tests(env):
    with debian(env, 1536, 2, "programs.img") as vm:
        out, status = vm.run(f"python3 -m test --timeout 1800 {' '.join(PYTHON_TESTS)} >/tmp/out 2>&1 || "
                             "{ tail -n 60 /tmp/out; false; }", 7200)
        check(status == 0, f"python3 -m test: status {status}\n{out}")


@test("Debian with systemd: login, python3, perl, gcc, apt-get, clean power-off", long=True)
def debian_programs(env):
    token = os.urandom(4).hex()
    if os.path.isdir(env.guest("pool")):
        shutil.copytree(env.guest("pool"), os.path.join(env.www, "pool"), dirs_exist_ok=True)
    with debian(env) as vm:
        out, status = vm.run("systemctl is-system-running --wait", 600)
        check(status == 0 and out == "running", f"systemd: {out}: {vm.run('systemctl --failed --no-pager')[0]}", vm)
        for line, wanted in [
                (f"python3 -c 'import json, hashlib; print(json.dumps([hashlib.sha256(b\"{token}\").hexdigest()]))'",
                 f'["{sha256(token)}"]'),
                ("perl -e 'print join(\",\", map { $_ ** 2 } grep { /[13579]$/ } 1..9), \"\\n\"'", "1,9,25,49,81"),
                (f"printf '#include <stdio.h>\\nint main(void) {{ return !printf(\"{token}\\\\n\"); }}\\n' >/tmp/a.c && "
                 "gcc -O2 -Wall -o /tmp/a /tmp/a.c && /tmp/a", token)]:
            out, status = vm.run(line)
            check(status == 0 and out == wanted, f"{line}: {status} {out}", vm)
        if os.path.isdir(env.guest("pool")):
            vm.run("rm -f /etc/apt/sources.list; rm -rf /etc/apt/sources.list.d/*")
            vm.run(f"echo 'deb [trusted=yes] {env.server.url('pool')} ./' >/etc/apt/sources.list")
            out, status = vm.run("apt-get -q update && apt-get -qq install -y hello && hello", 600)
            check(status == 0 and "Hello, world!" in out, f"apt-get: {status} {out}", vm)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@test("stress-ng --verify", long=True)
def stress(env):
    seconds = env.args.stress
    stressors = "cpu vm matrix qsort switch fork pthread timer".split()
    with debian(env) as vm:
        share = max(seconds // len(stressors), 5)
        for s in stressors:
            size = " --vm-bytes 128M" if s == "vm" else ""
            out, status = vm.run(f"stress-ng --verify --{s} 1{size} --timeout {share}s", share * 3 + 300)
            check(status == 0, f"stress-ng {s}: status {status}\n{out}", vm)


# Every class there is, two of each. Options of those that need some; the user is root unless NOBODY says otherwise.
STRESS_OPTIONS = {"vm": "--vm-bytes 128M", "bind-mount": "--pathological", "cpu-online": "--pathological",
                  "bad-ioctl": "--pathological", "sysinval": "--pathological"}
STRESS_ONE = {"cyclic", "uprobe"}  # two of it take one resource from each other: SCHED_DEADLINE's share, tracing's file
STRESS_NOBODY = {"bad-ioctl", "exec", "spawn", "sysinval"}  # refused or destructive as root
# Left out, and why. What skips itself for another reason fails the test.
STRESS_LEFT_OUT = {
    "binderfs": "not in the kernel", "idle-page": "not in the kernel",
    "usersyscall": "not in arm64 kernels", "efivar": "no EFI in the machine", "pci": "no PCI in the machine",
    "gpu": "no GPU in the machine", "watchdog": "no watchdog in the machine", "verity": "not on this file system",
    "quota": "not on this file system", "plugin": "needs a library to load", "ipsec-mb": "x86 only", "smi": "x86 only",
    "tsc": "x86 only", "rdrand": "x86 only", "mlockmany": "ends the shell for want of memory",
    "oom-pipe": "ends the shell for want of memory"}


@test("stress-ng --verify, all classes", long=True)
def stress_all(env):
    with debian(env, 2048, 2, append="secretmem.enable=1") as vm:
        vm.run("modprobe dccp_ipv4; mkdir -m 777 /tmp/work; cd /tmp/work; sysctl -q -w net.ipv4.ping_group_range='0 10000'; "
               "export GLIBC_TUNABLES=glibc.pthread.rseq=0")  # glibc's own use of rseq shuts out the stressor's
        classes = vm.run("stress-ng --stressors")[0].split()
        check(len(classes) > 250, f"classes: {classes}")
        bad = []
        for c in (c for c in classes if c not in STRESS_LEFT_OUT):
            user = "setpriv --reuid=65534 --regid=65534 --clear-groups " if c in STRESS_NOBODY else ""
            out, status = vm.run(f"{user}timeout -k 10 240 stress-ng --verify --{c} {1 if c in STRESS_ONE else 2} "
                                 f"{STRESS_OPTIONS.get(c, '')} --timeout 2s 2>&1; (s=$?; rm -rf /tmp/work/tmp-*; exit $s)", 300)
            if status or re.search(r"fail: |skipp\w+ (the )?stress|stressor .*skipped|No stress workers", out):
                bad.append(f"{c}: status {status}\n{out}")
        out, _ = vm.run("dmesg | grep -E 'rcu.*stall|BUG|WARNING|blocked for more|lockup|Oops' | sed 's/^/x/'")
        if out:
            bad.append(f"in the kernel's log: {out}")
        check(not bad, "\n".join(bad))


# What vCPUs do to each other: atomics, futexes, barriers, interrupts, mappings and code that change, hotplug.
SMP_STRESSORS = """atomic futex membarrier mutex sem sem-sysv peterson dekker rseq cacheline tlb-shootdown mcontend icache
    flushcache pthread switch msg mq yield affinity cpu-online sigq sigfd fork clone mmapfork munmap mremap ring-pipe poll
    pipe eventfd hrtimers timer nanosleep madvise userfaultfd lockbus context""".split()


@test("hackbench, stress-ng --verify between 4 vCPUs", long=True)
def smp_stress(env):
    end = time.monotonic() + env.args.stress
    share = max(env.args.stress // (3 * (len(SMP_STRESSORS) + 4)), 5)
    with debian(env, cpus=4) as vm:
        vm.run("export GLIBC_TUNABLES=glibc.pthread.rseq=0")  # else class rseq skips itself
        runs = [f"stress-ng --verify --{s} 4{' --pathological' if s == 'cpu-online' else ''} --timeout {share}s"
                for s in SMP_STRESSORS]
        for i, kind in enumerate(("-p", "-s 100", "-T", "-T -p")):
            runs.insert(10 * i, f"end=$(($(date +%s) + {share})); "
                        f"while [ $(date +%s) -lt $end ]; do hackbench {kind} -g 4 -l 100 >/dev/null || exit 1; done")
        while time.monotonic() < end:  # at least once through
            for line in runs:
                out, status = vm.run(f"({line})", share * 4 + 600)
                check(status == 0, f"{line}: status {status}\n{out}", vm)
        out, _ = vm.run("dmesg | grep -E 'rcu.*stall|BUG|WARNING|blocked for more|lockup|Oops' | sed 's/^/x/'")
        check(not out, f"in the kernel's log: {out}", vm)
