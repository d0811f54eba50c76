"""A real nginx with the files of deploy/, of which only addresses, paths and the log's place are other ones, and the rates:
who asks slowly comes to the end of what is let through in advance, too."""
import re
import signal
import ssl
import subprocess

from .cluster import ROOT, free_port
from .proxy import NAME, Proxy
from .waiting import wait_until


class Nginx(Proxy):
    def __init__(self, folder, rollcall, application):
        self.folder, self.rollcall, self.application = folder, rollcall, application
        self.compose_port, self.plain_port, self.tls_port = free_port(), free_port(), free_port()
        self.process = None
        self.access_log, self.error_log = folder / "access.log", folder / "error.log"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", folder / "privkey.pem",
                        "-out", folder / "fullchain.pem"], check=True, capture_output=True)
        self.ca = folder / "fullchain.pem"
        self.trust = ssl.create_default_context(cafile=self.ca)
        (folder / "rollcall.d").mkdir()
        self.write("nginx.conf", folder / "nginx.conf", [
            (r"/tmp/", f"{folder}/"), (r"http://server:8080", f"http://127.0.0.1:{rollcall.port}"), (r"listen 8080", f"listen 127.0.0.1:{self.compose_port}"),
            (r"/etc/nginx/rollcall.d", str(folder / "rollcall.d")), (r"rate=100r/s", "rate=1r/s"),
            (r"/dev/stdout", str(self.access_log)), (r"/dev/stderr", str(self.error_log))])
        self.write("nginx-tls.conf", folder / "rollcall.d" / "tls.conf", [
            (r"\n *listen \[::\][^\n]*", ""), (r"rate=100r/s", "rate=1r/s"), (r"listen 80\b", f"listen 127.0.0.1:{self.plain_port}"),
            (r"listen 443\b", f"listen 127.0.0.1:{self.tls_port}"), (r"/etc/nginx/tls", str(folder)), (r"/var/log/nginx/rollcall.log", str(self.access_log)),
            (r"127.0.0.1:8080", f"127.0.0.1:{rollcall.port}"), (r"127.0.0.1:3000", f"127.0.0.1:{application.port}")])

    @staticmethod
    def write(source, target, changes):
        text = (ROOT / "deploy" / source).read_text()
        for pattern, other in changes:
            text, count = re.subn(pattern, other, text)
            assert count, f"{pattern} is not in {source} any more"
        target.write_text(text)

    def command(self, *arguments):
        return ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.error_log),
                "-g", "user root; daemon off;", *arguments]

    def __enter__(self):
        checked = subprocess.run(self.command("-t"), capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL)
        try:
            wait_until(self.listens, because="nginx listens")
        except AssertionError:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def listens(self):
        assert self.process.poll() is None, self.error_log.read_text()
        return self.accepts()
