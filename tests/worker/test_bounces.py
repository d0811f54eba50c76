"""Delivery reports: what mail systems send back, by the API and out of a Maildir, and what becomes of the mail."""
import os
import uuid

import pytest
from support.outbox import end_leases, wait_state
from support.reports import FOLDER, USER_UNKNOWN, report
from support.waiting import wait_until

REASONS = {
    "postfix": USER_UNKNOWN,
    "exim": "5.0.0",
    "exchange": "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient nobody@net.example not found by SMTP address lookup",
    "gmail": "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's "
             "email address for typos or 550 5.1.1 unnecessary spaces.",
    "sendmail": "550 5.2.2 <nobody@net.example>... Mailbox full",
    "inside-of-a-list-s-mail": USER_UNKNOWN,
    "encoded-in-every-way": "550 5.7.1 Адресу не знайдено é",
    "without-what-was-returned": "the report gives no reason",
    "cut-off": USER_UNKNOWN,
}
NOT_UNDERSTOOD = {
    "qmail": "no delivery report",
    "a-read-receipt": "read receipt",
    "of-somebody-else-s-mail": "no Message-ID of ours",
    "nested-too-deep": "no delivery report",
}
IGNORED = {"postfix-delayed", "postfix-success"}


@pytest.fixture(scope="module")
def maildir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bounces")
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="module")
def system(shared_rollcall, maildir):
    shared_rollcall.restart_worker(ROLLCALL_BOUNCE_MAILDIR=maildir, ROLLCALL_POLL_INTERVAL=1)
    return shared_rollcall


@pytest.fixture
def sent(system):
    """The mail of an invitation that a relay has taken."""
    user = system.create_user()
    return wait_state(system, user["email"], "sent")


def bounce(system, text, client=None, kind="message/rfc822", **more):
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return (client or system.admin).call("POST", "/v1/bounces", data=text, headers={"Content-Type": kind, **headers})


def row_of(system, mail):
    return next(row for row in system.outbox(kind=mail["kind"]) if row["id"] == mail["id"])


def leave(maildir, text, name=None):
    """As a mail system does: written elsewhere, and then there at once."""
    name = name or f"{uuid.uuid4()}.mx"
    (maildir / "tmp" / name).write_bytes(text)
    (maildir / "tmp" / name).rename(maildir / "new" / name)
    return name


def wait_moved(maildir, name, folder="cur", flags=":2,S"):
    wait_until(lambda: (maildir / folder / (name + flags)).exists(), because=f"{name} is in {folder}")
    assert not (maildir / "new" / name).exists()


def test_there_is_a_test_for_each_report():
    assert {path.name for path in FOLDER.iterdir()} == {*REASONS, *NOT_UNDERSTOOD, *IGNORED}


@pytest.mark.parametrize("name", REASONS)
def test_a_report_says_why_a_mail_did_not_arrive(system, sent, name):
    row = bounce(system, report(name, sent["id"])).ok(200).body
    assert (row["id"], row["state"], row["last_reply"], row["sent_at"]) == (sent["id"], "bounced", REASONS[name], sent["sent_at"])
    delivery = system.user(sent["user_id"])["invitation"]["delivery"]
    assert (delivery["state"], delivery["last_reply"]) == ("bounced", REASONS[name])


def test_it_is_audited_once_and_without_addresses(system, sent):
    for _ in range(2):
        assert bounce(system, report("postfix", sent["id"])).ok(200)["state"] == "bounced"
    audited = [row for row in system.audit("mail.bounced") if row["subject"]["id"] == sent["id"]]
    assert [(row["changes"], row["actor"]["id"]) for row in audited] == [({"state": ["sent", "bounced"], "status": [None, "5.1.1"]}, system.admin_id)]


def test_a_key_stands_with_its_report(system, sent):
    key, text = str(uuid.uuid4()), report("postfix", sent["id"])
    first, again = [bounce(system, text, Idempotency_Key=key).ok(200) for _ in range(2)]
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body and first["state"] == "bounced"
    bounce(system, report("postfix-delayed", sent["id"]), Idempotency_Key=key).refused(422, "idempotency_key_reused")


