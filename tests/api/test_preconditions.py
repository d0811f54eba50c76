"""ETag, If-Match and If-None-Match (DESIGN.md §6; RFC 9110 §13): of every route that reads or changes something with a version.

CHANGES and READS are all of them. A route that is new stands in one of them, or in UNVERSIONED or UNTAGGED with a reason, or the
tests at the end say so; and the OpenAPI document says the same.
"""
import uuid
from types import SimpleNamespace

import pytest

from support import images
from support.system import PASSWORD, numbers
from test_openapi import described, nameless, program, resolve

NEW_PASSWORD = "eleven copper lanterns at noon"
STALE = '"987654321"'


def case(client, path, tag, body=None, data=None):
    """Who asks for what, and the tag of what is there."""
    return SimpleNamespace(client=client, path=path, tag=tag if tag.startswith('"') else f'"{tag}"', body=body, data=data)


def tag_of(system, path):
    return system.admin.get(path).ok(200).headers["ETag"]


# --- what there is to change

def user(action="", body=None, active=False, before=None):
    def arrange(system):
        made = system.create_active() if active else system.create_user()
        path = f"/v1/users/{made['id']}"
        if before:
            system.admin.post(f"{path}/{before}").ok()
        return case(system.admin, path + action, tag_of(system, path), body)
    return arrange


def one_session(system):
    made = system.create_active()
    system.plant_session(made)
    path = f"/v1/users/{made['id']}"
    return case(system.admin, f"{path}/sessions/{system.admin.get(f'{path}/sessions').items[0]['id']}", tag_of(system, path))


def by_external_id(system):
    made = system.create_user(external_id=f"ext-{next(numbers)}")
    return case(system.admin, f"/v1/users/by-external-id/{made['external_id']}", str(made["version"]), {"first_name": "Other"})


def photo(own=False, data=None):
    def arrange(system):
        made = system.create_active()
        path = f"/v1/users/{made['id']}/photo"
        system.admin.call("PUT", path, data=images.png()).ok(204)
        client = system.sign_in(made) if own else system.admin
        return case(client, "/v1/me/photo" if own else path, tag_of(system, path), data=data and data())
    return arrange


def day_off(body=None):
    def arrange(system):
        made = system.create_user()
        return case(system.admin, f"/v1/users/{made['id']}/day-offs/{system.add_day_off(made)['id']}", "1", body)
    return arrange


def assignment(takes=False):
    def arrange(system):
        path, users = f"/v1/assignments/crm/deal/{uuid.uuid4()}", [system.create_user() for _ in range(2)]
        for one in users:
            system.move("users", one, status="'active'")
        made = system.admin.put(path, {"user_id": users[0]["id"]}).ok(200)
        return case(system.admin, path, made.headers["ETag"], None if takes else {"user_id": users[1]["id"]})
    return arrange


def me(path="/v1/me", body=None):
    def arrange(system):
        made = system.create_active()
        return case(system.sign_in(made), path, tag_of(system, f"/v1/users/{made['id']}"), body)
    return arrange


def one_session_of_mine(system):
    made = me()(system)
    made.path = f"/v1/me/sessions/{made.client.get('/v1/me/sessions').items[0]['id']}"
    return made


def only(path, body, read=None):
    """What there is one of; `body` makes another each time."""
    return lambda system: case(system.admin, path, tag_of(system, read or path), body())


def resource(collection, made, body=None, action=""):
    def arrange(system):
        answer = system.admin.post(f"/v1/{collection}", made()).ok(201)
        return case(system.admin, f"/v1/{collection}/{answer['id']}{action}", answer.headers["ETag"], body and body())
    return arrange


def named(member="name", **more):
    return lambda: {member: f"Named {next(numbers)}", **more}


def key_of_field():
    return {"key": f"field_{next(numbers)}", "labels": {"en": "Field"}, "type": "text"}


def members(system):
    made = resource("groups", named())(system)
    made.path, made.body = f"{made.path}/members", {"user_ids": [system.create_user()["id"]]}
    return made


def one_member(system):
    made = members(system)
    system.admin.post(made.path, made.body).ok(200)
    who = made.body["user_ids"][0]
    return case(system.admin, f"{made.path}/{who}", tag_of(system, f"/v1/users/{who}"))


def founded(system):
    slug = f"founded-{next(numbers)}"
    made = system.operator.post("/v1/organizations", {"slug": slug, "name": "Founded", "admin_email": f"boss@{slug}.example"}).ok(201)
    return case(system.operator, f"/v1/organizations/{made['id']}", made.headers["ETag"], named()())


