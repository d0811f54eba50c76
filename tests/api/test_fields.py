"""/v1/fields: what may be defined, what stays as it is, what goes with a field; and the schema of a role."""
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.system import numbers

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def make_field(system, **members):
    body = {"key": f"field_{next(numbers)}", "labels": {"en": "Field"}, "type": "text", **members}
    return system.admin.post("/v1/fields", body).ok(201).body


def path(field):
    return f"/v1/fields/{field['id']}"


# --- definitions

def test_a_field_is_shown_as_it_was_defined(standing):
    role = standing.make_role("users:read")
    made = make_field(standing, key="home_hub", labels={"en": "Hub", "uk": "Хаб"}, type="choice", options=["Kyiv", "Львів, \"центр\""],
                      required_for_roles=[role])
    assert {name: made[name] for name in ("key", "label", "labels", "type", "options", "pattern", "required_for_roles", "version")} == {
        "key": "home_hub", "label": "Hub", "labels": {"en": "Hub", "uk": "Хаб"}, "type": "choice", "options": ["Kyiv", "Львів, \"центр\""],
        "pattern": None, "required_for_roles": [role], "version": 1}
    assert standing.admin.get(path(made)).ok(200).body == made


def test_a_label_is_in_the_organizations_language_and_shown_in_the_readers(standing):
    made = standing.admin.post("/v1/fields", {"key": "warehouse", "label": "Warehouse", "type": "text"}).ok(201).body
    assert (made["label"], made["labels"]) == ("Warehouse", {"en": "Warehouse"})
    changed = standing.admin.patch(path(made), {"labels": {"uk": "Склад"}}).ok(200)
    assert (changed["label"], changed["labels"]) == ("Warehouse", {"en": "Warehouse", "uk": "Склад"})
    for language, label in (("uk", "Склад"), ("ru", "Warehouse"), ("en", "Warehouse")):
        reader = standing.client(standing.make_key("users:read"), **{"Accept-Language": language})
        assert reader.get(path(made)).ok(200)["label"] == label
    reader = standing.client(standing.make_key("users:read"), **{"Accept-Language": "uk"})
    assert "Склад" in [field["label"] for field in reader.pages("/v1/fields", q="СКЛАД")]
    changed = standing.admin.patch(path(made), {"label": "Depot"}).ok(200)
    assert changed["labels"] == {"en": "Depot", "uk": "Склад"}
    told = standing.audit("field.edited", made)[0]["changes"]
    assert told == {"labels": [{"en": "Warehouse", "uk": "Склад"}, {"en": "Depot", "uk": "Склад"}]}
    only = standing.admin.patch(path(made), {"labels": {"en": None}}).ok(200)
    assert (only["label"], only["labels"]) == ("Склад", {"uk": "Склад"})
    assert standing.admin.patch(path(made), {"labels": {"uk": None}}).refused(422).faults() == {"/labels": "required"}


BAD = {
    "nothing": ({}, {"/key": "required", "/type": "required", "/label": "required"}),
    "wrong types": ({"key": 1, "label": [], "type": {}, "options": "x", "pattern": 5, "required_for_roles": "x"},
                    {"/key": "wrong_type", "/label": "wrong_type", "/type": "wrong_type", "/options": "wrong_type", "/pattern": "wrong_type",
                     "/required_for_roles": "wrong_type"}),
    "a key with capitals": ({"key": "Hub"}, {"/key": "invalid"}),
    "a key that begins with a digit": ({"key": "2hub"}, {"/key": "invalid"}),
    "a key in another script": ({"key": "хаб"}, {"/key": "invalid"}),
    "a key of 64": ({"key": "a" * 64}, {"/key": "too_long"}),
    "an unknown type": ({"type": "colour", "options": ["red"], "pattern": "("}, {"/type": "invalid"}),
    "label and labels": ({"label": "Hub"}, {"/label": "invalid"}),
    "bad labels": ({"labels": {"en": "", "uk": 5, "de": "Haus", "ru": "x" * 201, "a/b": "x"}},
                   {"/labels/en": "invalid", "/labels/uk": "wrong_type", "/labels/de": "unknown_field", "/labels/ru": "too_long",
                    "/labels/a~1b": "unknown_field"}),
    "no labels": ({"labels": {}}, {"/labels": "required"}),
    "a choice without options": ({"type": "choice"}, {"/options": "required"}),
    "a choice of nothing": ({"type": "choice", "options": []}, {"/options": "required"}),
    "options of a text": ({"options": ["a"]}, {"/options": "invalid"}),
    "bad options": ({"type": "choice", "options": ["a", "", "b", 5, "a", "x" * 201, None]},
                    {"/options/1": "invalid", "/options/3": "wrong_type", "/options/4": "invalid", "/options/5": "too_long", "/options/6": "wrong_type"}),
    "too many options": ({"type": "choice", "options": [str(n) for n in range(201)]}, {"/options": "too_long"}),
    "a pattern of a number": ({"type": "number", "pattern": "\\d"}, {"/pattern": "invalid"}),
    "a pattern that is none": ({"pattern": "("}, {"/pattern": "invalid"}),
    "a pattern that refers back": ({"pattern": "(a)\\1"}, {"/pattern": "invalid"}),
    "a pattern that would be huge": ({"pattern": "(a{1,255}){1,255}"}, {"/pattern": "invalid"}),
    "a long pattern": ({"pattern": "a" * 201}, {"/pattern": "too_long"}),
    "roles that there are not": ({"required_for_roles": [UNKNOWN, "no-id", 5, UNKNOWN.upper()]},
                                 {"/required_for_roles/0": "unknown_id", "/required_for_roles/1": "unknown_id", "/required_for_roles/2": "wrong_type",
                                  "/required_for_roles/3": "unknown_id"}),
}


