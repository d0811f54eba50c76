"""The log: one line for each request, and its id all the way from the proxy to what the relay said."""
import json
import re

import pytest

from support.imports import csv_of, dry_run, ended
from support.system import ADMIN_EMAIL, ADMIN_PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.1", ROLLCALL_LOG_FORMAT="json")
CLIENT = "198.51.100.7"


def lines(program, **members):
    """Lines of a program's log that have these members."""
    found = (json.loads(line) for line in program.text().splitlines() if line.startswith("{"))
    return [line for line in found if all(line.get(name) == value for name, value in members.items())]


def one_line(program, **members):
    return wait_until(lambda: lines(program, **members), because=f"a line with {members}")[0]


@pytest.fixture
def told(shared_rollcall):
    yield shared_rollcall
    shared_rollcall.check_logs()


def test_a_request_through_the_proxy_is_found_in_the_log_of_its_mail(told):
    answer = told.admin.post("/v1/users", {"email": "traced@example.org", "first_name": "Tamara", "last_name": "Traced"},
                             headers={"X-Request-Id": "trace-0123456789abcdef", "X-Forwarded-For": CLIENT}).ok(201)
    assert answer.headers["X-Request-Id"] == "trace-0123456789abcdef"
    mail = told.wait_mail(to="traced@example.org")

    request = one_line(told.server, request_id="trace-0123456789abcdef", message="answered")
    assert (request["method"], request["route"], request["status"], request["address"], request["actor"], request["level"]) == (
        "POST", "/v1/users", "201", CLIENT, "user", "info")
    assert re.fullmatch(r"\d+\.\d{3}", request["duration_ms"])
    sent = one_line(told.worker, request_id="trace-0123456789abcdef")
    assert (sent["message"], sent["kind"], sent["outbox_id"], sent["reply_code"], sent["attempt"]) == (
        "sent mail", "invitation", mail.outbox_id, "250", "1")
    assert [row["request_id"] for row in told.audit("user.created", answer["id"])] == ["trace-0123456789abcdef"]
    assert "trace-0123456789abcdef" not in mail.raw.decode(), "whoever gets the mail is told nothing about our requests"


def test_a_refused_mail_is_logged_with_its_request_and_without_its_recipient(told):
    told.sink.behave("refused@example.org", "550 5.1.1 <refused@example.org> unknown")
    answer = told.admin.post("/v1/users", {"email": "refused@example.org", "first_name": "Roman", "last_name": "Refused"}).ok(201)
    line = one_line(told.worker, request_id=answer.headers["X-Request-Id"])
    assert (line["message"], line["level"], line["reply_code"]) == ("could not send mail: refused", "warn", "550")
    assert "refused@example.org" not in told.worker.text()


def test_a_retry_is_the_request_of_who_asked_for_it(told):
    told.sink.behave("again@example.org", "550 5.1.1 no")
    user = told.admin.post("/v1/users", {"email": "again@example.org", "first_name": "Anna", "last_name": "Again"}).ok(201)
    one_line(told.worker, request_id=user.headers["X-Request-Id"])
    wait_until(lambda: told.outbox(user.body)[0]["state"] == "failed")
    told.sink.forgive("again@example.org")
    retry = told.admin.post(f"/v1/outbox/{told.outbox(user.body)[0]['id']}/retry").ok()
    assert one_line(told.worker, request_id=retry.headers["X-Request-Id"])["message"] == "sent mail"


def test_an_id_from_anybody_else_is_not_believed(told):
    told.restart_server(ROLLCALL_TRUSTED_PROXIES="192.0.2.1")
    answer = told.admin.call("GET", "/v1/me", headers={"X-Request-Id": "forged-0123456789", "X-Forwarded-For": CLIENT}).ok(200)
    line = one_line(told.server, request_id=answer.headers["X-Request-Id"])
    assert answer.headers["X-Request-Id"] != "forged-0123456789" and line["address"] == "127.0.0.1"
    told.restart_server(ROLLCALL_TRUSTED_PROXIES="127.0.0.1")