def test_a_delay_is_only_noted_and_a_success_is_nothing(system, sent):
    row = bounce(system, report("postfix-success", sent["id"])).ok(200)
    assert (row["state"], row["last_reply"]) == ("sent", sent["last_reply"])
    row = bounce(system, report("postfix-delayed", sent["id"])).ok(200)
    assert (row["state"], row["last_reply"]) == ("sent", "connect to mx.net.example[192.0.2.25]:25: Connection timed out")
    assert bounce(system, report("postfix", sent["id"])).ok(200)["state"] == "bounced"
    row = bounce(system, report("postfix-delayed", sent["id"])).ok(200)
    assert (row["state"], row["last_reply"]) == ("bounced", USER_UNKNOWN)
    assert not [row for row in system.audit("mail.bounced") if row["subject"]["id"] == sent["id"]][1:]


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_was_not_understood_is_said(system, sent, name):
    answer = bounce(system, report(name, sent["id"])).refused(422, "invalid_body")
    assert NOT_UNDERSTOOD[name] in answer["detail"]
    assert row_of(system, sent)["state"] == "sent"


@pytest.mark.parametrize("text", [b"", b"\n", b"\x00" * 1000, b"Content-Type: multipart/report; boundary=\n\n--\n", b"\xff" * 100000])
def test_what_is_no_mail_is_no_report(system, text):
    bounce(system, text).refused(422, "invalid_body")


def test_a_report_comes_as_what_it_is(system, sent):
    for kind in ("text/plain", "application/json", "multipart/report", ""):
        bounce(system, report("postfix", sent["id"]), kind=kind).refused(415, "unsupported_media_type")
    assert bounce(system, report("postfix", sent["id"]), kind="Message/RFC822; charset=utf-8").ok(200)["state"] == "bounced"


def test_another_organizations_mail_is_no_mail(system, sent):
    stranger = system.client(system.other_organization()["key"])
    foreign = bounce(system, report("postfix", sent["id"]), stranger).refused(404, "not_found").body
    unknown = bounce(system, report("postfix", uuid.uuid4()), stranger).refused(404, "not_found").body
    assert {**foreign, "request_id": None, "instance": None} == {**unknown, "request_id": None, "instance": None}
    assert row_of(system, sent)["state"] == "sent"
    bounce(system, report("postfix", sent["id"]), system.client(system.make_key("users:write"))).refused(403, "permission_missing")


def test_an_accepted_invitation_stays_accepted(system):
    user = system.create_active()
    mail = wait_state(system, user["email"], "sent")
    before = system.user(user)
    assert bounce(system, report("exim", mail["id"])).ok(200)["state"] == "bounced"
    after = system.user(user)
    assert after["invitation"].pop("delivery")["state"] == "bounced" and before["invitation"].pop("delivery")["state"] == "sent"
    assert after == before
    assert system.admin.post(f"/v1/outbox/{mail['id']}/retry").ok(202)["state"] == "queued"


@pytest.mark.parametrize("state", ["failed", "cancelled", "never offered"])
def test_what_was_not_sent_cannot_have_bounced(system, sent, state):
    state = "queued" if state == "never offered" else state
    system.sql("UPDATE rollcall.outbox SET state = %s, attempts = 0, run_at = now() + interval '1 hour' WHERE id = %s", state, sent["id"])
    assert bounce(system, report("postfix", sent["id"])).ok(200)["state"] == state


def test_a_report_may_be_quicker_than_the_settling(system, sent):
    """Or the relay's answer was lost: what bounced need not be sent again."""
    system.sql("UPDATE rollcall.outbox SET state = 'queued', sent_at = NULL, attempts = 1, leased_by = 'somebody', run_at = now() + interval '180 s'"
               " WHERE id = %s", sent["id"])
    row = bounce(system, report("postfix", sent["id"])).ok(200)
    assert row["state"] == "bounced" and row["sent_at"]
    end_leases(system)
    assert row_of(system, sent)["state"] == "bounced"


# --- out of a Maildir

def test_a_report_in_the_maildir_is_taken(system, maildir, sent):
    name = leave(maildir, report("exchange", sent["id"]))
    wait_moved(maildir, name)
    row = row_of(system, sent)
    assert (row["state"], row["last_reply"]) == ("bounced", REASONS["exchange"])
    assert [row["actor"]["kind"] for row in system.audit("mail.bounced") if row["subject"]["id"] == sent["id"]] == ["system"]


