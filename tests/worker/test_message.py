"""Mails as another program reads them: Python's parser gives back what went in, whatever it was."""
import email
import email.header
import email.policy
import html.parser
import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe import ENVIRONMENT, PROGRAM, run

KINDS = ["invitation", "invitation_expired", "invitation_lapsed", "invitation_accepted_for_you", "password_reset",
         "password_changed", "account_locked", "lock_digest", "idle_warning", "account_idle", "idle_brake",
         "login_info", "email_change_confirm", "email_change_notice", "email_changed", "import_done", "test"]
LINK = "https://rollcall.test.example/accept#AQEA" + "x-_9" * 30

# A slow machine is no fault of a test.
PATIENTLY = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

# Anything but NUL (C strings) and surrogates (not UTF-8); names and subjects lose their control characters.
texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=300)
injections = st.sampled_from(["\r\nBcc: evil@net.example", "\nX: y\n\nbody", "\r\n.\r\nMAIL FROM:<a@b>", "\r",
                              "?= =?utf-8?q?=0d=0aBcc:_x?="])
words = st.one_of(texts, st.builds(lambda a, b, c: a + b + c, texts, injections, texts))


class Builder:
    """One process that builds message after message."""

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "build"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=ENVIRONMENT)

    def build(self, *, id="0190b8a0-0000-7000-8000-000000000000@test.example", from_name="",
              from_address="from@test.example", to_name="", to_address="to@test.example", subject="", language="en",
              text="", html=""):
        fields = (id, from_name, from_address, to_name, to_address, subject, language, text, html)
        self.process.stdin.write(b"".join(field.encode() + b"\0" for field in fields))
        self.process.stdin.flush()
        return self.process.stdout.read(int(self.process.stdout.readline()))

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def builder():
    made = Builder()
    yield made
    made.stop()


def assert_wire_safe(raw):
    """What RFC 5322 and SMTP ask of every line, and what nothing on the way will rewrite."""
    assert raw.endswith(b"\r\n") and raw.isascii() and b"\0" not in raw
    lines = raw.split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line or len(line) > 78]
    assert not [line for line in lines if line.startswith((b".", b"From "))]


def parse(raw):
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [parsed, *parsed.walk()]
    assert not [defect for part in parts for defect in part.defects]
    assert not [defect for value in parsed.values() for defect in value.defects]
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    return parsed


def shown(text):
    """A header's value: control characters have become blanks."""
    return re.sub("[\x00-\x1f\x7f]", " ", text)


def name_in(raw, header):
    """The name before an address. (Python's new parser puts blanks between encoded words, so not by it.)"""
    phrase = email.message_from_bytes(raw)[header].rpartition("<")[0].strip(" \r\n")
    if not phrase.startswith("="):
        return phrase.strip('"')
    return "".join(word.decode(charset) for word, charset in email.header.decode_header(phrase))


def lines_of(text):
    lines = re.sub("\r\n|\r", "\n", text)
    return lines if not lines or lines.endswith("\n") else lines + "\n"


@settings(max_examples=150, **PATIENTLY)
@given(subject=words, text=words, html=words)
def test_subject_and_bodies_come_back(builder, subject, text, html):
    raw = builder.build(subject=subject, text=text, html=html)
    assert_wire_safe(raw)
    parsed = parse(raw)
    # Python's parser leaves out blanks around a subject.
    assert str(parsed["Subject"]).strip() == shown(subject).strip()
    plain, page = parsed.iter_parts()
    assert plain.get_payload(decode=True).decode().replace("\r\n", "\n") == lines_of(text)
    assert page.get_payload(decode=True).decode().replace("\r\n", "\n") == lines_of(html)
    assert plain.get_content_charset() == page.get_content_charset() == "utf-8"


@settings(max_examples=150, **PATIENTLY)
@given(to_name=words, from_name=words)
def test_names_come_back_and_add_nobody(builder, to_name, from_name):
    raw = builder.build(to_name=to_name, from_name=from_name)
    assert_wire_safe(raw)
    parsed = parse(raw)
    for header, name, address in (("To", to_name, "to@test.example"), ("From", from_name, "from@test.example")):
        (mailbox,) = parsed[header].addresses
        assert mailbox.addr_spec == address
        assert name_in(raw, header) == shown(name)
    assert list(parsed.keys()) == ["Date", "Message-ID", "From", "To", "Subject", "Content-Language", "Auto-Submitted",
                                   "MIME-Version", "Content-Type"]


@settings(max_examples=100, **PATIENTLY)
@given(id=words, to_address=words, from_address=words, language=words)
def test_nothing_can_be_injected_anywhere(builder, id, to_address, from_address, language):
    raw = builder.build(id=id, to_address=to_address, from_address=from_address, language=language)
    head = raw.split(b"\r\n\r\n")[0]
    assert b"\n" not in raw.replace(b"\r\n", b"") and raw.isascii()
    assert [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")] == [
        b"Date", b"Message-ID", b"From", b"To", b"Subject", b"Content-Language", b"Auto-Submitted", b"MIME-Version",
        b"Content-Type"]


class Outline(html.parser.HTMLParser):
    """Tags that are open, and what a reader and a machine see."""

    def __init__(self, page):
        super().__init__()
        self.open, self.links, self.tags, self.text, self.wrong = [], [], [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.links += [value for name, value in attributes if name == "href"]
        self.wrong += [name for name, value in attributes if name.startswith("on") or name in ("src", "background")]

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


VALUES = {
    "organization": "Hesh & Söhne <GmbH>", "first_name": "Олена", "full_name": "Олена О'Ніл", "login": "olena",
    "recipient_name": "Іван", "link": LINK, "expires_at": "3 травня 2026, 14:00", "days": "3", "idle_on": "9 травня",
    "sign_in_url": "https://rollcall.test.example/sign-in", "count": "2", "list": "Перший|Другий <b>",
    "forgot_password_url": "https://rollcall.test.example/forgot-password", "contact_email": "help@test.example",
}


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_mail_reads_well(kind, language):
    values = "".join(f"{name}={value}\n" for name, value in VALUES.items())
    raw = run("mail", kind, language, stdin=values.encode(), text=False).stdout
    assert_wire_safe(raw)
    parsed = parse(raw)
    plain, page = (part.get_content() for part in parsed.iter_parts())
    assert str(parsed["To"]) == "Олена О'Ніл <to@test.example>".replace("to@", "olena@")
    assert parsed["Content-Language"] == language and parsed["Auto-Submitted"] == "auto-generated"
    outline = Outline(page)
    assert not outline.open and not outline.wrong
    assert not {"img", "script", "b", "gmbh", "style"} & set(outline.tags)
    urls = re.findall(r"https://\S+", plain)
    assert set(outline.links) == set(urls) and len(set(urls)) <= 1
    assert all(url in outline.text for url in urls)
    assert "Hesh & Söhne <GmbH>" in plain + str(parsed["Subject"]) and "Hesh & Söhne <GmbH>" in outline.text
    assert len(plain) < 1200 and "\n\n\n" not in plain and not plain.endswith("\n\n")
