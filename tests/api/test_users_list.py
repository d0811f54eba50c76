"""GET /v1/users: filters, order, pages that stay stable, and parameters that are none."""
import base64
import uuid

import pytest

SORTS = ["name", "-name", "status", "-status", "created_at", "-created_at"]
PEOPLE = [("Olena", "Koval"), ("Oleh", "Koval"), ("Їжак", "Щербань"), ("anna", "Zhuk"), ("Anna", "Abramova"), ("Émile", "Zola"),
          ("Zoë", "Ångström"), ("Іван", "Франко"), ("Ada", "Lovelace"), ("100%", "sure_thing")]


@pytest.fixture(scope="module")
def people(shared_server):
    """Ten users, two of each status but locked, which has one."""
    made = []
    shared_server.set_policy(user_kinds=["employee", "external"])
    for number, (first, last) in enumerate(PEOPLE):
        user = shared_server.create_user(first_name=first, last_name=last, username=f"person{number}", external_id=f"ext_{number}",
                                         phone=f"+38044000000{number}", kind="external" if number % 2 else "employee",
                                         email=f"p{number}@people.example")
        made.append(user)
    for number in (0, 1):
        shared_server.sql("UPDATE rollcall.users SET status = 'active' WHERE id = %s", made[number]["id"])
    for number in (2, 3):
        shared_server.sql("UPDATE rollcall.users SET status = 'inactive' WHERE id = %s", made[number]["id"])
    shared_server.sql("UPDATE rollcall.users SET status = 'locked', status_before_lock = 'active' WHERE id = %s", made[4]["id"])
    return made


def found(standing, **params):
    return [user["id"] for user in standing.admin.pages("/v1/users", **params) if user["id"] != standing.admin_id]


def ids(people, *numbers):
    return {people[number]["id"] for number in numbers}


