"""Imports over HTTP: how a file comes in, what is said of it, and what may be done with it when.

The server alone: what the worker would have written is written here with SQL, and what it would be told
is read from its table of jobs.
"""
import concurrent.futures
import json
import select
import uuid

import pytest

MIB = 1024 * 1024
FILE = "E-mail,Ім'я\nolena@example.org,Олена\n".encode()
JSON = {"Content-Type": "application/json"}
COUNTS = {"rows", "create", "update", "unchanged", "error", "applied", "skipped", "undone", "left"}


@pytest.fixture(autouse=True)
def none_is_left(standing):
    yield
    for table in ("job", "file_part", "import"):
        standing.sql(f"DELETE FROM rollcall.{table}")
    standing.set_policy(import_invites="ask")


def upload(client, data=FILE, kind="text/csv", **params):
    return client.call("POST", "/v1/imports", data=data, params=params, headers={"Content-Type": kind} if kind else {})


def announce(client, size, **more):
    return client.post("/v1/imports", {"file_name": "people.csv", "size": size, **more})


def put_part(client, made, number, data, kind="application/octet-stream"):
    return client.call("PUT", f"/v1/imports/{made['id']}/parts/{number}", data=data, headers={"Content-Type": kind})


def do(client, what, made, body=None):
    return client.post(f"/v1/imports/{made['id']}/{what}", body)


def get(client, made):
    return client.get(f"/v1/imports/{made['id']}").ok(200).body


def row_of(system, made, table="import"):
    found = system.sql(f"SELECT to_jsonb(t) FROM rollcall.{table} t WHERE {'file_id' if table == 'file_part' else 'id'} = %s", made["id"])
    return found[0] if found else None


def is_now(system, made, state, **columns):
    """What the worker would have made of it; its job is done."""
    for name, value in {"state": state, **columns}.items():
        system.sql(f"UPDATE rollcall.import SET {name} = %s WHERE id = %s", value, made["id"])
    system.sql("DELETE FROM rollcall.job WHERE id = %s", made["id"])
    return made


@pytest.fixture
def ready(standing):
    """A file that the administrator uploaded and whose dry run is over."""
    return is_now(standing, upload(standing.admin).ok(202).body, "ready", creates=1, rows=1)


@pytest.fixture
def uploading(standing):
    return announce(standing.admin, 2 * MIB + 5).ok(202).body


# --- a file that comes whole

def test_a_file_of_bytes_becomes_an_import_with_its_part_and_its_job(standing):
    answer = upload(standing.admin, file_name="Люди.csv", charset="windows-1251", mapping='{"E-mail": "email", "Ім\'я": "first_name", "x": null}').ok(202)
    made = answer.body
    assert answer.headers["Location"] == f"/v1/imports/{made['id']}"
    assert (made["state"], made["file_name"], made["charset"], made["size"], made["content_type"]) == ("parsing", "Люди.csv", "windows-1251", len(FILE), "text/csv")
    assert made["mapping"] == {"E-mail": "email", "Ім'я": "first_name", "x": None}
    assert made["counts"].keys() == COUNTS and not any(made["counts"].values())
    assert (made["parts"], made["problem"], made["rate_per_s"], made["remaining_s"], made["charset_guess"], made["invite"]) == (None,) * 6
    assert made["maker"]["kind"] == "user" and made["maker"]["id"] == standing.admin_id and made["maker"]["name"]
    assert row_of(standing, made, "file_part")["number"] == 0
    assert standing.value("SELECT bytes FROM rollcall.file_part WHERE file_id = %s", made["id"]) == FILE
    job = row_of(standing, made, "job")
    assert (job["kind"], job["attempts"], job["leased_by"]) == ("import_parse", 0, None)
    actor = row_of(standing, made)["actor"]
    assert (actor["kind"], actor["id"], actor["request_id"]) == ("user", standing.admin_id, answer.headers["X-Request-Id"])
    assert get(standing.admin, made) == made


def test_an_upload_is_audited_without_what_is_in_it(standing):
    made = upload(standing.admin, file_name="Olena.csv").ok(202)
    audit = standing.admin.get("/v1/audit", subject_id=made["id"]).ok(200).items
    assert [row["action"] for row in audit] == ["import.created"]
    assert audit[0]["changes"] == {"size": [None, len(FILE)]} and audit[0]["actor"]["id"] == standing.admin_id


