"""The mailer against relays that misbehave: each defect of libesmtp that it works round, and each
answer that a relay can give, with what becomes of every single mail."""
import contextlib
import socket
import ssl
import subprocess
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from bad_smtp import DROP, HANG, RESET, BadSmtp
from probe import IMPATIENT_MS, run, send
from support.cluster import free_port

ONE, TWO, THREE = (["a@net.example"], ["a@net.example", "b@net.example"],
                   ["a@net.example", "b@net.example", "c@net.example"])


def plain(relay):
    return f"smtp://127.0.0.1:{relay.port}?tls=none"


def at(*numbers, say):
    """The usual answer, but for these messages of a session."""
    return lambda number: say if number in numbers else None


# --- one answer, one verdict ---

ANSWERS = {
    "greeting 554": (dict(greeting="554 5.3.2 no service"), "later", False, "554 5.3.2 no service"),
    "greeting 421 and gone": (dict(greeting="421 busy"), "later", False, "421 busy"),
    "closed at once": (dict(greeting=DROP), "later", False, "did not greet us"),
    "EHLO 550": (dict(ehlo="550 who are you"), "later", False, "550 who are you"),
    "EHLO 451": (dict(ehlo="451 not now"), "later", False, "451 not now"),
    "MAIL 451": (dict(mail="451 4.3.0 later"), "later", True, "451 4.3.0 later"),
    "MAIL 421 and gone": (dict(mail="421 4.7.0 too many"), "later", True, "421 4.7.0 too many"),
    "MAIL 553": (dict(mail="553 5.1.8 bad sender"), "our_fault", False, "553 5.1.8 bad sender"),
    "MAIL 530": (dict(mail="530 5.7.0 authenticate first"), "our_fault", False, "530 5.7.0"),
    "MAIL and gone": (dict(mail=DROP), "later", False, "lost"),
    "RCPT 450": (dict(rcpt="450 4.2.0 grey", data="554 5.5.1 no recipients"), "later", True, "450 4.2.0 grey"),
    "RCPT 550": (dict(rcpt="550 5.1.1 unknown", data="554 5.5.1 no recipients"), "refused", True, "550 5.1.1 unknown"),
    "RCPT 530": (dict(rcpt="530 5.7.0 authenticate first", data="503 5.5.1 no"), "our_fault", False, "530 5.7.0"),
    "RCPT 421 and gone": (dict(rcpt="421 4.3.2 shutting down"), "later", True, "421 4.3.2 shutting down"),
    "DATA 451": (dict(data="451 4.3.0 no room"), "later", True, "451 4.3.0 no room"),
    "DATA 554": (dict(data="554 5.6.0 never"), "refused", True, "554 5.6.0 never"),
    "DATA 250 delivers nothing": (dict(data="250 ok"), "later", True, "lost"),
    "text 451": (dict(accepted="451 4.7.1 slow down"), "later", True, "451 4.7.1 slow down"),
    "text 552": (dict(accepted="552 5.7.1 spam"), "refused", True, "552 5.7.1 spam"),
    "text and gone": (dict(accepted=DROP), "later", True, "lost"),
    "text and reset": (dict(accepted=RESET), "later", True, "lost"),
    "text 250": (dict(), "sent", True, "250 2.0.0 queued"),
}


OVER_BDAT = [name for name, (behaviour, *_) in ANSWERS.items() if "data" not in behaviour or "rcpt" in behaviour]


@pytest.mark.parametrize("name,chunking", [(name, False) for name in ANSWERS] + [(name, True) for name in OVER_BDAT])
def test_an_answer_becomes_a_verdict_on_the_mail(name, chunking):
    behaviour, result, attempted, reply = ANSWERS[name]
    if chunking and "data" in behaviour:
        behaviour = {**behaviour, "accepted": behaviour["data"]}
    extensions = ["PIPELINING", "ENHANCEDSTATUSCODES"] + ["CHUNKING"] * chunking
    with BadSmtp(extensions=extensions, **behaviour) as relay:
        sent = send(ONE, plain(relay))
    assert (sent.results, sent.attempted) == ([result], [attempted]), sent.replies
    assert reply in sent.replies[0] or (chunking and result == "sent")
    assert "net.example" not in sent.log


def test_each_mail_of_a_batch_has_its_own_verdict():
    with BadSmtp(rcpt=lambda n: {2: "550 5.1.1 no such user", 3: "450 4.2.0 greylisted"}.get(n),
                 data=lambda n: "554 5.5.1 no valid recipients" if n in (2, 3) else None) as relay:
        sent = send([*THREE, "d@net.example"], plain(relay))
    assert sent.results == ["sent", "refused", "later", "sent"]
    assert len(relay.messages) == 2


