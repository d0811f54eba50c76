"""Sessions, the headers for a proxy, the console's cookie, and one's own password."""
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.system import WAITING
from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"


# --- signing in and out

def test_a_login_gives_a_token_and_the_user(standing):
    user = standing.create_active()
    session = standing.login(user["email"], PASSWORD).ok(201)
    assert set(session.body) >= {"id", "token", "expires_at", "user"}
    assert session["token"].startswith("rcs_")
    assert session["user"]["id"] == user["id"]
    assert session["user"]["last_login_at"]
    client = standing.client(session["token"])
    current = client.get("/v1/sessions/current").ok(200)
    assert (current["id"], current["user"]["id"]) == (session["id"], user["id"])
    assert "token" not in current.body
    assert client.delete("/v1/sessions/current").ok(204).text == ""
    client.get("/v1/me").refused(401, "unauthenticated")
    client.delete("/v1/sessions/current").refused(401, "unauthenticated")


def test_only_a_hash_of_the_token_is_stored(standing):
    token = standing.login(standing.create_active()["email"], PASSWORD).ok(201)["token"]
    assert standing.value("SELECT count(*) FROM rollcall.session WHERE token_hash = %s OR token_hash LIKE %s", token, "%" + token[4:20] + "%") == 0


LOGINS = {
    "no login": ({"password": PASSWORD}, {"/login": "required"}), "no password": ({"login": "x@example.org"}, {"/password": "required"}),
    "nothing": ({}, {"/login": "required", "/password": "required"}), "login null": ({"login": None, "password": "x"}, {"/login": "required"}),
    "login a number": ({"login": 1, "password": "x"}, {"/login": "wrong_type"}),
    "login too long": ({"login": "x" * 255, "password": "x"}, {"/login": "too_long"}),
    "password empty": ({"login": "x", "password": ""}, {"/password": "required"}),
    "password too long": ({"login": "x", "password": "x" * 1025}, {"/password": "too_long"}),
    "unknown member": ({"login": "x", "password": "x", "otp": "1"}, {"/otp": "unknown_field"}),
    "unknown organization": ({"login": "x", "password": "x", "organization": "nowhere"}, {"/organization": "unknown_id"}),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_login_with_a_wrong_body_is_told_what_is_wrong(standing, name):
    body, expected = LOGINS[name]
    assert standing.anyone.post("/v1/sessions", body).refused(422, "invalid_body").faults() == expected


def test_the_organization_may_be_left_out_where_there_is_only_one(server_only):
    user = server_only.create_active()
    body = {"login": user["email"], "password": PASSWORD}
    server_only.anyone.post("/v1/sessions", body).ok(201)
    server_only.anyone.post("/v1/sessions", {**body, "organization": None}).ok(201)
    server_only.anyone.post("/v1/sessions", {**body, "organization": "acme"}).ok(201)
    server_only.anyone.post("/v1/sessions", {**body, "organization": server_only.org_id.upper()}).ok(201)
    other = server_only.other_organization()
    assert server_only.anyone.post("/v1/sessions", body).refused(422).faults() == {"/organization": "required"}
    server_only.anyone.post("/v1/sessions", {**body, "organization": other["slug"]}).refused(401, "login_failed")


def test_a_login_is_the_address_in_any_capitals(standing):
    user = standing.create_active(email="Mixed.Case@Example.org", username="mixed.case")
    standing.login("mixed.case@example.org", PASSWORD).ok(201)
    standing.login("MIXED.CASE@EXAMPLE.ORG", PASSWORD).ok(201)
    standing.login(user["username"], PASSWORD).refused(401, "login_failed")


def test_a_login_is_the_username_where_the_policy_says_so(server_only):
    user = server_only.create_active(username="Ольга")
    server_only.set_policy(login_identifier="username")
    server_only.login("ольга", PASSWORD).ok(201)
    server_only.login(user["email"], PASSWORD).refused(401, "login_failed")
    server_only.set_policy(login_identifier="either")
    server_only.login("ОЛЬГА", PASSWORD).ok(201)
    server_only.login(user["email"], PASSWORD).ok(201)


def test_a_session_ends_by_its_clock_and_by_not_being_used(standing):
    user = standing.create_active()
    for columns in ({"expires_at": "now() - interval '1 second'"}, {"seen_at": "now() - interval '121 minutes'"}):
        token = standing.plant_session(user)
        standing.client(token).get("/v1/me").ok(200)
        standing.sql("UPDATE rollcall.session SET " + ", ".join(f"{name} = {value}" for name, value in columns.items())
                     + " WHERE user_id = %s", user["id"])
        standing.client(token).get("/v1/me").refused(401, "unauthenticated")


def test_use_is_noted_once_a_minute_and_moves_the_idle_clock(standing):
    user = standing.create_active()
    token = standing.plant_session(user, seen_at="now() - interval '10 minutes'")
    standing.move("users", user, last_active_at="now() - interval '1 day'", idle_due_at="now() + interval '1 day'")
    version = standing.user(user)["version"]
    standing.client(token).get("/v1/me").ok(200)
    from support.waiting import wait_until
    wait_until(lambda: standing.value("SELECT last_active_at > now() - interval '1 minute' FROM rollcall.users WHERE id = %s", user["id"]))
    assert standing.value("SELECT idle_due_at > now() + interval '80 days' FROM rollcall.users WHERE id = %s", user["id"])
    assert standing.user(user)["version"] == version


# --- lists of sessions

def test_a_user_sees_and_ends_his_own_sessions(standing):
    user = standing.create_active()
    first, second = standing.sign_in(user), standing.sign_in(user)
    rows = first.get("/v1/me/sessions").ok(200).items
    assert [row["current"] for row in rows] == [False, True]
    assert all("token" not in row and row["ip"] == "127.0.0.1" and row["kind"] == "bearer" for row in rows)
    one = first.get(f"/v1/me/sessions/{rows[0]['id']}").ok(200).body
    assert one == {**rows[0], "user": one["user"]} and one["user"]["id"] == user["id"]
    assert first.delete(f"/v1/me/sessions/{rows[0]['id']}").ok(204)
    second.get("/v1/me").refused(401)
    first.delete(f"/v1/me/sessions/{rows[0]['id']}").refused(404, "not_found")
    first.get(f"/v1/me/sessions/{rows[0]['id']}").refused(404, "not_found")
    first.delete("/v1/me/sessions").ok(204)
    first.get("/v1/me").refused(401)


def test_an_administrator_sees_and_ends_the_sessions_of_others(standing):
    user, stranger = standing.create_active(), standing.create_active()
    first, second, other = standing.sign_in(user), standing.sign_in(user), standing.sign_in(stranger)
    path = f"/v1/users/{user['id']}/sessions"
    rows = standing.admin.get(path).ok(200).items
    assert len(rows) == 2
    one = standing.admin.get(f"{path}/{rows[0]['id']}").ok(200).body
    assert one == {**rows[0], "user": standing.admin.get(f"/v1/users/{user['id']}").ok(200).body}
    standing.admin.get(f"/v1/users/{stranger['id']}/sessions/{rows[0]['id']}").refused(404, "not_found")
    standing.admin.delete(f"/v1/users/{stranger['id']}/sessions/{rows[0]['id']}").refused(404, "not_found")
    standing.admin.delete(f"{path}/{rows[0]['id']}").ok(204)
    second.get("/v1/me").refused(401)
    first.get("/v1/me").ok(200)
    standing.admin.delete(path).ok(204)
    first.get("/v1/me").refused(401)
    other.get("/v1/me").ok(200)
    standing.admin.delete(path).ok(204)  # none is left: nothing to complain of
    assert [row["changes"] for row in standing.audit("user.sessions_ended", user)] == [{"sessions": [1, 0]}, {"sessions": [1, 0]}]


def test_the_list_of_sessions_has_pages_and_none_that_is_over(standing):
    user = standing.create_active()
    for _ in range(5):
        standing.plant_session(user)
    standing.plant_session(user, expires_at="now() - interval '1 second'")
    over = standing.value("SELECT id FROM rollcall.session WHERE user_id = %s AND expires_at < now()", user["id"])
    path = f"/v1/users/{user['id']}/sessions"
    assert len(standing.admin.pages(path, limit=2)) == 5
    standing.admin.get(f"{path}/{over}").refused(404, "not_found")
    standing.admin.get(path, cursor="x").refused(400, "invalid_query")
    standing.admin.get("/v1/users/00000000-0000-7000-8000-000000000000/sessions").refused(404, "not_found")


@pytest.mark.parametrize("action, body", [("inactivate", None), ("password", {"password": OTHER})])
def test_what_an_administrator_does_ends_sessions_at_once(standing, action, body):
    user = standing.create_active()
    client = standing.sign_in(user)
    assert client.get("/v1/auth/verify").status == 204
    standing.admin.post(f"/v1/users/{user['id']}/{action}", body).ok(200)
    assert client.get("/v1/auth/verify").status == 401
    assert standing.value("SELECT count(*) FROM rollcall.session WHERE user_id = %s", user["id"]) == 0


def test_a_session_of_an_older_epoch_is_dead_though_its_row_lives(standing):
    """A login that commits at the moment of an inactivation leaves such a row."""
    user = standing.create_active()
    token = standing.plant_session(user)
    standing.move("users", user, session_epoch="session_epoch + 1")
    standing.client(token).get("/v1/me").refused(401)
    assert standing.admin.get(f"/v1/users/{user['id']}/sessions").ok(200).items == []


# --- auth/verify

def test_verify_tells_a_proxy_who_it_is(server_only):
    role_id = server_only.make_role("users:read", "product:view")
    user = server_only.create_active(role_id=role_id, own_permissions=["zoo:enter"])
    answer = server_only.sign_in(user).get("/v1/auth/verify")
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["X-Rollcall-User"] == user["id"]
    assert answer.headers["X-Rollcall-Organization"] == server_only.org_id
    assert answer.headers["X-Rollcall-Role"] == role_id
    assert set(answer.headers["X-Rollcall-Permissions"].split(" ")) == {"users:read", "product:view", "zoo:enter"}
    assert "X-Rollcall-Key" not in answer.headers


@pytest.mark.parametrize("uri, query", [
    (None, ""), ("/app/", "?next=/app/"), ("/app/ä?a=1&b=%2F+c#x", "?next=/app/%C3%A4%3Fa%3D1%26b%3D%252F%2Bc%23x"), ("//evil.example/", ""),
    ("https://evil.example/", ""), ("", ""), ("/" + "a" * 1024, ""),
])
def test_verify_tells_where_to_sign_in_and_come_back_from(standing, uri, query):
    headers = {} if uri is None else {"X-Forwarded-Uri": uri.encode()}
    answer = standing.anyone.call("GET", "/v1/auth/verify", headers=headers).refused(401, "unauthenticated")
    assert answer.headers["X-Rollcall-Sign-In"] == f"{standing.url}/sign-in{query}"
    assert "X-Rollcall-Sign-In" not in standing.admin.call("GET", "/v1/auth/verify", headers=headers).ok(204).headers
    assert "X-Rollcall-Sign-In" not in standing.anyone.call("GET", "/v1/me", headers=headers).refused(401).headers


def test_verify_names_no_permission_twice(server_only):
    role_id = server_only.make_role("users:read")
    user = server_only.create_active(role_id=role_id, own_permissions=["users:read"])
    assert server_only.sign_in(user).get("/v1/auth/verify").headers["X-Rollcall-Permissions"] == "users:read"


def test_verify_names_a_key_instead_of_a_user(standing):
    answer = standing.machine.get("/v1/auth/verify").ok(204)
    assert answer.headers["X-Rollcall-Key"] == standing.api_key_id
    assert answer.headers["X-Rollcall-Permissions"] == "*"
    assert "X-Rollcall-User" not in answer.headers and "X-Rollcall-Role" not in answer.headers


def test_verify_leaves_out_permissions_that_are_too_many(server_only):
    few = [f"permission:number_{number:02}" for number in range(90)]
    many = [*few, *(f"permission:another_{number:02}" for number in range(9))]
    assert len(" ".join(few)) <= 2048 < len(" ".join(many))
    answer = server_only.sign_in(server_only.create_active(own_permissions=few)).get("/v1/auth/verify").ok(204)
    assert sorted(answer.headers["X-Rollcall-Permissions"].split()) == few
    answer = server_only.sign_in(server_only.create_active(own_permissions=many)).get("/v1/auth/verify").ok(204)
    assert "X-Rollcall-Permissions" not in answer.headers
    assert answer.headers["X-Rollcall-Permissions-Truncated"] == "true"


@pytest.mark.settings(ROLLCALL_RATE_LIMIT=1)
def test_verify_is_never_rate_limited_and_anonymous_requests_are(server_only):
    assert {server_only.anyone.get("/v1/auth/verify").status for _ in range(30)} == {401}
    assert {server_only.admin.get("/v1/auth/verify").status for _ in range(30)} == {204}
    assert {server_only.anyone.get("/healthz").status for _ in range(30)} == {200}
    assert {server_only.anyone.get("/accept").status for _ in range(30)} == {200}
    answers = [server_only.anyone.post("/v1/password-resets", {"login": "x@example.org"}) for _ in range(30)]
    assert answers[0].status == 202
    limited = answers[-1].refused(429, "rate_limited")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60


def test_without_limits_nothing_is_said_of_them(standing):
    for answer in (standing.admin.get("/v1/me"), standing.anyone.get("/v1/me"), standing.login("nobody@example.org", "wrong")):
        assert not {"RateLimit", "RateLimit-Policy"} & set(answer.headers)


# --- the console's cookie

def console(system, user, **headers):
    return system.anyone.post("/v1/sessions?transport=cookie", {"login": user["email"], "password": PASSWORD, "organization": "acme"}, headers=headers)


def test_a_cookie_login_sets_the_cookie_and_keeps_the_token_out_of_the_body(standing):
    user = standing.create_active()
    answer = console(standing, user, Origin=standing.url).ok(201)
    assert "token" not in answer.body and answer["user"]["id"] == user["id"]
    cookie = answer.headers["Set-Cookie"]
    token = re.fullmatch(r"__Host-rollcall=(rcs_[A-Za-z0-9_-]+)((?:; [^;]+)+)", cookie)
    assert set(token[2].split("; ")[1:]) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert token[1] not in answer.text


@pytest.mark.settings(ROLLCALL_PUBLIC_URL="https://Rollcall.Example:443/console")
def test_browsers_leave_the_usual_port_out_of_an_origin_and_are_let_in(server_only):
    user = server_only.create_active()
    for origin in ("https://rollcall.example:443", "http://rollcall.example", "https://rollcall.example/console"):
        console(server_only, user, Origin=origin).refused(403, "origin_refused")
    console(server_only, user, Origin="https://rollcall.example").ok(201)


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1", ""])
def test_a_cookie_login_needs_an_origin_of_this_site(standing, origin):
    user = standing.create_active()
    answer = console(standing, user, **({} if origin is None else {"Origin": origin})).refused(403, "origin_refused")
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_works_and_unsafe_methods_need_the_origin(standing):
    user = standing.create_active()
    cookie = console(standing, user, Origin=standing.url).ok(201).headers["Set-Cookie"].split(";")[0]
    browser = standing.client(Cookie=f"a=b; {cookie}; c=d")
    assert browser.get("/v1/me").ok(200)["id"] == user["id"]
    browser.patch("/v1/me", {"first_name": "X"}).refused(403, "origin_refused")
    browser.patch("/v1/me", {"first_name": "X"}, headers={"Origin": "https://evil.example"}).refused(403, "origin_refused")
    browser.patch("/v1/me", {"first_name": "X"}, headers={"Origin": standing.url}).ok(200)
    browser.delete("/v1/sessions/current").refused(403, "origin_refused")
    answer = browser.delete("/v1/sessions/current", headers={"Origin": standing.url}).ok(204)
    assert re.match(r"__Host-rollcall=; .*Max-Age=0", answer.headers["Set-Cookie"])
    browser.get("/v1/me").refused(401)


def test_an_api_key_is_no_cookie(standing):
    standing.client(Cookie=f"__Host-rollcall={standing.api_key}").get("/v1/users").refused(401, "unauthenticated")


def test_another_transport_is_refused(standing):
    answer = standing.anyone.post("/v1/sessions?transport=pigeon", {"login": "x", "password": "y"}).refused(400, "invalid_query")
    assert answer.faults() == {"transport": "invalid"}


# --- one's own password

def test_ones_own_password_is_changed_and_all_other_sessions_end(standing):
    user = standing.create_active()
    mine, other = standing.sign_in(user), standing.sign_in(user)
    standing.ask_reset(user)
    mine.put("/v1/me/password", {"current_password": PASSWORD, "password": OTHER}).ok(204)
    mine.get("/v1/me").ok(200)
    other.get("/v1/me").refused(401)
    assert len(mine.get("/v1/me/sessions").ok(200).items) == 1
    standing.login(user["email"], PASSWORD).refused(401)
    standing.login(user["email"], OTHER).ok(201)
    standing.complete_reset(standing.reset_link(user)).refused(410, "link_revoked")


def test_ones_own_password_is_checked_before_it_is_changed(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    answer = client.put("/v1/me/password", {"current_password": "wrong", "password": OTHER}).refused(422, "invalid_body")
    assert answer.faults() == {"/current_password": "invalid"}
    answer = client.put("/v1/me/password", {"current_password": PASSWORD, "password": "short"}).refused(422, "invalid_body")
    assert answer.faults() == {"/password": "too_short"}
    answer = client.put("/v1/me/password", {"password": "short", "x": 1}).refused(422, "invalid_body")
    assert answer.faults() == {"/current_password": "required", "/password": "too_short", "/x": "unknown_field"}
    standing.login(user["email"], PASSWORD).ok(201)


@pytest.mark.settings(ROLLCALL_HASH_QUEUE=64)
def test_changing_it_many_times_at_once_changes_it_once_and_locks_nobody(server_only):
    """All have the right one, when they come: eight at once, where three wrong ones lock."""
    server_only.set_policy(lockout_threshold=3)
    user = server_only.create_active()
    session = server_only.sign_in(user)
    # All are let in, know the password and are checked before the first of them is recorded.
    with server_only.cluster.connect(server_only.database) as other, ThreadPoolExecutor(8) as pool:
        with other.transaction():
            other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
            answers = [pool.submit(server_only.client(session.token).put, "/v1/me/password", {"current_password": PASSWORD, "password": f"{OTHER} {number}"})
                       for number in range(8)]
            wait_until(lambda: sum(answer.done() for answer in answers) + server_only.value(WAITING) == 8, because="they wait for us, or were sent away")
        statuses = [answer.result().status for answer in answers]
    # 503: more than three at once are not judged.
    assert statuses.count(204) <= 1 and set(statuses) <= {204, 409, 503}, statuses
    assert server_only.user(user)["status"] == "active"
    wait_until(lambda: server_only.row("credential", user)["failed_attempts"] == 0, because="none of them was a wrong guess")


def test_ten_wrong_guesses_at_ones_own_password_are_all_that_is_checked(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    answers = [client.put("/v1/me/password", {"current_password": "wrong", "password": OTHER}).status for _ in range(12)]
    assert answers[:9] == [422] * 9
    assert 422 not in answers[10:]
    assert client.put("/v1/me/password", {"current_password": PASSWORD, "password": OTHER}).status in (401, 429)


# --- an administrator's password

def test_an_administrators_password_names_every_fault(standing):
    user = standing.create_user(first_name="Oleksandr")
    path = f"/v1/users/{user['id']}/password"
    for body, faults in [({}, {"/password": "required"}), ({"password": None}, {"/password": "required"}), ({"password": "x"}, {"/password": "too_short"}),
                         ({"password": "oleksandr12345"}, {"/password": "too_common"}), ({"password": "qwertyuiop12"}, {"/password": "too_common"}),
                         ({"password": "яяяяяяяяяяя"}, {"/password": "too_short"}), ({"password": [1]}, {"/password": "wrong_type"}),
                         ({"password": "x", "y": 1}, {"/password": "too_short", "/y": "unknown_field"})]:
        assert standing.admin.post(path, body).refused(422, "invalid_body").faults() == faults, body
    assert standing.user(user)["status"] == "pending"


def test_an_administrators_password_of_an_active_user_is_told_to_him_by_mail(standing):
    user = standing.create_active()
    standing.admin.post(f"/v1/users/{user['id']}/password", {"password": OTHER}).ok(200)
    assert [row["recipient"] for row in standing.outbox(user, "password_changed")] == [user["email"]]


def test_a_password_needs_its_own_permission(standing):
    user = standing.create_user()
    writer = standing.client(standing.make_key("users:write"))
    writer.post(f"/v1/users/{user['id']}/password", {"password": OTHER}).refused(403, "permission_missing")
    standing.client(standing.make_key("users:write", "users:password")).post(f"/v1/users/{user['id']}/password", {"password": OTHER}).ok(200)
