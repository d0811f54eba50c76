"""/v1/roles beside what all small resources have in common: who may give what, the last administrator, moving users."""
import json
import re
import uuid

import pytest

from support.system import numbers
from test_queries import QUERIES

UNKNOWN = "01900000-0000-7000-8000-000000000000"
ADMINISTERS = ["roles:write", "users:write"]


def unique(word):
    return f"{word} {next(numbers)}"


def make(system, *permissions, **more):
    return system.admin.post("/v1/roles", {"name": unique("Role"), "permissions": sorted(permissions), **more}).ok(201).body


def path(role):
    return f"/v1/roles/{role['id']}"


def writer(system, *permissions):
    return system.client(system.make_key("users:read", "roles:write", *permissions))


def role_of(system, user):
    return system.user(user)["role_id"]


# --- what a role is

FAULTS = {
    "a colour that is a word": ({"color": "blue"}, {"/color": "invalid"}),
    "a colour of three digits": ({"color": "#fff"}, {"/color": "invalid"}),
    "a colour with more behind it": ({"color": "#ffffff;"}, {"/color": "invalid"}),
    "a colour that is a number": ({"color": 255}, {"/color": "wrong_type"}),
    "permissions that are a text": ({"permissions": "users:read"}, {"/permissions": "wrong_type"}),
    "permissions that are null": ({"permissions": None}, {"/permissions": "required"}),
    "a permission that is no word": ({"permissions": ["users:read", "users read", 7]}, {"/permissions/1": "invalid", "/permissions/2": "wrong_type"}),
    "too many permissions": ({"permissions": [f"a:{n}" for n in range(101)]}, {"/permissions": "too_long"}),
    "an empty name": ({"name": ""}, {"/name": "required"}),
    "a name with a line end": ({"name": "a\nb"}, {"/name": "invalid"}),
    "a name of 201": ({"name": "я" * 201}, {"/name": "too_long"}),
    "several at once": ({"name": 5, "color": "red", "permissions": [None], "users": 3}, {"/name": "wrong_type", "/color": "invalid",
                                                                                       "/permissions/0": "wrong_type", "/users": "unknown_field"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_nothing_is_made(standing, name):
    change, expected = FAULTS[name]
    before = standing.value("SELECT count(*) FROM rollcall.role")
    answer = standing.admin.post("/v1/roles", {"name": unique("Faulty"), "permissions": [], **change}).refused(422, "invalid_body")
    assert answer.faults() == expected
    assert standing.value("SELECT count(*) FROM rollcall.role") == before


def test_permissions_are_a_set_however_they_are_written(standing):
    role = standing.admin.post("/v1/roles", {"name": unique("Set"), "permissions": ["b:b", "a:a", "b:b"]}).ok(201).body
    assert role["permissions"] == ["a:a", "b:b"] and role["color"] is None and role["users"] == 0
    assert standing.admin.patch(path(role), {"permissions": ["b:b", "a:a", "a:a"]}).ok(200).body == role


def test_a_role_counts_its_users_whatever_their_status(standing):
    role = make(standing, "a:a")
    users = [standing.create_user(role_id=role["id"]) for _ in range(3)]
    standing.admin.post(f"/v1/users/{users[0]['id']}/inactivate").ok(200)
    assert standing.admin.get(path(role)).ok(200)["users"] == 3
    assert next(item for item in standing.admin.pages("/v1/roles", limit=200) if item["id"] == role["id"])["users"] == 3


def test_a_role_that_is_edited_acts_at_the_next_request_and_its_users_keep_their_versions(standing):
    role = make(standing, "users:read")
    user = standing.create_active(role_id=role["id"])
    client = standing.sign_in(user)
    client.get("/v1/users").ok(200)
    standing.admin.patch(path(role), {"name": unique("Renamed"), "permissions": ["product:view"]}).ok(200)
    client.get("/v1/users").refused(403, "permission_missing")
    now = standing.user(user)
    assert (now["permissions"], now["version"]) == (["product:view"], user["version"])


def test_a_copy_holds_the_same_under_another_name(standing):
    role = make(standing, "a:a", "b:b", color="#27ae60")
    name = unique("Twin")
    copied = standing.admin.post(f"{path(role)}/copy", {"name": name}).ok(201)
    assert (copied["name"], copied["permissions"], copied["color"], copied["users"]) == (name, ["a:a", "b:b"], "#27ae60", 0)
    assert copied["id"] != role["id"] and copied.headers["Location"] == path(copied.body)
    assert [row["action"] for row in standing.audit() if row["subject"]["id"] == copied["id"]] == ["role.created"]
    standing.admin.post(f"{path(role)}/copy", {"name": name.upper()}).refused(409, "name_taken")
    assert standing.admin.post(f"{path(role)}/copy", {}).refused(422).faults() == {"/name": "required"}
    assert standing.admin.post(f"{path(role)}/copy", {"name": "X", "permissions": []}).refused(422).faults() == {"/permissions": "unknown_field"}
    standing.admin.post(f"/v1/roles/{UNKNOWN}/copy", {"name": unique("Nothing")}).refused(404, "not_found")


# --- containment

def test_nobody_gives_a_role_what_he_does_not_hold(standing):
    client = writer(standing, "product:view")
    role = client.post("/v1/roles", {"name": unique("Weak"), "permissions": ["product:view", "users:read"]}).ok(201).body
    client.post("/v1/roles", {"name": unique("Strong"), "permissions": ["audit:read"]}).refused(403, "exceeds_your_permissions")
    client.post("/v1/roles", {"name": unique("Strongest"), "permissions": ["*"]}).refused(403, "exceeds_your_permissions")
    client.patch(path(role), {"permissions": ["product:view", "audit:read"]}).refused(403, "exceeds_your_permissions")
    client.patch(path(role), {"permissions": ["*"]}).refused(403, "exceeds_your_permissions")
    assert client.get(path(role)).ok(200).body == role
    assert client.patch(path(role), {"permissions": ["roles:write"]}).ok(200)["permissions"] == ["roles:write"]


def test_nobody_touches_a_role_that_holds_more_than_he(standing):
    role, weaker = make(standing, "audit:read", "users:read"), make(standing, "users:read")
    client = writer(standing)
    for change in ({"name": "Mine"}, {"color": "#000000"}, {"permissions": []}, {}):
        client.patch(path(role), change).refused(403, "exceeds_your_permissions")
    client.post(f"{path(role)}/copy", {"name": unique("Mine")}).refused(403, "exceeds_your_permissions")
    client.delete(path(role)).refused(403, "exceeds_your_permissions")
    assert standing.admin.get(path(role)).ok(200).body == role
    # Nor moves people to one, nor people who hold more by themselves.
    client.delete(f"{path(weaker)}?move_to={role['id']}").refused(403, "exceeds_your_permissions")
    strong = standing.create_user(role_id=weaker["id"], own_permissions=["audit:read"])
    client.delete(f"{path(weaker)}?move_to={make(standing)['id']}").refused(403, "exceeds_your_permissions")
    assert standing.user(strong) == strong


# --- at least one administrator, always

def test_a_role_is_not_edited_so_that_nobody_could_administer(server_only):
    role_id = server_only.user(server_only.admin_id)["role_id"]
    administrators = {"id": role_id}
    before = server_only.admin.get(path(administrators)).ok(200).body
    for permissions in ([], ["users:write"], ["roles:write", "users:read"]):
        for client in (server_only.admin, server_only.machine):
            client.patch(path(administrators), {"permissions": permissions}).refused(403, "last_administrator")
    assert server_only.admin.get(path(administrators)).ok(200).body == before
    # Somebody else by a role; by words of his own; by both together: each frees the first one.
    other = make(server_only, *ADMINISTERS)
    half = make(server_only, "roles:write")
    for fields in ({"role_id": other["id"]}, {"own_permissions": ADMINISTERS}, {"role_id": half["id"], "own_permissions": ["users:write"]}):
        pending = server_only.create_user(**fields)
        server_only.machine.patch(path(administrators), {"permissions": []}).refused(403, "last_administrator")
        server_only.accept(server_only.link(pending)).ok(200)
        server_only.machine.patch(path(administrators), {"permissions": []}).ok(200)
        server_only.machine.patch(path(administrators), {"permissions": ["*"]}).ok(200)
        server_only.admin.post(f"/v1/users/{pending['id']}/inactivate").ok(200)
    # The words that make one are enough.
    server_only.machine.patch(path(administrators), {"permissions": ADMINISTERS}).ok(200)


def test_who_administers_by_words_of_his_own_needs_no_role_for_it(server_only):
    role_id = server_only.user(server_only.admin_id)["role_id"]
    server_only.machine.patch(f"/v1/users/{server_only.admin_id}", {"own_permissions": ADMINISTERS}).ok(200)
    server_only.machine.patch(f"/v1/roles/{role_id}", {"permissions": []}).ok(200)
    server_only.machine.patch(f"/v1/users/{server_only.admin_id}", {"own_permissions": []}).refused(403, "last_administrator")


def test_the_administrators_are_moved_only_to_where_one_of_them_still_administers(server_only):
    role_id = server_only.user(server_only.admin_id)["role_id"]
    weak, strong = make(server_only, "users:read"), make(server_only, *ADMINISTERS)
    server_only.machine.delete(f"/v1/roles/{role_id}?move_to={weak['id']}").refused(403, "last_administrator")
    assert server_only.user(server_only.admin_id)["role_id"] == role_id
    server_only.machine.delete(f"/v1/roles/{role_id}?move_to={strong['id']}").ok(204)
    assert server_only.machine.get(f"/v1/users/{server_only.admin_id}").ok(200)["role_id"] == strong["id"]
    server_only.machine.patch(path(strong), {"permissions": ["users:read"]}).refused(403, "last_administrator")


# --- deleting

def test_a_role_that_somebody_has_is_deleted_only_with_somewhere_to_go(standing):
    role, other = make(standing, "a:a"), make(standing, "b:b")
    users = [standing.create_user(role_id=role["id"], own_permissions=["c:c"]) for _ in range(3)]
    stranger = standing.create_user(role_id=other["id"])
    assert "3 users have" in standing.admin.delete(path(role)).refused(409, "state_conflict")["detail"]
    for move_to, code in ((role["id"], "invalid"), (UNKNOWN, "unknown_id"), ("nowhere", "unknown_id")):
        assert standing.admin.delete(f"{path(role)}?move_to={move_to}").refused(400, "invalid_query").faults() == {"move_to": code}
    standing.admin.delete(f"{path(role)}?move_to={other['id']}", headers={"If-Match": '"99"'}).refused(412, "version_mismatch")
    assert [standing.user(user) for user in users] == users
    standing.admin.delete(f"{path(role)}?move_to={other['id']}").ok(204)
    standing.admin.get(path(role)).refused(404, "not_found")
    for user in users:
        now = standing.user(user)
        assert (now["role_id"], now["permissions"], now["version"]) == (other["id"], ["b:b", "c:c"], user["version"] + 1)
        told = standing.audit("user.edited", user)
        assert [row["changes"] for row in told] == [{"role_id": [role["id"], other["id"]]}]
    assert standing.user(stranger) == stranger
    assert standing.admin.get(path(other)).ok(200)["users"] == 4
    told = [row for row in standing.audit("role.deleted") if row["subject"]["id"] == role["id"]]
    assert told[0]["changes"] == {"name": [role["name"], None], "permissions": [["a:a"], None]}


def test_more_users_than_one_statement_moves_stay_where_they_are(server_only):
    role_id, other = server_only.make_role(), server_only.make_role()
    server_only.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, role_id, status, status_reason, version)"
                    " SELECT %s, gen_random_uuid(), 'A', 'B', %s, 'active', 'accepted', 1 FROM generate_series(1, 5001)", server_only.org_id, role_id)
    answer = server_only.admin.delete(f"/v1/roles/{role_id}?move_to={other}").refused(409, "state_conflict")
    assert "5000 users" in answer["detail"]
    server_only.sql("DELETE FROM rollcall.users WHERE id = (SELECT id FROM rollcall.users WHERE role_id = %s LIMIT 1)", role_id)
    server_only.admin.delete(f"/v1/roles/{role_id}?move_to={other}").ok(204)
    assert server_only.value("SELECT count(*) FROM rollcall.users WHERE role_id = %s AND version = 2", other) == 5000


def test_a_role_that_nobody_has_goes_with_or_without_somewhere_to_go(standing):
    role, other = make(standing), make(standing)
    standing.admin.delete(f"{path(role)}?move_to={other['id']}").ok(204)
    standing.admin.delete(path(other)).ok(204)


def test_a_role_of_another_organization_is_nowhere_to_go(standing):
    role, other = make(standing), standing.other_organization()
    answer = standing.admin.delete(f"{path(role)}?move_to={other['role_id']}").refused(400, "invalid_query")
    assert answer.faults() == {"move_to": "unknown_id"}


def make_field(system, *roles, key=None):
    key = key or f"field_{next(numbers)}"
    system.sql("INSERT INTO rollcall.field (org_id, id, key, type, required_for_roles) VALUES (%s, %s, %s, 'text', %s::uuid[])",
               system.org_id, str(uuid.uuid4()), key, list(roles))
    return key


def test_no_field_is_required_for_a_role_that_is_gone(standing):
    role, other = make(standing), make(standing)
    key = make_field(standing, role["id"], other["id"])
    standing.admin.delete(path(role)).ok(204)
    assert [str(one) for one in standing.value("SELECT required_for_roles FROM rollcall.field WHERE key = %s", key)] == [other["id"]]


def test_who_lacks_what_the_other_role_requires_is_not_moved_to_it_where_that_blocks(standing):
    role, other = make(standing), make(standing)
    user = standing.create_user(role_id=role["id"])
    key = make_field(standing, other["id"])
    standing.admin.delete(f"{path(role)}?move_to={other['id']}").refused(403, "refused_by_policy", policy="required_fields")
    assert standing.user(user) == user
    standing.set_policy(required_fields="mark_incomplete")
    standing.admin.delete(f"{path(role)}?move_to={other['id']}").ok(204)
    standing.set_policy(required_fields="block")
    assert (role_of(standing, user), standing.user(user)["incomplete"]) == (other["id"], [key])
    standing.sql("DELETE FROM rollcall.field WHERE key = %s", key)


# --- policies

@pytest.fixture
def fixed_roles(standing):
    standing.set_policy(custom_roles=False)
    yield standing
    standing.set_policy(custom_roles=True)


def test_where_roles_are_fixed_none_is_made_changed_copied_or_deleted(fixed_roles):
    system = fixed_roles
    role = {"id": system.make_role("a:a", name=unique("Fixed"))}
    before = system.sql("SELECT to_jsonb(r) FROM rollcall.role r ORDER BY id")
    client = system.admin
    for answer in (client.post("/v1/roles", {"name": unique("New"), "permissions": []}), client.patch(path(role), {"name": "New"}),
                   client.patch(path(role), {"color": "#ffffff"}), client.post(f"{path(role)}/copy", {"name": "New"}), client.delete(path(role)),
                   client.post("/v1/users", {"email": "inline@example.org", "first_name": "A", "last_name": "B", "role": {"name": "New", "permissions": []}})):
        answer.refused(403, "refused_by_policy", policy="custom_roles")
    assert system.sql("SELECT to_jsonb(r) FROM rollcall.role r ORDER BY id") == before
    system.admin.get(path(role)).ok(200)
    assert system.create_user(role_id=role["id"])["role_id"] == role["id"]


# --- what each product starts with

PRESETS = {
    "default": {"Administrator": ["*"]},
    "hesh": {"Administrator": ["*"]},
    "urbantz": {"Admin": ["*"], "Dispatcher": ["routes:read", "routes:write", "tasks:read", "tasks:write", "users:read"],
                "Driver": ["routes:read", "tasks:read"], "Customer care": ["tasks:read", "users:read"]},
    "keycrm": {"Administrator": ["*"], "Manager": ["clients:read", "clients:write", "orders:read", "orders:write", "reports:read", "users:read"],
               "Operator": ["clients:read", "orders:read", "orders:write"]},
    "wetrack": {"Account Admin": ["*"], "User Admin": ["audit:read", "imports:write", "users:delete", "users:invite", "users:password", "users:read",
                                                       "users:write"], "Admin": ["users:read"], "General": []},
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_brings_its_roles_and_the_founder_has_the_first(standing, preset):
    """S2-03, S3-02, S4-12."""
    made = standing.other_organization(preset)
    client = standing.client(made["key"])
    roles = client.get("/v1/roles").ok(200).items
    assert {role["name"]: role["permissions"] for role in roles} == PRESETS[preset]
    founder = client.get(f"/v1/users/{made['user_id']}").ok(200)
    assert (founder["role"], founder["own_permissions"]) == (next(iter(PRESETS[preset])), [])
    assert [role["users"] for role in roles if role["name"] == founder["role"]] == [1]
    assert all((role["color"] is not None) == (preset == "keycrm") for role in roles)
    fields = standing.sql("SELECT key, type, labels, required_for_roles FROM rollcall.field WHERE org_id = %s", made["id"])
    if preset == "urbantz":  # S2-04
        assert [(key, kind, labels) for key, kind, labels, _ in fields] == [("hub", "text", {"en": "Hub", "uk": "Хаб", "ru": "Хаб"})]
        assert {str(one) for one in fields[0][3]} == {role["id"] for role in roles if role["name"] in ("Dispatcher", "Driver")}
    else:
        assert fields == []
    told = client.pages("/v1/audit", action="role.created")
    assert {row["subject"]["id"] for row in told} == {role["id"] for role in roles}


def test_a_user_admin_gives_the_lesser_roles_and_no_greater_one(standing):
    """S4-01: the roles of WeTrack contain one another."""
    made = standing.other_organization("wetrack")
    admin = standing.client(made["key"])
    roles = {role["name"]: role["id"] for role in admin.get("/v1/roles").ok(200).items}
    client = standing.client(json.loads(standing.command("key", "create", "--org", made["slug"], "--name", "user admin", "--permissions",
                                                         ",".join(PRESETS["wetrack"]["User Admin"])).stdout)["key"])
    for name in ("User Admin", "Admin", "General", "Account Admin"):
        answer = client.post("/v1/users", {"email": f"{next(numbers)}@example.org", "first_name": "A", "last_name": "B", "role_id": roles[name]})
        answer.refused(403, "exceeds_your_permissions") if name == "Account Admin" else answer.ok(201)


def run_query(system, name, **values):
    """One of the programs' statements, by itself."""
    sql, params, _ = QUERIES[name]
    system.db.execute(re.sub(r"\$(\d+)", lambda match: f"%({params[int(match[1]) - 1]})s", sql.replace("%", "%%")), values)


def test_a_presets_roles_and_fields_are_added_as_far_as_an_organization_lacks_them(server_only):
    """What an organization that takes up another preset rests on."""
    system = server_only
    mine, driver = make(system, "own:word"), {"id": system.make_role("own:word", name="DRIVER")}
    key = make_field(system, mine["id"], key="hub")
    newest = system.value("SELECT id FROM rollcall.audit ORDER BY id DESC LIMIT 1")

    def row(number, **more):
        return {"id": str(uuid.uuid4()), "audit_id": str(uuid.UUID(int=newest.int + number)), **more}

    for first in (1, 4):  # a second time changes nothing
        run_query(system, "preset_role_create", org_id=system.org_id, actor='{"kind": "system"}', roles=json.dumps(
            [row(first, name="Driver", permissions=["a:a"]), row(first + 1, name="Dispatcher", permissions=["b:b"], color="#ffffff")]))
        run_query(system, "preset_field_create", org_id=system.org_id, actor='{"kind": "system"}', fields=json.dumps(
            [row(first + 2, key=key, labels={}, type="number", roles=["Driver", "Dispatcher"])]))
    roles = {role["name"]: role for role in system.admin.get("/v1/roles").ok(200).items}
    assert {name: roles[name]["permissions"] for name in ("DRIVER", "Dispatcher")} == {"DRIVER": ["own:word"], "Dispatcher": ["b:b"]}
    kind, version, required = system.value("SELECT type, version, required_for_roles FROM rollcall.field WHERE key = %s", key)
    assert (kind, version) == ("text", 2)
    assert {str(one) for one in required} == {mine["id"], driver["id"], roles["Dispatcher"]["id"]}
    assert len(system.audit("field.edited")) == 1
    assert [row["subject"]["id"] for row in system.audit("role.created")][:2] == [roles["Dispatcher"]["id"], mine["id"]]
