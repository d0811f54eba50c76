"""Exports that the worker makes: both formats, whose permissions count, and what becomes of one that is interrupted."""
import csv
import io
import re
import zipfile

import openpyxl
import pytest

from support.waiting import wait_until
from test_parser import rows_of

HEADERS = ["E-mail", "Username", "First name", "Last name", "Phone", "External ID", "Kind", "Role", "Department", "Position", "Groups", "Language",
           "Status", "Hub", "Size", "User ID", "Version"]
HOSTILE = ['=HYPERLINK("http://x","y")', "+380441234567", "-1+1", "@SUM(A1)", "'=1", "''+1", "a,b;c\td", 'say "hi"', "two\nlines", " blanks ", "Олена", "=",
           "_x0041_", "<b>&amp;</b>", "e" * 900]


def made_id(n):
    return f"01900000-0000-7000-8000-{n:012x}"


def many_users(system, count):
    system.sql("INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)"
               " SELECT %s, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'many' || n || '@example.org', 'Many', 'N' || n,"
               " 'inactive', 'by_admin', 1 FROM generate_series(1, %s) n", system.org_id, count)


def ask(system, client=None, **body):
    return (client or system.admin).post("/v1/exports", {"format": "csv", **body}).ok(202)["id"]


def state(system, export_id):
    return system.value("SELECT state FROM rollcall.export WHERE id = %s", export_id)


def ended(system, export_id, timeout=30):
    wait_until(lambda: state(system, export_id) in ("ready", "failed"), timeout=timeout)
    assert system.sql("SELECT id FROM rollcall.job WHERE id = %s", export_id) == []
    return system.admin.get(f"/v1/exports/{export_id}").ok(200)


def file_of(system, export_id):
    export = ended(system, export_id)
    assert export["state"] == "ready", export
    return system.admin.get(export["file_url"]).ok(200).response.content


