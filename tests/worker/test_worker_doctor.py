"""`rollcall-worker doctor`: the relay is asked for all that a mail would need, and no mail is sent."""
import contextlib
import json
import socket
import ssl
import subprocess

import pytest
from bad_smtp import DROP, BadSmtp
from probe import IMPATIENT_MS, run, send

from support.system import run_command

DATABASE = "postgres://nobody@127.0.0.1:1/none"


def ask(url, **settings):
    return read(run_command("doctor", "--json", program="rollcall-worker", ROLLCALL_DATABASE_URL=DATABASE, ROLLCALL_SMTP_URL=url, **settings))


def read(done):
    whole = json.loads(done.stdout)
    assert done.returncode == ["ok", "warn", "fail"].index(whole["status"])
    found = {finding["check"]: finding for finding in whole["findings"] if finding["check"].startswith("smtp.")}
    assert "hidden-word" not in done.stdout + done.stderr and "aGlkZGVuLXdvcmQ" not in done.stdout + done.stderr
    return found


def statuses(found):
    return {check.removeprefix("smtp."): finding["status"] for check, finding in found.items()}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A certificate for 127.0.0.1, and the CA that signed it; one for somebody else."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name, subject in (("relay", "IP:127.0.0.1"), ("other", "DNS:other.test")):
        (folder / "extensions").write_text(f"subjectAltName={subject}\n")
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "extensions", "-out", f"{name}.pem")
    return folder


@pytest.fixture
def secure(pki):
    """A relay with TLS, and what it is asked with."""
    def made(certificate="relay", **behaviour):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / f"{certificate}.pem", pki / f"{certificate}.key")
        return BadSmtp(tls=context, **behaviour)
    return made


def test_a_relay_that_takes_our_mail_is_said_to(secure, pki):
    with secure(extensions=["AUTH PLAIN LOGIN"]) as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
    assert statuses(found) == {"connect": "ok", "tls": "ok", "auth": "ok", "sender": "ok", "recipient": "ok"}
    words = [line.split(" ")[0].split(":")[0] for line in relay.commands]
    assert words == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "RSET", "QUIT"] and not relay.messages
    assert {"MAIL FROM:<rollcall@example.org>", "RCPT TO:<rollcall@example.org>"} <= set(relay.commands)


@pytest.mark.parametrize(("transport", "oldest", "newest", "status", "words"), [
    ("libesmtp", "TLSv1_2", "TLSv1_3", "ok", "TLSv1.2"), ("libcurl", "TLSv1_2", "TLSv1_3", "ok", "TLSv1.3"),
    ("libesmtp", "TLSv1_3", "TLSv1_3", "fail", "protocol version"), ("libcurl", "TLSv1_3", "TLSv1_3", "ok", "TLSv1.3"),
    ("libcurl", "TLSv1_2", "TLSv1_2", "ok", "TLSv1.2")])
