#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command that may execute arm64 programs: userns.py COMMAND...

If the host runs them already (a binfmt_misc entry with the F flag, as Debian's qemu-user-static installs), the
command just gets its own mount and PID namespace. Else it gets a user namespace too, with a binfmt_misc of its own
(Linux 6.7) that knows qemu-aarch64-static: the host's table is not touched. Root only.
"""
import ctypes
import glob
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
INTERPRETER = "/usr/bin/qemu-aarch64-static"
# ELF header: 64-bit, little-endian, ET_EXEC or ET_DYN, EM_AARCH64
MAGIC = (r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
         r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff")
INSIDE = r"""set -e
mount --make-rprivate /
mount -t proc proc /proc
if [ -n "$BINFMT" ]; then
	if ! mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; then
		echo "userns.py: no binfmt_misc in a user namespace (Linux 6.7 has it). Either install qemu-user-static" >&2
		echo "with its binfmt entries on the host, or use a newer kernel." >&2
		exit 1
	fi
	printf '%s' "$BINFMT" >/proc/sys/fs/binfmt_misc/register
fi
unset BINFMT
exec "$@"
"""


def host_runs_arm64():
    for path in glob.glob("/proc/sys/fs/binfmt_misc/*aarch64*"):
        with open(path) as f:
            text = f.read()
        if text.startswith("enabled") and "F" in text.split("flags:", 1)[-1].split("\n")[0]:
            return True
    return False


def child(flags, ready_w, mapped_r, argv):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        sys.stderr.write(f"userns.py: unshare: {os.strerror(ctypes.get_errno())}\n")
        os._exit(1)
    os.write(ready_w, b"x")
    os.read(mapped_r, 1)
    pid = os.fork()  # the first process of the new PID namespace
    if pid == 0:
        if flags & CLONE_NEWUSER:
            os.setgroups([])
            os.setgid(0)
            os.setuid(0)
            os.environ["BINFMT"] = f":armature-arm64:M::{MAGIC[0]}:{MAGIC[1]}:{INTERPRETER}:FOC"
        os.execvp("bash", ["bash", "-c", INSIDE, "userns"] + argv)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)


def main():
    if os.geteuid() != 0:
        sys.exit("userns.py: needs root")
    if len(sys.argv) < 2:
        sys.exit("usage: userns.py COMMAND...")
    flags = CLONE_NEWNS | CLONE_NEWPID
    if not host_runs_arm64():
        flags |= CLONE_NEWUSER
    ready_r, ready_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(flags, ready_w, mapped_r, sys.argv[1:])
    os.close(ready_w)
    if os.read(ready_r, 1) and flags & CLONE_NEWUSER:
        for name in ("uid_map", "gid_map"):  # identity: files keep their owners
            with open(f"/proc/{pid}/{name}", "w") as f:
                f.write("0 0 4294967295")
    os.write(mapped_w, b"x")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)


main()
