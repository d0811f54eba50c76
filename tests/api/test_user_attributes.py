"""Attributes of users: what a field takes, what a role requires, who is incomplete."""
import pytest

from support.system import numbers

UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def world(shared_server):
    """Fields of each type, and two roles: a courier needs nothing, a driver a hub and a licence."""
    class World:
        def __init__(self, system):
            self.courier, self.driver = system.make_role("users:read"), system.make_role("product:view")
            for body in ({"key": "hub", "type": "choice", "options": ["Kyiv", "Львів"], "required_for_roles": [self.driver]},
                         {"key": "licence", "type": "text", "pattern": "[A-Z]{3}\\d{3}", "required_for_roles": [self.driver]},
                         {"key": "salary", "type": "number"}, {"key": "senior", "type": "boolean"}, {"key": "born", "type": "date"},
                         {"key": "note", "type": "text"}):
                system.admin.post("/v1/fields", {"label": body["key"].title(), **body}).ok(201)

    return World(shared_server)


GOOD = {"hub": "Львів", "licence": "ABC123", "salary": 1200.5, "senior": False, "born": "1991-08-24", "note": "likes\ntea"}
BAD = {"hub": "Odesa", "licence": "abc", "salary": "12", "senior": 0, "born": "2026-02-30", "note": "x" * 1001, "no/such~field": 1}
FAULTS = {"/attributes/hub": "invalid", "/attributes/licence": "invalid", "/attributes/salary": "wrong_type", "/attributes/senior": "wrong_type",
          "/attributes/born": "invalid", "/attributes/note": "too_long", "/attributes/no~1such~0field": "unknown_field"}


def create(system, **members):
    return system.admin.post("/v1/users", {"email": f"attr{next(numbers)}@example.org", "first_name": "Olena", "last_name": "Koval", **members})


def patch(system, user, **members):
    return system.admin.patch(f"/v1/users/{user['id']}", members)


@pytest.fixture
def marking(standing):
    standing.set_policy(required_fields="mark_incomplete")
    yield standing
    standing.set_policy(required_fields="block")


def test_a_user_is_made_with_attributes_and_shows_them(standing, world):
    user = create(standing, attributes=GOOD).ok(201).body
    assert user["attributes"] == GOOD and user["incomplete"] == []
    assert standing.user(user)["attributes"] == GOOD
    assert create(standing, attributes={"note": None}).ok(201)["attributes"] == create(standing).ok(201)["attributes"] == {}


def test_wrong_and_unknown_attributes_are_named_all_at_once(standing, world):
    user = standing.create_user(attributes=GOOD)
    assert create(standing, attributes=BAD, first_name=5).refused(422, "invalid_body").faults() == {**FAULTS, "/first_name": "wrong_type"}
    assert patch(standing, user, attributes=BAD, locale="xx").refused(422, "invalid_body").faults() == {**FAULTS, "/locale": "invalid"}
    for attributes in (None, [], "x"):
        assert patch(standing, user, attributes=attributes).refused(422).faults() == {"/attributes": "wrong_type"}
    assert standing.user(user) == user


def test_a_patch_merges_and_null_takes_away(standing, world):
    user = standing.create_user(attributes={"note": "a", "salary": 1})
    changed = patch(standing, user, attributes={"note": None, "senior": True, "born": None}).ok(200).body
    assert changed["attributes"] == {"salary": 1, "senior": True} and changed["version"] == user["version"] + 1
    for same in ({}, {"salary": 1}, {"note": None}):
        assert patch(standing, user, attributes=same).ok(200).body == changed


def test_the_audit_has_names_for_ever_and_values_as_long_as_they_are_his(standing, world):
    user = standing.create_user(attributes={"note": "before", "salary": 1})
    patch(standing, user, attributes={"note": "behind", "salary": None, "senior": True}, first_name="Ivanna").ok(200)
    changes = {"attributes.note": ["before", "behind"], "attributes.salary": [1, None], "attributes.senior": [None, True], "first_name": ["Olena", "Ivanna"]}
    assert standing.audit("user.edited", user)[0]["changes"] == changes
    standing.sql("UPDATE rollcall.audit_value SET changes = '{}' WHERE user_id = %s", user["id"])
    assert standing.audit("user.edited", user)[0]["changes"] == {name: [] for name in changes}


