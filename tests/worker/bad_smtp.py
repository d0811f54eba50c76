"""A relay that misbehaves on request, for the tests of the mailer.

    with BadSmtp(mail=lambda n: "451 4.3.0 later" if n == 3 else None) as relay:
        ... send to relay.port ...
    relay.commands   what was said to it
    relay.messages   texts that it took

Every answer may be a string, a callable that is given the number of the message
(from 1) and may return None for the usual answer, or DROP, RESET or HANG.
"""
import contextlib
import socket
import ssl
import struct
import threading
import time

DROP, RESET, HANG = "<drop>", "<reset>", "<hang>"


class Gone(Exception):
    """The conversation is over."""


class BadSmtp:
    def __init__(self, *, greeting="220 bad.test ready", extensions=("PIPELINING", "ENHANCEDSTATUSCODES"),
                 ehlo=None, starttls="220 go ahead", after_starttls=b"", tls=None,
                 tls_hangs=False, implicit_tls=False, auth="235 2.7.0 welcome", mail=None, rcpt=None, data=None,
                 accepted=None, quit="221 2.0.0 bye", drip=None, port=0):
        self.answers = {"mail": mail, "rcpt": rcpt, "data": data, "accepted": accepted, "quit": quit,
                        "greeting": greeting, "ehlo": ehlo, "starttls": starttls, "auth": auth}
        self.extensions, self.after_starttls, self.drip = extensions, after_starttls, drip
        self.tls, self.tls_hangs, self.implicit_tls = tls, tls_hangs, implicit_tls
        self.commands, self.messages, self.server_names, self.tls_versions = [], [], [], []
        if tls:
            tls.sni_callback = lambda connection, name, context: self.server_names.append(name)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.stopping = threading.Event()
        self.open = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for connection in [self.listener, *self.open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.open.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(Gone, OSError):
            Conversation(self, connection).run()
        with contextlib.suppress(OSError):
            connection.close()


class Conversation:
    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.received, self.number = b"", 0

    def run(self):
        if self.server.implicit_tls:
            self.begin_tls()
        if self.server.drip:
            for byte in self.server.drip:
                self.connection.sendall(bytes([byte]))
                time.sleep(0.4)
        self.answer("greeting", "")
        while True:
            line = self.read_line()
            self.server.commands.append(line)
            verb = line.upper().split(" ")[0].split(":")[0]
            getattr(self, "on_" + verb.lower(), self.on_unknown)(line)

    def fill(self):
        chunk = self.connection.recv(65536)
        if not chunk:
            raise Gone
        self.received += chunk

    def read_line(self):
        while b"\n" not in self.received:
            self.fill()
        line, self.received = self.received.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def say(self, text):
        self.connection.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def answer(self, step, usual):
        """Answers a step; what it was told to say, or the usual; returns the words."""
        words = self.server.answers[step]
        words = words(self.number) if callable(words) else words
        words = usual if words is None else words
        if words == HANG:
            self.server.stopping.wait(60)
        if words == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        if words in (HANG, DROP, RESET):
            raise Gone
        self.say(words)
        if words.startswith("421"):
            raise Gone
        return words

    def on_ehlo(self, _):
        lines = ["bad.test", *self.server.extensions]
        if self.server.tls and not isinstance(self.connection, ssl.SSLSocket):
            lines = ["bad.test", "STARTTLS"]
        last = len(lines) - 1
        self.answer("ehlo", "\r\n".join(f"250{' ' if n == last else '-'}{line}" for n, line in enumerate(lines)))

    def on_helo(self, _):
        self.say("250 bad.test")

    def on_starttls(self, _):
        words = self.server.answers["starttls"]
        self.say(words.encode() + b"\r\n" + self.server.after_starttls)
        if words.startswith("220"):
            self.begin_tls()

    def begin_tls(self):
        if self.server.tls_hangs == DROP:
            self.fill()
        elif self.server.tls_hangs:
            self.server.stopping.wait(60)
        if self.server.tls_hangs:
            raise Gone
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.server.tls_versions.append(self.connection.version())

    def on_auth(self, line):
        if line.startswith("AUTH LOGIN "):  # the name came with it
            self.say("334 UGFzc3dvcmQ6")
            self.server.commands.append(self.read_line())
        if line == "AUTH XOAUTH2":  # the token is too long to come with it
            self.say("334 ")
            line = self.read_line()
        words = self.server.answers["auth"]
        self.say(words(line) if callable(words) else words)

    def on_mail(self, _):
        self.number += 1
        self.answer("mail", "250 2.1.0 ok")

    def on_rcpt(self, _):
        self.answer("rcpt", "250 2.1.5 ok")

    def on_data(self, _):
        if not self.answer("data", "354 go ahead").startswith("354"):
            return
        while not (self.received.endswith(b"\r\n.\r\n") or self.received == b".\r\n"):
            self.fill()
        self.server.messages.append(self.received[:-3])
        self.received = b""
        self.answer("accepted", "250 2.0.0 queued")

    def on_bdat(self, line):
        size = int(line.split()[1])
        while len(self.received) < size:
            self.fill()
        self.server.messages.append(self.received[:size])
        self.received = self.received[size:]
        self.answer("accepted", "250 2.0.0 chunk taken")

    def on_rset(self, _):
        self.say("250 2.0.0 ok")

    def on_quit(self, _):
        self.answer("quit", "")
        raise Gone

    def on_unknown(self, _):
        self.say("500 5.5.1 what")
