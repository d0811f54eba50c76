"""Applying an import: what becomes of users, mails and rows, whatever happens meanwhile."""
import contextlib
import os
import pathlib
import re
import signal

import pytest
from support.outbox import nudge, second_worker, wait_settled
from support.system import ADMIN_EMAIL, build_folder
from support.waiting import wait_until

from support.imports import apply, csv_of, dry_run, ended, faults, outcomes, rows, undo, upload

PEOPLE = ["E-mail", "First name", "Last name"]


def policy(system, **values):
    system.admin.patch("/v1/policy", values).ok(200)


def users_of(system):
    return {user["email"]: user for user in system.admin.pages("/v1/users", limit=200)}


def people(count, prefix="p"):
    return [[f"{prefix}{number}@people.example", f"Name{number}", "Person"] for number in range(count)]


def named(count, prefix="p", every=10):
    """Each has a username, and one in ten an address, to which an invitation goes."""
    return csv_of(["Username", "E-mail", "First name", "Last name"],
                  *[[f"{prefix}{number}", f"{prefix}{number}@people.example" if number % every == 0 else "", f"Name{number}", "Person"] for number in range(count)])


def began(system, made, **wishes):
    return system.admin.post(f"/v1/imports/{made['id']}/apply", wishes).ok(202).body


# -- Fields.

def test_the_fields_are_held_in_memory_once_however_many_rows_there_are(rollcall):
    """In the dry run and when it is applied; once for each row, they would be a hundred megabytes and more."""
    rollcall.make_choices(90, 150)
    before = rollcall.worker.children_peak_mib()
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "attributes.choice_7"], *[[*person, "option150___"] for person in people(300)],
                                          ["wrong@people.example", "Name", "Person", "option151___"]))
    assert (made["counts"]["create"], made["counts"]["error"]) == (300, 1)
    assert apply(rollcall.admin, made)["counts"]["applied"] == 300
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE attributes = '{\"choice_7\": \"option150___\"}'") == 300
    # Under the sanitizers memory means something else.
    if build_folder().name != "debug":
        assert rollcall.worker.children_peak_mib() - before < 40


# -- Invitations and mails.

@pytest.mark.parametrize("wish, body, refused, invites", [
    ("ask", {}, None, False), ("ask", {"invite": True}, None, True), ("ask", {"invite": False}, None, False),
    ("true", {}, None, True), ("true", {"invite": False}, "import_invites", True), ("false", {}, None, False), ("false", {"invite": True}, "import_invites", False)])
def test_who_is_made_is_invited_where_the_policy_or_the_caller_says_so(shared_rollcall, wish, body, refused, invites):
    policy(shared_rollcall, import_invites=wish)
    prefix = f"i{wish}{body.get('invite', '')}".lower()
    made = dry_run(shared_rollcall.admin, csv_of(PEOPLE, *people(2, prefix)))
    if refused:
        shared_rollcall.admin.post(f"/v1/imports/{made['id']}/apply", body).refused(403, "refused_by_policy", policy=refused)
        body = {}
    done = apply(shared_rollcall.admin, made, **body)
    assert done["state"] == "applied" and done["invite"] is invites, done
    for address in (f"{prefix}0@people.example", f"{prefix}1@people.example"):
        (user,) = shared_rollcall.admin.get("/v1/users", email=address).items
        assert user["status"] == "pending" and (user["status_reason"], user["invitation"] is not None) == (("invited", True) if invites else ("created", False))
        if invites:
            shared_rollcall.accept(shared_rollcall.mail_link(address)).ok(200)
            assert user["invitation"]["invited_by"] == shared_rollcall.admin_id
    wait_settled(shared_rollcall)
    assert len([mail for mail in shared_rollcall.mails() if mail.recipients[0].startswith(prefix)]) == (2 if invites else 0)


def test_an_address_that_an_import_adds_brings_an_invitation_only_where_it_invites(rollcall):
    policy(rollcall, email_required=False, login_identifier="either", import_on_duplicate="update")
    for name in ("one", "two"):
        rollcall.create_user(email=None, username=name, first_name="A", last_name="B")
    for name, invite in (("one", False), ("two", True)):
        made = dry_run(rollcall.admin, csv_of(["Username", "E-mail"], [name, f"{name}@example.org"]))
        assert apply(rollcall.admin, made, invite=invite)["counts"]["applied"] == 1
    wait_settled(rollcall)
    assert rollcall.mails("one@example.org") == [] and len(rollcall.mails("two@example.org")) == 1


