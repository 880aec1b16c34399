#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot tests: real Debian kernels on the VMM, from outside. Prints TAP.

    run.py [--vmm armature|qemu] [--long] [-k REGEX] [--list] [-j N]

--vmm qemu runs the same tests on qemu-system-aarch64: a failure there is the harness's or the guest's own.
"""
import argparse
import concurrent.futures
import functools
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import TESTS, Env, Skip, check, check_clean, check_off, debugfs, test  # noqa: E402
from vm import Vm, VmError  # noqa: E402


def bare(mib):
    """Below a fifth of a small machine's memory is the kernel's own, of a large one's almost nothing."""
    return mib * 1024 * (0.55 if mib <= 128 else 0.75)


def boot_once(env, kernel, gz, memory):
    with env.boot("poweroff", kernel, gz, memory=memory, net="none") as vm:
        vm.expect("@@INIT")
        m, _ = vm.expect(r"@@MEMORY (\d+)\n")
        check(bare(memory) < int(m.group(1)) <= memory * 1024, f"the guest sees {m.group(1)} KiB of {memory} MiB", vm)
        vm.expect("@@OFF")
        check_off(vm)


SIZES = [128, 256, 512, 1024, 2048, 4096, 8192]
SLICE = {("cloud", False, 128), ("cloud", False, 8192), ("cloud", True, 512), ("generic", False, 512),
         ("generic", True, 256)}
for _kernel in ("cloud", "generic"):
    for _gz in (False, True):
        for _memory in SIZES:
            test(f"boot {_kernel} {'gzip' if _gz else 'Image'} {_memory} MiB", long=(_kernel, _gz, _memory) not in SLICE)(
                functools.partial(boot_once, kernel=_kernel, gz=_gz, memory=_memory))


def gic(env, version):
    """GICv2 for armature; QEMU's default is the version that fits."""
    return {"extra": ["--set", f"machine.gic={version}"]} if env.armature else {}


def check_log(vm):
    """Nothing in the kernel's log on the console that would tell of CPUs waiting for each other in vain."""
    bad = re.findall(r"^.*(?:rcu.*stall|BUG:|WARNING:|blocked for more|lockup|failed to come online).*$", vm.text, re.M)
    check(not bad, "in the kernel's log: " + "; ".join(bad[:3]), vm)


def smp(env, cpus, version=3):
    with env.boot("poweroff", cpus=cpus, memory=max(512, 64 * cpus), net="none", **gic(env, version)) as vm:
        m, _ = vm.expect(r"@@CPUS (\d+)\n", 300 + 60 * cpus)
        check(int(m.group(1)) == cpus, f"{m.group(1)} CPUs online, {cpus} expected", vm)
        check_off(vm)
        check_log(vm)


for _cpus in (2, 4, 8, 16, 64):
    for _version in (3, 2) if _cpus <= 8 else (3,):
        test(f"boot with {_cpus} vCPUs, GICv{_version}", long=_cpus > 8)(
            functools.partial(smp, cpus=_cpus, version=_version))


def smp_boots(env, count):
    for i in range(count):
        try:
            smp(env, 4, 3 - i % 2)
        except VmError as e:
            raise VmError(f"boot {i + 1} of {count}: {e}") from None


test("50 boots with 4 vCPUs", long=True)(functools.partial(smp_boots, count=50))


def hotplug(env, version, turns):
    with env.boot("shell", append="quiet", cpus=4, net="none", **gic(env, version)) as vm:
        vm.expect("@@SHELL")
        vm.run("for i in 1 2 3 4; do (while :; do :; done) & done; cd /sys/devices/system/cpu")
        for i in range(turns):
            out, _ = vm.run("for c in 1 2 3; do echo 0 >cpu$c/online || echo off $c; done; cat online")
            check(out == "0", f"turn {i}: three CPUs taken away, online: {out}", vm)
            out, _ = vm.run("for c in 3 1 2; do echo 1 >cpu$c/online || echo on $c; done; cat online")
            check(out == "0-3", f"turn {i}: three CPUs brought back, online: {out}", vm)
        out, _ = vm.run("for c in 0 1 2 3; do taskset $((1 << c)) sh -c 'cut -d \" \" -f 39 /proc/self/stat'; done")
        check(out.split() == list("0123"), f"commands bound to CPUs 0 to 3 ran on {out}", vm)
        vm.run("kill $(jobs -p)")
        vm.send("poweroff")
        check_off(vm)
        check_log(vm)