def test_a_key_imports_too_and_is_the_maker(standing):
    made = upload(standing.machine).ok(202)
    assert made["maker"]["kind"] == "api_key" and made["maker"]["name"]
    assert row_of(standing, made)["maker_kind"] == "api_key"


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "application/csv", "text/plain", "application/octet-stream", "TEXT/CSV", None,
                                  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.ms-excel"])
def test_what_a_file_may_be_called_by_those_who_send_it(standing, kind):
    upload(standing.admin, kind=kind).ok(202)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "image/png", "text/html", "application/xml", "nonsense"])
def test_what_is_no_file_is_refused_by_its_media_type(standing, kind):
    upload(standing.admin, kind=kind).refused(415, "unsupported_media_type")
    assert standing.value("SELECT count(*) FROM rollcall.import") == 0


@pytest.mark.parametrize("data,name", [(FILE, "import.csv"), (b"PK\x03\x04 and more", "import.xlsx"), (b"P", "import.csv")])
def test_a_file_without_a_name_is_given_one(standing, data, name):
    assert upload(standing.admin, data).ok(202)["file_name"] == name


@pytest.mark.parametrize("given,kept", [("C:\\Users\\Olena\\people.csv", "people.csv"), ("/tmp/a/people.csv", "people.csv"), ("../../etc/passwd", "passwd"),
                                        ("Співробітники (2026).xlsx", "Співробітники (2026).xlsx"), ("x" * 200, "x" * 200), ("a/" * 300 + "b.csv", "b.csv"),
                                        ("\"><script>.csv", "\"><script>.csv"), ("2026", "2026")])
def test_of_a_path_only_the_name_is_kept(standing, given, kept):
    assert upload(standing.admin, file_name=given).ok(202)["file_name"] == kept
    assert announce(standing.admin, 1, file_name=given).ok(202)["file_name"] == kept


@pytest.mark.parametrize("given,code", [("a\nb.csv", "invalid"), ("a/", "invalid"), ("..", "invalid"), ("a/..", "invalid"), ("   ", "invalid"),
                                        ("a\u202eb.csv", "invalid"), ("x" * 201, "too_long")])
def test_a_name_that_is_none_is_refused_in_both_forms(standing, given, code):
    assert upload(standing.admin, file_name=given).refused(400, "invalid_query").faults() == {"file_name": code}
    assert announce(standing.admin, 1, file_name=given).refused(422, "invalid_body").faults() == {"/file_name": code}


def test_an_empty_file_is_refused(standing):
    for kind in ("text/csv", None):
        upload(standing.admin, b"", kind).refused(422, "invalid_body")
    assert standing.value("SELECT count(*) FROM rollcall.import") == 0


def test_a_whole_file_has_at_most_a_mebibyte_to_the_byte(standing):
    made = upload(standing.admin, bytes(range(256)) * 4096).ok(202)
    assert made["size"] == MIB
    assert standing.value("SELECT bytes FROM rollcall.file_part WHERE file_id = %s", made["id"]) == bytes(range(256)) * 4096
    assert standing.client(standing.admin_token).raw("POST", "/v1/imports", headers={"Content-Type": "text/csv"}, data=bytes(MIB + 1)).status == 413


def test_all_faults_of_the_parameters_are_named_at_once(standing):
    answer = upload(standing.admin, file_name="a\tb", charset="koi8-r", mapping="[]").refused(400, "invalid_query")
    assert answer.faults() == {"file_name": "invalid", "charset": "invalid", "mapping": "invalid"}
    assert upload(standing.admin, maping="{}").refused(400, "invalid_query").faults() == {"maping": "unknown_field"}
    assert upload(standing.admin, mapping='{"a": 1,}').refused(400, "invalid_query").faults() == {"mapping": "invalid"}
    answer = upload(standing.admin, mapping='{"Mail": "e-mail"}').refused(400, "invalid_query")
    assert answer["errors"][0]["detail"].startswith("Mail: ")


# --- a file that comes in parts

def test_an_announced_file_waits_for_its_parts_and_says_which(standing):
    made = announce(standing.admin, 2 * MIB + 5, content_type="text/csv", charset="utf-16le", mapping={"E-mail": "email"}).ok(202)
    assert (made["state"], made["charset"], made["mapping"], made["content_type"]) == ("uploading", "utf-16le", {"E-mail": "email"}, "text/csv")
    assert made["parts"] == {"count": 3, "bytes": MIB, "missing": [0, 1, 2]}
    assert row_of(standing, made, "job") is None and made["progress"] is None