# S2-05: all fields with * are mandatory.
def test_what_the_role_requires_is_named_where_it_lacks(standing, world):
    missing = {"/attributes/hub": "required", "/attributes/licence": "required"}
    assert create(standing, role_id=world.driver).refused(422).faults() == missing
    assert create(standing, role_id=world.driver, attributes={"hub": "Kyiv", "salary": "x"}).refused(422).faults() == {
        "/attributes/licence": "required", "/attributes/salary": "wrong_type"}
    assert create(standing, role_id=world.driver, attributes={"hub": "nowhere", "licence": None}).refused(422).faults() == {
        "/attributes/hub": "invalid", "/attributes/licence": "required"}
    create(standing, role_id=world.courier).ok(201)
    assert create(standing, role_id=UNKNOWN).refused(422).faults() == {"/role_id": "unknown_id"}
    user = create(standing, role_id=world.driver, attributes={"hub": "Kyiv", "licence": "ABC123"}).ok(201).body
    assert user["incomplete"] == []
    assert patch(standing, user, attributes={"hub": None}).refused(422).faults() == {"/attributes/hub": "required"}
    assert patch(standing, user, attributes={"hub": "Львів"}).ok(200)["attributes"]["hub"] == "Львів"


# S2-13: a role change can make new fields mandatory on an existing user.
def test_a_change_of_roles_says_what_the_new_role_lacks(standing, world):
    user = standing.create_user(role_id=world.courier, attributes={"hub": "Kyiv"})
    assert patch(standing, user, role_id=world.driver).refused(422).faults() == {"/attributes/licence": "required"}
    assert standing.user(user) == user
    changed = patch(standing, user, role_id=world.driver, attributes={"licence": "ABC123"}).ok(200).body
    assert (changed["role_id"], changed["incomplete"]) == (world.driver, [])
    back = patch(standing, changed, role_id=world.courier, attributes={"licence": None}).ok(200).body
    assert back["attributes"] == {"hub": "Kyiv"}
    assert patch(standing, user, role_id=None, attributes={"hub": None}).ok(200)["attributes"] == {}


def test_under_mark_incomplete_he_is_taken_and_listed(marking, world):
    made = create(marking, role_id=world.driver, attributes={"hub": "Kyiv"}).ok(201).body
    assert made["incomplete"] == ["licence"]
    assert create(marking, role_id=world.driver, attributes={"hub": "nowhere"}).refused(422).faults() == {"/attributes/hub": "invalid"}
    moved = patch(marking, marking.create_user(), role_id=world.driver).ok(200).body
    assert moved["incomplete"] == ["hub", "licence"]
    complete = create(marking, role_id=world.driver, attributes={"hub": "Kyiv", "licence": "ABC123"}).ok(201).body
    everybody = {user["id"] for user in marking.admin.pages("/v1/users")}
    for wanted, sort in (("true", "name"), ("false", "-created_at")):
        found = marking.admin.pages("/v1/users", incomplete=wanted, sort=sort, limit=5)
        assert {user["id"] for user in found} == {user["id"] for user in found if bool(user["incomplete"]) == (wanted == "true")}
        assert marking.admin.get("/v1/users", incomplete=wanted, count="true").ok(200)["total"] == len(found)
        assert (complete["id"] in {user["id"] for user in found}) == (wanted == "false")
        everybody -= {user["id"] for user in found}
    assert not everybody
    both = marking.admin.pages("/v1/users", incomplete="true", role_id=world.driver)
    assert {made["id"], moved["id"]} <= {user["id"] for user in both}
    for user in both:
        patch(marking, user, role_id=None).ok(200)
    assert marking.admin.get("/v1/users", incomplete="true").ok(200)["items"] == []
    assert marking.admin.get("/v1/users", incomplete="maybe").refused(400, "invalid_query").faults() == {"incomplete": "invalid"}


