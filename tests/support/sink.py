"""The relay at the end of the wire: takes every mail, or does to a recipient what a test tells it.

    sink.behave("slow@example.org", HANG)
    sink.behave("gone@example.org", "550 5.1.1 no such user", times=1)
    sink.behave("full@example.org", "452 4.2.2 mailbox full", at="data")
    sink.behave("slow@example.org", gate := Gate(), at="accepted")   and later gate.open()
    sink.behave("*", Gate(2), at="data", times=2, after=100)         the next two, whosever they are

One thread runs all sinks of a process; each has a port of its own.
"""
import asyncio
import email
import email.policy
import itertools
import re
import threading
import time

from aiosmtpd.smtp import SMTP

from .cluster import free_port

HANG, DROP = "<hang>", "<drop>"
LINK = re.compile(r"https?://\S+#[A-Za-z0-9_-]+")


class Gate:
    """Holds so many conversations where they are, until a test has done what must be done at that moment."""

    def __init__(self, conversations=1):
        self.conversations, self.held = conversations, []
        self.reached, self.opened = threading.Event(), threading.Event()

    def wait_reached(self, timeout=30):
        assert self.reached.wait(timeout), f"only {len(self.held)} conversations have come to this point"

    def open(self):
        self.opened.set()

    async def pass_through(self, address):
        self.held.append(address)
        if len(self.held) == self.conversations:
            self.reached.set()
        while not self.opened.is_set():
            await asyncio.sleep(0.005)


class Mail:
    """A message as its recipient reads it, and the envelope that it came in."""

    def __init__(self, envelope, number):
        self.number, self.at = number, time.monotonic()
        self.sender, self.recipients, self.raw = envelope.mail_from, list(envelope.rcpt_tos), envelope.content
        self.message = email.message_from_bytes(self.raw, policy=email.policy.SMTP)

    def __repr__(self):
        return f"<mail to {self.recipients}: {self.subject}>"

    def __getitem__(self, header):
        return self.message[header]

    @property
    def subject(self):
        return str(self.message["Subject"])

    @property
    def id(self):
        return str(self.message["Message-ID"])

    @property
    def outbox_id(self):
        return self.id.strip("<>").split("@")[0]

    def part(self, kind):
        return self.message.get_body((kind,)).get_content()

    @property
    def text(self):
        return self.part("plain").replace("\r\n", "\n")

    @property
    def html(self):
        return self.part("html")

    @property
    def link(self):
        """The link with a token in it, or None."""
        found = LINK.search(self.text)
        return found and found[0]


class Handler:
    def __init__(self, sink):
        self.sink = sink

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self.act(server, address, "rcpt")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            answer = await self.act(server, address, "data")
            if answer is not None:
                return answer
        self.sink.take(envelope)
        for address in envelope.rcpt_tos:
            answer = await self.act(server, address, "accepted")
            if answer is not None:
                return answer
        return "250 2.0.0 queued"

    async def act(self, server, address, moment):
        behaviour = self.sink.behaviour(address, moment)
        if isinstance(behaviour, Gate):
            await behaviour.pass_through(address)
            return None
        if behaviour == HANG:
            await asyncio.sleep(3600)
        if behaviour == DROP:
            server.transport.abort()
            await asyncio.sleep(3600)
        return behaviour


class Loop:
    """The thread in which all sinks of this process live."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)


class Sink:
    the_loop = None

    def __init__(self):
        Sink.the_loop = Sink.the_loop or Loop()
        self.taken, self.behaviours, self.protocols = [], {}, []
        self.numbers, self.lock = itertools.count(1), threading.Lock()
        self.sessions = 0
        self.port = free_port()
        self.server = self.the_loop.run(self.open())

    async def open(self):
        return await asyncio.get_running_loop().create_server(self.make, "127.0.0.1", self.port)

    def make(self):
        self.sessions += 1
        protocol = SMTP(Handler(self), hostname="sink.test", ident="ready", loop=asyncio.get_running_loop())
        self.protocols.append(protocol)
        return protocol

    async def shut(self):
        self.server.close()
        for protocol in self.protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        self.protocols.clear()

    def stop(self):
        self.the_loop.run(self.shut())

    def start(self):
        """After stop(): at the same port again."""
        self.server = self.the_loop.run(self.open())

    def take(self, envelope):
        with self.lock:
            self.taken.append(Mail(envelope, next(self.numbers)))

    def mails(self):
        with self.lock:
            return list(self.taken)

    def behave(self, recipient, behaviour, times=None, at="rcpt", after=0):
        """To "*" as well: what happens to everybody who has no behaviour of his own. The first `after` pass."""
        self.behaviours[recipient, at] = [behaviour, times, after]

    def forgive(self, recipient=None):
        for key in list(self.behaviours):
            if recipient in (None, key[0]):
                del self.behaviours[key]

    def behaviour(self, recipient, at):
        for key in ((recipient, at), ("*", at)):
            found = self.behaviours.get(key)
            if found and found[2] > 0:
                found[2] -= 1
            elif found and (found[1] is None or found[1] > 0):
                if found[1] is not None:
                    found[1] -= 1
                return found[0]
        return None
