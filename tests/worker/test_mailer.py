"""The mailer against relays that misbehave, over each of its transports: each defect of libesmtp that it works
round, what was learnt of libcurl, and each answer that a relay can give, with what becomes of every single mail."""
import base64
import contextlib
import functools
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


# libcurl also over smtps://, where TLS is.
LIBESMTP, LIBCURL, SMTPS = "libesmtp", "libcurl", "smtps"


@pytest.fixture(params=[LIBESMTP, LIBCURL])
def transport(request):
    return request.param


@pytest.fixture(params=[LIBESMTP, LIBCURL, SMTPS])
def secure_transport(request):
    return request.param


def over(*transports):
    """Tests what only these have, or can get wrong."""
    return pytest.mark.parametrize("secure_transport", transports, indirect=True)


@pytest.fixture
def plain(transport):
    return lambda relay: f"smtp://127.0.0.1:{relay.port}?tls=none&transport={transport}"


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


# libcurl tries HELO after a refused EHLO where it needs no TLS (RFC 5321 §3.2).
ANSWERS_TO_LIBCURL = {name: (dict(ehlo=f"{name[5:]} no"), "sent", True, "250 2.0.0 queued") for name in ("EHLO 550", "EHLO 451")}
OVER_BDAT = [name for name, (behaviour, *_) in ANSWERS.items() if "data" not in behaviour or "rcpt" in behaviour]


@pytest.mark.parametrize("name,chunking,transport", [(name, False, transport) for name in ANSWERS for transport in (LIBESMTP, LIBCURL)]
                         + [(name, True, LIBESMTP) for name in OVER_BDAT], indirect=["transport"])
def test_an_answer_becomes_a_verdict_on_the_mail(name, chunking, plain, transport):
    behaviour, result, attempted, reply = (ANSWERS_TO_LIBCURL if transport == LIBCURL else {}).get(name, ANSWERS[name])
    if chunking and "data" in behaviour:
        behaviour = {**behaviour, "accepted": behaviour["data"]}
    extensions = ["PIPELINING", "ENHANCEDSTATUSCODES"] + ["CHUNKING"] * chunking
    with BadSmtp(extensions=extensions, **behaviour) as relay:
        sent = send(ONE, plain(relay))
    assert (sent.results, sent.attempted) == ([result], [attempted]), sent.replies
    assert reply in sent.replies[0] or (chunking and result == "sent")
    assert "net.example" not in sent.log


def test_each_mail_of_a_batch_has_its_own_verdict(plain):
    with BadSmtp(rcpt=lambda n: {2: "550 5.1.1 no such user", 3: "450 4.2.0 greylisted"}.get(n),
                 data=lambda n: "554 5.5.1 no valid recipients" if n in (2, 3) else None) as relay:
        sent = send([*THREE, "d@net.example"], plain(relay))
    assert sent.results == ["sent", "refused", "later", "sent"]
    assert len(relay.messages) == 2


def test_over_chunking_a_deferred_recipient_is_not_complete(plain):
    with BadSmtp(extensions=["PIPELINING", "CHUNKING"], rcpt=at(1, say="450 grey"),
                 accepted=at(1, say="503 need RCPT")) as relay:
        sent = send(TWO, plain(relay))
    assert sent.results == ["later", "sent"]


def test_what_was_taken_before_the_connection_was_lost_stays_sent(plain):
    with BadSmtp(mail=at(3, say=DROP)) as relay:
        sent = send(THREE, plain(relay))
    assert (sent.results, sent.attempted) == (["sent", "sent", "later"], [True, True, False])
    with BadSmtp(accepted=at(2, say=DROP)) as relay:
        sent = send(THREE, plain(relay))
    assert (sent.results, sent.attempted) == (["sent", "later", "later"], [True, True, False])
    assert "had taken" in sent.replies[1] and "before this message" in sent.replies[2]


def test_after_421_the_rest_is_left_for_later(plain):
    with BadSmtp(mail=at(2, say="421 4.7.0 too many messages")) as relay:
        sent = send(THREE, plain(relay))
    assert sent.results == ["sent", "later", "later"]
    assert sent.replies[1:] == ["421 4.7.0 too many messages"] * 2