def test_who_asked_is_mailed_when_it_is_done(rollcall):
    policy(rollcall, import_on_duplicate="update")
    rollcall.create_user(email="old@people.example", first_name="Old", last_name="Person")
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *people(3), ["old@people.example", "New", "Person"], ["bad", "A", "B"]), file_name="Люди.csv")
    apply(rollcall.admin, made)
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="import_done")
    assert "Люди.csv" in mail.subject and [int(number) for number in re.findall(r": (\d+)$", mail.text, re.M)] == [5, 3, 1, 1]
    undo(rollcall.admin, made)
    wait_settled(rollcall)
    assert len(rollcall.mails(kind="import_done")) == 1


@pytest.mark.allow_errors("gave up a job")
def test_who_asked_is_mailed_when_it_failed_too_often_and_is_given_up(rollcall):
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *people(3)))
    rollcall.worker.stop()
    rollcall.admin.post(f"/v1/imports/{made['id']}/apply", {}).ok(202)
    rollcall.sql("UPDATE rollcall.job SET attempts = 20")
    rollcall.start_worker()
    assert ended(rollcall.admin, made["id"])["problem"]["code"] == "unavailable"
    assert "stopped" in rollcall.wait_mail(ADMIN_EMAIL, kind="import_done").subject


def test_while_it_writes_the_statistics_follow(rollcall):
    known = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'rollcall.users'::regclass"
    before = rollcall.value(known)
    apply(rollcall.admin, dry_run(rollcall.admin, csv_of(PEOPLE, *people(1001))))
    assert before < 1000 <= rollcall.value(known)


# -- What becomes of the rows.

def test_counts_and_rows_say_what_was_done(rollcall):
    policy(rollcall, import_on_duplicate="update")
    for name in ("change", "same"):
        rollcall.create_user(email=f"{name}@people.example", first_name="Old", last_name="Person")
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *people(2), ["change@people.example", "New", "Person"], ["same@people.example", "Old", "Person"], ["bad", "A", "B"]))
    before = made["counts"]
    done = apply(rollcall.admin, made)
    assert done["counts"] == {**before, "applied": 3} and (before["create"], before["update"], before["unchanged"], before["error"]) == (2, 1, 1, 1)
    assert done["progress"] is None and done["rate_per_s"] is None and done["remaining_s"] is None and done["problem"] is None
    found = rows(rollcall.admin, done)
    assert [row["outcome"] for row in found] == ["applied", "applied", "applied", "unchanged", "error"]
    users = users_of(rollcall)
    assert [row["user_id"] for row in found[:4]] == [users[address]["id"] for address in ("p0@people.example", "p1@people.example", "change@people.example", "same@people.example")]
    assert users["change@people.example"]["first_name"] == "New" and users["p0@people.example"]["status"] == "pending"
    (told,) = rollcall.audit("user.edited", users["change@people.example"])
    assert told["actor"]["id"] == rollcall.admin_id and told["changes"] == {"first_name": ["Old", "New"]}
    assert [event["actor"]["id"] for event in rollcall.audit("user.created", users["p0@people.example"])] == [rollcall.admin_id]
    rollcall.admin.post(f"/v1/imports/{made['id']}/apply", {}).refused(409, "state_conflict")


def test_the_audit_tells_what_each_may_do_and_where_he_belongs(rollcall):
    """But not once more who he is: of a hundred thousand that stands in the rows of the import."""
    make = lambda path, **body: rollcall.admin.post(path, body).ok(201)["id"]
    role, group = make("/v1/roles", name="Porter", permissions=["jobs:carry"]), make("/v1/groups", name="Nights")
    department = make("/v1/departments", name="Dispatch")
    make("/v1/fields", key="salary", label="Salary", type="number")
    apply(rollcall.admin, dry_run(rollcall.admin, csv_of([*PEOPLE, "Role", "Department", "Position", "Groups", "attributes.salary"],
                                                         [*people(1)[0], "Porter", "Dispatch", "Courier", "Nights", "1200"])))
    user = users_of(rollcall)["p0@people.example"]
    assert user["attributes"] == {"salary": 1200}
    (told,) = rollcall.audit("user.created", user)
    assert told["changes"] == {name: [None, value] for name, value in {
        "role_id": role, "department_id": department, "position": "Courier", "group_ids": [group], "kind": "employee", "status": "pending",
        "status_reason": "created"}.items()}
    assert rollcall.value("SELECT count(*) FROM rollcall.audit_value WHERE user_id = %s", user["id"]) == 0