@pytest.mark.parametrize("name", BAD)
def test_faults_of_a_definition_are_named_all_at_once(standing, name):
    body, faults = BAD[name]
    if body:
        body = {"key": f"bad_{next(numbers)}", "type": "text", **({} if name == "wrong types" else {"labels": {"en": "Bad"}}), **body}
    assert standing.admin.post("/v1/fields", body).refused(422, "invalid_body").faults() == faults


def test_a_role_of_another_organization_is_as_unknown_as_none(standing):
    other, mine = standing.other_organization(), standing.make_role()
    body = {"key": "foreign", "label": "x", "type": "text", "required_for_roles": [mine, other["role_id"]]}
    foreign = standing.admin.post("/v1/fields", body).refused(422)
    unknown = standing.admin.post("/v1/fields", {**body, "required_for_roles": [mine, UNKNOWN]}).refused(422)
    assert foreign["errors"] == unknown["errors"] and foreign.faults() == {"/required_for_roles/1": "unknown_id"}


@pytest.mark.parametrize("type, value", [("text", "x"), ("number", 5), ("boolean", True), ("date", "2026-11-27"), ("choice", "a")])
def test_every_type_can_be_made_and_key_and_type_stay(standing, type, value):
    made = make_field(standing, type=type, **({"options": ["a"]} if type == "choice" else {}))
    answer = standing.admin.patch(path(made), {"key": "other", "type": "text", "pattern": "("}).refused(422)
    assert answer.faults() == {"/key": "read_only", "/type": "read_only", "/pattern": "invalid"}
    user = standing.create_user(attributes={made["key"]: value})
    assert user["attributes"] == {made["key"]: value}


def test_an_option_that_somebody_has_is_not_taken_away(standing):
    field = make_field(standing, type="choice", options=["north", "south", "east"])
    users = [standing.create_user(attributes={field["key"]: "north"}) for _ in range(2)]
    answer = standing.admin.patch(path(field), {"options": ["south"]}).refused(409, "state_conflict")
    assert "2 users" in answer["detail"]
    assert standing.admin.patch(path(field), {"options": ["north", "west"]}).ok(200)["options"] == ["north", "west"]
    for user in users:
        standing.admin.patch(f"/v1/users/{user['id']}", {"attributes": {field["key"]: "west"}}).ok(200)
    assert standing.admin.patch(path(field), {"options": ["west"]}).ok(200)["options"] == ["west"]