def test_over_chunking_a_deferred_recipient_is_not_complete():
    with BadSmtp(extensions=["PIPELINING", "CHUNKING"], rcpt=at(1, say="450 grey"),
                 accepted=at(1, say="503 need RCPT")) as relay:
        sent = send(TWO, plain(relay))
    assert sent.results == ["later", "sent"]


def test_what_was_taken_before_the_connection_was_lost_stays_sent():
    with BadSmtp(mail=at(3, say=DROP)) as relay:
        sent = send(THREE, plain(relay))
    assert (sent.results, sent.attempted) == (["sent", "sent", "later"], [True, True, False])
    with BadSmtp(accepted=at(2, say=DROP)) as relay:
        sent = send(THREE, plain(relay))
    assert (sent.results, sent.attempted) == (["sent", "later", "later"], [True, True, False])
    assert "had taken" in sent.replies[1] and "before this message" in sent.replies[2]


def test_after_421_the_rest_is_left_for_later():
    with BadSmtp(mail=at(2, say="421 4.7.0 too many messages")) as relay:
        sent = send(THREE, plain(relay))
    assert sent.results == ["sent", "later", "later"]
    assert sent.replies[1:] == ["421 4.7.0 too many messages"] * 2


def test_nobody_listens():
    sent = send(TWO, f"smtp://127.0.0.1:{free_port()}?tls=none")
    assert (sent.results, sent.attempted) == (["later", "later"], [False, False])
    assert sent.replies[0] == "could not reach the relay: Connection refused"
    assert sent.log.count("could not send mail through the relay") == 1


def test_an_unknown_relay():
    sent = send(ONE, "smtp://relay.invalid:25?tls=none", ROLLCALL_SMTP_INSECURE="yes")
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert "could not reach the relay: " in sent.replies[0]


# --- time ---

def test_a_connection_that_is_never_answered_is_given_up():
    """connect(2) of libesmtp has no limit; a full backlog drops the handshake."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        sent = send(ONE, f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none", timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert "timed out" in sent.replies[0]


@pytest.mark.parametrize("step,timeout_ms", [("greeting", 1000), ("ehlo", 1000), ("mail", 1000), ("rcpt", 1000), ("data", 1000),
                                             ("accepted", 2000)])
def test_a_hanging_relay_is_given_up(step, timeout_ms):
    """Timeouts are milliseconds, and shorter than RFC 5321's minutes: each ends the session long before its own deadline does."""
    with BadSmtp(**{step: HANG}) as relay:
        sent = send(ONE, plain(relay), timeout_ms=timeout_ms)
    assert sent.results == ["later"]
    assert sent.attempted == [step in ("rcpt", "data", "accepted")]
    assert sent.seconds[0] < 4 * timeout_ms / 1000
    assert "took too long" in sent.replies[0]


def test_mails_are_settled_even_when_the_relay_hangs_at_quit():
    with BadSmtp(quit=HANG) as relay:
        sent = send(TWO, plain(relay), timeout_ms=IMPATIENT_MS)
    assert sent.results == ["sent", "sent"]


