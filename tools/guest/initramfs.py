#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the initramfs: busybox, kernel modules in load order (/etc/modules), our own files.

Writes the cpio itself (newc), so that device nodes need no root and the same input gives the same bytes.

    initramfs.py --busybox FILE --kernel DIR --modules LIST --file /PATH=FILE ... -o OUT
"""
import argparse
import glob
import lzma
import os
import re
import stat
import sys

DIRS = ["bin", "dev", "etc", "lib", "lib/modules", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr",
        "usr/bin", "usr/sbin"]
# What scripts and people call; /init installs the rest of busybox's names (busybox --install) for the shell.
APPLETS = ["sh", "mount", "umount", "insmod", "cat", "ls", "sync", "poweroff"]
NODES = {"dev/console": (5, 1), "dev/null": (1, 3)}


class Cpio:
    """The newc format: Documentation/driver-api/early-userspace/buffer-format.rst"""

    def __init__(self, f):
        self.f = f
        self.ino = 0

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        self.ino += 1
        n = name.encode() + b"\0"
        fields = [self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(n), 0]
        head = b"070701" + b"".join(b"%08X" % x for x in fields) + n
        self.f.write(head + b"\0" * (-len(head) % 4))
        self.f.write(data + b"\0" * (-len(data) % 4))

    def close(self):
        self.add("TRAILER!!!", 0)
        self.f.write(b"\0" * (-self.f.tell() % 512))


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def canonical(name):
    return name.replace("-", "_")


def modules_in_order(kernel, listfile):
    """[(file name, content)], each module after the ones it depends on."""
    roots = glob.glob(f"{kernel}/lib/modules/*") + glob.glob(f"{kernel}/usr/lib/modules/*")
    if len(roots) != 1:
        sys.exit(f"initramfs.py: {kernel} holds {len(roots)} kernels' modules, 1 expected")
    files = {}
    for path in glob.glob(roots[0] + "/kernel/**/*.ko*", recursive=True):
        files[canonical(re.sub(r"\.ko(\.xz)?$", "", os.path.basename(path)))] = path
    with open(roots[0] + "/modules.builtin") as f:
        builtin = {canonical(os.path.basename(l.strip())[:-3]) for l in f}
    done, out = set(), []

    def visit(name):
        name = canonical(name)
        if name in done or name in builtin:
            return
        done.add(name)
        if name not in files:
            sys.exit(f"initramfs.py: {roots[0]} has no module {name}, loadable or built in")
        data = read(files[name])
        dep = re.search(rb"\0depends=([^\0]*)\0", data)
        for d in filter(None, dep.group(1).decode().split(",") if dep else []):
            visit(d)
        out.append((name + ".ko", data))

    with open(listfile) as f:
        for line in f:
            name = line.split("#")[0].strip()
            if name:
                visit(name)
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--busybox", required=True)
    ap.add_argument("--kernel", required=True, help="unpacked kernel package")
    ap.add_argument("--modules", required=True, help="list of modules, one a line")
    ap.add_argument("--file", action="append", default=[], metavar="/PATH=FILE")
    ap.add_argument("-o", "--output", required=True)
    a = ap.parse_args()
    mods = modules_in_order(a.kernel, a.modules)
    with open(a.output + ".tmp", "wb") as f:
        c = Cpio(f)
        for d in DIRS:
            c.add(d, stat.S_IFDIR | 0o755)
        for name, rdev in NODES.items():
            c.add(name, stat.S_IFCHR | 0o600, rdev=rdev)
        c.add("bin/busybox", stat.S_IFREG | 0o755, read(a.busybox))
        for applet in APPLETS:
            c.add("bin/" + applet, stat.S_IFLNK | 0o777, b"busybox")
        for name, data in mods:
            c.add("lib/modules/" + name, stat.S_IFREG | 0o644, data)
        c.add("etc/modules", stat.S_IFREG | 0o644, "".join(n + "\n" for n, _ in mods).encode())
        c.add("etc/passwd", stat.S_IFREG | 0o644, b"root::0:0:root:/root:/bin/sh\n")
        for spec in a.file:
            path, src = spec.split("=", 1)
            c.add(path.lstrip("/"), stat.S_IFREG | 0o755, read(src))
        c.close()
    os.rename(a.output + ".tmp", a.output)


main()