def test_an_empty_cell_of_a_row_without_an_id_says_nothing(rollcall):
    policy(rollcall, import_on_duplicate="update")
    rollcall.create_user(email="a@people.example", first_name="Old", last_name="Person", phone="+380441234567", external_id="7", position="Captain")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Phone", "External ID", "Position"], ["a@people.example", "New", "", "", "", ""]))
    assert apply(rollcall.admin, made)["counts"]["applied"] == 1
    user = users_of(rollcall)["a@people.example"]
    assert (user["first_name"], user["last_name"], user["phone"], user["external_id"], user["position"]) == ("New", "Person", "+380441234567", "7", "Captain")


def test_who_moved_between_the_dry_run_and_applying_is_told_and_not_overwritten(rollcall):
    policy(rollcall, import_on_duplicate="update")
    moved, gone, still = (rollcall.create_user(email=f"{name}@people.example", first_name="Old", last_name="Person") for name in ("moved", "gone", "still"))
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *[[f"{name}@people.example", "New", "Person"] for name in ("moved", "gone", "still", "taken")]))
    assert made["counts"]["update"] == 3
    rollcall.admin.patch(f"/v1/users/{moved['id']}", {"first_name": "Meanwhile"}).ok(200)
    policy(rollcall, deletion="erase", deletion_confirmation="none")
    rollcall.admin.post("/v1/users/deletions", {"user_ids": [gone["id"]]}).ok(201)
    rollcall.create_user(email="taken@people.example", first_name="Quicker")
    done = apply(rollcall.admin, made)
    assert outcomes(rollcall.admin, done) == {2: "error", 3: "error", 4: "applied", 5: "error"}
    assert [(row, code) for row, _, code in faults(rollcall.admin, done)] == [(2, "version_mismatch"), (3, "not_found"), (5, "email_taken")]
    assert [done["counts"][word] for word in ("applied", "error", "create", "update")] == [1, 3, 0, 1]
    users = users_of(rollcall)
    assert users["moved@people.example"]["first_name"] == "Meanwhile" and users["still@people.example"]["first_name"] == "New" and users["taken@people.example"]["first_name"] == "Quicker"


def test_a_report_tells_people_what_to_do_and_not_programs(rollcall):
    """It told them to repeat the change with the new ETag, and that there was no role of an id that stood in no cell."""
    policy(rollcall, import_on_duplicate="update", deletion="erase", deletion_confirmation="none")
    clerk, day = rollcall.make_role("users:read", name="Clerk"), rollcall.admin.post("/v1/groups", {"name": "Day"}).ok(201)["id"]
    store = rollcall.admin.post("/v1/departments", {"name": "Store"}).ok(201)["id"]
    moved, gone = (rollcall.create_user(email=f"{name}@people.example", first_name="Old", last_name="Person") for name in ("moved", "gone"))
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Role", "Department", "Groups"], *[[f"{name}@people.example", "New", "Person", *cells] for name, *cells in (
        ("moved",), ("gone",), ("a", "Clerk"), ("b", "", "Store"), ("c", "", "", "Day"), ("d", "", "", "\x01"))]))
    rollcall.admin.patch(f"/v1/users/{moved['id']}", {"first_name": "Meanwhile"}).ok(200)
    rollcall.admin.post("/v1/users/deletions", {"user_ids": [gone["id"]]}).ok(201)
    for kind, id in (("roles", clerk), ("groups", day), ("departments", store)):
        rollcall.admin.delete(f"/v1/{kind}/{id}").ok(204)
    done = apply(rollcall.admin, made)
    told = {row["row"]: [error["detail"] for error in row["errors"]] for row in rows(rollcall.admin, done)}
    assert told[2] == ["Somebody has changed this user since: export or upload the file again, to go on from what he is now."]
    assert told[3] == ["There is no such user any more."]
    assert told[4] == ["This role was deleted meanwhile."] and told[5] == ["This department was deleted meanwhile."] and told[6] == ["A group of these was deleted meanwhile."]
    report = rollcall.admin.get(f"/v1/imports/{done['id']}/report").text
    assert not [word for word in ("ETag", "If-Match", "GET /", "Retry-After", "null", "this id", "request id") if word in report], report


