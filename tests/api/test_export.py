"""GET /v1/users/export, and exports that the worker is asked for, against the server alone."""
import csv
import io
import json
import socket
import time
import uuid

import pytest

from support.waiting import wait_until

BOM = "\ufeff"


def table(answer, delimiter=","):
    """The rows of a CSV, as dicts by header."""
    text = answer.response.content.decode()
    assert text.startswith(BOM)
    rows = list(csv.reader(io.StringIO(text[len(BOM):], newline=""), delimiter=delimiter))
    assert len({len(row) for row in rows}) == 1
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def export(client, **params):
    answer = client.get("/v1/users/export", **params).ok(200)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return answer


def many_users(system, count):
    """Rows of the table, quicker than they could be made."""
    system.sql("INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)"
               " SELECT %s, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'many' || n || '@example.org', 'Many', 'N' || n,"
               " 'inactive', 'by_admin', 1 FROM generate_series(1, %s) n", system.org_id, count)


@pytest.fixture(scope="module")
def people(shared_server):
    system = shared_server
    system.set_policy(user_kinds=["employee", "external"], required_fields="mark_incomplete")
    top = system.admin.post("/v1/departments", {"name": "Київ"}).ok(201)["id"]
    below = system.admin.post("/v1/departments", {"name": "Продажі", "parent_id": top}).ok(201)["id"]
    groups = [system.admin.post("/v1/groups", {"name": name}).ok(201)["id"] for name in ("Zeta", "Alpha")]
    for key, label, kind in (("hub", {"en": "Hub", "uk": "Хаб"}, "text"), ("limit", {"en": "Limit"}, "number"),
                             ("driver", {"en": "Role"}, "boolean"), ("twin", {"en": "Hub "}, "text")):
        system.admin.post("/v1/fields", {"key": key, "labels": label, "type": kind}).ok(201)
    made = system.create_user(email="olena@people.example", first_name="Олена", last_name='О"Ніл, мол.', phone="+380441234567",
                              external_id="=cmd|'/c calc'!A1", kind="external", department_id=below, group_ids=groups,
                              position="Менеджер", locale="uk", attributes={"hub": "-Схід", "limit": -12.5, "driver": True})
    plain = system.create_user(email="plain@people.example", first_name="Plain", last_name="Person")
    return made, plain


def test_everybody_stands_in_the_file_with_everything_that_can_be_imported_again(standing, people):
    made, plain = people
    answer = export(standing.admin)
    rows = {row["E-mail"]: row for row in table(answer)}
    assert len(rows) == len(standing.admin.pages("/v1/users"))
    assert rows["olena@people.example"] == {
        "E-mail": "olena@people.example", "Username": "", "First name": "Олена", "Last name": 'О"Ніл, мол.', "Phone": "'+380441234567",
        "External ID": "'=cmd|'/c calc'!A1", "Kind": "external", "Role": "", "Department": "Київ / Продажі", "Position": "Менеджер",
        "Groups": "Alpha; Zeta", "Language": "uk", "Status": "pending", "attributes.driver": "true", "attributes.hub": "'-Схід",
        "Limit": "-12.5", "attributes.twin": "", "User ID": made["id"], "Version": str(made["version"])}
    assert rows["plain@people.example"]["Department"] == rows["plain@people.example"]["Limit"] == ""
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="')
    assert answer.headers["Content-Disposition"].split("''")[1].endswith(".csv")
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Request-Id"]
    assert "\r\n" in answer.response.content.decode()


def test_headers_are_in_the_language_of_who_reads_them(standing, people):
    ukrainian = standing.client(standing.api_key, **{"Accept-Language": "uk"})
    rows = table(export(ukrainian, email="olena@people.example"))
    assert rows[0]["Ім'я"] == "Олена" and rows[0]["Хаб"] == "'-Схід" and rows[0]["ID користувача"]


@pytest.mark.parametrize("word,delimiter", [("semicolon", ";"), ("tab", "\t"), ("comma", ",")])
def test_columns_are_divided_by_what_is_asked_for(standing, people, word, delimiter):
    rows = table(export(standing.admin, delimiter=word, email="olena@people.example"), delimiter)
    assert rows[0]["Last name"] == 'О"Ніл, мол.'


FILTERS = [{"status": "active"}, {"q": "Person"}, {"q": "zzz"}, {"kind": "external"}, {"email": "PLAIN@people.example"}, {"status": "pending,inactive", "q": "people"},
           {"assignable": "true"}, {"incomplete": "true"}]


