"""From where an API key may be used, behind a proxy that says who the client is."""
import json

import pytest

from support.system import succeeded
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8,fd00::/8")


def key_of(system, *networks):
    body = {"name": "Bound", "permissions": ["users:read"], "networks": list(networks)}
    # Who makes it sits before the proxy, too.
    return system.admin.post("/v1/api-keys", body).ok(201)["key"]


@pytest.fixture(scope="module")
def bound(shared_server):
    return key_of(shared_server, "192.0.2.0/24", "2001:db8:1::/48", "203.0.113.9")


@pytest.mark.parametrize("forwarded, is_let_in", [
    ("192.0.2.1", True), ("192.0.2.255", True), ("203.0.113.9", True), ("2001:db8:1:ffff::1", True), ("2001:DB8:1:0::9", True),
    ("::ffff:192.0.2.7", True), ("::FFFF:192.0.2.7", True), ("::ffff:c000:0207", True), ("192.0.2.7, 10.0.0.4", True), ("6.6.6.6, 192.0.2.7", True),
    ("192.0.3.1", False), ("203.0.113.10", False), ("2001:db8:2::1", False), ("::ffff:203.0.113.10", False), ("::192.0.2.7", False),
    # The last that is no proxy of ours is the client: what he claims himself stands before it.
    ("192.0.2.7, 6.6.6.6", False), ("192.0.2.7, 6.6.6.6, 10.0.0.4", False), ("junk", False), ("192.0.2.7, junk", False), ("", False), (None, False),
])
def test_an_address_is_let_in_or_not(standing, bound, forwarded, is_let_in):
    answer = standing.client(bound).call("GET", "/v1/users", headers={"X-Forwarded-For": forwarded} if forwarded is not None else None)
    assert answer.status == (200 if is_let_in else 401), answer


def test_a_key_may_have_two_places_and_is_out_in_a_third(standing, bound):
    client = standing.client(bound)
    for place, status in (("192.0.2.1", 200), ("203.0.113.9", 200), ("198.51.100.1", 401), ("192.0.2.1", 200)):
        assert client.call("GET", "/v1/users", headers={"X-Forwarded-For": place}).status == status


@pytest.mark.parametrize("network, places", [("0.0.0.0/0", {"192.0.2.1": 200, "::ffff:192.0.2.1": 200, "2001:db8::1": 401}),
                                             ("::/0", {"192.0.2.1": 401, "2001:db8::1": 200})])
def test_all_of_one_family_is_none_of_the_other(standing, network, places):
    client = standing.client(key_of(standing, network))
    for place, status in places.items():
        assert client.call("GET", "/v1/users", headers={"X-Forwarded-For": place}).status == status, place


def test_where_it_was_used_and_refused_is_the_clients_address_not_the_proxys(server_only):
    key = key_of(server_only, "192.0.2.0/24")
    client = server_only.client(key)
    client.call("GET", "/v1/users", headers={"X-Forwarded-For": "::ffff:192.0.2.7"}).ok(200)
    client.call("GET", "/v1/users", headers={"X-Forwarded-For": "198.51.100.7"}).refused(401)
    wait_until(lambda: server_only.sql("SELECT host(last_used_ip) FROM rollcall.api_key WHERE name = 'Bound'") == ["192.0.2.7"], because="the use is written")
    rows = wait_until(lambda: server_only.audit("api_key.refused"), because="the audit tells it")
    assert [row["ip"] for row in rows] == ["198.51.100.7"]


def test_a_session_is_bound_to_no_network(standing):
    standing.admin.call("GET", "/v1/users", headers={"X-Forwarded-For": "198.51.100.7"}).ok(200)


def test_an_operators_key_is_bound_in_the_same_way(standing):
    made = json.loads(succeeded(standing.command("key", "create", "--operator", "--name", "Bound", "--network", "192.0.2.0/24,2001:db8::/32")))
    client = standing.client(made["key"])
    for place, status in (("192.0.2.1", 200), ("::ffff:192.0.2.1", 200), ("2001:db8::1", 200), ("198.51.100.7", 401)):
        assert client.call("GET", "/v1/organizations", headers={"X-Forwarded-For": place}).status == status, place
    assert [line for line in standing.server.text().splitlines() if made["id"] in line and "outside of its networks" in line]