def test_a_deleted_field_takes_its_values_along_and_no_others(standing):
    field, kept = make_field(standing), make_field(standing)
    holders = [standing.create_user(attributes={field["key"]: "a value", kept["key"]: "kept"}) for _ in range(3)]
    without = standing.create_user(attributes={kept["key"]: "kept"})
    standing.admin.delete(path(field)).ok(204)
    for user in holders:
        now = standing.user(user)
        assert (now["attributes"], now["version"]) == ({kept["key"]: "kept"}, user["version"] + 1)
    assert standing.user(without) == without
    told = standing.audit("field.deleted", field)[0]["changes"]
    assert told == {"key": [field["key"], None], "type": ["text", None], "labels": [{"en": "Field"}, None], "users": [3, 0]}
    assert "a value" not in json.dumps(standing.audit("field.deleted") + standing.audit("field.edited"))
    # the key is free again, and what was there does not come back
    assert make_field(standing, key=field["key"])["key"] == field["key"]
    assert standing.user(holders[0])["attributes"] == {kept["key"]: "kept"}


def test_a_role_that_is_gone_is_no_longer_shown(standing):
    gone, stays = standing.make_role(), standing.make_role()
    field = make_field(standing, required_for_roles=[gone, stays])
    standing.sql("DELETE FROM rollcall.role WHERE id = %s", gone)
    assert standing.admin.get(path(field)).ok(200)["required_for_roles"] == [stays]


def test_an_organization_has_at_most_a_hundred_fields_however_many_ask_at_once(standing):
    other = standing.other_organization()
    standing.sql("INSERT INTO rollcall.field (org_id, id, key, type) SELECT %s, gen_random_uuid(), 'f' || n, 'text' FROM generate_series(1, 97) n", other["id"])

    def ask(number):
        return standing.client(other["key"]).post("/v1/fields", {"key": f"more{number}", "label": "x", "type": "text"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sorted(answer.status for answer in answers if answer.status != 503)[:3] == [201, 201, 201]
    assert standing.value("SELECT count(*) FROM rollcall.field WHERE org_id = %s", other["id"]) == 100
    assert "100" in ask(9).refused(409, "state_conflict")["detail"]


# --- a field that many have

def crowd(system, count, **members):
    """A field, and the ids of as many who have "old" in it, in the order in which they lose it: before all whom the API makes."""
    field = make_field(system, **members)
    made = system.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, email, status, status_reason, attributes, version)"
                      " SELECT %s, overlay(gen_random_uuid()::text placing '00' from 1 for 2)::uuid, 'Many', 'Many',"
                      " gen_random_uuid() || '@example.org', 'pending', 'created', jsonb_build_object(%s::text, 'old'), 0"
                      " FROM generate_series(1, %s) RETURNING id::text", system.org_id, field["key"], count)
    # As autovacuum does: plans that were made of empty tables are made anew.
    system.db.execute("ANALYZE rollcall.users")
    return field, sorted(made)


def holders(system, field):
    return system.value("SELECT array_agg(id::text ORDER BY id) FROM rollcall.users WHERE attributes ? %s", field["key"]) or []


def test_a_field_of_many_goes_a_page_of_them_at_a_time_and_what_was_broken_off_goes_on(standing):
    """One statement took all values: past some sixty thousand it never came to its end, and held their users at every try."""
    field, crowded = crowd(standing, 1700)
    late = standing.create_user()
    headers = {"Idempotency-Key": field["id"], "If-Match": '"1"'}
    with standing.cluster.connect(standing.database) as other, other.transaction():
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [crowded[1200]])
        standing.admin.delete(path(field), headers=headers).refused(503, "unavailable")
    assert holders(standing, field) == crowded[1000:]
    for user in (late["id"], crowded[0]):
        standing.admin.patch(f"/v1/users/{user}", {"attributes": {field["key"]: "new"}}).ok(200)
    standing.admin.delete(path(field), headers=headers).ok(204)
    standing.admin.get(path(field)).refused(404, "not_found")
    standing.admin.delete(path(field), headers=headers).ok(204)
    assert holders(standing, field) == []
    assert standing.value("SELECT count(*) FROM rollcall.users WHERE id = ANY (%s::uuid[]) AND version = 1", crowded[1:]) == 1699
    told = [row["changes"]["users"] for row in standing.audit() if row["subject"]["id"] == field["id"] and "users" in row["changes"]]
    assert sum(before for before, _ in told) == 1702 and {after for _, after in told} == {0}


