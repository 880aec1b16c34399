# SPDX-License-Identifier: MIT
"""What the boot tests share: their list, the guest's files, a server for the guest, the Debian guest."""
import contextlib
import functools
import http.server
import os
import re
import socketserver
import subprocess
import threading

from vm import Spec, Vm, VmError, command

TESTS = []  # (name, function, long)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def test(name, long=False):
    def add(f):
        TESTS.append((name, f, long))
        return f
    return add


class Skip(Exception):
    pass


def check(condition, what, vm=None):
    if not condition:
        raise VmError(what + ("\n" + vm.tail() if vm else ""))


class Server:
    """HTTP on the host's loopback: what the guest must reach through user networking."""

    def __init__(self, directory):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.http = Listener(("127.0.0.1", 0), functools.partial(Handler, directory=directory))
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://10.0.2.2:{self.port}/{path}"


class Env:
    """What tests share: settings, scratch space, the server."""

    def __init__(self, args, tmp):
        self.args, self.tmp = args, tmp
        self.binaries = {"armature": args.armature, "qemu": "qemu-system-aarch64"}
        self.armature = args.vmm == "armature"
        self.www = os.path.join(tmp, "www")
        os.mkdir(self.www)
        self.server = Server(self.www)
        self.count = 0
        self.lock = threading.Lock()

    def path(self, name):
        with self.lock:
            self.count += 1
            return os.path.join(self.tmp, f"{self.count}-{name}")

    def guest(self, name):
        return os.path.join(self.args.guest, name)

    def disk(self, name="disk.img"):
        if not os.path.exists(self.guest(name)):
            target = {"disk.img": "guest"}.get(name, "guest-" + name.removesuffix(".img"))
            raise Skip(f"no {self.guest(name)}: make {target}")
        path = self.path(name)
        subprocess.run(["cp", "--sparse=always", self.guest(name), path], check=True)
        return path

    def publish(self, name, data):
        with open(os.path.join(self.www, name), "wb") as f:
            f.write(data)
        return self.server.url(name)

    @contextlib.contextmanager
    def boot(self, mode, kernel="cloud", gz=False, append="", **kw):
        spec = Spec(self.guest(f"Image-{kernel}" + (".gz" if gz else "")), self.guest(f"initramfs-{kernel}.cpio"),
                    f"console=ttyAMA0 panic=-1 armature.mode={mode} {append}".strip(), **kw)
        with Vm(command(self.args.vmm, self.binaries, spec)) as vm:
            yield vm


def debugfs(image, path):
    r = subprocess.run(["debugfs", "-R", f"cat {path}", image], capture_output=True, check=True)
    return r.stdout


def check_clean(image):
    """The file system was unmounted and nothing in it needs repair."""
    r = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True)
    check(r.returncode == 0, f"e2fsck of the image: status {r.returncode}\n{r.stdout}")
    r = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, text=True, check=True)
    check(re.search(r"Filesystem state:\s+clean\n", r.stdout), "the file system's state is not clean")


def check_off(vm):
    status = vm.wait()
    check(status == 0, f"exit status {status} after power-off, 0 expected", vm)


def check_packages(env, image):
    """An image made before the list of its packages grew is an error, not a reason to test less."""
    name = image.removesuffix(".img")
    with open(os.path.join(ROOT, f"tools/guest/{name}-packages.txt")) as f:
        wanted = set(re.sub("#.*", "", f.read()).split())
    missing = wanted - set(debugfs(env.guest(image), "/etc/armature-packages").decode().split())
    check(not missing, f"{env.guest(image)} is older than tools/guest/{name}-packages.txt, it lacks "
          f"{' '.join(sorted(missing))}: make guest-{name} (as root)")


@contextlib.contextmanager
def debian(env, memory=1024, cpus=1, image="debian.img", append=""):
    disk = env.disk(image)
    check_packages(env, image)
    with env.boot("root", memory=memory, cpus=cpus, append=append, drives=[(disk, False)]) as vm:
        vm.expect("login: $", 600)
        vm.send("root")
        vm.expect("# $", 120)
        vm.run("dmesg -n 1; stty cols 1000; bind 'set enable-bracketed-paste off'; cd /root")
        yield vm
        vm.send("poweroff")
        check_off(vm)
    check_clean(disk)


def fetch(env, vm, name):
    """A file of tests/boot/programs into the guest's current directory."""
    with open(os.path.join(PROGRAMS, name), "rb") as f:
        url = env.publish(name, f.read())
    out, status = vm.run(f"wget -q -O {name} {url}")
    check(status == 0, f"wget {url}: {out}", vm)
