#!/usr/bin/python3
"""`make bench-import`: 100,000 people from a CSV and from a workbook: dry run, apply, and what the rest of the server feels of it.

Makes its own PostgreSQL, starts server and worker with their defaults, uploads the file in parts, and says how long
each stage took (DESIGN.md §10: 20 s for a CSV, its dry run and its applying each; 60 s for a workbook), the most
memory that the process which parses had (64 MiB), and the p99 of GET /v1/users/{id} while it goes on beside that of
an idle server (3 times as long). `--rows N` makes smaller files; `--invite` has invitations made (and not sent: no
relay listens).
"""
import argparse
import csv
import io
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import zipfile

from machine import CORES, Generator, compile_tools, make_cluster, make_rollcall, request, write_requests

HEADERS = ["E-mail", "First name", "Last name", "Phone", "External id", "Department", "Position"]
MIB = 1024 * 1024
CLIENTS, READS_A_SECOND, IDLE_SECONDS, AS_LONG_AS_IT_TAKES = 4, 200, 10, 3600


def people(count, salt):
    for n in range(count):
        yield [f"person{n}@{salt}.example.org", f"Олена{n % 977}", f"Шевченко{n}", f"+38050{n:07d}", f"{salt}-{n}", "", f"Position {n % 40}"]


def as_csv(count, salt):
    out = io.StringIO()
    csv.writer(out).writerows([HEADERS, *people(count, salt)])
    return out.getvalue().encode()


def as_workbook(count, salt):
    """The plainest that a spreadsheet opens: texts inline."""
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    rows = (f'<row r="{at}">{"".join(map(cell, row))}</row>' for at, row in enumerate([HEADERS, *people(count, salt)], 1))
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
            '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
            'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
            'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>' + "".join(rows)
            + "</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return out.getvalue()


class Reader:
    """Clients that read a user, so many times a second whatever the answers take, in a process of their own."""

    def __init__(self, rollcall, folder):
        self.generator, self.running, self.idle_ms = Generator(rollcall, folder), None, []
        self.requests = write_requests(folder / "read", [request("GET", f"/v1/users/{rollcall.admin_id}", rollcall.api_key)])

    def start(self):
        self.running = self.generator.start(self.requests, CLIENTS, AS_LONG_AS_IT_TAKES, rate=READS_A_SECOND)

    def p99_ms(self):
        self.running.terminate()
        said = self.generator.finish(self.running)
        assert list(said["statuses"]) == ["200"], said
        return said["p99_us"] / 1000

    def look_at_idle(self):
        self.start()
        time.sleep(IDLE_SECONDS)
        self.idle_ms.append(self.p99_ms())

    def idle_around(self):
        """The quieter of before and behind a stage: the machine itself is not always as fast."""
        return min(self.idle_ms[-2:])


class Memory(threading.Thread):
    """The most that any process which parses has had, in MiB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.goes_on = 0, True

    def run(self):
        while self.goes_on:
            for status in pathlib.Path("/proc").glob("[0-9]*/status"):
                try:
                    command = (status.parent / "cmdline").read_bytes()
                    if command.startswith(b"rollcall-parser"):
                        peak = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
                        self.most = max(self.most, int(peak[0].split()[1]) / 1024) if peak else self.most
                except (FileNotFoundError, ProcessLookupError, IndexError):
                    continue
            time.sleep(0.02)


def stage(client, reader, import_id, name, begin):
    """Runs one stage of the import, and says what it took."""
    reader.start()
    started = time.monotonic()
    begin().ok(202)
    while (made := client.get(f"/v1/imports/{import_id}").ok(200).body)["state"] in ("parsing", "applying", "undoing"):
        time.sleep(0.05)
    took = time.monotonic() - started
    p99_ms = reader.p99_ms()
    reader.look_at_idle()
    print(f"  {name:<8} {took:6.1f} s   {made['counts']['rows'] / took:8.0f} rows/s   reads p99 {p99_ms:5.2f} ms, "
          f"{p99_ms / reader.idle_around():4.1f} × idle   {made['state']}", flush=True)
    return made


def measure(rollcall, reader, label, data, invite):
    client = rollcall.client(rollcall.api_key)
    made = client.post("/v1/imports", {"file_name": label, "size": len(data)}).ok(202)["id"]
    for number, start in enumerate(range(0, len(data), MIB)):
        client.call("PUT", f"/v1/imports/{made}/parts/{number}", data=data[start:start + MIB], headers={"Content-Type": "application/octet-stream"}).ok(204)
    print(f"{label}, {len(data) / MIB:.1f} MiB")
    memory = Memory()
    memory.start()
    report = stage(client, reader, made, "dry run", lambda: client.post(f"/v1/imports/{made}/parse", {}))
    memory.goes_on = False
    print(f"  parser   {memory.most:6.1f} MiB")
    assert report["state"] == "ready", report
    print(f"  {json.dumps(report['counts'])}")
    stage(client, reader, made, "apply", lambda: client.post(f"/v1/imports/{made}/apply", {"invite": invite}))
    stage(client, reader, made, "undo", lambda: client.post(f"/v1/imports/{made}/undo"))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--invite", action="store_true")
    wishes = options.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    compile_tools(folder)
    cluster = make_cluster()
    try:
        rollcall = make_rollcall(cluster, folder)
        rollcall.with_worker = True
        with rollcall:
            if not rollcall.worker.is_running():
                rollcall.worker.start()
            reader = Reader(rollcall, folder)
            reader.look_at_idle()  # the first fills caches
            reader.look_at_idle()
            print(f"{wishes.rows:,} rows, {CORES} cores; {READS_A_SECOND} reads of a user a second on the idle server: p99 {reader.idle_ms[-1]:.2f} ms")
            measure(rollcall, reader, "people.csv", as_csv(wishes.rows, "csv"), wishes.invite)
            measure(rollcall, reader, "people.xlsx", as_workbook(wishes.rows, "book"), wishes.invite)
    finally:
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