KEY = named(permissions=["users:read"])
ROLE = named(permissions=["product:view"])

CHANGES = {
    "PATCH /v1/users/{id}": user(body={"first_name": "Other"}),
    "PUT /v1/users/by-external-id/{external_id}": by_external_id,
    "POST /v1/users/{id}/activate": user("/activate", before="inactivate"),
    "POST /v1/users/{id}/inactivate": user("/inactivate"),
    "POST /v1/users/{id}/invite": user("/invite"),
    "POST /v1/users/{id}/password": user("/password", {"password": PASSWORD}),
    "POST /v1/users/{id}/password-reset": user("/password-reset", active=True),
    "DELETE /v1/users/{id}/sessions": user("/sessions"),
    "DELETE /v1/users/{id}/sessions/{id}": one_session,
    "PUT /v1/users/{id}/photo": photo(data=images.jpeg),
    "DELETE /v1/users/{id}/photo": photo(),
    "PATCH /v1/users/{id}/day-offs/{id}": day_off({"note": "Other"}),
    "DELETE /v1/users/{id}/day-offs/{id}": day_off(),
    "PUT /v1/assignments/{app}/{type}/{resource}": assignment(),
    "DELETE /v1/assignments/{app}/{type}/{resource}": assignment(takes=True),
    "PATCH /v1/me": me(body={"first_name": "Other"}),
    "PUT /v1/me/password": me("/v1/me/password", {"current_password": PASSWORD, "password": NEW_PASSWORD}),
    "DELETE /v1/me/sessions": me("/v1/me/sessions"),
    "DELETE /v1/me/sessions/{id}": one_session_of_mine,
    "PUT /v1/me/photo": photo(own=True, data=images.jpeg),
    "DELETE /v1/me/photo": photo(own=True),
    "PATCH /v1/organization": only("/v1/organization", named()),
    "PATCH /v1/policy": only("/v1/policy", lambda: {"idle_brake": 20 + next(numbers) % 70}),
    "POST /v1/policy/preset": only("/v1/policy/preset", lambda: {"preset": "default"}, "/v1/policy"),
    "POST /v1/policy/simulate": only("/v1/policy/simulate", lambda: {"policy": {"idle_brake": 30}}, "/v1/policy"),
    "PATCH /v1/positions/{id}": resource("positions", named("title"), named("title")),
    "DELETE /v1/positions/{id}": resource("positions", named("title")),
    "PATCH /v1/departments/{id}": resource("departments", named(), named()),
    "DELETE /v1/departments/{id}": resource("departments", named()),
    "PATCH /v1/groups/{id}": resource("groups", named(), named()),
    "DELETE /v1/groups/{id}": resource("groups", named()),
    "POST /v1/groups/{id}/members": members,
    "PUT /v1/groups/{id}/members": members,
    "DELETE /v1/groups/{id}/members/{id}": one_member,
    "PATCH /v1/fields/{id}": resource("fields", key_of_field, lambda: {"labels": {"en": f"Field {next(numbers)}"}}),
    "DELETE /v1/fields/{id}": resource("fields", key_of_field),
    "PATCH /v1/roles/{id}": resource("roles", ROLE, named()),
    "DELETE /v1/roles/{id}": resource("roles", ROLE),
    "POST /v1/roles/{id}/copy": resource("roles", ROLE, named(), "/copy"),
    "PATCH /v1/api-keys/{id}": resource("api-keys", KEY, named()),
    "DELETE /v1/api-keys/{id}": resource("api-keys", KEY),
    "PATCH /v1/organizations/{id}": founded,
}
# They change something, and nothing that one could have read the version of.
UNVERSIONED = {
    **dict.fromkeys(["POST /v1/users", "POST /v1/users/{id}/day-offs", "POST /v1/positions", "POST /v1/departments", "POST /v1/groups", "POST /v1/fields",
                     "POST /v1/roles", "POST /v1/api-keys", "POST /v1/organizations", "POST /v1/exports", "POST /v1/imports", "POST /v1/users/deletions",
                     "POST /v1/users/selections"], "makes something new"),
    "POST /v1/users/bulk": "each operation has its if_version",
    **dict.fromkeys(["POST /v1/users/deletions/{id}/confirm", "POST /v1/users/selections/{id}/confirm"], "a set that has changed since is refused by itself"),
    **dict.fromkeys(["PUT /v1/imports/{id}/parts/{number}", "POST /v1/imports/{id}/parse", "POST /v1/imports/{id}/apply", "POST /v1/imports/{id}/undo",
                     "POST /v1/outbox/{id}/retry"], "goes by its state"),
    **dict.fromkeys(["DELETE /v1/sessions/current", "POST /v1/idle-sweeps/release", "POST /v1/test-mail", "POST /v1/bounces"], "is about no object that one reads"),
}
READS = {
    "GET /v1/users/{id}": user(), "GET /v1/me": me(), "GET /v1/organization": only("/v1/organization", named()), "GET /v1/policy": only("/v1/policy", named()),
    "GET /v1/positions/{id}": resource("positions", named("title")), "GET /v1/departments/{id}": resource("departments", named()),
    "GET /v1/groups/{id}": resource("groups", named()), "GET /v1/fields/{id}": resource("fields", key_of_field), "GET /v1/roles/{id}": resource("roles", ROLE),
    "GET /v1/api-keys/{id}": resource("api-keys", KEY), "GET /v1/organizations/{id}": founded,
}
# Of their bytes: who has them already is told so (test_photos.py, test_openapi.py).
WHOLE = {"GET /v1/users/{id}/photo": photo(), "GET /v1/me/photo": photo(own=True)}
UNTAGGED = {
    **dict.fromkeys(["GET /v1/users/selections/{id}", "GET /v1/imports/{id}", "GET /v1/exports/{id}"], "work on its way, which goes by its state"),
    **dict.fromkeys(["GET /v1/users/export", "GET /v1/imports/template", "GET /v1/imports/{id}/report", "GET /v1/exports/{id}/file"], "a file, made for this answer"),
    **dict.fromkeys(["GET /v1/auth/verify", "GET /v1/sessions/current", "GET /v1/me/sessions/{id}", "GET /v1/users/{id}/sessions/{id}"],
                    "who asks, or with what, which is in no version"),
    **dict.fromkeys(["GET /v1/users/{id}/actions", "GET /v1/roles/{id}/schema", "GET /v1/assignments/{app}/{type}/{resource}"], "follows from several objects"),
}


