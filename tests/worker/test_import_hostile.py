"""Hostile and broken files through the whole system: uploaded, read by the worker, and refused in words that say what to do.

The parser by itself is tried in test_parser.py; here it is whether everything around it stays as it was.
"""
import contextlib
import os
import pathlib
import random
import signal
import threading
import time

import pytest
from support.imports import apply, csv_of, dry_run, ended, faults, outcomes, rows
from support.system import build_folder
from support.waiting import wait_until
from workbook import CELL, EXTERNAL, LAUGHS, MIB, bomb, flagged, forged_size, pack, parts, sheet, strings, workbook

HEADERS = ["email", "first_name", "last_name"]
PERSON = ["olena@example.org", "Олена", "Шевченко"]
PARSER_BYTES = 256 * MIB
# Of a job child: a file of 32 MiB, and as much for pages of rows and what libpq has of them.
JOB_BYTES = 64 * MIB


def book_rows(*table):
    return "".join("<row>" + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in cells) + "</row>" for cells in table)


# Headers and a person that are right: what is wrong comes behind them.
BEGIN = book_rows(HEADERS, PERSON)
RIGHT = csv_of(HEADERS, PERSON)
BOOK = workbook(BEGIN)
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def old_workbook(stream):
    """A file of the kind before .xlsx, which is also what Excel wraps a workbook with a password in."""
    return OLD + bytes(504) + stream.encode("utf-16-le") + bytes(4096)