def rows_of_csv(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def rows_of_book(content):
    (sheet,) = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def sheet_of(content):
    """As XML: to make cells of a hundred thousand rows takes minutes."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return book.read("xl/worksheets/sheet1.xml").decode()


def restored(cell):
    """What common/cell.h says of an apostrophe."""
    rest = cell[1:].lstrip(" '\xa0\u3000")
    return cell[1:] if cell.startswith("'") and rest[:1] in tuple("=+-@\t\r\n＝＋－＠") else cell


@pytest.fixture
def hostile(rollcall):
    """People whose texts are more than texts to some programs; {id: what he wrote}."""
    for key, label, kind in (("hub", "Hub", "text"), ("size", "Size", "number")):
        rollcall.admin.post("/v1/fields", {"key": key, "label": label, "type": kind}).ok(201)
    made = {}
    for number, text in enumerate(HOSTILE):
        user = rollcall.create_user(phone="+380441234567", attributes={"hub": text, "size": number - 0.5})
        made[user["id"]] = text
    return made


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_every_text_comes_back_through_the_parser_of_imports(rollcall, hostile, form):
    content = file_of(rollcall, ask(rollcall, format=form))
    headers, *rows = rows_of(content)
    assert headers == HEADERS
    found = {row[HEADERS.index("User ID")]: row for row in rows}
    back = restored if form == "csv" else str
    for user_id, text in hostile.items():
        row = dict(zip(HEADERS, found[user_id]))
        assert back(row["Hub"]) == text and back(row["Phone"]) == "+380441234567"
        assert float(row["Size"]) == list(hostile).index(user_id) - 0.5


def test_a_workbook_holds_texts_as_texts_and_no_formula(rollcall, hostile):
    content = file_of(rollcall, ask(rollcall, format="xlsx"))
    headers, *rows = rows_of_book(content)
    assert headers == HEADERS
    (sheet,) = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert kinds <= {"s", "n", "inlineStr"}
    hubs = {row[HEADERS.index("User ID")]: row[HEADERS.index("Hub")] for row in rows}
    assert hubs[next(iter(hostile))] == HOSTILE[0]
    assert {type(row[HEADERS.index("Version")]) for row in rows} == {int}


def test_both_formats_and_the_stream_say_the_same(rollcall, hostile):
    streamed = rows_of_csv(rollcall.admin.get("/v1/users/export").ok(200).response.content)
    assert rows_of_csv(file_of(rollcall, ask(rollcall))) == streamed
    book = rows_of(file_of(rollcall, ask(rollcall, format="xlsx")))
    assert [[restored(cell) for cell in row] for row in streamed][1:] == [row + [""] * (len(HEADERS) - len(row)) for row in book][1:]


FILTERS = [{}, {"status": "active"}, {"status": "pending,active", "kind": "employee"}, {"q": "OVA"}, {"q": "100%"}, {"q": "s_re"}, {"q": "\\"},
           {"email": "P1@people.example"}, {"assignable": True}, {"incomplete": False}, {"updated_since": "2999-01-01T00:00:00Z"}]


def test_the_filters_are_those_of_the_list(rollcall):
    for number, (first, last) in enumerate([("Olena", "Koval"), ("Anna", "Ivanova"), ("100%", "s_re"), ("back\\", "slash")]):
        rollcall.create_user(first_name=first, last_name=last, email=f"p{number}@people.example")
    asked = [(params, ask(rollcall, filter=params)) for params in FILTERS]
    for params, export_id in asked:
        words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
        listed = {user["id"] for user in rollcall.admin.pages("/v1/users", **words)}
        headers, *rows = rows_of_csv(file_of(rollcall, export_id))
        assert {row[headers.index("User ID")] for row in rows} == listed, params


def test_many_pages_make_many_parts_in_order(rollcall):
    many_users(rollcall, 30000)
    export_id = ask(rollcall)
    headers, *rows = rows_of_csv(file_of(rollcall, export_id))
    ids = [row[headers.index("User ID")] for row in rows]
    assert len(ids) == 30001 and ids == sorted(ids)
    sizes = rollcall.sql("SELECT octet_length(bytes) FROM rollcall.file_part WHERE file_id = %s ORDER BY number", export_id)
    assert len(sizes) > 2 and set(sizes[:-1]) == {1 << 20}
    assert rollcall.admin.get(f"/v1/exports/{export_id}").ok(200)["rows"] == 30001
    sheet = sheet_of(file_of(rollcall, ask(rollcall, format="xlsx")))
    assert re.findall("|".join({made_id(1)[:-12] + "[0-9a-f]{12}", rollcall.admin_id}), sheet) == ids


@pytest.mark.parametrize("spoil", ["inactivated", "without the permission", "key revoked", "key expired"])
def test_it_is_made_with_the_permissions_that_its_maker_has_then(rollcall, spoil):
    rollcall.worker.stop()
    role = rollcall.make_role("users:read", "imports:write")
    user = rollcall.create_active(role_id=role)
    client = rollcall.client(rollcall.make_key("users:read", "imports:write")) if "key" in spoil else rollcall.sign_in(user)
    export_id = ask(rollcall, client)
    if spoil == "inactivated":
        rollcall.admin.post(f"/v1/users/{user['id']}/inactivate", {}).ok(200)
    elif spoil == "without the permission":
        rollcall.sql("UPDATE rollcall.role SET permissions = '{imports:write}' WHERE id = %s", role)
    else:
        column = "revoked_at" if "revoked" in spoil else "expires_at"
        rollcall.sql(f"UPDATE rollcall.api_key SET {column} = now() WHERE permissions = '{{users:read,imports:write}}'")
    rollcall.start_worker()
    export = ended(rollcall, export_id)
    assert export["state"] == "failed" and export["problem"]["code"] == "permission_missing" and export["file_url"] is None
    assert rollcall.sql("SELECT number FROM rollcall.file_part") == []


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_one_that_was_interrupted_begins_anew(rollcall, form):
    many_users(rollcall, 60000)
    export_id = ask(rollcall, format=form)
    for end in (rollcall.worker.kill, rollcall.worker.stop):
        wait_until(lambda: rollcall.value("SELECT rows > 0 FROM rollcall.export WHERE id = %s", export_id), timeout=30, pause=0.001)
        assert state(rollcall, export_id) == "running"
        end()
        rollcall.sql("UPDATE rollcall.export SET rows = 0 WHERE id = %s", export_id)
        rollcall.sql("UPDATE rollcall.job SET run_at = now()")
        rollcall.start_worker()
    file = file_of(rollcall, export_id)
    assert (len(rows_of_csv(file)) if form == "csv" else sheet_of(file).count("<row ")) == 60002


def test_what_does_not_fit_into_a_cell_of_a_workbook_is_said(rollcall):
    user = rollcall.create_user()
    rollcall.sql("INSERT INTO rollcall.user_group (org_id, id, name) SELECT %s, gen_random_uuid(), repeat('x', 150) || n FROM generate_series(1, 300) n", rollcall.org_id)
    rollcall.sql("INSERT INTO rollcall.group_member (org_id, group_id, user_id) SELECT org_id, id, %s FROM rollcall.user_group", user["id"])
    export = ended(rollcall, ask(rollcall, format="xlsx"))
    assert export["state"] == "failed" and export["problem"]["code"] == "too_large" and "CSV" in export["problem"]["detail"]
    assert len(rows_of_csv(file_of(rollcall, ask(rollcall)))) == 3


def test_headers_are_in_the_language_of_who_asked(rollcall):
    client = rollcall.client(rollcall.api_key, **{"Accept-Language": "uk"})
    assert rows_of_csv(file_of(rollcall, ask(rollcall, client)))[0][:3] == ["Електронна пошта", "Логін", "Ім'я"]



def test_no_temporary_file_stays(rollcall, tmp_path):
    rollcall.restart_worker(TMPDIR=tmp_path)
    file_of(rollcall, ask(rollcall, format="xlsx"))
    assert list(tmp_path.iterdir()) == []
