"""The Caddyfile of deploy/PROXIES.md in a real Caddy: what it lets through, to whom, and what it keeps out."""
import json
import subprocess

import pytest

from support.caddy import Caddy, documented
from support.proxy import BROWSER, FORGED, NAME, Connection, bearer
from support.system import PASSWORD

SITE = f"https://{NAME}"
CLIENT = "127.0.0.2"

pytestmark = pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.1", ROLLCALL_PUBLIC_URL=SITE)


@pytest.fixture(scope="module")
def caddy(shared_server, application, tmp_path_factory):
    with Caddy(tmp_path_factory.mktemp("caddy"), shared_server, application) as running:
        yield running


def sign_in(caddy, standing, headers=(), transport=""):
    user = standing.create_active()
    body = json.dumps({"organization": standing.org_id, "login": user["email"], "password": PASSWORD}).encode()
    answer = caddy.ask("POST", f"/v1/sessions{transport}", [("Content-Type", "application/json"), *headers], body, address=CLIENT)
    assert answer.status == 201, answer
    return user, answer


def test_the_file_is_as_caddy_would_write_it(tmp_path):
    (tmp_path / "Caddyfile").write_text(documented())
    done = subprocess.run(["caddy", "fmt", tmp_path / "Caddyfile"], capture_output=True, text=True, check=True)
    assert done.stdout == documented()


def test_connections_to_rollcall_are_given_up_before_rollcall_closes_them(caddy, standing):
    done = subprocess.run(caddy.command("adapt"), env=caddy.environment, capture_output=True, text=True, check=True)
    transports = []

    def look(node):
        if isinstance(node, dict):
            if {"dial": f"127.0.0.1:{standing.port}"} in node.get("upstreams", []):
                transports.append(node["transport"]["keep_alive"]["idle_timeout"])
            node = list(node.values())
        for child in node if isinstance(node, list) else ():
            look(child)

    look(json.loads(done.stdout))
    assert transports == [60 * 10**9] * 2


def test_everything_is_said_over_tls_with_hsts(caddy, standing):
    for path, headers, status in (("/healthz", {}, 200), ("/v1/me", {}, 401), ("/app/", {}, 401), ("/app/", BROWSER, 302),
                                  ("/app/", bearer(standing.admin_token), 200)):
        answer = caddy.ask("GET", path, headers)
        assert answer.status == status, (path, answer)
        assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"], answer
    head = caddy.curl(f"http://{NAME}:{caddy.plain_port}/v1/me")
    assert head.startswith("HTTP/1.1 308 ") and f"\nLocation: {SITE}" in head
    assert caddy.curl("--http2", "-H", f"Authorization: Bearer {standing.admin_token}", f"{SITE}:{caddy.tls_port}/app/").startswith("HTTP/2 200")


def test_rollcall_sees_the_clients_address_and_not_what_he_claims(caddy, standing):
    claims = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2"), ("X-Real-IP", "192.0.2.3"), ("Forwarded", "for=192.0.2.4")]
    _, answer = sign_in(caddy, standing, claims)
    assert [row["ip"] for row in standing.client(answer.body["token"]).get("/v1/me/sessions").items] == [CLIENT]


def test_the_question_goes_by_the_clients_address_too(caddy, standing):
    """A key that is bound to a network is good from there, and from nowhere else."""
    made = standing.admin.post("/v1/api-keys", {"name": "bound", "permissions": ["users:read"], "networks": [CLIENT]}).ok(201)
    assert caddy.ask("GET", "/app/", bearer(made["key"]), address=CLIENT).header("X-Rollcall-Key") == made["id"]
    assert caddy.ask("GET", "/app/", {**bearer(made["key"]), "X-Forwarded-For": CLIENT}).status == 401


def test_a_request_id_of_the_clients_is_not_taken_over(caddy, standing):
    answer = caddy.ask("GET", "/v1/me", {**bearer(standing.admin_token), "X-Request-Id": "chosen-by-the-client"})
    assert answer.status == 200 and len(answer.headers["X-Request-Id"]) == 36


def test_the_application_sees_who_asks_and_how(caddy, standing):
    user = standing.create_active(role_id=standing.make_role("product:view", "users:read"))
    headers = {**bearer(standing.plant_session(user)), "X-Mine": "kept", "X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example"}
    answer = caddy.ask("POST", "/app/things?a=1", headers, b"a body", address=CLIENT)
    assert (answer.status, answer.body["method"], answer.body["target"], answer.body["body"]) == (200, "POST", "/app/things?a=1", "a body")
    assert answer.header("X-Forwarded-Proto") == "https"
    assert answer.header("X-Forwarded-For") == CLIENT
    assert answer.header("X-Forwarded-Host") == NAME
    assert answer.header("X-Rollcall-User") == user["id"]
    assert answer.header("X-Rollcall-Organization") == standing.org_id
    assert answer.header("X-Rollcall-Role") == user["role_id"]
    assert set(answer.header("X-Rollcall-Permissions").split()) == {"product:view", "users:read"}
    assert answer.header("X-Mine") == "kept"
    assert answer.header("Authorization") is answer.header("X-Rollcall-Key") is answer.header("X-Rollcall-Permissions-Truncated") is None