for _version in (3, 2):
    test(f"CPU hotplug under load, GICv{_version}")(functools.partial(hotplug, version=_version, turns=3))
    test(f"CPU hotplug under load, GICv{_version}, 100 times", long=True)(
        functools.partial(hotplug, version=_version, turns=100))


@test("selftest: disk, rng, clock, dhcp, ping, fetch")
def selftest(env, kernel="cloud"):
    token = os.urandom(8).hex()
    url = env.publish(token, token.encode())
    disk = env.disk()
    with env.boot("selftest", kernel, append=f"armature.token={token} armature.url={url}", drives=[(disk, False)]) as vm:
        vm.expect("@@DONE")
        results = dict(re.findall(r"^@@(PASS|FAIL) (\S+)$", vm.text, re.M)[i][::-1] for i in
                       range(len(re.findall(r"^@@(?:PASS|FAIL) ", vm.text, re.M))))
        wanted = {"disk-write", "disk-read", "rng", "clock", "dhcp", "ping", "fetch"}
        check(set(results) == wanted and set(results.values()) == {"PASS"}, f"results: {results}", vm)
        check_off(vm)
    check(debugfs(disk, "/selftest").decode().strip() == token, "the host does not see the guest's file in the image")
    blob = debugfs(disk, "/blob")
    check(len(blob) == 1 << 20, f"{len(blob)} bytes of /blob in the image, 1 MiB expected")
    check_clean(disk)


test("selftest, generic kernel")(functools.partial(selftest, kernel="generic"))


@test("shell: mount, write, sync, unmount, wget, poweroff")
def shell(env):
    disk = env.disk()
    data = os.urandom(3 << 20)
    url = env.publish("big", data)
    console = env.path("hvc0")
    with env.boot("shell", append="quiet", drives=[(disk, False)], console_file=console) as vm:
        vm.expect("@@SHELL")
        out, status = vm.run("mount /dev/vda /mnt && cat /mnt/README")
        check(status == 0 and "guest/disk.img" in out, f"mount: {status} {out}", vm)
        word = os.urandom(8).hex()
        out, status = vm.run(f"echo {word} >/mnt/hello && sync && umount /mnt")
        check(status == 0, f"write, sync, umount: {status} {out}", vm)
        check(debugfs(disk, "/hello").decode().strip() == word, "after sync and unmount the host does not see the file")
        for _ in range(50):  # DHCP runs in the background
            out, status = vm.run("ping -q -c 1 -W 1 10.0.2.2 >/dev/null")
            if status == 0:
                break
        check(status == 0, "no answer to ping", vm)
        out, status = vm.run(f"wget -q -O /tmp/big {url} && md5sum /tmp/big")
        check(status == 0 and out.split()[0] == md5(data), f"wget: {status} {out}", vm)
        out, status = vm.run("echo over-hvc0 >/dev/hvc0")
        check(status == 0, f"virtio console: {out}", vm)
        vm.send("poweroff")
        vm.expect("@@OFF")
        check_off(vm)
    with open(console) as f:
        check("over-hvc0" in f.read(), "the virtio console's output did not reach its file")
    check_clean(disk)


def md5(data):
    import hashlib
    return hashlib.md5(data).hexdigest()


@test("two drives in order, one read-only")
def drives(env):
    a, b = env.disk(), env.disk()
    with open(b, "rb") as f:
        before = f.read()
    with env.boot("shell", append="quiet", drives=[(a, False), (b, True)], net="none") as vm:
        vm.expect("@@SHELL")
        out, _ = vm.run("cat /sys/block/vda/ro /sys/block/vdb/ro")
        check(out.split() == ["0", "1"], f"ro flags of vda and vdb: {out}", vm)
        out, status = vm.run("dd if=/dev/zero of=/dev/vdb bs=4k count=1 conv=fsync 2>/dev/null")
        check(status != 0, "a write to the read-only drive succeeded", vm)
        out, status = vm.run("mount -o ro,noload /dev/vdb /mnt && cat /mnt/README")
        check(status == 0 and "guest/disk.img" in out, f"reading the read-only drive: {out}", vm)
        vm.send("poweroff")
        check_off(vm)
    with open(b, "rb") as f:
        check(f.read() == before, "the read-only image changed")