def test_each_report_goes_where_it_belongs(system, maildir, sent):
    delayed = leave(maildir, report("postfix-delayed", sent["id"]), name=f"{uuid.uuid4()}:2,F")
    arrived, unknown = leave(maildir, report("postfix-success", sent["id"])), leave(maildir, report("postfix", uuid.uuid4()))
    unreadable = [leave(maildir, report(name, sent["id"])) for name in NOT_UNDERSTOOD]
    unreadable.append(leave(maildir, report("postfix", sent["id"]) + b"x" * (1 << 20)))
    (maildir / "new" / ".hidden").write_text("left alone")
    wait_moved(maildir, delayed.removesuffix(":2,F"))
    for name in (arrived, unknown):
        wait_moved(maildir, name)
    for name in unreadable:
        wait_moved(maildir, name, "unreadable", "")
    assert row_of(system, sent)["state"] == "sent" and "timed out" in row_of(system, sent)["last_reply"]
    assert (maildir / "new" / ".hidden").exists()


def test_neither_links_nor_pipes_are_followed(system, maildir, sent, tmp_path):
    secret = tmp_path / "report"
    secret.write_bytes(report("postfix", sent["id"]))
    (maildir / "new" / "link").symlink_to(secret)
    os.mkfifo(maildir / "new" / "pipe")
    (maildir / "new" / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        wait_until(lambda name=name: os.path.lexists(maildir / "unreadable" / name), because=f"{name} is put aside")
    assert row_of(system, sent)["state"] == "sent"


def test_one_that_cannot_be_moved_is_in_nobodys_way(system, maildir, sent):
    """With what stands behind the name of what was read, its name is too long."""
    name = leave(maildir, report("postfix", sent["id"]), name="x" * 254)
    for _ in range(2):
        wait_moved(maildir, leave(maildir, report("postfix-success", sent["id"])))
    assert row_of(system, sent)["state"] == "bounced"
    (maildir / "new" / name).unlink()


def test_a_report_waits_for_the_database(system, maildir, sent):
    system.allow_errors("could not run query .*sqlstate=42P01")
    system.sql("ALTER TABLE rollcall.outbox RENAME TO outbox_away")
    try:
        name = leave(maildir, report("sendmail", sent["id"]))
        wait_until(lambda: "mail_owner" in system.worker.text(), because="it was tried")
        assert (maildir / "new" / name).exists()
    finally:
        system.sql("ALTER TABLE rollcall.outbox_away RENAME TO outbox")
    wait_moved(maildir, name)
    assert row_of(system, sent)["state"] == "bounced"


def test_many_reports_and_several_workers_are_no_matter(system, maildir):
    system.add_worker(ROLLCALL_BOUNCE_MAILDIR=maildir, ROLLCALL_POLL_INTERVAL=1)
    ids = [str(uuid.uuid4()) for _ in range(150)]
    system.sql("INSERT INTO rollcall.outbox (org_id, id, kind, recipient, state, sent_at)"
               " SELECT %s, id::uuid, 'test', 'x@example.org', 'sent', now() FROM unnest(%s::text[]) id", system.org_id, ids)
    names = [leave(maildir, report("sendmail", id)) for id in ids for _ in range(2)]
    for name in names:
        wait_moved(maildir, name)
    assert system.value("SELECT count(*) FROM rollcall.outbox WHERE id = ANY (%s::uuid[]) AND state = 'bounced'", ids) == 150
    assert system.value("SELECT count(*) FROM rollcall.audit WHERE action = 'mail.bounced' AND subject_id = ANY (%s::uuid[])", ids) == 150


def test_a_worker_refuses_what_is_no_maildir(system, tmp_path):
    worker = system.program("rollcall-worker", ROLLCALL_METRICS_LISTEN="", ROLLCALL_BOUNCE_MAILDIR=tmp_path)
    worker.start()
    wait_until(lambda: not worker.is_running(), because="it ends")
    assert "could not use ROLLCALL_BOUNCE_MAILDIR: it is no Maildir" in worker.text()