def test_a_field_that_changes_while_it_goes_is_looked_at_anew(standing):
    """Who deletes what he has seen does not delete what became of it: what the pages before took is gone, the rest stays."""
    field, crowded = crowd(standing, 600)
    # Locks are waited for one after another: the field's new version is there when the page of the others is over.
    with standing.cluster.connect(standing.database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [crowded[0]])
            answer = pool.submit(standing.admin.delete, path(field), headers={"If-Match": '"1"'})
            standing.wait_for_lock("the first page waits")
            other.execute("UPDATE rollcall.field SET labels = '{\"en\": \"Other\"}', version = version + 1 WHERE id = %s", [field["id"]])
        assert answer.result().status in (412, 503)
    assert set(holders(standing, field)) >= set(crowded[500:])
    assert standing.admin.get(path(field)).ok(200)["label"] == "Other"


def test_an_option_more_asks_nobody_and_an_option_less_asks_all(standing):
    field, crowded = crowd(standing, 3, type="choice", options=["old", "unused"])
    assert standing.admin.patch(path(field), {"options": ["old", "unused", "new"]}).ok(200)["options"] == ["old", "unused", "new"]
    assert standing.admin.patch(path(field), {"options": ["new", "old"]}).ok(200)["options"] == ["new", "old"]
    assert "3 users:" in standing.admin.patch(path(field), {"options": ["new"]}).refused(409, "state_conflict")["detail"]
    assert holders(standing, field) == crowded


# --- races: a value is never of a field or an option that is gone

def meet(system, hold, call, change):
    """Starts the call while a transaction of ours holds what it needs; the change happens in that transaction."""
    with system.cluster.connect(system.database) as db, ThreadPoolExecutor(1) as pool:
        with db.transaction():
            db.execute(*hold)
            answer = pool.submit(call)
            system.wait_for_lock("the call waits for us")
            db.execute(*change)
        return answer.result()


@pytest.mark.parametrize("write", ["create", "edit"])
@pytest.mark.parametrize("change, fault", [("DELETE FROM rollcall.field WHERE id = %s", "unknown_field"),
                                           ("UPDATE rollcall.field SET options = '{new}', version = version + 1 WHERE id = %s", "invalid")],
                         ids=["deleted", "an option less"])
def test_who_writes_a_value_while_its_field_changes_is_asked_again(standing, write, change, fault):
    field, user = make_field(standing, type="choice", options=["old", "new"]), standing.create_user()
    body = {"attributes": {field["key"]: "old"}}

    def call():
        if write == "edit":
            return standing.admin.patch(f"/v1/users/{user['id']}", body)
        return standing.admin.post("/v1/users", {"email": f"race{next(numbers)}@example.org", "first_name": "A", "last_name": "B", **body})

    answer = meet(standing, ("SELECT FROM rollcall.field WHERE id = %s FOR UPDATE", [field["id"]]), call, (change, [field["id"]]))
    assert answer.refused(422, "invalid_body").faults() == {f"/attributes/{field['key']}": fault}
    assert standing.value("SELECT count(*) FROM rollcall.users WHERE attributes ? %s", field["key"]) == 0
    assert standing.user(user) == user


@pytest.mark.parametrize("change", ["delete", "take the option"])
def test_who_changes_a_field_while_a_value_is_written_sees_it(standing, change):
    field, user = make_field(standing, type="choice", options=["old", "new"]), standing.create_user()
    path_of = path(field)
    answer = meet(standing, ("SELECT FROM rollcall.field WHERE id = %s FOR SHARE", [field["id"]]),
                  lambda: standing.admin.delete(path_of) if change == "delete" else standing.admin.patch(path_of, {"options": ["new"]}),
                  ("UPDATE rollcall.users SET attributes = jsonb_build_object(%s::text, 'old') WHERE id = %s", [field["key"], user["id"]]))
    if change == "delete":
        answer.ok(204)
        assert standing.user(user)["attributes"] == {}
    else:
        assert "1 user:" in answer.refused(409, "state_conflict")["detail"]
        assert standing.admin.get(path_of).ok(200)["options"] == ["old", "new"]


# --- the schema of a role

def schema_of(client, role):
    answer = client.get(f"/v1/roles/{role}/schema").ok(200)
    assert answer.headers["Content-Type"] == "application/schema+json"
    return json.loads(answer.response.content)