def test_parts_come_in_any_order_and_again_and_the_last_is_what_is_left(standing, uploading):
    put_part(standing.admin, uploading, 2, b"12345").ok(204)
    put_part(standing.admin, uploading, 0, b"a" * MIB).ok(204)
    assert get(standing.admin, uploading)["parts"]["missing"] == [1]
    refused = do(standing.admin, "parse", uploading).refused(409, "state_conflict")
    assert refused["detail"].endswith(": 1.")
    put_part(standing.admin, uploading, 1, b"b" * MIB).ok(204)
    put_part(standing.admin, uploading, 0, b"c" * MIB).ok(204)
    made = do(standing.admin, "parse", uploading).ok(202)
    assert made["state"] == "parsing" and made["parts"] is None and row_of(standing, made, "job")["kind"] == "import_parse"
    whole = b"".join(standing.sql("SELECT bytes FROM rollcall.file_part WHERE file_id = %s ORDER BY number", made["id"]))
    assert whole == b"c" * MIB + b"b" * MIB + b"12345"
    assert [row["action"] for row in standing.admin.get("/v1/audit", subject_id=made["id"]).items] == ["import.parsed", "import.created"]


def test_of_a_file_of_whole_mebibytes_the_last_part_is_whole_too(standing):
    made = announce(standing.admin, MIB).ok(202)
    assert made["parts"]["count"] == 1
    put_part(standing.admin, made, 0, b"x").refused(422, "invalid_body")
    put_part(standing.admin, made, 1, b"").refused(404, "not_found")
    put_part(standing.admin, made, 0, b"x" * MIB).ok(204)
    do(standing.admin, "parse", made).ok(202)


@pytest.mark.parametrize("number,data", [(0, b""), (0, b"x"), (0, b"x" * (MIB - 1)), (2, b""), (2, b"1234"), (2, b"123456")])
def test_a_part_of_another_length_is_refused(standing, uploading, number, data):
    refused = put_part(standing.admin, uploading, number, data).refused(422, "invalid_body")
    assert str(5 if number == 2 else MIB) in refused["detail"]
    assert row_of(standing, uploading, "file_part") is None


@pytest.mark.parametrize("number", ["3", "32", "-1", "00", "01", "x", "1x", "0x0", "99999999999999999999", "+1", "1.0", "%20", "some"])
def test_a_part_that_the_file_has_not_is_not_found(standing, uploading, number):
    refused = put_part(standing.admin, uploading, number, b"x" * MIB).refused(404, "not_found")
    assert "0 to 2" in refused["detail"]


def test_a_part_in_the_wrapping_of_a_form_is_refused(standing, uploading):
    for kind in ("multipart/form-data", "application/json"):
        put_part(standing.admin, uploading, 2, b"12345", kind).refused(415, "unsupported_media_type")


def test_after_reading_has_begun_a_file_takes_no_more_parts(standing, uploading, ready):
    for made, state in ((ready, "ready"), (uploading, "parsing"), (uploading, "failed"), (uploading, "applied")):
        is_now(standing, made, state)
        put_part(standing.admin, made, 0, b"x" * MIB).refused(409, "state_conflict")


def test_a_file_of_32_mebibytes_can_be_announced_and_no_greater_one(standing):
    assert announce(standing.admin, 32 * MIB).ok(202)["parts"]["count"] == 32
    for size in (32 * MIB + 1, 10 ** 17):
        refused = announce(standing.admin, size).refused(422, "invalid_body")
        assert refused.faults() == {"/size": "too_long"} and "32 MiB" in refused["errors"][0]["detail"]


def test_all_faults_of_an_announcement_are_named_at_once(standing):
    body = {"file_name": "..", "content_type": "text\n", "size": 0, "charset": "koi8-r", "mapping": {"a": "nobody", "b": 7, "c": "email", "d": "email"}, "state": "ready", "x": 1}
    assert standing.admin.post("/v1/imports", body).refused(422, "invalid_body").faults() == {
        "/file_name": "invalid", "/content_type": "invalid", "/size": "invalid", "/charset": "invalid", "/state": "read_only", "/x": "unknown_field",
        "/mapping/a": "invalid", "/mapping/b": "wrong_type", "/mapping/d": "invalid"}
    assert standing.admin.post("/v1/imports", {}).refused(422).faults() == {"/file_name": "required", "/size": "required"}
    body = {"file_name": 1, "size": "1", "charset": [], "mapping": "x", "content_type": 1}
    assert set(standing.admin.post("/v1/imports", body).refused(422).faults().values()) == {"wrong_type"}
    for size in (1.5, -1, None, True, [1]):
        assert announce(standing.admin, size).refused(422).faults().keys() == {"/size"}
    assert standing.value("SELECT count(*) FROM rollcall.import") == 0