def test_several_rows_about_one_new_person_make_one_in_their_order(rollcall):
    policy(rollcall, import_on_duplicate="update", username_change="admin")
    lines = [["a@people.example", "", "First", "Person", "Captain"], ["a@people.example", "ann", "Second", "", ""], ["b@people.example", "", "Bob", "Person", ""],
             ["", "ann", "", "Third", "Mate"], ["B@people.example", "bob", "", "", "Captain"]]
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Username", "First name", "Last name", "Position"], *lines))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "update", 4: "create", 5: "update", 6: "update"}
    done = apply(rollcall.admin, made, invite=True)
    assert done["counts"]["applied"] == 5 and set(outcomes(rollcall.admin, done).values()) == {"applied"}, rows(rollcall.admin, done)
    users = users_of(rollcall)
    ann, bob = users["a@people.example"], users["b@people.example"]
    assert (ann["username"], ann["first_name"], ann["last_name"], ann["position"]) == ("ann", "Second", "Third", "Mate") and len(users) == 3
    assert (bob["username"], bob["first_name"], bob["position"]) == ("bob", "Bob", "Captain")
    assert [row["user_id"] for row in rows(rollcall.admin, done)] == [ann["id"], ann["id"], bob["id"], ann["id"], bob["id"]]
    undone = undo(rollcall.admin, done)
    assert undone["state"] == "undone" and (undone["counts"]["undone"], undone["counts"]["left"]) == (5, 0), rows(rollcall.admin, undone)
    assert list(users_of(rollcall)) == [ADMIN_EMAIL] and rollcall.admin.get("/v1/positions").items == []


def test_several_rows_about_one_known_person_change_him_in_their_order_and_back(rollcall):
    policy(rollcall, import_on_duplicate="update", username_change="admin")
    user = rollcall.create_user(email="a@people.example", external_id="7", first_name="Old", last_name="Person")
    made = dry_run(rollcall.admin, csv_of(["E-mail", "External ID", "Username", "First name", "Last name"], ["a@people.example", "", "", "Second", ""],
                                          ["", "7", "ann", "Third", ""], ["", "", "ann", "", "Human"]))
    assert set(outcomes(rollcall.admin, made).values()) == {"update"}
    done = apply(rollcall.admin, made)
    assert set(outcomes(rollcall.admin, done).values()) == {"applied"}, rows(rollcall.admin, done)
    changed = rollcall.user(user)
    assert (changed["username"], changed["first_name"], changed["last_name"]) == ("ann", "Third", "Human")
    undone = undo(rollcall.admin, done)
    assert (undone["counts"]["undone"], undone["counts"]["left"]) == (3, 0), rows(rollcall.admin, undone)
    back = rollcall.user(user)
    assert (back["username"], back["first_name"], back["last_name"]) == (None, "Old", "Person")


def test_two_people_who_swap_a_name_or_want_the_same_do_not_stop_the_others(rollcall):
    policy(rollcall, username_change="admin")
    lines = [[f"u{n}@people.example", "same" if n in (10, 400) else f"name{n}", "A", "B"] for n in range(600)]
    lines[500][1] = "SAME"
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Username", "First name", "Last name"], *lines))
    assert made["counts"]["create"] == 598
    rollcall.create_user(email="late@people.example", username="name300")
    done = apply(rollcall.admin, made)
    assert (done["counts"]["applied"], done["counts"]["error"]) == (597, 3)
    assert faults(rollcall.admin, done) == [(302, "Username", "username_taken"), (402, "Username", "duplicate"), (502, "Username", "duplicate")]


# -- Its maker.

def maker_of(system):
    user = system.create_administrator()
    return user, system.sign_in(user)


def test_it_stops_where_its_maker_is_no_longer_active_and_nothing_was_done(rollcall):
    user, client = maker_of(rollcall)
    made = dry_run(client, csv_of(PEOPLE, *people(3)))
    rollcall.worker.stop()
    client.post(f"/v1/imports/{made['id']}/apply", {}).ok(202)
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    rollcall.start_worker()
    done = ended(rollcall.admin, made["id"])
    assert done["state"] == "failed" and done["problem"]["code"] == "permission_missing" and done["counts"]["applied"] == 0, done
    assert not any(address and address.startswith("p") for address in users_of(rollcall))
    rollcall.admin.post(f"/v1/imports/{made['id']}/undo").refused(409, "state_conflict")