@pytest.mark.parametrize("transport", [LIBCURL], indirect=True)
def test_after_a_refusal_the_relay_is_told_to_begin_anew(plain):
    """Otherwise it takes the next MAIL for one inside of the other."""
    with BadSmtp(rcpt=at(1, say="550 5.1.1 no"), data=at(2, say="451 4.3.0 not now")) as relay:
        sent = send(THREE, plain(relay))
    assert sent.results == ["refused", "later", "sent"]
    assert [line.split(" ")[0] for line in relay.commands[1:]] == [
        "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize("transport", [LIBCURL], indirect=True)
@pytest.mark.parametrize("extensions", [["PIPELINING"], ["SIZE 1000"]])
def test_what_goes_together_goes_only_where_that_is_offered(extensions, plain):
    waited_for = []

    def answer_mail(number):
        # Both commands came in one piece, or the second waits for this answer.
        waited_for.append(number)
        return None if number > 1 else "250-2.1.0 sender\r\n250 2.1.0 is fine"

    with BadSmtp(extensions=extensions, mail=answer_mail, rcpt=at(2, say="550-5.1.1 no such\r\n550 5.1.1 mailbox")) as relay:
        sent = send(THREE, plain(relay))
    assert sent.results == ["sent", "refused", "sent"] and waited_for == [1, 2, 3]
    assert sent.replies[1] == "550 5.1.1 no such mailbox"


@pytest.mark.parametrize("transport", [LIBCURL], indirect=True)
@pytest.mark.parametrize("words", ["what", "2", "999 x", "250?", "250-" + "x" * 5000, "\r\n".join(["250-x"] * 200)])
def test_what_is_no_smtp_ends_the_talk(words, plain):
    with BadSmtp(rcpt=at(2, say=words)) as relay:
        sent = send(THREE, plain(relay))
    assert (sent.results, sent.attempted) == (["sent", "later", "later"], [True, True, False])


def test_nobody_listens(transport):
    sent = send(TWO, f"smtp://127.0.0.1:{free_port()}?tls=none&transport={transport}")
    assert (sent.results, sent.attempted) == (["later", "later"], [False, False])
    assert sent.replies[0] == "could not reach the relay: Connection refused"
    assert sent.log.count("could not send mail through the relay") == 1


def test_an_unknown_relay(transport):
    sent = send(ONE, f"smtp://relay.invalid:25?tls=none&transport={transport}", ROLLCALL_SMTP_INSECURE="yes")
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert "could not reach the relay: " in sent.replies[0]


def test_a_name_that_is_not_found_in_time():
    """libesmtp asks for it without a limit."""
    sent = send(ONE, "smtp://relay.test:25?tls=none&transport=libcurl", timeout_ms=IMPATIENT_MS, ROLLCALL_SMTP_INSECURE="yes", PROBE_RESOLVE_S="45")
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert "could not reach the relay: Connection timed out" in sent.replies[0] and sent.seconds[0] < 40


# --- time ---

def test_a_connection_that_is_never_answered_is_given_up(transport):
    """connect(2) of libesmtp has no limit; a full backlog drops the handshake."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        sent = send(ONE, f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none&transport={transport}", timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert "timed out" in sent.replies[0]


@pytest.mark.parametrize("step,timeout_ms", [("greeting", 1000), ("ehlo", 1000), ("mail", 1000), ("rcpt", 1000), ("data", 1000),
                                             ("accepted", 2000)])
def test_a_hanging_relay_is_given_up(step, timeout_ms, plain):
    """Timeouts are milliseconds, and shorter than RFC 5321's minutes: each ends the session long before its own deadline does."""
    with BadSmtp(**{step: HANG}) as relay:
        sent = send(ONE, plain(relay), timeout_ms=timeout_ms)
    assert sent.results == ["later"]
    assert sent.attempted == [step in ("rcpt", "data", "accepted")]
    assert sent.seconds[0] < 4 * timeout_ms / 1000
    assert "took too long" in sent.replies[0]


def test_mails_are_settled_even_when_the_relay_hangs_at_quit(plain):
    with BadSmtp(quit=HANG) as relay:
        sent = send(TWO, plain(relay), timeout_ms=IMPATIENT_MS)
    assert sent.results == ["sent", "sent"]


def test_a_relay_that_drips_is_cut_at_the_deadline(plain, transport):
    """Each byte arrives within the timeout; only a total deadline ends this. (Over libcurl a line must arrive within it.)"""
    with BadSmtp(drip=b"2" * 100) as relay:
        sent = send(ONE, plain(relay), timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])
    assert (3.9 if transport == LIBESMTP else 0.9) < sent.seconds[0] < 40, "the drops would go on for 40 s"