def test_what_goes_with_bytes_does_not_go_with_json(standing):
    answer = standing.admin.call("POST", "/v1/imports", params={"file_name": "a.csv", "mapping": "{}"}, json={"file_name": "a.csv", "no_such": 1})
    assert answer.refused(400, "invalid_query").faults() == {"file_name": "invalid", "mapping": "invalid"}


@pytest.mark.parametrize("data", [b"{", b"[]", b'"x"', b"null", b'{"size": 1, "size": 2}', b"\xff\xfe"])
def test_what_is_not_acceptable_as_json_is_malformed(standing, data):
    standing.admin.call("POST", "/v1/imports", data=data, headers=JSON).refused(400, "malformed_body")
    made = announce(standing.admin, 1).ok(202)
    standing.admin.call("POST", f"/v1/imports/{made['id']}/parse", data=data, headers=JSON).refused(400, "malformed_body")


# --- what columns mean

FIELDS = ["email", "username", "first_name", "last_name", "phone", "external_id", "kind", "role", "department", "position", "groups", "locale", "status",
          "password_hash", "id", "version", "attributes.hub", "attributes.a_1"]


def test_every_field_may_be_meant_once(standing):
    mapping = {f"Стовпець {field}": field for field in FIELDS} | {"nothing": None, "nothing too": None}
    assert announce(standing.admin, 1, mapping=mapping).ok(202)["mapping"] == mapping
    assert upload(standing.admin, mapping=json.dumps(mapping)).ok(202)["mapping"] == mapping


@pytest.mark.parametrize("field", ["", "name", "E-mail", "EMAIL", "role_id", "attributes", "attributes.", "attributes.Hub", "attributes.a b", "attributes." + "x" * 64,
                                   "created_at", "email; DROP TABLE", "attributes.a'b"])
def test_what_is_no_field_is_refused_with_its_header(standing, field):
    assert announce(standing.admin, 1, mapping={"A/b~c": field}).refused(422).faults() == {"/mapping/A~1b~0c": "invalid"}


def test_a_mapping_has_at_most_256_columns_and_headers_of_200_characters(standing):
    columns = {f"column {number}": None for number in range(256)}
    announce(standing.admin, 1, mapping=columns).ok(202)
    assert announce(standing.admin, 1, mapping={**columns, "one more": None}).refused(422).faults() == {"/mapping": "too_long"}
    announce(standing.admin, 1, mapping={"ї" * 200: "email"}).ok(202)
    assert announce(standing.admin, 1, mapping={"ї" * 201: "email", "": "phone", "x\u0007": "phone"}).refused(422).faults() == {
        f"/mapping/{'ї' * 201}": "too_long", "/mapping/": "invalid", "/mapping/x\u0007": "invalid"}
    assert announce(standing.admin, 1, mapping={"x": "y" * 101}).refused(422).faults() == {"/mapping/x": "too_long"}


# --- reading it again

@pytest.mark.parametrize("state", ["ready", "failed"])
def test_a_file_is_read_again_with_another_charset_or_mapping(standing, ready, state):
    is_now(standing, ready, state, headers=["E-mail"], mapping='{"E-mail": "email"}', format="csv", charset="utf-8", charset_percent=60, delimiter=",",
           errors=3, stage_done=7, problem='{"code": "x", "detail": "y"}')
    before = get(standing.admin, ready)
    assert before["charset_guess"] is True and before["headers"] == ["E-mail"] and before["problem"] == {"code": "x", "detail": "y"}
    made = do(standing.admin, "parse", ready, {"charset": "windows-1251", "mapping": {"E-mail": None}}).ok(202)
    assert (made["state"], made["charset"], made["mapping"], made["headers"], made["problem"]) == ("parsing", "windows-1251", {"E-mail": None}, None, None)
    assert not any(made["counts"].values()) and row_of(standing, made, "job")["kind"] == "import_parse"
    assert made["progress"] == {"done": 0, "rows": None}


