"""GET /v1/imports/{id}/report and /v1/imports/template, against the server alone: what the worker would have written is written here."""
import csv
import io
import json
import subprocess
import uuid

import openpyxl
import pytest

from support.system import build_folder

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows_of(answer, delimiter=","):
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.response.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.response.content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def make_import(system, rows=(), state="ready", **columns):
    import_id = str(uuid.uuid4())
    columns = {"format": "csv", "delimiter": ",", "headers": ["E-mail", "Телефон"], "file_name": "Люди 2026.csv", **columns}
    system.sql("INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, size, " + ", ".join(columns) + ")"
               " VALUES (%s, %s, %s, 'user', %s, '{}', 7" + ", %s" * len(columns) + ")", system.org_id, import_id, state, system.admin_id, *columns.values())
    for number, (cells, outcome, errors, user_id) in enumerate(rows, start=2):
        system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome, errors, user_id) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                   system.org_id, import_id, number, cells, outcome, json.dumps(errors), user_id)
    return import_id


SOMEBODY = str(uuid.uuid4())
ROWS = [(["a@x.example", "'+380441234567"], "applied", [], SOMEBODY),
        (["=bad", "", "more"], "error", [{"column": "E-mail", "code": "invalid", "detail": "This is no address."},
                                         {"column": None, "code": "too_long", "detail": "The row is too long."}], None)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_file_comes_back_with_what_became_of_each_row(standing, delimiter):
    answer = standing.admin.get(f"/v1/imports/{make_import(standing, ROWS, delimiter=delimiter)}/report").ok(200)
    assert rows_of(answer, delimiter) == [
        ["Import row", "Import result", "Import errors", "Imported user", "E-mail", "Телефон"],
        ["2", "imported", "", SOMEBODY, "a@x.example", "'+380441234567"],
        ["3", "error", "E-mail: This is no address. The row is too long.", "", "'=bad", "", "more"]]
    assert answer.headers["Content-Disposition"] == ('attachment; filename="' + "_" * 8 + ' 2026-report.csv"; '
                                                     "filename*=UTF-8''%D0%9B%D1%8E%D0%B4%D0%B8%202026-report.csv")


def test_a_report_is_in_the_language_of_who_reads_it(standing):
    client = standing.client(standing.api_key, **{"Accept-Language": "uk"})
    rows = rows_of(client.get(f"/v1/imports/{make_import(standing, ROWS)}/report").ok(200))
    assert rows[0][:4] == ["Рядок імпорту", "Результат імпорту", "Помилки імпорту", "Імпортований користувач"]
    assert [row[1] for row in rows[1:]] == ["імпортовано", "помилка"]


def test_a_report_of_many_pages_is_whole(standing):
    import_id = make_import(standing)
    standing.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome) SELECT %s, %s, n, ARRAY['p' || n], 'create'"
                 " FROM generate_series(2, 1234) n", standing.org_id, import_id)
    rows = rows_of(standing.admin.get(f"/v1/imports/{import_id}/report").ok(200))
    assert [row[4] for row in rows[1:]] == [f"p{n}" for n in range(2, 1235)]


@pytest.mark.parametrize("state", ["uploading", "parsing"])
def test_before_anything_is_known_there_is_no_report(standing, state):
    standing.admin.get(f"/v1/imports/{make_import(standing, state=state)}/report").refused(409, "state_conflict")


@pytest.mark.parametrize("state, is_book", [("ready", True), ("applied", True), ("undone", True), ("applying", False), ("undoing", False), ("failed", False)])
def test_a_workbooks_report_is_the_one_of_the_worker_while_it_holds(standing, state, is_book):
    report_id = str(uuid.uuid4())
    import_id = make_import(standing, ROWS, state=state, format="xlsx", delimiter=None, file_name="people.xlsx", report_id=report_id)
    for number, part in enumerate((b"PK", b"...")):
        standing.sql("INSERT INTO rollcall.file_part (org_id, file_id, number, bytes) VALUES (%s, %s, %s, %s)", standing.org_id, report_id, number, part)
    answer = standing.admin.get(f"/v1/imports/{import_id}/report").ok(200)
    if is_book:
        assert answer.headers["Content-Type"] == XLSX and answer.response.content == b"PK..."
        assert 'filename="people-report.xlsx"' in answer.headers["Content-Disposition"]
    else:
        # What came from a workbook had no apostrophe: it is not taken off.
        assert rows_of(answer)[1][5] == "''+380441234567"
        assert 'filename="people-report.csv"' in answer.headers["Content-Disposition"]


