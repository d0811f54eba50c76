"""deploy/nginx.conf and deploy/nginx-tls.conf in a real nginx: what they let through, to whom, and what they keep out."""
import contextlib
import http.client
import json
import pathlib
import re
import socket
import ssl

import pytest
import requests

from support.nginx import Nginx
from support.proxy import BROWSER, FORGED, NAME, Connection, bearer
from support.system import PASSWORD
from support.waiting import wait_until

SITE = f"https://{NAME}"

pytestmark = pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.1", ROLLCALL_PUBLIC_URL=SITE, ROLLCALL_LOG_LEVEL="debug")


@pytest.fixture(scope="module")
def nginx(shared_server, application, tmp_path_factory):
    with Nginx(tmp_path_factory.mktemp("nginx"), shared_server, application) as running:
        yield running


def ask_compose(nginx, path, headers=None):
    """The server of nginx.conf itself, without TLS."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://127.0.0.1:{nginx.compose_port}{path}", headers=headers, timeout=20)


def signed_in(standing):
    """A user and a token of his."""
    user = standing.create_active()
    return user, standing.plant_session(user)


# --- Rollcall behind it

def test_everything_that_is_said_over_tls_has_hsts_and_one_request_id(nginx, standing):
    answers = [nginx.ask("GET", path, headers) for path, headers in (
        ("/healthz", {}), ("/sign-in", BROWSER), ("/v1/me", {}), ("/nowhere", {}), ("/app/", {}), ("/app/", BROWSER), ("/app/", bearer(standing.admin_token)))]
    assert [answer.status for answer in answers] == [200, 200, 401, 404, 401, 302, 200]
    for answer in answers:
        assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"], answer
        assert len(answer.headers.get_all("X-Request-Id")) == 1, answer
        assert "nginx/" not in answer.headers.get("Server", "")


def test_plain_http_leads_to_the_same_over_tls_whatever_name_is_claimed(nginx):
    head = nginx.curl("-X", "POST", "-d", "{}", f"http://{NAME}:{nginx.plain_port}/v1/sessions?transport=cookie")
    assert head.startswith("HTTP/1.1 308 ")
    assert f"\nLocation: {SITE}/v1/sessions?transport=cookie\n" in head
    with socket.create_connection(("127.0.0.1", nginx.plain_port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert client.recv(100) == b"", "somebody else's name is nobody here"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_another_name_gets_no_handshake_and_old_tls_neither(nginx):
    def shake(name, context):
        with socket.create_connection(("127.0.0.1", nginx.tls_port), timeout=20) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
            return tls.version(), tls.cipher()[0]

    assert shake(NAME, nginx.trust)[0] == "TLSv1.3"
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(OSError):
        shake("evil.example", blind)
    blind.maximum_version = ssl.TLSVersion.TLSv1_2
    assert re.match("ECDHE-ECDSA-(AES...-GCM|CHACHA20)", shake(NAME, blind)[1])
    blind.minimum_version = blind.maximum_version = ssl.TLSVersion.TLSv1_1
    blind.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError):
        shake(NAME, blind)


def test_http_2_is_spoken(nginx, standing):
    head = nginx.curl("--http2", "-H", f"Authorization: Bearer {standing.admin_token}", f"https://{NAME}:{nginx.tls_port}/app/")
    assert head.startswith("HTTP/2 200")
    assert standing.admin_id in head


def test_a_connection_is_used_again_by_the_client_and_to_rollcall(nginx, standing):
    connection = Connection(nginx)
    ports = set()
    for number in range(20):
        assert connection.ask("GET", ("/v1/me", "/app/")[number % 2], bearer(standing.admin_token)).status == 200
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()
    # Nothing is under way, and connections to Rollcall stand; of forty questions few.
    established = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "01"]
    assert 1 <= len([line for line in established if line[2] == f"0100007F:{standing.port:04X}"]) <= 8


def test_one_request_id_goes_from_the_proxy_to_the_answer_the_application_and_both_logs(nginx, standing):
    user, token = signed_in(standing)
    request_id = nginx.ask("GET", "/v1/me", {**bearer(token), "X-Request-Id": "chosen-by-the-client"}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", request_id), "the client's is not believed"
    wait_until(lambda: request_id in standing.server.text(), because="Rollcall has logged it")
    wait_until(lambda: '"GET /v1/me" 200' in nginx.access_log.read_text() and request_id in nginx.access_log.read_text())
    answer = nginx.ask("GET", "/app/x", bearer(token))
    assert answer.header("X-Request-Id") == answer.headers["X-Request-Id"]
    wait_until(lambda: any("/v1/auth/verify" in line and answer.headers["X-Request-Id"] in line for line in standing.server.text().splitlines()))
    assert user["id"] == answer.header("X-Rollcall-User")


def test_rollcall_sees_the_clients_address_and_not_what_he_claims(nginx, standing):
    user = standing.create_active()
    body = json.dumps({"organization": standing.org_id, "login": user["email"], "password": PASSWORD}).encode()
    claims = [("Content-Type", "application/json"), ("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2"), ("X-Real-IP", "192.0.2.3"),
              ("Forwarded", "for=192.0.2.4")]
    answer = nginx.ask("POST", "/v1/sessions", claims, body)
    assert answer.status == 201, answer
    token = answer.body["token"]
    assert [row["ip"] for row in standing.client(token).get("/v1/me/sessions").items] == ["127.0.0.1"]


def test_bodies_and_heads_have_their_limits(nginx, standing):
    token = bearer(standing.admin_token)
    assert nginx.ask("POST", "/v1/users", {**token, "Content-Type": "application/json"}, b" " * (1024 * 1024 + 1)).status == 413, "Rollcall's"
    assert nginx.ask("POST", "/v1/users", {**token, "Content-Type": "application/json"}, b" " * (2 * 1024 * 1024 + 1)).status == 413, "nginx's"
    assert nginx.ask("GET", "/v1/me", {**token, "X-Large": "x" * 7000}).status == 200
    assert nginx.ask("GET", "/v1/me", {**token, "X-Large": "x" * 9000}).status == 400
    assert nginx.ask("GET", "/healthz?" + "x" * 9000).status == 414
    # As much as nginx takes is more than Rollcall does.
    assert nginx.ask("GET", "/v1/me", [*token.items(), *((f"X-Large-{number}", "x" * 7000) for number in range(3))]).status == 400


def test_the_cookie_of_the_page_lets_into_the_application(nginx, standing):
    user = standing.create_active()
    body = json.dumps({"organization": standing.org_id, "login": user["email"], "password": PASSWORD}).encode()
    answer = nginx.ask("POST", "/v1/sessions?transport=cookie", {"Content-Type": "application/json", "Origin": SITE}, body)
    assert answer.status == 201, answer
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    for cookies, kept in ((cookie, None), (f"a=1; {cookie}", "a=1"), (f"{cookie}; b=2", "b=2"), (f"a=1; {cookie}; b=2;c=3", "a=1; b=2;c=3")):
        seen = nginx.ask("GET", "/app/", {**BROWSER, "Cookie": cookies})
        assert seen.status == 200, cookies
        assert seen.header("X-Rollcall-User") == user["id"]
        assert seen.header("Cookie") == kept, "the application gets its own cookies"
    assert nginx.ask("GET", "/app/", {**BROWSER, "Cookie": f"not{cookie}"}).status == 302
    assert nginx.ask("GET", "/app/", {**BROWSER, "Cookie": "a=1; b=2"}).status == 302


# --- the application behind it

def test_the_application_sees_who_asks_and_no_credential(nginx, standing):
    user = standing.create_active(role_id=standing.make_role("product:view", "users:read"))
    answer = nginx.ask("POST", "/app/things?a=1", {**bearer(standing.plant_session(user)), "X-Mine": "kept"}, b"a body")
    assert (answer.status, answer.body["method"], answer.body["target"], answer.body["body"]) == (200, "POST", "/app/things?a=1", "a body")
    assert answer.header("X-Rollcall-User") == user["id"]
    assert answer.header("X-Rollcall-Organization") == standing.org_id
    assert answer.header("X-Rollcall-Role") == user["role_id"]
    assert set(answer.header("X-Rollcall-Permissions").split()) == {"product:view", "users:read"}
    assert answer.header("X-Mine") == "kept"
    assert answer.header("Authorization") is answer.header("X-Rollcall-Key") is None


def test_a_key_is_named_instead_of_a_user(nginx, standing):
    answer = nginx.ask("GET", "/app/", bearer(standing.api_key))
    assert answer.header("X-Rollcall-Key") == standing.api_key_id
    assert answer.header("X-Rollcall-User") is answer.header("X-Rollcall-Role") is None


def test_what_a_client_says_of_himself_is_stripped(nginx, standing):
    user, token = signed_in(standing)
    spellings = {**FORGED, **{name.lower(): value for name, value in FORGED.items()}, **{name.replace("-", "_"): value for name, value in FORGED.items()}}
    seen = nginx.ask("GET", "/app/", {**spellings, **bearer(token)})
    assert seen.header("X-Rollcall-User") == user["id"]
    told = {key.lower().replace("_", "-"): value for key, value in seen.body["headers"]}
    assert "forged" not in told.values()
    assert told.get("x-rollcall-permissions") is told.get("x-rollcall-permissions-truncated") is told.get("x-rollcall-key") is None
    assert not any("_" in key for key, _ in seen.body["headers"])


def test_who_is_not_signed_in_does_not_get_to_the_application(nginx, standing, application):
    user, token = signed_in(standing)
    over = standing.plant_session(user, expires_at="now() - interval '1 second'")
    application.seen.clear()
    for headers in ({}, FORGED, bearer("guess"), bearer(over), bearer(token[:-4] + "AAAA"), {"Authorization": "Basic YTpi"}, {"Cookie": f"__Host-rollcall={over}"},
                    {"Cookie": f"__Host-rollcall={over}; __Host-rollcall={token}"}):
        for method in ("GET", "POST"):
            answer = nginx.ask(method, "/app/secret", {"Accept": "application/json", **headers}, b"" if method == "POST" else None)
            assert (answer.status, answer.headers["Content-Type"]) == (401, "application/problem+json"), (headers, answer)
            assert answer.body["code"] == "unauthenticated" and answer.body["status"] == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Cache-Control"] == "no-store"
    assert application.seen == []


@pytest.mark.parametrize("target, encoded", [
    ("/app/", "/app/"), ("/app/a%20b?x=1&y=2%263", "/app/a%2520b%3Fx%3D1%26y%3D2%25263"), ("/app/?next=https://evil.example/", "/app/%3Fnext%3Dhttps%3A//evil.example/"),
    ("/app/%0d%0aX-Injected:%201", "/app/%250d%250aX-Injected%3A%25201"),
])
def test_a_browser_is_sent_to_the_sign_in_page_and_finds_back(nginx, target, encoded):
    answer = nginx.ask("GET", target, BROWSER)
    assert (answer.status, answer.headers["Location"]) == (302, f"{SITE}/sign-in?next={encoded}")
    assert "X-Injected" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    # A form that is sent, or a program that says that it takes pages, too, is not.
    assert nginx.ask("POST", target, BROWSER, b"").status == 401
    assert nginx.ask("GET", target, {**BROWSER, **bearer("guess")}).status == 401


def test_whoever_is_inactivated_is_out_at_the_next_request(nginx, standing):
    user, token = signed_in(standing)
    connection = Connection(nginx)
    assert connection.ask("GET", "/app/", bearer(token)).status == 200
    standing.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert connection.ask("GET", "/app/", bearer(token)).status == 401
    connection.close()


def guess_until_refused(connection, path):
    """How many are let through before one is told 429."""
    with contextlib.closing(connection):
        for passed in range(2000):
            connection.request("GET", path, headers=bearer("guess"))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 429:
                return passed
            assert answer.status == 401
    return None


@pytest.mark.parametrize("path, right, in_advance, guesser", [("/v1/auth/verify", 204, 100, "127.0.0.3"), ("/app/", 200, 500, "127.0.0.4")])
def test_who_guesses_is_told_429_and_others_at_other_addresses_are_not(nginx, standing, path, right, in_advance, guesser):
    assert guess_until_refused(Connection(nginx, guesser), path) >= in_advance, "so much is real use"
    for address in ("127.0.0.1", "127.0.0.5"):
        assert nginx.ask("GET", path, bearer(standing.admin_token), address=address).status == right
    assert nginx.ask("GET", "/healthz", address=guesser).status == 200, "of what is no question there may be more"


def test_the_proxy_of_compose_bounds_guesses_too(nginx, standing):
    assert guess_until_refused(http.client.HTTPConnection("127.0.0.1", nginx.compose_port, timeout=20), "/v1/auth/verify") >= 200
    assert ask_compose(nginx, "/v1/me", bearer(standing.admin_token)).status_code == 200


def test_large_headers_for_the_application_do_not_hinder_the_question(nginx, standing):
    """Rollcall takes 16 kB of head; it is asked with the credentials alone."""
    _, token = signed_in(standing)
    large = [(f"X-Large-{number}", "x" * 7000) for number in range(3)]
    answer = nginx.ask("GET", "/app/", [*large, ("Cookie", f"big={'y' * 6000}; __Host-rollcall={token}")])
    assert answer.status == 200, answer
    assert answer.header("Cookie") == f"big={'y' * 6000}"
    target = "/app/?" + "&" * 1000
    assert nginx.ask("GET", target, BROWSER).headers["Location"] == f"{SITE}/sign-in?next=/app/%3F{'%26' * 1000}"
    assert nginx.ask("GET", "/app/?" + "q" * 7000, BROWSER).headers["Location"] == f"{SITE}/sign-in", "too long to come back to"


def test_an_applications_own_failure_stays_its_own(nginx, standing):
    answer = nginx.ask("GET", "/app/fails", bearer(standing.admin_token))
    assert (answer.status, answer.body["target"]) == (500, "/app/fails")


def test_when_rollcall_is_down_nobody_is_let_in(nginx, standing, application):
    token = standing.admin_token
    assert nginx.ask("GET", "/app/", bearer(token)).status == 200
    assert standing.server.stop() == 0
    application.seen.clear()
    try:
        for headers in (bearer(token), BROWSER, FORGED, {}):
            answer = nginx.ask("GET", "/app/", headers)
            assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "unavailable", "5"), answer
            assert answer.headers["Content-Type"] == "application/problem+json"
        for answer in (nginx.ask("GET", "/v1/me", bearer(token)), nginx.ask("POST", "/v1/sessions", {}, b"{}"), nginx.ask("GET", "/sign-in", BROWSER)):
            assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "unavailable", "5"), answer
        direct = ask_compose(nginx, "/v1/me")
        assert (direct.status_code, direct.json()["code"], direct.headers["Content-Type"]) == (503, "unavailable", "application/problem+json")
        assert application.seen == []
    finally:
        standing.server.start()
        standing.wait_ready()
    assert nginx.ask("GET", "/app/", bearer(token)).status == 200


def test_a_request_that_is_two_for_some_is_one_or_none_here(nginx, standing, application):
    """What nginx passes on of a smuggler's request must not become a second one at the application or at Rollcall."""
    inner = b"GET /app/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"POST /app/ HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {standing.admin_token}\r\n".encode()
    tricks = [head + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner,
              head + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(inner)) + inner,
              head + b"Transfer-Encoding: xchunked\r\n\r\n" + inner, head + b"Transfer-Encoding: chunked, identity\r\n\r\n" + inner,
              head + b"Content-Length : %d\r\n\r\n" % len(inner) + inner, head + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + inner]
    application.seen.clear()
    for trick in tricks:
        with socket.create_connection(("127.0.0.1", nginx.tls_port), timeout=20) as plain, nginx.trust.wrap_socket(plain, server_hostname=NAME) as tls:
            tls.sendall(trick)
            assert tls.recv(4096).split(b" ")[1] in (b"400", b"501"), trick
    assert application.seen == []


def test_the_proxy_of_compose_passes_all_of_rollcall_and_nothing_else(nginx, standing):
    assert ask_compose(nginx, "/nginx-health").text == "ok\n"
    answer = ask_compose(nginx, "/v1/me", {**bearer(standing.admin_token), "X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 200 and answer.json()["id"] == standing.admin_id
    assert len(answer.headers["X-Request-Id"]) == 32 and "Strict-Transport-Security" not in answer.headers
    assert ask_compose(nginx, "/app/").status_code == 404
    assert ask_compose(nginx, "/rollcall-verify").status_code == 404
    assert nginx.ask("GET", "/rollcall-verify").status == 404, "it is for nginx itself"
