"""The dry run of an import: what it says of each row, and that nothing else comes of it."""
import json
import uuid

import pytest

from support.imports import apply, csv_of, dry_run, ended, faults, outcomes, renewed, rows, undo
from workbook import workbook

PEOPLE = ["E-mail", "First name", "Last name"]


@pytest.fixture
def rollcall(shared_rollcall):
    yield from renewed(shared_rollcall)


def field(system, key, label, kind="text", **more):
    return system.admin.post("/v1/fields", {"key": key, "label" if isinstance(label, str) else "labels": label, "type": kind, **more}).ok(201).body


def mapped(system, headers, *cells, **wishes):
    """What a file's headers are taken for."""
    if "mapping" in wishes:
        wishes["mapping"] = json.dumps(wishes["mapping"])
    made = dry_run(system.admin, csv_of(headers, cells or ["x"] * len(headers)), **wishes)
    assert made["state"] == "ready", made
    return made["mapping"]


def error_of(row):
    (error,) = row["errors"]
    return error["column"], error["code"]


def test_a_file_of_new_people_says_that_it_would_make_them(rollcall):
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Ім'я", "Фамилия", "Phone"],
                                          ["olena@example.org", "Олена", "Шевченко", "+380 50 123 45 67"], ["ivan@example.org", "Іван", "Франко", ""]))
    assert made["state"] == "ready", made
    assert made["mapping"] == {"E-mail": "email", "Ім'я": "first_name", "Фамилия": "last_name", "Phone": "phone"}
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "create"}
    assert made["counts"] == {"rows": 2, "create": 2, "update": 0, "unchanged": 0, "error": 0, "applied": 0, "skipped": 0, "undone": 0, "left": 0}
    assert rows(rollcall.admin, made)[0]["values"]["Ім'я"] == "Олена"
    assert len(rollcall.admin.get("/v1/users").ok().items) == 1 and rollcall.outbox() == []
    applied = apply(rollcall.admin, made)
    assert applied["state"] == "applied", applied
    assert applied["counts"]["applied"] == 2
    users = {user["email"]: user for user in rollcall.admin.get("/v1/users").ok().items}
    assert users["olena@example.org"]["phone"] == "+380501234567"
    undone = undo(rollcall.admin, made)
    assert undone["state"] == "undone" and undone["counts"]["undone"] == 2, undone
    assert len(rollcall.admin.get("/v1/users").ok().items) == 1


# -- What headers mean.

COLUMNS = ["email", "username", "first_name", "last_name", "phone", "external_id", "kind", "role", "department", "position", "groups", "locale",
           "status", "password_hash", "id", "version"]


@pytest.mark.parametrize("headers", [
    ["E-mail", "Username", "First name", "Last name", "Phone", "External ID", "Kind", "Role", "Department", "Position", "Groups", "Language", "Status",
     "Password hash", "User ID", "Version"],
    ["Електронна пошта", "Логін", "Ім’я", "Прізвище", "Телефон", "Зовнішній ID", "Вид", "Роль", "Відділ", "Посада", "Групи", "Мова", "Статус", "Хеш пароля",
     "ID користувача", "Версія"],
    ["ЭЛЕКТРОННАЯ ПОЧТА", "Логин:", "Имя *", "Фамилия", "Телефон", "Внешний ID", "Вид", "Роль", "Отдел", "Должность", "Группы", "Язык", "Статус",
     "Хэш пароля", "ID пользователя", "Версия"],
    COLUMNS], ids=["en", "uk", "ru", "keys"])
def test_headers_are_known_in_three_languages_and_by_their_keys(shared_rollcall, headers):
    assert mapped(shared_rollcall, headers) == dict(zip(headers, COLUMNS))


def test_custom_fields_are_known_by_their_labels_in_any_language_and_by_their_keys(rollcall):
    field(rollcall, "hub", {"en": "Home hub", "uk": "Хаб", "ru": "Узел"})
    field(rollcall, "car_plate", {"en": "Plate", "uk": "Номер авто"})
    field(rollcall, "shirt", "Size")
    for headers in (["email", "Home Hub", "plate *"], ["email", "хаб", "НОМЕР АВТО"], ["email", "Узел", "car_plate"], ["email", "hub", "Car plate"],
                    ["email", "attributes.hub", "attributes.car_plate"]):
        assert mapped(rollcall, headers) == dict(zip(headers, ["email", "attributes.hub", "attributes.car_plate"]))
    # A label that two fields have could be either.
    field(rollcall, "trousers", "Size")
    assert mapped(rollcall, ["email", "Size", "shirt"]) == {"email": "email", "Size": None, "shirt": "attributes.shirt"}


def applied(system, headers, mapping):
    """An import of one new person whose mapping is remembered."""
    cells = {"email": f"{uuid.uuid4()}@example.org", "first_name": "Ada", "last_name": "Byron"}
    meant = mapped(system, headers, mapping=mapping)
    made = dry_run(system.admin, csv_of(headers, [cells.get(meant[header], "x") for header in headers]), mapping=json.dumps(mapping))
    done = apply(system.admin, made)
    assert (done["state"], done["counts"]["applied"]) == ("applied", 1), rows(system.admin, done)
    return done


