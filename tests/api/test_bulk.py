"""POST /v1/users/bulk: many operations in one request, an outcome for each, in order."""
import itertools
import threading
import uuid

import pytest

from support.system import PASSWORD, build_folder
from support.waiting import wait_until
from test_queries import QUERIES

numbers = itertools.count(1)


def bulk(system, *operations, client=None, **envelope):
    return (client or system.admin).post("/v1/users/bulk", {"operations": list(operations), **envelope})


def person(**more):
    number = next(numbers)
    return {"op": "create", "email": f"bulk{number}@example.org", "first_name": "Леся", "last_name": f"Українка{number}", **more}


def on(op, user, **more):
    return {"op": op, "id": user["id"] if isinstance(user, dict) else user, **more}


def outcome(answer):
    """What became of each: its status, or its problem's code."""
    body = answer.ok(200).body
    assert [item["index"] for item in body["items"]] == list(range(len(body["items"])))
    for item in body["items"]:
        assert ("problem" in item) == (item["status"] >= 400)
        assert "problem" not in item or item["problem"]["status"] == item["status"]
    assert body["failed"] == sum("problem" in item for item in body["items"])
    assert body["succeeded"] + body["failed"] == len(body["items"])
    return [item["problem"]["code"] if "problem" in item else item["status"] for item in body["items"]]


def faults(item):
    return {fault["pointer"]: fault["code"] for fault in item["problem"]["errors"]}


def test_every_operation_does_what_its_route_does_and_answers_in_its_place(standing):
    pending, active, other = standing.create_user(), standing.create_active(), standing.create_active()
    answer = bulk(standing, on("invite", pending), person(), on("inactivate", active, reason="left"), on("update", other, last_name="Нова"),
                  person(first_name=""), on("activate", str(uuid.uuid4())))
    assert outcome(answer) == [202, 201, 200, 200, "invalid_body", "not_found"]
    items = answer.body["items"]
    made = standing.user(items[1])
    assert (made["last_name"], made["status"], made["invitation"]["state"]) == (made["last_name"], "pending", "pending")
    assert [item.get("id") for item in items][0::2] == [pending["id"], active["id"], None]
    assert (standing.user(active)["status"], standing.user(other)["last_name"]) == ("inactive", "Нова")
    assert outcome(bulk(standing, on("activate", active))) == [200]
    assert standing.user(active)["status"] == "active"


ENVELOPES = [
    ({}, {"/operations": "required"}),
    ({"operations": None}, {"/operations": "required"}),
    ({"operations": {"op": "create"}}, {"/operations": "wrong_type"}),
    ({"operations": [], "atomic": "yes", "mode": 1}, {"/atomic": "wrong_type", "/mode": "unknown_field"}),
    ({"operations": [7, {"op": "invite"}, {}, {"op": 3}, {"op": "destroy"}, {"op": None}]},
     {"/operations/0": "wrong_type", "/operations/2/op": "required", "/operations/3/op": "wrong_type", "/operations/4/op": "invalid",
      "/operations/5/op": "required"}),
    ({"operations": [{"op": "invite", "id": "x"}] * 1001}, {"/operations": "too_long"}),
    ({"operations": [{"op": "create", "password": PASSWORD}] * 51}, {"/operations": "too_long"}),
]


@pytest.mark.parametrize("body, expected", ENVELOPES)
def test_a_wrong_envelope_is_refused_as_a_whole_with_all_its_faults(standing, body, expected):
    assert standing.admin.post("/v1/users/bulk", body).refused(422, "invalid_body").faults() == expected


def test_nothing_to_do_is_done(standing):
    assert bulk(standing).ok(200).body == {"items": [], "succeeded": 0, "failed": 0}


FAULTS = [
    (lambda system: person(first_name=None, email="nobody", kind="robot", nickname="x", id=str(uuid.uuid4()), if_version=3, group_ids=[str(uuid.uuid4())],
                           role_id=str(uuid.uuid4()), department_id=str(uuid.uuid4()), password="short", attributes={"shoe": 1}),
     {"/first_name": "required", "/email": "invalid", "/kind": "invalid", "/nickname": "unknown_field", "/id": "read_only",
      "/if_version": "unknown_field", "/group_ids/0": "unknown_id", "/role_id": "unknown_id", "/department_id": "unknown_id",
      "/password": "too_short", "/attributes/shoe": "unknown_field"}),
    (lambda system: on("update", system.create_user(), email=7, role_id=str(uuid.uuid4()), status="active", if_version="1",
                       group_ids=[str(uuid.uuid4())]),
     {"/email": "wrong_type", "/role_id": "unknown_id", "/status": "read_only", "/if_version": "wrong_type", "/group_ids/0": "unknown_id"}),
    (lambda system: on("inactivate", system.create_active(), reason=1, first_name="x"), {"/reason": "wrong_type", "/first_name": "unknown_field"}),
    (lambda system: on("invite", system.create_user(), reason="x"), {"/reason": "unknown_field"}),
    (lambda system: {"op": "activate"}, {"/id": "required"}),
    (lambda system: {"op": "update", "id": 7, "first_name": "x"}, {"/id": "wrong_type"}),
]