def test_a_slow_relay_is_offered_no_more_than_fits(plain):
    with BadSmtp(accepted=lambda n: time.sleep(0.45)) as relay:
        sent = send([f"r{n}@net.example" for n in range(20)], plain(relay), timeout_ms=IMPATIENT_MS)
    count = sent.results.count("sent")
    assert 1 <= count <= 6 and sent.results == ["sent"] * count + ["later"] * (20 - count)
    assert sent.attempted == [True] * count + [False] * (20 - count)
    assert len(relay.messages) == count
    assert "too long over earlier" in sent.replies[-1]


def test_large_mails_do_not_wait_for_delayed_acknowledgements(plain):
    """Without TCP_NODELAY each takes 40 ms, because libesmtp writes pieces of 2 kB; so none of these batches could be faster than 4 s."""
    with BadSmtp() as relay:
        sent = send([f"r{n}@net.example" for n in range(100)], plain(relay), size=20000, times=3)
    assert sent.results == ["sent"] * 300
    assert min(sent.seconds) < 3.5


# --- what goes on the wire ---

INJECTED = ["no address", "", "a@net.example>", "a@net.example> NOTIFY=NEVER", "ä@net.example", "a@b@net.example",
            "x" * 300 + "@net.example", "<a@net.example>", "a@net.example\rRCPT TO:<evil@net.example>"]


def test_what_is_no_address_never_reaches_the_wire(plain):
    with BadSmtp() as relay:
        sent = send([*INJECTED, "good@net.example"], plain(relay))
    assert sent.results == ["refused"] * len(INJECTED) + ["sent"]
    assert sent.attempted == [False] * len(INJECTED) + [True]
    assert [line for line in relay.commands if "RCPT" in line] == ["RCPT TO:<good@net.example>"]


def test_a_batch_without_an_address_makes_no_connection(plain):
    with BadSmtp() as relay:
        sent = send(["no address"], plain(relay))
    assert sent.results == ["refused"] and not relay.commands


def test_replies_are_one_short_printable_line(plain):
    words = "550-5.1.1 \x1b[31mred\x07\r\n550 5.1.1 \u043d\u0435\u0442 \t  " + "x" * 900
    with BadSmtp(rcpt=words) as relay:
        sent = send(ONE, plain(relay))
    assert sent.results == ["refused"]
    assert sent.replies[0].startswith("550 5.1.1 [31mred")
    assert sent.replies[0].isprintable() and sent.replies[0].isascii() and len(sent.replies[0]) <= 255


def test_a_huge_greeting_is_refused(plain):
    with BadSmtp(greeting="220-" + "x" * 900000 + "\r\n220 hello") as relay:
        assert send(ONE, plain(relay)).results == ["later"]


def test_it_introduces_itself_by_a_whole_name(plain):
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
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=relay.test",
            "-addext", "subjectAltName=DNS:relay.test", "-keyout", "self-signed.key", "-out", "self-signed.pem")
    for name, subject, authority in (("relay", "DNS:relay.test", "ca"), ("canonical", "DNS:canonical.test", "ca"),
                                     ("address", "IP:127.0.0.1", "ca"), ("stranger", "DNS:relay.test", "other-ca"),
                                     ("expired", "DNS:relay.test", "ca")):
        (folder / "extensions").write_text(f"subjectAltName={subject}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-days", "-1" if name == "expired" else "2", "-extfile", "extensions", "-out", f"{name}.pem")
    return folder


@pytest.fixture
def tls(certificates):
    def context(name="relay"):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        return made
    return context


@pytest.fixture
def secure_relay(secure_transport):
    return functools.partial(BadSmtp, implicit_tls=secure_transport == SMTPS)


@pytest.fixture
def send_securely(certificates, secure_transport):
    def securely(relay, recipients=ONE, *, host="relay.test", canonical=None, user="", options="", **more):
        url = (f"smtps://{user}{host}:{relay.port}?transport=libcurl" if secure_transport == SMTPS else
               f"smtp://{user}{host}:{relay.port}?tls=starttls&transport={secure_transport}")
        return send(recipients, url + options, **{"ROLLCALL_SMTP_CA": str(certificates / "ca.pem"),
                                                  "PROBE_RELAY": f"relay.test={canonical or host}", **more})
    return securely