@pytest.mark.parametrize("change", ["UPDATE rollcall.users SET status = 'inactive' WHERE id = %s",
                                    "UPDATE rollcall.users SET role_id = NULL, own_permissions = '{users:write}' WHERE id = %s"])
def test_it_stops_in_the_middle_where_its_maker_goes_and_what_was_done_can_be_undone_by_another(rollcall, change):
    policy(rollcall, import_on_duplicate="update")
    user, client = maker_of(rollcall)
    before = set(users_of(rollcall))
    last = rollcall.create_user(email="last@people.example", first_name="Old", last_name="Person")
    made = dry_run(client, csv_of(PEOPLE, *people(2300), ["last@people.example", "New", "Person"]))
    with rollcall.cluster.connect(rollcall.database) as other:
        other.autocommit = False
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [last["id"]])
        client.post(f"/v1/imports/{made['id']}/apply", {}).ok(202)
        wait_until(lambda: rollcall.admin.get(f"/v1/imports/{made['id']}").ok()["counts"]["applied"] == 2000, 30)
        rollcall.sql(change, user["id"])
        done = ended(rollcall.admin, made["id"])
        other.rollback()
    assert done["state"] == "failed" and done["problem"]["code"] == "permission_missing", done
    assert done["counts"]["applied"] == 2000 and len(users_of(rollcall)) == len(before) + 1 + 2000
    assert rollcall.admin.get(f"/v1/imports/{made['id']}/rows", outcome="create,update", count="true").ok()["total"] == 301
    undone = undo(rollcall.admin, done)
    assert undone["state"] == "undone" and (undone["counts"]["undone"], undone["counts"]["left"]) == (2000, 0), undone
    assert set(users_of(rollcall)) == before | {"last@people.example"}


# -- Page by page, two at a time.

def job_connections(system):
    return system.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rollcall-worker/job'")


# Rows (edit, the one that made whom it edits); the first page goes alone, those behind it two by two.
RESTING = {
    "on the page under way": [(number, number - 1000) for number in (2000, 2999, 4000, 4500, 4999)],
    "on one that rests": [(number, 2500) for number in range(2501, 4900, 300)],
}


@pytest.mark.parametrize("pairs", RESTING.values(), ids=RESTING)
def test_a_row_waits_for_the_one_that_it_rests_on(rollcall, pairs):
    """Or he was not there yet. The last one about somebody has the last word; undone, they go back in turn."""
    policy(rollcall, import_on_duplicate="update")
    table = people(5000)
    for number, maker in pairs:
        table[number] = [f"p{maker}@people.example", f"Edit{number}", "Person"]
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *table))
    assert (made["counts"]["create"], made["counts"]["update"], made["counts"]["error"]) == (5000 - len(pairs), len(pairs), 0), made
    done = apply(rollcall.admin, made)
    assert done["state"] == "applied" and (done["counts"]["applied"], done["counts"]["error"]) == (5000, 0), done
    last = {f"p{maker}@people.example": f"Edit{number}" for number, maker in pairs}
    users = users_of(rollcall)
    assert len(users) == 5000 - len(pairs) + 1
    assert {address: user["first_name"] for address, user in users.items() if user["first_name"].startswith("Edit")} == last
    undone = undo(rollcall.admin, done)
    assert (undone["state"], undone["counts"]["undone"], undone["counts"]["left"]) == ("undone", 5000, 0), undone
    assert users_of(rollcall).keys() == {ADMIN_EMAIL}


def pages(system, waiting=False):
    """That PostgreSQL is writing; or those of them that wait for a lock."""
    return system.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rollcall-worker/job'"
                        " AND state = 'active' AND (wait_event_type = 'Lock' OR NOT %s)", waiting)


@pytest.fixture
def patient(rollcall):
    """One whose worker waits for locks as long as a test takes."""
    rollcall.worker.stop()
    url = rollcall.worker.environment["ROLLCALL_DATABASE_URL"]
    rollcall.worker.environment["ROLLCALL_DATABASE_URL"] = f"{url}{'&' if '?' in url else '?'}options=-c%20lock_timeout%3D60s"
    rollcall.start_worker()
    return rollcall