def test_a_key_is_named_instead_of_a_user(caddy, standing):
    answer = caddy.ask("GET", "/app/", bearer(standing.api_key))
    assert answer.header("X-Rollcall-Key") == standing.api_key_id
    assert answer.header("X-Rollcall-User") is answer.header("X-Rollcall-Role") is None


def test_what_a_client_says_of_himself_is_stripped(caddy, standing):
    user = standing.create_active()
    spellings = {**FORGED, **{name.lower(): value for name, value in FORGED.items()}, **{name.replace("-", "_"): value for name, value in FORGED.items()}}
    seen = caddy.ask("GET", "/app/", {**spellings, **bearer(standing.plant_session(user))})
    assert seen.header("X-Rollcall-User") == user["id"]
    told = {key.lower().replace("_", "-"): value for key, value in seen.body["headers"]}
    assert "forged" not in told.values()
    assert not told["x-rollcall-permissions"], "he has none, and that is said"
    assert told.get("x-rollcall-permissions-truncated") is told.get("x-rollcall-key") is None


def test_who_is_not_signed_in_does_not_get_to_the_application(caddy, standing, application):
    user = standing.create_active()
    over = standing.plant_session(user, expires_at="now() - interval '1 second'")
    application.seen.clear()
    for headers in ({}, FORGED, bearer("guess"), bearer(over), {"Authorization": "Basic YTpi"}, {"Cookie": f"__Host-rollcall={over}"}):
        for method in ("GET", "POST"):
            answer = caddy.ask(method, "/app/secret", {"Accept": "application/json", **headers}, b"" if method == "POST" else None)
            assert (answer.status, answer.headers["Content-Type"]) == (401, "application/problem+json"), (headers, answer)
            assert answer.body["code"] == "unauthenticated"
    assert application.seen == []


def test_a_browser_is_sent_to_the_sign_in_page_and_finds_back(caddy):
    answer = caddy.ask("GET", "/app/a?x=1&y=2", {**BROWSER, "X-Forwarded-Uri": "/elsewhere"})
    assert (answer.status, answer.headers["Location"]) == (302, f"{SITE}/sign-in?next=/app/a%3Fx%3D1%26y%3D2")
    # A form that is sent, or a program that says that it takes pages, too, is not.
    assert caddy.ask("POST", "/app/", BROWSER, b"").status == 401
    assert caddy.ask("GET", "/app/", {**BROWSER, **bearer("guess")}).status == 401


def test_the_cookie_of_the_page_lets_into_the_application(caddy, standing):
    user, answer = sign_in(caddy, standing, [("Origin", SITE)], "?transport=cookie")
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert caddy.ask("GET", "/app/", {**BROWSER, "Cookie": f"a=1; {cookie}"}).header("X-Rollcall-User") == user["id"]


def test_whoever_is_inactivated_is_out_at_the_next_request(caddy, standing):
    user = standing.create_active()
    token = standing.plant_session(user)
    connection = Connection(caddy)
    assert connection.ask("GET", "/app/", bearer(token)).status == 200
    standing.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert connection.ask("GET", "/app/", bearer(token)).status == 401
    connection.close()


def test_nobody_asks_from_outside_who_somebody_is(caddy, standing):
    for path in ("/v1/auth/verify", "/v1/auth/verify?a=1", "//v1//auth/verify", "/v1/./auth/verify", "/v1/auth/%76erify", "/v1/auth/verify/"):
        assert caddy.ask("GET", path, bearer(standing.admin_token)).status == 404, path


def test_bodies_have_their_limit(caddy, standing):
    token = {**bearer(standing.admin_token), "Content-Type": "application/json"}
    assert caddy.ask("POST", "/v1/users", token, b" " * (1024 * 1024 + 1)).status == 413, "Rollcall's"


def test_when_rollcall_is_down_nobody_is_let_in(caddy, standing, application):
    token = standing.admin_token
    assert standing.server.stop() == 0
    application.seen.clear()
    try:
        for path in ("/app/", "/v1/me"):
            for headers in (bearer(token), BROWSER, FORGED, {}):
                assert caddy.ask("GET", path, headers).status == 502
        assert application.seen == []
    finally:
        standing.server.start()
        standing.wait_ready()
    assert caddy.ask("GET", "/app/", bearer(token)).status == 200
