#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Execution profiles of a guest, for ranking learned rules and for judging them.

    profile.py [--armature FILE] [--guest DIR] --out DIR train|NAME...

"train" is a boot and everyday tools of Debian, none of which the bench measures; any other NAME is one of
the bench's programs (tests/bench/agent). Writes DIR/NAME.prof (armature run --profile). Wants guest/bench.img.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "boot"))
from vm import Spec, Vm, armature_command  # noqa: E402

TRAIN = [
    "find /usr -name '*.so*' | sort | uniq -c | wc -l",
    "cat /usr/share/perl/5*/*.pl /usr/lib/python3*/*.py | head -c 3000000 > /tmp/text; wc /tmp/text",
    "tr a-z A-Z < /tmp/text | sort -k2 | md5sum",
    "grep -c 'def [a-z]*_[a-z]*(' /tmp/text; grep -ci 'import' /tmp/text; sed -e 's/self/this/g' /tmp/text | cksum",
    "od -c /tmp/text | tail -n 1; base64 /tmp/text | sha1sum; cut -d' ' -f1,3 /tmp/text | sort -u | sha224sum",
    "factor 1234567890123456789 998244353998244353; seq 1 20000 | factor | tail -n 1",
    "split -l 2000 /tmp/text /tmp/part; diff /tmp/partaa /tmp/partab | wc -l; cat /tmp/part* | b2sum",
    "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo $i",
    "tar cf - /usr/lib/python3*/json /usr/lib/python3*/email | tar tvf - | tail -n 1",
    "dpkg -l | wc -l; dpkg-query -W -f '${Package}\\n' | tail -n 1",
    "for f in /usr/bin/*; do x=${f##*/}; case $x in *z*) echo ${#x};; esac; done | sort -n | tail -n 1",
]


def run(a, name):
    spec = Spec(f"{a.guest}/Image-cloud", f"{a.guest}/initramfs-cloud.cpio",
                "console=ttyAMA0 panic=-1 armature.mode=agent nokaslr quiet", memory=1024, net="none",
                drives=[(f"{a.guest}/bench.img", True)], extra=["--profile", f"{a.out}/{name}.prof"])
    with Vm(armature_command(a.armature, spec)) as vm:
        vm.expect("@@READY .*\n")
        for c in TRAIN if name == "train" else []:
            vm.send("sh " + c)
            vm.expect("@@DONE\n", 900)
        if name != "train":
            vm.send("run " + name)
            vm.expect(rf"@@RESULT {name} 0 [0-9a-f]+\n", 900)
        vm.send("off")
        vm.wait()
    print(f"profile: {a.out}/{name}.prof", flush=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--armature", default="build/armature")
    ap.add_argument("--guest", default="guest")
    ap.add_argument("--out", required=True)
    ap.add_argument("names", nargs="+")
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name in a.names:
        run(a, name)


main()