@pytest.mark.parametrize("params", FILTERS, ids=str)
def test_the_filters_are_those_of_the_list(standing, people, params):
    listed = {user["id"] for user in standing.admin.pages("/v1/users", **params)}
    assert {row["User ID"] for row in table(export(standing.admin, **params))} == listed


REFUSED = {
    "a workbook": ({"format": "xlsx"}, {"format": "invalid"}), "another format": ({"format": "pdf"}, {"format": "invalid"}),
    "a delimiter": ({"delimiter": "|"}, {"delimiter": "invalid"}), "a limit": ({"limit": "5"}, {"limit": "unknown_field"}),
    "several": ({"status": "dead", "role_id": "x", "kind": "y"}, {"status": "invalid", "role_id": "unknown_id", "kind": "invalid"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_filter_is_refused(standing, people, name):
    params, faults = REFUSED[name]
    assert standing.admin.get("/v1/users/export", **params).refused(400, "invalid_query").faults() == faults


def test_a_stream_needs_the_permission_to_read_users_and_that_of_imports(standing):
    for words in (["users:read"], ["imports:write"]):
        standing.client(standing.make_key(*words)).get("/v1/users/export").refused(403, "permission_missing")
    export(standing.client(standing.make_key("users:read", "imports:write")))


def test_who_took_a_file_is_written_down_but_not_of_whom(standing, people):
    export(standing.admin, email="olena@people.example", status="pending")
    row = standing.audit("export.streamed")[0]
    assert row["changes"] == {"filter": [None, ["email", "status"]]}
    assert row["actor"]["id"] == standing.admin_id


def test_a_head_is_answered_without_the_body(standing, people):
    answer = standing.admin.call("HEAD", "/v1/users/export")
    assert answer.status == 200 and answer.text == "" and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert standing.admin.get("/v1/me").ok(200), "on the same connection"


def test_a_file_of_many_pages_is_whole_and_in_order(server_only):
    many_users(server_only, 2345)
    ids = [row["User ID"] for row in table(export(server_only.admin))]
    assert len(ids) == 2346 and ids == sorted(ids)
    assert len(table(export(server_only.admin, q="Many N1"))) == 1 + 10 + 100 + 1000 + 0
    # Exactly some pages: the last of them is full, and an empty one follows.
    server_only.sql("DELETE FROM rollcall.users WHERE last_name LIKE 'N%%' AND substr(last_name, 2)::int > 999")
    assert len(table(export(server_only.admin))) == 1000


def test_who_was_anonymised_is_left_out(server_only):
    server_only.set_policy(deletion="anonymise", deletion_confirmation="none")
    user = server_only.create_user()
    server_only.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    assert [row["User ID"] for row in table(export(server_only.admin))] == [server_only.admin_id]


# --- streams, as a client sees them

def open_stream(system, version="1.1", headers=""):
    """A socket on which the export was asked for, with a receive buffer that is soon full."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    host, port = system.url.removeprefix("http://").split(":")
    sock.connect((host, int(port)))
    sock.sendall(f"GET /v1/users/export HTTP/{version}\r\nHost: {host}\r\nAuthorization: Bearer {system.api_key}\r\n{headers}\r\n".encode())
    return sock


def read_all(sock):
    found = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return found
        found += part


def test_a_client_of_http_1_0_gets_the_file_and_the_end_of_the_connection(server_only):
    many_users(server_only, 1200)
    sock = open_stream(server_only, "1.0", "Connection: keep-alive\r\n")
    head, body = read_all(sock).split(b"\r\n\r\n", 1)
    assert b"Transfer-Encoding" not in head and b"Content-Length" not in head and b"Connection: close" in head
    assert body.count(b"\r\n") == 1202


def test_a_request_behind_a_stream_is_answered(server_only):
    many_users(server_only, 1200)
    sock = open_stream(server_only)
    sock.sendall("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    found = read_all(sock)
    assert found.count(b"HTTP/1.1 200 OK") == 2 and b"\r\n0\r\n\r\nHTTP/1.1 200" in found


def resident_kib(system):
    """Of all processes of the server."""
    return sum(int(line.split()[1]) for pid in system.server.children() for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon"))


def is_at_rest(system, pause=0):
    time.sleep(pause)
    return not system.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'rollcall%%' AND state = 'active'")


def test_a_slow_client_holds_up_no_memory_and_no_connection_to_the_database(server_only):
    """The next page is asked for when the one before is out."""
    server_only.restart_server(ROLLCALL_PROCESSES=1)
    many_users(server_only, 40000)
    before = resident_kib(server_only)
    sockets = [open_stream(server_only) for _ in range(20)]
    for sock in sockets:
        sock.recv(100)
    # Until what the kernel takes for them is full.
    wait_until(lambda: is_at_rest(server_only) and is_at_rest(server_only, pause=0.2), timeout=60)
    assert resident_kib(server_only) - before < 20 * 1024
    assert table(export(server_only.admin, email="many7@example.org"))
    assert read_all_of_chunks(sockets[0]).count(b"@example.org") == 40001
    for sock in sockets:
        sock.close()


def read_all_of_chunks(sock):
    found = b""
    while not found.endswith(b"\r\n0\r\n\r\n"):
        part = sock.recv(1 << 20)
        assert part
        found += part
    return found


def test_clients_that_go_in_the_middle_leave_nothing_behind(server_only):
    server_only.restart_server(ROLLCALL_PROCESSES=1)
    many_users(server_only, 20000)
    children = server_only.server.children()
    for number in range(80):  # more than there may be at once
        sock = open_stream(server_only)
        sock.recv(1 + number * 50)
        if number % 2:  # with a reset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    wait_until(lambda: export_is_possible(server_only), timeout=20)
    assert server_only.server.children() == children
    assert len(table(export(server_only.admin))) == 20001


def export_is_possible(system):
    return system.admin.get("/v1/users/export", email="nobody@example.org").status == 200


def test_so_many_streams_at_once_and_no_more(server_only):
    server_only.restart_server(ROLLCALL_PROCESSES=1)
    many_users(server_only, 20000)
    sockets = [open_stream(server_only) for _ in range(64)]
    for sock in sockets:
        assert sock.recv(12) == b"HTTP/1.1 200"
    answer = server_only.admin.get("/v1/users/export").refused(503, "unavailable")
    assert answer.headers["Retry-After"] and answer.headers["Content-Type"] == "application/problem+json"
    for sock in sockets:
        sock.close()
    wait_until(lambda: export_is_possible(server_only), timeout=20)


def test_a_stream_waits_while_the_database_is_busy(server_only):
    """With locks that others hold, and for longer than a statement may wait for one."""
    server_only.allow_errors("could not run query")
    many_users(server_only, 40000)
    sock = open_stream(server_only)
    half = sock.recv(100)
    gone = open_stream(server_only)
    gone.recv(100)
    with server_only.cluster.connect(server_only.database) as other, other.transaction():
        other.execute("LOCK TABLE rollcall.group_member")
        sock.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                half += sock.recv(1 << 20)
        gone.close()
    sock.settimeout(20)
    assert (half + read_all_of_chunks(sock)).count(b"@example.org") == 40001
    wait_until(lambda: server_only.metrics()["rollcall_requests_in_flight"] == 0)


def test_a_stream_that_cannot_go_on_breaks(server_only):
    """Nobody may take half a file for the whole."""
    server_only.allow_errors("could not", "answered .* status=500")
    many_users(server_only, 40000)
    sock = open_stream(server_only)
    sock.recv(100)
    server_only.sql("ALTER TABLE rollcall.group_member RENAME TO group_member_gone")
    with pytest.raises(ConnectionResetError):
        read_all(sock)
    server_only.sql("ALTER TABLE rollcall.group_member_gone RENAME TO group_member")
    assert server_only.admin.get("/v1/me").ok(200)


def test_a_server_that_stops_waits_some_seconds_for_a_stream_and_breaks_it(server_only):
    many_users(server_only, 40000)
    sock = open_stream(server_only)
    sock.recv(100)
    began = time.monotonic()
    assert server_only.server.stop() == 0
    assert time.monotonic() - began < 12
    with pytest.raises(ConnectionResetError):
        read_all(sock)


# --- exports of the worker, as far as the server goes

def make_ready(system, export_id, parts):
    for number, data in enumerate(parts):
        system.sql("INSERT INTO rollcall.file_part (org_id, file_id, number, bytes) VALUES (%s, %s, %s, %s)", system.org_id, export_id, number, data)
    system.sql("UPDATE rollcall.export SET state = 'ready', rows = 7 WHERE id = %s", export_id)


def test_an_export_is_asked_for_waits_and_is_fetched(standing):
    made = standing.admin.post("/v1/exports", {"format": "csv", "filter": {"status": "active", "incomplete": True, "q": None}}).ok(202)
    assert made["state"] == "queued" and made["format"] == "csv" and made["filter"] == {"status": "active", "incomplete": "true"}
    assert made.headers["Location"] == f"/v1/exports/{made['id']}" and made["expires_at"] > made["created_at"] and made["file_url"] is None
    assert standing.sql("SELECT kind FROM rollcall.job WHERE id = %s", made["id"]) == ["export"]
    assert standing.admin.get(f"/v1/exports/{made['id']}").ok(200).body == made.body
    standing.admin.get(f"/v1/exports/{made['id']}/file").refused(409, "state_conflict")
    parts = [b"x" * (1 << 20), b"y" * (1 << 20), "кінець".encode()]
    make_ready(standing, made["id"], parts)
    ready = standing.admin.get(f"/v1/exports/{made['id']}").ok(200)
    assert ready["state"] == "ready" and ready["rows"] == 7
    answer = standing.admin.get(ready["file_url"]).ok(200)
    assert answer.response.content == b"".join(parts)
    assert answer.headers["Content-Length"] == str(sum(map(len, parts))) and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    head = standing.admin.call("HEAD", ready["file_url"])
    assert head.status == 200 and head.headers["Content-Length"] == answer.headers["Content-Length"] and not head.text
    listed = standing.admin.pages("/v1/exports")
    assert listed[0] == ready.body
    assert standing.audit("export.created")[0]["changes"] == {"format": [None, "csv"], "filter": [None, ["incomplete", "status"]]}


def test_any_holder_of_the_permissions_may_fetch_what_another_made_and_nobody_else(standing):
    made = standing.admin.post("/v1/exports", {"format": "xlsx"}).ok(202)
    make_ready(standing, made["id"], [b"PK"])
    other = standing.client(standing.make_key("users:read", "imports:write"))
    answer = other.get(f"/v1/exports/{made['id']}/file").ok(200)
    assert answer.headers["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert answer.headers["Content-Disposition"].endswith(".xlsx")
    for words in (["users:read"], ["imports:write"]):
        client = standing.client(standing.make_key(*words))
        for path in ("", f"/{made['id']}", f"/{made['id']}/file"):
            client.get("/v1/exports" + path).refused(403, "permission_missing")
        client.post("/v1/exports", {"format": "csv"}).refused(403, "permission_missing")


def test_an_export_that_is_over_or_failed_has_no_file(standing):
    made = standing.admin.post("/v1/exports", {"format": "csv"}).ok(202)["id"]
    problem = {"code": "permission_missing", "detail": "No."}
    standing.sql("UPDATE rollcall.export SET state = 'failed', problem = %s WHERE id = %s", json.dumps(problem), made)
    assert standing.admin.get(f"/v1/exports/{made}").ok(200)["problem"] == problem
    standing.admin.get(f"/v1/exports/{made}/file").refused(409, "state_conflict")
    standing.sql("UPDATE rollcall.export SET expires_at = now() WHERE id = %s", made)
    standing.admin.get(f"/v1/exports/{made}").refused(404, "not_found")
    standing.admin.get(f"/v1/exports/{made}/file").refused(404, "not_found")
    assert made not in [one["id"] for one in standing.admin.pages("/v1/exports")]
    standing.admin.get(f"/v1/exports/{uuid.uuid4()}/file").refused(404, "not_found")


BODIES = {
    "nothing": ({}, {"/format": "required"}), "another format": ({"format": "pdf"}, {"/format": "invalid"}),
    "a filter that is none": ({"format": "csv", "filter": "active"}, {"/filter": "wrong_type"}),
    "all at once": ({"filter": {"status": "dead", "kind": 7, "limit": "5", "sort": "name", "role_id": "x", "at": "2026-01-01T00:00:00Z", "q": "x" * 101}},
                    {"/format": "required", "/filter/status": "invalid", "/filter/kind": "wrong_type", "/filter/limit": "unknown_field",
                     "/filter/sort": "unknown_field", "/filter/role_id": "unknown_id", "/filter/at": "invalid", "/filter/q": "too_long"}),
    "a long text": ({"format": "csv", "filter": {"email": "x" * 1001}}, {"/filter/email": "too_long"}),
    "unknown": ({"format": "csv", "filters": {}}, {"/filters": "unknown_field"}),
}


@pytest.mark.parametrize("name", BODIES)
def test_all_faults_of_a_body_are_said_at_once(standing, name):
    body, faults = BODIES[name]
    assert standing.admin.post("/v1/exports", body).refused(422, "invalid_body").faults() == faults


def test_only_so_many_wait_at_once(server_only):
    for _ in range(20):
        server_only.admin.post("/v1/exports", {"format": "csv"}).ok(202)
    answer = server_only.admin.post("/v1/exports", {"format": "csv"}).refused(429, "rate_limited")
    assert answer.headers["Retry-After"]
    assert server_only.value("SELECT count(*) FROM rollcall.job") == 20
