#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the project's own tools: the test runner, set-up, private apt, initramfs. Prints TAP."""
import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def run(*argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP, **kw)


def script(tmp, name, text):
    path = os.path.join(tmp, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def runner(tmp, text, *args):
    return run(sys.executable, "tests/run.py", *args, "--parallel", script(tmp, "t", text))


@test
def runner_counts(tmp):
    r = runner(tmp, "echo 1..4; echo ok 1 - a; echo ok 2; echo 'ok 3 - c # SKIP no'; echo not ok 4 - d; exit 1")
    assert r.stdout.endswith("\n2 passed, 1 failed\n") and r.returncode == 1, r.stdout


@test
def runner_passes(tmp):
    r = runner(tmp, "echo 1..1; echo ok 1")
    assert r.stdout.endswith("\n1 passed, 0 failed\n") and r.returncode == 0, r.stdout


@test
def runner_sees_what_no_result_tells(tmp):
    for text, why in (("echo ok 1; kill -SEGV $$", "SIGSEGV"), ("echo ok 1; exit 3", "exit status 3"),
                      ("echo 1..2; echo ok 1", "1 results, 2 planned"), ("true", "reported no test"), ("echo ok 1", "ended before its plan"),
                      ("echo 1..1; echo ok 1; echo Bail out! x", "Bail out! x")):
        r = runner(tmp, text)
        assert why in r.stdout and re.search(r"\n\d passed, 1 failed\n$", r.stdout) and r.returncode == 1, r.stdout


@test
def runner_ends_what_hangs(tmp):
    r = run(sys.executable, "tests/run.py", "--timeout", "1", "--serial", script(tmp, "t", "echo ok 1; sleep 100"))
    assert "did not end" in r.stdout and r.stdout.endswith("\n1 passed, 1 failed\n"), r.stdout


@test
def tap_wraps_commands(tmp):
    good, bad = run("tests/tap.sh", "x", "echo", "ok 7"), run("tests/tap.sh", "x", "sh", "-c", "exit 4")
    assert good.stdout == "1..1\n# ok 7\nok 1 - x\n" and good.returncode == 0, good.stdout
    assert bad.stdout == "1..1\nnot ok 1 - x (status 4)\n" and bad.returncode == 4, bad.stdout


def fake_setup(tmp, uid, installed):
    """setup.sh with a dpkg-query that knows `installed`, an id that says `uid`, an apt-get that tells its arguments"""
    script(tmp, "dpkg-query", "printf 'installed %s\\n' " + " ".join(installed) + "\n")
    script(tmp, "id", f"echo {uid}\n")
    script(tmp, "apt-get", f"echo apt-get \"$@\" >>{tmp}/calls\n")
    return run("tools/setup.sh", env=dict(os.environ, PATH=f"{tmp}:{os.environ['PATH']}"))


@test
def setup_has_nothing_to_do(tmp):
    r = fake_setup(tmp, 1000, run("tools/setup.sh", "--list").stdout.split())
    assert r.returncode == 0 and not os.path.exists(f"{tmp}/calls"), r.stdout


@test
def setup_without_root_prints_one_command(tmp):
    packages = run("tools/setup.sh", "--list").stdout.split()
    r = fake_setup(tmp, 1000, packages[2:])
    lines = [l for l in r.stdout.splitlines() if "apt-get" in l]
    assert r.returncode == 1 and len(lines) == 1 and lines[0].split()[-2:] == packages[:2], r.stdout
    assert not os.path.exists(f"{tmp}/calls")


@test
def setup_installs_only_what_is_missing(tmp):
    packages = run("tools/setup.sh", "--list").stdout.split()
    r = fake_setup(tmp, 0, packages[1:])
    with open(f"{tmp}/calls") as f:
        calls = [l.split() for l in f if " install " in l]
    # the fake installs nothing: it is told that this is still missing
    assert r.returncode == 1 and "still missing" in r.stdout, r.stdout
    assert [c for c in calls[0] if c in packages] == packages[:1], calls


@test
def apt_takes_the_hosts_mirror(tmp):
    for text, wanted in (
            ("deb http://a.test/debian/ bookworm main\n", ["http://a.test/debian", "http://a.test/debian-security"]),
            ("deb [arch=amd64 signed-by=/x] http://a.test/debian bookworm main\n"
             "deb http://s.test/debian-security bookworm-security main\n",
             ["http://a.test/debian", "http://s.test/debian-security"]),
            ("Types: deb\nURIs: https://b.test/debian\nSuites: bookworm\n",
             ["https://b.test/debian", "https://b.test/debian-security"])):
        os.makedirs(f"{tmp}/apt/sources.list.d", exist_ok=True)
        name = "sources.list" if text.startswith("deb") else "sources.list.d/debian.sources"
        with open(f"{tmp}/apt/{name}", "w") as f:
            f.write(text)
        r = run("tools/guest/apt.sh", "--mirror", env=dict(os.environ, APT_ETC=f"{tmp}/apt"))
        assert r.stdout.split() == wanted, r.stdout
        shutil.rmtree(f"{tmp}/apt")
    os.makedirs(f"{tmp}/apt")
    r = run("tools/guest/apt.sh", "--mirror", env=dict(os.environ, APT_ETC=f"{tmp}/apt"))
    assert r.returncode == 1 and "no Debian archive" in r.stdout, r.stdout


@test
def initramfs_orders_modules_and_repeats(tmp):
    kernel = f"{tmp}/k/lib/modules/6.0/kernel"
    os.makedirs(kernel)
    for name, deps in (("top", "middle-one"), ("middle-one", "low,built"), ("low", "")):
        with open(f"{kernel}/{name}.ko", "wb") as f:
            f.write(b"\x7fELF\0depends=" + deps.encode() + b"\0")
    with open(f"{tmp}/k/lib/modules/6.0/modules.builtin", "w") as f:
        f.write("kernel/built.ko\n")
    with open(f"{tmp}/list", "w") as f:
        f.write("top # comment\nlow\n")
    images = []
    for i in range(2):
        r = run(sys.executable, "tools/guest/initramfs.py", "--busybox", "/bin/true", "--kernel", f"{tmp}/k", "--modules",
                f"{tmp}/list", "-o", f"{tmp}/{i}")
        assert r.returncode == 0, r.stdout
        with open(f"{tmp}/{i}", "rb") as f:
            images.append(f.read())
    assert images[0] == images[1] and b"low.ko\nmiddle_one.ko\ntop.ko\n" in images[0]
    with open(f"{tmp}/list", "w") as f:
        f.write("nowhere\n")
    r = run(sys.executable, "tools/guest/initramfs.py", "--busybox", "/bin/true", "--kernel", f"{tmp}/k", "--modules",
            f"{tmp}/list", "-o", f"{tmp}/2")
    assert r.returncode == 1 and "nowhere" in r.stdout and not os.path.exists(f"{tmp}/2"), r.stdout


@test
def help_lists_every_target(tmp):
    r = run("make", "help")
    for target in "run test guest bench asan ubsan tsan format lint install setup".split():
        assert re.search(rf"^  {target} ", r.stdout, re.M), f"no {target} in make help:\n{r.stdout}"


@test
def man_page_has_every_option(tmp):
    """--help, the man page: one has what the other has"""
    text = run(os.path.join(os.environ.get("BUILD", "build"), "armature"), "run", "--help").stdout
    told = set(re.findall(r"^ +(--[a-z-]+)", text, re.M))
    with open(os.path.join(TOP, "docs/armature.1")) as f:
        page = f.read().replace("\\-", "-")
    listed = set(re.findall(r"^\.B[IR]* (--[a-z-]+)", page, re.M))
    assert told and told == listed, f"only in --help: {told - listed}; only in the man page: {listed - told}"


def docs():
    """path from the top and text of every document"""
    names = run("git", "ls-files", "*.md", "docs/*.1").stdout.split()
    for name in names:
        with open(os.path.join(TOP, name)) as f:
            yield name, f.read()


@test
def docs_name_files_that_exist(tmp):
    top = "|".join(n for n in os.listdir(TOP) if os.path.isdir(os.path.join(TOP, n)) and not re.match("build|guest", n))
    missing = []
    for name, text in docs():
        links = [os.path.join(os.path.dirname(name), l) for l in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in l]
        words = [w.strip(".,;:()'\"") for quoted in re.findall(r"`([^`\n]+)`", text) for w in quoted.split()]
        # THING stands for any; a program is given without its ending
        paths = [re.sub("[A-Z]{4,}", "*", w) for w in words if re.fullmatch(rf"({top})/[\w./*-]*", w)]
        missing += [f"{name}: {p}" for p in links + paths if not glob.glob(os.path.join(TOP, p))]
    assert not missing, missing


@test
def docs_name_targets_that_exist(tmp):
    # -q: nothing is made
    # (check: of the suites that docs/conformance.md tells of)
    targets = {"check"} | set(re.findall(r"^([a-z][a-z0-9-]*):", run("make", "-qpn").stdout, re.M))
    named = [(name, t) for name, text in docs() for t in re.findall(r"(?:`|^ +)make ([a-z][a-z-]*)", text, re.M)]
    missing = [n for n in named if n[1] not in targets]
    assert len(named) > 20 and not missing, missing


@test
def docs_name_unit_tests_that_exist(tmp):
    """docs/security.md: each class of bug, its check, and the test that fails without it"""
    tests = {}
    for path in glob.glob(os.path.join(TOP, "tests/unit/test_*.c")):
        with open(path) as f:
            tests[os.path.basename(path)[5:-2]] = re.findall(r"^static void test_(\w+)\(", f.read(), re.M)
    known = [n for names in tests.values() for n in names]
    with open(os.path.join(TOP, "docs/security.md")) as f:
        rows = re.findall(r"^\|[^|]*\|[^|]*\|([^|]*)\|$", f.read().split("| class | check here")[1].split("\n\n")[0], re.M)
    named = [n.split(": ")[-1] for row in rows for n in re.findall(r"`([^`]+)`", row)]
    missing = [n for n in named if not fnmatch.filter(known, n)]
    assert len(named) > 20 and not missing, missing


@test
def docs_have_every_key(tmp):
    """docs/config.md against the schema, which tests/unit/test_config.c holds against the parser"""
    with open(os.path.join(TOP, "config/schema.json")) as f:
        schema = json.load(f)

    def keys(node, path):
        for name, sub in node.get("properties", {}).items():
            while "$ref" in sub:
                sub = schema["$defs"][sub["$ref"].split("/")[-1]]
            here = f"{path}.{name}" if path else name
            if sub.get("type") == "array":
                sub, here = sub["items"], here + "[]"
            if "properties" not in sub:
                yield here
            yield from keys(sub, here)

    wanted, told = set(keys(schema, "")), set()
    with open(os.path.join(TOP, "docs/config.md")) as f:
        table = f.read().split("## Keys")[1].split("\n\n")[1]
    for row in table.splitlines()[2:]:
        key, kind = row.split("|")[1:3]
        first = None
        for name in re.findall(r"`([^`]+)`", key):
            name = first.rsplit(".", 1)[0] + name if name[0] == "." else name
            first = first or name
            members = re.search(r"`\{ (.*) \}`", kind)
            told |= {f"{name}.{m}" for m in members[1].split(", ")} if members else {name}
    assert told == wanted, f"only in config.md: {told - wanted}; only in the schema: {wanted - told}"


@test
def install_and_uninstall(tmp):
    if not os.path.exists(os.path.join(TOP, os.environ.get("BUILD", "build"), "armature")):
        return "SKIP not built"
    r = run("make", "install", f"DESTDIR={tmp}", "PREFIX=/opt/a")
    assert r.returncode == 0, r.stdout
    assert os.access(f"{tmp}/opt/a/bin/armature", os.X_OK) and os.path.exists(f"{tmp}/opt/a/share/man/man1/armature.1")
    r = run("make", "uninstall", f"DESTDIR={tmp}", "PREFIX=/opt/a")
    left = [f for _, _, files in os.walk(tmp) for f in files]
    assert r.returncode == 0 and not left, left
    return None


def main():
    # the makefile that runs this would pass its own flags on
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    print(f"1..{len(TESTS)}", flush=True)
    bad = 0
    for i, f in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory(prefix="armature-tools-") as tmp:
            try:
                skip = f(tmp)
                print(f"ok {i} - {f.__name__}" + (f" # {skip}" if skip else ""), flush=True)
            except Exception:
                bad += 1
                print(f"not ok {i} - {f.__name__}\n# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
    return 1 if bad else 0


sys.exit(main())
