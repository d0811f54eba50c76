"""Rollcall installed from its package on a machine of its own (machine.py); its database and its sink are the tests'."""
import os
import re
import subprocess

import requests

from support.cluster import ROOT
from support.system import SECRET, environment
from support.waiting import wait_until

INSTALL = ("dpkg", "--force-unsafe-io", "--no-triggers")
AS_FILES = {"database_url": "ROLLCALL_DATABASE_URL", "migrate_database_url": "ROLLCALL_MIGRATE_DATABASE_URL", "master": "ROLLCALL_SECRET",
            "smtp_url": "ROLLCALL_SMTP_URL"}
# What the tests set for their speed, and the package has its own values for.
LEFT_OUT = {*AS_FILES.values(), "ROLLCALL_PASSWORD_HASH", "ROLLCALL_METRICS_LISTEN"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def is_ready(system):
    try:
        return system.anyone.get("/readyz").status == 200
    except requests.ConnectionError:
        return False


class Installed:
    def __init__(self, machine, system):
        self.machine, self.system = machine, system

    def install(self, package):
        self.machine.put(package, "/root/rollcall.deb")
        self.machine.does(*INSTALL, "--install", "/root/rollcall.deb")

    def configure(self, **more):
        values = {**environment(**self.system.settings), "ROLLCALL_SECRET": "hex:" + SECRET.hex()}
        for name, variable in AS_FILES.items():
            # By name: looking one up takes more than connecting does.
            self.machine.write(f"/etc/rollcall/secrets/{name}", values[variable].replace("127.0.0.1", "localhost") + "\n")
        settings = {name: value for name, value in values.items() if name.startswith("ROLLCALL_") and name not in LEFT_OUT}
        self.machine.write("/etc/rollcall/rollcall.env", "".join(f"{name}={value}\n" for name, value in {**settings, **more}.items()))

    def start(self):
        self.machine.does("systemctl", "start", "rollcall-migrate")
        self.machine.does("systemctl", "enable", "--now", "rollcall-server", "rollcall-worker")
        wait_until(lambda: is_ready(self.system), timeout=30, because="the server is ready")

    def first(self, program):
        """The number of the process that systemd has started."""
        return int(self.machine.does("systemctl", "show", "--property=MainPID", "--value", program))

    def complaints(self):
        """What stands in the journal that should not, of both programs. Some kernels keep socket filters for
        CAP_NET_ADMIN, which no unit of ours has: a stop says that it goes without."""
        return [line for program in ("rollcall-server", "rollcall-worker") for line in self.machine.journal(program).splitlines()
                if re.search(r" (error|warn) |Operation not permitted|Permission denied|Failed|SIGSYS|killed", line)
                and "could not stop the listening queue" not in line]
