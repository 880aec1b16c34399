#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of `armature rules` on the rules that are compiled in: run.py ARMATURE. Prints TAP."""
import os
import re
import subprocess
import sys
import tempfile
import traceback

ARMATURE = sys.argv[1]
TESTS = []
CODE = """
	movz x0, #0x1234
	movk x0, #0x5678, lsl #16
	ldp x3, x4, [x1], #16
	mrs x5, tpidr_el0
	subs x2, x2, #1
	b.ne .
	ret
"""


def test(f):
    TESTS.append(f)
    return f


def rules(*argv):
    return subprocess.run([ARMATURE, "rules", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def written(suffix, text):
    f = tempfile.NamedTemporaryFile("w", suffix=suffix)
    f.write(text)
    f.flush()
    return f


def sources():
    """every rule's name in rules/base and rules/learned"""
    for folder in ("base", "learned"):
        path = os.path.join("rules", folder)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            if name.endswith(".rules"):
                with open(os.path.join(path, name)) as f:
                    yield from re.findall(r"^rule (\w+)", f.read(), re.M)


@test
def list_has_every_rule():
    r = rules("list")
    listed = [line.split()[3] for line in r.stdout.splitlines()]
    assert r.returncode == 0 and sorted(listed) == sorted(sources()), r.stdout[:2000] + r.stderr


@test
def show_prints_as_written():
    r = rules("show", "ubfx", "movk_low")
    assert r.returncode == 0 and "rule ubfx\n" in r.stdout and "rule movk_low\n" in r.stdout, r.stdout
    with open("rules/base/bitfield.rules") as f:
        assert re.search(r"^(rule ubfx\n(?:.+\n)+)", f.read(), re.M).group(1) in r.stdout, r.stdout


@test
def show_names_what_is_missing():
    r = rules("show", "ubfx", "no_such_rule")
    assert r.returncode == 1 and "no_such_rule" in r.stderr and "rule ubfx" in r.stdout, r.stderr


@test
def stats_counts():
    r = rules("stats")
    n = int(re.search(r"base rules: (\d+)", r.stdout).group(1)) + \
        int(re.search(r"learned rules: (\d+)", r.stdout).group(1))
    assert r.returncode == 0 and n == len(list(sources())), r.stdout
    left = r.stdout.split("builders")[1]
    assert re.search(r"\bMRS\b", left) and not re.search(r"\bADD_imm\b", left), left


def check_match(out):
    lines = out.splitlines()
    at = {k: i for k, i in ((line.split()[1], i) for i, line in enumerate(lines) if re.match(r" +[0-9a-f]+  ", line))}
    assert lines[at["movz" if "movz" in at else "mov"]].split()[-1] != '"', out
    assert lines[at["movk"]].endswith('"'), out      # the second instruction of a rule of two
    assert lines[at["mrs"]].endswith("(no rule)"), out
    assert "SUB.8s x2 x2 #0x1" in out and "BCC.8" in out and "RET.8" in out, out


@test
def match_assembles():
    with written(".s", CODE) as f:
        r = rules("match", f.name)
    assert r.returncode == 0, r.stderr
    check_match(r.stdout)


@test
def match_reads_words():
    with written(".hex", "d2824680 f2aacf00 a8c11023 d53bd045 f1000442 54000001 d65f03c0\n") as f:
        r = rules("match", f.name)
    assert r.returncode == 0, r.stderr
    check_match(r.stdout)


@test
def match_survives_any_file():
    for suffix, text in ((".s", "no such instruction\n"), (".s", ""), (".hex", "zebra"), (".hex", "")):
        with written(suffix, text) as f:
            r = rules("match", f.name)
        assert r.returncode == 1 and "no instructions" in r.stderr, (suffix, text, r)
    assert rules("match", "/nonexistent/file").returncode == 1
    with written(".hex", "\n".join(f"{(w * 2654435761) & 0xffffffff:08x}" for w in range(6000))) as f:
        assert rules("match", f.name).returncode == 0


@test
def time_measures():
    with written(".hex", "d2824680 f2aacf00 a8c11023 d53bd045 f1000442 54000001 d65f03c0\n") as f:
        r = rules("time", f.name)
    assert r.returncode == 0 and re.search(r"7 instructions, 85 % by rules: .* [0-9.]+ ns", r.stdout), r


@test
def wrong_use_says_how():
    for argv in ((), ("show",), ("list", "x"), ("nonsense",)):
        r = rules(*argv)
        assert r.returncode == 2 and "usage: armature rules" in r.stderr, (argv, r)
    r = rules("--help")
    assert r.returncode == 0 and "usage: armature rules" in r.stdout, r


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for n, t in enumerate(TESTS, 1):
        try:
            t()
            print(f"ok {n} - rules {t.__name__}")
        except Exception:
            failed += 1
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {n} - rules {t.__name__}")
    return failed != 0


sys.exit(main())