def test_the_caller_says_what_columns_mean_and_which_are_ignored_and_it_is_remembered_for_the_next_file(rollcall):
    field(rollcall, "hub", "Hub")
    said = {"Kontakt": "email", "Vorname": "first_name", "Phone": None, "Ort": "attributes.hub"}
    headers = ["Kontakt", "Vorname", "Last name", "Phone", "Ort", "Shoes"]
    done = applied(rollcall, headers, said)
    assert done["mapping"] == {"Kontakt": "email", "Vorname": "first_name", "Last name": "last_name", "Phone": None, "Ort": "attributes.hub", "Shoes": None}
    assert done["mapping_from"] == {"Kontakt": "given", "Vorname": "given", "Last name": "header", "Phone": "given", "Ort": "given", "Shoes": None}
    later = dry_run(rollcall.admin, csv_of(["KONTAKT", "vorname *", "Last name", "ort"], ["x"] * 4))
    assert later["mapping"] == {"KONTAKT": "email", "vorname *": "first_name", "Last name": "last_name", "ort": "attributes.hub"}
    assert later["mapping_from"] == {"KONTAKT": "remembered", "vorname *": "remembered", "Last name": "header", "ort": "remembered"}
    # What is said now goes before what was said then; and nobody else's files are meant.
    assert mapped(rollcall, ["Kontakt", "Phone"], mapping={"Kontakt": "username", "Phone": "phone"}) == {"Kontakt": "username", "Phone": "phone"}
    other = rollcall.other_organization()
    made = dry_run(rollcall.client(other["key"]), csv_of(["Kontakt", "email"], ["a", "b@example.org"]))
    assert made["mapping"] == {"Kontakt": None, "email": "email"} and made["mapping_from"] == {"Kontakt": None, "email": "header"}


def test_what_is_said_of_a_file_that_is_never_applied_changes_nothing_that_was_said(rollcall):
    """Whoever uploaded a file changed what columns mean in the next one of everybody else."""
    mapped(rollcall, ["email", "Kontakt"], mapping={"Kontakt": "username"})
    assert mapped(rollcall, ["email", "Kontakt"])["Kontakt"] == "username", "nobody had said anything of it"
    for other in ("external_id", None):
        mapped(rollcall, ["email", "Kontakt"], mapping={"Kontakt": other})
        assert mapped(rollcall, ["email", "Kontakt"])["Kontakt"] == "username"
    mapped(rollcall, ["email", "Kontakt"], mapping={"email": "username"})
    assert rollcall.sql("SELECT header, field FROM rollcall.import_mapping") == [("kontakt", "username")]


def test_headers_of_our_own_mean_what_they_mean_whatever_was_said_of_them(rollcall):
    """What was said of "E-mail" in one file sent the addresses of the next elsewhere."""
    field(rollcall, "hub", {"en": "Home hub", "uk": "Хаб"})
    applied(rollcall, ["Login", "Kontakt", "First name", "Last name", "Phone", "Хаб", "E-mail"],
            {"Login": "external_id", "Kontakt": "email", "Phone": None, "Хаб": "position", "E-mail": "attributes.hub"})
    headers = ["E-mail", "Login", "Phone", "Хаб", "Телефон"]
    made = dry_run(rollcall.admin, csv_of(headers, ["x"] * 5))
    assert made["mapping"] == {"E-mail": "email", "Login": "username", "Phone": "phone", "Хаб": "attributes.hub", "Телефон": None}
    # Nor what a release before this one has remembered.
    rollcall.sql("INSERT INTO rollcall.import_mapping (org_id, header, field) VALUES (%s, 'e-mail', 'username'), (%s, 'phone', NULL)", rollcall.org_id, rollcall.org_id)
    assert dry_run(rollcall.admin, csv_of(headers, ["x"] * 5))["mapping"] == made["mapping"]


def test_what_is_remembered_is_replaced_and_forgotten_by_the_mapping_of_an_import_that_is_applied(rollcall):
    headers = ["email", "First name", "Last name", "Ort", "Amt"]
    applied(rollcall, headers, {"Ort": "position"})
    assert mapped(rollcall, headers)["Ort"] == "position"
    applied(rollcall, headers, {"ORT *": "external_id", "Amt": "position"})
    meant = mapped(rollcall, headers)
    assert (meant["Ort"], meant["Amt"]) == ("external_id", "position")
    applied(rollcall, headers, {"Ort": None})
    meant = mapped(rollcall, headers)
    assert (meant["Ort"], meant["Amt"]) == (None, "position")
    assert rollcall.sql("SELECT header, field FROM rollcall.import_mapping") == [("amt", "position")]


def test_a_file_is_read_anew_with_another_mapping(rollcall):
    made = dry_run(rollcall.admin, csv_of(["Kontakt", "First name", "Last name"], ["a@example.org", "A", "B"]))
    assert faults(rollcall.admin, made) == [(2, "email", "required")] and made["counts"]["error"] == 1
    rollcall.admin.post(f"/v1/imports/{made['id']}/parse", {"mapping": {"Kontakt": "email"}}).ok(202)
    again = ended(rollcall.admin, made["id"])
    assert again["state"] == "ready" and again["counts"]["create"] == 1 and again["counts"]["error"] == 0 and again["counts"]["rows"] == 1


def test_what_the_caller_says_goes_before_what_a_header_looks_like(rollcall):
    """The first of two columns that meant the same had it, even where the other was named by the caller."""
    assert mapped(rollcall, ["E-mail", "Work"], mapping={"Work": "email"}) == {"E-mail": None, "Work": "email"}
    applied(rollcall, ["E-mail", "Work", "First name", "Last name"], {"Work": "email"})
    assert mapped(rollcall, ["E-mail", "Work"]) == {"E-mail": "email", "Work": None}, "but not what he has said before"


def test_two_spellings_of_a_header_in_a_mapping_are_remembered_as_one(rollcall):
    """The statement that remembers them wanted to write one row twice, and the import came to no end."""
    made = applied(rollcall, ["KONTAKT", "Kontakt", "First name", "Last name"], {"Kontakt": "email", "KONTAKT": None})
    assert made["mapping"]["Kontakt"] == "email" and made["mapping"]["KONTAKT"] is None, made
    assert rollcall.sql("SELECT header, field FROM rollcall.import_mapping") == [("kontakt", "email")]


