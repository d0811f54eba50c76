"""How many requests a minute somebody may make: who counts as one, what he is told, and what never counts."""
import concurrent.futures
import re
import time

import pytest

TRUSTED = "127.0.0.0/8,10.0.0.0/8,fd00::/8"
# The cheapest question that a stranger may ask.
INSPECT = "/v1/invitations/inspect"
FIELD = re.compile(r'"(?P<policy>[a-z]+)"(?P<parameters>(?:;[a-z]+=\d+)+)')


def field(answer, name):
    """A structured field of one item: (its policy, its parameters)."""
    match = FIELD.fullmatch(answer.headers[name])
    assert match, answer.headers[name]
    return match["policy"], {key: int(value) for key, value in (pair.split("=") for pair in match["parameters"][1:].split(";"))}


def ask(client, **headers):
    return client.post(INSPECT, {"token": "x"}, headers=headers)


def ask_from(client, address):
    return ask(client, **{"X-Forwarded-For": address})


def is_limited(answer):
    """Whether it was refused, which it says as it must."""
    if answer.status != 429:
        assert answer.status in (404, 422), answer
        return False
    answer.refused(429, "rate_limited")
    assert field(answer, "RateLimit")[1]["r"] == 0
    assert int(answer.headers["Retry-After"]) == field(answer, "RateLimit")[1]["t"] >= 1
    return True


pytestmark = pytest.mark.settings(ROLLCALL_RATE_LIMIT=3, ROLLCALL_RATE_LIMIT_SIGNED_IN=20, ROLLCALL_TRUSTED_PROXIES=TRUSTED)


def test_every_answer_of_a_limited_route_says_what_is_left(standing):
    left = []
    for number in range(3):
        answer = ask_from(standing.anyone, "192.0.2.1")
        assert field(answer, "RateLimit-Policy") == ("address", {"q": 3, "w": 60})
        policy, state = field(answer, "RateLimit")
        assert policy == "address"
        assert state["t"] in range(1, 61)
        left.append(state["r"])
    assert left == [2, 1, 0]
    answer = ask_from(standing.anyone, "192.0.2.1")
    assert is_limited(answer)
    assert field(answer, "RateLimit-Policy") == ("address", {"q": 3, "w": 60})
    assert int(answer.headers["Retry-After"]) <= 20


def test_who_waits_as_long_as_he_is_told_gets_in(standing):
    key = standing.client(standing.make_key("users:read", name="patient"))
    while (answer := key.get("/v1/users", limit=1)).status == 200:
        assert field(answer, "RateLimit-Policy") == ("credential", {"q": 20, "w": 60})
    wait_s = int(answer.refused(429, "rate_limited").headers["Retry-After"])
    assert wait_s <= 3
    time.sleep(wait_s)  # what is promised is a time
    key.get("/v1/users", limit=1).ok(200)


@pytest.mark.parametrize("mine, too, other", [
    ("192.0.2.10", "192.0.2.10:4711", "192.0.2.11"),
    ("192.0.2.12", "::ffff:192.0.2.12", "192.0.2.13"),
    ("192.0.2.14, 10.0.0.1, 10.0.0.2", "192.0.2.14", "192.0.2.15, 10.0.0.1, 10.0.0.2"),
    ("198.51.100.1, 192.0.2.16", "198.51.100.2, 192.0.2.16, fd00::1", "192.0.2.16, 198.51.100.1"),
    ("2001:db8:0:1::1", "[2001:db8:0:1:ffff::2]:443", "2001:db8:0:2::1"),
    ("junk, 192.0.2.18", "192.0.2.18", "junk, 192.0.2.19"),
    ("192.0.2.20, junk, 10.0.0.9", "192.0.2.21, more junk, 10.0.0.9", "192.0.2.20"),
])
def test_one_address_is_one_bucket_however_it_is_written(standing, mine, too, other):
    assert [is_limited(ask_from(standing.anyone, address)) for address in (mine, mine, mine, mine, too)] == [False] * 3 + [True] * 2
    assert not is_limited(ask_from(standing.anyone, other))


@pytest.mark.settings(ROLLCALL_RATE_LIMIT=3, ROLLCALL_TRUSTED_PROXIES="10.0.0.0/8")
def test_whoever_is_no_trusted_proxy_cannot_say_that_he_is_somebody_else(server_only):
    answers = [ask_from(server_only.anyone, f"192.0.2.{number}") for number in range(6)]
    assert [is_limited(answer) for answer in answers] == [False] * 3 + [True] * 3


