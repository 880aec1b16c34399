#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs test programs, counts their TAP results, ends with the line "N passed, N failed".

    run.py [--log DIR] [--timeout S] [--parallel PROGRAM ...] [--serial COMMAND ...]

A program reports each test as a TAP line, "ok 1 - name" or "not ok 2 - name"; "# SKIP" after an
"ok" counts as neither. A program that ends with another status than its results tell, that a signal ends, that
reports fewer results than its plan ("1..N"), none at all, no plan, "Bail out!", or that does not end in time, counts
as one failure more. The output of failing programs is shown; everything is kept under --log.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

RESULT = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*(?:- )?(.*?)\s*(#\s*SKIP\b.*)?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)\b")
printing = threading.Lock()


class Outcome:
    def __init__(self, name):
        self.name, self.passed, self.skipped, self.failures, self.text = name, 0, 0, [], ""
        self.planned, self.seen = 0, 0
        self.has_plan = False

    def line(self, line):
        if line.startswith("Bail out!"):
            self.failures.append(line)
            return
        m = PLAN.match(line)
        if m:
            self.planned += int(m.group(1))
            self.has_plan = True
        m = RESULT.match(line)
        if not m:
            return
        self.seen += 1
        if m.group(1):
            self.failures.append(m.group(2) or "unnamed")
        elif m.group(3):
            self.skipped += 1
        else:
            self.passed += 1


def run(command, timeout, logdir, live):
    """live: pass the result lines on as they come (long serial suites)."""
    argv = shlex.split(command)
    # a suite of tests/tap.sh goes by the name it gives its test
    out = Outcome(argv[1] if argv[0] == "tests/tap.sh" else
                  next((a for a in argv if a.startswith("tests/")), os.path.basename(argv[0])).replace("/", "-"))
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    start = time.monotonic()
    lines = []
    try:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=env, start_new_session=True)
    except OSError as e:
        out.failures.append(f"cannot start: {e}")
        return out
    late = threading.Event()

    def stop():
        late.set()
        os.killpg(p.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, stop)
    timer.start()
    for raw in p.stdout:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        lines.append(line)
        out.line(line)
        if live:
            with printing:
                print("  " + line, flush=True)
    status = p.wait()
    timer.cancel()
    out.text = "\n".join(lines)
    if late.is_set():
        out.failures.append(f"did not end in {timeout} s")
    elif status < 0:
        out.failures.append(f"ended by {signal.Signals(-status).name}")
    elif status and not out.failures:
        out.failures.append(f"exit status {status} although no test failed")
    elif out.planned > out.seen:
        out.failures.append(f"{out.seen} results, {out.planned} planned")
    elif not out.seen:
        out.failures.append("reported no test")
    elif not out.has_plan:
        out.failures.append("ended before its plan")
    if logdir:
        with open(os.path.join(logdir, out.name + ".log"), "w") as f:
            f.write(out.text + "\n")
    with printing:
        verdict = "ok" if not out.failures else "FAILED"
        skip = f", {out.skipped} skipped" if out.skipped else ""
        print(f"  {out.name:32s} {out.passed} passed, {len(out.failures)} failed{skip}"
              f"  {time.monotonic() - start:.1f} s  {verdict}", flush=True)
        if out.failures and not live:
            print("    " + out.text[-20000:].replace("\n", "\n    "))
        for f in out.failures:
            print(f"    failed: {out.name}: {f}", flush=True)
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--log")
    ap.add_argument("--timeout", type=float, default=3600, help="seconds, for each serial command; unit tests: 300")
    ap.add_argument("--parallel", nargs="*", default=[])
    ap.add_argument("--serial", nargs="*", default=[])
    a = ap.parse_args()
    if a.log:
        os.makedirs(a.log, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda c: run(c, 300, a.log, False), a.parallel))
    outcomes += [run(c, a.timeout, a.log, True) for c in a.serial]
    passed, failed = sum(o.passed for o in outcomes), sum(len(o.failures) for o in outcomes)
    for o in outcomes:
        for f in o.failures:
            print(f"FAILED {o.name}: {f}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