def test_a_roles_schema_says_what_a_user_of_it_must_have(standing):
    role = standing.make_role("users:read", name="Driver")
    hub = make_field(standing, type="choice", options=["Kyiv", "Lviv"], labels={"en": "Hub", "uk": "Хаб"}, required_for_roles=[role])
    plate = make_field(standing, pattern="[A-Z]{2}\\d{4}")
    others = {type: make_field(standing, type=type) for type in ("number", "boolean", "date")}
    schema = schema_of(standing.admin, role)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema" and schema["title"] == "Driver"
    assert schema["required"] == ["email", "first_name", "last_name", "attributes"] and schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["email"] == {"type": "string", "format": "email", "minLength": 1, "maxLength": 254}
    assert properties["first_name"] == {"type": "string", "minLength": 1, "maxLength": 200}
    assert properties["username"]["type"] == ["string", "null"]
    assert properties["role_id"] == {"const": role}
    assert properties["kind"] == {"enum": ["employee"]} and properties["status"] == {"enum": ["pending"]}
    assert properties["password"] == {"type": "string", "minLength": 12, "maxLength": 1024, "writeOnly": True}
    assert properties["locale"] == {"enum": ["en", "uk", "ru", None]}
    attributes = properties["attributes"]
    assert attributes["required"] == [hub["key"]] and attributes["additionalProperties"] is False
    assert attributes["properties"][hub["key"]] == {"title": "Hub", "enum": ["Kyiv", "Lviv"]}
    assert attributes["properties"][plate["key"]] == {"title": "Field", "type": "string", "minLength": 1, "maxLength": 1000,
                                                      "pattern": "^(?:[A-Z]{2}\\d{4})$"}
    assert attributes["properties"][others["number"]["key"]]["type"] == "number"
    assert attributes["properties"][others["boolean"]["key"]]["type"] == "boolean"
    assert attributes["properties"][others["date"]["key"]]["format"] == "date"
    assert "refused" in attributes["$comment"]
    reader = standing.client(standing.make_key("users:read"), **{"Accept-Language": "uk"})
    assert schema_of(reader, role)["properties"]["attributes"]["properties"][hub["key"]]["title"] == "Хаб"
    # a role that requires nothing asks for no attributes
    free = schema_of(standing.admin, standing.make_role())
    assert "attributes" not in free["required"] and free["properties"]["attributes"]["required"] == []


def test_a_schema_lists_what_the_body_may_have_and_nothing_else(standing):
    """Each property is a member that POST /v1/users knows; what it knows and is not there is read-only or the policy's."""
    schema = schema_of(standing.admin, standing.make_role())
    answer = standing.admin.post("/v1/users", {name: {"wrong": "type"} for name in schema["properties"]}).refused(422)
    assert {answer.faults()[f"/{name}"] for name in schema["properties"] if name != "attributes"} == {"wrong_type"}


def test_a_schema_follows_the_policy(standing):
    other = standing.other_organization("keycrm")
    client, role = standing.client(other["key"]), other["role_id"]
    schema = schema_of(client, role)
    assert schema["required"] == ["username", "first_name", "last_name", "role_id", "password"]
    assert "own_permissions" not in schema["properties"] and schema["properties"]["email"]["type"] == ["string", "null"]
    standing.sql("UPDATE rollcall.policy SET password_at_create = 'forbidden', initial_status = 'chosen_by_admin', "
                 "user_kinds = '{employee,external}', required_fields = 'mark_incomplete' WHERE org_id = %s", other["id"])
    schema = schema_of(client, role)
    assert "password" not in schema["properties"] and schema["properties"]["kind"] == {"enum": ["employee", "external"]}
    assert schema["properties"]["status"] == {"enum": ["pending", "active", "inactive"]}
    assert "incomplete" in schema["properties"]["attributes"]["$comment"]


def test_the_schema_of_a_role_that_there_is_not_is_not_found(standing):
    for role in (UNKNOWN, standing.other_organization()["role_id"], "no-id"):
        standing.admin.get(f"/v1/roles/{role}/schema").refused(404, "not_found")


def test_a_pattern_means_to_the_schemas_reader_what_it_means_here(standing):
    field = make_field(standing, pattern="^\\+?\\d{2,3}(-[a-cї]|\\.x)*$")
    pattern = schema_of(standing.admin, standing.make_role())["properties"]["attributes"]["properties"][field["key"]]["pattern"]
    user = standing.create_user()
    for text in ("12", "+123-a-ї", "12.x.x", "1", "12-d", "x12", "12 ", "12-", "++12", str(uuid.uuid4())):
        answer = standing.admin.patch(f"/v1/users/{user['id']}", {"attributes": {field["key"]: text}})
        assert (answer.status == 200) == bool(re.search(pattern, text)), (text, answer)
