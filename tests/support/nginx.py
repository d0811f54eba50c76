"""A real nginx with the files of deploy/, of which only addresses, paths and the log's place are other ones, and an
application behind it that says what it was asked."""
import http.client
import http.server
import json
import re
import signal
import socket
import ssl
import subprocess
import threading

from .cluster import ROOT, free_port
from .waiting import wait_until

NAME = "rollcall.example.com"


class Application(http.server.ThreadingHTTPServer):
    """Answers what it sees of a request, and remembers it."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            seen = {"method": self.command, "target": self.path, "headers": [list(pair) for pair in self.headers.items()],
                    "body": self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()}
            self.server.seen.append(seen)
            body = json.dumps(seen).encode()
            self.send_response(500 if self.path.endswith("/fails") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    def __init__(self):
        self.seen = []
        super().__init__(("127.0.0.1", free_port()), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Response:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.text[:500]}>"

    @property
    def body(self):
        return json.loads(self.text)

    def header(self, name):
        """What the application was told in it; None for nothing, and never twice."""
        values = [value for key, value in self.body["headers"] if key.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None


class Connection(http.client.HTTPSConnection):
    def __init__(self, nginx):
        super().__init__(NAME, timeout=20, context=nginx.trust)
        self.nginx = nginx

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.nginx.tls_port), timeout=20)
        self.sock = self.nginx.trust.wrap_socket(plain, server_hostname=NAME)

    def ask(self, method, path, headers=None, body=None):
        """Headers as pairs or a dict; they go out as they are."""
        pairs = headers.items() if isinstance(headers, dict) else headers or ()
        self.putrequest(method, path, skip_accept_encoding=True)
        for name, value in pairs:
            self.putheader(name, value)
        if body is not None:
            self.putheader("Content-Length", str(len(body)))
        self.endheaders(body)
        return Response(self.getresponse())


class Nginx:
    def __init__(self, folder, rollcall, application):
        self.folder, self.rollcall, self.application = folder, rollcall, application
        self.compose_port, self.plain_port, self.tls_port = free_port(), free_port(), free_port()
        self.process = None
        self.access_log, self.error_log = folder / "access.log", folder / "error.log"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", folder / "privkey.pem",
                        "-out", folder / "fullchain.pem"], check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=folder / "fullchain.pem")
        (folder / "rollcall.d").mkdir()
        self.write("nginx.conf", folder / "nginx.conf", [
            (r"/tmp/", f"{folder}/"), (r"http://server:8080", f"http://127.0.0.1:{rollcall.port}"), (r"listen 8080", f"listen 127.0.0.1:{self.compose_port}"),
            (r"/etc/nginx/rollcall.d", str(folder / "rollcall.d")),
            (r"/dev/stdout", str(self.access_log)), (r"/dev/stderr", str(self.error_log))])
        self.write("nginx-tls.conf", folder / "rollcall.d" / "tls.conf", [
            (r"\n *listen \[::\][^\n]*", ""), (r"listen 80\b", f"listen 127.0.0.1:{self.plain_port}"),
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
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tls_port)) == 0

    def ask(self, method, path, headers=None, body=None):
        """On a connection of its own, over TLS."""
        connection = Connection(self)
        try:
            return connection.ask(method, path, headers, body)
        finally:
            connection.close()

    def curl(self, *arguments):
        """The status, the version and the head that curl sees."""
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", self.folder / "fullchain.pem", "-m", "20", "-D", "-",
                               "--resolve", f"{NAME}:{self.tls_port}:127.0.0.1", "--resolve", f"{NAME}:{self.plain_port}:127.0.0.1",
                               *arguments], capture_output=True, text=True, check=True)
        return done.stdout