def test_all_processes_count_together_and_exactly(standing):
    before = standing.metrics()["rollcall_rate_limited_total"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask_from(standing.client(), "192.0.2.30"), range(24)))
    passed = [answer for answer in answers if not is_limited(answer)]
    assert len(passed) == 3
    assert sorted(field(answer, "RateLimit")[1]["r"] for answer in passed) == [0, 1, 2]
    assert standing.metrics()["rollcall_rate_limited_total"] == before + 21


def test_a_users_sessions_are_one_bucket_and_his_address_does_not_matter(standing):
    mine = [standing.client(standing.plant_session(standing.admin_id)) for _ in range(2)]
    statuses = [mine[number % 2].get("/v1/me").status for number in range(40)]
    assert statuses[:20] == [200] * 20
    assert statuses.count(429) >= 10
    refused = [mine[0].call("GET", "/v1/me", headers={"X-Forwarded-For": f"192.0.2.{40 + number}"}).status for number in range(2)]
    assert 429 in refused
    # A key is somebody else, and so is a stranger.
    key = standing.client(standing.make_key("users:read", name="another"))
    assert field(key.get("/v1/users", limit=1).ok(200), "RateLimit")[1]["r"] == 19
    assert not is_limited(ask_from(standing.anyone, "192.0.2.41"))


def test_answers_to_who_is_signed_in_tell_of_his_own_limit_whatever_they_are(standing):
    client = standing.client(standing.make_key("users:read", name="curious"))
    answers = [client.get("/v1/users", limit="x").refused(400), client.get("/v1/audit").refused(403), client.get("/v1/users/00000000-0000-7000-8000-000000000000").refused(404)]
    said = [field(answer, "RateLimit") for answer in answers]
    assert [policy for policy, _ in said] == ["credential"] * 3
    assert [state["r"] for _, state in said] == [19, 18, 17]
    assert said[0][1]["t"] == 3 and said[2][1]["t"] in range(7, 10)


def wrong_credentials(system):
    """{what is wrong: headers}; each is looked for in another place."""
    over = system.plant_session(system.admin_id, expires_at="now() - interval '1 second'")
    alive = system.plant_session(system.admin_id)
    return {
        "none": {}, "another scheme": {"Authorization": "Basic YTpi"}, "malformed": {"Authorization": "Bearer guess"},
        "forged": {"Authorization": f"Bearer {alive[:-6]}AAAAAA"}, "over": {"Authorization": f"Bearer {over}"},
        "a key that is none": {"Authorization": f"Bearer {system.api_key[:-6]}AAAAAA"}, "a cookie": {"Cookie": f"__Host-rollcall={over}"},
    }


def test_a_wrong_credential_counts_for_its_address_and_a_right_one_never_does(standing):
    anyone, right = standing.anyone, standing.client(standing.plant_session(standing.admin_id))
    for number, (what, headers) in enumerate(wrong_credentials(standing).items()):
        address = {"X-Forwarded-For": f"192.0.2.{50 + number}"}
        for left in (2, 1, 0):
            answer = anyone.call("GET", "/v1/me", headers={**headers, **address}).refused(401, "unauthenticated")
            assert field(answer, "RateLimit-Policy") == ("address", {"q": 3, "w": 60}), what
            assert field(answer, "RateLimit")[1]["r"] == left, what
            assert answer.headers["WWW-Authenticate"]
        anyone.call("GET", "/v1/users", headers={**headers, **address}).refused(429, "rate_limited")
        assert is_limited(ask(anyone, **address)), "it is the bucket of the address"
        answer = right.call("GET", "/v1/me", headers=address)
        assert answer.status in (200, 429) and field(answer, "RateLimit")[0] == "credential", "what others guess there is not his fault"


