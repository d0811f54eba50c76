"""Days off: with date and time, without overlaps, and what they make of their user (S1-28, S1-34)."""
import concurrent.futures
import datetime

import pytest

SUMMER = {"starts_at": "2040-07-01T09:30:00+03:00", "ends_at": "2040-07-15T18:00:00+03:00"}
UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def user(standing):
    return standing.create_user()


def path_of(user, day_off=None):
    return f"/v1/users/{user['id']}/day-offs" + (f"/{day_off['id']}" if day_off else "")


def active(standing, **fields):
    user = standing.create_user(**fields)
    standing.move("users", user, status="'active'")
    return user


def test_it_is_made_read_changed_and_deleted_and_the_audit_tells_it(standing, user):
    made = standing.admin.post(path_of(user), {**SUMMER, "note": "Carpathians"}).ok(201)
    assert made.headers["Location"] == path_of(user, made) and made.headers["ETag"] == '"1"'
    assert made.body | {"starts_at": "2040-07-01T06:30:00Z", "ends_at": "2040-07-15T15:00:00Z", "note": "Carpathians",
                        "user_id": user["id"], "version": 1} == made.body
    assert standing.admin.get(path_of(user)).ok(200).items == [made.body]
    changed = standing.admin.patch(path_of(user, made), {"ends_at": "2040-07-16T00:00:00Z", "note": None}).ok(200)
    assert (changed["starts_at"], changed["ends_at"], changed["note"], changed["version"]) == (made["starts_at"], "2040-07-16T00:00:00Z", None, 2)
    standing.admin.delete(path_of(user, made)).ok(204)
    standing.admin.delete(path_of(user, made)).refused(404, "not_found")
    assert standing.admin.get(path_of(user)).ok(200).body == {"items": [], "next_cursor": None}
    one, start, end = made["id"], made["starts_at"], changed["ends_at"]
    told = [(row["action"], row["changes"]) for row in standing.audit(user=user) if row["action"].startswith("day_off")]
    assert told == [
        ("day_off.deleted", {"day_off_id": [one, None], "starts_at": [start, None], "ends_at": [end, None]}),
        ("day_off.edited", {"day_off_id": [one, one], "ends_at": [made["ends_at"], end], "note": ["Carpathians", None]}),
        ("day_off.created", {"day_off_id": [None, one], "starts_at": [None, start], "ends_at": [None, made["ends_at"]], "note": [None, "Carpathians"]})]
    assert standing.user(user)["version"] == user["version"]


def test_the_note_is_personal(standing, user):
    """Its words lie where erasing a person reaches them."""
    standing.admin.post(path_of(user), {**SUMMER, "note": "knee surgery"}).ok(201)
    assert standing.value("SELECT count(*) FROM rollcall.audit WHERE changes::text LIKE '%%knee%%'") == 0
    assert standing.value("SELECT user_id FROM rollcall.audit_value WHERE changes::text LIKE '%%knee%%'") == standing.value("SELECT %s::uuid", user["id"])


