"""/v1/organizations: what an operator's key is for, and that it is for nothing else."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import links
from support.system import numbers
from support.waiting import wait_until

UNKNOWN = "01900000-0000-7000-8000-000000000000"
PASSWORD = "violet tractor under seven moons"
SHOWN = {"id", "slug", "name", "contact_email", "locale", "timezone", "version", "created_at", "updated_at"}


def body_of(**more):
    slug = f"founded-{next(numbers)}"
    body = {"slug": slug, "name": f"Founded {slug}", "admin_email": f"boss@{slug}.example", **more}
    return {name: value for name, value in body.items() if value is not ...}


def found(system, **more):
    return system.operator.post("/v1/organizations", body_of(**more)).ok(201).body


def path(organization):
    return f"/v1/organizations/{organization['id']}"


def enter(system, made):
    """The first administrator, through his link."""
    system.anyone.post("/v1/invitations/accept", {"token": links.token_of(made["invitation_url"]), "password": PASSWORD}).ok(200)
    login = {"organization": made["slug"], "login": made["contact_email"], "password": PASSWORD}
    return system.client(system.anyone.post("/v1/sessions", login).ok(201)["token"])


# --- founding

def test_an_organization_is_founded_and_its_first_administrator_gets_in(standing):
    body = body_of(name="Ніч & Co", locale="uk", timezone="Europe/Kyiv", preset="hesh")
    answer = standing.operator.post("/v1/organizations", body).ok(201)
    made = answer.body
    assert set(made) == SHOWN | {"organization_id", "user_id", "invitation_url"} and made["organization_id"] == made["id"]
    assert (made["slug"], made["name"], made["contact_email"], made["locale"], made["timezone"]) == (
        body["slug"], "Ніч & Co", body["admin_email"], "uk", "Europe/Kyiv")
    assert answer.headers["Location"] == path(made) and answer.headers["ETag"] == '"1"'
    assert made["invitation_url"].startswith(f"{standing.url}/accept#")
    admin = enter(standing, made)
    me = admin.get("/v1/me").ok(200)
    assert (me["id"], me["role"], me["permissions"], me["status"]) == (made["user_id"], "Administrator", ["*"], "active")
    assert admin.get("/v1/policy").ok(200)["default_permissions"] == ["product:view"]
    assert [row["kind"] for row in admin.get("/v1/outbox").ok(200).items] == ["invitation"]


def test_it_is_what_the_command_makes(standing):
    by_key = found(standing)
    by_command = standing.other_organization()

    def inside(org_id):
        count = lambda table: standing.value(f"SELECT count(*) FROM rollcall.{table} WHERE org_id = %s", org_id)
        return ({table: count(table) for table in ("users", "role", "field", "invitation", "outbox")},
                standing.value("SELECT to_jsonb(p) - '{org_id,updated_at}'::text[] FROM rollcall.policy p WHERE org_id = %s", org_id),
                standing.sql("SELECT action FROM rollcall.audit WHERE org_id = %s AND action <> 'api_key.created' ORDER BY id", org_id))
    assert inside(by_key["id"]) == inside(by_command["id"])


def test_its_audit_says_that_an_operator_did_it_and_with_which_key(standing):
    admin = enter(standing, made := found(standing))
    key_id = str(standing.value("SELECT id FROM rollcall.operator_key WHERE name = 'an operator' ORDER BY id LIMIT 1"))
    rows = [row for row in admin.pages("/v1/audit") if row["actor"]["kind"] == "operator"]
    assert {"organization.created", "role.created", "user.created"} <= {row["action"] for row in rows}
    # Who that is, is the operator's to know: `key list` has its name.
    assert all(row["actor"] == {"kind": "operator", "id": key_id, "name": None} for row in rows)
    assert all(row["ip"] == "127.0.0.1" and row["request_id"] for row in rows)
    assert [row["changes"] for row in rows if row["action"] == "organization.created"] == [{"slug": [None, made["slug"]], "name": [None, made["name"]]}]
    (given,) = [row["changes"] for row in rows if row["action"] == "user.created"]
    me = admin.get("/v1/me").ok(200).body
    assert given == {name: [None, me[name]] for name in ("email", "first_name", "last_name", "kind", "role_id")} | {
        "status": [None, "pending"], "status_reason": [None, "invited"], "invitation": [None, "pending"]}


FAULTS = {
    "nothing": ({"slug": ..., "name": ..., "admin_email": ...}, {"/slug": "required", "/name": "required", "/admin_email": "required"}),
    "a slug with capitals": ({"slug": "Acme"}, {"/slug": "invalid"}),
    "a slug that begins with a digit": ({"slug": "1acme"}, {"/slug": "invalid"}),
    "a slug that ends in a hyphen": ({"slug": "acme-"}, {"/slug": "invalid"}),
    "a slug of one": ({"slug": "a"}, {"/slug": "invalid"}),
    "a slug of 64": ({"slug": "a" * 64}, {"/slug": "too_long"}),
    "an empty slug": ({"slug": ""}, {"/slug": "required"}),
    "a zone that is none": ({"timezone": "Mars/Olympus"}, {"/timezone": "invalid"}),
    "an empty zone": ({"timezone": ""}, {"/timezone": "invalid"}),
    "a preset that is none": ({"preset": "none"}, {"/preset": "invalid"}),
    "a language that is none": ({"locale": "de"}, {"/locale": "invalid"}),
    "no username where one is needed": ({"preset": "keycrm"}, {"/admin_username": "required"}),
    "null where one is needed": ({"preset": "keycrm", "admin_username": None}, {"/admin_username": "required"}),
    "a username with an @": ({"admin_username": "a@b"}, {"/admin_username": "invalid"}),
    "what is not there": ({"id": UNKNOWN, "contact_email": "x"}, {"/id": "unknown_field", "/contact_email": "unknown_field"}),
    "several at once": ({"slug": "A", "name": "", "admin_email": "boss@", "preset": 5, "timezone": "X5", "locale": None},
                        {"/slug": "invalid", "/name": "required", "/admin_email": "invalid", "/preset": "wrong_type", "/timezone": "invalid",
                         "/locale": "wrong_type"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_all_faults_are_named_and_nothing_is_founded(standing, name):
    change, expected = FAULTS[name]
    standing.operator.post("/v1/organizations", {})    # makes the key
    before = [standing.value(f"SELECT count(*) FROM rollcall.{table}") for table in ("organization", "users", "audit", "outbox")]
    assert standing.operator.post("/v1/organizations", body_of(**change)).refused(422, "invalid_body").faults() == expected
    assert [standing.value(f"SELECT count(*) FROM rollcall.{table}") for table in ("organization", "users", "audit", "outbox")] == before


@pytest.mark.parametrize("preset", ["default", "hesh", "urbantz", "keycrm", "wetrack"])
def test_every_preset_is_founded(standing, preset):
    made = found(standing, preset=preset, admin_username="boss")
    assert standing.value("SELECT status FROM rollcall.users WHERE id = %s", made["user_id"]) == "pending"


def test_a_slug_is_taken_once_even_by_two_together(standing):
    made = found(standing)
    answer = standing.operator.post("/v1/organizations", body_of(slug=made["slug"])).refused(409, "name_taken")
    assert "slug" in answer["detail"]
    body, clients = body_of(), [standing.client(standing.operator.token) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda client: client.post("/v1/organizations", body), clients))
    assert statuses == [201, 409, 409, 409]
    assert standing.value("SELECT count(*) FROM rollcall.users WHERE email = %s", body["admin_email"]) == 1


def test_what_was_refused_is_founded_under_the_same_key(standing):
    body, again = body_of(), {"Idempotency-Key": f"key-{next(numbers)}"}
    taken = found(standing)
    for _ in range(2):
        standing.operator.post("/v1/organizations", {**body, "slug": taken["slug"]}, headers=again).refused(409, "name_taken")
    standing.operator.post("/v1/organizations", body, headers=again).ok(201)


def test_of_many_at_once_under_one_key_one_founds_and_the_others_hear_that_it_is_done(standing):
    body, again = body_of(), {"Idempotency-Key": f"key-{next(numbers)}"}
    clients = [standing.client(standing.operator.token) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = sorted((answer.status, answer.code) for answer in pool.map(lambda client: client.post("/v1/organizations", body, headers=again), clients))
    assert answers == [(201, None)] + [(409, "secret_shown_once")] * 3


def test_of_different_ones_at_once_under_one_key_one_is_founded_and_the_others_hear_that_it_is_taken(standing):
    bodies, again = [body_of() for _ in range(4)], {"Idempotency-Key": f"key-{next(numbers)}"}
    clients = [standing.client(standing.operator.token) for _ in bodies]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda client, body: client.post("/v1/organizations", body, headers=again), clients, bodies))
    # 503: the machine was so busy that lock_timeout came first.
    assert {(answer.status, answer.code) for answer in answers if answer.status != 201} <= {(422, "idempotency_key_reused"), (503, "unavailable")}
    slugs = [body["slug"] for body, answer in zip(bodies, answers) if answer.status == 201]
    assert len(slugs) == 1 and standing.sql("SELECT slug FROM rollcall.organization WHERE slug = ANY(%s)", [body["slug"] for body in bodies]) == slugs


def test_the_link_of_the_answer_is_the_one_that_is_mailed(rollcall):
    made = found(rollcall)
    assert rollcall.mail_link(made["contact_email"]) == made["invitation_url"]
    enter(rollcall, made).get("/v1/users").ok(200)


# --- the list, and one of them

def test_the_list_is_sorted_by_slug_and_searched(standing):
    for _ in range(3):
        found(standing)
    whole = standing.operator.get("/v1/organizations", limit=200, count="true").ok(200)
    assert whole["total"] == len(whole.items) and all(set(row) == SHOWN for row in whole.items)
    assert [row["slug"] for row in whole.items] == standing.sql("SELECT slug FROM rollcall.organization ORDER BY slug")
    assert standing.operator.pages("/v1/organizations", limit=2) == whole.items
    last = whole.items[-1]
    assert standing.operator.get("/v1/organizations", q=last["slug"].upper(), count="true").ok(200).items == [last]
    assert standing.operator.get("/v1/organizations", q="nobody has this").ok(200).items == []
    assert standing.operator.get("/v1/organizations", q="%").ok(200).items == []
    standing.operator.get("/v1/organizations?limit=0&cursor=x&slug=acme").refused(400, "invalid_query")


def test_one_is_read_and_changed_and_its_own_people_see_it(standing):
    made = found(standing)
    admin = enter(standing, made)
    read = standing.operator.get(path(made)).ok(200)
    assert set(read.body) == SHOWN and read.body == {name: made[name] for name in SHOWN}
    change = {"name": "Renamed", "contact_email": "office@renamed.example", "locale": "ru", "timezone": "Europe/Kyiv"}
    changed = standing.operator.patch(path(made), change, headers={"If-Match": read.headers["ETag"]}).ok(200)
    assert {name: changed[name] for name in change} == change and changed["version"] == 2
    assert admin.get("/v1/organization").ok(200).body == changed.body
    row = admin.get("/v1/audit", action="organization.edited").ok(200).items[0]
    assert row["actor"]["kind"] == "operator" and row["changes"]["name"] == [made["name"], "Renamed"]
    standing.operator.patch(path(made), {"name": "Late"}, headers={"If-Match": '"1"'}).refused(412, "version_mismatch")
    assert standing.operator.patch(path(made), {}).ok(200).body == changed.body
    answer = standing.operator.patch(path(made), {"slug": "other", "id": UNKNOWN, "name": "", "timezone": "X5"}).refused(422, "invalid_body")
    assert answer.faults() == {"/slug": "read_only", "/id": "read_only", "/name": "invalid", "/timezone": "invalid"}


def test_what_is_sent_again_is_done_once(standing):
    body, other, key = body_of(), body_of(), {"Idempotency-Key": "again"}
    made = standing.operator.post("/v1/organizations", body, headers=key).ok(201)
    standing.operator.post("/v1/organizations", body, headers=key).refused(409, "secret_shown_once")
    standing.operator.post("/v1/organizations", other, headers=key).refused(422, "idempotency_key_reused")
    standing.operator.post("/v1/organizations", body, headers={"Idempotency-Key": "another"}).refused(409, "name_taken")
    assert standing.sql("SELECT slug FROM rollcall.organization WHERE slug = ANY (%s)", [body["slug"], other["slug"]]) == [body["slug"]]
    # Of another operator it is another key.
    standing.client(standing.operator_key("another")).post("/v1/organizations", other, headers=key).ok(201)
    for _ in range(2):
        assert standing.operator.patch(path(made), {"name": "Again"}, headers={**key, "If-Match": '"1"'}).ok(200)["version"] == 2
    # The same key in another organization is another request.
    other = found(standing)
    assert standing.operator.patch(path(other), {"name": "Other"}, headers=key).ok(200)["name"] == "Other"


def test_an_unknown_one_is_not_found(standing):
    standing.operator.get(f"/v1/organizations/{UNKNOWN}").refused(404, "not_found")
    standing.operator.patch(f"/v1/organizations/{UNKNOWN}", {"name": "x"}).refused(404, "not_found")
    standing.operator.get("/v1/organizations/acme").refused(404, "not_found")


# --- the key (what it opens and what not: test_access.py; from where: test_api_key_networks.py)

def test_an_operators_key_ends_like_any_other(server_only):
    for change in ("revoked_at = now()", "expires_at = now()", "networks = '{192.0.2.0/24}'"):
        client = server_only.client(server_only.operator_key(name=change))
        client.get("/v1/organizations").ok(200)
        server_only.sql(f"UPDATE rollcall.operator_key SET {change} WHERE name = %s", change)
        client.get("/v1/organizations").refused(401, "unauthenticated")


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
def test_whose_key_ends_at_that_very_moment_founds_nothing(server_only, change):
    """He was let in before; what he founds waits for whoever holds his key, and then comes to nothing."""
    client, body = server_only.client(server_only.operator_key(name="late")), body_of(name="Late")
    client.get("/v1/organizations").ok(200)
    # That he was seen waits for nothing here.
    wait_until(lambda: server_only.value("SELECT last_used_at IS NOT NULL FROM rollcall.operator_key WHERE name = 'late'"))
    with server_only.cluster.connect(server_only.database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute(f"UPDATE rollcall.operator_key SET {change} WHERE name = 'late'")
            answer = pool.submit(client.post, "/v1/organizations", body)
            server_only.wait_for_lock("founding waits for his key")
        # 503: the machine was so busy that lock_timeout came first.
        assert answer.result().status in (401, 503)
    assert server_only.value("SELECT count(*) FROM rollcall.organization WHERE slug = %s", body["slug"]) == 0


def test_the_last_use_of_an_operators_key_is_seen(standing):
    client = standing.client(standing.operator_key(name="seen"))
    client.get("/v1/organizations").ok(200)
    seen = lambda: [row for row in map(json.loads, standing.command("key", "list", "--operator").stdout.splitlines()) if row["name"] == "seen"][0]
    used = wait_until(lambda: (row := seen())["last_used_at"] and row, because="its use is written")
    assert used["last_used_ip"] == "127.0.0.1" and used["state"] == "active" and used["last_refused_at"] is None


def test_an_operators_key_is_no_cookie(standing):
    standing.client(Cookie=f"__Host-rollcall={standing.operator.token}").get("/v1/organizations").refused(401, "unauthenticated")
