"""The mail that begins it all: what it says, in whose language, and that its link works."""
import pytest
from support.system import PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_POLL_INTERVAL=60)


def test_a_new_user_is_mailed_a_link_that_works(rollcall):
    user = rollcall.create_user(first_name="Ліна", last_name="Костенко")
    mail = rollcall.wait_mail(user["email"])
    assert mail.sender == "rollcall@example.org"
    assert mail.recipients == [user["email"]]
    assert mail["From"] == "Rollcall <rollcall@example.org>"
    assert mail["To"] == f"Ліна Костенко <{user['email']}>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert rollcall.inspect(mail.link).ok(200)["first_name"] == "Ліна"
    assert rollcall.accept(mail.link).ok(200)["status"] == "active"
    rollcall.login(user["email"], PASSWORD).ok(201)
    rollcall.accept(mail.link).refused(410, "link_used")


def test_the_mail_follows_from_the_notification_and_not_from_a_poll(rollcall):
    """A poll comes once a minute here."""
    for _ in range(3):
        rollcall.wait_mail(rollcall.create_user()["email"])


def test_text_and_html_say_the_same(rollcall):
    user = rollcall.create_user(first_name="Тарас <b>&", last_name="O'Ніл")
    mail = rollcall.wait_mail(user["email"])
    assert mail.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert "Тарас <b>&" in mail.text
    assert "Тарас &lt;b&gt;&amp;" in mail.html and "<b>" not in mail.html
    assert "Акме & Sons" in mail.text and "Акме &amp; Sons" in mail.html
    assert mail.link in mail.html
    assert user["email"] in mail.text, "it says how to sign in afterwards"


@pytest.mark.parametrize("locale,subject,words", [
    ("en", "Акме & Sons invites you", "choose your password"), ("uk", "Акме & Sons запрошує вас", "придумайте пароль"),
    ("ru", "Акме & Sons приглашает вас", "придумайте пароль")])
def test_the_mail_is_in_the_users_language(rollcall, locale, subject, words):
    user = rollcall.create_user(locale=locale)
    mail = rollcall.wait_mail(user["email"])
    assert mail.subject == subject
    assert words in mail.text and words in mail.html
    assert f'lang="{locale}"' in mail.html


def test_without_a_language_of_his_own_the_user_gets_the_organizations(rollcall):
    rollcall.sql("UPDATE rollcall.organization SET locale = 'uk'")
    user = rollcall.create_user()
    assert "запрошує" in rollcall.wait_mail(user["email"]).subject


INJECTIONS = ["Eve\r\nBcc: thief@example.org", "Eve\nBcc: thief@example.org", "Eve\r\n\r\nAnother body", "Eve\u2028Bcc: thief@example.org",
              "=?utf-8?q?Eve=0d=0aBcc:_thief@example.org?=", '" <thief@example.org>, "', "Eve\r\n.\r\nMAIL FROM:<thief@example.org>"]


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_name_adds_no_header_and_no_recipient(rollcall, name):
    """The API refuses control characters; a row that holds them (an older release, an import) does no harm either."""
    answer = rollcall.admin.post("/v1/users", {"email": "eve@example.org", "first_name": name, "last_name": name})
    if answer.status != 201:
        assert answer.refused(422, "invalid_body").faults() == {"/first_name": "invalid", "/last_name": "invalid"}
        user = rollcall.create_user(email="eve@example.org", invite=None)
        rollcall.wait_mail("eve@example.org")
        rollcall.sql("UPDATE rollcall.users SET first_name = %s, last_name = %s WHERE id = %s", name, name, user["id"])
        rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
        mail = rollcall.wait_mail("eve@example.org", count=2)
    else:
        assert name.isprintable()
        mail = rollcall.wait_mail("eve@example.org")
    assert mail.recipients == ["eve@example.org"]
    assert mail["Bcc"] is None
    assert len(mail.message.get_all("To")) == 1
    assert [address.addr_spec for address in mail["To"].addresses] == ["eve@example.org"]
    assert not mail.message.defects
    assert rollcall.inspect(mail.link).ok(200)
    assert {recipient for other in rollcall.mails() for recipient in other.recipients} == {"eve@example.org"}


def test_an_organizations_name_adds_no_header(rollcall):
    rollcall.sql("UPDATE rollcall.organization SET name = E'Acme\r\nBcc: thief@example.org'")
    user = rollcall.create_user()
    mail = rollcall.wait_mail(user["email"])
    assert mail["Bcc"] is None and mail.subject.split() == "Acme Bcc: thief@example.org invites you".split()


def test_a_second_invitation_kills_the_link_of_the_first(rollcall):
    user = rollcall.create_user()
    first = rollcall.wait_mail(user["email"])
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    second = rollcall.wait_mail(user["email"], count=2)
    assert first.id != second.id
    rollcall.accept(first.link).refused(410, "link_revoked")
    rollcall.accept(second.link).ok(200)


def test_a_new_address_gets_the_new_link(rollcall):
    user = rollcall.create_user()
    old = rollcall.mail_link(user["email"])
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"email": "moved@example.org"}).ok(200)
    new = rollcall.mail_link("moved@example.org")
    rollcall.accept(old).refused(410, "link_revoked")
    rollcall.accept(new).ok(200)


def test_the_delivery_is_shown_with_the_user(rollcall):
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    shown = wait_until(lambda: (found := rollcall.user(user)["invitation"]["delivery"])["state"] == "sent" and found)
    assert shown["last_reply"].startswith("250") and shown["sent_at"] and shown["attempts"] == 1
    row = rollcall.outbox(user)[0]
    assert (row["kind"], row["state"], row["attempts"], row["next_attempt_at"]) == ("invitation", "sent", 1, None)
    assert row["recipient"] == user["email"]


def test_no_secret_lies_in_the_outbox_or_in_the_logs(rollcall):
    user = rollcall.create_user()
    token = rollcall.token_of(rollcall.wait_mail(user["email"]).link)
    assert not rollcall.sql("SELECT id FROM rollcall.outbox m WHERE to_jsonb(m)::text LIKE %s", f"%{token[-30:]}%")
    for program in rollcall.programs():
        assert token[-30:] not in program.text() and user["email"] not in program.text()


def test_a_mail_that_nobody_wants_any_more_is_cancelled(rollcall):
    rollcall.sink.behave("*", "451 4.3.0 come back later", times=1)
    user = rollcall.create_user()
    wait_until(lambda: rollcall.outbox(user)[0]["last_reply"])
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert rollcall.outbox(user)[0]["state"] == "cancelled"
    assert not rollcall.mails()


@pytest.mark.parametrize("route,kind,limit", [("invite", "invitation", 10), ("password-reset", "password_reset", 3)])
def test_so_many_mails_an_hour_and_no_more(server_only, route, kind, limit):
    user = server_only.create_user() if kind == "invitation" else server_only.create_active()
    already = 1 if kind == "invitation" else 0
    for _ in range(limit - already):
        server_only.admin.post(f"/v1/users/{user['id']}/{route}").ok(202)
    answer = server_only.admin.post(f"/v1/users/{user['id']}/{route}").refused(429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0
    assert len(server_only.outbox(user, kind)) == limit
    server_only.sql("UPDATE rollcall.outbox SET created_at = created_at - interval '1 hour' WHERE user_id = %s", user["id"])
    server_only.admin.post(f"/v1/users/{user['id']}/{route}").ok(202)


def test_asking_for_a_reset_too_often_answers_the_same_and_mails_no_more(server_only):
    user = server_only.create_active()
    for _ in range(5):
        server_only.ask_reset(user)
    assert len(server_only.outbox(user, "password_reset")) == 3