def test_who_guesses_on_is_refused_unseen_and_who_is_known_there_is_not(server_only):
    """Ten times the limit of wrong tokens are looked up; behind one address there may be many people."""
    address = {"X-Forwarded-For": "192.0.2.90"}
    known, key = (server_only.client(token) for token in (server_only.plant_session(server_only.admin_id), server_only.make_key("users:read")))
    late = server_only.client(server_only.plant_session(server_only.create_active()))
    for client, path in ((known, "/v1/me"), (key, "/v1/users")):
        client.call("GET", path, headers=address).ok(200)
    forged = known.token[:-6]
    guess = lambda number, **more: server_only.anyone.call("GET", "/v1/me", headers={"Authorization": f"Bearer {forged}{number:05}A", **address, **more})
    statuses = [guess(number).status for number in range(30)]
    assert statuses == [401] * 3 + [429] * 27
    answer = guess(30).refused(429, "rate_limited")
    assert field(answer, "RateLimit-Policy") == ("guess", {"q": 30, "w": 60}) and field(answer, "RateLimit")[1]["r"] == 0
    assert int(answer.headers["Retry-After"]) in (1, 2)
    # Those who were right before are let in all the while, and counted by themselves alone.
    for number in range(31, 40):
        guess(number).refused(429)
        assert field(known.call("GET", "/v1/me", headers=address).ok(200), "RateLimit")[0] == "credential"
    key.call("GET", "/v1/users", headers=address).ok(200)
    # From elsewhere anybody comes in, and is known from then on.
    late.get("/v1/me").ok(200)
    guess(40)
    late.call("GET", "/v1/me", headers=address).ok(200)
    # So is who signs in, elsewhere: here he could not.
    person = server_only.create_active()
    server_only.sign_in(person).call("GET", "/v1/me", headers=address).ok(200)
    # What was right and is no more counts as a guess: it is looked up once, and then it is not.
    server_only.sql("DELETE FROM rollcall.session")
    assert known.call("GET", "/v1/me", headers=address).status == 429
    answer = known.call("GET", "/v1/me", headers=address).refused(429)
    assert field(answer, "RateLimit-Policy")[0] == "guess"
    # Nobody is told 429 by auth/verify.
    server_only.anyone.call("GET", "/v1/auth/verify", headers={"Authorization": f"Bearer {forged}00000B", **address}).refused(401)


def test_a_refused_guess_asks_the_database_nothing(server_only):
    address, forged = {"X-Forwarded-For": "192.0.2.91"}, server_only.plant_session(server_only.admin_id)[:-6]
    guess = lambda number: server_only.anyone.call("GET", "/v1/me", headers={"Authorization": f"Bearer {forged}{number:05}A", **address})
    for number in range(40):
        guess(number)
    asked = lambda: sum(value for name, value in server_only.metrics().items() if name.startswith("rollcall_lane_duration_seconds_count"))
    before, policies = asked(), set()
    for number in range(40, 60):
        policies.add(field(guess(number).refused(429), "RateLimit-Policy")[0])
    # It fills by one in two seconds.
    assert "guess" in policies and asked() - before <= 10


def test_a_cookie_without_its_origin_counts_as_a_guess(standing):
    headers = {"X-Forwarded-For": "192.0.2.70", "Cookie": f"__Host-rollcall={standing.plant_session(standing.admin_id)}"}
    answers = [standing.anyone.call("DELETE", "/v1/me/sessions", headers=headers) for _ in range(4)]
    assert [answer.status for answer in answers] == [403] * 3 + [429]


def test_what_a_proxy_asks_and_pages_and_health_count_for_nobody(standing):
    address = {"X-Forwarded-For": "192.0.2.80"}
    asked = [("/v1/auth/verify", {}, 401), ("/v1/auth/verify", {"Authorization": "Bearer guess"}, 401),
             ("/v1/auth/verify", {"Authorization": "Bearer " + standing.make_key("users:read", name="verified")}, 204), ("/healthz", {}, 200), ("/readyz", {}, 200), ("/sign-in", {}, 200)]
    for path, headers, status in asked:
        for _ in range(8):
            answer = standing.anyone.call("GET", path, headers={**headers, **address})
            assert answer.status == status
            assert not {"RateLimit", "RateLimit-Policy"} & set(answer.headers)
    assert field(ask(standing.anyone, **address), "RateLimit")[1]["r"] == 2


@pytest.mark.settings(ROLLCALL_RATE_LIMIT=2)
def test_of_logins_the_limit_of_the_address_comes_before_the_account(server_only):
    """So whoever is refused has made nobody count a guess."""
    user = server_only.create_active()
    statuses = [server_only.login(user["email"], "wrong").status for _ in range(6)]
    assert statuses.count(429) >= 4
    assert server_only.row("credential", user)["failed_attempts"] <= 2
