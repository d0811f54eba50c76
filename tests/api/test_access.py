"""Every route against wrong methods, wrong credentials, other organizations and unknown fields.

The table below is checked against server/routes.c: a route that is missing here fails.
"""
import base64
import os
import pathlib
import re
import uuid

import pytest

ROUTES_C = pathlib.Path(__file__).resolve().parents[2] / "server" / "routes.c"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SOME_ID = "00000000-0000-7000-8000-000000000000"
PUBLIC, ANONYMOUS, SIGNED_IN, USER, OPERATOR = "public", "anonymous", "signed in", "user", "operator"
BYTES = "bytes"

# (method, path): who may, a permission he needs beside, and whether it takes a body: JSON, or bytes of any kind.
ROUTES = {
    ("GET", "/v1/auth/verify"): (SIGNED_IN, None, False),
    ("POST", "/v1/users"): (SIGNED_IN, "users:write", True),
    ("GET", "/v1/users"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/users/deletions"): (SIGNED_IN, "users:delete", True),
    ("POST", "/v1/users/deletions/{id}/confirm"): (SIGNED_IN, "users:delete", True),
    ("POST", "/v1/users/selections"): (SIGNED_IN, "imports:write", True),
    ("GET", "/v1/users/selections/{id}"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/users/selections/{id}/users"): (SIGNED_IN, "imports:write", False),
    ("POST", "/v1/users/selections/{id}/confirm"): (SIGNED_IN, "imports:write", True),
    ("POST", "/v1/users/bulk"): (SIGNED_IN, "users:write", True),
    ("GET", "/v1/users/{id}"): (SIGNED_IN, "users:read", False),
    ("PUT", "/v1/users/by-external-id/{external_id}"): (SIGNED_IN, "users:write", True),
    ("PATCH", "/v1/users/{id}"): (SIGNED_IN, "users:write", True),
    ("GET", "/v1/users/{id}/actions"): (SIGNED_IN, "users:read", False),
    ("GET", "/v1/users/{id}/history"): (SIGNED_IN, "audit:read", False),
    ("POST", "/v1/users/{id}/activate"): (SIGNED_IN, "users:write", True),
    ("POST", "/v1/users/{id}/inactivate"): (SIGNED_IN, "users:write", True),
    ("POST", "/v1/users/{id}/invite"): (SIGNED_IN, "users:write", False),
    ("POST", "/v1/users/{id}/password"): (SIGNED_IN, "users:write", True),
    ("POST", "/v1/users/{id}/password-reset"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/users/{id}/sessions"): (SIGNED_IN, "users:read", False),
    ("DELETE", "/v1/users/{id}/sessions"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/users/{id}/sessions/{id}"): (SIGNED_IN, "users:read", False),
    ("DELETE", "/v1/users/{id}/sessions/{id}"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/users/{id}/photo"): (SIGNED_IN, "users:read", False),
    ("PUT", "/v1/users/{id}/photo"): (SIGNED_IN, "users:write", BYTES),
    ("DELETE", "/v1/users/{id}/photo"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/users/{id}/day-offs"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/users/{id}/day-offs"): (SIGNED_IN, "users:write", True),
    ("PATCH", "/v1/users/{id}/day-offs/{id}"): (SIGNED_IN, "users:write", True),
    ("DELETE", "/v1/users/{id}/day-offs/{id}"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/users/{id}/assignments"): (SIGNED_IN, "users:read", False),
    ("GET", "/v1/assignments/{app}/{type}/{resource}"): (SIGNED_IN, "users:read", False),
    ("PUT", "/v1/assignments/{app}/{type}/{resource}"): (SIGNED_IN, "users:write", True),
    ("DELETE", "/v1/assignments/{app}/{type}/{resource}"): (SIGNED_IN, "users:write", False),
    ("POST", "/v1/imports"): (SIGNED_IN, "imports:write", True),
    ("GET", "/v1/imports"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/imports/{id}"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/imports/{id}/rows"): (SIGNED_IN, "imports:write", False),
    ("PUT", "/v1/imports/{id}/parts/{number}"): (SIGNED_IN, "imports:write", BYTES),
    ("POST", "/v1/imports/{id}/parse"): (SIGNED_IN, "imports:write", True),
    ("POST", "/v1/imports/{id}/apply"): (SIGNED_IN, "imports:write", True),
    ("POST", "/v1/imports/{id}/undo"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/invitations"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/invitations/inspect"): (ANONYMOUS, None, True),
    ("POST", "/v1/invitations/accept"): (ANONYMOUS, None, True),
    ("POST", "/v1/password-resets"): (ANONYMOUS, None, True),
    ("POST", "/v1/password-resets/inspect"): (ANONYMOUS, None, True),
    ("POST", "/v1/password-resets/complete"): (ANONYMOUS, None, True),
    ("POST", "/v1/email-changes/inspect"): (ANONYMOUS, None, True),
    ("POST", "/v1/email-changes/confirm"): (ANONYMOUS, None, True),
    ("POST", "/v1/sessions"): (ANONYMOUS, None, True),
    ("GET", "/v1/sessions/current"): (USER, None, False),
    ("DELETE", "/v1/sessions/current"): (USER, None, False),
    ("GET", "/v1/me"): (USER, None, False),
    ("PATCH", "/v1/me"): (USER, None, True),
    ("PUT", "/v1/me/password"): (USER, None, True),
    ("GET", "/v1/me/sessions"): (USER, None, False),
    ("DELETE", "/v1/me/sessions"): (USER, None, False),
    ("GET", "/v1/me/sessions/{id}"): (USER, None, False),
    ("DELETE", "/v1/me/sessions/{id}"): (USER, None, False),
    ("GET", "/v1/me/photo"): (USER, None, False),
    ("PUT", "/v1/me/photo"): (USER, None, BYTES),
    ("DELETE", "/v1/me/photo"): (USER, None, False),
    ("GET", "/v1/policy"): (SIGNED_IN, None, False),
    ("PATCH", "/v1/policy"): (SIGNED_IN, "policy:write", True),
    ("GET", "/v1/positions"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/positions"): (SIGNED_IN, "org:write", True),
    ("GET", "/v1/positions/{id}"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/positions/{id}"): (SIGNED_IN, "org:write", True),
    ("DELETE", "/v1/positions/{id}"): (SIGNED_IN, "org:write", False),
    ("POST", "/v1/policy/preset"): (SIGNED_IN, "policy:write", True),
    ("POST", "/v1/policy/simulate"): (SIGNED_IN, "policy:write", True),
    ("GET", "/v1/organization"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/organization"): (SIGNED_IN, "org:write", True),
    ("GET", "/v1/departments"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/departments"): (SIGNED_IN, "org:write", True),
    ("GET", "/v1/departments/{id}"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/departments/{id}"): (SIGNED_IN, "org:write", True),
    ("DELETE", "/v1/departments/{id}"): (SIGNED_IN, "org:write", False),
    ("GET", "/v1/groups"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/groups"): (SIGNED_IN, "org:write", True),
    ("GET", "/v1/groups/{id}"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/groups/{id}"): (SIGNED_IN, "org:write", True),
    ("DELETE", "/v1/groups/{id}"): (SIGNED_IN, "org:write", False),
    ("GET", "/v1/groups/{id}/members"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/groups/{id}/members"): (SIGNED_IN, "users:write", True),
    ("PUT", "/v1/groups/{id}/members"): (SIGNED_IN, "users:write", True),
    ("DELETE", "/v1/groups/{id}/members/{id}"): (SIGNED_IN, "users:write", False),
    ("GET", "/v1/fields"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/fields"): (SIGNED_IN, "org:write", True),
    ("GET", "/v1/fields/{id}"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/fields/{id}"): (SIGNED_IN, "org:write", True),
    ("DELETE", "/v1/fields/{id}"): (SIGNED_IN, "org:write", False),
    ("GET", "/v1/users/export"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/exports"): (SIGNED_IN, "imports:write", False),
    ("POST", "/v1/exports"): (SIGNED_IN, "imports:write", True),
    ("GET", "/v1/exports/{id}"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/exports/{id}/file"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/api-keys"): (SIGNED_IN, "api_keys:write", False),
    ("POST", "/v1/api-keys"): (SIGNED_IN, "api_keys:write", True),
    ("GET", "/v1/api-keys/{id}"): (SIGNED_IN, "api_keys:write", False),
    ("PATCH", "/v1/api-keys/{id}"): (SIGNED_IN, "api_keys:write", True),
    ("DELETE", "/v1/api-keys/{id}"): (SIGNED_IN, "api_keys:write", False),
    ("POST", "/v1/organizations"): (OPERATOR, None, True),
    ("GET", "/v1/organizations"): (OPERATOR, None, False),
    ("GET", "/v1/organizations/{id}"): (OPERATOR, None, False),
    ("PATCH", "/v1/organizations/{id}"): (OPERATOR, None, True),
    ("GET", "/v1/imports/template"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/imports/{id}/report"): (SIGNED_IN, "imports:write", False),
    ("GET", "/v1/roles/{id}/schema"): (SIGNED_IN, "users:read", False),
    ("GET", "/v1/roles"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/roles"): (SIGNED_IN, "roles:write", True),
    ("GET", "/v1/roles/{id}"): (SIGNED_IN, "users:read", False),
    ("PATCH", "/v1/roles/{id}"): (SIGNED_IN, "roles:write", True),
    ("DELETE", "/v1/roles/{id}"): (SIGNED_IN, "roles:write", False),
    ("POST", "/v1/roles/{id}/copy"): (SIGNED_IN, "roles:write", True),
    ("POST", "/v1/idle-sweeps/release"): (SIGNED_IN, "policy:write", False),
    ("GET", "/v1/outbox"): (SIGNED_IN, "users:read", False),
    ("POST", "/v1/outbox/{id}/retry"): (SIGNED_IN, "outbox:write", False),
    ("POST", "/v1/bounces"): (SIGNED_IN, "outbox:write", BYTES),
    ("POST", "/v1/test-mail"): (SIGNED_IN, "outbox:write", True),
    ("GET", "/v1/audit"): (SIGNED_IN, "audit:read", False),
    ("GET", "/healthz"): (PUBLIC, None, False),
    ("GET", "/readyz"): (PUBLIC, None, False),
    ("GET", "/openapi.json"): (PUBLIC, None, False),
    ("GET", "/accept"): (PUBLIC, None, False),
    ("GET", "/sign-in"): (PUBLIC, None, False),
    ("GET", "/forgot-password"): (PUBLIC, None, False),
    ("GET", "/reset-password"): (PUBLIC, None, False),
    ("GET", "/confirm-email"): (PUBLIC, None, False),
    ("GET", "/static/{name}"): (PUBLIC, None, False),
}
PATHS = sorted({path for _, path in ROUTES})
PROTECTED = [route for route, (who, _, _) in ROUTES.items() if who in (SIGNED_IN, USER, OPERATOR)]
NEEDING = [route for route, (_, permission, _) in ROUTES.items() if permission]
BODIES = [route for route, (_, _, takes_body) in ROUTES.items() if takes_body is True]


def name_of(route):
    return " ".join(route)


def real(path):
    return re.sub(r"\{\w+\}", "some", path.replace("{id}", SOME_ID).replace("{name}", "page.css"))


def test_the_table_here_is_the_table_of_the_server():
    found = re.findall(r"\{ HTTP_(\w+), \"([^\"]+)\"", ROUTES_C.read_text())
    assert set(found) == set(ROUTES)


# --- methods

@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_method_is_405_and_says_which_are_right(standing, path):
    allowed = {method for method, known in ROUTES if known == path}
    for method in METHODS:
        if method in allowed:
            continue
        answer = standing.admin.call(method, real(path)).refused(405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed | ({"HEAD"} if "GET" in allowed else set())


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "GET"])
def test_head_is_get_without_a_body(standing, path):
    client = standing.admin
    head, get = client.call("HEAD", real(path)), client.get(real(path))
    assert (head.status, head.text) == (get.status, "")
    for name in ("Content-Type", "Cache-Control", "Content-Length", "Content-Security-Policy", "X-Rollcall-User"):
        assert head.headers.get(name) == get.headers.get(name), name


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X"])
def test_a_method_that_no_route_has_is_refused(standing, method):
    answer = standing.admin.raw(method, "/v1/users" if method != "CONNECT" else "127.0.0.1:80")
    assert answer.status in (400, 405, 501), repr(answer)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/user", "/v1/users/", "/v1/users//", "/v1/users/x", "/v1/users/" + SOME_ID + "/",
                                  "/v1/users/" + SOME_ID + "/x", "/v2/users", "/V1/users", "/v1/users/" + "0" * 36, "/v1/users/%00", "/v1/%75sers/x"])
def test_what_is_no_route_is_not_found(standing, path):
    assert standing.admin.raw("GET", path).status in (400, 404)
    standing.admin.raw("POST", path, headers={"Content-Type": "application/json"}, data=b"{}").status in (400, 404)


# --- credentials

def forged(org_id, prefix="rcs_"):
    return prefix + base64.urlsafe_b64encode(uuid.UUID(org_id).bytes + os.urandom(32)).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def outsiders(shared_server):
    """Headers of everybody who must not get in."""
    user = shared_server.create_active()
    expired = shared_server.plant_session(user, expires_at="now() - interval '1 second'")
    unused = shared_server.plant_session(user, seen_at="now() - interval '1 day'")
    old_epoch = shared_server.plant_session(user, session_epoch="session_epoch - 1")
    locked = shared_server.create_active()
    of_locked = shared_server.plant_session(locked)
    shared_server.move("users", locked, status="'locked'", status_before_lock="'active'")
    inactive = shared_server.create_active()
    of_inactive = shared_server.plant_session(inactive)
    shared_server.move("users", inactive, status="'inactive'")
    keys = {}
    for name, change in (("revoked", "revoked_at = now() - interval '1 second'"), ("expired", "expires_at = now() - interval '1 second'"),
                         ("other networks", "networks = '{192.0.2.0/24}'")):
        keys[name] = shared_server.make_key("*", name=name)
        shared_server.sql(f"UPDATE rollcall.api_key SET {change} WHERE name = %s", name)
    bearers = {
        "garbage": "garbage", "empty": "", "a prefix alone": "rcs_", "no base64": "rcs_" + "!" * 64, "too short": shared_server.admin_token[:-1],
        "too long": shared_server.admin_token + "A", "forged session": forged(shared_server.org_id), "forged key": forged(shared_server.org_id, "rck_"),
        "of no organization": forged(SOME_ID), "a session as a key": "rck_" + shared_server.admin_token[4:],
        "a key as a session": "rcs_" + shared_server.api_key[4:], "expired session": expired, "unused session": unused,
        "session of an older epoch": old_epoch, "session of a locked user": of_locked, "session of an inactive user": of_inactive,
        "revoked key": keys["revoked"], "expired key": keys["expired"], "key of other networks": keys["other networks"],
        "an API key as an operator's": "rco_" + shared_server.api_key[4:], "an operator's key as an API key": "rck_" + shared_server.operator_key()[4:], "a very long one": "rcs_" + "A" * 5000,
        "of another organization": None,
    }
    other = shared_server.other_organization()
    bearers["of another organization"] = "rcs_" + base64.urlsafe_b64encode(
        uuid.UUID(other["id"]).bytes + base64.urlsafe_b64decode(shared_server.admin_token[4:] + "=" * (-len(shared_server.admin_token[4:]) % 4))[16:]
    ).rstrip(b"=").decode()
    headers = {name: {"Authorization": f"Bearer {token}"} for name, token in bearers.items()}
    headers.update({"nothing": {}, "basic": {"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()},
                    "no scheme": {"Authorization": shared_server.admin_token}, "cookie garbage": {"Cookie": "__Host-rollcall=garbage"},
                    "cookie of another name": {"Cookie": f"rollcall={shared_server.admin_token}"}})
    return headers


@pytest.mark.parametrize("route", PROTECTED, ids=name_of)
def test_who_is_not_signed_in_learns_nothing_but_that(standing, outsiders, route):
    """401 comes before 404, 405-free, before 403, 422 and any look at the body."""
    method, path = route
    bodies = set()
    for name, headers in outsiders.items():
        answer = standing.anyone.call(method, real(path), headers={**headers, "Content-Type": "application/json"}, data=b"{not json" if ROUTES[route][2] else None)
        assert answer.status == 401, (name, answer)
        assert answer.code == "unauthenticated" and answer.headers["WWW-Authenticate"].startswith("Bearer"), name
        bodies.add(answer.text)
    assert len(bodies) == 1


def test_a_scheme_may_be_written_in_any_capitals(standing):
    for scheme in ("Bearer", "bearer", "BEARER"):
        standing.anyone.call("GET", "/v1/me", headers={"Authorization": f"{scheme} {standing.admin_token}"}).ok(200)


@pytest.mark.parametrize("route", NEEDING, ids=name_of)
def test_each_route_needs_its_permission_and_names_it(standing, route):
    method, path = route
    words = ["users:read", "users:write", "users:invite", "users:delete", "users:password", "roles:write", "org:write", "policy:write", "audit:read",
             "outbox:write", "imports:write", "api_keys:write"]
    needed = ROUTES[route][1]
    client = standing.client(standing.make_key(*[word for word in words if word != needed]))
    answer = client.call(method, real(path), json={} if ROUTES[route][2] else None).refused(403, "permission_missing")
    assert needed in answer["detail"]


@pytest.mark.parametrize("route", [route for route, (who, _, _) in ROUTES.items() if who == USER], ids=name_of)
def test_a_key_has_no_self(standing, route):
    standing.machine.call(route[0], real(route[1]), json={} if ROUTES[route][2] else None).refused(403, "permission_missing")


OPERATORS = [route for route, (who, _, _) in ROUTES.items() if who == OPERATOR]


@pytest.mark.parametrize("route", OPERATORS, ids=name_of)
def test_only_an_operators_key_opens_an_operators_route(standing, route):
    for client in (standing.admin, standing.machine):
        answer = client.call(route[0], real(route[1]), json={} if ROUTES[route][2] else None).refused(403, "permission_missing")
        assert "operator's key" in answer["detail"]


@pytest.mark.parametrize("route", [route for route in PROTECTED if route not in OPERATORS], ids=name_of)
def test_an_operators_key_opens_no_other_route(standing, route):
    answer = standing.operator.call(route[0], real(route[1]), json={} if ROUTES[route][2] else None)
    if route == ("GET", "/v1/auth/verify"):
        assert answer.refused(401, "unauthenticated").headers["WWW-Authenticate"].startswith("Bearer")
    else:
        answer.refused(403, "permission_missing")


# --- what an organization cannot reach

@pytest.fixture(scope="module")
def other(shared_server):
    other = shared_server.other_organization()
    other["session_id"] = str(uuid.uuid4())
    shared_server.sql("INSERT INTO rollcall.session (org_id, token_hash, id, user_id, session_epoch, expires_at)"
                      " VALUES (%s, 'x', %s, %s, 0, now() + interval '1 hour')", other["id"], other["session_id"], other["user_id"])
    other["mail_id"] = str(shared_server.value("SELECT id FROM rollcall.outbox WHERE org_id = %s", other["id"]))
    return other


WITH_IDS = [route for route, (who, *_) in ROUTES.items() if "{id}" in route[1] and who != OPERATOR]


@pytest.mark.parametrize("route", WITH_IDS, ids=name_of)
def test_an_id_of_another_organization_is_not_found_the_same_as_an_unknown_one(standing, other, route):
    method, path = route
    needed = {"password": {"password": "violet tractor under seven moons"}, "copy": {"name": "Twin"}, "confirm": {"code": "123456"},
              "members": {"user_ids": []}}
    body = needed.get(path.rsplit("/", 1)[1], {}) if ROUTES[route][2] else None
    count = "SELECT count(*) FROM rollcall.audit"
    foreign_id = other["role_id"] if "/roles/" in path else other["mail_id"] if "outbox" in path else other["session_id"] if "/me/sessions" in path else other["user_id"]
    before = standing.value(count), standing.sql("SELECT to_jsonb(u) FROM rollcall.users u WHERE id = %s", other["user_id"])

    def call(*ids):
        filled = path
        for one in ids:
            filled = filled.replace("{id}", one, 1)
        return standing.admin.call(method, filled, json=body)

    foreign = call(foreign_id, other["session_id"])
    unknown = call(str(uuid.uuid4()), str(uuid.uuid4()))
    malformed = call("no-uuid", "no-uuid")
    for answer in (foreign, unknown, malformed):
        answer.refused(404, "not_found")
    assert foreign.body == unknown.body
    assert (standing.value(count), standing.sql("SELECT to_jsonb(u) FROM rollcall.users u WHERE id = %s", other["user_id"])) == before
    assert standing.value("SELECT count(*) FROM rollcall.session WHERE id = %s", other["session_id"]) == 1


def test_a_role_of_another_organization_in_a_patch_is_unknown(standing, other):
    user = standing.create_user()
    foreign = standing.admin.patch(f"/v1/users/{user['id']}", {"role_id": other["role_id"]}).refused(422, "invalid_body")
    unknown = standing.admin.patch(f"/v1/users/{user['id']}", {"role_id": str(uuid.uuid4())}).refused(422, "invalid_body")
    assert foreign["errors"] == unknown["errors"]


# --- bodies

@pytest.mark.parametrize("route", BODIES, ids=name_of)
def test_an_unknown_field_is_refused_by_name_everywhere(standing, route):
    method, path = route
    user = standing.create_user()
    client = {ANONYMOUS: standing.anyone, OPERATOR: standing.operator}.get(ROUTES[route][0], standing.admin)
    body = {"no_such_field": 1}
    if "token" in str(path) or path.endswith(("/accept", "/complete", "/inspect")):
        body.update(token=standing.token_of(standing.link(user)) if "invitations" in path else "A" * 95)
    path = path.replace("{id}", user["id"], 1)
    if path.endswith("/day-offs/{id}"):
        path = path.replace("{id}", standing.add_day_off(user)["id"])
    answer = client.call(method, real(path), json=body)
    if path == "/v1/password-resets/complete":
        assert answer.status in (404, 422)
        return
    assert answer.refused(422, "invalid_body").faults()["/no_such_field"] == "unknown_field"


NO_BODY = [route for route, (who, _, takes_body) in ROUTES.items() if not takes_body and route[0] != "GET"]


@pytest.mark.parametrize("route", NO_BODY, ids=name_of)
def test_a_route_without_a_body_takes_none(standing, route):
    client = standing.sign_in(standing.create_administrator())
    client.call(route[0], real(route[1]), json={"x": 1}).refused(400, "malformed_body")


# --- what every answer has

@pytest.mark.parametrize("path", ["/v1/users", "/v1/nothing", "/healthz", "/v1/me", "/accept", "/nothing"])
def test_every_answer_has_an_id_and_the_headers_that_protect(standing, path):
    answer = standing.anyone.get(path)
    assert uuid.UUID(answer.headers["X-Request-Id"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    if path.startswith("/v1"):
        assert answer.headers["Cache-Control"] == "no-store"
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing"])
def test_the_api_says_in_its_own_words_that_there_is_nothing(standing, path):
    answer = standing.anyone.get(path).refused(404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_request_id_of_a_stranger_is_not_believed(standing):
    answer = standing.anyone.call("GET", "/healthz", headers={"X-Request-Id": "from-a-stranger", "X-Forwarded-For": "10.1.2.3"})
    assert answer.headers["X-Request-Id"] != "from-a-stranger"


@pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8")
def test_a_proxys_request_id_and_address_are_believed(server_only):
    user = server_only.create_user()
    headers = {"X-Request-Id": "proxy-id-0001", "X-Forwarded-For": "6.6.6.6, 198.51.100.7, 10.0.0.9"}
    answer = server_only.admin.call("POST", f"/v1/users/{user['id']}/inactivate", headers=headers).ok(200)
    assert answer.headers["X-Request-Id"] == "proxy-id-0001"
    row = server_only.audit("user.inactivated", user)[0]
    assert (row["ip"], row["request_id"]) == ("198.51.100.7", "proxy-id-0001")
    for good in ("1", "x" * 128, "Root=1-67891233-abcdef"):
        assert server_only.anyone.call("GET", "/healthz", headers={"X-Request-Id": good}).headers["X-Request-Id"] == good
    for bad in ("", "x" * 129, "with space", "semi;colon", 'a"quote'):
        assert server_only.anyone.call("GET", "/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_ready_says_how_far_the_audit_reaches(standing):
    answer = standing.anyone.get("/readyz").ok(200)
    assert answer["status"] == "ready" and answer["audit_months_ahead"] >= 23 and "warning" not in answer.body


def test_it_is_not_ready_on_a_database_of_another_release_and_says_when_to_ask_again(standing):
    newest = standing.value("SELECT max(version) FROM rollcall.schema_migration")
    standing.sql("UPDATE rollcall.schema_migration SET version = -1 WHERE version = %s", newest)
    try:
        answer = standing.anyone.get("/readyz").refused(503, "unavailable")
    finally:
        standing.sql("UPDATE rollcall.schema_migration SET version = %s WHERE version = -1", newest)
    assert int(answer.headers["Retry-After"]) > 0 and "database" in answer["detail"]
    standing.anyone.get("/readyz").ok(200)