def send(made, name, **headers):
    headers = {header.replace("_", "-"): value for header, value in headers.items()}
    return made.client.call(name.split()[0], made.path, json=made.body, data=made.data, headers=headers)


# --- what a client sees

@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_made_only_to_what_was_read(standing, name):
    made = CHANGES[name](standing)
    said = send(made, name, If_Match=STALE).refused(412, "version_mismatch")["detail"]
    assert "Read it again" in said
    send(made, name, If_Match=f'{STALE}, "1234567",, "0abc"').refused(412, "version_mismatch")
    for weak_or_none in (f"W/{made.tag}", made.tag.strip('"'), f"{made.tag} {made.tag}", f"{made.tag}, oh", '"', ""):
        assert "If-Match must be the ETag" in send(made, name, If_Match=weak_or_none).refused(412, "version_mismatch")["detail"], weak_or_none
    assert "If-None-Match" in send(made, name, If_None_Match="*").refused(412, "version_mismatch")["detail"]
    for there in (made.tag, f"W/{made.tag}", f'{STALE},W/"7" ,\t{made.tag}'):
        assert "If-None-Match" in send(made, name, If_None_Match=there).refused(412, "version_mismatch")["detail"], there
    for none in (made.tag.strip('"'), f"{made.tag} {made.tag}", '*, "1"', '"'):
        assert "If-None-Match must be" in send(made, name, If_None_Match=none).refused(412, "version_mismatch")["detail"], none
    # It is as it was: so its tag is good, also as one of a list.
    send(made, name, If_Match=f'{STALE} ,W/"7",\t{made.tag}', If_None_Match=STALE).ok()


@pytest.mark.parametrize("name", CHANGES)
def test_an_asterisk_is_whatever_is_there(standing, name):
    made = CHANGES[name](standing)
    answer = send(made, name, If_Match="*").ok()
    if answer.body and "version" in answer.body:
        assert answer.headers["ETag"] == f'"{answer["version"]}"'


def nothing(system):
    """What PUT makes where it is not there: {name: (path, body, data, what is there afterwards)}."""
    external_id, resource_id, owner = f"ext-{next(numbers)}", uuid.uuid4(), system.create_user()
    system.move("users", owner, status="'active'")
    return {
        "user": (f"/v1/users/by-external-id/{external_id}", {"email": f"{external_id}@example.org", "first_name": "A", "last_name": "B"}, None,
                 f"/v1/users?external_id={external_id}"),
        "assignment": (f"/v1/assignments/crm/deal/{resource_id}", {"user_id": owner["id"]}, None, f"/v1/assignments/crm/deal/{resource_id}"),
        "photo": (f"/v1/users/{owner['id']}/photo", None, images.png(), f"/v1/users/{owner['id']}/photo"),
    }


