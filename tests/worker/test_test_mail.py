"""A test mail proves the way of all mails, to whatever address."""
import concurrent.futures

import pytest
from support.outbox import wait_state
from support.system import ADMIN_EMAIL


@pytest.fixture
def system(shared_rollcall):
    shared_rollcall.sql("DELETE FROM rollcall.outbox WHERE kind = 'test'")
    return shared_rollcall


def ask(system, recipient, client=None):
    return (client or system.admin).post("/v1/test-mail", {"recipient": recipient})


@pytest.mark.parametrize("locale,word", [("en", "This is a test"), ("uk", "Це проба"), ("ru", "Это проба")])
def test_it_goes_the_way_of_all_mails_in_the_readers_language(system, locale, word):
    user = system.create_user(first_name="Леся", locale=locale)
    row = ask(system, user["email"].upper()).ok(202).body
    assert (row["kind"], row["state"], row["recipient"], row["user_id"]) == ("test", "queued", user["email"], user["id"])
    mail = system.wait_mail(user["email"], kind="test")
    assert mail.outbox_id == row["id"] and word in mail.text and word in mail.html and "Леся" in mail.text
    assert "Акме & Sons" in mail.subject
    assert wait_state(system, user["email"], "sent", last_reply="250 2.0.0 queued")["id"] == row["id"]
    audited = system.audit("mail.tested")[0]
    assert (audited["subject"]["id"], audited["actor"]["id"]) == (row["id"], system.admin_id)
    assert user["email"] not in str(audited)


def test_what_the_relay_says_is_seen_in_the_outbox(system):
    user = system.create_user()
    wait_state(system, user["email"], "sent")
    system.sink.behave(user["email"], "550 5.1.1 no such user")
    ask(system, user["email"]).ok(202)
    assert wait_state(system, user["email"], "failed")["last_reply"] == "550 5.1.1 no such user"


def test_the_contact_and_oneself_are_of_the_organization(system):
    system.admin.patch("/v1/organization", {"contact_email": "contact@elsewhere.example"}).ok(200)
    assert ask(system, "Contact@elsewhere.example", system.machine).ok(202)["user_id"] is None
    system.wait_mail("Contact@elsewhere.example", kind="test")
    assert ask(system, ADMIN_EMAIL).ok(202)["user_id"] == system.admin_id


@pytest.mark.parametrize("status", ["inactive", "locked", "nobody"])
def test_to_who_is_not_of_the_organization_it_goes_as_to_a_stranger(system, status):
    recipient = "stranger@example.org"
    if status != "nobody":
        user = system.create_user(first_name="Леся", locale="uk")
        recipient = user["email"]
        system.sql("UPDATE rollcall.users SET status = %s, status_reason = 'by_admin', status_before_lock = CASE %s WHEN 'locked' THEN 'pending' END"
                   " WHERE id = %s", status, status, user["id"])
    row = ask(system, recipient).ok(202).body
    assert (row["recipient"], row["user_id"]) == (recipient, None)
    mail = system.wait_mail(recipient, kind="test")
    assert "This is a test" in mail.text and "Леся" not in mail.text


@pytest.mark.parametrize("body,fault", [({}, "required"), ({"recipient": "x"}, "invalid"), ({"recipient": 1}, "wrong_type"),
                                        ({"recipient": f"{ADMIN_EMAIL}\nBcc: x@example.org"}, "invalid")])
def test_a_recipient_is_one_address(system, body, fault):
    assert system.admin.post("/v1/test-mail", body).refused(422, "invalid_body").faults() == {"/recipient": fault}


def test_ten_an_hour_are_enough_however_they_are_asked_for(system):
    other = system.other_organization()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(system, ADMIN_EMAIL, system.client(system.admin_token)), range(14)))
    assert sorted(answer.status for answer in answers) == [202] * 10 + [429] * 4
    refused = next(answer for answer in answers if answer.status == 429).refused(429, "rate_limited")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    ask(system, f"boss@{other['slug']}.example", system.client(other["key"])).ok(202)
    system.sql("UPDATE rollcall.outbox SET created_at = now() - interval '59 minutes' WHERE org_id = %s AND kind = 'test'", system.org_id)
    assert 50 < int(ask(system, ADMIN_EMAIL).refused(429).headers["Retry-After"]) <= 60
    system.sql("UPDATE rollcall.outbox SET created_at = now() - interval '61 minutes' WHERE org_id = %s AND kind = 'test'", system.org_id)
    ask(system, ADMIN_EMAIL).ok(202)
    assert len(system.outbox(kind="test")) == 11


def test_one_that_is_asked_for_again_under_its_key_is_the_same(system):
    asked = [system.admin.call("POST", "/v1/test-mail", json={"recipient": ADMIN_EMAIL}, headers={"Idempotency-Key": "once"}).ok(202)["id"]
             for _ in range(2)]
    assert asked[0] == asked[1] and [row["id"] for row in system.outbox(kind="test")] == asked[:1]


def test_it_needs_a_permission_of_its_own(system):
    ask(system, ADMIN_EMAIL, system.client(system.make_key("users:write"))).refused(403, "permission_missing")
    ask(system, ADMIN_EMAIL, system.client(system.make_key("outbox:write"))).ok(202)