def test_every_request_has_one_line_whatever_becomes_of_it(told):
    asked = [(told.machine.get("/v1/users"), "GET", "/v1/users", "api_key"), (told.anyone.get("/v1/users"), "GET", "/v1/users", "nobody"),
             (told.admin.get("/v1/users?unknown=1"), "GET", "/v1/users", "user"), (told.anyone.get("/nowhere"), "GET", "none", "nobody"),
             (told.anyone.call("HEAD", "/healthz"), "HEAD", "/healthz", "nobody"), (told.admin.delete("/v1/users"), "DELETE", "none", "nobody")]
    for answer, method, route, actor in asked:
        found = lines(told.server, request_id=answer.headers["X-Request-Id"])
        assert [(line["method"], line["route"], line["status"], line["actor"]) for line in found] == [(method, route, str(answer.status), actor)]


def test_what_never_came_to_a_route_has_a_line_too(told):
    answer = told.anyone.raw("GET", "/v1/users", headers={"Transfer-Encoding": "gzip"})
    line = one_line(told.server, request_id=answer.headers["X-Request-Id"])
    assert (line["message"], line["status"], line["address"]) == ("refused a request", "400", "127.0.0.1") and line["reason"]
    told.anyone.raw("GET", "/", headers={"X-Long": "x" * 20000})
    assert one_line(told.server, reason="it could not be read as HTTP, or was too large")["address"] == "127.0.0.1"


def test_nothing_that_is_secret_or_personal_stands_in_it(told):
    user = told.create_user(email="whisper@example.org", external_id="EXT-SECRET")
    link, password = told.link(user), "seven violet whispers"
    told.accept(link, password).ok(200)
    token = told.login("whisper@example.org", password).ok(201)["token"]
    told.login("whisper@example.org", "a wrong whisper").refused(401)
    told.anyone.get(f"/v1/me?token={token}")
    told.anyone.get(f"/accept/{told.token_of(link)}")
    told.admin.get("/v1/users?q=whisper%40example.org").ok(200)
    told.admin.put("/v1/users/by-external-id/EXT-SECRET", {"first_name": "Wanda", "last_name": "Whisper"}).ok(200)
    told.ask_reset(user)
    told.wait_mail(to="whisper@example.org", kind="password_reset")
    for program in told.programs():
        for secret in (token, password, "whisper", told.token_of(link), "EXT-SECRET", told.admin_token, told.api_key, ADMIN_PASSWORD, ADMIN_EMAIL, "Wanda"):
            assert secret not in program.text(), f"{secret} in the log of {program}"


def test_what_a_deadline_sends_goes_back_to_no_request(told):
    user = told.create_user(email="lapsing@example.org")
    told.wait_mail(to="lapsing@example.org")
    told.move("invitation", user, expires_at="now() - interval '1 second'")
    line = one_line(told.worker, kind="invitation_expired", message="sent mail")
    assert "request_id" not in line


def test_the_level_that_is_configured_holds(told):
    told.restart_server(ROLLCALL_LOG_LEVEL="warn")
    answer = told.admin.get("/v1/me").ok(200)
    told.restart_server(ROLLCALL_LOG_LEVEL="info")
    assert not lines(told.server, request_id=answer.headers["X-Request-Id"])


def test_the_text_form_says_the_same(told):
    told.restart_server(ROLLCALL_LOG_FORMAT="text")
    answer = told.admin.get("/v1/me").ok(200)
    told.restart_server(ROLLCALL_LOG_FORMAT="json")
    line = next(line for line in told.server.text().splitlines() if answer.headers["X-Request-Id"] in line)
    assert re.search(r" info server answered method=GET route=/v1/me status=200 duration_ms=\d+\.\d{3} request_id=\S+ address=127\.0\.0\.1 actor=user$", line)


def test_mails_of_an_import_go_back_to_who_had_it_applied(told):
    made = dry_run(told.admin, csv_of(["E-mail", "First name", "Last name"], ["imported@example.org", "Iryna", "Imported"]))
    told.admin.call("POST", f"/v1/imports/{made['id']}/apply", json={"invite": True}, headers={"X-Request-Id": "apply-0123456789"}).ok(202)
    ended(told.admin, made["id"])
    told.wait_mail(to="imported@example.org", timeout=30)
    wait_until(lambda: {line["kind"] for line in lines(told.worker, request_id="apply-0123456789", message="sent mail")} == {"invitation", "import_done"},
               timeout=30)
