"""POST /v1/users: what a new user becomes, and every reason not to make one."""
import itertools
import uuid

import pytest

numbers = itertools.count(1)
PASSWORD = "violet tractor under seven moons"


def fields(**more):
    return {"email": f"new{next(numbers)}@example.org", "first_name": "Ліна", "last_name": "Костенко", **more}


def test_a_new_user_is_pending_invited_and_as_he_was_sent(standing):
    standing.set_policy(user_kinds=["employee", "external"])
    body = fields(username="lina.kostenko", phone="+380 (44) 123-45-67", external_id="HR-0042", kind="external", locale="uk",
                  own_permissions=["product:view"])
    answer = standing.admin.post("/v1/users", body).ok(201)
    user = answer.body
    assert answer.headers["Location"] == f"/v1/users/{user['id']}"
    assert answer.headers["ETag"] == f'"{user["version"]}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert {**body, "phone": "+380441234567"} == {name: user[name] for name in body}
    assert (user["status"], user["status_reason"]) == ("pending", "invited")
    assert user["organization_id"] == standing.org_id
    assert user["permissions"] == ["product:view"]
    assert user["invitation"]["state"] == "pending"
    assert user["invitation"]["invited_by"] == standing.admin_id
    assert user["invitation"]["renewals"] == 0
    assert user["invitation"]["delivery"]["state"] == "queued"
    assert user["last_login_at"] is None
    assert standing.user(user) == user


def test_the_answer_has_every_field_that_clients_rely_on(standing):
    user = standing.create_user()
    for name in ("id organization_id email username first_name last_name phone external_id kind status status_reason status_changed_at"
                 " role_id role permissions own_permissions email_pending department_id position group_ids attributes locale incomplete on_day_off"
                 " assignable invitation photo_url last_login_at last_active_at version created_at updated_at").split():
        assert name in user, name
    assert user["created_at"].endswith("Z") and "T" in user["created_at"]
    assert uuid.UUID(user["id"]).version == 7


def test_a_user_needs_names_and_says_so_for_each(standing):
    answer = standing.admin.post("/v1/users", {"email": "someone@example.org"}).refused(422, "invalid_body")
    assert answer.faults() == {"/first_name": "required", "/last_name": "required"}


def test_all_faults_of_a_body_come_at_once(standing):
    answer = standing.admin.post("/v1/users", {
        "email": "not an address", "first_name": 7, "phone": "12", "kind": "robot", "role_id": str(uuid.uuid4()), "username": "a@b",
        "password": "short", "locale": "tlh", "version": 3, "nickname": "x", "invite": "yes", "own_permissions": ["ok:word", "", 1],
        "status": "locked"}).refused(422, "invalid_body")
    assert answer.faults() == {
        "/email": "invalid", "/first_name": "wrong_type", "/last_name": "required", "/phone": "invalid", "/kind": "invalid",
        "/role_id": "unknown_id", "/username": "invalid", "/password": "too_short", "/locale": "invalid", "/version": "read_only",
        "/nickname": "unknown_field", "/invite": "wrong_type", "/own_permissions/1": "invalid", "/own_permissions/2": "wrong_type",
        "/status": "invalid"}
    assert all(fault["detail"] for fault in answer["errors"])


