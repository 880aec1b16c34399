#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of docs/evaluation.md: what rules cover, what host code costs, what each optimisation is worth.

    evaluate.py [--armature PATH] [--qemu PATH] [--guest DIR] [--runs N] [--work A,B,...] [--parts ...] [--output FILE]

Programs run inside the guest, from the bench disk. Counts come from `armature run --profile`, QEMU's code for the
same blocks from its own log (-d in_asm,out_asm), times from interleaved runs (CPU seconds of the VMM, medians).
"""
import argparse
import collections
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from bench import host, write  # noqa: E402
from vm import Spec, Vm, armature_command, qemu_command  # noqa: E402

BEGIN, END = "<!-- evaluate: begin -->", "<!-- evaluate: end -->"
WORKS = "sort,interp,sha256,compress,objects,memory,sqlite,gzip"
OWN = ("sort", "interp", "sha256", "compress", "objects", "memory", "kernel", "matmul", "nbody")  # static: in QEMU's log
PURPOSES = ("work", "check", "flags", "state", "poll", "branch")
COORDINATION = ("flags", "state", "poll")
CLASSES = ("integer", "load", "store", "branch", "fp", "system")
COVERED = ("integer", "load", "store", "branch")

# Name, switches, and what is off then. rules=learned is the default.
ABLATIONS = [
    ("all on", [], "-"),
    ("rules=base", ["dbt.rules=base"], "learned rules"),
    ("rules=none", ["dbt.rules=none"], "all rules: C builders, one instruction at a time"),
    ("lazy_flags", ["dbt.coordination.lazy_flags=false"], "NZCV in EFLAGS inside a block"),
    ("flag_liveness", ["dbt.flag_liveness=false"], "dead flags dropped"),
    ("across_blocks", ["dbt.coordination.across_blocks=false"], "state crosses block ends in registers"),
    ("across_memory", ["dbt.coordination.across_memory=false"], "state and checks kept across accesses"),
    ("define_before_use", ["dbt.coordination.define_before_use=false"], "compares moved behind accesses to their use"),
    ("interrupt_checks", ["dbt.coordination.interrupt_checks=false"], "polls at back edges only"),
    ("hoist", ["dbt.hoist=false"], "one page check for several accesses"),
    ("chain", ["dbt.chain=false"], "direct jumps between blocks"),
    ("call_ret", ["dbt.call_ret=false"], "host call and return"),
    ("superblocks", ["dbt.superblocks=false"], "blocks go on behind conditional branches"),
    ("sp_window", ["dbt.sp_window=false"], "accesses off SP look at the page of the last one"),
]


def say(*args):
    print(*args, flush=True)


def insn_class(w):
    """Main encoding groups, Arm ARM C4.1."""
    op0 = w >> 25 & 15
    if op0 in (0b0111, 0b1111):
        return "fp"
    if op0 & 0b0101 == 0b0100:
        if w >> 26 & 1:
            return "fp"
        group = w >> 27 & 7
        if group == 0b011:  # literal (PRFM among them)
            return "load"
        if w >> 24 & 0x3f == 0b001000:  # exclusives, acquire and release
            return "load" if w >> 22 & 1 else "store"
        if group == 0b101:  # pairs
            return "load" if w >> 22 & 1 else "store"
        if w >> 21 & 1 and w >> 24 & 1 == 0 and w >> 10 & 3 == 0:
            return "load"  # LSE
        return "load" if w >> 22 & 3 else "store"
    if op0 & 0b1110 == 0b1010:
        return "system" if w >> 24 in (0xd4, 0xd5) else "branch"
    return "integer"


class Block:
    __slots__ = ("count", "user", "words", "cover", "host")

    def __init__(self, line):
        head, cover, _code, tail, _live = line.rstrip("\n").split(" | ")
        f = head.split()
        self.count, self.user = int(f[0]), not int(f[2]) & 1
        self.words = tuple(int(w, 16) for w in f[3:])
        self.cover = []  # of each instruction: (rule or None, length of the rule)
        for c in cover.split():
            name, n = c.rsplit(":", 1)
            self.cover += [(None if name == "-" else name, int(n))] * int(n)
        taken, *lists = tail.split()
        every, on_taken, on_next = ([int(x) for x in part.split(",")] for part in lists)
        taken = int(taken)
        rest = max(self.count - taken, 0)
        # executed instructions by purpose
        self.host = [e * self.count + t * taken + n * rest for e, t, n in zip(every, on_taken, on_next)]


class Profile:
    """What --profile wrote; user or kernel code."""

    def __init__(self, path):
        self.blocks = []
        with open(path) as f:
            for line in f:
                self.blocks.append(Block(line))

    def pick(self, user):
        return [b for b in self.blocks if b.user == user]


def sums(blocks, learned):
    """Executed instructions by (class, how covered), host instructions by purpose, words of what no rule covers."""
    cover, host, left = collections.Counter(), [0] * len(PURPOSES), collections.Counter()
    insns = 0
    for b in blocks:
        insns += b.count * len(b.words)
        for i, x in enumerate(b.host):
            host[i] += x
        for w, (rule, n) in zip(b.words, b.cover):
            how = "builder" if rule is None else ("learned" if rule in learned else "base") + (" sequence" if n > 1 else "")
            cover[insn_class(w), how] += b.count
            if rule is None:
                left[w] += b.count
    return insns, cover, host, left


# ---- QEMU's code ----

class QemuCode:
    """Host instructions QEMU's in-line path takes for a block, by the block's words."""

    def __init__(self, path):
        self.cost = {}
        words, out, where = [], [], None
        with open(path, errors="replace") as f:
            for line in f:
                if line.startswith("IN:"):
                    words, where = [], "in"
                elif line.startswith("OUT:"):
                    out, where = [], "out"
                elif line.startswith("----") or not line.strip():
                    if where == "out" and out and words:
                        self.cost.setdefault(tuple(words), self.path_length(out))
                        where = None
                elif where == "in":
                    m = re.match(r"0x[0-9a-f]+:\s+([0-9a-f]{8})\s", line)
                    if m:
                        words.append(int(m.group(1), 16))
                elif where == "out":
                    if "slow paths" in line or line.lstrip().startswith("data:"):
                        where = "out-end"
                        if out and words:
                            self.cost.setdefault(tuple(words), self.path_length(out))
                        continue
                    m = re.match(r"0x([0-9a-f]+):\s+(?:[0-9a-f]{2} )+\s*(\S+)\s*(.*)", line)
                    if m:
                        out.append((int(m.group(1), 16), m.group(2), m.group(3).strip()))

    @staticmethod
    def path_length(out):
        """Instructions on the way through: jumps out of the listed code (slow paths) and to the exit request are
        not taken, where both ways stay inside the mean of both counts."""
        index = {a: i for i, (a, _m, _o) in enumerate(out)}
        memo = {}

        def leads_out(i):
            """exit requested: a return to the main loop without a chained jump before it"""
            for _a, m, o in out[i:i + 3]:
                if m == "jmp":
                    return True
                if m not in ("lea", "leaq", "mov", "movq", "xorl", "xor"):
                    return False
            return True

        def walk(i):
            n = 0
            start = i
            while i < len(out):
                if i in memo:
                    return n + memo[i]
                _a, m, o = out[i]
                n += 1
                if m.startswith("jmp") or m.startswith("ret"):
                    t = re.match(r"0x([0-9a-f]+)$", o)
                    if t and int(t.group(1), 16) in index and index[int(t.group(1), 16)] > i:
                        i = index[int(t.group(1), 16)]
                        continue
                    break
                if m.startswith("j"):
                    t = re.match(r"0x([0-9a-f]+)$", o)
                    j = index.get(int(t.group(1), 16)) if t else None
                    if j is not None and j > i and not (i < 6 and leads_out(j)):
                        n += (walk(j) + walk(i + 1)) / 2
                        break
                i += 1
            memo[start] = n
            return n

        sys.setrecursionlimit(10000)
        return walk(0)


# ---- running ----

class Evaluation:
    def __init__(self, a):
        self.a = a
        self.works = a.work.split(",")
        self.learned = set()
        r = subprocess.run([a.armature, "rules", "list"], capture_output=True, text=True, check=True)
        for line in r.stdout.splitlines():
            f = line.split()
            if f[2] == "learned":
                self.learned.add(f[3])
        self.differ = []
        self.sum = {}  # output of each program, the same whatever ran it
        self.tmp = tempfile.TemporaryDirectory(prefix="evaluate-")

    def known_switch(self, switches):
        r = subprocess.run([self.a.armature, "run", "--kernel", "/nonexistent", *self.sets(switches)],
                           capture_output=True, text=True)
        return "unknown" not in r.stderr

    @staticmethod
    def sets(switches):
        return [x for s in switches for x in ("--set", s)]

    def start(self, kind, extra=()):
        spec = Spec(f"{self.a.guest}/Image-cloud", f"{self.a.guest}/initramfs-cloud.cpio",
                    "console=ttyAMA0 panic=-1 armature.mode=agent nokaslr quiet", memory=768, net="none",
                    drives=[(f"{self.a.guest}/bench.img", True)], extra=list(extra))
        command = qemu_command(self.a.qemu, spec) if kind == "qemu" else armature_command(self.a.armature, spec)
        vm = Vm(command)
        vm.expect("@@READY .*\n", 120)
        return vm

    def run(self, vm, work):
        """CPU seconds of the VMM"""
        cpu = vm.cpu_seconds()
        vm.send(f"run {work}")
        m, _ = vm.expect(rf"@@RESULT {work} (\d+) ([0-9a-f]+)\n", self.a.timeout)
        cpu = vm.cpu_seconds() - cpu
        if m.group(1) != "0" or self.sum.setdefault(work, m.group(2)) != m.group(2):
            self.differ.append(work)
            say(f"{work}: status {m.group(1)}, output {m.group(2)} for {self.sum.get(work)}")
        return cpu

    def profile(self, works, switches=()):
        path = os.path.join(self.tmp.name, "profile")
        vm = self.start("armature", ["--profile", path, *self.sets(switches)])
        try:
            for w in works:
                self.run(vm, w)
            vm.send("off")
            vm.wait()
        finally:
            vm.kill()
        p = Profile(path)
        os.unlink(path)
        return p

    def qemu_code(self, works):
        path = os.path.join(self.tmp.name, "qemu.log")
        vm = self.start("qemu", ["-d", "in_asm,out_asm", "-D", path, "-dfilter", "0x400000..0x5fffff"])
        try:
            for w in works:
                self.run(vm, w)
        finally:
            vm.kill()
        code = QemuCode(path)
        os.unlink(path)
        return code

    # ---- tables ----

    def matching(self, blocks):
        """What matching costs on the code that ran: the hottest blocks' words, 4,096 of them"""
        path = os.path.join(self.tmp.name, "words.hex")
        words = []
        for b in sorted(blocks, key=lambda b: -b.count * len(b.words)):
            words += b.words
        with open(path, "w") as f:
            f.write("\n".join(f"{w:08x}" for w in words[:4096]) + "\n")
        r = subprocess.run([self.a.armature, "rules", "time", path], capture_output=True, text=True)
        say(r.stdout.strip())
        return f"\nRule matching on the hottest of that code (`armature rules time`): {r.stdout.strip()}.\n"

    def counts(self):
        qemu = self.qemu_code([w for w in self.works if w in OWN]) if "qemu" in self.a.parts else None
        coverage, host = [], []
        kernel, everything, left = [], [], collections.Counter()
        for w in self.works:
            p = self.profile([w])
            user = p.pick(True)
            kernel += p.pick(False)
            everything += user
            insns, cover, _, builders = sums(user, self.learned)
            left.update(builders)
            coverage.append(self.coverage_row(w, insns, cover))
            host.append(self.host_row(w, user, qemu if w in OWN else None))
            say(f"{w}: {host[-1][2]} host instructions a guest instruction, {coverage[-1][-1]} covered")
        for name, blocks in (("**all, user**", everything), ("kernel, boot included", kernel)):
            insns, cover, _, _ = sums(blocks, self.learned)
            coverage.append(self.coverage_row(name, insns, cover))
            host.append(self.host_row(name, blocks, qemu if blocks is everything else None))
        return (self.coverage_text(coverage, left) + self.matching(everything), self.host_text(host))

    @staticmethod
    def coverage_row(name, insns, cover):
        scope = {how: sum(cover[c, how] for c in COVERED)
                 for how in ("base", "base sequence", "learned", "learned sequence", "builder")}
        total = sum(scope.values())
        def share(x, of):
            return f"{100 * x / of:.1f}" if of else "-"

        row = [name, f"{insns / 1e6:,.0f}"]
        for c in COVERED:
            of = sum(n for (k, _how), n in cover.items() if k == c)
            row.append(share(of - cover[c, "builder"], of))
        row += [share(scope[how], total) for how in ("base", "base sequence", "learned", "learned sequence", "builder")]
        return row + [share(total - scope["builder"], total)]

    def coverage_text(self, rows, left):
        head = ["program", "guest instructions, 10^6"] + [f"{c} %" for c in COVERED] + \
            ["by base rules %", "by base sequences %", "learned %", "learned sequences %", "C builders %", "**covered %**"]
        names = collections.Counter()
        for w, n in left.items():
            if insn_class(w) in COVERED:
                names[self.mnemonic(w)] += n
        total = sum(names.values())
        text = self.table(head, rows)
        if total:
            text += "\nWhat is left to C builders there: " + ", ".join(
                f"`{m}` {100 * n / total:.0f} %" for m, n in names.most_common(12)) + ".\n"
        return text

    def mnemonic(self, w):
        if not hasattr(self, "names"):
            self.names = {}
        if w not in self.names:
            path = os.path.join(self.tmp.name, "word.hex")
            with open(path, "w") as f:
                f.write(f"{w:08x}\n")
            r = subprocess.run([self.a.armature, "rules", "match", path], capture_output=True, text=True)
            f = r.stdout.split()
            self.names[w] = f[1] if len(f) > 1 else f"{w:08x}"
        return self.names[w]

    @staticmethod
    def host_row(name, blocks, qemu):
        insns = sum(b.count * len(b.words) for b in blocks) or 1
        total = [sum(b.host[i] for b in blocks) / insns for i in range(len(PURPOSES))]
        integer = [b for b in blocks if not any(insn_class(w) in ("fp", "system") for w in b.words)]
        n_int = sum(b.count * len(b.words) for b in integer)
        all_int = sum(sum(b.host) for b in integer) / n_int if n_int else 0
        row = [name] + [f"{all_int:.2f}", f"{sum(total):.2f}"] + [f"{x:.2f}" for x in total]
        row.append(f"{sum(total[PURPOSES.index(c)] for c in COORDINATION):.2f}")
        if qemu:
            same = [b for b in blocks if b.words in qemu.cost]
            n = sum(b.count * len(b.words) for b in same)
            theirs = sum(b.count * qemu.cost[b.words] for b in same)
            ours = sum(sum(b.host) for b in same)
            row += [f"{ours / n:.2f}", f"{theirs / n:.2f}", f"{ours / theirs:.2f}", f"{100 * n / insns:.0f}"] if n else ["-"] * 4
        else:
            row += ["-"] * 4
        return row

    def host_text(self, rows):
        head = ["program", "integer blocks", "all"] + list(PURPOSES) + \
            ["coordination", "same blocks", "QEMU", "ratio", "same blocks, % of executed"]
        return self.table(head, rows)

    def coordination(self):
        rows = []
        for name, switches, what in self.ablations():
            user = self.profile([w for w in self.works if w in OWN], switches).pick(True)
            insns = sum(b.count * len(b.words) for b in user) or 1
            per = [sum(b.host[i] for b in user) / insns for i in range(len(PURPOSES))]
            rows.append([name, what, f"{sum(per):.2f}"] + [f"{x:.3f}" for x in per] +
                        [f"{sum(per[PURPOSES.index(c)] for c in COORDINATION):.3f}"])
            say("counts,", name, *rows[-1][2:])
        return self.table(["off", "what that is", "host / guest"] + list(PURPOSES) + ["coordination"], rows)

    def ablations(self):
        chosen = [x for x in ABLATIONS if self.known_switch(x[1])]
        return [x for x in chosen if x[0] == "all on" or
                re.fullmatch(self.a.off, x[0]) and (x[0] != "rules=base" or self.learned)]

    def speed(self):
        configs = [(n, s) for n, s, _ in self.ablations()] + [("QEMU", None)]
        times = {n: {w: [] for w in self.works} for n, _ in configs}
        live = {}
        try:
            for n, s in configs:
                live[n] = self.start("qemu" if s is None else "armature", self.sets(s or []))
            for w in self.works:
                for n, _ in configs:  # translated from then on
                    self.run(live[n], w)
                for i in range(self.a.runs):
                    for n, s in configs:
                        if s is None and i:  # several times slower, and for reference only: once
                            continue
                        times[n][w].append(self.run(live[n], w))
                say(w, *(f"{n} {statistics.median(times[n][w]):.2f}" for n, _ in configs))
        finally:
            for vm in live.values():
                vm.kill()
        med = {n: {w: statistics.median(times[n][w]) for w in self.works} for n, _ in configs}
        rows = []
        for n, _ in configs:
            quot = [med[n][w] / max(med["all on"][w], 0.01) for w in self.works]
            mean = statistics.geometric_mean([max(q, 0.01) for q in quot])
            rows.append([n] + [f"{med[n][w]:.2f} s" if n == "all on" else f"{q:.2f}"
                               for w, q in zip(self.works, quot)] + [f"**{mean:.2f}**"])
        return self.table(["off"] + self.works + ["geometric mean"], rows)

    @staticmethod
    def table(head, rows):
        return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] +
                         ["| " + " | ".join(r) + " |" for r in rows]) + "\n"


