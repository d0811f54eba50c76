"""What the tests of all proxies share: an application behind them that says what it was asked, and a client that says
what it wants, over TLS."""
import http.client
import http.server
import json
import socket
import subprocess
import threading

from .cluster import free_port

NAME = "rollcall.example.com"
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
FORGED = {"X-Rollcall-User": "forged", "X-Rollcall-Organization": "forged", "X-Rollcall-Role": "forged", "X-Rollcall-Key": "forged",
          "X-Rollcall-Permissions": "*", "X-Rollcall-Permissions-Truncated": "true"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


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
    """From `address`, if one is given, so that a client can be told from the proxy."""

    def __init__(self, proxy, address=None):
        super().__init__(NAME, timeout=20, context=proxy.trust)
        self.proxy, self.address = proxy, address

    def connect(self):
        source = (self.address, 0) if self.address else None
        plain = socket.create_connection(("127.0.0.1", self.proxy.tls_port), timeout=20, source_address=source)
        self.sock = self.proxy.trust.wrap_socket(plain, server_hostname=NAME)

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


class Proxy:
    """A running one: `trust` is for its certificate, `ca` its file, `plain_port` and `tls_port` are where it listens."""

    ca = trust = plain_port = tls_port = None

    def ask(self, method, path, headers=None, body=None, address=None):
        """On a connection of its own, over TLS."""
        connection = Connection(self, address)
        try:
            return connection.ask(method, path, headers, body)
        finally:
            connection.close()

    def curl(self, *arguments):
        """The status, the version and the head that curl sees."""
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", self.ca, "-m", "20", "-D", "-",
                               "--resolve", f"{NAME}:{self.tls_port}:127.0.0.1", "--resolve", f"{NAME}:{self.plain_port}:127.0.0.1",
                               *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tls_port)) == 0