@pytest.mark.parametrize("make, expected", FAULTS)
def test_all_faults_of_an_operation_are_in_its_item_with_pointers_into_it(standing, make, expected):
    answer = bulk(standing, person(), make(standing), person())
    assert outcome(answer) == [201, "invalid_body", 201]
    assert faults(answer.body["items"][1]) == expected


def test_only_the_first_operation_on_a_user_is_done(standing):
    user = standing.create_user()
    answer = bulk(standing, on("update", user, first_name="Перша"), on("invite", user["id"].upper()), on("update", user, first_name="Друга"))
    assert outcome(answer) == [200, "duplicate_id", "duplicate_id"]
    assert faults(answer.body["items"][1]) == {"/id": "duplicate_id"}
    assert standing.user(user)["first_name"] == "Перша"


def test_of_two_who_want_the_same_name_the_first_has_it(standing):
    """New ones leave each other out, edits violate the constraint: neither fails anybody else."""
    there, others = standing.create_user(username=f"there{next(numbers)}"), [standing.create_user() for _ in range(4)]
    name = f"wanted{next(numbers)}"
    answer = bulk(standing, person(email="Same@example.org"), person(email="same@Example.org"), person(external_id="X-1"), person(external_id="X-1"),
                  person(username=there["username"].upper()), on("update", others[0], username=name), on("update", others[1], username=name.upper()),
                  on("update", others[2], email=there["email"]), on("update", others[3], email=others[3]["email"], first_name="Same"), person())
    assert outcome(answer) == [201, "email_taken", 201, "external_id_taken", "username_taken", 200, "username_taken", "email_taken", 200, 201]
    assert standing.user(others[0])["username"] == name


def test_a_new_user_with_faults_takes_no_name_from_the_next(standing):
    for atomic in (False, True):
        answer = bulk(standing, person(email=f"shared-{atomic}@example.org", kind="robot"), person(email=f"shared-{atomic}@example.org"), atomic=atomic)
        assert outcome(answer) == ["invalid_body", "not_applied" if atomic else 201]


def test_an_atomic_request_is_done_as_a_whole_or_not_at_all(standing):
    user, other, third = standing.create_user(), standing.create_active(), standing.create_user()
    before = standing.user(user), standing.user(other), standing.value("SELECT count(*) FROM rollcall.users"), standing.value("SELECT count(*) FROM rollcall.audit")
    operations = [on("update", user, first_name="Ніхто"), person(), on("inactivate", other)]
    for wrong, code in ((person(first_name=None), "invalid_body"), (on("update", str(uuid.uuid4())), "not_found"),
                        (person(email=user["email"].upper()), "email_taken"), (on("invite", third, if_version=0), "version_mismatch")):
        answer = bulk(standing, *operations, wrong, atomic=True)
        assert outcome(answer) == ["not_applied"] * 3 + [code]
        assert answer.body["succeeded"] == 0
    # What only the writing finds, and a second look explains.
    answer = bulk(standing, *operations, person(username="twice"), on("update", third, username="TWICE"), atomic=True)
    assert outcome(answer) == ["not_applied"] * 4 + ["username_taken"]
    assert before == (standing.user(user), standing.user(other), standing.value("SELECT count(*) FROM rollcall.users"),
                      standing.value("SELECT count(*) FROM rollcall.audit"))
    assert outcome(bulk(standing, *operations, person(position="Знавець"), person(position="знавець"), atomic=True)) == [200, 201, 200, 201, 201]
    assert (standing.user(user)["first_name"], standing.user(other)["status"]) == ("Ніхто", "inactive")