def mail_was_offered(relay):
    return any(line.startswith("MAIL") for line in relay.commands)


def test_a_verified_relay_gets_its_name_and_the_mails(tls, send_securely, secure_relay, secure_transport):
    with secure_relay(tls=tls()) as relay:
        sent = send_securely(relay, THREE)
    assert sent.results == ["sent"] * 3
    assert relay.server_names == ["relay.test"]
    assert relay.tls_versions == ["TLSv1.2" if secure_transport == LIBESMTP else "TLSv1.3"]


def test_tickets_that_come_early_do_not_dead_lock(tls, send_securely, secure_relay):
    """With TLS 1.3, session tickets are often readable before our EHLO is written; libesmtp then reads."""
    with secure_relay(tls=tls()) as relay:
        sent = send_securely(relay, times=30)
    assert sent.results == ["sent"] * 30


def test_one_mailer_serves_many_sessions(tls, send_securely, secure_relay):
    """libesmtp's own TLS context is used after it was freed."""
    with secure_relay(tls=tls(), extensions=["AUTH LOGIN PLAIN"]) as relay:
        sent = send_securely(relay, TWO, times=5, user="u:p@")
    assert sent.results == ["sent"] * 10


REFUSED = {
    "signed by nobody known": dict(certificate="stranger"),
    "signed by itself": dict(certificate="self-signed"),
    "out of date": dict(certificate="expired"),
    "made for another name": dict(certificate="canonical"),
    "made for the canonical name in DNS": dict(certificate="canonical", canonical="canonical.test"),
    "made for an address": dict(certificate="address"),
    "made for a name where an address is configured": dict(certificate="relay", host="127.0.0.1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_certificate_is_refused_when(name, tls, send_securely, secure_relay):
    case = dict(REFUSED[name])
    with secure_relay(tls=tls(case.pop("certificate"))) as relay:
        sent = send_securely(relay, TWO, **case)
    assert (sent.results, sent.attempted) == (["our_fault"] * 2, [False] * 2)
    assert "certificate was refused: " in sent.replies[0] and "certificate was refused: " in sent.log
    assert not mail_was_offered(relay)


def test_a_certificate_that_signs_itself_may_be_trusted_by_name(tls, send_securely, secure_relay, certificates):
    with secure_relay(tls=tls("self-signed")) as relay:
        assert send_securely(relay, ROLLCALL_SMTP_CA=str(certificates / "self-signed.pem")).results == ["sent"]


@over(LIBCURL, SMTPS)
def test_neither_the_systems_authorities_nor_a_proxy_stand_in(tls, send_securely, secure_relay, certificates):
    """libcurl takes both from the environment, or from where it was told to at its making."""
    with secure_relay(tls=tls("stranger")) as relay:
        sent = send_securely(relay, SSL_CERT_FILE=str(certificates / "other-ca.pem"), ALL_PROXY="http://127.0.0.1:1")
    assert sent.results == ["our_fault"] and "certificate was refused" in sent.replies[0]


def test_the_configured_name_counts_not_the_canonical_one(tls, send_securely, secure_relay):
    with secure_relay(tls=tls("relay")) as relay:
        assert send_securely(relay, canonical="canonical.test").results == ["sent"]


def test_a_certificate_may_be_for_an_address(tls, send_securely, secure_relay):
    with secure_relay(tls=tls("address")) as relay:
        assert send_securely(relay, host="127.0.0.1").results == ["sent"]
    assert relay.server_names == [None]


@over(LIBESMTP)
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_certificate_in_the_home_folder_is_not_offered(mode, tls, send_securely, certificates, tmp_path, secure_relay):
    """libesmtp would find it and release it once too often."""
    folder = tmp_path / ".config" / "libesmtp" / "private"
    folder.mkdir(parents=True)
    (folder / "relay.test.pem").write_bytes((certificates / "stranger.pem").read_bytes()
                                            + (certificates / "stranger.key").read_bytes())
    (folder / "relay.test.pem").chmod(mode)
    context = tls()
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(certificates / "ca.pem")
    with secure_relay(tls=context) as relay:
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


@over(LIBESMTP, LIBCURL)
@pytest.mark.parametrize("name", NO_TLS)
def test_without_tls_nothing_is_sent_when_it_is(name, tls, send_securely, secure_relay):
    behaviour, result, reply = NO_TLS[name]
    with secure_relay(tls=None if name == "not offered" else tls(), extensions=["AUTH PLAIN LOGIN"], **behaviour) as relay:
        sent = send_securely(relay, TWO, user="user:hunter2@")
    assert (sent.results, sent.attempted) == ([result] * 2, [False] * 2)
    assert reply in sent.replies[0]
    assert not [line for line in relay.commands if line.startswith(("AUTH", "MAIL"))]


@over(LIBESMTP, LIBCURL)
def test_clear_text_behind_starttls_is_no_answer_in_tls(tls, send_securely, secure_relay):
    """libesmtp would take the list of extensions that an attacker put there."""
    with secure_relay(tls=tls(), after_starttls=b"250-bad.test\r\n250 AUTH PLAIN\r\n") as relay:
        sent = send_securely(relay, user="user:hunter2@")
    assert (sent.results, sent.attempted) == (["our_fault"], [False])
    assert "clear text" in sent.replies[0]


@over(LIBESMTP)
def test_a_relay_of_tls_1_3_only_is_named_as_such(tls, send_securely, secure_relay):
    context = tls()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with secure_relay(tls=context) as relay:
        sent = send_securely(relay)
    assert sent.results == ["our_fault"] and "TLS with the relay failed" in sent.replies[0]


def test_a_handshake_that_hangs_is_given_up(tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), tls_hangs=True) as relay:
        sent = send_securely(relay, timeout_ms=IMPATIENT_MS)
    assert (sent.results, sent.attempted) == (["later"], [False])


@over(LIBCURL, SMTPS)
def test_a_connection_that_is_lost_in_the_handshake_is_nobodys_fault(tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), tls_hangs=DROP) as relay:
        sent = send_securely(relay)
    assert (sent.results, sent.attempted) == (["later"], [False]) and "lost while TLS began" in sent.replies[0]