def test_a_report_needs_the_permission_of_imports(standing):
    import_id = make_import(standing, ROWS)
    standing.client(standing.make_key("users:read")).get(f"/v1/imports/{import_id}/report").refused(403, "permission_missing")
    standing.client(standing.make_key("imports:write")).get(f"/v1/imports/{import_id}/report").ok(200)


# --- templates

@pytest.fixture(scope="module")
def role(shared_server):
    shared_server.set_policy(role_required=True, required_fields="block")
    made = shared_server.make_role("users:read", name="Водій")
    for key, label, kind, more in (("hub", "Hub", "text", {}), ("plate", "Plate", "text", {"pattern": "[A-Z]{2}[0-9]{4}[A-Z]{2}"}), ("size", "Size", "number", {}),
                                   ("shift", "Shift", "choice", {"options": ["день", "ніч"]}), ("born", "Born", "date", {}), ("adr", "ADR", "boolean", {})):
        shared_server.admin.post("/v1/fields", {"key": key, "label": label, "type": kind, "required_for_roles": [made] if key != "size" else [], **more}).ok(201)
    return made


def template(client, **params):
    answer = client.get("/v1/imports/template", **params).ok(200)
    return answer


def test_the_template_of_a_role_marks_what_it_requires(standing, role):
    headers, example = rows_of(template(standing.admin, role_id=role))
    assert headers == ["E-mail *", "Username", "First name *", "Last name *", "Phone", "External ID", "Kind", "Role *", "Department", "Position", "Groups",
                       "Language", "ADR *", "Born *", "Hub *", "Plate *", "Shift *", "Size"]
    row = dict(zip(headers, example))
    assert row["Role *"] == "Водій" and row["Phone"] == "'+380441234567" and row["Plate *"] == "AA1234BB" and row["Shift *"] == "день"


def test_both_formats_of_the_template_say_the_same(standing, role):
    answer = template(standing.admin, role_id=role, format="xlsx")
    assert answer.headers["Content-Type"] == XLSX and answer.headers["Content-Disposition"].endswith("-users-template.xlsx")
    (sheet,) = openpyxl.load_workbook(io.BytesIO(answer.response.content)).worksheets
    book = [[str(cell.value or "") for cell in row] for row in sheet.iter_rows()]
    assert book == [[cell.removeprefix("'") for cell in row] for row in rows_of(template(standing.admin, role_id=role))]
    read = subprocess.run([build_folder() / "tests" / "parser_probe"], input=answer.response.content, capture_output=True, check=True).stdout
    assert json.loads(read.splitlines()[0])[1] == book[0]


def test_the_person_of_the_template_can_be_made(standing, role):
    headers, example = rows_of(template(standing.admin, role_id=role))
    row = dict(zip([header.removesuffix(" *") for header in headers], example))
    standing.create_user(email=row["E-mail"], first_name=row["First name"], last_name=row["Last name"], phone=row["Phone"].removeprefix("'"),
                         external_id=row["External ID"], kind=row["Kind"], role_id=role, locale=row["Language"],
                         attributes={"hub": row["Hub"], "plate": row["Plate"], "size": float(row["Size"]), "shift": row["Shift"], "born": row["Born"],
                                     "adr": row["ADR"] == "true"})


def test_without_a_role_the_template_names_one_that_may_do_little(standing, role):
    standing.sql("INSERT INTO rollcall.role (org_id, id, name, permissions) VALUES (%s, gen_random_uuid(), 'Nothing', '{}')", standing.org_id)
    headers, example = rows_of(template(standing.client(standing.make_key("imports:write"))))
    assert dict(zip(headers, example))["Role *"] == "Nothing" and "Hub" in headers


def test_what_is_no_template_is_refused(standing, role):
    refused = standing.admin.get("/v1/imports/template", format="ods", role_id="x", delimiter="|").refused(400, "invalid_query")
    assert refused.faults() == {"format": "invalid", "role_id": "unknown_id", "delimiter": "invalid"}
    answer = standing.admin.get("/v1/imports/template", role_id=str(uuid.uuid4())).refused(400, "invalid_query")
    assert answer.faults() == {"role_id": "unknown_id"}
    standing.client(standing.make_key("users:read")).get("/v1/imports/template").refused(403, "permission_missing")
