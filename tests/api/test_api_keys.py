"""/v1/api-keys: made, shown once, bound, used, revoked; by people, and by keys that manage keys."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import links
from support.system import numbers
from support.waiting import wait_until

UNKNOWN = "01900000-0000-7000-8000-000000000000"
SHOWN = {"id", "name", "hint", "permissions", "networks", "state", "expires_at", "revoked_at", "last_used_at", "last_used_ip", "last_refused_at",
         "maker", "version", "created_at", "updated_at"}


def unique(word):
    return f"{word} {next(numbers)}"


def make(system, *permissions, by=None, **more):
    """What the answer says, the key itself among it."""
    body = {"name": unique("Key"), "permissions": list(permissions), **more}
    return (by or system.admin).post("/v1/api-keys", body).ok(201).body


def path(key):
    return f"/v1/api-keys/{key['id']}"


def holder(system, key):
    return system.client(key["key"])


def shown(system, key):
    return system.admin.get(path(key)).ok(200).body


def told(system, key):
    return [row for row in system.audit() if row["subject"]["id"] == key["id"]]


# --- making one

def test_a_key_is_shown_once_and_works_at_once(standing):
    name = unique("Warehouse")
    answer = standing.admin.post("/v1/api-keys", {"name": name, "permissions": ["users:read", "product:view", "users:read"],
                                                  "expires_at": "2999-01-31T00:00:00Z", "networks": ["127.0.0.0/8"]}).ok(201)
    made = answer.body
    assert set(made) == SHOWN | {"key"} and made["key"].startswith("rck_") and made["hint"] == made["key"][-4:]
    assert answer.headers["Location"] == path(made) and answer.headers["ETag"] == '"1"'
    assert (made["name"], made["permissions"], made["networks"]) == (name, ["product:view", "users:read"], ["127.0.0.0/8"])
    assert (made["state"], made["expires_at"], made["revoked_at"], made["last_used_at"]) == ("active", "2999-01-31T00:00:00Z", None, None)
    assert made["maker"] == {"kind": "user", "id": standing.admin_id, "name": "Ada Administrator"}
    assert standing.value("SELECT key_hash FROM rollcall.api_key WHERE id = %s", made["id"]) == links.token_hash(made["key"])
    client = holder(standing, made)
    client.get("/v1/users").ok(200)
    client.get("/v1/audit").refused(403, "permission_missing")
    assert client.get("/v1/auth/verify").ok(204).headers["X-Rollcall-Key"] == made["id"]
    secret = made.pop("key")[24:]
    everything = [standing.admin.get(path(made)), standing.admin.get("/v1/api-keys", limit=200), standing.admin.get("/v1/audit", limit=200)]
    assert all(secret not in answer.ok(200).text for answer in everything)
    assert [row["changes"] for row in told(standing, made)] == [{
        "name": [None, name], "permissions": [None, ["product:view", "users:read"]], "expires_at": [None, "2999-01-31T00:00:00Z"],
        "networks": [None, ["127.0.0.0/8"]]}]


def test_without_more_a_key_never_expires_and_is_used_from_anywhere(standing):
    made = make(standing)
    assert (made["permissions"], made["expires_at"], made["networks"]) == ([], None, None)
    assert holder(standing, made).get("/v1/auth/verify").ok(204).headers["X-Rollcall-Permissions"] == ""


def test_two_keys_may_have_one_name_while_one_takes_the_others_place(standing):
    first = make(standing, "users:read")
    second = make(standing, "users:read", name=first["name"])
    assert first["id"] != second["id"] and first["key"] != second["key"]
    standing.admin.delete(path(first)).ok(204)
    holder(standing, second).get("/v1/users").ok(200)
    holder(standing, first).get("/v1/users").refused(401)


FAULTS = {
    "nothing": ({"name": ..., "permissions": ...}, {"/name": "required", "/permissions": "required"}),
    "an empty name": ({"name": ""}, {"/name": "required"}),
    "a name with a line end": ({"name": "a\nb"}, {"/name": "invalid"}),
    "a name of 201": ({"name": "ї" * 201}, {"/name": "too_long"}),
    "permissions that are none": ({"permissions": ["users read", 7, None, "*"]},
                                  {"/permissions/0": "invalid", "/permissions/1": "wrong_type", "/permissions/2": "wrong_type"}),
    "permissions as a text": ({"permissions": "*"}, {"/permissions": "wrong_type"}),
    "a moment that has passed": ({"expires_at": "2020-01-01T00:00:00Z"}, {"/expires_at": "invalid"}),
    "a moment that is none": ({"expires_at": "2999-02-30T00:00:00Z"}, {"/expires_at": "invalid"}),
    "a moment as a number": ({"expires_at": 32472144000}, {"/expires_at": "wrong_type"}),
    "no network": ({"networks": []}, {"/networks": "too_short"}),
    "too many networks": ({"networks": [f"10.0.{n}.0/24" for n in range(33)]}, {"/networks": "too_long"}),
    "networks that are none": ({"networks": ["10.0.0.0/8", "10.0.0.0/33", "example.org", "", 10, None, "fe80::1%eth0", "10.0.0.1-10.0.0.9"]},
                               {"/networks/1": "invalid", "/networks/2": "invalid", "/networks/3": "invalid", "/networks/4": "wrong_type",
                                "/networks/5": "wrong_type", "/networks/6": "invalid", "/networks/7": "invalid"}),
    "a network as a text": ({"networks": "10.0.0.0/8"}, {"/networks": "wrong_type"}),
    "what is not there": ({"key": "rck_mine", "maker": None}, {"/key": "read_only", "/maker": "read_only"}),
    "what nobody knows": ({"colour": "red"}, {"/colour": "unknown_field"}),
    "several at once": ({"name": 5, "permissions": [1], "expires_at": "2020-01-01T00:00:00Z", "networks": ["x"]},
                        {"/name": "wrong_type", "/permissions/0": "wrong_type", "/expires_at": "invalid", "/networks/0": "invalid"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_all_faults_are_named_and_nothing_is_made_or_changed(standing, name):
    change, expected = FAULTS[name]
    kept = make(standing, "users:read")
    before = shown(standing, kept), standing.value("SELECT count(*) FROM rollcall.api_key")
    body = {member: value for member, value in {"name": "Faulty", "permissions": [], **change}.items() if value is not ...}
    assert standing.admin.post("/v1/api-keys", body).refused(422, "invalid_body").faults() == expected
    if ... not in change.values():
        patched = standing.admin.patch(path(kept), change).refused(422, "invalid_body").faults()
        assert patched == expected | ({"/name": "invalid"} if change.get("name") == "" else {})
    assert (shown(standing, kept), standing.value("SELECT count(*) FROM rollcall.api_key")) == before


@pytest.mark.parametrize("network, meant", [("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32"), ("0.0.0.1/0", "0.0.0.0/0"),
                                            ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:192.0.2.7", "192.0.2.7/32")])
def test_a_network_that_cannot_be_meant_is_answered_with_the_one_that_probably_is(standing, network, meant):
    answer = standing.admin.post("/v1/api-keys", {"name": "Net", "permissions": [], "networks": [network]}).refused(422, "invalid_body")
    assert answer.faults() == {"/networks/0": "invalid"} and f"{meant} was probably meant" in answer["errors"][0]["detail"]


def test_networks_stand_once_and_in_one_spelling(standing):
    made = make(standing, networks=["127.0.0.1", "127.0.0.1/32", "2001:DB8:0:0::/64", "0.0.0.0/0", "::/0"])
    assert made["networks"] == ["127.0.0.1/32", "2001:db8::/64", "0.0.0.0/0", "::/0"]
    assert shown(standing, made)["networks"] == made["networks"]
    assert standing.admin.patch(path(made), {"networks": ["127.0.0.1", "2001:db8::/64", "0.0.0.0/0", "::/0"]}).ok(200)["version"] == 1


# --- changing one

def test_what_is_changed_holds_at_the_next_request(standing):
    made = make(standing, "users:read")
    client = holder(standing, made)
    client.get("/v1/users").ok(200)
    changed = standing.admin.patch(path(made), {"name": "Renamed", "permissions": ["product:view"]}).ok(200)
    assert (changed["name"], changed["permissions"], changed["version"], changed.headers["ETag"]) == ("Renamed", ["product:view"], 2, '"2"')
    client.get("/v1/users").refused(403, "permission_missing")
    standing.admin.patch(path(made), {"networks": ["192.0.2.0/24"]}).ok(200)
    client.get("/v1/auth/verify").refused(401)
    assert standing.admin.patch(path(made), {"networks": None, "expires_at": "2999-01-01T00:00:00Z"}).ok(200)["networks"] is None
    client.get("/v1/auth/verify").ok(204)
    assert [row["changes"] for row in told(standing, made) if row["action"] == "api_key.edited"] == [
        {"networks": [["192.0.2.0/24"], None], "expires_at": [None, "2999-01-01T00:00:00Z"]}, {"networks": [None, ["192.0.2.0/24"]]},
        {"name": [made["name"], "Renamed"], "permissions": [["users:read"], ["product:view"]]}]


def test_a_patch_that_changes_nothing_moves_no_version(standing):
    made = make(standing, "users:read", expires_at="2999-01-01T00:00:00Z")
    same = {"name": made["name"], "permissions": ["users:read", "users:read"], "expires_at": "2999-01-01T00:00:00Z", "networks": None}
    for body in (same, {}):
        assert standing.admin.patch(path(made), body).ok(200).body == {name: value for name, value in made.items() if name != "key"}


def test_a_stale_version_is_refused(standing):
    made = make(standing)
    stale = {"If-Match": '"1"'}
    standing.admin.patch(path(made), {"name": "Newer"}, headers=stale).ok(200)
    standing.admin.patch(path(made), {"name": "Older"}, headers=stale).refused(412, "version_mismatch")
    standing.admin.delete(path(made), headers=stale).refused(412, "version_mismatch")
    standing.admin.delete(path(made), headers={"If-Match": '"2"'}).ok(204)


def test_what_rollcall_sets_is_refused_by_name(standing):
    made = make(standing)
    read_only = sorted(SHOWN - {"name", "permissions", "expires_at", "networks"}) + ["key"]
    answer = standing.admin.patch(path(made), dict.fromkeys(read_only, "x")).refused(422, "invalid_body")
    assert answer.faults() == {f"/{name}": "read_only" for name in read_only}


def test_an_unknown_key_is_not_found(standing):
    standing.admin.get(f"/v1/api-keys/{UNKNOWN}").refused(404, "not_found")
    standing.admin.patch(f"/v1/api-keys/{UNKNOWN}", {"name": "x"}).refused(404, "not_found")
    standing.admin.delete(f"/v1/api-keys/{UNKNOWN}").refused(404, "not_found")


# --- the end of one

def test_a_revoked_key_is_out_at_the_next_request_and_stays_to_be_named(standing):
    made = make(standing, "users:write", "users:read", "users:invite")
    client = holder(standing, made)
    user = client.post("/v1/users", {"email": f"by-key-{next(numbers)}@example.org", "first_name": "A", "last_name": "B"}).ok(201)
    standing.admin.delete(path(made)).ok(204)
    unknown = standing.client(made["key"][:-1] + ("A" if made["key"][-1] != "A" else "Q")).get("/v1/users").refused(401, "unauthenticated")
    assert client.get("/v1/users").refused(401, "unauthenticated").text == unknown.text
    now = shown(standing, made)
    assert now["state"] == "revoked" and now["revoked_at"] and now["version"] == 2
    assert [row["action"] for row in told(standing, made)] == ["api_key.revoked", "api_key.created"]
    assert told(standing, made)[0]["actor"] == {"kind": "user", "id": standing.admin_id, "name": "Ada Administrator"}
    assert told(standing, made)[0]["subject"] == {"kind": "api_key", "id": made["id"], "name": made["name"]}
    assert standing.audit("user.created", user.body)[0]["actor"] == {"kind": "api_key", "id": made["id"], "name": made["name"]}


def test_what_is_revoked_stays_revoked(standing):
    made = make(standing)
    standing.admin.delete(path(made)).ok(204)
    before = shown(standing, made)
    standing.admin.delete(path(made)).refused(409, "state_conflict")
    standing.admin.patch(path(made), {"expires_at": None}).refused(409, "state_conflict")
    assert shown(standing, made) == before


def test_an_expired_key_is_out_until_it_is_given_more_time(standing):
    made = make(standing, "users:read", expires_at="2999-01-01T00:00:00Z")
    client = holder(standing, made)
    client.get("/v1/users").ok(200)
    standing.sql("UPDATE rollcall.api_key SET expires_at = now() WHERE id = %s", made["id"])
    client.get("/v1/users").refused(401, "unauthenticated")
    assert shown(standing, made)["state"] == "expired"
    standing.admin.patch(path(made), {"expires_at": "2999-01-01T00:00:00Z"}).ok(200)
    client.get("/v1/users").ok(200)


def test_keys_are_the_organizations_and_stay_when_their_maker_goes(server_only):
    maker = server_only.create_administrator()
    made = make(server_only, "users:read", by=server_only.sign_in(maker))
    server_only.admin.post(f"/v1/users/{maker['id']}/inactivate").ok(200)
    holder(server_only, made).get("/v1/users").ok(200)
    assert shown(server_only, made)["maker"] == {"kind": "user", "id": maker["id"], "name": "Olena Koval"}


def test_a_request_under_way_may_end_and_every_later_one_is_out(server_only):
    """However many are on their way when it is revoked: what begins after the answer is refused."""
    made = make(server_only, "users:read")
    clients = [holder(server_only, made) for _ in range(4)]

    def ask(client, count):
        return [client.get("/v1/users", limit=1).status for _ in range(count)]

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask, client, 25) for client in clients]
        server_only.admin.delete(path(made)).ok(204)
        assert server_only.client(made["key"]).get("/v1/users").status == 401
        for future in running:
            statuses = future.result()
            assert set(statuses) <= {200, 401} and statuses == sorted(statuses), statuses


PUT_OUT = {
    "his key is revoked": ("a key", "UPDATE rollcall.api_key SET revoked_at = now() WHERE id = %s"),
    "he is inactivated": ("a user", "UPDATE rollcall.users SET status = 'inactive', session_epoch = session_epoch + 1 WHERE id = %s"),
    "his sessions end": ("a user", "UPDATE rollcall.users SET session_epoch = session_epoch + 1 WHERE id = %s"),
    "he signs out": ("a user", "DELETE FROM rollcall.session WHERE user_id = %s"),
}


@pytest.mark.parametrize("how", PUT_OUT)
@pytest.mark.parametrize("edits", [False, True], ids=["makes", "edits"])
def test_who_is_put_out_while_he_makes_a_key_or_edits_one_does_neither(server_only, how, edits):
    """Keys outlive their makers: who holds a stolen one must not win the race for a second, or for more of another."""
    who, statement = PUT_OUT[how]
    another = make(server_only)
    if who == "a key":
        maker = make(server_only, "api_keys:write")
        client = holder(server_only, maker)
    else:
        maker = server_only.create_active(role_id=server_only.make_role("api_keys:write"))
        client = server_only.sign_in(maker)
    client.get("/v1/api-keys").ok(200)
    # What he is written to have been seen waits for nothing here.
    wait_until(lambda: server_only.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'") == 1)
    with server_only.cluster.connect(server_only.database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute(statement, [maker["id"]])
            answer = pool.submit(client.patch, path(another), {"name": "Late"}) if edits else pool.submit(client.post, "/v1/api-keys", {"name": "Late", "permissions": []})
            server_only.wait_for_lock("the key waits for him")
        # 503: the machine was so busy that lock_timeout came first.
        assert answer.result().status in (401, 503)
    assert server_only.value("SELECT count(*) FROM rollcall.api_key WHERE name = 'Late'") == 0
    assert server_only.value("SELECT count(*) FROM rollcall.audit WHERE action LIKE 'api_key.%%' AND changes::text LIKE '%%Late%%'") == 0


def test_two_who_revoke_together_revoke_once(standing):
    made = make(standing)
    clients = [standing.client(standing.admin_token) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda client: client.delete(path(made)), clients))
    assert statuses == [204, 409, 409, 409]
    assert len([row for row in told(standing, made) if row["action"] == "api_key.revoked"]) == 1


def test_a_database_from_before_knows_no_later_key_and_no_later_revocation(standing):
    """What deploy/API-KEYS.md warns of: rows as a backup has them."""
    later, revoked = make(standing, "users:read"), make(standing, "users:read")
    backup = standing.value("SELECT to_jsonb(k) FROM rollcall.api_key k WHERE id = %s", revoked["id"])
    standing.admin.delete(path(revoked)).ok(204)
    standing.sql("DELETE FROM rollcall.api_key WHERE id = ANY (%s::uuid[])", [later["id"], revoked["id"]])
    standing.sql("INSERT INTO rollcall.api_key SELECT * FROM jsonb_populate_record(NULL::rollcall.api_key, %s::jsonb)", json.dumps(backup))
    holder(standing, later).get("/v1/users").refused(401, "unauthenticated")
    holder(standing, revoked).get("/v1/users").ok(200)
    succeeded = standing.command("key", "revoke", "--key", revoked["key"])
    assert succeeded.returncode == 0, succeeded.stderr
    holder(standing, revoked).get("/v1/users").refused(401, "unauthenticated")


# --- sent again (Idempotency-Key)

def test_a_key_that_is_asked_for_again_is_made_once_and_not_shown_again(standing):
    body, headers = {"name": unique("Once"), "permissions": []}, {"Idempotency-Key": f"once-{next(numbers)}"}
    with ThreadPoolExecutor(3) as pool:
        clients = [standing.client(standing.admin_token) for _ in range(3)]
        answers = list(pool.map(lambda client: client.post("/v1/api-keys", body, headers=headers), clients))
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert {answer.code for answer in answers if answer.status == 409} == {"secret_shown_once"}
    standing.admin.post("/v1/api-keys", body, headers=headers).refused(409, "secret_shown_once")
    standing.admin.post("/v1/api-keys", {**body, "permissions": ["a:a"]}, headers=headers).refused(422, "idempotency_key_reused")
    assert standing.value("SELECT count(*) FROM rollcall.api_key WHERE name = %s", body["name"]) == 1


def test_an_edit_and_a_revocation_that_are_sent_again_are_answered_again(standing):
    made = make(standing)
    for _ in range(2):
        assert standing.admin.patch(path(made), {"name": "Again"}, headers={"Idempotency-Key": made["id"], "If-Match": '"1"'}).ok(200)["version"] == 2
    for _ in range(2):
        standing.admin.delete(path(made), headers={"Idempotency-Key": made["id"]}).ok(204)
    assert [row["action"] for row in told(standing, made)] == ["api_key.revoked", "api_key.edited", "api_key.created"]


# --- containment

def test_nobody_makes_or_changes_a_key_so_that_it_holds_what_he_does_not(standing):
    manager = holder(standing, make(standing, "api_keys:write", "users:read"))
    made = make(standing, "users:read", by=manager)
    assert made["maker"]["kind"] == "api_key"
    for words in (["audit:read"], ["*"], ["users:read", "product:view"]):
        manager.post("/v1/api-keys", {"name": "More", "permissions": words}).refused(403, "exceeds_your_permissions")
        manager.patch(path(made), {"permissions": words}).refused(403, "exceeds_your_permissions")
    assert manager.patch(path(made), {"permissions": ["api_keys:write"]}).ok(200)["permissions"] == ["api_keys:write"]


def test_nobody_touches_a_key_that_holds_more_than_he(standing):
    strong = make(standing, "audit:read")
    role_id = standing.make_role("api_keys:write", "users:read")
    user = standing.sign_in(standing.create_active(role_id=role_id))
    for client in (user, holder(standing, make(standing, "api_keys:write"))):
        client.get(path(strong)).ok(200)
        for body in ({"name": "Mine"}, {"permissions": []}, {"expires_at": None}, {}):
            client.patch(path(strong), body).refused(403, "exceeds_your_permissions")
        client.delete(path(strong)).refused(403, "exceeds_your_permissions")
    assert shown(standing, strong)["version"] == 1


def test_a_key_bounds_the_keys_that_it_makes(standing):
    """Else a key of a week, or of one network, would make itself one for ever and everywhere."""
    bounds = {"expires_at": "2999-06-01T00:00:00Z", "networks": ["127.0.0.0/8", "2001:db8::/32"]}
    manager = make(standing, "api_keys:write", **bounds)
    client = holder(standing, manager)
    for change in ({"expires_at": None}, {"expires_at": ...}, {"expires_at": "2999-06-01T00:00:01Z"}, {"networks": None}, {"networks": ...},
                   {"networks": ["126.0.0.0/7"]}, {"networks": ["127.0.0.1", "10.0.0.1"]}, {"networks": ["0.0.0.0/0"]}):
        body = {member: value for member, value in {"name": "Child", "permissions": [], **bounds, **change}.items() if value is not ...}
        client.post("/v1/api-keys", body).refused(403, "exceeds_your_permissions")
        if ... not in change.values():
            client.patch(path(manager), change).refused(403, "exceeds_your_permissions")
    child = make(standing, by=client, expires_at="2999-06-01T00:00:00Z", networks=["127.0.0.1", "2001:db8:1::/48"])
    assert client.patch(path(child), {"name": "Renamed"}).ok(200)["name"] == "Renamed"
    assert client.patch(path(manager), {"networks": ["127.0.0.1"]}).ok(200)["networks"] == ["127.0.0.1/32"]
    client.delete(path(child)).ok(204)
    # Nor does it lend its words to one that is not bound.
    other = make(standing)
    client.patch(path(other), {"permissions": ["api_keys:write"]}).refused(403, "exceeds_your_permissions")
    client.patch(path(other), {"permissions": ["api_keys:write"], "expires_at": bounds["expires_at"]}).refused(403, "exceeds_your_permissions")
    client.patch(path(other), {"permissions": ["api_keys:write"], "expires_at": bounds["expires_at"], "networks": ["127.0.0.1"]}).ok(200)
    # A person is not bound by what is a key's.
    standing.admin.patch(path(manager), {"expires_at": None, "networks": None}).ok(200)
    make(standing, by=client)


def test_a_key_may_revoke_itself(standing):
    made = make(standing, "api_keys:write")
    client = holder(standing, made)
    client.delete(path(made)).ok(204)
    client.get("/v1/api-keys").refused(401, "unauthenticated")


def test_who_has_not_the_word_sees_no_key(standing):
    made = make(standing)
    client = holder(standing, make(standing, "users:read", "users:write", "roles:write", "org:write", "policy:write", "audit:read"))
    for method, at, body in (("GET", "/v1/api-keys", None), ("POST", "/v1/api-keys", {}), ("GET", path(made), None), ("PATCH", path(made), {}), ("DELETE", path(made), None)):
        client.call(method, at, json=body).refused(403, "permission_missing")


# --- how many

def test_an_organization_has_at_most_two_hundred_that_are_not_revoked(server_only):
    server_only.sql("INSERT INTO rollcall.api_key (org_id, id, key_hash, name, permissions, expires_at) SELECT %s, gen_random_uuid(), n::text, 'full', '{}',"
                    " CASE WHEN n %% 2 = 0 THEN now() END FROM generate_series(1, 198) n", server_only.org_id)
    clients = [server_only.client(server_only.admin_token) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda client: client.post("/v1/api-keys", {"name": "Last", "permissions": []}), clients))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    made = next(answer.body for answer in answers if answer.status == 201)
    assert "at most 200 keys" in server_only.admin.post("/v1/api-keys", {"name": "More", "permissions": []}).refused(409, "state_conflict")["detail"]
    done = server_only.command("key", "create", "--org", server_only.org_id, "--name", "x", "--permissions", "*")
    assert done.returncode == 1 and "200 keys" in done.stderr and done.stdout == ""
    server_only.admin.delete(path(made)).ok(204)
    make(server_only)
    other = server_only.other_organization()
    assert server_only.client(other["key"]).get("/v1/api-keys").ok(200).items


# --- use, and the list

def test_the_last_use_is_seen_at_most_once_a_minute(standing):
    made = make(standing, "users:read")
    client = holder(standing, made)
    client.get("/v1/users").ok(200)
    first = wait_used(standing, made)
    assert first["last_used_ip"] == "127.0.0.1" and first["version"] == 1
    client.get("/v1/users").ok(200)
    assert shown(standing, made)["last_used_at"] == first["last_used_at"]
    standing.sql("UPDATE rollcall.api_key SET last_used_at = now() - interval '61 seconds' WHERE id = %s", made["id"])
    old = shown(standing, made)["last_used_at"]
    client.get("/v1/users").ok(200)
    assert wait_used(standing, made, since=old)["last_used_at"] > first["last_used_at"]


def wait_used(system, key, since=None):
    def used():
        now = shown(system, key)
        return now["last_used_at"] != since and now
    return wait_until(used, because="its use is written")


@pytest.fixture(scope="module")
def listed(shared_server):
    """Four keys with a word in their names: {state: key}, and one that expires soon."""
    word = f"Listed{next(numbers)}"
    moment = shared_server.moment("7 days")
    keys = {"active": make(shared_server, name=f"{word} b"), "expired": make(shared_server, name=f"{word} a"),
            "revoked": make(shared_server, name=f"{word} d", expires_at=moment), "soon": make(shared_server, name=f"{word} c", expires_at=moment)}
    shared_server.sql("UPDATE rollcall.api_key SET expires_at = now() - interval '1 day' WHERE id = %s", keys["expired"]["id"])
    shared_server.admin.delete(path(keys["revoked"])).ok(204)
    return word, keys


@pytest.mark.parametrize("filters, expected", [
    ({}, ["expired", "active", "soon", "revoked"]), ({"state": "active"}, ["active", "soon"]), ({"state": "expired"}, ["expired"]),
    ({"state": "revoked"}, ["revoked"]), ({"state": "expired,revoked"}, ["expired", "revoked"]),
    ({"state": "active", "expires_before": "8 days"}, ["soon"]), ({"expires_before": "6 days"}, ["expired"]), ({"expires_before": "-2 days"}, []),
])
def test_the_list_is_filtered_by_state_and_by_when_they_expire(standing, listed, filters, expected):
    word, keys = listed
    if "expires_before" in filters:
        filters = {**filters, "expires_before": standing.moment(filters["expires_before"])}
    answer = standing.admin.get("/v1/api-keys", q=word.lower(), count="true", **filters).ok(200)
    assert [row["id"] for row in answer.items] == [keys[name]["id"] for name in expected] and answer["total"] == len(expected)
    assert all(set(row) == SHOWN for row in answer.items)


def test_the_list_has_pages_that_are_sorted_by_name(standing, listed):
    whole = standing.admin.get("/v1/api-keys", limit=200).ok(200).items
    assert standing.admin.pages("/v1/api-keys", limit=2) == whole and len(whole) > 4
    assert [row["name"] for row in whole if listed[0] in row["name"]] == sorted(key["name"] for key in listed[1].values())


@pytest.mark.parametrize("query", ["state=dead", "state=", "state=active,", "expires_before=soon", "limit=0", "limit=201", "cursor=nonsense", "sort=name", "state=active&state=expired"])
def test_a_wrong_parameter_is_refused(standing, query):
    standing.admin.get(f"/v1/api-keys?{query}").refused(400, "invalid_query")


# --- from where it may be used (behind proxies: test_api_key_networks.py)

def test_a_key_from_elsewhere_is_nobodys_to_the_caller_and_news_to_its_organization(standing):
    made = make(standing, "users:read", networks=["192.0.2.0/24", "2001:db8::/32"])
    client = holder(standing, made)
    unknown = standing.client("rck_" + "A" * 64).get("/v1/users").refused(401, "unauthenticated")
    for _ in range(3):
        refused = client.get("/v1/users").refused(401, "unauthenticated")
        assert refused.text == unknown.text and refused.headers["WWW-Authenticate"] == unknown.headers["WWW-Authenticate"]
    rows = wait_refused(standing, made, 1)
    assert rows[0]["actor"] == {"kind": "api_key", "id": made["id"], "name": made["name"]} and rows[0]["ip"] == "127.0.0.1" and rows[0]["request_id"]
    now = shown(standing, made)
    assert now["last_refused_at"] and now["last_used_at"] is None and now["version"] == 1
    line = next(line for line in standing.server.text().splitlines() if made["id"] in line)
    assert " warn " in line and "outside of its networks" in line and made["key"][4:] not in standing.server.text()
    standing.sql("UPDATE rollcall.api_key SET refused_at = now() - interval '61 seconds' WHERE id = %s", made["id"])
    client.get("/v1/users").refused(401, "unauthenticated")
    wait_refused(standing, made, 2)


def wait_refused(system, key, count):
    rows = lambda: [row for row in told(system, key) if row["action"] == "api_key.refused"]
    return wait_until(lambda: len(rows()) == count and rows(), because="the audit tells it")


def test_who_is_no_proxy_of_ours_does_not_say_where_he_is(standing):
    """Rollcall trusts nobody here: the header is the caller's own."""
    client = holder(standing, make(standing, "users:read", networks=["192.0.2.0/24"]))
    client.call("GET", "/v1/users", headers={"X-Forwarded-For": "192.0.2.7"}).refused(401, "unauthenticated")
    client = holder(standing, make(standing, "users:read", networks=["127.0.0.1"]))
    client.call("GET", "/v1/users", headers={"X-Forwarded-For": "192.0.2.7"}).ok(200)


def test_what_is_no_key_is_refused_whatever_it_looks_like(standing):
    key = make(standing, "*")["key"]
    for token in (key[:-1], key + "A", key + "=", key.upper(), key.replace("rck_", "RCK_"), key.replace("rck_", "rck-"), key[4:], "rck_", "rco_" + key[4:],
                  key[:20] + "+" + key[21:], key + " x", f"\"{key}\""):
        standing.client(token).get("/v1/users").refused(401, "unauthenticated")
    standing.client("rck_" + "A" * 22 + key[26:]).get("/v1/users").refused(401, "unauthenticated")