def test_a_version_that_moved_is_told_in_the_item(standing):
    users = [standing.create_user() for _ in range(3)]
    versions = [user["version"] for user in users]
    standing.admin.patch(f"/v1/users/{users[1]['id']}", {"last_name": "Moved"}).ok(200)
    answer = bulk(standing, *(on("update", user, first_name="Нова", if_version=version) for user, version in zip(users, versions)))
    assert outcome(answer) == [200, "version_mismatch", 200]
    assert [standing.user(user)["version"] for user in users] == [versions[0] + 1, versions[1] + 1, versions[2] + 1]


def test_an_update_takes_what_patch_takes(standing):
    """Fields, groups, a position that two are the first to have, attributes, an address that waits to be confirmed."""
    group = standing.admin.post("/v1/groups", {"name": f"Group {next(numbers)}"}).ok(201)["id"]
    department = standing.admin.post("/v1/departments", {"name": f"Department {next(numbers)}"}).ok(201)["id"]
    key = f"field_{next(numbers)}"
    standing.admin.post("/v1/fields", {"key": key, "labels": {"en": "Field"}, "type": "text"}).ok(201)
    standing.set_policy(email_change="admin", permissions_per_user=True)
    first, second, active = standing.create_user(), standing.create_user(), standing.create_active()
    title, address = f"Title {next(numbers)}", f"new{next(numbers)}@example.org"
    answer = bulk(standing, on("update", first, group_ids=[group], position=title, department_id=department, phone="+380 44 1234567"),
                  on("update", second, position=title.upper(), attributes={key: "v"}, own_permissions=["product:view"]),
                  on("update", active, email=address), on("update", standing.admin_id), person(position=title, group_ids=[group], attributes={key: "w"}))
    assert outcome(answer) == [200, 200, 200, 200, 201]
    first, second, made = standing.user(first), standing.user(second), standing.user(answer.body["items"][4])
    assert (first["group_ids"], first["position"], first["department_id"], first["phone"]) == ([group], made["position"], department, "+380441234567")
    assert (second["position"], second["attributes"], second["own_permissions"]) == (made["position"], {key: "v"}, ["product:view"])
    assert (made["position"].lower(), made["group_ids"], made["attributes"]) == (title.lower(), [group], {key: "w"})
    assert (standing.user(active)["email"], standing.user(active)["email_pending"]) == (active["email"], address)
    assert standing.value("SELECT count(*) FROM rollcall.position WHERE lower(title) = lower(%s)", title) == 1


def test_each_operation_is_audited_as_its_own_and_mails_once(standing):
    pending, active, edited = standing.create_user(), standing.create_active(), standing.create_user()
    last = {row["id"] for row in standing.audit()}
    answer = bulk(standing, person(), on("invite", pending), on("inactivate", active, reason="left us"), on("update", edited, last_name="Інша"))
    ids = [item["id"] for item in answer.body["items"]]
    rows = {row["subject"]["id"]: row for row in standing.audit() if row["id"] not in last}
    assert [rows[id]["action"] for id in ids] == ["user.created", "user.invited", "user.inactivated", "user.edited"]
    assert {row["request_id"] for row in rows.values()} == {answer.headers["X-Request-Id"]}
    assert rows[edited["id"]]["changes"]["last_name"] == ["Koval", "Інша"]
    assert [len(standing.outbox(id, "invitation")) for id in ids] == [1, 2, 1, 1]


def test_passwords_are_hashed_and_open_the_door(standing):
    inactive = standing.create_active()
    bulk(standing, on("inactivate", inactive)).ok(200)
    new, again = person(password=PASSWORD, status="pending"), on("activate", inactive, password="another long way home")
    assert outcome(bulk(standing, new, again, person(password=PASSWORD), person(password="password1234"))) == [201, 200, 201, "invalid_body"]
    standing.login(new["email"], PASSWORD).ok(201)
    standing.login(inactive["email"], "another long way home").ok(201)


REFUSALS = [
    ({"invite_on_create": "always", "password_at_create": "forbidden"}, lambda s: person(password=PASSWORD), "password_at_create"),
    ({"admin_activates_pending": False}, lambda s: on("activate", s.create_user()), "admin_activates_pending"),
    ({"invitation_resend_to": "pending"}, lambda s: on("invite", s.create_active()), "invitation_resend_to"),
    ({"permissions_per_user": False}, lambda s: on("update", s.create_user(), own_permissions=["product:view"]), "permissions_per_user"),
    ({"custom_roles": False}, lambda s: person(role={"name": "Mine", "permissions": []}), "custom_roles"),
]