def idle(env, cpus=1):
    with env.boot("idle", cpus=cpus, memory=max(512, 64 * cpus)) as vm:
        vm.expect("@@IDLE")
        time.sleep(3)  # what the kernel still does after boot
        start, cpu = time.monotonic(), vm.cpu_seconds()
        time.sleep(10)
        used = (vm.cpu_seconds() - cpu) / (time.monotonic() - start)
        check(used < 0.02 + 0.0005 * cpus, f"{used * 100:.1f} % of a core used", vm)


test("idle guest below 2 % of a core")(idle)
test("idle guest with 64 vCPUs", long=True)(functools.partial(idle, cpus=64))


@test("no mitigations, no page-table isolation in the guest")
def vulnerabilities(env):
    if not env.armature:
        raise Skip("QEMU's Cortex-A57 has them")
    with env.boot("shell", append="quiet", net="none") as vm:
        vm.expect("@@SHELL")
        out, status = vm.run("grep . /sys/devices/system/cpu/vulnerabilities/*")
        free = ("Not affected", "__user pointer sanitization", "disabled via prctl")  # what costs a guest nothing
        bad = [l for l in out.splitlines() if not any(f in l for f in free)]
        check(status == 0 and out and not bad, "mitigations: " + "; ".join(bad), vm)
        out, _ = vm.run("dmesg | grep -i 'page table isolation'")
        check("enabled" not in out, out, vm)


# The watched bytes are below the stack pointer at the start of a function: it saves registers there, and restores them.
GDB_SCRIPT = """set pagination off
set confirm off
set architecture aarch64
target remote {socket}
info threads
hbreak *{at:#x}
continue
info registers pc
print/x *(unsigned int *)$pc
set var $frame = $sp - 64
set var *(unsigned long *)$frame = 0x1122334455667788
x/1gx $frame
stepi
info registers pc
delete
watch -l *(unsigned char (*)[64])$frame
continue
delete
rwatch -l *(unsigned char (*)[64])$frame
continue
delete
thread apply all info registers sp
detach
"""


@test("gdb-multiarch debugs the guest's kernel: breakpoint, step, threads, watchpoints, memory")
def gdb_kernel(env):
    if not shutil.which("gdb-multiarch"):
        raise Skip("no gdb-multiarch")
    sock = env.path("gdb")
    extra = ["--gdb", f"unix:{sock}"] if env.armature else ["-gdb", f"unix:path={sock},server=on,wait=off"]
    with env.boot("shell", append="quiet nokaslr", cpus=2, net="none", extra=extra) as vm:
        vm.expect("@@SHELL")
        out, _ = vm.run("grep ' do_sys_openat2$' /proc/kallsyms")
        check(re.match("ffff[0-9a-f]{12} ", out), f"/proc/kallsyms: {out}", vm)
        at = int(out.split()[0], 16)
        vm.run("while :; do read x </proc/uptime; done & sleep 1")
        r = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch"] +
                           [a for line in GDB_SCRIPT.format(socket=sock, at=at).splitlines() for a in ("-ex", line)],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        log = r.stdout + r.stderr
        pcs = [int(v, 16) for v in re.findall(r"^pc +0x([0-9a-f]+)", log, re.M)]
        check(pcs == [at, at + 4], f"pc at the breakpoint and a step later: {pcs}, expected {at:#x}\n{log}")
        check(re.search(r"^. 1 +Thread .*\n. 2 +Thread ", log, re.M), f"two threads expected\n{log}")
        check(len(re.findall(r"^sp +0xffff[0-9a-f]+", log, re.M)) == 2, f"two kernel stacks expected\n{log}")
        check(re.search(r":\s+0x1122334455667788", log), f"memory was not written\n{log}")
        check(re.search(r"Hardware watchpoint 2:.*\n\nOld value = .*\nNew value = ", log),
              f"no hit of the watchpoint for writes\n{log}")
        check(re.search(r"Hardware read watchpoint 3:.*\n\nValue = ", log),
              f"no hit of the watchpoint for reads\n{log}")
        out, status = vm.run("kill $!; nproc")
        check(status == 0 and out == "2", f"after the debugger left: {out}\n{log}", vm)
        vm.send("poweroff")
        check_off(vm)