def test_headers_that_repeat_or_are_empty_are_told_apart_and_only_the_first_counts(rollcall):
    headers = ["E-mail", "e-mail", "", "First name", "E-mail", "", "Last name", "Same", "Same", "Same"]
    made = dry_run(rollcall.admin, csv_of(headers, ["a@example.org", "b@example.org", "c", "Ada", "d@example.org", "e", "Byron", "1", "2", "3"]))
    assert made["headers"] == ["E-mail", "e-mail", "(C)", "First name", "E-mail (E)", "(F)", "Last name", "Same", "Same (I)", "Same (J)"]
    assert made["mapping"] == {"E-mail": "email", "e-mail": None, "(C)": None, "First name": "first_name", "E-mail (E)": None, "(F)": None,
                               "Last name": "last_name", "Same": None, "Same (I)": None, "Same (J)": None}
    (row,) = rows(rollcall.admin, made)
    assert row["outcome"] == "create" and row["values"]["E-mail (E)"] == "d@example.org" and row["values"]["(C)"] == "c"
    assert mapped(rollcall, ["", "First name", "Last name"], mapping={"(A)": "email"})["(A)"] == "email"


@pytest.mark.parametrize("headers", [["E-mail", "X", "X", "X (B)", "X"], ["E-mail", "X (C)", "X", "X", "X"]])
def test_no_two_headers_are_called_the_same(shared_rollcall, headers):
    made = dry_run(shared_rollcall.admin, csv_of(headers, ["a@example.org", *"1234"]))
    assert len(set(made["headers"])) == 5 and set(made["mapping"]) == set(made["headers"]), made["headers"]


def test_a_mapping_to_what_there_is_not_fails_says_so_and_is_not_remembered(rollcall):
    made = dry_run(rollcall.admin, csv_of(PEOPLE + ["Ort", "Amt"], ["a@example.org", "A", "B", "c", "d"]),
                   mapping=json.dumps({"Ort": "attributes.nowhere", "Amt": "attributes.nothing", "Last name": None}))
    assert made["state"] == "failed" and made["problem"]["code"] == "unknown_field", made
    assert "attributes.nowhere" in made["problem"]["detail"] and "attributes.nothing" in made["problem"]["detail"]
    rollcall.admin.post(f"/v1/imports/{made['id']}/apply", {}).refused(409, "state_conflict")
    field(rollcall, "ort", "Ort")
    assert mapped(rollcall, [*PEOPLE, "Ort"]) == {"E-mail": "email", "First name": "first_name", "Last name": "last_name", "Ort": "attributes.ort"}


def test_what_was_remembered_of_a_field_that_is_gone_is_no_longer_believed(rollcall):
    made = field(rollcall, "hub", "Hub")
    applied(rollcall, [*PEOPLE, "Ort"], {"Ort": "attributes.hub"})
    assert mapped(rollcall, ["email", "Ort"])["Ort"] == "attributes.hub"
    rollcall.admin.delete(f"/v1/fields/{made['id']}").ok(204)
    assert mapped(rollcall, ["email", "Ort"])["Ort"] is None


@pytest.mark.parametrize("headers", [["Shoes", "Size"], ["First name", "Phone"], ["a@example.org", "Ada", "Byron"], ["Phone"]])
def test_a_file_whose_headers_name_nobody_fails_and_shows_them(shared_rollcall, headers):
    made = dry_run(shared_rollcall.admin, csv_of(headers, ["x"] * len(headers)))
    assert made["state"] == "failed" and made["problem"]["code"] == "headers_unknown", made
    assert all(header in made["problem"]["detail"] for header in headers) and made["headers"] == headers
    assert made["counts"]["rows"] == 0 and rows(shared_rollcall.admin, made) == []


@pytest.mark.parametrize("data", [b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b" "])
def test_a_file_with_nothing_in_it_fails(shared_rollcall, data):
    made = dry_run(shared_rollcall.admin, data)
    assert made["state"] == "failed" and made["problem"]["code"] in ("empty", "headers_unknown"), made


def test_a_file_may_begin_with_the_delimiter_that_excel_is_told(shared_rollcall):
    """All of it failed, for its first line had no headers."""
    made = dry_run(shared_rollcall.admin, b"sep=;\r\n" + csv_of(PEOPLE, ["a@people.example", "A, B", "C"], delimiter=";"))
    assert (made["state"], made["delimiter"], made["headers"]) == ("ready", ";", PEOPLE) and outcomes(shared_rollcall.admin, made) == {2: "create"}


# -- Outcomes.

def policy(system, **values):
    system.admin.patch("/v1/policy", values).ok(200)


def test_each_row_has_one_of_the_outcomes(rollcall):
    policy(rollcall, import_on_duplicate="update")
    rollcall.create_user(email="same@example.org", first_name="Same", last_name="Person")
    rollcall.create_user(email="other@example.org", first_name="Other", last_name="Person")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Phone"], ["new@example.org", "New", "Person", ""], ["same@example.org", "Same", "Person", ""],
                                          ["OTHER@example.org", "Changed", "Person", ""], ["bad", "Bad", "", "12"]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "unchanged", 4: "update", 5: "error"}
    assert sorted(faults(rollcall.admin, made)) == [(5, "E-mail", "invalid"), (5, "Last name", "required"), (5, "Phone", "invalid")]
    assert [made["counts"][word] for word in ("rows", "create", "unchanged", "update", "error")] == [4, 1, 1, 1, 1]
    assert [row["row"] for row in rows(rollcall.admin, made, outcome="error,update")] == [4, 5]
    assert rollcall.admin.get("/v1/users", email="other@example.org").items[0]["first_name"] == "Other"


KNOWN = {"email": "known@example.org", "username": "known", "external_id": "K-1"}
DUPLICATES = [["KNOWN@example.org", "", ""], ["two@example.org", "Known", ""], ["three@example.org", "", "K-1"], ["four@example.org", "", "k-1"]]


@pytest.mark.parametrize("wish, expected, codes", [
    ("report", ["error"] * 3 + ["create"], ["email_taken", "username_taken", "external_id_taken"]),
    ("skip", ["skipped"] * 3 + ["create"], ["email_taken", "username_taken", "external_id_taken"]),
    ("update", ["update"] * 3 + ["create"], [])])
def test_whom_there_is_already_is_found_by_each_of_his_names(rollcall, wish, expected, codes):
    policy(rollcall, import_on_duplicate=wish, username_change="admin")
    user = rollcall.create_user(**KNOWN)
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Username", "External ID", "First name", "Last name"], *[[*names, "Ada", "Byron"] for names in DUPLICATES]))
    found = rows(rollcall.admin, made)
    assert [row["outcome"] for row in found] == expected
    assert [error_of(row) for row in found[:3]] == list(zip(["E-mail", "Username", "External ID"], codes)) if codes else [row["errors"] for row in found] == [[]] * 4
    if wish == "update":
        assert [row["user_id"] for row in found] == [user["id"]] * 3 + [None]


@pytest.mark.parametrize("wish, outcome", [("report", "error"), ("skip", "skipped"), ("update", "update")])
def test_two_rows_about_one_new_person_are_told_by_the_number_of_the_first(rollcall, wish, outcome):
    policy(rollcall, import_on_duplicate=wish)
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Username", "External ID", "First name", "Last name"],
                                          ["a@example.org", "ann", "1", "A", "B"], ["A@EXAMPLE.ORG", "", "", "A", "B"], ["b@example.org", "Ann", "", "A", "B"],
                                          ["c@example.org", "", "1", "A", "B"], ["d@example.org", "", "2", "A", "B"]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: outcome, 4: outcome, 5: outcome, 6: "create"}
    if wish != "update":
        assert faults(rollcall.admin, made) == [(3, "E-mail", "duplicate"), (4, "Username", "duplicate"), (5, "External ID", "duplicate")]
        assert all("Row 2" in row["errors"][0]["detail"] for row in rows(rollcall.admin, made, outcome=outcome))


def test_a_row_that_rests_on_one_that_is_wrong_is_wrong_too_and_its_own_mistakes_are_told(rollcall):
    """The dry run said update of both, and applying made nothing of them."""
    policy(rollcall, import_on_duplicate="update")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Phone"], ["a@example.org", "A", "B", "12"], ["a@example.org", "A", "B", "+380441234567"],
                                          ["b@example.org", "A", "B", ""], ["b@example.org", "A", "B", "12"]))
    assert outcomes(rollcall.admin, made) == {2: "error", 3: "error", 4: "create", 5: "error"}
    assert faults(rollcall.admin, made) == [(2, "Phone", "invalid"), (3, None, "not_applied"), (5, "Phone", "invalid")]


def test_a_row_whose_names_belong_to_different_rows_is_about_nobody(rollcall):
    policy(rollcall, import_on_duplicate="update")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Login"], ["a@example.org", "A", "B", ""], ["b@example.org", "A", "B", "bob"], ["A@example.org", "", "", "ann"],
                                          ["a@example.org", "", "", "ann"], ["a@example.org", "", "", "bob"]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "create", 4: "update", 5: "update", 6: "error"}
    assert faults(rollcall.admin, made) == [(6, "Login", "ambiguous")]


def test_a_row_whose_names_belong_to_a_row_and_to_a_user_is_about_nobody(rollcall):
    """It was taken for the user's alone, and the address that it gave him was left out."""
    policy(rollcall, import_on_duplicate="update")
    rollcall.create_user(email="one@example.org", username="one")
    two = rollcall.create_user(email="two@example.org", username="two")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Login"], ["new@example.org", "A", "B", ""], ["new@example.org", "", "", "two"],
                                          ["one@example.org", "A", "B", ""], ["one@example.org", "", "", "one"],
                                          ["two@example.org", "C", "D", ""]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "error", 4: "update", 5: "unchanged", 6: "update"}
    assert faults(rollcall.admin, made) == [(3, "Login", "ambiguous")]
    apply(rollcall.admin, made)
    assert rollcall.user(two)["first_name"] == "C"


@pytest.mark.parametrize("case", ["active", "pending"])
def test_an_address_in_other_letters_is_no_new_address(rollcall, case):
    policy(rollcall, import_on_duplicate="update")
    user = rollcall.create_active(email="ann@example.org", username="ann") if case == "active" else rollcall.create_user(email="ann@example.org", username="ann")
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Login", "First name"], ["ANN@Example.org", "Ann", "Olena"], ["ann@EXAMPLE.org", "ANN", "Olha"]))
    assert outcomes(rollcall.admin, made) == {2: "unchanged", 3: "update"}
    apply(rollcall.admin, made)
    assert rollcall.user(user) | {"first_name": "Olha", "email": "ann@example.org", "username": "ann", "email_pending": None} == rollcall.user(user)


@pytest.mark.parametrize("wish", ["report", "skip", "update"])
def test_a_row_whose_names_belong_to_different_users_is_about_nobody(rollcall, wish):
    policy(rollcall, import_on_duplicate=wish)
    rollcall.create_user(email="one@example.org")
    rollcall.create_user(email="two@example.org", username="two")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Login"], ["one@example.org", "A", "B", "two"]))
    (row,) = rows(rollcall.admin, made)
    assert row["outcome"] == "error" and "ambiguous" in [error["code"] for error in row["errors"]]


@pytest.mark.parametrize("wish", ["block", "mark_incomplete"])
def test_each_role_asks_for_its_own_fields(rollcall, wish):
    policy(rollcall, required_fields=wish)
    driver, clerk = rollcall.make_role("users:read", name="Driver"), rollcall.make_role("users:read", name="Clerk")
    field(rollcall, "plate", "Plate", required_for_roles=[driver])
    field(rollcall, "desk", "Desk", kind="number", required_for_roles=[clerk, driver])
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Role", "Plate", "Desk"],
                                          ["a@example.org", "A", "B", "driver", "AA1", "1"], ["b@example.org", "A", "B", "Driver", "", ""],
                                          ["c@example.org", "A", "B", "Clerk", "", ""], ["d@example.org", "A", "B", "Clerk", "", "7"], ["e@example.org", "A", "B", "", "", ""]))
    if wish == "block":
        assert outcomes(rollcall.admin, made) == {2: "create", 3: "error", 4: "error", 5: "create", 6: "create"}
        assert sorted(faults(rollcall.admin, made)) == [(3, "Desk", "required"), (3, "Plate", "required"), (4, "Desk", "required")]
    else:
        assert set(outcomes(rollcall.admin, made).values()) == {"create"}
        apply(rollcall.admin, made)
        users = {user["email"]: user["incomplete"] for user in rollcall.admin.get("/v1/users").items}
        assert users["b@example.org"] == ["desk", "plate"] and users["c@example.org"] == ["desk"] and users["a@example.org"] == users["e@example.org"] == []


@pytest.fixture
def structured(rollcall):
    """A tree of departments, roles and groups, of which some are called alike."""
    def department(name, parent=None):
        return rollcall.admin.post("/v1/departments", {"name": name, "parent_id": parent}).ok(201)["id"]
    rollcall.ids = {"north": department("North"), "south": department("South"), "office": department("Office")}
    rollcall.ids["north sales"] = department("Sales", rollcall.ids["north"])
    rollcall.ids["south sales"] = department("Sales", rollcall.ids["south"])
    rollcall.ids["night"] = rollcall.admin.post("/v1/groups", {"name": "Night shift"}).ok(201)["id"]
    rollcall.ids["day"] = rollcall.admin.post("/v1/groups", {"name": "Day shift"}).ok(201)["id"]
    rollcall.ids["driver"] = rollcall.make_role("users:read", name="Driver")
    return rollcall


def test_roles_departments_groups_and_positions_are_found_by_their_names(structured):
    policy(structured, user_kinds=["employee", "external"])
    made = dry_run(structured.admin, csv_of(
        ["E-mail", "First name", "Last name", "Role", "Department", "Groups", "Position", "Kind", "Phone"],
        ["a@example.org", "A", "B", " DRIVER ", "North / Sales", "Night shift; day  SHIFT;Night shift", "Captain", "External", "380441234567"],
        ["b@example.org", "A", "B", "driver", "office", "", "captain", "зовнішній", "+380 (44) 123-45-68"],
        ["c@example.org", "A", "B", "", "south / sales", "Day shift", "", "Сотрудник", ""],
        ["d@example.org", "A", "B", "Pilot", "Sales", "Night shift; Noon", "", "robot", "0441234567"],
        ["e@example.org", "A", "B", "", "East / Sales", ";", "", "", "44123"]))
    assert outcomes(structured.admin, made) == {2: "create", 3: "create", 4: "create", 5: "error", 6: "error"}
    assert sorted(faults(structured.admin, made)) == sorted([
        (5, "Role", "unknown_id"), (5, "Department", "unknown_id"), (5, "Groups", "unknown_id"), (5, "Kind", "invalid"), (5, "Phone", "invalid"),
        (6, "Department", "unknown_id"), (6, "Phone", "invalid")])
    told = {error["column"]: error["detail"] for error in rows(structured.admin, made)[3]["errors"]}
    assert "More than one" in told["Department"] and "no role" in told["Role"] and "no group" in told["Groups"]
    apply(structured.admin, made)
    users = {user["email"][0]: user for user in structured.admin.get("/v1/users").items}
    ids = structured.ids
    assert users["a"]["role"] == "Driver" and users["a"]["department_id"] == ids["north sales"] and sorted(users["a"]["group_ids"]) == sorted([ids["night"], ids["day"]])
    assert users["a"]["phone"] == "+380441234567" and users["a"]["kind"] == "external" and users["a"]["position"] == users["b"]["position"] == "Captain"
    assert users["b"]["department_id"] == ids["office"] and users["b"]["kind"] == "external" and users["b"]["group_ids"] == []
    assert users["c"]["department_id"] == ids["south sales"] and users["c"]["kind"] == "employee" and users["c"]["role_id"] is None


def test_positions_that_are_not_known_are_refused_where_the_policy_says_so(rollcall):
    policy(rollcall, position_free_text=False)
    rollcall.admin.post("/v1/positions", {"title": "Captain"}).ok(201)
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Position"], ["a@example.org", "A", "B", "CAPTAIN"], ["b@example.org", "A", "B", "Mate"]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "error"} and faults(rollcall.admin, made) == [(3, "Position", "invalid")]


def test_values_of_every_type_are_read_as_people_write_them(rollcall):
    for key, kind, more in (("t", "text", {}), ("n", "number", {}), ("b", "boolean", {}), ("d", "date", {}), ("c", "choice", {"options": ["S", "M"]})):
        field(rollcall, key, key.upper() + "-field", kind, **more)
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "T-field", "N-field", "B-field", "D-field", "C-field"],
                                          ["a@example.org", "A", "B", "'=1+1", "12.5", "так", "27.11.2026", "M"],
                                          ["b@example.org", "A", "B", "x", "zwölf", "maybe", "31.02.2026", "XL"]))
    assert sorted(faults(rollcall.admin, made)) == [(3, "B-field", "invalid"), (3, "C-field", "invalid"), (3, "D-field", "invalid"), (3, "N-field", "invalid")]
    apply(rollcall.admin, made)
    (user,) = rollcall.admin.get("/v1/users", email="a@example.org").items
    assert user["attributes"] == {"t": "=1+1", "n": 12.5, "b": True, "d": "2026-11-27", "c": "M"}


@pytest.mark.parametrize("chosen", [True, False])
def test_a_status_is_taken_for_new_people_where_the_administrator_chooses(rollcall, chosen):
    policy(rollcall, initial_status="chosen_by_admin" if chosen else "pending", import_on_duplicate="update")
    rollcall.create_user(email="old@example.org", first_name="A", last_name="B")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Status"], ["p@example.org", "A", "B", "pending"], ["a@example.org", "A", "B", "Active"], ["i@example.org", "A", "B", "INACTIVE"],
                                          ["l@example.org", "A", "B", "locked"], ["x@example.org", "A", "B", "happy"], ["old@example.org", "A", "B", "pending"],
                                          ["Old@example.org", "A", "B", "active"]))
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "create" if chosen else "error", 4: "create" if chosen else "error", 5: "error", 6: "error",
                                              7: "unchanged", 8: "error"}
    told = {row["row"]: row["errors"][0] for row in rows(rollcall.admin, made, outcome="error")}
    assert {error["column"] for error in told.values()} == {"Status"} and told[8]["code"] == "read_only" and told[6]["code"] == "invalid"
    apply(rollcall.admin, made)
    statuses = {user["email"][0]: user["status"] for user in rollcall.admin.get("/v1/users").items if user["id"] != rollcall.admin_id}
    assert statuses == {"p": "pending", "o": "pending", **({"a": "active", "i": "inactive"} if chosen else {})}


HASHES = [
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$oRbnWvLUR+o+nR8H0ijQCahLiVONo9WR1LpiDfzxp6U",
    "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$ipp9/6HiFiGtNApgomQzZAYEqaQbqqUW2LYhb6P6du0",
    "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
    "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
    "$pbkdf2-sha256$1000$./.../.../.../..AQIDBA$78jr/G8V2Q7yGRYwdRalgav3bmaWxAs1HFbIoFdCuqM",
    "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$OM0FAoIqCVK1sWtxDiffVlBejtLa+ks4TP71JiecwuSZCG8iLbnlIEPOMoVX+i2B2wkSxjQ8CRGR9OkNGuIPMQ",
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "$y$j75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/",
    "$6$rounds=1000$saltsalt$4GMtaIz3E1AdDi2SmCokEW0ehi.HdxNDcL3fGE1XXuzvo6kbx7UOloZKONqEk5H3JrQA4NOfU8BmqFPrpGqwA1",
    "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
]
NO_HASHES = [
    "correct horse", "5f4dcc3b5aa765d61d8327deb882cf99", "$argon2id$v=19$m=65537,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
    "$2b$15$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", "$5$rounds=1000001$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/", "$1$salt$abcdefgh",
    "$scrypt$ln=24,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
    "$pbkdf2-sha256$i=1000001,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
]


def test_hashes_of_other_systems_let_people_in_and_nothing_else_does(rollcall):
    lines = [[f"h{n}@example.org", "A", "B", text] for n, text in enumerate(HASHES)] + [["none@example.org", "A", "B", ""]] \
        + [[f"bad{n}@example.org", "A", "B", text] for n, text in enumerate(NO_HASHES)]
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Password hash"], *lines))
    assert list(outcomes(rollcall.admin, made).values()) == ["create"] * (len(HASHES) + 1) + ["error"] * len(NO_HASHES)
    found = rows(rollcall.admin, made)
    assert {error_of(row) for row in found[len(HASHES) + 1:]} == {("Password hash", "invalid")}
    report = rollcall.admin.get(f"/v1/imports/{made['id']}/report").ok(200).text
    for text in HASHES + NO_HASHES:
        assert text not in json.dumps(found) and text not in report, "hashes are nobody's to read"
    apply(rollcall.admin, made)
    for number in range(len(HASHES)):
        rollcall.login(f"h{number}@example.org", "correct horse").ok(201)
    rollcall.login("h0@example.org", "incorrect horse").refused(401, "login_failed")
    statuses = {user["email"]: user["status"] for user in rollcall.admin.get("/v1/users").items}
    assert statuses["h0@example.org"] == "active" and statuses["none@example.org"] == "pending"
    assert rollcall.value("SELECT count(*) FROM rollcall.import_row WHERE body ? 'password_hash' AND outcome = 'applied'") == 0


def test_who_is_known_gets_no_hash(rollcall):
    policy(rollcall, import_on_duplicate="update")
    rollcall.create_user(email="a@example.org")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Password hash"], ["a@example.org", "A", "B", HASHES[0]], ["b@example.org", "A", "B", ""], ["b@example.org", "A", "B", HASHES[0]]))
    assert faults(rollcall.admin, made) == [(2, "Password hash", "read_only"), (4, "Password hash", "read_only")]


# -- Permissions of the maker.

def test_nobody_imports_people_who_may_more_than_he(rollcall):
    policy(rollcall, import_on_duplicate="update")
    chief = rollcall.make_role("users:read", "payroll:write", name="Chief")
    rollcall.make_role("users:read", name="Clerk")
    rollcall.create_user(email="chief@example.org", role_id=chief)
    client = rollcall.client(rollcall.make_key("imports:write", "users:write", "users:read"))
    made = dry_run(client, csv_of([*PEOPLE, "Role", "Password hash"], ["a@example.org", "A", "B", "Chief", ""], ["b@example.org", "A", "B", "Clerk", ""],
                                  ["chief@example.org", "A", "B", "", ""], ["c@example.org", "A", "B", "", HASHES[0]]))
    assert outcomes(client, made) == {2: "error", 3: "create", 4: "error", 5: "error"}
    assert [(row, code) for row, _, code in faults(client, made)] == [(2, "exceeds_your_permissions"), (4, "exceeds_your_permissions"), (5, "permission_missing")]
    client.post(f"/v1/imports/{made['id']}/apply", {"invite": True}).refused(403, "permission_missing")
    assert apply(client, made)["counts"]["applied"] == 1


def test_where_imports_always_invite_the_dry_run_needs_the_permission_to(rollcall):
    policy(rollcall, import_invites="true")
    client = rollcall.client(rollcall.make_key("imports:write", "users:write", "users:read"))
    made = dry_run(client, csv_of(PEOPLE, ["a@example.org", "A", "B"]))
    assert [code for _, _, code in faults(client, made)] == ["permission_missing"]
    client.post(f"/v1/imports/{made['id']}/apply", {}).refused(403, "permission_missing")


def test_without_the_permission_to_write_users_a_dry_run_fails(rollcall):
    client = rollcall.client(rollcall.make_key("imports:write", "users:read"))
    made = dry_run(client, csv_of(PEOPLE, ["a@example.org", "A", "B"]))
    assert made["state"] == "failed" and made["problem"]["code"] == "permission_missing", made
    assert "Nothing was written" in made["problem"]["detail"]


# -- Thirty mistakes.

def test_a_file_with_thirty_different_mistakes_gets_all_thirty_named_by_row_and_column(rollcall):
    policy(rollcall, required_fields="block", user_kinds=["employee"])
    driver = rollcall.make_role("users:read", name="Driver")
    rollcall.sql("INSERT INTO rollcall.department (org_id, id, name, parent_id) SELECT %s, gen_random_uuid(), 'Twin', id FROM rollcall.department", rollcall.org_id)
    for parent in ("North", "South"):
        made = rollcall.admin.post("/v1/departments", {"name": parent}).ok(201)["id"]
        rollcall.admin.post("/v1/departments", {"name": "Twin", "parent_id": made}).ok(201)
    field(rollcall, "plate", "Plate", pattern="[A-Z]{2}[0-9]{4}", required_for_roles=[driver])
    field(rollcall, "size", "Size", kind="number")
    field(rollcall, "adr", "ADR", kind="boolean")
    field(rollcall, "born", "Born", kind="date")
    field(rollcall, "shift", "Shift", kind="choice", options=["day", "night"])
    rollcall.create_user(email="taken@example.org", username="taken", external_id="T-1")
    headers = ["E-mail", "First name", "Last name", "Login", "Phone", "External ID", "Kind", "Role", "Department", "Position", "Groups", "Language", "Status", "Password hash",
               "User ID", "Version", "Plate", "Size", "ADR", "Born", "Shift"]
    mistakes = [
        ("E-mail", "invalid", {"E-mail": "not an address"}), ("E-mail", "required", {"E-mail": ""}), ("E-mail", "too_long", {"E-mail": "a" * 60 + "@" + "b." * 100 + "org"}),
        ("E-mail", "email_taken", {"E-mail": "Taken@example.org"}), ("E-mail", "duplicate", {"E-mail": "r2@example.org"}),
        ("First name", "required", {"First name": ""}), ("First name", "too_long", {"First name": "n" * 300}), ("First name", "invalid", {"First name": "A\x01"}),
        ("Last name", "required", {"Last name": " "}), ("Login", "invalid", {"Login": "a b"}), ("Login", "too_long", {"Login": "u" * 70}),
        ("Login", "username_taken", {"Login": "TAKEN"}), ("Phone", "invalid", {"Phone": "044 123"}), ("External ID", "external_id_taken", {"External ID": "T-1"}),
        ("External ID", "too_long", {"External ID": "e" * 300}), ("Kind", "invalid", {"Kind": "robot"}), ("Kind", "invalid", {"Kind": "external"}),
        ("Role", "unknown_id", {"Role": "Pilot"}), ("Department", "unknown_id", {"Department": "East"}), ("Department", "unknown_id", {"Department": "Twin"}),
        ("Groups", "unknown_id", {"Groups": "Nobody"}), ("Language", "invalid", {"Language": "tlh"}), ("Status", "invalid", {"Status": "happy"}),
        ("Status", "refused_by_policy", {"Status": "active"}), ("Password hash", "invalid", {"Password hash": "secret"}), ("User ID", "unknown_id", {"User ID": str(uuid.uuid4())}),
        ("Plate", "required", {"Role": "Driver"}), ("Plate", "invalid", {"Plate": "12"}), ("Size", "invalid", {"Size": "XL"}), ("Born", "invalid", {"Born": "31.02.2020"}),
    ]
    assert len(mistakes) == 30
    lines = [[{"E-mail": "r2@example.org", "First name": "A", "Last name": "B"}.get(header, "") for header in headers]]
    for number, (_, _, cells) in enumerate(mistakes, start=3):
        lines.append([{"E-mail": f"r{number}@example.org", "First name": "A", "Last name": "B", **cells}.get(header, "") for header in headers])
    made = dry_run(rollcall.admin, csv_of(headers, *lines))
    assert faults(rollcall.admin, made) == [(number, column, code) for number, (column, code, _) in enumerate(mistakes, start=3)]
    assert made["counts"]["error"] == 30 and made["counts"]["create"] == 1
    details = {error["detail"] for row in rows(rollcall.admin, made) for error in row["errors"]}
    assert len(details) >= 20 and all(details)
    # And all of one row at once.
    line = {"E-mail": "x", "First name": "", "Last name": "", "Login": "a b", "Phone": "1", "Kind": "robot", "Role": "Pilot", "Department": "East", "Groups": "Nobody",
            "Language": "tlh", "Status": "happy", "Password hash": "secret", "Version": "one", "Plate": "12", "Size": "XL", "ADR": "maybe", "Born": "never", "Shift": "noon",
            "Position": "p" * 300, "External ID": "e" * 300, "User ID": "me"}
    made = dry_run(rollcall.admin, csv_of(headers, [line[header] for header in headers]))
    assert {column for _, column, _ in faults(rollcall.admin, made)} == set(headers), faults(rollcall.admin, made)


def test_names_that_nothing_has_are_told_one_by_one_and_not_at_any_length(rollcall):
    """Of a cell with several groups nobody knew which was meant."""
    rollcall.admin.post("/v1/groups", {"name": "Day"}).ok(201)
    long, many = "Ї" * 300, "; ".join(f"G{n}" for n in range(3000))
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Groups", "Role", "Department"], ["a@example.org", "A", "B", "G1; day;G2", "Pilot", "North / East"],
                                          ["b@example.org", "A", "B", long, "", ""], ["c@example.org", "A", "B", many, "", ""]))
    told = {row["row"]: [(error["column"], error["detail"]) for error in row["errors"]] for row in rows(rollcall.admin, made)}
    assert sorted(told[2]) == [("Department", "There is no department of this name: North / East."), ("Groups", "There is no group of this name: G1."),
                               ("Groups", "There is no group of this name: G2."), ("Role", "There is no role of this name: Pilot.")]
    assert told[3] == [("Groups", f"There is no group of this name: {'Ї' * 60}….")]
    assert [detail[-4:] for _, detail in told[4]] == [f" G{n}." for n in range(10)]


@pytest.mark.parametrize("header", ["password", "Password *", "Пароль", "паролі", "Пароль пользователя", "pwd"])
def test_a_file_with_passwords_is_told_that_they_are_never_imported(shared_rollcall, header):
    """They were left out, and nobody was told."""
    made = dry_run(shared_rollcall.admin, csv_of([*PEOPLE, header], ["a@people.example", "A", "B", "seven quiet violets"]))
    assert (made["state"], made["problem"]["code"], made["mapping"][header]) == ("failed", "passwords", None)
    assert header in made["problem"]["detail"] and "password_hash" in made["problem"]["detail"] and rows(shared_rollcall.admin, made) == []
    shared_rollcall.admin.post(f"/v1/imports/{made['id']}/parse", {"mapping": {header: None}}).ok(202)
    assert outcomes(shared_rollcall.admin, ended(shared_rollcall.admin, made["id"])) == {2: "create"}


def test_an_organization_may_call_a_field_of_its_own_so(rollcall):
    field(rollcall, "wifi", "Password")
    assert mapped(rollcall, [*PEOPLE, "Password"])["Password"] == "attributes.wifi"


def test_passwords_in_a_column_that_means_nothing_are_kept_for_nobody(shared_rollcall):
    made = dry_run(shared_rollcall.admin, csv_of([*PEOPLE, "Пароль"], ["a@people.example", "A", "B", "seven quiet violets"]), mapping=json.dumps({"Пароль": None}))
    assert made["mapping"]["Пароль"] is None and outcomes(shared_rollcall.admin, made) == {2: "create"}
    assert "violets" not in shared_rollcall.admin.get(f"/v1/imports/{made['id']}/rows").text
    assert "violets" not in shared_rollcall.admin.get(f"/v1/imports/{made['id']}/report").text


def test_a_file_has_so_many_rows_about_one_user_and_no_more(shared_rollcall):
    policy(shared_rollcall, import_on_duplicate="update")
    made = dry_run(shared_rollcall.admin, csv_of(PEOPLE, *[["one@people.example", "A", f"B{number}"] for number in range(23)]))
    assert faults(shared_rollcall.admin, made) == [(23, None, "too_long"), (24, None, "too_long")]


# -- What is left of whoever is deleted.

def book_rows(*table):
    return "".join("<row>" + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in cells) + "</row>" for cells in table)


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
@pytest.mark.parametrize("wish", ["report", "skip", "update"])
def test_rows_that_came_to_nothing_forget_whom_they_name_when_he_is_deleted(rollcall, wish, mode):
    """Only those that were applied did."""
    policy(rollcall, import_on_duplicate=wish, username_change="admin", deletion=mode, deletion_confirmation="none")
    headers = ["E-mail", "Username", "External ID", "First name", "Last name", "Role"]
    before = dry_run(rollcall.admin, csv_of(headers, ["Known@example.org", "", "", "Ada", "Byron", "None such"], ["", "KNOWN", "", "Ada", "Byron", "None such"],
                                            ["", "", "K-1", "Ada", "Byron", "None such"], ["", "Earlier", "", "Ada", "Byron", "None such"], ["other@example.org", "", "k-1", "Bob", "Byron", "None such"]))
    assert set(outcomes(rollcall.admin, before).values()) == {"error"}
    user = rollcall.create_user(**KNOWN | {"username": "earlier"})
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"username": "known"}).ok(200)
    after = dry_run(rollcall.admin, csv_of(headers, ["known@example.org", "x", "", "Ada", "Byron", ""], ["new@example.org", "", "K-1", "Ada", "Byron", ""]))
    report = f"/v1/imports/{before['id']}/report"
    rollcall.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    assert [bool(row["values"]) for row in rows(rollcall.admin, before)] == [False, False, False, False, True]
    assert [row["values"] for row in rows(rollcall.admin, after)] == [{}, {}]
    said = rollcall.admin.get(report).ok(200).response.content.decode()
    assert "Ada" not in said and "Bob" in said


def test_a_workbook_with_the_results_is_shown_no_more_when_somebody_in_it_is_deleted(rollcall):
    policy(rollcall, deletion="erase", deletion_confirmation="none")
    user = rollcall.create_user(**KNOWN)
    made = dry_run(rollcall.admin, workbook(book_rows(PEOPLE, ["known@example.org", "Ada", "Byron"])))
    report = f"/v1/imports/{made['id']}/report"
    assert rollcall.admin.get(report).ok(200).response.content.startswith(b"PK")
    rollcall.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    said = rollcall.admin.get(report).ok(200).response.content
    assert not said.startswith(b"PK") and b"Ada" not in said