@contextlib.contextmanager
def two_pages_under_way(system):
    """Both wait for a lock."""
    wait_until(lambda: job_connections(system) == 2, 30, 0.001)
    with system.cluster.connect(system.database) as other, other.transaction():
        other.execute("LOCK TABLE rollcall.users IN SHARE MODE")
        wait_until(lambda: pages(system, waiting=True) == 2, 30, 0.01)
        yield


@pytest.mark.allow_errors("a child died, starting another")
def test_a_worker_that_is_killed_with_two_pages_under_way_applies_every_row_once(patient):
    policy(patient, email_required=False, login_identifier="either")
    made = dry_run(patient.admin, named(12000, every=100))
    began(patient, made, invite=True)
    for _ in range(2):
        with two_pages_under_way(patient):
            patient.worker.kill()
        wait_until(lambda: job_connections(patient) == 0)
        patient.sql("UPDATE rollcall.job SET run_at = now()")
        patient.start_worker()
        nudge(patient)
    assert_applied_once(patient, made, 12000, 120)


def signal_children(system, number):
    for child in system.worker.children():
        os.kill(child, number)


def test_nothing_is_written_beside_two_pages_under_way_once_the_lease_is_anothers(patient):
    made = dry_run(patient.admin, csv_of(PEOPLE, *people(12000)))
    began(patient, made)
    with two_pages_under_way(patient):
        before = patient.value("SELECT applied FROM rollcall.import")
        signal_children(patient, signal.SIGSTOP)
    wait_until(lambda: pages(patient) == 0, 30)
    assert patient.value("SELECT applied FROM rollcall.import") == before + 2000, "they were sent while it was held"
    patient.sql("UPDATE rollcall.job SET leased_by = 'somebody', attempts = attempts + 1, run_at = now() + interval '1 h'")
    signal_children(patient, signal.SIGCONT)
    wait_until(lambda: job_connections(patient) == 1)
    assert patient.value("SELECT applied FROM rollcall.import") == before + 2000
    assert patient.value("SELECT count(*) FROM rollcall.users") == before + 2000 + 1
    patient.sql("UPDATE rollcall.job SET leased_by = NULL, run_at = now()")
    nudge(patient)
    assert ended(patient.admin, made["id"], 60)["counts"]["applied"] == 12000


def test_two_pages_that_want_the_same_new_positions_do_not_wait_for_each_other_for_ever(rollcall):
    """Where a page takes longer than a statement may wait for a lock, the second of them is written again, alone."""
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Position"], *[[*person, f"Position {number // 1500}"] for number, person in enumerate(people(4000))]))
    rollcall.sql("CREATE FUNCTION rollcall.slowly() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END$$")
    rollcall.sql("GRANT EXECUTE ON FUNCTION rollcall.slowly() TO PUBLIC")
    rollcall.sql("CREATE TRIGGER slowly AFTER INSERT ON rollcall.users FOR EACH STATEMENT EXECUTE FUNCTION rollcall.slowly()")
    began(rollcall, made)
    done = ended(rollcall.admin, made["id"], 60)
    assert (done["state"], done["counts"]["applied"], done["counts"]["error"]) == ("applied", 4000, 0), done
    assert rollcall.sql("SELECT p.title, count(*) FROM rollcall.users u JOIN rollcall.position p ON p.id = u.position_id GROUP BY 1 ORDER BY 1") \
        == [("Position 0", 1500), ("Position 1", 1500), ("Position 2", 1000)]
    metrics = rollcall.metrics(worker=True)
    assert metrics['rollcall_database_errors_total{reason="busy"}'] > 0
    assert metrics['rollcall_jobs_total{kind="import_apply",outcome="ended"}'] == 1 and metrics.get('rollcall_jobs_total{kind="import_apply",outcome="later"}', 0) == 0


@pytest.mark.allow_errors("could not connect to the database")
def test_where_no_second_connection_is_to_be_had_it_goes_page_by_page(rollcall):
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *people(3000)))
    rollcall.sql(f"ALTER DATABASE {rollcall.database} CONNECTION LIMIT 0")
    try:
        began(rollcall, made)
        assert ended(rollcall.admin, made["id"])["counts"]["applied"] == 3000
        assert "could not connect to the database" in rollcall.worker.text()
    finally:
        rollcall.sql(f"ALTER DATABASE {rollcall.database} CONNECTION LIMIT -1")
    assert users_of(rollcall).keys() == {f"p{number}@people.example" for number in range(3000)} | {ADMIN_EMAIL}