@pytest.mark.parametrize("policy, make, name", REFUSALS)
def test_a_policy_refuses_in_the_item_and_is_named(standing, policy, make, name):
    before = standing.admin.get("/v1/policy").ok(200).body
    standing.set_policy(**policy)
    answer = bulk(standing, make(standing), person())
    standing.set_policy(**{column: before[column] for column in policy})
    assert outcome(answer) == ["refused_by_policy", 201]
    assert answer.body["items"][0]["problem"]["policy"] == name


def test_nobody_grants_or_touches_more_than_he_holds(standing):
    clerk = standing.client(standing.make_key("users:read", "users:write", "product:view", name=f"clerk {next(numbers)}"))
    user, boss = standing.create_user(), standing.create_administrator()
    role = standing.make_role("users:delete")
    answer = bulk(standing, on("update", boss, first_name="x"), on("inactivate", boss), on("invite", user),
                  on("update", standing.create_user(), role_id=role), on("update", standing.create_user(), own_permissions=["product:view"]),
                  on("update", standing.create_user(), email="elsewhere@example.org"), person(), person(role_id=role),
                  on("activate", standing.create_user(), password=PASSWORD), person(role={"name": "Any", "permissions": []}), client=clerk)
    assert outcome(answer) == ["exceeds_your_permissions", "duplicate_id", "permission_missing", "exceeds_your_permissions", 200, "permission_missing",
                               "permission_missing", "exceeds_your_permissions", "permission_missing", "permission_missing"]


def test_the_hourly_limit_of_mails_holds_here_too(standing):
    user, other = standing.create_user(), standing.create_user()
    for _ in range(9):
        assert outcome(bulk(standing, on("invite", user))) == [202]
    assert outcome(bulk(standing, on("invite", user), on("invite", other))) == ["rate_limited", 202]


def test_the_last_administrator_stays_however_many_are_put_out(server_only):
    system = server_only
    others = [system.create_administrator() for _ in range(3)]
    everybody = [{"id": system.admin_id}, *others]
    assert outcome(bulk(system, *(on("inactivate", user) for user in everybody), atomic=True)) == ["not_applied"] * 3 + ["last_administrator"]
    # One of them by an edit, two by a transition, behind one gate.
    assert outcome(bulk(system, on("update", others[0], role_id=None), on("inactivate", others[1]), person(), atomic=True)) == [200, 200, 201]
    assert outcome(bulk(system, on("inactivate", others[2]), on("inactivate", system.admin_id), person())) == [200, "last_administrator", 201]
    assert system.user(system.admin_id)["status"] == "active"


def test_roles_are_made_with_their_first_users(standing):
    names = [f"Inline {next(numbers)}" for _ in range(4)]
    people = [person(role={"name": name, "permissions": ["product:view"]}) for name in names]
    answer = bulk(standing, *people, person(role={"name": names[0], "permissions": []}), person())
    assert outcome(answer) == [201] * 4 + ["name_taken", 201]
    assert [standing.user(item)["role"] for item in answer.body["items"][:4]] == names


def rounds(system):
    """How often the facts of a bulk were read: nothing else here goes by the slow lane."""
    return system.metrics()['rollcall_lane_job_duration_seconds_count{lane="slow"}']


def wanted_roles(*names):
    return [person(role={"name": name, "permissions": ["product:view"]}) for name in names]


@pytest.mark.parametrize("atomic", [False, True])
def test_many_roles_are_made_in_one_round(server_only, atomic):
    system, before = server_only, rounds(server_only)
    people = wanted_roles(*(f"Role {place:03}" for place in range(200)))
    made = bulk(system, *people, atomic=atomic)
    assert outcome(made) == [201] * 200
    assert rounds(system) - before == 1
    assert system.sql("SELECT r.name FROM rollcall.users u JOIN rollcall.role r ON r.id = u.role_id WHERE u.id = ANY(%s) ORDER BY u.email",
                      [item["id"] for item in made.items]) == [person["role"]["name"] for person in sorted(people, key=lambda one: one["email"])]
    assert system.sql("SELECT count(*), count(DISTINCT subject_id), count(DISTINCT xmin::text), min(changes #>> '{permissions,1,0}')"
                      " FROM rollcall.audit WHERE action = 'role.created' AND actor_kind = 'user'") == [(200, 200, 1, "product:view")]