FAULTS = {
    "email without a domain": ({"email": "olena@"}, {"/email": "invalid"}),
    "email with a space": ({"email": "olena koval@example.org"}, {"/email": "invalid"}),
    "email with a line end": ({"email": "olena@example.org\r\nBcc: all@example.org"}, {"/email": "invalid"}),
    "email of two": ({"email": "a@example.org,b@example.org"}, {"/email": "invalid"}),
    "email too long": ({"email": "a" * 60 + "@" + "b" * 200 + ".org"}, {"/email": "too_long"}),
    "email a number": ({"email": 12}, {"/email": "wrong_type"}),
    "email empty": ({"email": ""}, {"/email": "invalid"}),
    "email missing": ({"email": None}, {"/email": "required"}),
    "first name with a line end": ({"first_name": "Olena\r\nBcc: x@example.org"}, {"/first_name": "invalid"}),
    "first name with a tab": ({"first_name": "Ole\tna"}, {"/first_name": "invalid"}),
    "first name empty": ({"first_name": ""}, {"/first_name": "required"}),
    "first name blank": ({"first_name": "   "}, {"/first_name": "invalid"}),
    "first name null": ({"first_name": None}, {"/first_name": "required"}),
    "first name an object": ({"first_name": {"a": 1}}, {"/first_name": "wrong_type"}),
    "first name of 201": ({"first_name": "я" * 201}, {"/first_name": "too_long"}),
    "username with @": ({"username": "olena@koval"}, {"/username": "invalid"}),
    "username with a space": ({"username": "olena koval"}, {"/username": "invalid"}),
    "username of 65": ({"username": "o" * 65}, {"/username": "too_long"}),
    "phone of letters": ({"phone": "call me"}, {"/phone": "invalid"}),
    "phone without a country": ({"phone": "0441234567"}, {"/phone": "invalid"}),
    "phone too long": ({"phone": "+1234567890123456"}, {"/phone": "invalid"}),
    "phone a number": ({"phone": 380441234567}, {"/phone": "wrong_type"}),
    "external id of 201": ({"external_id": "x" * 201}, {"/external_id": "too_long"}),
    "external id empty": ({"external_id": ""}, {"/external_id": "invalid"}),
    "kind unknown": ({"kind": "Employee"}, {"/kind": "invalid"}),
    "kind null": ({"kind": None}, {"/kind": "wrong_type"}),
    "role unknown": ({"role_id": "00000000-0000-7000-8000-000000000000"}, {"/role_id": "unknown_id"}),
    "role no uuid": ({"role_id": "admin"}, {"/role_id": "unknown_id"}),
    "role a number": ({"role_id": 5}, {"/role_id": "wrong_type"}),
    "permissions a text": ({"own_permissions": "users:read"}, {"/own_permissions": "wrong_type"}),
    "permissions with a space": ({"own_permissions": ["users read"]}, {"/own_permissions/0": "invalid"}),
    "permissions null in it": ({"own_permissions": [None]}, {"/own_permissions/0": "wrong_type"}),
    "permissions 101": ({"own_permissions": [f"a:{n}" for n in range(101)]}, {"/own_permissions": "too_long"}),
    "locale unknown": ({"locale": "de"}, {"/locale": "invalid"}),
    "password empty": ({"password": ""}, {"/password": "required"}),
    "password too short": ({"password": "tractor"}, {"/password": "too_short"}),
    "password too long": ({"password": "x" * 1025}, {"/password": "too_long"}),
    "password common": ({"password": "passwordpassword"}, {"/password": "too_common"}),
    "password of his own name": ({"password": "kostenko1234", "last_name": "Kostenko"}, {"/password": "too_common"}),
    "password a number": ({"password": 123456789012}, {"/password": "wrong_type"}),
    "invite a text": ({"invite": "true"}, {"/invite": "wrong_type"}),
    "status unknown": ({"status": "banned"}, {"/status": "invalid"}),
    "read-only id": ({"id": "00000000-0000-7000-8000-000000000000"}, {"/id": "read_only"}),
    "unknown member with a slash": ({"a/b~c": 1}, {"/a~1b~0c": "unknown_field"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_pointer_and_code_and_nothing_is_made(standing, name):
    change, expected = FAULTS[name]
    before = standing.value("SELECT count(*) FROM rollcall.users")
    answer = standing.admin.post("/v1/users", {**fields(), **change}).refused(422, "invalid_body")
    assert answer.faults() == expected
    assert standing.value("SELECT count(*) FROM rollcall.users") == before


FINE = {
    "a plus in the address": {"email": "olena+rollcall@example.org"},
    "capitals in the address": {"email": "Olena.KOVAL@Example.ORG"},
    "a name in Cyrillic": {"first_name": "Їжак", "last_name": "Щербань-Ґава"},
    "an apostrophe": {"last_name": "O'Hara; DROP TABLE users; --"},
    "markup": {"first_name": "<b>Olena</b>", "last_name": "\"quoted\" \\ back"},
    "an emoji": {"first_name": "Olena 🌻"},
    "200 characters": {"first_name": "я" * 200},
    "a username in Cyrillic": {"username": "олена.коваль"},
    "nulls where they may be": {"username": None, "phone": None, "external_id": None, "role_id": None, "locale": None},
    "no permissions": {"own_permissions": []},
}


@pytest.mark.parametrize("name", FINE)
def test_an_unusual_value_comes_back_as_it_was_sent(standing, name):
    body = fields(**FINE[name])
    user = standing.admin.post("/v1/users", body).ok(201).body
    assert {key: user[key] for key in body} == body
    assert standing.user(user) == user


TAKEN = {"email": ("Twice@Example.org", "twice@example.ORG", "email_taken"), "username": ("Twice", "tWICE", "username_taken"),
         "external_id": ("X-1", "X-1", "external_id_taken")}


@pytest.mark.parametrize("name", TAKEN)
def test_what_must_be_unique_is_refused_the_second_time(standing, name):
    first, second, code = TAKEN[name]
    standing.admin.post("/v1/users", fields(**{name: first})).ok(201)
    standing.admin.post("/v1/users", fields(**{name: second})).refused(409, code)


def test_external_ids_that_differ_in_case_are_two(standing):
    standing.admin.post("/v1/users", fields(external_id="case")).ok(201)
    standing.admin.post("/v1/users", fields(external_id="CASE")).ok(201)


def test_two_organizations_may_share_a_person(server_only):
    other = server_only.other_organization()
    email = server_only.value("SELECT email FROM rollcall.users WHERE id = %s", other["user_id"])
    server_only.admin.post("/v1/users", fields(email=email)).ok(201)


def test_a_role_of_the_organization_gives_its_permissions_and_one_of_another_is_unknown(server_only):
    role_id = server_only.make_role("users:read", "product:view", name="Reader")
    other = server_only.other_organization()
    user = server_only.admin.post("/v1/users", fields(role_id=role_id, own_permissions=["extra:word"])).ok(201).body
    assert (user["role"], user["role_id"]) == ("Reader", role_id)
    assert user["permissions"] == ["extra:word", "product:view", "users:read"]
    answer = server_only.admin.post("/v1/users", fields(role_id=other["role_id"])).refused(422, "invalid_body")
    unknown = server_only.admin.post("/v1/users", fields(role_id=str(uuid.uuid4()))).refused(422, "invalid_body")
    assert answer.faults() == {"/role_id": "unknown_id"}
    assert answer["errors"] == unknown["errors"]


def test_a_role_is_made_with_its_first_user(standing):
    """S3-08. Neither is there without the other."""
    wanted = {"name": "Inline", "permissions": ["order:write", "order:read", "order:read"], "color": "#27ae60"}
    user = standing.admin.post("/v1/users", fields(role=wanted)).ok(201).body
    role = standing.admin.get(f"/v1/roles/{user['role_id']}").ok(200)
    assert (role["name"], role["permissions"], role["color"], role["users"]) == ("Inline", ["order:read", "order:write"], "#27ae60", 1)
    assert (user["role"], user["permissions"]) == ("Inline", ["order:read", "order:write"])
    assert [row["action"] for row in standing.audit() if row["subject"]["id"] == role["id"]] == ["role.created"]
    before = standing.value("SELECT count(*) FROM rollcall.users"), standing.value("SELECT count(*) FROM rollcall.role")
    standing.admin.post("/v1/users", fields(role={"name": "INLINE", "permissions": []})).refused(409, "name_taken")
    standing.admin.post("/v1/users", fields(role={"name": "Alone", "permissions": []}, email=user["email"])).refused(409, "email_taken")
    assert (standing.value("SELECT count(*) FROM rollcall.users"), standing.value("SELECT count(*) FROM rollcall.role")) == before


INLINE_FAULTS = {
    "a text": ("Manager", {"/role": "wrong_type"}),
    "empty": ({}, {"/role/name": "required", "/role/permissions": "required"}),
    "all wrong": ({"name": 5, "permissions": ["ok:word", "no word"], "color": "red", "a/b": 1},
                  {"/role/name": "wrong_type", "/role/permissions/1": "invalid", "/role/color": "invalid", "/role/a~1b": "unknown_field"}),
}


@pytest.mark.parametrize("name", INLINE_FAULTS)
def test_faults_of_a_role_made_with_its_user_are_named(standing, name):
    role, expected = INLINE_FAULTS[name]
    answer = standing.admin.post("/v1/users", fields(role=role, first_name=None)).refused(422, "invalid_body")
    assert answer.faults() == {**expected, "/first_name": "required"}


def test_a_role_is_named_or_made_not_both(standing):
    role_id, made = standing.make_role(), {"name": "Both", "permissions": []}
    assert standing.admin.post("/v1/users", fields(role=made, role_id=role_id)).refused(422).faults() == {"/role": "invalid"}
    assert standing.admin.post("/v1/users", fields(role=None, role_id=role_id)).ok(201)["role_id"] == role_id
    assert standing.admin.post("/v1/users", fields(role=made, role_id=None)).ok(201)["role"] == "Both"


def test_a_role_made_with_its_user_needs_the_permission_and_holds_no_more_than_its_maker(standing):
    role = {"name": "Strong", "permissions": ["audit:read"]}
    client = standing.client(standing.make_key("users:write", "users:invite", "audit:read"))
    assert "roles:write" in client.post("/v1/users", fields(role=role)).refused(403, "permission_missing")["detail"]
    client = standing.client(standing.make_key("users:write", "users:invite", "roles:write"))
    client.post("/v1/users", fields(role=role)).refused(403, "exceeds_your_permissions")
    assert client.post("/v1/users", fields(role={"name": "Weak", "permissions": ["roles:write"]})).ok(201)["role"] == "Weak"


def test_each_fault_that_a_policy_makes_one_names_it(server_only):
    server_only.set_policy(role_required=True, user_kinds=["external"], position_free_text=False, password_min_length=20)
    body = {"first_name": "Ліна", "last_name": "Костенко", "phone": "none", "position": "Poet", "password": "violet tractor"}
    answer = server_only.admin.post("/v1/users", body).refused(422, "invalid_body", policy="role_required")
    assert {error["pointer"]: error.get("policy") for error in answer["errors"]} == {
        "/phone": None, "/role_id": "role_required", "/email": "email_required", "/kind": "user_kinds", "/position": "position_free_text",
        "/password": "password_min_length"}


def test_where_a_role_is_required_nobody_is_made_without(server_only):
    server_only.set_policy(role_required=True)
    for body in (fields(), fields(role_id=None), fields(role=None)):
        answer = server_only.admin.post("/v1/users", body).refused(422, "invalid_body")
        assert answer.faults() == {"/role_id": "required"} and "role_required" in answer["errors"][0]["detail"]
    server_only.create_user(role_id=server_only.make_role())
    server_only.create_user(role={"name": "Made", "permissions": []})


def test_where_permissions_come_from_roles_alone_none_are_given_to_a_user(server_only):
    server_only.set_policy(permissions_per_user=False)
    server_only.admin.post("/v1/users", fields(own_permissions=["product:view"])).refused(403, "refused_by_policy", policy="permissions_per_user")
    assert server_only.create_user(own_permissions=[])["permissions"] == []


def test_a_new_user_starts_with_the_default_permissions_unless_told_otherwise(server_only):
    """S1-02. His maker need not hold them, neither then nor when he changes him later."""
    server_only.set_policy(default_permissions=["product:view"])
    client = server_only.client(server_only.make_key("users:read", "users:write", "users:invite", "users:password", "audit:read"))
    user = client.post("/v1/users", fields()).ok(201).body
    assert user["own_permissions"] == user["permissions"] == ["product:view"]
    assert client.post("/v1/users", fields(own_permissions=[])).ok(201)["permissions"] == []
    assert client.post("/v1/users", fields(own_permissions=["audit:read"])).ok(201)["permissions"] == ["audit:read"]
    assert client.post("/v1/users", fields(own_permissions=["audit:read", "product:view"])).ok(201)
    client.post("/v1/users", fields(own_permissions=["product:edit"])).refused(403, "exceeds_your_permissions")
    path = f"/v1/users/{user['id']}"
    assert all(action["allowed"] for action in client.get(f"{path}/actions").ok(200).items if action["action"] == "edit")
    client.patch(path, {"first_name": "Known"}).ok(200)
    client.patch(path, {"own_permissions": ["audit:read", "product:view"]}).ok(200)
    client.patch(path, {"own_permissions": ["product:edit", "product:view"]}).refused(403, "exceeds_your_permissions")
    client.post(f"{path}/inactivate").ok(200)


def test_a_password_at_creation_makes_the_user_active_without_a_link(standing):
    user = standing.create_user(password=PASSWORD)
    assert (user["status"], user["status_reason"], user["invitation"]) == ("active", "by_admin", None)
    standing.login(user["email"], PASSWORD).ok(201)


def test_nobody_creates_a_user_with_permissions_that_he_does_not_hold(standing):
    client = standing.client(standing.make_key("users:write", "users:invite", "users:password", "product:view"))
    client.post("/v1/users", fields(own_permissions=["product:view"])).ok(201)
    client.post("/v1/users", fields(own_permissions=["audit:read"])).refused(403, "exceeds_your_permissions")
    client.post("/v1/users", fields(own_permissions=["*"])).refused(403, "exceeds_your_permissions")
    admin_role = str(standing.value("SELECT id FROM rollcall.role WHERE permissions = '{*}' AND org_id = %s", standing.org_id))
    client.post("/v1/users", fields(role_id=admin_role)).refused(403, "exceeds_your_permissions")


def test_an_invitation_and_a_password_need_their_own_permissions(standing):
    client = standing.client(standing.make_key("users:write"))
    assert "users:invite" in client.post("/v1/users", fields()).refused(403, "permission_missing")["detail"]
    assert "users:password" in client.post("/v1/users", fields(password=PASSWORD)).refused(403, "permission_missing")["detail"]


def test_an_api_key_invites_in_nobodys_name(standing):
    user = standing.machine.post("/v1/users", fields()).ok(201).body
    assert user["invitation"]["invited_by"] is None


POLICIES = [
    ("status active by default", {}, {"status": "active"}, 403, "initial_status"),
    ("status inactive by default", {}, {"status": "inactive"}, 403, "initial_status"),
    ("status pending", {}, {"status": "pending"}, ("pending", "invited"), None),
    ("status active where chosen", {"initial_status": "chosen_by_admin", "invite_on_create": "ask"}, {"status": "active"}, ("active", "by_admin"), None),
    ("status inactive where chosen", {"initial_status": "chosen_by_admin"}, {"status": "inactive"}, ("inactive", "by_admin"), None),
    ("invited inactive", {"initial_status": "chosen_by_admin"}, {"status": "inactive", "invite": True}, 409, None),
    ("declines the invitation", {}, {"invite": False}, 403, "invite_on_create"),
    ("never invited, asks", {"invite_on_create": "never"}, {"invite": True}, 403, "invite_on_create"),
    ("never invited", {"invite_on_create": "never"}, {}, ("pending", "created"), None),
    ("not asked", {"invite_on_create": "ask"}, {}, ("pending", "created"), None),
    ("asked", {"invite_on_create": "ask"}, {"invite": True}, ("pending", "invited"), None),
    ("password required", {"password_at_create": "required"}, {}, 403, "password_at_create"),
    ("password forbidden", {"password_at_create": "forbidden"}, {"password": PASSWORD}, 403, "password_at_create"),
    ("password does not activate", {"admin_password_activates": False}, {"password": PASSWORD}, ("pending", "invited"), None),
    ("no address, none needed", {"email_required": False, "login_identifier": "either"}, {"email": None, "username": "nomail"}, ("pending", "created"), None),
    ("no address, asks for a mail", {"email_required": False, "login_identifier": "either"}, {"email": None, "username": "nomail", "invite": True}, 409, None),
]


@pytest.mark.parametrize("name, policy, change, expected, refusing", POLICIES, ids=[row[0] for row in POLICIES])
def test_a_policy_decides_how_a_user_begins(standing, name, policy, change, expected, refusing):
    defaults = {"initial_status": "pending", "invite_on_create": "always", "password_at_create": "optional",
                "admin_password_activates": True, "email_required": True, "login_identifier": "email"}
    standing.set_policy(**{**defaults, **policy})
    try:
        answer = standing.admin.post("/v1/users", {key: value for key, value in fields(**change).items() if value is not None})
        if isinstance(expected, int):
            answer.refused(expected, "refused_by_policy" if refusing else "state_conflict", policy=refusing)
        else:
            assert (answer.ok(201)["status"], answer["status_reason"]) == expected
            assert (answer["invitation"] is not None) == (expected[1] == "invited")
    finally:
        standing.set_policy(**defaults)


def test_login_by_username_asks_for_a_username(server_only):
    server_only.set_policy(login_identifier="username")
    answer = server_only.admin.post("/v1/users", fields()).refused(422, "invalid_body")
    assert answer.faults() == {"/username": "required"}


def test_a_creation_leaves_one_mail_one_invitation_and_one_audit_row(server_only):
    user = server_only.create_user()
    assert [row["kind"] for row in server_only.outbox(user)] == ["invitation"]
    assert [row["action"] for row in server_only.audit(user=user)] == ["user.created"]
    assert server_only.row("invitation", user)["generation"] == 1