def test_what_is_not_said_again_stays_and_null_is_a_guess(standing, ready):
    do(standing.admin, "parse", ready, {"charset": "utf-16be", "mapping": {"a": "email"}}).ok(202)
    is_now(standing, ready, "failed")
    made = do(standing.admin, "parse", ready, {"charset": None}).ok(202)
    assert (made["charset"], made["mapping"]) == (None, {"a": "email"})
    is_now(standing, ready, "failed")
    assert do(standing.admin, "parse", ready, {"mapping": None}).ok(202)["mapping"] is None


def test_faults_of_the_wishes_are_named_at_once(standing, ready):
    refused = do(standing.admin, "parse", ready, {"charset": "latin1", "mapping": {"a": "b"}, "x": 1}).refused(422, "invalid_body")
    assert refused.faults() == {"/charset": "invalid", "/mapping/a": "invalid", "/x": "unknown_field"}
    standing.admin.call("POST", f"/v1/imports/{ready['id']}/parse", data=FILE, headers={"Content-Type": "text/csv"}).refused(415)


@pytest.mark.parametrize("state,applied,undone", [("parsing", 0, 0), ("applying", 0, 0), ("applied", 1, 0), ("undoing", 1, 0), ("undone", 0, 1), ("failed", 1, 0), ("failed", 0, 1)])
def test_it_is_not_read_again_while_something_is_done_or_once_something_was(standing, ready, state, applied, undone):
    is_now(standing, ready, state, applied=applied, undone=undone)
    refused = do(standing.admin, "parse", ready).refused(409, "state_conflict")
    assert state in refused["detail"] and row_of(standing, ready, "job") is None


# --- looking at it

def test_progress_is_told_while_a_stage_is_under_way(standing, ready):
    is_now(standing, ready, "applying", stage_rows=1000, stage_done=400)
    standing.sql("UPDATE rollcall.import SET stage_began_at = now() - interval '10 seconds' WHERE id = %s", ready["id"])
    seen = get(standing.admin, ready)
    assert seen["progress"] == {"done": 400, "rows": 1000}
    assert 35 <= seen["rate_per_s"] <= 40 and 15 <= seen["remaining_s"] <= 18
    is_now(standing, ready, "applied")
    seen = get(standing.admin, ready)
    assert (seen["progress"], seen["rate_per_s"], seen["remaining_s"]) == (None, None, None)
    is_now(standing, ready, "parsing", stage_rows=None, stage_done=0)
    seen = get(standing.admin, ready)
    assert (seen["progress"], seen["rate_per_s"], seen["remaining_s"]) == ({"done": 0, "rows": None}, None, None)
    is_now(standing, ready, "parsing", stage_rows=None, stage_done=100)
    seen = get(standing.admin, ready)
    assert seen["rate_per_s"] > 0 and seen["remaining_s"] is None


def test_imports_are_listed_newest_first_in_pages(standing):
    made = [upload(standing.admin, file_name=f"{number}.csv").ok(202).body for number in range(5)]
    is_now(standing, made[1], "ready")
    listed = standing.admin.pages("/v1/imports", limit=2)
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(made)]
    assert "headers" not in listed[0] and listed[0]["counts"].keys() == COUNTS
    assert [one["file_name"] for one in standing.admin.get("/v1/imports", state="ready,failed").items] == ["1.csv"]
    assert standing.admin.get("/v1/imports", count="true", limit=1)["total"] == 5
    assert standing.admin.get("/v1/imports", state="gone", limit="0").refused(400, "invalid_query").faults() == {"state": "invalid", "limit": "invalid"}


def add_row(system, made, number, outcome, cells, errors=(), user=None):
    system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome, errors, user_id) VALUES (%s, %s, %s, %s, %s, %s, %s)",
               system.org_id, made["id"], number, cells, outcome, json.dumps(list(errors)), user)


@pytest.fixture
def filled(standing, ready):
    """Rows 2 to 7, in no order."""
    is_now(standing, ready, "ready", headers=["E-mail", "Ім'я", "Хеш", ""], mapping='{"E-mail": "email", "Хеш": "password_hash"}')
    for number in (5, 2, 7, 3, 6, 4):
        outcome = {2: "error", 3: "update"}.get(number, "create")
        add_row(standing, ready, number, outcome, [f"{number}@example.org", "я" * 600, "$argon2id$secret", "nameless"],
                [{"column": "E-mail", "code": "invalid", "detail": "No."}] if outcome == "error" else [], standing.admin_id if outcome == "update" else None)
    return ready


