#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures armature against qemu-system-aarch64, the machines taking turns (A B A B ...), medians compared.

    bench.py [--vmm NAME=KIND:PATH ...] [--boots N] [--runs N] [--work REGEX] [--skip boot,cpu,memory] [--output FILE]

Three parts: boot (process start to the first line of /init), CPU-bound programs inside the guest (wall time seen from
the host; the output's checksum must be the same on all), memory (resident at the shell prompt). The tables go to
--output between the lines "<!-- bench: begin -->" and "<!-- bench: end -->"; nothing fails for being slow.
"""
import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from vm import Spec, Vm, VmError, armature_command, qemu_command  # noqa: E402

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def say(*args):
    print(*args, flush=True)


class Bench:
    def __init__(self, a):
        self.a = a
        self.vmms = {}  # name -> (kind, path); the first is the yardstick
        for v in a.vmm or [f"qemu=qemu:{a.qemu}", f"armature=armature:{a.armature}"]:
            name, rest = v.split("=", 1)
            self.vmms[name] = tuple(rest.split(":", 1))
        self.base = next(iter(self.vmms))
        self.differ = 0

    def start(self, name, spec):
        kind, path = self.vmms[name]
        return Vm((qemu_command if kind == "qemu" else armature_command)(path, spec))

    def spec(self, mode, append="", **kw):
        return Spec(f"{self.a.guest}/Image-cloud", f"{self.a.guest}/initramfs-cloud.cpio",
                    f"console=ttyAMA0 panic=-1 armature.mode={mode} {append}".strip(), memory=kw.pop("memory", 512), **kw)

    def ratio(self, value, base):
        return f"{value / base:.2f}" if value is not None and base else "-"

    # (a) boot

    def boot(self):
        rows = []
        for label, append in (("as is", ""), ("`nokaslr`", "nokaslr"), ("`quiet`", "quiet")):
            times = {v: [] for v in self.vmms}
            for _ in range(self.a.boots):
                for v in self.vmms:
                    with self.start(v, self.spec("early", append)) as vm:
                        times[v].append(vm.expect(r"^@@INIT\n")[1])
                        vm.wait()
            med = {v: statistics.median(t) for v, t in times.items()}
            say(f"boot {label:10s}", *(f"{v} {med[v]:.3f} s (min {min(t):.3f})" for v, t in times.items()),
                *(f"{v}/{self.base} {self.ratio(med[v], med[self.base])}" for v in self.vmms if v != self.base))
            rows.append([label] + [f"{med[v]:.3f} ({min(times[v]):.3f}..{max(times[v]):.3f})" for v in self.vmms] +
                        [self.ratio(med[v], med[self.base]) for v in self.vmms if v != self.base])
        return ("### Boot: process start to the first line of /init, seconds\n\n"
                f"Cloud kernel, busybox initramfs, 1 vCPU, 512 MiB; median (least..most) of {self.a.boots} interleaved "
                "boots for each kernel command line.\n\n" + self.table(["command line"], rows))

    def table(self, first, rows):
        head = first + list(self.vmms) + [f"{v} / {self.base}" for v in self.vmms if v != self.base]
        extra = max(len(r) for r in rows) - len(head)
        head += ["output"] * extra
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows]) + "\n"

    # (b) programs in the guest

    def agent(self, name):
        vm = self.start(name, self.spec("agent", "nokaslr quiet", memory=1024, net="none",
                                        drives=[(f"{self.a.guest}/bench.img", True)]))
        vm.expect("@@READY .*\n")
        return vm

    def run_work(self, vm, work):
        cpu = vm.cpu_seconds()
        vm.send(f"run {work}")
        _, start = vm.expect(rf"@@START {work}\n")
        _, end = vm.expect(rf"@@END {work}\n", self.a.timeout)
        m, _ = vm.expect(rf"@@RESULT {work} (\d+) ([0-9a-f]+)\n")
        return end - start, vm.cpu_seconds() - cpu, m.group(2) if m.group(1) == "0" else f"status {m.group(1)}"

    def cpu(self):
        live = {}
        rows, ratios, cpu_ratios = [], {v: [] for v in self.vmms}, {v: [] for v in self.vmms}
        try:
            for v in self.vmms:
                live[v] = self.agent(v)
            first = live[self.base]
            first.send("list")
            works = [w for w in first.expect("@@LIST (.*)\n")[0].group(1).split() if re.fullmatch(self.a.work, w)]
            for w in works:
                got = {v: [] for v in self.vmms}
                for _ in range(self.a.runs):
                    for v in self.vmms:
                        try:
                            if v not in live:
                                live[v] = self.agent(v)
                            got[v].append(self.run_work(live[v], w))
                        except (VmError, OSError) as e:
                            got[v].append((None, None, "failed"))
                            say(f"{w} on {v}: {e}")
                            if v in live:
                                live.pop(v).kill()
                rows.append(self.cpu_row(w, got, ratios, cpu_ratios))
        finally:
            for vm in live.values():
                vm.kill()
        def mean(r):
            return f"{math.exp(statistics.fmean(map(math.log, r))):.2f}" if r else "-"

        others = [v for v in self.vmms if v != self.base]
        rows.append(["geometric mean"] + ["" for _ in self.vmms] +
                    [f"**{mean(ratios[v])}** ({mean(cpu_ratios[v])})" for v in others] + [""])
        say("geometric mean", *(f"{v}/{self.base} {mean(ratios[v])} (CPU {mean(cpu_ratios[v])})" for v in others))
        return ("### Programs in the guest, seconds\n\n"
                f"Wall time seen from the host, median of {self.a.runs} interleaved runs (CPU time of the VMM process in "
                "brackets); both guests stay up, so that runs after the first find their code translated. 1 vCPU, 1 GiB, "
                "`nokaslr` (QEMU's guests would otherwise isolate page tables). Below 1 is faster than "
                f"{self.base}; on a host with other work the ratio of CPU times is the one to read.\n\n" + self.table(["program"], rows))

    def cpu_row(self, w, got, ratios, cpu_ratios):
        def median(v, i):
            x = [g[i] for g in got[v] if g[i] is not None]
            return statistics.median(x) if x else None

        wall = {v: median(v, 0) for v in self.vmms}
        sums = {g[2] for v in self.vmms for g in got[v]}
        same = len(sums) == 1 and not next(iter(sums)).startswith(("status", "failed"))
        self.differ += not same
        for v in self.vmms:
            if wall[v] and wall[self.base]:
                ratios[v].append(wall[v] / wall[self.base])
                cpu_ratios[v].append(median(v, 1) / max(median(self.base, 1), 1 / 100))
        cells = [f"{wall[v]:.2f} ({median(v, 1):.2f})" if wall[v] else "failed" for v in self.vmms]
        quotients = [f"{self.ratio(wall[v], wall[self.base])} ({self.ratio(median(v, 1), median(self.base, 1))})"
                     for v in self.vmms if v != self.base]
        verdict = "same" if same else "DIFFERS"
        say(f"{w:10s}", *(f"{c:>16s}" for c in cells), *quotients, verdict if same else f"{verdict} {sorted(sums)}")
        return [w] + cells + quotients + [verdict]

    # (c) memory

    def memory(self):
        rows = []
        cells = {}
        for v in self.vmms:
            with self.start(v, self.spec("shell")) as vm:
                vm.expect("@@SHELL\n")
                vm.run("true")
                time.sleep(2)
                cells[v] = vm.memory(512 << 20)
        for i, label in ((0, "all"), (1, "outside guest RAM"), (2, "the same, Pss")):
            mib = {v: cells[v][i] / (1 << 20) for v in self.vmms}
            say(f"memory {label:18s}", *(f"{v} {mib[v]:.1f} MiB" for v in self.vmms))
            rows.append([label] + [f"{mib[v]:.1f}" for v in self.vmms] +
                        [self.ratio(mib[v], mib[self.base]) for v in self.vmms if v != self.base])
        return ("### Memory resident at the shell prompt, MiB\n\nCloud kernel, busybox, 512 MiB guest; with the process of the "
                "user-mode network. Rss counts the code cache twice, which is mapped writable and executable; Pss once.\n\n" +
                self.table(["of"], rows))

    # What the translator counts

    def stats(self):
        text = ""
        for v, (kind, _) in self.vmms.items():
            if kind != "armature":
                continue
            with tempfile.NamedTemporaryFile(suffix=".json") as f:
                with self.start(v, self.spec("early", extra=["--stats", f.name])) as vm:
                    vm.expect(r"^@@OFF\n")
                    vm.wait()
                with open(f.name) as g:
                    text += self.stats_of(v, json.load(g))
        return text

    def stats_of(self, name, data):
        flat = {}

        def walk(x):
            for k, y in x.items():
                if isinstance(y, dict):
                    walk(y)
                elif isinstance(y, (int, float)):
                    flat.setdefault(k, y)

        walk(data)
        need = ("translate_ns", "insns_translated", "host_bytes", "guest_bytes", "blocks_translated")
        missing = [k for k in need if not flat.get(k)]
        if missing:
            say(f"{name} --stats: no {', '.join(missing)}")
            return ""
        text = (f"### Translation during that boot ({name})\n\n"
                f"- {flat['blocks_translated']:,} blocks, {flat['insns_translated']:,} guest instructions translated\n"
                f"- {flat['translate_ns'] / flat['insns_translated']:.0f} ns a guest instruction\n"
                f"- {flat['host_bytes'] / flat['guest_bytes']:.2f} host bytes a guest byte\n")
        say(text)
        return text


def host():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the end"


def machine(bench):
    lines = [f"- host: {host()}",
             f"- date: {time.strftime('%Y-%m-%d', time.gmtime())}"]
    for v, (kind, path) in bench.vmms.items():
        r = subprocess.run([path, "--version"], capture_output=True, text=True)
        version = (r.stdout or r.stderr).split("\n")[0] or "unknown version"
        lines.append(f"- {v}: {version}" + (", `-M virt -cpu cortex-a57`" if kind == "qemu" else ""))
    with open(f"{bench.a.guest}/pkg/cloud/.package") as f:
        lines.append(f"- guest kernel: {f.read().strip()}")
    return "\n".join(lines) + "\n"


def write(path, text, begin=BEGIN, end=END):
    """Puts the text between the two marks of the file."""
    body = f"{begin}\n{text}{end}"
    old = ""
    if os.path.exists(path):
        with open(path) as f:
            old = f.read()
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        new = head + body + rest.split(end, 1)[1]
    else:
        new = (old or "# Performance\n\nMade by `make bench`.\n\n") + body + "\n"
    with open(path, "w") as f:
        f.write(new)
    say(f"wrote {path}")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--armature", default="build/armature")
    ap.add_argument("--qemu", default="qemu-system-aarch64")
    ap.add_argument("--guest", default="guest")
    ap.add_argument("--vmm", action="append", metavar="NAME=KIND:PATH",
                    help="KIND qemu or armature; the first is the yardstick (default: qemu, armature)")
    ap.add_argument("--boots", type=int, default=7)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--work", default=".*", help="only programs whose name matches")
    ap.add_argument("--skip", default="", help="parts to leave out: boot, cpu, memory, stats")
    ap.add_argument("--timeout", type=float, default=600)
    ap.add_argument("--output", help="file to write the tables to")
    a = ap.parse_args()
    b = Bench(a)
    parts = [(n, f) for n, f in (("boot", b.boot), ("cpu", b.cpu), ("memory", b.memory), ("stats", b.stats))
             if n not in a.skip.split(",")]
    texts = [f() for _, f in parts]
    text = machine(b) + "\n" + "\n".join(t for t in texts if t)
    if a.output:
        write(a.output, text)
    else:
        say(text)
    return 1 if b.differ else 0


if __name__ == "__main__":
    sys.exit(main())