def test_a_relay_that_drips_is_cut_at_the_deadline():
    """Each byte arrives within the timeout; only a total deadline ends this."""
    with BadSmtp(drip=b"2" * 100) as relay:
        sent = send(ONE, plain(relay), timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert 3.9 < sent.seconds[0] < 40, "the drops would go on for 40 s"


def test_a_slow_relay_is_offered_no_more_than_fits():
    with BadSmtp(accepted=lambda n: time.sleep(0.45)) as relay:
        sent = send([f"r{n}@net.example" for n in range(20)], plain(relay), timeout_ms=IMPATIENT_MS)
    count = sent.results.count("sent")
    assert 1 <= count <= 6 and sent.results == ["sent"] * count + ["later"] * (20 - count)
    assert sent.attempted == [True] * count + [False] * (20 - count)
    assert len(relay.messages) == count
    assert "too long over earlier" in sent.replies[-1]


def test_large_mails_do_not_wait_for_delayed_acknowledgements():
    """Without TCP_NODELAY each takes 40 ms, because libesmtp writes pieces of 2 kB; so none of these batches could be faster than 4 s."""
    with BadSmtp() as relay:
        sent = send([f"r{n}@net.example" for n in range(100)], plain(relay), size=20000, times=3)
    assert sent.results == ["sent"] * 300
    assert min(sent.seconds) < 3.5


# --- what goes on the wire ---

INJECTED = ["no address", "", "a@net.example>", "a@net.example> NOTIFY=NEVER", "ä@net.example", "a@b@net.example",
            "x" * 300 + "@net.example", "<a@net.example>", "a@net.example\rRCPT TO:<evil@net.example>"]


def test_what_is_no_address_never_reaches_the_wire():
    with BadSmtp() as relay:
        sent = send([*INJECTED, "good@net.example"], plain(relay))
    assert sent.results == ["refused"] * len(INJECTED) + ["sent"]
    assert sent.attempted == [False] * len(INJECTED) + [True]
    assert [line for line in relay.commands if "RCPT" in line] == ["RCPT TO:<good@net.example>"]


def test_a_batch_without_an_address_makes_no_connection():
    with BadSmtp() as relay:
        sent = send(["no address"], plain(relay))
    assert sent.results == ["refused"] and not relay.commands


def test_replies_are_one_short_printable_line():
    words = "550-5.1.1 \x1b[31mred\x07\r\n550 5.1.1 \u043d\u0435\u0442 \t  " + "x" * 900
    with BadSmtp(rcpt=words) as relay:
        sent = send(ONE, plain(relay))
    assert sent.results == ["refused"]
    assert sent.replies[0].startswith("550 5.1.1 [31mred")
    assert sent.replies[0].isprintable() and sent.replies[0].isascii() and len(sent.replies[0]) <= 255


def test_a_huge_greeting_is_refused():
    with BadSmtp(greeting="220-" + "x" * 900000 + "\r\n220 hello") as relay:
        assert send(ONE, plain(relay)).results == ["later"]


def test_it_introduces_itself_by_a_whole_name():
    with BadSmtp() as relay:
        send(ONE, plain(relay))
    assert relay.commands[0].startswith("EHLO ") and "." in relay.commands[0]


def test_an_ipv6_address_is_refused_at_start():
    finished = run("send", "1000", "1", stdin="", check=False, ROLLCALL_SMTP_URL="smtp://[::1]:25?tls=none")
    assert finished.returncode == 1 and "IPv6" in finished.stderr


# --- TLS ---

@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for authority in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    for name, subject, authority in (("relay", "DNS:relay.test", "ca"), ("canonical", "DNS:canonical.test", "ca"),
                                     ("address", "IP:127.0.0.1", "ca"), ("stranger", "DNS:relay.test", "other-ca")):
        (folder / "extensions").write_text(f"subjectAltName={subject}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", f"{name}.pem")
    return folder


@pytest.fixture
def tls(certificates):
    def context(name="relay"):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        return made
    return context


@pytest.fixture
def send_securely(certificates):
    def securely(relay, recipients=ONE, *, host="relay.test", canonical=None, user="", **more):
        return send(recipients, f"smtp://{user}{host}:{relay.port}?tls=starttls", **more,
                    ROLLCALL_SMTP_CA=str(certificates / "ca.pem"), PROBE_RELAY=f"relay.test={canonical or host}")
    return securely


def mail_was_offered(relay):
    return any(line.startswith("MAIL") for line in relay.commands)


def test_a_verified_relay_gets_its_name_and_the_mails(tls, send_securely):
    with BadSmtp(tls=tls()) as relay:
        sent = send_securely(relay, THREE)
    assert sent.results == ["sent"] * 3
    assert relay.server_names == ["relay.test"]
    assert relay.tls_versions == ["TLSv1.2"]


def test_tickets_that_come_early_do_not_dead_lock(tls, send_securely):
    """With TLS 1.3, session tickets are often readable before our EHLO is written; libesmtp then reads."""
    with BadSmtp(tls=tls()) as relay:
        sent = send_securely(relay, times=30)
    assert sent.results == ["sent"] * 30


def test_one_mailer_serves_many_sessions(tls, send_securely):
    """libesmtp's own TLS context is used after it was freed."""
    with BadSmtp(tls=tls(), extensions=["AUTH LOGIN PLAIN"]) as relay:
        sent = send_securely(relay, TWO, times=5, user="u:p@")
    assert sent.results == ["sent"] * 10


REFUSED = {
    "signed by nobody known": dict(certificate="stranger"),
    "made for another name": dict(certificate="canonical"),
    "made for the canonical name in DNS": dict(certificate="canonical", canonical="canonical.test"),
    "made for an address": dict(certificate="address"),
    "made for a name where an address is configured": dict(certificate="relay", host="127.0.0.1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_certificate_is_refused_when(name, tls, send_securely):
    case = dict(REFUSED[name])
    with BadSmtp(tls=tls(case.pop("certificate"))) as relay:
        sent = send_securely(relay, TWO, **case)
    assert (sent.results, sent.attempted) == (["our_fault"] * 2, [False] * 2)
    assert "certificate was refused: " in sent.replies[0] and "certificate was refused: " in sent.log
    assert not mail_was_offered(relay)


def test_the_configured_name_counts_not_the_canonical_one(tls, send_securely):
    with BadSmtp(tls=tls("relay")) as relay:
        assert send_securely(relay, canonical="canonical.test").results == ["sent"]


def test_a_certificate_may_be_for_an_address(tls, send_securely):
    with BadSmtp(tls=tls("address")) as relay:
        assert send_securely(relay, host="127.0.0.1").results == ["sent"]
    assert relay.server_names == [None]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_certificate_in_the_home_folder_is_not_offered(mode, tls, send_securely, certificates, tmp_path):
    """libesmtp would find it and release it once too often."""
    folder = tmp_path / ".config" / "libesmtp" / "private"
    folder.mkdir(parents=True)
    (folder / "relay.test.pem").write_bytes((certificates / "stranger.pem").read_bytes()
                                            + (certificates / "stranger.key").read_bytes())
    (folder / "relay.test.pem").chmod(mode)
    context = tls()
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(certificates / "ca.pem")
    with BadSmtp(tls=context) as relay:
        # A file that others may read makes libesmtp give up, and leak.
        sent = send_securely(relay, times=2, HOME=str(tmp_path), ASAN_OPTIONS=f"detect_leaks={int(mode == 0o600)}")
    if mode == 0o600:
        assert sent.results == ["sent"] * 2
    else:
        assert sent.results == ["our_fault"] * 2 and "client certificate" in sent.replies[0]


NO_TLS = {
    "not offered": (dict(), "our_fault", "does not offer STARTTLS"),
    "EHLO is unknown": (dict(ehlo="502 what"), "our_fault", "does not offer STARTTLS"),
    "refused": (dict(starttls="501 5.5.4 no"), "our_fault", "refused STARTTLS: 501 5.5.4 no"),
    "put off": (dict(starttls="454 4.7.0 no entropy"), "later", "cannot do TLS now: 454 4.7.0 no entropy"),
}


@pytest.mark.parametrize("name", NO_TLS)
def test_without_tls_nothing_is_sent_when_it_is(name, tls, send_securely):
    behaviour, result, reply = NO_TLS[name]
    with BadSmtp(tls=None if name == "not offered" else tls(), extensions=["AUTH PLAIN LOGIN"], **behaviour) as relay:
        sent = send_securely(relay, TWO, user="user:hunter2@")
    assert (sent.results, sent.attempted) == ([result] * 2, [False] * 2)
    assert reply in sent.replies[0]
    assert not [line for line in relay.commands if line.startswith(("AUTH", "MAIL"))]


def test_clear_text_behind_starttls_is_no_answer_in_tls(tls, send_securely):
    """libesmtp would take the list of extensions that an attacker put there."""
    with BadSmtp(tls=tls(), after_starttls=b"250-bad.test\r\n250 AUTH PLAIN\r\n") as relay:
        sent = send_securely(relay, user="user:hunter2@")
    assert (sent.results, sent.attempted) == (["our_fault"], [False])
    assert "clear text" in sent.replies[0]


def test_a_relay_of_tls_1_3_only_is_named_as_such(tls, send_securely):
    context = tls()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with BadSmtp(tls=context) as relay:
        sent = send_securely(relay)
    assert sent.results == ["our_fault"] and "TLS with the relay failed" in sent.replies[0]


def test_a_handshake_that_hangs_is_given_up(tls, send_securely):
    with BadSmtp(tls=tls(), tls_hangs=True) as relay:
        sent = send_securely(relay, timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])


def test_a_missing_ca_file_stops_the_start():
    finished = run("send", "1000", "1", stdin="", check=False, ROLLCALL_SMTP_CA="/nonexistent",
                   ROLLCALL_SMTP_URL="smtp://relay.test:25?tls=starttls")
    assert finished.returncode == 1 and "ROLLCALL_SMTP_CA" in finished.stderr


# --- authentication ---

PASSWORD = "correct:horse"
USER = "user:correct%3Ahorse@"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_authenticates_inside_tls(mechanism, tls, send_securely):
    with BadSmtp(tls=tls(), extensions=[f"AUTH {mechanism}"]) as relay:
        sent = send_securely(relay, TWO, user=USER, times=2)
    assert sent.results == ["sent"] * 4
    assert sum(line.startswith(f"AUTH {mechanism}") for line in relay.commands) == 2
    assert PASSWORD not in sent.output


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "534 5.7.9 too weak", "538 5.7.11 encrypt", "500 5.5.1 what"])
def test_a_refused_password_holds_the_whole_batch(answer, tls, send_securely):
    """libesmtp would go on unauthenticated."""
    with BadSmtp(tls=tls(), extensions=["AUTH PLAIN LOGIN"], auth=answer) as relay:
        sent = send_securely(relay, THREE, user=USER)
    assert (sent.results, sent.attempted) == (["our_fault"] * 3, [False] * 3)
    assert f"refused our user name or password: {answer}" in sent.replies[0]
    assert not mail_was_offered(relay)
    assert answer not in sent.log and answer[:3] in sent.log