FILTERS = {
    "status=active": ({"status": "active"}, {0, 1}),
    "status=inactive,locked": ({"status": "inactive,locked"}, {2, 3, 4}),
    "kind=external": ({"kind": "external"}, {1, 3, 5, 7, 9}),
    "kind and status": ({"kind": "external", "status": "active"}, {1}),
    "email in other capitals": ({"email": "P3@People.Example"}, {3}),
    "username in other capitals": ({"username": "PERSON4"}, {4}),
    "external id exactly": ({"external_id": "ext_4"}, {4}),
    "external id is no fragment": ({"external_id": "ext"}, set()),
    "q a fragment of a name": ({"q": "ova"}, {0, 1, 4}),
    "q in Cyrillic and other capitals": ({"q": "ЩЕРБ"}, {2}),
    "q of an address": ({"q": "p7@people"}, {7}),
    "q of a phone": ({"q": "440000008"}, {8}),
    "q of an external id": ({"q": "ext_6"}, {6}),
    "q with a percent sign": ({"q": "0%"}, {9}),
    "q of a percent sign alone": ({"q": "%"}, {9}),
    "q with an underscore": ({"q": "sure_t"}, {9}),
    "q with a wildcard that means itself": ({"q": "s_re"}, set()),
    "q with a backslash": ({"q": "\\"}, set()),
    "q with a quote": ({"q": "' OR 1=1 --"}, set()),
    "q over first and last name": ({"q": "olena koval"}, {0}),
    "q empty": ({"q": "", "email": "p1@people.example"}, {1}),
    "role nobody has": ({"role_id": str(uuid.uuid4())}, set()),
    "updated in the future": ({"updated_since": "2999-01-01T00:00:00Z"}, set()),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_exactly_those_whom_it_names(standing, people, name):
    params, expected = FILTERS[name]
    assert set(found(standing, **params)) == ids(people, *expected)


@pytest.fixture(scope="module")
def away(shared_server, people):
    """0, 2 and 5 are away now, 1 will be tomorrow; 0 and 1 are the active ones among them all."""
    for number in (0, 2, 5):
        shared_server.add_day_off(people[number])
    shared_server.add_day_off(people[0], "1 week", "2 weeks")
    shared_server.add_day_off(people[1], "23 hours", "25 hours")
    return people


VACATIONS = {
    "at vacation": ({"vacation": "on"}, {0, 2, 5}),
    "not at vacation": ({"vacation": "off"}, {1, 3, 4, 6, 7, 8, 9}),
    "vacation and status": ({"vacation": "on", "status": "active,inactive"}, {0, 2}),
    "not at vacation and active": ({"vacation": "off", "status": "active"}, {1}),
    "assignable": ({"assignable": "true"}, {1}),
    "not assignable": ({"assignable": "false"}, {0, 2, 3, 4, 5, 6, 7, 8, 9}),
    "assignable tomorrow": ({"assignable": "true", "at": "1 day"}, {0}),
    "at vacation tomorrow": ({"vacation": "on", "at": "1 day"}, {1}),
    "not at vacation tomorrow": ({"vacation": "off", "at": "1 day", "status": "active"}, {0}),
    "assignable between": ({"assignable": "true", "at": "3 days"}, {0, 1}),
    "assignable in ten days": ({"assignable": "true", "at": "10 days"}, {1}),
    "assignable and away": ({"assignable": "true", "vacation": "on"}, set()),
}


@pytest.mark.parametrize("name", VACATIONS)
def test_who_is_away_and_who_may_be_assigned_anything_is_found_at_any_moment(standing, away, name):
    """S1-28, S1-29."""
    params, expected = VACATIONS[name]
    if "at" in params:
        params = {**params, "at": standing.moment(params["at"])}
    assert set(found(standing, **params)) == ids(away, *expected)
    for sort in SORTS:
        assert set(found(standing, sort=sort, limit=2, **params)) == ids(away, *expected)
    total = standing.admin.get("/v1/users", count="true", q="p", **params).ok(200)["total"]
    assert total == len(standing.admin.pages("/v1/users", q="p", **params))


def test_a_policy_lets_those_who_are_away_be_assigned(standing, away):
    standing.set_policy(assignable_on_day_off=True)
    assert set(found(standing, assignable="true")) == ids(away, 0, 1)
    assert {user["id"] for user in standing.admin.pages("/v1/users") if user["assignable"]} - {standing.admin_id} == ids(away, 0, 1)
    standing.set_policy(assignable_on_day_off=False)
    shown = {user["id"]: (user["on_day_off"], user["assignable"]) for user in standing.admin.pages("/v1/users")}
    assert [shown[away[number]["id"]] for number in (0, 1, 2, 3)] == [(True, False), (False, True), (True, False), (False, False)]


def test_filters_and_count_agree(standing, people):
    answer = standing.admin.get("/v1/users", status="active,inactive,locked", kind="employee", count="true", limit=1).ok(200)
    assert answer["total"] == 4 + 0 * len(people)  # the administrator is an employee, too
    assert len(answer.items) == 1
    assert "total" not in standing.admin.get("/v1/users", count="false").ok(200).body


@pytest.mark.parametrize("limit", [1, 3, 200])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_everybody_once_in_order_both_ways(standing, people, sort, limit):
    everybody = standing.admin.pages("/v1/users", sort=sort, limit=limit)
    assert len({user["id"] for user in everybody}) == len(everybody) == standing.value("SELECT count(*) FROM rollcall.users")
    opposite = sort[1:] if sort.startswith("-") else "-" + sort
    assert [user["id"] for user in standing.admin.pages("/v1/users", sort=opposite, limit=limit)][::-1] == [user["id"] for user in everybody]
    assert len(people) < len(everybody)


def test_names_sort_as_people_expect_in_every_script(standing, people):
    names = [(user["last_name"], user["first_name"]) for user in standing.admin.pages("/v1/users", sort="name") if user["id"] != standing.admin_id]
    assert names == [("Abramova", "Anna"), ("Ångström", "Zoë"), ("Koval", "Oleh"), ("Koval", "Olena"), ("Lovelace", "Ada"),
                     ("sure_thing", "100%"), ("Zhuk", "anna"), ("Zola", "Émile"), ("Франко", "Іван"), ("Щербань", "Їжак")]


def test_statuses_stand_in_the_order_of_their_words_and_names_inside_of_each(standing, people):
    everybody = standing.admin.pages("/v1/users", sort="status", limit=3)
    statuses = [user["status"] for user in everybody]
    assert statuses == sorted(statuses) and len(set(statuses)) == 4
    by_name = [user["id"] for user in standing.admin.pages("/v1/users", sort="name")]
    for status in set(statuses):
        inside = [user["id"] for user in everybody if user["status"] == status]
        assert inside == [id for id in by_name if id in inside]


@pytest.mark.parametrize("limit", [2, 200])
def test_the_blocked_sink_to_the_bottom_of_names_where_the_policy_says_so(standing, people, limit):
    """S3-26, both ways."""
    ordinary = {sort: [user["id"] for user in standing.admin.pages("/v1/users", sort=sort)] for sort in SORTS}
    blocked = ids(people, 2, 3, 4)
    standing.admin.patch("/v1/policy", {"blocked_position": "bottom"}).ok(200)
    for sort in SORTS:
        now = [user["id"] for user in standing.admin.pages("/v1/users", sort=sort, limit=limit)]
        if sort.endswith("name"):
            assert now == [id for id in ordinary[sort] if id not in blocked] + [id for id in ordinary[sort] if id in blocked]
        else:
            assert now == ordinary[sort]
    standing.admin.patch("/v1/policy", {"blocked_position": "in_place"}).ok(200)


def test_a_page_does_not_go_on_in_another_order_when_the_policy_changes(standing, people):
    """It would show some twice and others never."""
    page = lambda sort, **more: standing.admin.get("/v1/users", sort=sort, limit=1, **more)
    for before, after in (("in_place", "bottom"), ("bottom", "in_place")):
        standing.admin.patch("/v1/policy", {"blocked_position": before}).ok(200)
        cursors = {sort: page(sort).ok(200)["next_cursor"] for sort in SORTS}
        standing.admin.patch("/v1/policy", {"blocked_position": after}).ok(200)
        for sort in SORTS:
            answer = page(sort, cursor=cursors[sort])
            if sort.endswith("name"):
                assert answer.refused(400, "invalid_query").faults() == {"cursor": "invalid"}
            else:
                answer.ok(200)


def test_a_cursor_is_stable_under_inserts(server_only):
    for letter in "bdfh":
        server_only.create_user(last_name=letter)
    first = server_only.admin.get("/v1/users", sort="name", limit=3).ok(200)
    seen = [user["last_name"] for user in first.items]
    server_only.create_user(last_name="a")  # before the cursor: not seen any more
    server_only.create_user(last_name="z")  # behind it: seen
    rest = server_only.admin.pages("/v1/users", sort="name", cursor=first["next_cursor"])
    names = seen + [user["last_name"] for user in rest]
    assert len(names) == len(set(names)) and "z" in names and "a" not in names


def test_the_newest_sort_of_invitations_and_outbox_pages_too(standing, people):
    for path in ("/v1/invitations", "/v1/outbox", "/v1/audit"):
        whole, pages = standing.admin.pages(path, limit=200), standing.admin.pages(path, limit=3)
        key = "user_id" if path == "/v1/invitations" else "id"
        assert [row[key] for row in whole] == [row[key] for row in pages]
        assert len(whole) >= len(people)


def crafted(prefix, key="", identity="00000000-0000-7000-8000-000000000000"):
    return base64.urlsafe_b64encode((prefix + identity + key).encode()).rstrip(b"=").decode()


WRONG = {
    "limit 0": ({"limit": "0"}, "limit"), "limit 201": ({"limit": "201"}, "limit"), "limit -1": ({"limit": "-1"}, "limit"),
    "limit a word": ({"limit": "many"}, "limit"), "limit with a tail": ({"limit": "5x"}, "limit"), "limit empty": ({"limit": ""}, "limit"),
    "limit huge": ({"limit": "99999999999999999999"}, "limit"), "limit with a space": ({"limit": " 5"}, "limit"),
    "sort unknown": ({"sort": "email"}, "sort"), "sort with two dashes": ({"sort": "--name"}, "sort"),
    "status unknown": ({"status": "banned"}, "status"), "status with an empty word": ({"status": "active,"}, "status"),
    "status empty": ({"status": ""}, "status"), "status injected": ({"status": "active}"}, "status"),
    "kind unknown": ({"kind": "robot"}, "kind"), "role no uuid": ({"role_id": "5"}, "role_id"),
    "count a number": ({"count": "1"}, "count"), "since no time": ({"updated_since": "yesterday"}, "updated_since"),
    "since 30 February": ({"updated_since": "2026-02-30T00:00:00Z"}, "updated_since"),
    "q too long": ({"q": "x" * 101}, "q"), "unknown parameter": ({"colour": "red"}, "colour"),
    "cursor garbage": ({"cursor": "!!!"}, "cursor"), "cursor empty": ({"cursor": ""}, "cursor"), "cursor short": ({"cursor": "bjAw"}, "cursor"),
    "cursor of another order": ({"cursor": crafted("c", "2026-01-01 00:00:00+00"), "sort": "name"}, "cursor"),
    "cursor of another list": ({"cursor": crafted("o")}, "cursor"),
    "cursor with a malformed time": ({"cursor": crafted("c", "yesterday, or so"), "sort": "created_at"}, "cursor"),
    "cursor without its rank": ({"cursor": crafted("n", "koval olena")}, "cursor"),
    "cursor with a rank that is none": ({"cursor": crafted("s", "4koval"), "sort": "status"}, "cursor"),
    "cursor with a NUL": ({"cursor": crafted("n", "a\0b")}, "cursor"),
    "cursor without an id": ({"cursor": crafted("n", "", "x" * 36)}, "cursor"),
    "vacation maybe": ({"vacation": "maybe"}, "vacation"),
    "vacation true": ({"vacation": "true"}, "vacation"),
    "assignable perhaps": ({"assignable": "perhaps"}, "assignable"),
    "at no moment": ({"assignable": "true", "at": "tomorrow"}, "at"),
    "at a moment for nothing": ({"at": "2040-01-01T00:00:00Z"}, "at"),
    "cursor huge": ({"cursor": crafted("n", "x" * 6000)}, "cursor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_parameter_is_named(standing, name):
    params, parameter = WRONG[name]
    answer = standing.admin.get("/v1/users", **params).refused(400, "invalid_query")
    assert answer.faults().keys() == {parameter}


def test_all_wrong_parameters_are_named_at_once(standing):
    answer = standing.admin.get("/v1/users", limit="0", sort="x", status="y", kind="z", cursor="?").refused(400, "invalid_query")
    assert answer.faults().keys() == {"limit", "sort", "status", "kind", "cursor"}


RAW = ["q=%zz", "q=%", "q=%4", "q=%00", "q=%ff", "q=a&q=b", "%ff=1"]


@pytest.mark.parametrize("query", RAW)
def test_a_query_that_is_no_url_encoded_utf8_is_refused(standing, query):
    standing.admin.raw("GET", f"/v1/users?{query}").refused(400)


def test_a_user_of_another_organization_is_in_no_list(server_only):
    other = server_only.other_organization()
    assert other["user_id"] not in found(server_only)
    assert found(server_only, q="boss@other") == []
    assert [row for row in server_only.outbox() if row["user_id"] == other["user_id"]] == []
