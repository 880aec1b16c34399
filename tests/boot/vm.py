# SPDX-License-Identifier: MIT
"""A virtual machine under test: starts armature, or qemu-system-aarch64 for comparison, through one interface,
watches its console and its process. Used by tests/boot and tests/bench."""
import glob
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
import tty

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class VmError(Exception):
    """The machine did not do what was expected; the text has the end of its console."""


class Spec:
    """What to boot. drives: [(path, readonly)]; net: "user" or "none"; console_file: output of a virtio console."""

    def __init__(self, kernel, initrd=None, append="", memory=512, cpus=1, drives=(), net="user", console_file=None,
                 extra=()):
        self.kernel, self.initrd, self.append, self.memory, self.cpus = kernel, initrd, append, memory, cpus
        self.drives, self.net, self.console_file, self.extra = list(drives), net, console_file, list(extra)


def armature_command(binary, s):
    c = [binary, "run", "--kernel", s.kernel, "--append", s.append, "--cpus", str(s.cpus), "--memory", f"{s.memory}M",
         "--net", s.net, "--serial", "stdio"]
    if s.initrd:
        c += ["--initrd", s.initrd]
    for path, readonly in s.drives:
        c += ["--drive", f"path={path}" + (",readonly" if readonly else "")]
    if s.console_file:
        c += ["--console", f"file={s.console_file}"]
    return c + s.extra


def qemu_command(binary, s, cpu="cortex-a57"):
    # GICv2, QEMU's default, ends at 8 CPUs
    c = [binary, "-M", "virt" + (",gic-version=3" if s.cpus > 8 else ""), "-cpu", cpu, "-smp", str(s.cpus), "-m", str(s.memory), "-nographic", "-nodefaults",
         "-serial", "stdio", "-no-reboot", "-kernel", s.kernel, "-append", s.append, "-device", "virtio-rng-device"]
    if s.initrd:
        c += ["-initrd", s.initrd]
    # QEMU gives the highest virtio-mmio slot, which Linux probes last, to the first device: reverse the order
    for i, (path, readonly) in reversed(list(enumerate(s.drives))):
        c += ["-drive", f"file={path},if=none,id=d{i},format=raw" + (",readonly=on" if readonly else ""),
              "-device", f"virtio-blk-device,drive=d{i}"]
    if s.net == "user":
        c += ["-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0"]
    if s.console_file:
        c += ["-device", "virtio-serial-device", "-chardev", f"file,id=c0,path={s.console_file}",
              "-device", "virtconsole,chardev=c0"]
    return c + s.extra


def command(vmm, binaries, spec):
    """vmm: a key of binaries; names that start with "qemu" take QEMU's command line."""
    make = qemu_command if vmm.startswith("qemu") else armature_command
    return make(binaries[vmm], spec)


class Vm:
    """Starts at once. The console is a pty on stdin and stdout; a thread drains it, so that the guest never waits."""

    def __init__(self, argv):
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.text = ""
        self.marks = []  # (length of text, time): when the console had grown to that length
        self.pos = 0
        self.changed = threading.Condition()
        self.eof = False
        self.argv = argv
        self.start = time.monotonic()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.fd = master
        self.status = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _read(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # EIO: the last slave was closed
                data = b""
            now = time.monotonic()
            with self.changed:
                self.text += data.decode("latin-1").replace("\r", "")
                self.marks.append((len(self.text), now))
                self.eof = not data
                self.changed.notify_all()
            if not data:
                return

    def tail(self, lines=25):
        return "\n".join(self.text.splitlines()[-lines:])

    def expect(self, pattern, timeout=300):
        """Waits for a regular expression in the output after the last match; returns (match, time since start)."""
        regex, end = re.compile(pattern, re.M), time.monotonic() + timeout
        with self.changed:
            while True:
                m = regex.search(self.text, self.pos)
                if m:
                    self.pos = m.end()
                    when = next(t for n, t in self.marks if n >= m.end())
                    return m, when - self.start
                if self.eof:
                    raise VmError(f"the VMM ended before /{pattern}/ was seen\n{self.tail()}")
                left = end - time.monotonic()
                if left <= 0:
                    raise VmError(f"no /{pattern}/ in {timeout} s\n{self.tail()}")
                self.changed.wait(left)

    def send(self, line):
        data = (line + "\n").encode()
        while data:  # the pty's buffer is small, and the guest may be busy
            if not select.select([], [self.fd], [], 60)[1]:
                raise VmError(f"the VMM does not read its console\n{self.tail()}")
            data = data[os.write(self.fd, data[:64]):]

    def run(self, shell_command, timeout=300):
        """Runs a command in the guest's shell; returns (output, exit status)."""
        mark = f"@@{time.monotonic_ns():x}"
        say = f"echo {mark[:4]}''{mark[4:]}"  # split, so that the echo of the typed line does not match
        self.send(f"{say}; {shell_command}; {say} $?")
        m, _ = self.expect(rf"(?s){mark}\n(.*?){mark} (\d+)\n", timeout)
        # lines of the kernel's log may come in between
        out = re.sub(r"^\[ *\d+\.\d{6}\] .*\n?", "", m.group(1), flags=re.M)
        return out.strip(), int(m.group(2))

    def wait(self, timeout=120):
        """Waits for the process to end; returns its exit status (negative: the signal)."""
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise VmError(f"the VMM did not end in {timeout} s\n{self.tail()}") from None
        self.reader.join(10)
        return self.status

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(10)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def cpu_seconds(self):
        """User and system time of the process, all threads."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def processes(self):
        """The VMM's process and those it started (user-mode networks)."""
        found = [self.process.pid]
        for pid in found:
            for task in glob.glob(f"/proc/{pid}/task/*/children"):
                with open(task) as f:
                    found += map(int, f.read().split())
        return found

    def memory(self, guest_bytes):
        """Bytes resident now in all processes: (all, outside guest RAM, the same with a page that is mapped twice
        counted once). Guest RAM is the mapping of just its size, or of more."""
        total, ram, proportional, ram_proportional = 0, 0, 0, 0
        for pid in self.processes():
            size = 0
            with open(f"/proc/{pid}/smaps") as f:
                for line in f:
                    m = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
                    if m:
                        size = int(m.group(2), 16) - int(m.group(1), 16)
                        continue
                    is_ram = guest_bytes <= size < guest_bytes + (64 << 20)
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) << 10
                        ram += is_ram * int(line.split()[1]) << 10
                    elif line.startswith("Pss:"):
                        proportional += int(line.split()[1]) << 10
                        ram_proportional += is_ram * int(line.split()[1]) << 10
        return total, total - ram, proportional - ram_proportional