def test_the_first_line_of_a_long_refusal_is_shown(tls, send_securely):
    refusal = "535-5.7.8 not accepted\r\n535 5.7.8 see https://x"
    with BadSmtp(tls=tls(), extensions=["AUTH PLAIN"], auth=refusal) as relay:
        sent = send_securely(relay, user=USER)
    assert sent.replies[0].endswith("535-5.7.8 not accepted")


def test_authentication_that_is_down_is_not_our_fault(tls, send_securely):
    with BadSmtp(tls=tls(), extensions=["AUTH PLAIN"], auth="454 4.7.0 try later") as relay:
        sent = send_securely(relay, user=USER)
    assert (sent.results, sent.attempted) == (["later"], [False]) and not mail_was_offered(relay)


@pytest.mark.parametrize("extensions", [[], ["AUTH GSSAPI XOAUTH2"]])
def test_without_authentication_on_offer_nothing_is_sent(extensions, tls, send_securely):
    with BadSmtp(tls=tls(), extensions=extensions) as relay:
        sent = send_securely(relay, user=USER)
    assert (sent.results, sent.attempted) == (["our_fault"], [False])
    assert "offers no authentication" in sent.replies[0] and not mail_was_offered(relay)


def test_a_second_mechanism_may_succeed(tls, send_securely):
    with BadSmtp(tls=tls(), extensions=["AUTH NTLM LOGIN PLAIN"],
                 auth=lambda line: "235 welcome" if "PLAIN" in line else "535 not this one") as relay:
        assert send_securely(relay, user=USER).results == ["sent"]


