#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a plain arm64 Image from a Debian vmlinuz, which is one already or a gzip'd one.

    image.py VMLINUZ OUT
"""
import gzip
import os
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: image.py VMLINUZ OUT (was more than one kernel unpacked?)")
    src, out = sys.argv[1:]
    with open(src, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    # Documentation/arch/arm64/booting.rst: magic at 0x38; "zimg" at 4 marks the EFI-compressed form
    if data[0x38:0x3C] != b"ARM\x64" or data[4:8] == b"zimg":
        sys.exit(f"image.py: {src} is not an arm64 Image, plain or gzip'd")
    with open(out + ".tmp", "wb") as f:
        f.write(data)
    os.rename(out + ".tmp", out)


main()