# -- Whoever dies.

def assert_applied_once(system, made, count, mails):
    """Each row once, each mail once."""
    done = ended(system.admin, made["id"], 60)
    assert done["state"] == "applied", done
    assert (done["counts"]["rows"], done["counts"]["create"], done["counts"]["applied"], done["counts"]["error"]) == (count, count, count, 0)
    assert system.sql("SELECT outcome, count(*), count(DISTINCT user_id) FROM rollcall.import_row GROUP BY outcome") == [("applied", count, count)]
    assert system.sql("SELECT version, count(*) FROM rollcall.users WHERE id <> %s GROUP BY version", system.admin_id) == [(1, count)]
    assert system.sql("SELECT count(*), count(DISTINCT subject_id) FROM rollcall.audit WHERE action LIKE 'user.%%' AND subject_id <> %s", system.admin_id) == [(count, count)]
    assert system.sql("SELECT count(*), count(DISTINCT user_id) FROM rollcall.outbox WHERE kind = 'invitation'") == [(mails, mails)]
    assert system.sql("SELECT id FROM rollcall.job") == []


def sent_to_people(system):
    wait_settled(system, 60)
    return [mail for mail in system.mails() if mail.recipients[0].endswith("@people.example")]


@pytest.mark.allow_errors("a child died, starting another")
def test_a_worker_that_is_killed_five_times_applies_every_row_once_and_invites_everybody_once(rollcall):
    policy(rollcall, email_required=False, login_identifier="either")
    made = dry_run(rollcall.admin, named(6000))
    began(rollcall, made, invite=True)
    for kill in range(5):
        wait_until(lambda: rollcall.value("SELECT applied FROM rollcall.import") > kill * 1000, 30, 0.001)
        rollcall.worker.kill()
        seen = rollcall.admin.get(f"/v1/imports/{made['id']}").ok()
        assert seen["state"] == "applying" and seen["progress"] == {"done": seen["counts"]["applied"], "rows": 6000} and seen["rate_per_s"] > 0 and seen["remaining_s"] >= 0
        assert rollcall.admin.get(f"/v1/imports/{made['id']}/rows", outcome="applied", count="true")["total"] == seen["counts"]["applied"] < 6000
        rollcall.sql("UPDATE rollcall.job SET run_at = now()")
        rollcall.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued'")
        rollcall.start_worker()
        nudge(rollcall)
    assert_applied_once(rollcall, made, 6000, 600)
    rollcall.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued'")
    nudge(rollcall)
    # One that was on its way when its sender was killed comes twice, as the same mail.
    sent = sent_to_people(rollcall)
    assert len({mail.recipients[0] for mail in sent}) == len({mail.id for mail in sent}) == 600


@pytest.mark.settings(ROLLCALL_JOBS=2)
def test_two_workers_apply_two_imports_at_once_and_each_row_once(rollcall):
    policy(rollcall, email_required=False, login_identifier="either")
    second_worker(rollcall, ROLLCALL_JOBS=2)
    imports = [dry_run(rollcall.admin, named(1500, prefix)) for prefix in "ab"]
    for made in imports:
        began(rollcall, made, invite=True)
    done = [ended(rollcall.admin, made["id"]) for made in imports]
    assert [one["counts"]["applied"] for one in done] == [1500, 1500]
    assert rollcall.admin.get("/v1/users", count="true")["total"] == 3001
    sent = [mail.recipients[0] for mail in sent_to_people(rollcall)]
    assert len(sent) == len(set(sent)) == 300


@pytest.mark.settings(ROLLCALL_JOBS=2)
def test_two_imports_of_the_same_people_at_once_make_each_once(rollcall):
    second_worker(rollcall, ROLLCALL_JOBS=2)
    imports = [dry_run(rollcall.admin, csv_of(PEOPLE, *people(1200))) for _ in range(2)]
    for made in imports:
        began(rollcall, made)
    done = [ended(rollcall.admin, made["id"]) for made in imports]
    assert {one["state"] for one in done} == {"applied"} and sum(one["counts"]["applied"] for one in done) == 1200, done
    assert sum(one["counts"]["error"] for one in done) == 1200
    assert {code for one in done for _, _, code in faults(rollcall.admin, one)} == {"email_taken"}