@pytest.mark.parametrize("before", ["", "x" * 210 + " "], ids=["whole", "cut"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_relay_that_quotes_our_password_is_not_quoted(mechanism, before, tls, send_securely):
    with BadSmtp(tls=tls(), extensions=[f"AUTH {mechanism}"]) as relay:
        relay.answers["auth"] = lambda line: f"535 {before}what is {relay.commands[-1]}"
        sent = send_securely(relay, user=USER)
    secret = relay.commands[3 if mechanism == "PLAIN" else 4].split()[-1]
    assert len(secret) >= 20 and sent.results == ["our_fault"] and sent.replies[0].endswith(": 535")
    assert secret[:10] not in sent.output


# --- a real server ---

class Mailbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(envelope)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", PASSWORD.encode()), handled=False)


def test_a_real_server_with_tls_and_authentication(tls, send_securely):
    mailbox = Mailbox()
    context = tls()

    class Relay(Controller):
        def factory(self):
            return SMTP(self.handler, tls_context=context, require_starttls=True, authenticator=authenticate,
                        auth_required=True)

    controller = Relay(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        good = send_securely(controller, [f"r{n}@net.example" for n in range(30)], user=USER, times=2)
        bad = send_securely(controller, TWO, user="user:wrong@")
    finally:
        controller.stop()
    assert good.results == ["sent"] * 60
    assert bad.results == ["our_fault"] * 2
    assert [mail.rcpt_tos for mail in mailbox.mails[:2]] == [["r0@net.example"], ["r1@net.example"]]
    assert mailbox.mails[0].mail_from == "rollcall@test.example"
    first = mailbox.mails[0].content
    assert first.startswith(b"Date: ") and first.count(b"\r\nMessage-ID: ") == 1 and first.endswith(b"--\r\n")


def test_no_line_begins_with_a_dot_or_ends_alone():
    with BadSmtp() as relay:
        send(ONE, plain(relay), size=4000)
    text = relay.messages[0]
    assert b"\n" not in text.replace(b"\r\n", b"")
    assert not [line for line in text.split(b"\r\n") if line.startswith(b".")]