@over(SMTPS)
def test_what_cannot_be_made_a_handshake_of_is_our_fault(send_securely, tls, secure_relay, tmp_path):
    with BadSmtp() as relay:
        sent = send_securely(relay)
    assert (sent.results, sent.attempted) == (["our_fault"], [False]) and "TLS with the relay failed" in sent.replies[0]
    (tmp_path / "ca.pem").write_text("no certificate")
    with secure_relay(tls=tls()) as relay:
        sent = send_securely(relay, ROLLCALL_SMTP_CA=str(tmp_path / "ca.pem"))
    assert (sent.results, sent.attempted) == (["our_fault"], [False]) and "could not prepare TLS" in sent.replies[0]


def test_a_missing_ca_file_stops_the_start():
    finished = run("send", "1000", "1", stdin="", check=False, ROLLCALL_SMTP_CA="/nonexistent",
                   ROLLCALL_SMTP_URL="smtp://relay.test:25?tls=starttls")
    assert finished.returncode == 1 and "ROLLCALL_SMTP_CA" in finished.stderr


# --- authentication ---

PASSWORD = "correct:horse"
USER = "user:correct%3Ahorse@"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_authenticates_inside_tls(mechanism, tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), extensions=[f"AUTH {mechanism}"]) as relay:
        sent = send_securely(relay, TWO, user=USER, times=2)
    assert sent.results == ["sent"] * 4
    assert sum(line.startswith(f"AUTH {mechanism}") for line in relay.commands) == 2
    assert PASSWORD not in sent.output


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "534 5.7.9 too weak", "538 5.7.11 encrypt", "500 5.5.1 what"])
def test_a_refused_password_holds_the_whole_batch(answer, tls, send_securely, secure_relay):
    """libesmtp would go on unauthenticated."""
    with secure_relay(tls=tls(), extensions=["AUTH PLAIN LOGIN"], auth=answer) as relay:
        sent = send_securely(relay, THREE, user=USER)
    assert (sent.results, sent.attempted) == (["our_fault"] * 3, [False] * 3)
    assert f"refused our user name or password: {answer}" in sent.replies[0]
    assert not mail_was_offered(relay)
    assert answer not in sent.log and answer[:3] in sent.log


def test_the_first_line_of_a_long_refusal_is_shown(tls, send_securely, secure_relay):
    refusal = "535-5.7.8 not accepted\r\n535 5.7.8 see https://x"
    with secure_relay(tls=tls(), extensions=["AUTH PLAIN"], auth=refusal) as relay:
        sent = send_securely(relay, user=USER)
    assert sent.replies[0].endswith("535-5.7.8 not accepted")