def test_a_dry_run_that_dies_begins_anew(rollcall):
    made = upload(rollcall.admin, csv_of(PEOPLE, *people(9000)))
    wait_until(lambda: rollcall.value("SELECT rows FROM rollcall.import") >= 1000, 30, 0.001)
    rollcall.worker.kill()
    assert 0 < rollcall.value("SELECT rows FROM rollcall.import") < 9000
    rollcall.sql("UPDATE rollcall.job SET run_at = now()")
    rollcall.start_worker()
    nudge(rollcall)
    done = ended(rollcall.admin, made)
    assert done["state"] == "ready" and (done["counts"]["rows"], done["counts"]["create"]) == (9000, 9000), done
    assert rollcall.value("SELECT count(*) FROM rollcall.import_row") == 9000


def parsers(system):
    """The children of the worker's children: only those of jobs have any."""
    found = []
    for child in system.worker.children():
        with contextlib.suppress(FileNotFoundError):
            found += [int(pid) for pid in pathlib.Path(f"/proc/{child}/task/{child}/children").read_text().split()]
    return found


def test_a_file_whose_reader_is_killed_is_read_again_and_not_blamed(rollcall):
    made = upload(rollcall.admin, csv_of(PEOPLE, *people(20000)))
    wait_until(lambda: rollcall.value("SELECT rows FROM rollcall.import") >= 1000, 30, 0.001)
    (reader,) = parsers(rollcall)
    os.kill(reader, signal.SIGKILL)
    wait_until(lambda: "could not end a job: it is tried again" in rollcall.worker.text(), 10)
    done = ended(rollcall.admin, made)
    assert (done["state"], done["problem"], done["counts"]["rows"], done["counts"]["create"]) == ("ready", None, 20000, 20000), done
    assert rollcall.value("SELECT count(*) FROM rollcall.import_row") == 20000


def test_rows_that_come_in_pairs_are_applied_and_undone_by_the_page(rollcall):
    """Each second row edits whom the row before it makes: it waits for that one, and all others do not wait for it."""
    policy(rollcall, import_on_duplicate="update")
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *[row for one in people(800) for row in (one, [one[0], "Later", one[2]])]))
    assert (made["counts"]["create"], made["counts"]["update"]) == (800, 800)
    done = apply(rollcall.admin, made)
    assert done["counts"]["applied"] == 1600 and {user["first_name"] for user in users_of(rollcall).values()} == {"Ada", "Later"}
    assert rollcall.value("SELECT count(DISTINCT written_at) FROM rollcall.import_row") <= 8
    undone = undo(rollcall.admin, made)
    assert (undone["counts"]["undone"], undone["counts"]["left"]) == (1600, 0) and len(users_of(rollcall)) == 1
    assert rollcall.value("SELECT count(DISTINCT written_at) FROM rollcall.import_row WHERE user_id IS NOT NULL") <= 8


def test_rows_that_come_thrice_are_applied_in_their_order(rollcall):
    policy(rollcall, import_on_duplicate="update")
    old = rollcall.create_user(email="old@people.example", first_name="Old", last_name="Person")
    three = [[one[0], name, one[2]] for name in ("First", "Second", "Third") for one in [["old@people.example", "", "Person"], *people(400)]]
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *three))
    assert apply(rollcall.admin, made)["counts"]["applied"] == 1203
    assert {user["first_name"] for user in users_of(rollcall).values()} == {"Ada", "Third"}
    assert undo(rollcall.admin, made)["counts"]["undone"] == 1203
    assert {address: user["first_name"] for address, user in users_of(rollcall).items()} == {ADMIN_EMAIL: "Ada", old["email"]: "Old"}


def test_sigterm_in_the_middle_of_applying_gives_it_back(rollcall):
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *people(5000)))
    began(rollcall, made)
    wait_until(lambda: rollcall.value("SELECT applied FROM rollcall.import") >= 1000, 30, 0.001)
    assert rollcall.worker.stop() == 0
    assert rollcall.value("SELECT state FROM rollcall.import") == "applying" and rollcall.sql("SELECT attempts FROM rollcall.job") == [0]
    rollcall.start_worker()
    assert_applied_once(rollcall, made, 5000, 0)
