"""The report of an import that came as a workbook: made by the job of the import, read through the route."""
import io
import json
import subprocess
import uuid

import openpyxl
import pytest

from support.system import build_folder, environment


def make_import(system, rows, **columns):
    """An import, and its job in the hands of the probe."""
    import_id = str(uuid.uuid4())
    columns = {"format": "xlsx", "headers": ["E-mail", "Note"], **columns}
    system.sql("INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, size, file_name, " + ", ".join(columns) + ")"
               " VALUES (%s, %s, 'ready', 'user', %s, '{}', 7, 'people.xlsx'" + ", %s" * len(columns) + ")",
               system.org_id, import_id, system.admin_id, *columns.values())
    for number, (cells, outcome, errors) in enumerate(rows, start=2):
        system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome, errors) VALUES (%s, %s, %s, %s, %s, %s)",
                   system.org_id, import_id, number, cells, outcome, json.dumps(errors))
    system.sql("INSERT INTO rollcall.job (org_id, id, kind, attempts, leased_by, run_at) VALUES (%s, %s, 'import_parse', 1, 'probe', now() + interval '1 minute')",
               system.org_id, import_id)
    return import_id


def write_report(system, import_id):
    done = subprocess.run([build_folder() / "tests" / "report_probe", system.org_id, import_id], env=environment(**system.settings),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def report_of(system, import_id):
    answer = system.admin.get(f"/v1/imports/{import_id}/report").ok(200)
    (sheet,) = openpyxl.load_workbook(io.BytesIO(answer.response.content)).worksheets
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


ROWS = [(["a@x.example", "=1+1"], "create", []), (["bad", "'x"], "error", [{"column": "E-mail", "code": "invalid", "detail": "No address."}])]


def test_the_report_is_a_workbook_with_the_rows_as_they_were(server_only):
    import_id = make_import(server_only, ROWS)
    assert write_report(server_only, import_id) == "ok"
    assert report_of(server_only, import_id) == [
        ["Import row", "Import result", "Import errors", "Imported user", "E-mail", "Note"],
        [2, "will be created", None, None, "a@x.example", "=1+1"],
        [3, "error", "E-mail: No address.", None, "bad", "'x"]]


def test_a_new_report_takes_the_place_of_the_one_before(server_only):
    import_id = make_import(server_only, ROWS)
    assert write_report(server_only, import_id) == "ok"
    first = server_only.value("SELECT report_id FROM rollcall.import")
    server_only.sql("UPDATE rollcall.import_row SET outcome = 'applied' WHERE outcome = 'create'")
    assert write_report(server_only, import_id) == "ok"
    assert report_of(server_only, import_id)[1][1] == "imported"
    assert server_only.value("SELECT report_id FROM rollcall.import") != first
    assert server_only.sql("SELECT DISTINCT file_id FROM rollcall.file_part") == [server_only.value("SELECT report_id FROM rollcall.import")]


def test_of_a_csv_no_workbook_is_made(server_only):
    import_id = make_import(server_only, ROWS, format="csv", delimiter=";")
    assert write_report(server_only, import_id) == "ok"
    assert server_only.sql("SELECT report_id FROM rollcall.import") == [None] and server_only.sql("SELECT number FROM rollcall.file_part") == []


def test_who_has_lost_the_job_writes_no_report(server_only):
    import_id = make_import(server_only, ROWS)
    server_only.sql("UPDATE rollcall.job SET leased_by = 'another'")
    assert write_report(server_only, import_id) == "conflict"
    assert server_only.sql("SELECT report_id FROM rollcall.import") == [None] and server_only.sql("SELECT number FROM rollcall.file_part") == []


def test_a_report_of_many_pages_is_whole(server_only):
    import_id = make_import(server_only, [])
    server_only.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome) SELECT %s, %s, n, ARRAY['p' || n, md5(n::text)], 'create'"
                    " FROM generate_series(2, 21001) n", server_only.org_id, import_id)
    assert write_report(server_only, import_id) == "ok"
    assert [row[4] for row in report_of(server_only, import_id)[1:]] == [f"p{n}" for n in range(2, 21002)]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_a_workbook_cannot_hold_is_told_as_csv(server_only, form):
    import_id = make_import(server_only, [(["x" * 32768], "create", [])], format=form)
    assert write_report(server_only, import_id) == "ok"
    assert server_only.sql("SELECT report_id FROM rollcall.import") == [None]
    answer = server_only.admin.get(f"/v1/imports/{import_id}/report").ok(200)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8" and "x" * 32768 in answer.text
