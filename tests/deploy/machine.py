"""A machine within this one, on which systemd runs: to install the package there, and run its units for real.

It has namespaces of its own for everything but the network, so what it runs reaches the tests' PostgreSQL and
sink on loopback. Its file system is a layer over this one's, which goes with it. Needs root.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from support.waiting import wait_until

NAMESPACES = ("--mount", "--pid", "--cgroup", "--uts", "--ipc")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
PR_SET_PDEATHSIG = 1


def is_possible():
    return (os.geteuid() == 0 and os.path.exists("/lib/systemd/systemd")
            and subprocess.run(["unshare", *NAMESPACES, "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False,
                               capture_output=True).returncode == 0)


class Machine:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-machine-"))
        hierarchies = [CGROUPS / name for name in ("systemd", "unified") if (CGROUPS / name).is_dir()] or [CGROUPS]
        self.cgroups = [hierarchy / self.folder.name for hierarchy in hierarchies]
        self.process = None

    def __enter__(self):
        for cgroup in self.cgroups:
            cgroup.mkdir()
        self.process = subprocess.Popen(["unshare", *NAMESPACES, "--fork", "--kill-child", pathlib.Path(__file__).with_name("boot"), self.folder],
                                        preexec_fn=self.prepare, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_until(self.is_up, timeout=60, pause=0.1, because="systemd is running")
        except BaseException:
            self.__exit__()
            raise
        return self

    def prepare(self):
        """In the child: it ends with us, whatever we die of."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for cgroup in self.cgroups:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    def __exit__(self, *_):
        if self.first:
            os.kill(self.first, signal.SIGKILL)
        print(self.process.communicate()[0].decode())
        shutil.rmtree(self.folder, ignore_errors=True)
        for cgroup in self.cgroups:
            wait_until(lambda top=cgroup: self.remove(top), because="nothing runs there any more")

    @staticmethod
    def remove(top):
        try:
            for folder, _, _ in os.walk(top, topdown=False):
                os.rmdir(folder)
        except OSError:
            return False
        return True

    @property
    def first(self):
        """Its process 1, as it is numbered here."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text().split() if children.exists() else []
        return int(found[0]) if found else None

    def is_up(self):
        assert self.process.poll() is None, self.process.communicate()[0].decode()
        return self.first and self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def run(self, *command, text=None):
        return subprocess.run(["nsenter", "--all", "--target", str(self.first), *map(str, command)], input=text, check=False,
                              capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL if text is None else None,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})

    def does(self, *command, text=None):
        """What it printed, once it has succeeded."""
        done = self.run(*command, text=text)
        assert done.returncode == 0, (command, done.stdout, done.stderr, self.run("journalctl", "--no-pager", "-n", "40").stdout)
        return done.stdout

    def write(self, path, text):
        self.does("tee", path, text=text)

    def put(self, file, path):
        """A file of ours, there."""
        with open(file, "rb") as source:
            subprocess.run(["nsenter", "--all", "--target", str(self.first), "tee", path], stdin=source, check=True, stdout=subprocess.DEVNULL)

    def state(self, unit):
        return self.run("systemctl", "is-active", unit).stdout.strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout
