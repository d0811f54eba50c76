"""Files as people have them: charsets, delimiters, workbooks, sizes; what an export gives and an import takes; reports."""
import csv
import io
import json

import openpyxl
import pytest
from support.waiting import wait_until
from workbook import strings, styles, workbook

from support.imports import MIB, apply, csv_of, dry_run, ended, faults, outcomes, renewed, rows, undo, upload

PEOPLE = ["E-mail", "Ім'я", "Прізвище"]
OLENA = ["olena@example.org", "Олена", "Шевченко-Ґалаґан"]
# A guess needs letters to go by.
LONGER = [[f"p{n}@example.org", name, surname] for n, (name, surname) in enumerate(
    [("Іван", "Франко"), ("Леся", "Українка"), ("Григорій", "Сковорода"), ("Марія", "Заньковецька"), ("Тарас", "Шевченко"), ("Ольга", "Кобилянська")])]


@pytest.fixture
def rollcall(shared_rollcall):
    yield from renewed(shared_rollcall)


def policy(system, **values):
    system.admin.patch("/v1/policy", values).ok(200)


def one(system, address):
    (user,) = system.admin.get("/v1/users", email=address).items
    return user


# -- Charsets and delimiters.

@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding, charset, is_guess", [
    ("utf-8", "utf-8", False), ("utf-8-sig", "utf-8", False), ("utf-16", "utf-16le", False), ("cp1251", "windows-1251", True)])
def test_a_file_is_read_in_the_charset_that_it_is_in(shared_rollcall, encoding, charset, is_guess, delimiter):
    made = dry_run(shared_rollcall.admin, csv_of(PEOPLE, OLENA, *LONGER, delimiter=delimiter, encoding=encoding))
    assert made["state"] == "ready" and (made["format"], made["charset"], made["delimiter"]) == ("csv", charset, delimiter), made
    assert made["charset_guess"] is is_guess and (made["charset_percent"] < 100) is is_guess, made
    assert made["mapping"] == dict(zip(PEOPLE, ["email", "first_name", "last_name"]))
    assert rows(shared_rollcall.admin, made)[0]["values"] == dict(zip(PEOPLE, OLENA)) and made["counts"]["create"] == 7


def test_a_charset_that_is_said_decides(rollcall):
    data = csv_of(PEOPLE, OLENA, *LONGER, encoding="cp1251")
    made = dry_run(rollcall.admin, data, charset="windows-1251")
    assert (made["charset"], made["charset_guess"], made["charset_percent"]) == ("windows-1251", False, 100)
    assert apply(rollcall.admin, made)["counts"]["applied"] == 7
    assert one(rollcall, OLENA[0])["last_name"] == OLENA[2]
    # Said wrong it is believed as well: the headers show it, and it is said anew.
    made = dry_run(rollcall.admin, data, charset="windows-1252")
    assert made["charset"] == "windows-1252" and "Ïð³çâèùå" in made["headers"] and made["counts"]["error"] == 7, made
    rollcall.admin.post(f"/v1/imports/{made['id']}/parse", {"charset": "windows-1251"}).ok(202)
    again = ended(rollcall.admin, made["id"])
    assert again["state"] == "ready" and (again["counts"]["rows"], again["charset"]) == (7, "windows-1251") and again["headers"] == PEOPLE
    made = dry_run(rollcall.admin, data, charset="utf-8")
    assert made["state"] == "failed" and made["problem"]["code"] == "bad_text" and "Row 1" in made["problem"]["detail"], made


@pytest.mark.parametrize("data, code", [
    (b'E-mail,First name,Last name\r\n"a@example.org,A,B\r\n', "quote_unclosed"), (b"E-mail,First name\r\na@example.org,A\0B\r\n", "nul"),
    (b"PK\x03\x04 not really", "archive_broken"), (b"\x89PNG\r\n\x1a\n" + bytes(50), "binary"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_workbook")])
def test_a_file_that_cannot_be_read_fails_and_says_why(shared_rollcall, data, code):
    made = dry_run(shared_rollcall.admin, data)
    assert made["state"] == "failed" and made["problem"]["code"] == code and made["problem"]["detail"], made
    shared_rollcall.admin.post(f"/v1/imports/{made['id']}/undo").refused(409, "state_conflict")


def test_a_fault_at_the_end_of_a_long_file_leaves_nothing_to_apply(rollcall):
    data = csv_of(["E-mail", "First name", "Last name"], *[[f"p{n}@example.org", "A", "B"] for n in range(2500)]) + b'"unclosed'
    made = dry_run(rollcall.admin, data)
    assert made["state"] == "failed" and made["problem"]["code"] == "quote_unclosed"
    rollcall.admin.post(f"/v1/imports/{made['id']}/apply", {}).refused(409, "state_conflict")


def test_rows_with_more_or_fewer_cells_than_headers_are_read(shared_rollcall):
    made = dry_run(shared_rollcall.admin, b"E-mail,First name,Last name,Phone\r\n\r\na@rows.example,A,B\r\nb@rows.example,A,B,,,\r\nc@rows.example,A,B,,,more\r\n")
    assert outcomes(shared_rollcall.admin, made) == {3: "create", 4: "create", 5: "error"} and faults(shared_rollcall.admin, made) == [(5, None, "unknown_field")]


def test_a_long_file_comes_in_parts(rollcall):
    lines = [[f"person{number}@long.example", f"Ім'я {number}", "Дуже-довге прізвище " * 4] for number in range(9000)]
    data = csv_of(PEOPLE, *lines)
    assert len(data) > MIB
    made = dry_run(rollcall.admin, data, file_name="long.csv")
    assert made["state"] == "ready" and made["counts"]["create"] == 9000 and made["size"] == len(data)
    last = rollcall.admin.get(f"/v1/imports/{made['id']}/rows", limit=1, outcome="create", count="true").ok()
    assert last["total"] == 9000 and rows(rollcall.admin, made)[-1]["values"]["E-mail"] == "person8999@long.example"


# -- Workbooks.

def book_of(*lines, name="People"):
    book = openpyxl.Workbook()
    book.active.title = name
    for line in lines:
        book.active.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_is_read_as_it_is_seen(rollcall):
    import datetime
    for key, kind in (("born", "date"), ("size", "number"), ("adr", "boolean"), ("hub", "text")):
        rollcall.admin.post("/v1/fields", {"key": key, "label": key.title(), "type": kind}).ok(201)
    data = book_of([*PEOPLE, "Phone", "Born", "Size", "ADR", "Hub"], [*OLENA, 380501234567, datetime.date(1990, 2, 28), 41.5, True, "=not, a formula".replace("=", "'=")],
                   ["ivan@example.org", "Іван", "Франко", "+380 50 765 43 21", "28.02.1991", "42", "no", 7])
    made = dry_run(rollcall.admin, data, file_name="Люди.xlsx")
    assert made["state"] == "ready" and (made["format"], made["delimiter"], made["charset_guess"]) == ("xlsx", None, False), made
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "create"}, rows(rollcall.admin, made)
    apply(rollcall.admin, made)
    olena, ivan = one(rollcall, OLENA[0]), one(rollcall, "ivan@example.org")
    assert olena["phone"] == "+380501234567" and olena["attributes"] == {"born": "1990-02-28", "size": 41.5, "adr": True, "hub": "'=not, a formula"}
    assert ivan["phone"] == "+380507654321" and ivan["attributes"] == {"born": "1991-02-28", "size": 42, "adr": False, "hub": "7"}


def test_cells_that_have_no_value_are_told(shared_rollcall):
    cells = ('<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>'
             '<row r="3"><c r="A3" t="inlineStr"><is><t>a@cells.example</t></is></c><c r="B3" t="e"><v>#N/A</v></c><c r="C3"><f>A1&amp;A2</f></c></row>')
    made = dry_run(shared_rollcall.admin, workbook(cells, strings=strings("E-mail", "First name", "Last name"), styles=styles(0)))
    assert outcomes(shared_rollcall.admin, made) == {3: "error"}
    assert faults(shared_rollcall.admin, made) == [(3, "First name", "invalid"), (3, "Last name", "invalid")]
    first, last = rows(shared_rollcall.admin, made)[0]["errors"]
    assert "error" in first["detail"] and "formula" in last["detail"]


# -- From an export, and back.

HOSTILE = ['=HYPERLINK("http://x","y")', "-1+1", "@SUM(A1)", "'=1", "''+1", "a,b;c\td", 'say "hi"', "two\nlines", "Олена", "=", "_x0041_", "<b>&amp;</b>", "+380", "e" * 900]


@pytest.fixture
def exported(rollcall):
    """People with everything that a file has a column for, with names that some programs would run."""
    policy(rollcall, user_kinds=["employee", "external"], username_change="admin", role_required=False)
    north = rollcall.admin.post("/v1/departments", {"name": "North"}).ok(201)["id"]
    sales = rollcall.admin.post("/v1/departments", {"name": "Sales", "parent_id": north}).ok(201)["id"]
    rollcall.admin.post("/v1/departments", {"name": "Sales", "parent_id": rollcall.admin.post("/v1/departments", {"name": "South"}).ok(201)["id"]}).ok(201)
    groups = [rollcall.admin.post("/v1/groups", {"name": name}).ok(201)["id"] for name in ("Night", "Day")]
    role = rollcall.make_role("users:read", name="Driver")
    for key, kind, more in (("hub", "text", {}), ("size", "number", {}), ("adr", "boolean", {}), ("born", "date", {}), ("shirt", "choice", {"options": ["S", "M"]})):
        rollcall.admin.post("/v1/fields", {"key": key, "label": key.title(), "type": kind, **more}).ok(201)
    for number, text in enumerate(HOSTILE):
        rollcall.create_user(email=f"h{number}@people.example", username=f"h{number}", first_name=text.replace("\n", " ").replace("\t", " ")[:150], last_name="-Name", phone="+380441234567",
                             external_id=f"=E{number}", kind="external" if number % 2 else "employee", role_id=role, department_id=sales, position="=Captain", group_ids=groups,
                             attributes={"hub": text, "size": number / 4, "adr": number % 2 == 0, "born": "1990-02-28", "shirt": "M"}, locale="uk")
    rollcall.create_active(email="active@people.example")
    inactive = rollcall.create_active(email="inactive@people.example", attributes={"size": 1.0, "hub": "x"})
    rollcall.admin.post(f"/v1/users/{inactive['id']}/inactivate").ok(200)
    return rollcall


def streamed(system):
    return system.admin.get("/v1/users/export", format="csv").ok(200).response.content


def made_by_worker(system):
    export = system.admin.post("/v1/exports", {"format": "xlsx"}).ok(202)["id"]
    wait_until(lambda: system.admin.get(f"/v1/exports/{export}").ok()["state"] == "ready")
    return system.admin.get(f"/v1/exports/{export}/file").ok(200).response.content


def table_of(data):
    if data[:2] == b"PK":
        (sheet,) = openpyxl.load_workbook(io.BytesIO(data)).worksheets
        return [[cell.value for cell in row] for row in sheet.iter_rows()]
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def file_of(table, like):
    if like[:2] != b"PK":
        return csv_of(*table, encoding="utf-8-sig")
    book = openpyxl.Workbook()
    for at, line in enumerate(table, 1):
        for column, value in enumerate(line, 1):
            cell = book.active.cell(at, column)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("export", [streamed, made_by_worker])
def test_what_was_exported_and_not_edited_is_unchanged(exported, export):
    made = dry_run(exported.admin, export(exported))
    assert made["state"] == "ready" and made["counts"]["rows"] == len(HOSTILE) + 3, made
    odd = [(row["row"], row["outcome"], row["errors"], row["values"]) for row in rows(exported.admin, made) if row["outcome"] != "unchanged"]
    assert odd == []


@pytest.mark.parametrize("export", [streamed, made_by_worker])
def test_what_was_edited_is_changed_and_an_emptied_cell_takes_the_value_away(exported, export):
    data = export(exported)
    table = table_of(data)
    headers = table[0]
    lines = {line[0]: line for line in table[1:]}

    def edit(address, header, value):
        lines[address][headers.index(header)] = value
    edit("h0@people.example", "First name", "Renamed")
    edit("h0@people.example", "Hub", "'-Lviv" if export is streamed else "-Lviv")
    for header in ("Username", "Phone", "External ID", "Role", "Department", "Position", "Groups", "Language", "Hub", "Size", "Adr", "Born", "Shirt"):
        edit("h1@people.example", header, "")
    edit("h2@people.example", "Department", "South / Sales")
    edit("h2@people.example", "Groups", "Day")
    edit("h3@people.example", "First name", "")
    edit("h4@people.example", "Position", "Mate")
    edit("h5@people.example", "Status", "active")
    edit("h6@people.example", "First name", "Mine")
    exported.admin.patch(f"/v1/users/{one(exported, 'h6@people.example')['id']}", {"last_name": "Theirs"}).ok(200)
    before = {address: one(exported, address) for address in lines if address}
    made = dry_run(exported.admin, file_of(table, data))
    said = {row["values"]["E-mail"][:2]: (row["outcome"], [(error["column"], error["code"]) for error in row["errors"]]) for row in rows(exported.admin, made)
            if row["outcome"] != "unchanged"}
    assert said == {"h0": ("update", []), "h1": ("update", []), "h2": ("update", []), "h3": ("error", [("First name", "required")]), "h4": ("update", []),
                    "h5": ("error", [("Status", "read_only")]), "h6": ("error", [("Version", "version_mismatch")])}
    exported.admin.patch(f"/v1/users/{before['h4@people.example']['id']}", {"last_name": "Theirs"}).ok(200)
    done = apply(exported.admin, made)
    assert (done["counts"]["applied"], done["counts"]["error"]) == (3, 4), rows(exported.admin, done, outcome="error")
    assert [error["code"] for row in rows(exported.admin, done, outcome="error") if row["values"]["E-mail"] == "h4@people.example" for error in row["errors"]] == ["version_mismatch"]
    h0, h1, h2 = (one(exported, f"h{n}@people.example") for n in range(3))
    assert h0["first_name"] == "Renamed" and h0["attributes"] == {**before["h0@people.example"]["attributes"], "hub": "-Lviv"} and h0["last_name"] == "-Name"
    assert [h1[name] for name in ("username", "phone", "external_id", "role_id", "department_id", "position", "group_ids", "locale", "attributes")] == [None] * 6 + [[], None, {}]
    assert h1["kind"] == "external" and h1["email"] == "h1@people.example" and h1["first_name"] == before["h1@people.example"]["first_name"]
    assert h2["department_id"] != before["h2@people.example"]["department_id"] and len(h2["group_ids"]) == 1
    undo(exported.admin, done)
    for number in range(3):
        was, now = before[f"h{number}@people.example"], one(exported, f"h{number}@people.example")
        assert {name for name in was if was[name] != now[name]} <= {"version", "updated_at", "invitation"}, (was, now)


# -- Reports.

def test_the_report_says_of_each_row_what_became_of_it(rollcall):
    policy(rollcall, import_on_duplicate="skip")
    rollcall.create_user(email="old@example.org")
    lines = [OLENA, ["bad", "A", ""], ["old@example.org", "A", "B"], ["=1+1@example.org", "=A", "'-B"]]
    for data, form in ((csv_of(PEOPLE, *lines, delimiter=";"), "csv"), (book_of(PEOPLE, *lines[:3]), "xlsx")):
        made = dry_run(rollcall.admin, data, file_name=f"people.{form}")
        answer = rollcall.admin.get(f"/v1/imports/{made['id']}/report").ok(200)
        table = report_of(answer.response.content)
        assert table[0] == ["Import row", "Import result", "Import errors", "Imported user", *PEOPLE] and f"people-report.{form}" in answer.headers["Content-Disposition"]
        assert [line[1] for line in table[1:4]] == ["will be created", "error", "skipped"] and [line[0] for line in table[1:4]] == ["2", "3", "4"]
        assert "E-mail: " in table[2][2] and "Прізвище: " in table[2][2] and table[1][4:] == OLENA
        done = apply(rollcall.admin, made)
        table = report_of(rollcall.admin.get(f"/v1/imports/{made['id']}/report").ok(200).response.content)
        assert [line[1] for line in table[1:4]] == ["imported", "error", "skipped"] and table[1][3] == one(rollcall, OLENA[0])["id"]
        undo(rollcall.admin, done)
        table = report_of(rollcall.admin.get(f"/v1/imports/{made['id']}/report").ok(200).response.content)
        assert [line[1] for line in table[1:4]] == ["undone", "error", "skipped"]


def report_of(data):
    if data[:2] == b"PK":
        return [[str(cell) if cell is not None else "" for cell in line] for line in table_of(data)]
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_a_report_with_its_errors_mended_can_be_imported_again(rollcall):
    made = dry_run(rollcall.admin, csv_of(PEOPLE, OLENA, ["bad", "=A", "B"]))
    apply(rollcall.admin, made)
    table = table_of(rollcall.admin.get(f"/v1/imports/{made['id']}/report").ok(200).response.content)
    table[2][4] = "good@example.org"
    again = dry_run(rollcall.admin, csv_of(table[0], table[2]))
    assert again["mapping"] == {**dict.fromkeys(table[0][:4]), **dict(zip(PEOPLE, ["email", "first_name", "last_name"]))}
    assert outcomes(rollcall.admin, again) == {2: "create"}
    apply(rollcall.admin, again)
    assert one(rollcall, "good@example.org")["first_name"] == "=A"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_template_is_a_file_that_makes_somebody_but_not_its_example(rollcall, form):
    """Whoever forgot to take her out had made her, and invited her."""
    data = rollcall.admin.get("/v1/imports/template", format=form).ok(200).response.content
    made = dry_run(rollcall.admin, data)
    assert made["state"] == "ready" and None not in made["mapping"].values(), made
    (row,) = rows(rollcall.admin, made)
    assert row["outcome"] == "error" and [(error["column"], error["code"]) for error in row["errors"]] == [("E-mail *", "invalid")] and "example of the template" in row["errors"][0]["detail"]
    headers, example = table_of(data)
    made = dry_run(rollcall.admin, file_of([headers, ["oksana@people.example", *example[1:]]], data))
    assert outcomes(rollcall.admin, made) == {2: "create"}, rows(rollcall.admin, made)
    assert apply(rollcall.admin, made)["counts"]["applied"] == 1


def test_rows_are_shown_while_it_is_applied_and_not_while_it_is_read(rollcall):
    rollcall.worker.stop()
    made = upload(rollcall.admin, csv_of(PEOPLE, OLENA), mapping=json.dumps({"E-mail": "email"}))
    seen = rollcall.admin.get(f"/v1/imports/{made}").ok()
    assert seen["state"] == "parsing" and seen["mapping"] == {"E-mail": "email"} and rollcall.admin.get(f"/v1/imports/{made}/rows").items == []
    rollcall.admin.get(f"/v1/imports/{made}/report").refused(409, "state_conflict")
    rollcall.start_worker()
    assert ended(rollcall.admin, made)["state"] == "ready"