def test_of_many_who_bring_a_role_of_one_name_the_first_makes_it(server_only):
    """In two rounds, however many there are: who was left out finds that it is there."""
    system, before = server_only, rounds(server_only)
    answer = bulk(system, *wanted_roles(*["Same"] * 30, *["SAME"] * 30, "Other"))
    assert outcome(answer) == [201, *["name_taken"] * 59, 201]
    assert rounds(system) - before == 2
    assert outcome(bulk(system, *wanted_roles("same", "Third"))) == ["name_taken", 201]
    assert outcome(bulk(system, *wanted_roles("Fourth", "Fifth", "fourth"), atomic=True)) == ["not_applied"] * 2 + ["name_taken"]
    assert system.sql("SELECT name FROM rollcall.role WHERE name ~* 'same|other|third|fourth|fifth' ORDER BY name") == ["Other", "Same", "Third"]


def test_a_role_whose_user_is_left_out_is_not_made_either(standing):
    """Only the writing finds that two want the same address."""
    first, second = wanted_roles("Of the first", "Of the second")
    assert outcome(bulk(standing, first, {**second, "email": first["email"].upper()}, person())) == [201, "email_taken", 201]
    assert standing.sql("SELECT name FROM rollcall.role WHERE name ~ '^Of the '") == ["Of the first"]
    assert standing.value("SELECT count(*) FROM rollcall.audit WHERE action = 'role.created' AND changes::text ~ 'Of the second'") == 0


@pytest.mark.parametrize("name, values", [("email", ("twice@example.org", "TWICE@example.org")), ("username", ("twice.named", "Twice.Named")),
                                          ("external_id", ("T-2", "T-2"))])
def test_an_atomic_request_with_a_name_twice_says_whose_it_is(standing, name, values):
    before = standing.value("SELECT count(*) FROM rollcall.users")
    answer = bulk(standing, person(), person(**{name: values[0]}), person(), person(**{name: values[1]}), atomic=True)
    assert outcome(answer) == ["not_applied"] * 3 + [f"{name}_taken"]
    assert answer.items[3]["status"] == 409 and {item["status"] for item in answer.items[:3]} == {424}
    assert standing.value("SELECT count(*) FROM rollcall.users") == before


def test_the_fields_are_held_in_memory_once_however_many_are_made(server_only):
    """Once for each, they would be a hundred megabytes and more."""
    system = server_only
    system.make_choices(90, 150)
    assert outcome(bulk(system, person(attributes={"choice_7": "option150___"}), person(attributes={"choice_7": "option151___"}))) == [201, "invalid_body"]
    before = system.server.children_peak_mib()
    made = bulk(system, *(person(attributes={"choice_7": "option12____"}) for _ in range(300)))
    assert outcome(made) == [201] * 300
    edits = bulk(system, *(on("update", item, attributes={"choice_8": "option9_____"}) for item in made.items))
    assert outcome(edits) == [200] * 300
    assert system.user(made.items[-1])["attributes"] == {"choice_7": "option12____", "choice_8": "option9_____"}
    # Under the sanitizers memory means something else.
    if build_folder().name != "debug":
        assert system.server.children_peak_mib() - before < 40


def test_the_roles_of_a_bulk_do_not_bring_policy_and_fields_again(server_only):
    system = server_only
    system.make_choices(20, 100)
    known = [system.make_role("product:view") for _ in range(2)]
    ids = known + [str(uuid.uuid4()) for _ in range(500)]
    system.db.execute(f"PREPARE facts AS SELECT to_jsonb(f) FROM ({QUERIES['user_batch_load_roles'][0]}) f".encode())
    shared, *roles = system.sql(f"EXECUTE facts ('{system.org_id}', '{{{','.join(ids)}}}')")
    assert shared["named_role_id"] is None and len(shared["fields"]) == 20 and shared["role_required"] is not None
    assert {str(row["named_role_id"]) for row in roles} == set(ids) and len(roles) == 502
    assert {str(row["role_id"]) for row in roles if row["role_id"]} == set(known)
    assert {name for row in roles for name, value in row.items() if value is not None} == {"named_role_id", "role_id", "role_permissions"}
    answer = bulk(system, person(role_id=known[0]), person(role_id=ids[-1]), person(), *(on("update", system.create_user(), role_id=role) for role in ids[:3]))
    assert outcome(answer) == [201, "invalid_body", 201, 200, 200, "invalid_body"]