def test_rows_come_in_the_order_of_the_file_with_what_is_wrong(standing, filled):
    rows = standing.admin.pages(f"/v1/imports/{filled['id']}/rows", limit=2)
    assert [row["row"] for row in rows] == [2, 3, 4, 5, 6, 7]
    assert rows[0].keys() == {"row", "outcome", "user_id", "errors", "values"}
    assert rows[0]["errors"] == [{"column": "E-mail", "code": "invalid", "detail": "No."}] and rows[1]["user_id"] == standing.admin_id
    assert rows[2]["values"] == {"E-mail": "4@example.org", "Ім'я": "я" * 500}


def test_a_page_of_rows_is_bounded_however_wide_and_full_they_are(standing, ready):
    """A workbook of a few kB repeats one shared text in all of its cells."""
    is_now(standing, ready, "ready", headers=[f"h{number}" for number in range(256)], mapping='{"h0": "email"}')
    for number in range(2, 12):
        add_row(standing, ready, number, "create", ["x" * 3000] * 256)
    values = standing.admin.get(f"/v1/imports/{ready['id']}/rows").ok(200).items[9]["values"]
    assert len(values) == 256 and sum(map(len, values.values())) <= 16000 and all(values.values())


def test_a_password_of_a_file_is_shown_to_nobody(standing, filled):
    assert "secret" not in standing.admin.get(f"/v1/imports/{filled['id']}/rows").ok(200).text


def test_rows_are_filtered_by_what_becomes_of_them(standing, filled):
    path = f"/v1/imports/{filled['id']}/rows"
    assert [row["row"] for row in standing.admin.get(path, outcome="error,update").items] == [2, 3]
    answer = standing.admin.get(path, outcome="create", count="true", limit=1)
    assert answer["total"] == 4 and len(answer.items) == 1
    assert standing.admin.get(path, outcome="left").items == []
    assert "total" not in standing.admin.get(path).body
    faults = standing.admin.get(path, outcome="error,bad", limit="201", cursor="x", x="1").refused(400, "invalid_query").faults()
    assert faults == {"outcome": "invalid", "limit": "invalid", "cursor": "invalid", "x": "unknown_field"}


def test_a_cursor_of_another_list_is_none_of_rows(standing, filled):
    upload(standing.admin).ok(202)
    cursor = standing.admin.get("/v1/imports", limit=1)["next_cursor"]
    standing.admin.get(f"/v1/imports/{filled['id']}/rows", cursor=cursor).refused(400, "invalid_query")


def test_rows_are_not_shown_before_the_dry_run_is_over(standing, filled):
    is_now(standing, filled, "parsing")
    assert standing.admin.get(f"/v1/imports/{filled['id']}/rows", count="true").body == {"items": [], "next_cursor": None, "total": 0}


def test_an_import_that_is_being_purged_is_not_found_any_more(standing, ready):
    is_now(standing, ready, "expired")
    standing.admin.get(f"/v1/imports/{ready['id']}").refused(404, "not_found")
    for path in ("rows", "report"):
        standing.admin.get(f"/v1/imports/{ready['id']}/{path}").refused(404, "not_found")
    for what in ("parse", "apply", "undo"):
        do(standing.admin, what, ready).refused(404, "not_found")
    assert standing.admin.get("/v1/imports", count="true").ok(200).body == {"items": [], "next_cursor": None, "total": 0}


def test_an_unknown_import_has_no_rows_and_no_routes(standing):
    nobody = {"id": str(uuid.uuid4())}
    for path in ("", "/rows"):
        standing.admin.get(f"/v1/imports/{nobody['id']}{path}").refused(404, "not_found")
    for what in ("parse", "apply", "undo"):
        do(standing.admin, what, nobody).refused(404, "not_found")
    put_part(standing.admin, nobody, 0, b"x").refused(404, "not_found")


# --- applying

def test_what_is_ready_is_applied(standing, ready):
    is_now(standing, ready, "ready", updates=2)
    made = do(standing.admin, "apply", ready).ok(202)
    assert (made["state"], made["invite"], made["progress"]) == ("applying", False, {"done": 0, "rows": 3})
    assert row_of(standing, ready, "job")["kind"] == "import_apply"
    audit = standing.admin.get("/v1/audit", subject_id=ready["id"], action="import.applied").items
    assert [row["changes"] for row in audit] == [{"rows": [None, 3], "invite": [None, False]}]