# Name: the file, the code, and what its owner is told to do.
FILES = {
    "a zip bomb": (lambda: bomb(BEGIN), "inflates", "copy the table into a new workbook, or split it"),
    "a zip bomb that lies about its size": (
        lambda: forged_size(bomb(BEGIN), "xl/worksheets/sheet1.xml", 100), "inflates", "copy the table into a new workbook, or split it"),
    "a nested zip": (lambda: pack({"people.xlsx": BOOK}), "archive_nested", "unpack it, and upload the workbook itself"),
    "a nested zip as the sheet": (lambda: workbook(sheet=BOOK), "archive_nested", "unpack it, and upload the workbook itself"),
    "1,000,000 columns": (lambda: RIGHT + b"," * (MIB - len(RIGHT) - 1) + b"\n", "too_many_columns", "leave those in that are about users"),
    "1,000,000 columns of a workbook": (
        lambda: workbook(BEGIN + '<row r="3"><c r="BDWGN3"><v>1</v></c></row>'), "too_many_columns", "leave those in that are about users"),
    "a cell that inflates to 100 MiB": (lambda: workbook(BEGIN + CELL.format("x" * 100 * MIB)), "cell_too_long", "shorten it"),
    "a shared text that inflates to 100 MiB": (
        lambda: workbook(BEGIN + '<row><c t="s"><v>0</v></c></row>', strings=strings("x" * 100 * MIB)), "cell_too_long", "shorten it"),
    "a cell of 4 MiB": (lambda: RIGHT + b'"' + b"x\n" * 2 * MIB + b'",a,b\n', "cell_too_long", "a quotation mark may be missing"),
    "external entities": (
        lambda: workbook(sheet=sheet(BEGIN + CELL.format("&a;"), EXTERNAL)), "doctype", "which no workbook needs: save it anew"),
    "a billion laughs": (lambda: workbook(sheet=sheet(BEGIN + CELL.format("&j;"), LAUGHS)), "doctype", "which no workbook needs: save it anew"),
    "a path outside the archive": (
        lambda: pack({**parts(BEGIN), "../../etc/cron.d/x": "x"}), "archive_path", "copy the table into a new workbook"),
    "a truncated archive": (lambda: BOOK[:-100], "archive_broken", "upload it again, or save it anew"),
    "half an archive": (lambda: BOOK[:len(BOOK) // 2], "archive_broken", "upload it again, or save it anew"),
    "binary noise": (lambda: random.Random(4).randbytes(3 * MIB), "binary", "save the table as one of them"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000), "binary", "save the table as one of them"),
    "CSV with NUL": (lambda: RIGHT + b"ivan@example.org,\x00Ivan,Franko\n", "nul", "save the table anew"),
    "unbalanced quotes": (lambda: RIGHT + b'ivan@example.org,"Ivan,Franko\n' + RIGHT, "quote_unclosed", "close it behind the cell"),
    "10 MiB without a line end": (lambda: b"x" * 10 * MIB, "no_line_end", "each user into a line of his own"),
    "an old .xls": (lambda: old_workbook("Workbook"), "old_workbook", "save it as .xlsx without a password"),
    "an encrypted workbook": (lambda: old_workbook("EncryptedPackage"), "old_workbook", "save it as .xlsx without a password"),
    "an encrypted archive": (lambda: flagged(BOOK, 1), "encrypted", "save it without a password"),
    "nothing but line ends": (lambda: b"\r\n" * 1000, "empty", "the first names the columns, and each one below it is a user"),
    "a header alone": (lambda: csv_of(HEADERS), "empty", "each row below the first is a user"),
    "the header of a workbook alone": (lambda: workbook(book_rows(HEADERS)), "empty", "of a workbook the first sheet is read"),
    "no headers": (lambda: csv_of(PERSON), "headers_unknown", "Say with mapping which column"),
}


def status_of(pid):
    """{field: value} of /proc; empty when it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {}


def kib(status, field):
    return int(status.get(field, "0 kB").split()[0])


def children(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_parser(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"rollcall-parser")
    return False


class Watch:
    """The children of a worker, and the readers that they start in turn, looked at all the time."""

    def __init__(self, worker):
        self.workers_children = worker.children()
        self.parsers, self.parser_kib = set(), 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.stopped.is_set():
            for pid in [pid for child in self.workers_children for pid in children(child) if is_parser(pid)]:
                self.parsers.add(pid)
                self.parser_kib = max(self.parser_kib, kib(status_of(pid), "VmHWM"))
            time.sleep(0.003)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def greatest_child_kib(self):
        """Of the worker's own children, since they began."""
        return max(kib(status_of(pid), "VmHWM") for pid in self.workers_children)


def all_that_an_import_might_change(system):
    """When somebody was last seen aside: who asks is seen."""
    return system.sql("SELECT (SELECT jsonb_agg(to_jsonb(u) - '{last_active_at,idle_due_at,idle_check_at}'::text[] ORDER BY id) FROM rollcall.users u),"
                      " (SELECT count(*) FROM rollcall.outbox), (SELECT count(*) FROM rollcall.invitation), (SELECT count(*) FROM rollcall.audit WHERE action NOT LIKE 'import.%%')")


@pytest.fixture(scope="module")
def job_child(shared_rollcall):
    """The worker's children: before the first file, and the same behind the last."""
    # Clock, two senders, jobs, metrics: the last of them may start a little later.
    wait_until(lambda: len(shared_rollcall.worker.children()) == 5)
    return shared_rollcall.worker.children()


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_words_that_help_and_nothing_else_comes_of_it(shared_rollcall, job_child, name):
    make, code, advice = FILES[name]
    data, before = make(), all_that_an_import_might_change(shared_rollcall)
    with Watch(shared_rollcall.worker) as watch:
        made = dry_run(shared_rollcall.admin, data)
    assert (made["state"], made["problem"]["code"]) == ("failed", code), made
    assert set(made["problem"]) == {"code", "detail"} and advice in made["problem"]["detail"]
    assert shared_rollcall.worker.children() == job_child, "no child of the worker died of it"
    assert [pid for pid in watch.parsers if status_of(pid)] == [], "no reader outlives its file"
    assert watch.parsers or "bomb" not in name, "what takes its time is seen"
    # Under the sanitizers memory means something else.
    if build_folder().name != "debug":
        assert watch.parser_kib <= PARSER_BYTES // 1024
        assert watch.greatest_child_kib() <= JOB_BYTES // 1024
    shared_rollcall.anyone.get("/readyz").ok(200)
    assert all_that_an_import_might_change(shared_rollcall) == before
    shared_rollcall.admin.post(f"/v1/imports/{made['id']}/apply", {}).refused(409, "state_conflict")


def test_after_all_of_them_a_right_file_is_imported(shared_rollcall, job_child):
    made = apply(shared_rollcall.admin, dry_run(shared_rollcall.admin, csv_of(HEADERS, ["right@example.org", "Right", "File"])))
    assert (made["state"], made["counts"]["applied"]) == ("applied", 1)
    assert shared_rollcall.worker.children() == job_child


def test_a_file_of_100_mib_is_refused_when_it_is_announced(shared_rollcall):
    answer = shared_rollcall.admin.post("/v1/imports", {"file_name": "people.csv", "size": 100 * MIB}).refused(422, "invalid_body")
    assert answer.faults() == {"/size": "too_long"} and "split" in answer["errors"][0]["detail"]
    shared_rollcall.admin.call("POST", "/v1/imports", data=b"", headers={"Content-Type": "text/csv"}).refused(422, "invalid_body")


@pytest.mark.parametrize("data, name, format", [(RIGHT, "people.xlsx", "csv"), (BOOK, "people.csv", "xlsx"), (RIGHT, "people.pdf", "csv")])
def test_a_wrong_extension_does_not_matter(shared_rollcall, data, name, format):
    made = dry_run(shared_rollcall.admin, data, file_name=name)
    assert (made["state"], made["file_name"], made["format"]) == ("ready", name, format), made
    assert outcomes(shared_rollcall.admin, made) == {2: "create"}


def test_parts_that_are_not_what_was_announced_are_refused_until_they_are(shared_rollcall):
    admin, people = shared_rollcall.admin, csv_of(HEADERS, *([f"part{n}@example.org", "Part", "x" * 90] for n in range(9000)))
    assert MIB < len(people) < 2 * MIB
    made = admin.post("/v1/imports", {"file_name": "people.csv", "content_type": "application/vnd.ms-excel", "size": len(people)}).ok(202).body

    def put(number, data):
        return admin.call("PUT", f"/v1/imports/{made['id']}/parts/{number}", data=data, headers={"Content-Type": "application/octet-stream"})

    assert f"has {MIB} bytes, not 9" in put(0, b"too short").refused(422, "invalid_body")["detail"]
    assert "bytes, not" in put(1, people[MIB:] + b"more").refused(422, "invalid_body")["detail"]
    assert "from 0 to 1" in put(2, b"a third").refused(404, "not_found")["detail"]
    assert "missing: 0, 1" in admin.post(f"/v1/imports/{made['id']}/parse", {}).refused(409, "state_conflict")["detail"]
    put(0, people[:MIB]).ok(204)
    # Of the announced length, and noise: taken, read, and told.
    put(1, random.Random(5).randbytes(len(people) - MIB)).ok(204)
    admin.post(f"/v1/imports/{made['id']}/parse", {}).ok(202)
    noise = ended(admin, made["id"])
    assert (noise["state"], noise["problem"]["code"]) == ("failed", "bad_text") and "save the file as UTF-8" in noise["problem"]["detail"]
    put(1, people[MIB:]).refused(409, "state_conflict")


FORMULAS = (
    book_rows(HEADERS)
    # With its value; with another than it would have; without; an error; a text that only looks like one.
    + '<row><c t="str"><f>LOWER("IVAN@EXAMPLE.ORG")</f><v>ivan.formula@example.org</v></c><c t="str"><f>1+1</f><v>Ivan</v></c><c><f>1+1</f><v>3</v></c></row>'
    + '<row><c t="str"><f>A2</f><v>no.value@example.org</v></c><c><f>HYPERLINK("http://127.0.0.1/x")</f></c><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
    + book_rows(["looks@example.org", "=1+1", "@SUM(A1)"]))


def test_of_a_formula_its_value_is_taken_and_none_is_evaluated(shared_rollcall):
    made = dry_run(shared_rollcall.admin, workbook(FORMULAS))
    assert made["state"] == "ready"
    assert outcomes(shared_rollcall.admin, made) == {2: "create", 3: "error", 4: "create"}
    assert faults(shared_rollcall.admin, made) == [(3, "first_name", "invalid"), (3, "last_name", "invalid")]
    told = [error["detail"] for row in rows(shared_rollcall.admin, made, outcome="error") for error in row["errors"]]
    assert "formulas are never evaluated" in told[0] and "has an error" in told[1]
    assert apply(shared_rollcall.admin, made)["counts"]["applied"] == 2
    names = {user["email"]: (user["first_name"], user["last_name"]) for user in shared_rollcall.admin.pages("/v1/users")}
    assert names["ivan.formula@example.org"] == ("Ivan", "3") and names["looks@example.org"] == ("=1+1", "@SUM(A1)")
    assert "no.value@example.org" not in names


def test_a_reader_that_is_silent_for_long_keeps_its_job(rollcall):
    """The lease ended before the reader's deadline: others read the file again and again, and nobody's verdict was heard."""
    data = csv_of(["E-mail", "First name", "Last name"], *[[f"p{n}@people.example", "A", "B"] for n in range(20000)])
    made = rollcall.admin.post("/v1/imports", {"file_name": "people.csv", "size": len(data)}).ok(202)["id"]
    rollcall.admin.call("PUT", f"/v1/imports/{made}/parts/0", data=data, headers={"Content-Type": "application/octet-stream"}).ok(204)
    with rollcall.cluster.connect(rollcall.database) as other:
        other.autocommit = False
        other.execute("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome) VALUES (%s, %s, 1500, '{}', 'error')", [rollcall.org_id, made])
        rollcall.admin.post(f"/v1/imports/{made}/parse", {}).ok(202)
        (reader,) = wait_until(lambda: [pid for child in rollcall.worker.children() for pid in children(child) if is_parser(pid)])
        wait_until(lambda: rollcall.value("SELECT rows FROM rollcall.import") == 1000)
        os.kill(reader, signal.SIGSTOP)
        other.rollback()
    wait_until(lambda: rollcall.value("SELECT j.run_at - interval '1 minute' > i.updated_at + interval '5 seconds' FROM rollcall.job j JOIN rollcall.import i ON i.id = j.id"),
               30, because="the lease is prolonged long after the last row")
    os.kill(reader, signal.SIGCONT)
    ready = ended(rollcall.admin, made)
    assert (ready["state"], ready["counts"]["create"]) == ("ready", 20000), ready