def test_authentication_that_is_down_is_not_our_fault(tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), extensions=["AUTH PLAIN"], auth="454 4.7.0 try later") as relay:
        sent = send_securely(relay, user=USER)
    assert (sent.results, sent.attempted) == (["later"], [False]) and not mail_was_offered(relay)


@pytest.mark.parametrize("extensions", [[], ["AUTH GSSAPI XOAUTH2"]])
def test_without_authentication_on_offer_nothing_is_sent(extensions, tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), extensions=extensions) as relay:
        sent = send_securely(relay, user=USER)
    assert (sent.results, sent.attempted) == (["our_fault"], [False])
    assert "offers no authentication" in sent.replies[0] and not mail_was_offered(relay)


def test_a_second_mechanism_may_succeed(tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), extensions=["AUTH NTLM LOGIN PLAIN"],
                 auth=lambda line: "235 welcome" if "PLAIN" in line else "535 not this one") as relay:
        assert send_securely(relay, user=USER).results == ["sent"]


@pytest.mark.parametrize("before", ["", "x" * 210 + " "], ids=["whole", "cut"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_relay_that_quotes_our_password_is_not_quoted(mechanism, before, tls, send_securely, secure_relay):
    with secure_relay(tls=tls(), extensions=[f"AUTH {mechanism}"]) as relay:
        relay.answers["auth"] = lambda line: f"535 {before}what is {relay.commands[-1]}"
        sent = send_securely(relay, user=USER)
    commands = iter(relay.commands)
    secret = next(line for line in commands if line.startswith("AUTH"))
    secret = (secret if mechanism == "PLAIN" else next(commands)).split()[-1]
    assert len(secret) >= 20 and sent.results == ["our_fault"] and sent.replies[0].endswith(": 535")
    assert secret[:10] not in sent.output


# --- a token that expires ---

TOKEN = "ya29.A0AfH6SM-b.token~with+all/of_them="
EXPIRED = base64.b64encode(b'{"status":"401","schemes":"Bearer","scope":"https://mail.example/"}').decode()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def send_with_token(send_securely, token_file):
    return functools.partial(send_securely, user="robot%40net.example@", options="&auth=xoauth2",
                             ROLLCALL_SMTP_TOKEN_FILE=str(token_file))


def tokens_of(relay):
    """What came with XOAUTH2: user, token."""
    said = [base64.b64decode(line.split()[-1]).decode() for line in relay.commands if line.startswith("AUTH XOAUTH2")]
    return [tuple(field.split("=", 1)[1] for field in one.split("\x01") if field) for one in said]


@over(LIBCURL, SMTPS)
def test_a_token_goes_with_each_connection(tls, send_with_token, secure_relay):
    with secure_relay(tls=tls(), extensions=["AUTH PLAIN LOGIN XOAUTH2"]) as relay:
        sent = send_with_token(relay, TWO, times=2)
    assert sent.results == ["sent"] * 4
    assert tokens_of(relay) == [("robot@net.example", f"Bearer {TOKEN}")] * 2
    assert TOKEN not in sent.output


@over(LIBCURL)
def test_a_token_is_read_anew_at_each_connection(tls, send_with_token, secure_relay, token_file):
    def renew(_):
        token_file.write_text("the-next-one")
        return "235 2.7.0 welcome"

    with secure_relay(tls=tls(), extensions=["AUTH XOAUTH2"], auth=renew) as relay:
        assert send_with_token(relay, times=2).results == ["sent"] * 2
    assert [token for _, token in tokens_of(relay)] == [f"Bearer {TOKEN}", "Bearer the-next-one"]


@over(LIBCURL, SMTPS)
def test_a_long_token_goes_on_a_line_of_its_own(tls, send_with_token, secure_relay, token_file):
    token_file.write_text("x" * 2500)
    with secure_relay(tls=tls(), extensions=["AUTH XOAUTH2"]) as relay:
        relay.answers["auth"] = lambda line: "235 2.7.0 welcome" if len(line) > 3300 else "535 no"
        sent = send_with_token(relay)
    assert sent.results == ["sent"] and "AUTH XOAUTH2" in relay.commands


REFUSED_TOKENS = {
    "expired": (f"334 {EXPIRED}", "our_fault", 'refused our token: 334 {"status":"401"'),
    "refused at once": ("535 5.7.8 who", "our_fault", "refused our token: 535 5.7.8 who"),
    "no base64": ("334 ?", "our_fault", "refused our token"),
    "put off": ("454 4.7.0 later", "later", "refused our token: 454 4.7.0 later"),
    "quoted": (f"535 5.7.8 {TOKEN}", "our_fault", "refused our token: 535"),
    "quoted in base64": ("334 " + base64.b64encode(f"bad {TOKEN}".encode()).decode(), "our_fault", "refused our token: 334"),
}


@over(LIBCURL)
@pytest.mark.parametrize("name", REFUSED_TOKENS)
def test_a_refused_token_holds_the_whole_batch(name, tls, send_with_token, secure_relay):
    answer, result, reply = REFUSED_TOKENS[name]
    with secure_relay(tls=tls(), extensions=["AUTH XOAUTH2"], auth=answer) as relay:
        sent = send_with_token(relay, TWO)
    assert (sent.results, sent.attempted) == ([result] * 2, [False] * 2)
    assert reply in sent.replies[0].replace("\\", "") and not mail_was_offered(relay)
    assert TOKEN not in sent.output and "status" not in sent.log


@over(LIBCURL, SMTPS)
@pytest.mark.parametrize("extensions", [[], ["AUTH PLAIN LOGIN"]])
def test_a_token_is_not_sent_by_another_name(extensions, tls, send_with_token, secure_relay):
    with secure_relay(tls=tls(), extensions=extensions) as relay:
        sent = send_with_token(relay)
    assert sent.results == ["our_fault"] and "no authentication by XOAUTH2" in sent.replies[0]
    assert not [line for line in relay.commands if line.startswith(("AUTH", "MAIL"))]


UNREADABLE = {"missing": (None, "No such file"), "empty": (" \n", "it is empty"), "two": ("one two", "more than one token"),
              "no text": ("tok\x01en", "what is none"), "long": ("x" * 20000, "too long")}


@over(LIBCURL)
@pytest.mark.parametrize("name", UNREADABLE)
def test_without_a_token_nobody_is_bothered(name, tls, send_with_token, secure_relay, token_file):
    text, reason = UNREADABLE[name]
    token_file.write_text(text) if text else token_file.unlink()
    with secure_relay(tls=tls(), extensions=["AUTH XOAUTH2"]) as relay:
        sent = send_with_token(relay)
    assert (sent.results, sent.attempted) == (["our_fault"], [False]) and not relay.commands
    assert "ROLLCALL_SMTP_TOKEN_FILE: " in sent.replies[0] and reason in sent.replies[0]


# --- a real server ---

class Mailbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(envelope)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", PASSWORD.encode()), handled=False)


@contextlib.contextmanager
def real_relay(mailbox, context, is_smtps):
    class Relay(Controller):
        def factory(self):
            # To aiosmtpd, a connection that was TLS before it spoke is none.
            return SMTP(self.handler, authenticator=authenticate, auth_required=True, auth_require_tls=not is_smtps,
                        **{} if is_smtps else {"tls_context": context, "require_starttls": True})

    controller = Relay(mailbox, hostname="127.0.0.1", port=free_port(), ssl_context=context if is_smtps else None)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_real_server_with_tls_and_authentication(tls, send_securely, secure_transport):
    mailbox = Mailbox()
    with real_relay(mailbox, tls(), secure_transport == SMTPS) as relay:
        good = send_securely(relay, [f"r{n}@net.example" for n in range(30)], user=USER, times=2)
        bad = send_securely(relay, TWO, user="user:wrong@")
    assert good.results == ["sent"] * 60
    assert bad.results == ["our_fault"] * 2
    assert [mail.rcpt_tos for mail in mailbox.mails[:2]] == [["r0@net.example"], ["r1@net.example"]]
    assert mailbox.mails[0].mail_from == "rollcall@test.example"
    first = mailbox.mails[0].content
    assert first.startswith(b"Date: ") and first.count(b"\r\nMessage-ID: ") == 1 and first.endswith(b"--\r\n")


def test_no_line_begins_with_a_dot_or_ends_alone(plain):
    with BadSmtp() as relay:
        send(ONE, plain(relay), size=4000)
    text = relay.messages[0]
    assert b"\n" not in text.replace(b"\r\n", b"")
    assert not [line for line in text.split(b"\r\n") if line.startswith(b".")]