def test_a_requirement_that_came_later_lists_and_blocks_only_what_touches_it(standing, world):
    role = standing.make_role()
    user = standing.create_user(role_id=role, attributes={"note": "a"})
    field = standing.admin.post("/v1/fields", {"key": f"late_{next(numbers)}", "label": "Late", "type": "number", "required_for_roles": [role]}).ok(201)
    pointer = f"/attributes/{field['key']}"
    assert standing.user(user)["incomplete"] == [field["key"]]
    assert [one["id"] for one in standing.admin.pages("/v1/users", incomplete="true")] == [user["id"]]
    # other things may be edited, and what he has may be sent back as it is
    patch(standing, user, first_name="Ivanna", role_id=role, attributes={"note": "a"}).ok(200)
    standing.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert patch(standing, user, attributes={"note": "b"}).refused(422).faults() == {pointer: "required"}
    assert patch(standing, user, attributes={"note": "b", field["key"]: 0}).ok(200)["incomplete"] == []
    standing.admin.patch(f"/v1/fields/{field['id']}", {"required_for_roles": []}).ok(200)
    patch(standing, user, attributes={field["key"]: None}).ok(200)


def test_a_new_pattern_is_asked_of_new_values_only(standing, world):
    field = standing.admin.post("/v1/fields", {"key": f"code_{next(numbers)}", "label": "Code", "type": "text"}).ok(201)
    user = standing.create_user(attributes={field["key"]: "anything"})
    standing.admin.patch(f"/v1/fields/{field['id']}", {"pattern": "\\d+"}).ok(200)
    patch(standing, user, attributes={field["key"]: "anything", "note": "sent back"}).ok(200)
    assert patch(standing, user, attributes={field["key"]: "else"}).refused(422).faults() == {f"/attributes/{field['key']}": "invalid"}
    patch(standing, user, attributes={field["key"]: "7"}).ok(200)


@pytest.mark.parametrize("number", ["1e17", "0.00000000000000001", "-12.50", "0"])
def test_a_number_that_was_taken_can_be_edited_beside(standing, world, number):
    """PostgreSQL writes 1e300 as three hundred digits, which our own reader would not take back."""
    body = f'{{"attributes": {{"salary": {number}}}}}'.encode()
    user = standing.create_user()
    headers = {"Content-Type": "application/json"}
    standing.admin.call("PATCH", f"/v1/users/{user['id']}", data=body, headers=headers).ok(200)
    changed = patch(standing, user, attributes={"note": "a"}).ok(200).body
    assert changed["attributes"] == {"salary": float(number), "note": "a"}
    big = b'{"attributes": {"salary": 1e300}}'
    answer = standing.admin.call("PATCH", f"/v1/users/{user['id']}", data=big, headers=headers).refused(422)
    assert answer.faults() == {"/attributes/salary": "too_long"}


def test_incomplete_is_read_only_and_attributes_are_not_ones_own_to_edit(standing, world):
    user = standing.create_active()
    assert patch(standing, user, incomplete=[]).refused(422).faults() == {"/incomplete": "read_only"}
    assert create(standing, incomplete=[]).refused(422).faults() == {"/incomplete": "read_only"}
    himself = standing.sign_in(user)
    assert himself.patch("/v1/me", {"attributes": {"note": "x"}}).refused(422).faults() == {"/attributes": "read_only"}
    himself.patch("/v1/me", {"first_name": "Own"}).ok(200)


def test_fields_of_one_organization_are_unknown_in_another(standing, world):
    other = standing.other_organization()
    client = standing.client(other["key"])
    answer = client.patch(f"/v1/users/{other['user_id']}", {"attributes": {"note": "x"}}).refused(422)
    assert answer.faults() == {"/attributes/note": "unknown_field"}
    client.post("/v1/fields", {"key": "note", "label": "Note", "type": "number"}).ok(201)
    assert client.patch(f"/v1/users/{other['user_id']}", {"attributes": {"note": 5}}).ok(200)["attributes"] == {"note": 5}


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*)(.*)(.*)(.*)(.*)b", "(a{0,15}){0,15}b"])
def test_a_hostile_pattern_holds_up_nobody(standing, world, pattern):
    field = standing.admin.post("/v1/fields", {"key": f"hostile_{next(numbers)}", "label": "x", "type": "text", "pattern": pattern}).ok(201)
    assert create(standing, attributes={field["key"]: "a" * 1000}).refused(422).faults() == {f"/attributes/{field['key']}": "invalid"}