@pytest.mark.parametrize("what", ["user", "assignment", "photo"])
def test_put_makes_only_what_it_may(standing, what):
    path, body, data, read = nothing(standing)[what]
    put = lambda **headers: standing.admin.call("PUT", path, json=body, data=data, headers={name.replace("_", "-"): value for name, value in headers.items()})
    for match in ("*", STALE):
        assert "there is none" in put(If_Match=match).refused(412, "version_mismatch")["detail"]
    there = standing.admin.get(read)
    assert there.status == 404 or there.items == []
    put(If_None_Match=f'"1", {STALE}' if what == "assignment" else "*").ok()
    put(If_None_Match="*").refused(412, "version_mismatch")
    put(If_Match="*").ok()
    put(If_None_Match=STALE).ok()


@pytest.mark.parametrize("name", READS)
def test_what_is_read_has_its_version_as_tag_and_is_read_whole_each_time(standing, name):
    """A version does not move with all that is shown (a login, a delivery, a role's name): 304 would hide it."""
    made = READS[name](standing)
    made.body = None
    answer = send(made, name).ok(200)
    assert answer.headers["ETag"] == f'"{answer["version"]}"' == made.tag and answer.headers["Cache-Control"] == "no-store"
    for known in (made.tag, "*"):
        assert send(made, name, If_None_Match=known).ok(200).body == answer.body
    assert made.client.call("HEAD", made.path).ok(200).headers["ETag"] == made.tag


@pytest.mark.parametrize("name", WHOLE)
def test_who_has_all_bytes_is_not_sent_them_again(standing, name):
    made = WHOLE[name](standing)
    for known in (made.tag, f"W/{made.tag}", f'{STALE}, {made.tag}', "*"):
        assert send(made, name, If_None_Match=known).ok(304).headers["ETag"] == made.tag
    for other in (STALE, made.tag.strip('"'), f"{made.tag[:-1]}0\""):
        send(made, name, If_None_Match=other).ok(200)


def test_a_name_that_moves_meanwhile_keeps_members_out(server_only):
    """The version is looked at again where the change is written."""
    made = members(server_only)
    group = made.path.removesuffix("/members")
    server_only.admin.patch(group, {"name": "Renamed"}).ok(200)
    send(made, "POST", If_Match=made.tag).refused(412, "version_mismatch")
    assert server_only.admin.get(group)["users"] == 0
    made.tag = tag_of(server_only, group)
    assert send(made, "POST", If_Match=made.tag).ok(200)["users"] == 1
    # Members do not move it: who adds some need not read again.
    send(made, "PUT", If_Match=made.tag).ok(200)


# --- and of all routes

def guarded():
    """Routes of whoever has credentials, as the program prints them."""
    return [route for route in program()["routes"] if route["access"] not in ("public", "anonymous")]


def operation(name):
    return described()[tuple(nameless(name).split(" ", 1))]


def answers(name):
    """{status: answer} of what is granted."""
    return {status: resolve(answer) for status, answer in operation(name)["responses"].items() if status.startswith("2")}


def has_version(name):
    schemas = [answer.get("content", {}).get("application/json", {}).get("schema", {}) for answer in answers(name).values()]
    return any("version" in resolve(schema).get("properties", {}) for schema in schemas)


def test_every_route_that_changes_something_is_bound_to_a_version_or_says_why_not():
    names = {route["name"] for route in guarded() if not route["name"].startswith("GET ")}
    assert names == CHANGES.keys() | UNVERSIONED.keys() and not CHANGES.keys() & UNVERSIONED.keys()


def test_every_route_that_reads_one_object_has_its_tag_or_says_why_not():
    names = {route["name"] for route in guarded() if route["name"].startswith("GET ") and "cursor" not in (route["query"] or [])}
    assert names == READS.keys() | WHOLE.keys() | UNTAGGED.keys()
    assert {name for name in names if has_version(name)} == READS.keys()


def test_the_document_says_so():
    for route in guarded():
        name, told = route["name"], operation(route["name"])
        headers = {parameter["name"] for parameter in map(resolve, told.get("parameters", [])) if parameter["in"] == "header"}
        assert ("If-Match" in headers) == (name in CHANGES), name
        assert (name in CHANGES) == ("412" in told["responses"]), name
        assert ("If-None-Match" in headers) == (name in WHOLE), name
        for status, answer in answers(name).items():
            if has_version(name):
                assert resolve(answer["headers"]["ETag"])["required"], (name, status)