@test("ID registers and /proc/cpuinfo say the same")
def hwcaps(env):
    tally = os.path.join(os.path.dirname(env.args.armature), "tests/insn/insn-tally")
    if not env.armature or not os.path.exists(tally):
        raise Skip("needs armature and insn-tally (make insn-progs)")
    want = subprocess.run([tally, "--hwcaps"], check=True, capture_output=True, text=True).stdout.split()
    with env.boot("shell", append="quiet", net="none") as vm:
        vm.expect("@@SHELL")
        out, _ = vm.run("grep -m1 Features /proc/cpuinfo")
        got = out.partition(":")[2].split()
        check(sorted(got) == sorted(want), f"more: {set(got) - set(want)}, fewer: {set(want) - set(got)}", vm)


@test("caches in sysfs: sizes, and who shares them")
def caches(env):
    if not env.armature:
        raise Skip("QEMU's device tree has no caches")
    with env.boot("shell", cpus=3, append="quiet", net="none") as vm:
        vm.expect("@@SHELL")
        out, _ = vm.run("cd /sys/devices/system/cpu/cpu1/cache; for i in index*; do cd $i; "
                        "echo $(cat level type size ways_of_associativity coherency_line_size shared_cpu_list); cd ..; done")
        want = ["1 Data 64K 4 64 1", "1 Instruction 64K 4 64 1", "2 Unified 1024K 8 64 0-2"]
        check(out.splitlines() == want, f"cpu1: {out}", vm)


@test("reset has an exit status of its own")
def reset(env):
    with env.boot("reboot", net="none") as vm:
        vm.expect("@@MODULES")
        status = vm.wait()
        # QEMU's -no-reboot ends with 0
        check(status == (3 if env.armature else 0), f"exit status {status} after a reset", vm)


@test("a guest panic does not end as a power-off does")
def panic(env):
    # Debian's arm64 kernels have no pvpanic driver: what the VMM sees is the reset that panic=-1 asks for
    with env.boot("panic", net="none") as vm:
        vm.expect("Kernel panic")
        status = vm.wait()
        check(status in (3, 4) if env.armature else status == 0, f"exit status {status} after a kernel panic", vm)


@test("missing kernel: an error that names it, status 2, nothing started")
def missing(env):
    if not env.armature:
        raise Skip("about armature's messages")
    with Vm([env.args.armature, "run", "--kernel", "/nonexistent/Image", "--memory", "128M"]) as vm:
        status = vm.wait()
        check(status == 2 and "/nonexistent/Image" in vm.text, f"exit status {status}", vm)


def boots(env, count):
    for i in range(count):
        try:
            with env.boot("poweroff", net="none") as vm:
                vm.expect("@@OFF")
                check_off(vm)
        except VmError as e:
            raise VmError(f"boot {i + 1} of {count}: {e}") from None


test("5 boots in a row")(functools.partial(boots, count=5))
test("200 boots in a row", long=True)(functools.partial(boots, count=200))


importlib.import_module("debian")  # adds its tests after these


def run_test(env, number, name, f):
    start = time.monotonic()
    try:
        f(env)
        return f"ok {number} - {name}\n# {time.monotonic() - start:.1f} s", True
    except Skip as e:
        return f"ok {number} - {name} # SKIP {e}", True
    except VmError as e:
        text = str(e)
    except Exception:
        text = traceback.format_exc()
    return f"not ok {number} - {name}\n# " + text.replace("\n", "\n# "), False


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--vmm", default="armature", choices=["armature", "qemu"])
    ap.add_argument("--armature", default="build/armature")
    ap.add_argument("--guest", default="guest")
    ap.add_argument("--long", action="store_true", help="every kernel, form and memory size; Debian; stress")
    ap.add_argument("--stress", type=int, default=3600, help="seconds of stress-ng")
    ap.add_argument("-k", dest="only", default="", help="only tests whose name matches this regular expression")
    ap.add_argument("-j", dest="jobs", type=int, default=min(2, os.cpu_count() or 1))
    ap.add_argument("--list", action="store_true")
    a = ap.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    tests = [t for t in TESTS if re.search(a.only, t[0]) and (a.long or not t[2] or a.only)]
    if a.list:
        print("\n".join(t[0] for t in TESTS))
        return 0
    print(f"1..{len(tests)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="armature-boot-") as tmp:
        env = Env(a, tmp)
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            jobs = [pool.submit(run_test, env, i + 1, t[0], t[1]) for i, t in enumerate(tests)]
            ok = True
            for j in concurrent.futures.as_completed(jobs):
                text, good = j.result()
                ok = ok and good
                print(text, flush=True)
    return 0 if ok else 1


sys.exit(main())