def test_two_hundred_cost_the_transactions_of_two(standing):
    """Transactions are the client's round trips; each row that is written says in which it was."""
    for count in (2, 200):
        made = bulk(standing, *(person(position=f"Fresh {count}") for _ in range(count))).ok(200).body["items"]
        ids = [item["id"] for item in made]
        edits = bulk(standing, *(on("update", item, first_name="Changed") for item in made))
        assert outcome(edits) == [200] * count
        invites = bulk(standing, *(on("invite", item) for item in made))
        assert outcome(invites) == [202] * count
        assert standing.value("SELECT count(DISTINCT xmin::text) FROM rollcall.users WHERE id = ANY(%s)", ids) == 1
        assert standing.value("SELECT count(DISTINCT a.created) FROM (SELECT xmin::text AS created FROM rollcall.audit WHERE subject_id = ANY(%s)"
                              " AND subject_kind = 'user') a", ids) == 3
        assert standing.value("SELECT count(DISTINCT xmin::text) FROM rollcall.outbox WHERE user_id = ANY(%s)", ids) == 2


def test_an_operation_that_loses_against_somebody_is_decided_again_and_the_others_stand(standing):
    """Two write the same people at the same time, in opposite orders: every edit of both comes to pass, once."""
    users = [standing.create_user() for _ in range(30)]
    answers = {}

    def settled(client, operations):
        """The items of the answer. A machine that stands still for half a second has the lock's time run out: then
        what was not done, all of it or some, is sent again."""
        answer = wait_until(lambda: (lambda answer: answer if answer.status != 503 else None)(bulk(standing, *operations, client=client)))
        undone = [operations[item["index"]] for item in answer["items"] if item["status"] == 503]
        return [item for item in answer["items"] if item["status"] != 503] + (settled(client, undone) if undone else [])

    def edit(name, field, order):
        client = standing.client(standing.admin_token)
        answers[name] = [settled(client, [on("update", user, **{field: f"{name}{turn}"}) for user in order]) for turn in range(5)]

    threads = [threading.Thread(target=edit, args=("First", "first_name", users)), threading.Thread(target=edit, args=("Last", "last_name", users[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for items in (items for name in answers for items in answers[name]):
        assert [item["status"] for item in items] == [200] * len(users), [item for item in items if item["status"] != 200]
    for user in users:
        now = standing.user(user)
        assert (now["first_name"], now["last_name"], now["version"]) == ("First4", "Last4", user["version"] + 10)


def test_of_two_requests_that_make_the_same_people_each_person_is_made_once(standing):
    people = [person() for _ in range(60)]
    outcomes = []
    threads = [threading.Thread(target=lambda order=order: outcomes.append(
        bulk(standing, *order, client=standing.client(standing.admin_token)))) for order in (people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [outcome(answer) for answer in outcomes]
    assert sorted(map(str, codes[0] + codes[1])) == ["201"] * 60 + ["email_taken"] * 60


def test_two_administrators_who_put_each_other_out_leave_one(server_only):
    """Whoever comes second is told that he is out, or that the other is the last."""
    system = server_only
    first, second = system.create_administrator(), system.create_administrator()
    bulk(system, on("inactivate", system.admin_id), client=system.sign_in(first)).ok(200)
    for _ in range(4):
        answers, start = {}, threading.Barrier(2)

        def put_out(name, client, user):
            start.wait()
            answers[name] = bulk(system, on("inactivate", user), *(person() for _ in range(5)), client=client)

        pairs = [("first", system.sign_in(first), second), ("second", system.sign_in(second), first)]
        threads = [threading.Thread(target=put_out, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = {name for name, answer in answers.items() if answer.status == 200 and answer.items[0]["status"] == 200}
        assert len(left) == 1
        loser = answers[({"first", "second"} - left).pop()]
        assert loser.status == 401 or loser.items[0]["problem"]["code"] == "last_administrator"
        active = system.sql("SELECT id::text FROM rollcall.users WHERE status = 'active'")
        assert active == [first["id"] if "first" in left else second["id"]]
        keeper, gone = (first, second) if "first" in left else (second, first)
        assert outcome(bulk(system, on("activate", gone), client=system.sign_in(keeper))) == [200]


def test_what_cannot_be_written_in_time_is_not_written_at_all(standing):
    """Somebody holds the row: 503 as for a single edit, and the others of the batch are as before."""
    held, other = standing.create_user(), standing.create_user()
    with standing.cluster.connect(standing.database) as db, db.transaction():
        db.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [held["id"]])
        answer = bulk(standing, on("update", held, first_name="Held"), on("update", other, first_name="Other"), person())
        assert answer.refused(503, "unavailable").headers["Retry-After"]
    assert (standing.user(held), standing.user(other)) == (held, other)