FAULTS = {
    "reversed": ({"starts_at": SUMMER["ends_at"], "ends_at": SUMMER["starts_at"]}, {"/ends_at": "invalid"}),
    "empty": ({"starts_at": "2040-07-01T10:00:00Z", "ends_at": "2040-07-01T13:00:00+03:00"}, {"/ends_at": "invalid"}),
    "longer than ten years": ({"starts_at": "2040-07-01T00:00:00Z", "ends_at": "2050-07-01T00:00:01Z"}, {"/ends_at": "invalid"}),
    "a date alone": ({"starts_at": "2040-07-01", "ends_at": "2040-07-02T00:00:00"}, {"/starts_at": "invalid", "/ends_at": "invalid"}),
    "no day of the calendar": ({"starts_at": "2041-02-29T00:00:00Z", "ends_at": "2041-13-01T00:00:00Z"}, {"/starts_at": "invalid", "/ends_at": "invalid"}),
    "nothing": ({}, {"/starts_at": "required", "/ends_at": "required"}),
    "nulls": ({"starts_at": None, "ends_at": None}, {"/starts_at": "required", "/ends_at": "required"}),
    "everything at once": ({"starts_at": 5, "ends_at": "x", "note": "", "version": 1, "reason": "y"},
                           {"/starts_at": "wrong_type", "/ends_at": "invalid", "/note": "invalid", "/version": "read_only", "/reason": "unknown_field"}),
    "the year 0": ({"starts_at": "0000-01-01T00:00:00Z", "ends_at": "0001-01-01T00:00:00+14:00"}, {"/starts_at": "invalid"}),
    "before Christ, by the offset": ({"starts_at": "0001-01-01T00:00:00+14:00", "ends_at": "0001-01-02T00:00:00Z"}, {"/starts_at": "invalid"}),
    "the year 10000, by the offset": ({"starts_at": "9999-12-30T00:00:00Z", "ends_at": "9999-12-31T23:59:59-14:00"}, {"/ends_at": "invalid"}),
    "a long note": ({**SUMMER, "note": "x" * 501}, {"/note": "too_long"}),
    "reversed and more": ({"starts_at": SUMMER["ends_at"], "ends_at": SUMMER["starts_at"], "note": 7}, {"/ends_at": "invalid", "/note": "wrong_type"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_all_at_once(standing, user, name):
    body, faults = FAULTS[name]
    assert standing.admin.post(path_of(user), body).refused(422, "invalid_body").faults() == faults
    assert standing.admin.get(path_of(user)).items == []


@pytest.mark.parametrize("body", [{"starts_at": "2040-07-15T15:00:00Z"}, {"ends_at": "2040-07-01T06:30:00Z"}, {"ends_at": "2050-07-01T06:30:01Z"}])
def test_a_patch_is_judged_with_what_stays(standing, user, body):
    made = standing.admin.post(path_of(user), SUMMER).ok(201)
    assert standing.admin.patch(path_of(user, made), body).refused(422, "invalid_body").faults() == {"/ends_at": "invalid"}
    assert standing.admin.get(path_of(user)).items == [made.body]


def test_ten_years_to_the_second_are_allowed_and_so_is_a_far_future(standing, user):
    standing.admin.post(path_of(user), {"starts_at": "2040-07-01T00:00:00Z", "ends_at": "2050-07-01T00:00:00Z"}).ok(201)
    standing.admin.post(path_of(user), {"starts_at": "9990-01-01T00:00:00Z", "ends_at": "9999-12-31T00:00:00Z"}).ok(201)
    standing.admin.post(path_of(user), {"starts_at": "1900-01-01T00:00:00Z", "ends_at": "1900-01-02T00:00:00Z"}).ok(201)


@pytest.mark.parametrize("starts,ends,overlaps", [
    ("2040-06-20T00:00:00Z", "2040-07-01T06:30:01Z", True), ("2040-07-15T14:59:59Z", "2040-08-01T00:00:00Z", True),
    ("2040-07-03T00:00:00Z", "2040-07-04T00:00:00Z", True), ("2040-01-01T00:00:00Z", "2041-01-01T00:00:00Z", True),
    ("2040-07-01T06:30:00Z", "2040-07-15T15:00:00Z", True), ("2040-06-20T00:00:00Z", "2040-07-01T06:30:00Z", False),
    ("2040-07-15T15:00:00Z", "2040-08-01T00:00:00Z", False)])
def test_days_off_never_overlap_and_may_touch(standing, user, starts, ends, overlaps):
    standing.admin.post(path_of(user), SUMMER).ok(201)
    standing.admin.post(path_of(standing.create_user()), SUMMER).ok(201)
    body = {"starts_at": starts, "ends_at": ends}
    answer = standing.admin.post(path_of(user), body)
    elsewhere = standing.admin.post(path_of(user), {"starts_at": "2039-01-01T00:00:00Z", "ends_at": "2039-01-02T00:00:00Z"}).ok(201)
    if overlaps:
        assert "another day off" in answer.refused(409, "state_conflict")["detail"]
        standing.admin.patch(path_of(user, elsewhere), body).refused(409, "state_conflict")
    else:
        answer.ok(201)


def test_of_two_that_overlap_at_the_same_moment_one_is_made(standing, user):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        clients = [standing.client(standing.admin_token) for _ in range(6)]
        answers = list(pool.map(lambda client: client.post(path_of(user), SUMMER).status, clients))
    assert sorted(answers) == [201] + [409] * 5
    assert len(standing.admin.get(path_of(user)).items) == 1


def test_a_stale_version_is_refused_and_nothing_new_moves_none(standing, user):
    made = standing.admin.post(path_of(user), SUMMER).ok(201)
    tag = {"If-Match": made.headers["ETag"]}
    same = standing.admin.patch(path_of(user, made), {"starts_at": "2040-07-01T06:30:00Z", "note": None}, headers=tag).ok(200)
    assert same.body == made.body and same.headers["ETag"] == made.headers["ETag"]
    standing.admin.patch(path_of(user, made), {"note": "x"}, headers=tag).ok(200)
    standing.admin.patch(path_of(user, made), {"note": "y"}, headers=tag).refused(412, "version_mismatch")
    standing.admin.delete(path_of(user, made), headers=tag).refused(412, "version_mismatch")


def test_a_list_is_in_the_order_in_which_they_begin(standing, user):
    for month in (5, 1, 9, 3, 7):
        standing.admin.post(path_of(user), {"starts_at": f"20{30 + month}-01-01T00:00:00.5Z", "ends_at": f"20{30 + month}-02-01T00:00:00Z"}).ok(201)
    standing.admin.post(path_of(user), {"starts_at": "1969-01-01T00:00:00Z", "ends_at": "1969-01-02T00:00:00Z"}).ok(201)
    whole = standing.admin.get(path_of(user), count="true").ok(200)
    assert whole["total"] == 6 and [item["starts_at"] for item in whole.items] == sorted(item["starts_at"] for item in whole.items)
    assert standing.admin.pages(path_of(user), limit=2) == whole.items
    standing.admin.get(path_of(user), limit=0, cursor="nonsense").refused(400, "invalid_query")
    standing.admin.get(path_of({"id": UNKNOWN})).refused(404, "not_found")


def test_one_is_found_only_through_its_own_user(standing, user):
    made = standing.admin.post(path_of(user), SUMMER).ok(201)
    stranger = standing.create_user()
    standing.admin.patch(path_of(stranger, made), {"note": "x"}).refused(404, "not_found")
    standing.admin.delete(path_of(stranger, made)).refused(404, "not_found")
    standing.admin.patch(path_of(user, {"id": UNKNOWN}), {}).refused(404, "not_found")
    standing.admin.post(path_of({"id": UNKNOWN}), SUMMER).refused(404, "not_found")
    other = standing.client(standing.other_organization()["key"])
    other.get(path_of(user)).refused(404, "not_found")
    other.post(path_of(user), SUMMER).refused(404, "not_found")
    other.delete(path_of(user, made)).refused(404, "not_found")
    assert standing.admin.get(path_of(user)).items == [made.body]


def test_who_may_change_users_changes_their_days_off_but_not_of_who_holds_more(standing, user):
    reader, writer = (standing.client(standing.make_key(*words)) for words in (["users:read"], ["users:read", "users:write"]))
    reader.post(path_of(user), SUMMER).refused(403, "permission_missing")
    made = writer.post(path_of(user), SUMMER).ok(201)
    assert reader.get(path_of(user)).items == [made.body]
    boss = {"id": standing.admin_id}
    writer.post(path_of(boss), SUMMER).refused(403, "exceeds_your_permissions")
    of_boss = standing.admin.post(path_of(boss), SUMMER).ok(201)
    writer.patch(path_of(boss, of_boss), {"note": "x"}).refused(403, "exceeds_your_permissions")
    writer.delete(path_of(boss, of_boss)).refused(403, "exceeds_your_permissions")
    standing.admin.delete(path_of(boss, of_boss)).ok(204)


def test_who_is_away_is_shown_and_not_assignable(standing):
    user = standing.create_user()
    assert (user["on_day_off"], user["assignable"]) == (False, False), "he is pending"
    standing.move("users", user, status="'active'")
    assert standing.user(user)["assignable"] is True
    day_off = standing.add_day_off(user)
    shown = standing.user(user)
    assert (shown["on_day_off"], shown["assignable"]) == (True, False)
    standing.set_policy(assignable_on_day_off=True)
    assert (standing.user(user)["on_day_off"], standing.user(user)["assignable"]) == (True, True)
    standing.set_policy(assignable_on_day_off=False)
    standing.admin.patch(path_of(user, day_off), {"ends_at": standing.moment("-1 second")}).ok(200)
    shown = standing.user(user)
    assert (shown["on_day_off"], shown["assignable"]) == (False, True)
    standing.add_day_off(user, "1 minute", "1 day")
    assert standing.user(user)["on_day_off"] is False


def test_a_day_off_counts_on_top_of_the_idle_time(standing):
    """What a clock would see: the date moves, is moved back, and warnings are not given twice."""
    user = active(standing)
    standing.move("users", user, last_active_at="now() - interval '10 days'", status_changed_at="now() - interval '10 days'")
    standing.sql("UPDATE rollcall.users u SET idle_due_at = u.last_active_at + p.idle_after, idle_check_at = now() + interval '1 minute'"
                 " FROM rollcall.policy p WHERE p.org_id = u.org_id AND u.id = %s", user["id"])

    def due():
        return standing.row("users", user)["idle_due_at"]

    def days(later, earlier):
        return datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)

    plain = due()
    far = standing.add_day_off(user, "1 year", "1 year 7 days")
    assert due() == plain, "it begins when the time is over anyway"
    assert standing.value("SELECT idle_check_at < now() + interval '1 minute' FROM rollcall.users WHERE id = %s", user["id"])
    old = standing.add_day_off(user, "-40 days", "-7 days")
    assert days(due(), plain) == days(old["ends_at"], standing.row("users", user)["last_active_at"])
    standing.admin.delete(path_of(user, old)).ok(204)
    assert due() == plain
    # The second begins behind the end, and within it once the first has put it off.
    second = standing.add_day_off(user, "90 days", "100 days")
    assert due() == plain
    first = standing.add_day_off(user, "10 days", "30 days")
    assert days(due(), plain) == datetime.timedelta(days=30)
    assert standing.value("SELECT idle_check_at = idle_due_at - interval '14 days' FROM rollcall.users WHERE id = %s", user["id"])
    for gone in (far, second, first):
        standing.admin.delete(path_of(user, gone)).ok(204)
    assert due() == plain
