"""What all small resources have in common: five routes, names, versions, audit, pages."""
import pytest

from support.system import numbers

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def unique(word):
    return f"{word} {next(numbers)}"


# path, what makes one, what changes it, what must not be there twice, a permission that may only look
RESOURCES = {
    "positions": (lambda: {"title": unique("Courier")}, lambda: {"title": unique("Senior courier")}, "title", "position"),
    "departments": (lambda: {"name": unique("Depot")}, lambda: {"name": unique("Night depot")}, "name", "department"),
    "groups": (lambda: {"name": unique("Riders")}, lambda: {"name": unique("Old riders")}, "name", "group"),
    "fields": (lambda: {"key": unique("hub").replace(" ", "_"), "labels": {"en": "Hub"}, "type": "text"},
               lambda: {"labels": {"en": unique("Warehouse")}}, "key", "field"),
    "roles": (lambda: {"name": unique("Manager"), "permissions": ["order:read", "users:read"], "color": "#2f80ed"},
              lambda: {"name": unique("Head manager"), "permissions": [], "color": None}, "name", "role"),
}
# What names it is given once and for all.
IMMUTABLE = ("key",)
every = pytest.mark.parametrize("name", RESOURCES)


@every
def test_it_is_made_read_changed_and_deleted_and_the_audit_tells_it(standing, name):
    make, change, _, kind = RESOURCES[name]
    body, patch = make(), change()
    made = standing.admin.post(f"/v1/{name}", body).ok(201)
    path = f"/v1/{name}/{made['id']}"
    assert made.headers["Location"] == path and made.headers["ETag"] == f'"{made["version"]}"'
    assert {member: made[member] for member in body} == body
    assert standing.admin.get(path).ok(200).body == made.body
    changed = standing.admin.patch(path, patch).ok(200)
    assert {member: changed[member] for member in patch} == patch and changed["version"] == made["version"] + 1
    standing.admin.delete(path).ok(204)
    standing.admin.get(path).refused(404, "not_found")
    told = [row for row in standing.audit() if row["subject"]["id"] == made["id"]]
    assert [row["action"] for row in told] == [f"{kind}.deleted", f"{kind}.edited", f"{kind}.created"]
    member, value = next(iter(patch.items()))
    assert told[1]["changes"][member] == [body.get(member), value]
    assert told[2]["changes"].keys() >= body.keys()


@every
def test_a_patch_that_changes_nothing_moves_no_version(standing, name):
    made = standing.admin.post(f"/v1/{name}", RESOURCES[name][0]()).ok(201)
    path = f"/v1/{name}/{made['id']}"
    member = RESOURCES[name][2]
    if member in IMMUTABLE:
        member = next(iter(RESOURCES[name][1]()))
    assert standing.admin.patch(path, {member: made[member]}).ok(200).body == made.body
    assert standing.admin.patch(path, {}).ok(200).body == made.body


@every
def test_a_stale_version_is_refused(standing, name):
    made = standing.admin.post(f"/v1/{name}", RESOURCES[name][0]()).ok(201)
    path, tag = f"/v1/{name}/{made['id']}", {"If-Match": made.headers["ETag"]}
    standing.admin.patch(path, RESOURCES[name][1](), headers=tag).ok(200)
    standing.admin.patch(path, RESOURCES[name][1](), headers=tag).refused(412, "version_mismatch")
    standing.admin.delete(path, headers=tag).refused(412, "version_mismatch")
    standing.admin.get(path).ok(200)


@every
def test_a_name_stands_once_whatever_its_case(standing, name):
    make, _, member, _ = RESOURCES[name]
    body = make()
    standing.admin.post(f"/v1/{name}", body).ok(201)
    twice = {**body, member: body[member].upper() if member != "key" else body[member]}
    standing.admin.post(f"/v1/{name}", twice).refused(409, "name_taken")
    other = standing.admin.post(f"/v1/{name}", make()).ok(201)
    if member != "key":
        standing.admin.patch(f"/v1/{name}/{other['id']}", {member: body[member]}).refused(409, "name_taken")


@every
def test_faults_are_named_all_at_once(standing, name):
    make, _, member, _ = RESOURCES[name]
    answer = standing.admin.post(f"/v1/{name}", {member: 5, "colour of the sky": "blue"}).refused(422, "invalid_body")
    assert answer.faults()[f"/{member}"] == "wrong_type" and answer.faults()["/colour of the sky"] == "unknown_field"
    assert standing.admin.post(f"/v1/{name}", {}).refused(422).faults()[f"/{member}"] == "required"
    made = standing.admin.post(f"/v1/{name}", make()).ok(201)
    answer = standing.admin.patch(f"/v1/{name}/{made['id']}", {"id": UNKNOWN, "version": 7, member: None}).refused(422)
    assert answer.faults()["/id"] == answer.faults()["/version"] == "read_only" and f"/{member}" in answer.faults()
    assert standing.admin.get(f"/v1/{name}/{made['id']}").ok(200).body == made.body


@every
def test_an_unknown_one_is_not_found(standing, name):
    for method in ("get", "delete"):
        getattr(standing.admin, method)(f"/v1/{name}/{UNKNOWN}").refused(404, "not_found")
    standing.admin.patch(f"/v1/{name}/{UNKNOWN}", {}).refused(404, "not_found")
    standing.admin.get(f"/v1/{name}/no-id").refused(404, "not_found")


@every
def test_pages_are_sorted_by_name_and_searched(standing, name):
    make, _, member, _ = RESOURCES[name]
    for _ in range(5):
        standing.admin.post(f"/v1/{name}", make()).ok(201)
    whole = standing.admin.get(f"/v1/{name}?limit=200&count=true").ok(200)
    assert whole["next_cursor"] is None and whole["total"] == len(whole["items"])
    paged, cursor = [], ""
    while cursor is not None:
        page = standing.admin.get(f"/v1/{name}?limit=2{cursor and f'&cursor={cursor}'}").ok(200)
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole["items"] and len({item["id"] for item in paged}) == len(paged)
    wanted = whole["items"][-1]
    found = standing.admin.get(f"/v1/{name}", q=wanted[member].upper()).ok(200)["items"]
    assert wanted in found
    standing.admin.get(f"/v1/{name}?limit=0&cursor=nonsense").refused(400, "invalid_query")


@every
def test_who_may_only_read_changes_nothing(standing, name):
    made = standing.admin.post(f"/v1/{name}", RESOURCES[name][0]()).ok(201)
    reader = standing.client(standing.make_key("users:read"))
    path = f"/v1/{name}/{made['id']}"
    reader.get(path).ok(200)
    reader.get(f"/v1/{name}").ok(200)
    reader.post(f"/v1/{name}", RESOURCES[name][0]()).refused(403, "permission_missing")
    reader.patch(path, RESOURCES[name][1]()).refused(403, "permission_missing")
    reader.delete(path).refused(403, "permission_missing")
    standing.client(standing.make_key("audit:read")).get(path).refused(403, "permission_missing")