@pytest.mark.parametrize("state", ["uploading", "parsing", "failed", "applying", "applied", "undoing", "undone"])
def test_what_is_not_ready_is_not_applied(standing, ready, state):
    is_now(standing, ready, state)
    assert state in do(standing.admin, "apply", ready).refused(409, "state_conflict")["detail"]
    assert row_of(standing, ready, "job") is None and row_of(standing, ready)["state"] == state


@pytest.mark.parametrize("policy,body,invites", [("ask", None, False), ("ask", {"invite": True}, True), ("ask", {"invite": False}, False),
                                                 ("true", None, True), ("true", {"invite": True}, True), ("true", {"invite": False}, None),
                                                 ("false", None, False), ("false", {"invite": False}, False), ("false", {"invite": True}, None)])
def test_whether_people_are_invited_is_the_policys_to_say(standing, ready, policy, body, invites):
    standing.set_policy(import_invites=policy, invite_on_create="never" if policy == "true" else "always")
    answer = do(standing.admin, "apply", ready, body)
    if invites is None:
        answer.refused(403, "refused_by_policy", policy="import_invites")
        assert row_of(standing, ready)["state"] == "ready"
    else:
        assert answer.ok(202)["invite"] is invites
    standing.set_policy(invite_on_create="always")


def test_a_body_of_apply_is_checked(standing, ready):
    assert do(standing.admin, "apply", ready, {"invite": "yes", "x": 1}).refused(422).faults() == {"/invite": "wrong_type", "/x": "unknown_field"}
    assert do(standing.admin, "apply", ready, {"invite": None}).refused(422).faults() == {"/invite": "wrong_type"}


def test_to_invite_needs_the_permission_to_invite(standing):
    key = standing.client(standing.make_key("imports:write", "users:write"))
    made = is_now(standing, upload(key).ok(202).body, "ready")
    assert "users:invite" in do(key, "apply", made, {"invite": True}).refused(403, "permission_missing")["detail"]
    standing.set_policy(import_invites="true")
    do(key, "apply", made).refused(403, "permission_missing")
    standing.set_policy(import_invites="ask")
    do(key, "apply", made).ok(202)


def test_to_apply_and_to_undo_need_the_permission_to_write_users(standing):
    key = standing.client(standing.make_key("imports:write"))
    made = is_now(standing, upload(key).ok(202).body, "ready")
    for what in ("apply", "undo"):
        assert "users:write" in do(key, what, made).refused(403, "permission_missing")["detail"]
    do(key, "parse", made).ok(202)


def test_only_who_made_it_says_what_becomes_of_it(standing, ready, uploading):
    """Else somebody could have his meaning of a file written with another's permissions."""
    for client in (standing.machine, standing.sign_in(standing.create_administrator())):
        for what in ("apply", "parse"):
            do(client, what, ready).refused(403, "permission_missing")
        assert "made it" in put_part(client, uploading, 2, b"12345").refused(403, "permission_missing")["detail"]
        client.get(f"/v1/imports/{ready['id']}/rows").ok(200)
    assert (row_of(standing, ready)["state"], row_of(standing, uploading, "file_part")) == ("ready", None)