def test_tls_is_what_the_transport_speaks_of_it(secure, pki, transport, oldest, newest, status, words):
    with secure() as relay:
        relay.tls.minimum_version, relay.tls.maximum_version = ssl.TLSVersion[oldest], ssl.TLSVersion[newest]
        found = ask(f"smtp://127.0.0.1:{relay.port}?tls=starttls&transport={transport}", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
        sent = send(["one@example.org"], f"smtp://127.0.0.1:{relay.port}?tls=starttls&transport={transport}", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
    assert found["smtp.tls"]["status"] == status and words in found["smtp.tls"]["detail"]
    assert ("transport=libcurl" in str(found["smtp.tls"]["todo"])) == (status == "fail")
    assert sent.results == ["sent" if status == "ok" else "our_fault"], "who sends finds the same"


@pytest.mark.parametrize(("certificate", "trusts", "words"), [
    ("other", True, "mismatch"), ("relay", False, "certificate"),
])
def test_a_certificate_that_is_not_good_is_said_to_be(secure, pki, certificate, trusts, words):
    with secure(certificate, extensions=["AUTH PLAIN"]) as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls", **({"ROLLCALL_SMTP_CA": str(pki / "ca.pem")} if trusts else {}))
    assert statuses(found) == {"connect": "ok", "tls": "fail"} and words in found["smtp.tls"]["detail"]
    assert not any(line.startswith("AUTH") for line in relay.commands)


def test_a_password_that_is_refused_is_said_to_be_and_not_said(secure, pki):
    with secure(extensions=["AUTH PLAIN"], auth="535 5.7.8 no") as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
    assert statuses(found) == {"connect": "ok", "tls": "ok", "auth": "fail"} and "535 5.7.8 no" in found["smtp.auth"]["detail"]


def test_a_relay_without_our_ways_of_auth_names_its_own(secure, pki):
    with secure(extensions=["AUTH GSSAPI NTLM"]) as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
    assert statuses(found)["auth"] == "fail" and "GSSAPI NTLM" in found["smtp.auth"]["detail"]


def test_a_sender_that_is_refused_is_said_to_be():
    with BadSmtp(mail="553 5.7.1 not yours") as relay:
        found = ask(f"smtp://127.0.0.1:{relay.port}?tls=none")
    assert statuses(found) == {"connect": "ok", "tls": "ok", "auth": "ok", "sender": "fail"} and "553 5.7.1 not yours" in found["smtp.sender"]["detail"]
    assert relay.commands[-2:] == ["RSET", "QUIT"]


@pytest.mark.parametrize(("answer", "status", "todo"), [
    ("554 5.7.1 relay access denied", "fail", "Ask who runs the relay"), ("530 authentication required", "fail", "Ask who runs the relay"),
    ("550 5.1.1 no such user", "warn", "Make that address one that exists"), ("550 no", "warn", "Make that address one that exists"),
    ("451 4.7.1 greylisted", "warn", "Ask again in some minutes"), ("421 4.3.2 too many", "warn", "Ask again in some minutes")])
def test_a_relay_that_says_no_only_at_the_recipient_is_found(answer, status, todo):
    """Some take any sender, and refuse what they will not relay at RCPT."""
    with BadSmtp(rcpt=answer) as relay:
        found = ask(f"smtp://127.0.0.1:{relay.port}?tls=none")
    assert statuses(found) == {"connect": "ok", "tls": "ok", "auth": "ok", "sender": "ok", "recipient": status}
    assert answer in found["smtp.recipient"]["detail"] and found["smtp.recipient"]["todo"].startswith(todo)
    assert not relay.messages and (relay.commands[-1] == "QUIT" or answer.startswith("421"))


def test_a_relay_that_hangs_up_at_the_recipient_is_found():
    with BadSmtp(rcpt=DROP) as relay:
        found = ask(f"smtp://127.0.0.1:{relay.port}?tls=none")
    assert statuses(found)["recipient"] == "fail" and "closed" in found["smtp.recipient"]["detail"]


@pytest.mark.parametrize(("behaviour", "words"), [
    ({"greeting": "554 5.3.2 go away"}, "554 5.3.2 go away"), ({"greeting": DROP}, "closed"), ({"greeting": "SSH-2.0-OpenSSH"}, "does not speak SMTP"),
    ({"ehlo": "550 5.7.1 not you"}, "550 5.7.1 not you"),
])
def test_who_does_not_want_us_is_quoted(behaviour, words):
    with BadSmtp(**behaviour) as relay:
        found = ask(f"smtp://127.0.0.1:{relay.port}?tls=none")
    assert found["smtp.connect"]["status"] == "fail" and words in found["smtp.connect"]["detail"] and "smtp.sender" not in found


def test_a_relay_without_starttls_is_not_used_in_clear_text():
    with BadSmtp(extensions=["AUTH PLAIN"]) as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls")
    assert statuses(found) == {"connect": "ok", "tls": "fail"} and not any(line.startswith("AUTH") for line in relay.commands)


def test_what_was_said_before_tls_is_not_believed(secure, pki):
    with secure(after_starttls=b"250 injected\r\n") as relay:
        found = ask(f"smtp://user:hidden-word@127.0.0.1:{relay.port}?tls=starttls", ROLLCALL_SMTP_CA=str(pki / "ca.pem"))
    assert statuses(found) == {"connect": "ok", "tls": "fail"}


def test_nobody_there_and_a_name_that_is_none():
    assert "refused" in ask("smtp://127.0.0.1:1?tls=none")["smtp.connect"]["detail"].lower()
    assert "not known" in ask("smtp://relay.invalid:25?tls=starttls")["smtp.connect"]["detail"]


def test_an_address_that_nobody_answers_at_leaves_time_for_the_next():
    """A name may have several; the mailer goes through them, too."""
    with BadSmtp() as relay, socket.create_server(("127.0.0.2", relay.port), backlog=0) as dead, contextlib.ExitStack() as stack:
        for _ in range(3):  # a full backlog drops the handshake
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())
        url, settings = f"smtp://relay.test:{relay.port}?tls=none", {"ROLLCALL_SMTP_INSECURE": "yes", "PROBE_ADDRESSES": "relay.test=127.0.0.2,127.0.0.1"}
        sent = send(["one@example.org"], url, timeout_ms=IMPATIENT_MS, **settings)
        found = read(run("doctor", stdin="", check=False, ROLLCALL_SMTP_URL=url, **settings))
    assert sent.results == ["sent"]
    assert statuses(found) == {"connect": "ok", "tls": "warn", "auth": "ok", "sender": "ok", "recipient": "ok"}


def test_a_template_that_cannot_be_used_is_found(tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "invitation.txt").write_text("{{no such thing}}")
    done = run_command("doctor", "--json", program="rollcall-worker", ROLLCALL_DATABASE_URL=DATABASE, ROLLCALL_SMTP_URL="smtp://127.0.0.1:1?tls=none",
                       ROLLCALL_TEMPLATES=str(tmp_path), TMPDIR=str(tmp_path / "missing"))
    found = {finding["check"]: finding["status"] for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 2 and found["mail.templates"] == found["worker.room"] == "fail"


def test_settings_that_cannot_be_read_come_first():
    done = run_command("doctor", "--json", program="rollcall-worker", ROLLCALL_DATABASE_URL=DATABASE, ROLLCALL_SMTP_URL="smtp://a:hidden-word@b:25?tls=none")
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == 2 and [finding["check"] for finding in found] == ["worker.settings"] and "hidden-word" not in done.stdout + done.stderr