def machine(a):
    q = subprocess.run([a.qemu, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    rules = subprocess.run([a.armature, "rules", "stats"], capture_output=True, text=True).stdout.split("\n")[:2]
    return (f"Host: {host()}; "
            f"{time.strftime('%Y-%m-%d', time.gmtime())}; {q}; " + "; ".join(r.rstrip(";") for r in rules) + ".\n")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--armature", default="build/armature")
    ap.add_argument("--qemu", default="qemu-system-aarch64")
    ap.add_argument("--guest", default="guest")
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--work", default=WORKS)
    ap.add_argument("--off", default=".*", help="only optimisations whose name matches are switched off")
    ap.add_argument("--parts", default="counts,qemu,coordination,speed")
    ap.add_argument("--timeout", type=float, default=300)
    ap.add_argument("--output", help="file whose part between the evaluate marks is replaced")
    a = ap.parse_args()
    a.parts = a.parts.split(",")
    start = time.monotonic()
    e = Evaluation(a)
    text = ""
    if "counts" in a.parts:
        coverage, host = e.counts()
        text += f"\n### Dynamic coverage by rules\n\n{coverage}\n### Host instructions a guest instruction\n\n{host}"
    if "coordination" in a.parts:
        text += f"\n### The same with each optimisation off, own programs together\n\n{e.coordination()}"
    if "speed" in a.parts:
        text += f"\n### CPU time with each optimisation off, ratio to all on\n\n{e.speed()}"
    text = machine(a) + f"Made by `make evaluate` in {(time.monotonic() - start) / 60:.0f} minutes.\n" + text
    if a.output:
        write(a.output, text + "\n", BEGIN, END)
    else:
        say(text)
    if e.differ:
        say("output differs:", *sorted(set(e.differ)))
    return 1 if e.differ else 0


if __name__ == "__main__":
    sys.exit(main())