def at_once(*calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


@pytest.mark.parametrize("what", ["apply", "parse"])
def test_of_many_who_begin_at_once_one_wins(standing, ready, what):
    clients = [standing.client(standing.admin_token) for _ in range(6)]
    statuses = sorted(answer.status for answer in at_once(*[lambda client=client: do(client, what, ready) for client in clients]))
    assert statuses == [202, 409, 409, 409, 409, 409]
    assert standing.value("SELECT count(*) FROM rollcall.job WHERE id = %s", ready["id"]) == 1


def test_of_applying_and_reading_again_at_once_one_wins(standing, ready):
    clients = [standing.client(standing.admin_token) for _ in range(2)]
    answers = at_once(lambda: do(clients[0], "apply", ready), lambda: do(clients[1], "parse", ready))
    assert sorted(answer.status for answer in answers) == [202, 409]
    job, state = row_of(standing, ready, "job")["kind"], row_of(standing, ready)["state"]
    assert (job, state) in {("import_apply", "applying"), ("import_parse", "parsing")}


def test_the_same_part_at_once_is_kept_once(standing, uploading):
    clients = [standing.client(standing.admin_token) for _ in range(4)]
    answers = at_once(*[lambda client=client, letter=letter: put_part(client, uploading, 0, letter * MIB) for client, letter in zip(clients, (b"a", b"b", b"c", b"d"))])
    assert {answer.status for answer in answers} == {204}
    assert len(set(standing.value("SELECT bytes FROM rollcall.file_part WHERE file_id = %s", uploading["id"]))) == 1


# --- undoing

@pytest.mark.parametrize("state", ["applied", "failed"])
def test_what_was_applied_is_undone_by_anybody_who_may(standing, ready, state):
    is_now(standing, ready, state, applied=4)
    other = standing.sign_in(standing.create_administrator())
    made = do(other, "undo", ready).ok(202)
    assert (made["state"], made["progress"], made["counts"]["applied"]) == ("undoing", {"done": 0, "rows": 4}, 4)
    assert row_of(standing, ready, "job")["kind"] == "import_undo"
    assert row_of(standing, ready)["actor"]["id"] == other.get("/v1/me")["id"] != standing.admin_id
    audit = standing.admin.get("/v1/audit", subject_id=ready["id"], action="import.undone").items
    assert [row["changes"] for row in audit] == [{"rows": [None, 4]}]


@pytest.mark.parametrize("state,applied", [("uploading", 0), ("parsing", 0), ("ready", 0), ("failed", 0), ("applying", 3), ("undoing", 3), ("undone", 3)])
def test_what_was_not_applied_is_not_undone(standing, ready, state, applied):
    is_now(standing, ready, state, applied=applied)
    assert state in do(standing.admin, "undo", ready).refused(409, "state_conflict")["detail"]
    assert row_of(standing, ready, "job") is None


def test_of_two_who_undo_at_once_one_wins(standing, ready):
    is_now(standing, ready, "applied", applied=1)
    clients = [standing.client(standing.admin_token), standing.client(standing.api_key)]
    assert sorted(answer.status for answer in at_once(*[lambda client=client: do(client, "undo", ready) for client in clients])) == [202, 409]


# --- limits and borders

def test_twenty_imports_of_an_organization_may_be_uploaded_or_read_at_once(standing):
    made = [upload(standing.admin).ok(202).body for _ in range(10)] + [announce(standing.admin, 1).ok(202).body for _ in range(8)]
    clients = [standing.client(standing.admin_token) for _ in range(6)]
    assert sorted(answer.status for answer in at_once(*[lambda client=client: upload(client) for client in clients])) == [202, 202, 429, 429, 429, 429]
    answer = upload(standing.admin).refused(429, "rate_limited")
    assert answer.headers["Retry-After"] == "30" and "20" in answer["detail"]
    assert standing.value("SELECT count(*) FROM rollcall.import") == standing.value("SELECT count(*) FROM rollcall.job") + 8 == 20
    is_now(standing, made[0], "ready")
    upload(standing.admin).ok(202)
    upload(standing.admin).refused(429)
    # What was announced and never came is forgotten after a while.
    standing.sql("UPDATE rollcall.import SET created_at = now() - interval '61 minutes' WHERE id = %s", made[-1]["id"])
    upload(standing.admin).ok(202)


def test_nobody_of_another_organization_sees_or_touches_it(standing, filled):
    other = standing.client(standing.other_organization()["key"])
    for path in ("", "/rows"):
        other.get(f"/v1/imports/{filled['id']}{path}").refused(404, "not_found")
    for what in ("parse", "apply", "undo"):
        do(other, what, filled).refused(404, "not_found")
    put_part(other, filled, 0, b"x").refused(404, "not_found")
    assert other.get("/v1/imports").items == []
    assert row_of(standing, filled)["state"] == "ready"


def test_without_the_permission_there_are_no_imports(standing, ready):
    key = standing.client(standing.make_key("users:read", "users:write", "users:invite"))
    for answer in (upload(key), key.get("/v1/imports"), key.get(f"/v1/imports/{ready['id']}"), key.get(f"/v1/imports/{ready['id']}/rows"),
                   do(key, "parse", ready), do(key, "apply", ready), do(key, "undo", ready), put_part(key, ready, 0, b"x")):
        assert "imports:write" in answer.refused(403, "permission_missing")["detail"]


def test_a_stranger_learns_nothing_of_what_a_file_should_be(standing):
    for kind in ("text/csv", "application/json", "image/png"):
        upload(standing.anyone, b"{", kind).refused(401, "unauthenticated")


def test_workers_are_nudged_after_the_commit(standing, ready):
    with standing.cluster.connect(standing.database) as listening:
        listening.execute("LISTEN rollcall_outbox")
        do(standing.admin, "apply", ready).ok(202)
        ours, _, _ = select.select([listening.fileno()], [], [], 5)
        assert ours, "no NOTIFY came"
