"""Which address a client has, behind a proxy that is trusted and in however odd a spelling."""
import pytest


@pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8")
@pytest.mark.parametrize("header,address", [
    ("1.2.3.4", "1.2.3.4"), ("9.9.9.9, 1.2.3.4, 10.0.0.7", "1.2.3.4"), ("2001:DB8:0:0::1", "2001:db8::1"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("fe80::1%eth0", "fe80::1"), ("junk", "127.0.0.1"), ("", "127.0.0.1"),
])
def test_a_session_remembers_the_clients_address(server_only, header, address):
    user = server_only.create_active()
    body = {"login": user["email"], "password": "violet tractor under seven moons"}
    session = server_only.client().post("/v1/sessions", body, headers={"X-Forwarded-For": header}).ok(201).body
    assert server_only.value("SELECT host(ip) FROM rollcall.session WHERE id = %s", session["id"]) == address
