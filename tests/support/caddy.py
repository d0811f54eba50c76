"""A real Caddy with the Caddyfile of deploy/PROXIES.md, of which only the addresses of what is behind it are other ones. Its
ports, its folder and its certificate, which it makes itself, are set before it."""
import os
import re
import signal
import ssl
import subprocess

from .cluster import ROOT, free_port
from .proxy import Proxy
from .waiting import wait_until

BEFORE = """{{
    admin off
    local_certs
    skip_install_trust
    default_bind 127.0.0.1
    http_port {plain_port}
    https_port {tls_port}
    storage file_system {folder}/storage
}}

"""


def documented():
    """The Caddyfile as it stands in the document."""
    (text,) = re.findall(r"(?ms)^```caddyfile\n(.*?)^```$", (ROOT / "deploy/PROXIES.md").read_text(encoding="utf-8"))
    return text


class Caddy(Proxy):
    def __init__(self, folder, rollcall, application):
        self.folder = folder
        self.plain_port, self.tls_port = free_port(), free_port()
        self.ca = folder / "storage/pki/authorities/local/root.crt"
        self.log = folder / "log"
        self.process = None
        text = documented()
        for place, port, times in (("127.0.0.1:8080", rollcall.port, 2), ("127.0.0.1:3000", application.port, 1)):
            assert text.count(place) == times, f"{place} is not there {times} times any more"
            text = text.replace(place, f"127.0.0.1:{port}")
        before = BEFORE.format(plain_port=self.plain_port, tls_port=self.tls_port, folder=folder)
        (folder / "Caddyfile").write_text(before + text)

    def command(self, name):
        return ["caddy", name, "--config", str(self.folder / "Caddyfile"), "--adapter", "caddyfile"]

    @property
    def environment(self):
        return {**os.environ, "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def __enter__(self):
        checked = subprocess.run(self.command("validate"), env=self.environment, capture_output=True, text=True, check=False)
        assert checked.returncode == 0 and '"level":"error"' not in checked.stderr, checked.stderr
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.command("run"), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self.serves, timeout=30, because="Caddy serves")
        except AssertionError:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def serves(self):
        """It listens a little before it has its certificate."""
        assert self.process.poll() is None, self.log.read_text()
        if not (self.ca.exists() and self.accepts()):
            return False
        self.trust = ssl.create_default_context(cafile=self.ca)
        try:
            return self.ask("GET", "/healthz").status == 200
        except OSError:
            return False
