#!/usr/bin/python3
"""`make bench-list`: how long a page of GET /v1/users takes in an organization of a million.

Makes its own PostgreSQL with 1,000,000 users in one organization and 1,000 organizations of 1,000 beside it
(fill_list.sql; some minutes), starts the server with its defaults, and asks over HTTP for pages at random depths:
the cursor of a user whom it has drawn. Each row is one thing that the list is narrowed to, over all six orders;
what counts is the 95th percentile (DESIGN.md §10: 10 ms, 25 ms for a search). PostgreSQL has room for the whole of
it (shared_buffers), as it should where a million people are kept, and what is measured has been read once.
`--users N` makes a smaller one.
"""
import argparse
import base64
import http.client
import json
import pathlib
import random
import shutil
import statistics
import tempfile
import time
import urllib.parse

from machine import HERE, make_cluster, make_rollcall

SORTS = ["name", "-name", "status", "-status", "created_at", "-created_at"]
LETTERS = dict(zip(SORTS, "nNsScC", strict=True))
RANKS = {"status": {"pending": 3, "active": 0, "inactive": 1, "locked": 2}, "-status": {"pending": 0, "active": 3, "inactive": 2, "locked": 1}}
PAGES = 25  # of each order
SEARCHES = 200


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


class Bench:
    def __init__(self, rollcall):
        self.rollcall, self.random = rollcall, random.Random(1)
        self.connection = http.client.HTTPConnection("127.0.0.1", rollcall.port)

    def fill(self, users, organizations):
        started = time.monotonic()
        indexes = self.rollcall.sql("SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
                                    " WHERE indrelid = 'rollcall.users'::regclass AND NOT indisunique")
        for name, _ in indexes:  # made at the end, that takes a fraction of the time
            self.rollcall.db.execute(f"DROP INDEX {name}")
        for statement in (HERE / "fill_list.sql").read_text().split(";\n"):
            if statement.strip():
                values = {"org_id": self.rollcall.org_id, "users": users, "small": organizations}
                self.rollcall.db.execute(statement, values if "%" in statement else None)
        for _, definition in indexes:
            self.rollcall.db.execute(definition)
        self.rollcall.sql("VACUUM ANALYZE")
        print(f"{users:,} users and {organizations:,} organizations of 1,000 in {time.monotonic() - started:.0f} s\n")

    def page(self, **params):
        """Milliseconds, and the users."""
        path = "/v1/users?" + urllib.parse.urlencode(params)
        started = time.perf_counter()
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.rollcall.api_key}"})
        answer = self.connection.getresponse()
        body = answer.read()
        took_ms = (time.perf_counter() - started) * 1e3
        assert answer.status == 200, (path, body)
        return took_ms, json.loads(body)["items"]

    def cursor(self, sort, condition):
        """Behind somebody whom the list holds, at a random place of it."""
        pivot = f"{self.random.getrandbits(32):08x}-0000-0000-0000-000000000000"
        rows = []
        for beyond in ("md5(u.id::text)::uuid > %s", "md5(u.id::text)::uuid <= %s"):
            rows = rows or self.rollcall.sql(f"SELECT u.id, u.sort_name, u.status FROM rollcall.users u TABLESAMPLE SYSTEM (2)"
                                             f" WHERE u.org_id = %s AND {condition} AND {beyond} LIMIT 1", self.rollcall.org_id, pivot)
        rows = rows or self.rollcall.sql(f"SELECT u.id, u.sort_name, u.status FROM rollcall.users u WHERE u.org_id = %s AND {condition}"
                                         " ORDER BY md5(u.id::text) LIMIT 1", self.rollcall.org_id)
        identity, name, status = rows[0]
        key = "" if "created" in sort else f"{RANKS.get(sort, {}).get(status, 0)}{name}"
        return base64.urlsafe_b64encode(f"{LETTERS[sort]}{identity}{key}".encode()).rstrip(b"=").decode()

    def line(self, what, took_ms, wanted_ms):
        print(f"{what:44}{len(took_ms):7}{statistics.median(took_ms):10.1f}{percentile(took_ms, 0.95):10.1f}{max(took_ms):10.1f}{wanted_ms:10}"
              f"{percentile(took_ms, 0.95) / wanted_ms:9.2f}", flush=True)

    def lists(self):
        def sized(column, place):
            return str(self.rollcall.value(f"SELECT {column} FROM rollcall.users WHERE org_id = %s AND {column} IS NOT NULL GROUP BY 1"
                                           f" ORDER BY count(*) {place} LIMIT 1", self.rollcall.org_id))
        narrowed = [({}, "true")]
        narrowed += [({"status": status}, f"u.status = '{status}'") for status in ("active", "pending", "inactive", "locked")]
        narrowed += [({"kind": kind}, f"u.kind = '{kind}'") for kind in ("employee", "external")]
        narrowed += [({column: value}, f"u.{column} = '{value}'") for column in ("role_id", "department_id")
                     for value in (sized(column, "DESC"), sized(column, "ASC"))]
        rare = sized("department_id", "ASC")
        narrowed += [({"status": "inactive", "kind": "external"}, "u.status = 'inactive' AND u.kind = 'external'"),
                     ({"status": "active,inactive", "department_id": rare}, f"u.status IN ('active', 'inactive') AND u.department_id = '{rare}'")]
        everything = []
        for params, condition in narrowed:
            took = [self.page(sort=sort, cursor=self.cursor(sort, condition), **params)[0] for sort in SORTS for _ in range(PAGES)]
            count = self.rollcall.value(f"SELECT count(*) FROM rollcall.users u WHERE u.org_id = %s AND {condition}", self.rollcall.org_id)
            label = ", ".join(f"{name}={value[:15]}" for name, value in params.items()) or "everybody"
            self.line(f"{label} ({count:,})", took, 10)
            everything += took
        self.line("all of them", everything, 10)

    def fragments(self):
        rows = self.rollcall.sql("SELECT u.first_name, u.last_name, u.email, u.username, u.phone, u.external_id FROM rollcall.users u TABLESAMPLE SYSTEM (0.2)"
                                 " WHERE u.org_id = %s LIMIT 2000", self.rollcall.org_id)
        for row in self.random.sample(rows, min(SEARCHES, len(rows))):
            text = self.random.choice([text for text in row if text and len(text) >= 3])
            length = self.random.randint(3, min(len(text), 12))
            start = self.random.randint(0, len(text) - length)
            yield text[start:start + length]

    def searches(self):
        fragments = list(self.fragments())
        for fragment in fragments:  # into memory
            self.page(q=fragment, sort="name")
        for sort in ("name", "-created_at", "status"):
            took = []
            for fragment in fragments:
                took_ms, found = self.page(q=fragment, sort=sort)
                assert found, fragment
                took.append(took_ms)
            self.line(f"search of 3 to 12 characters, by {sort}", took, 25)

    def run(self):
        print(f"{'':44}{'pages':>7}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}{'wanted':>10}{'ratio':>9}")
        for _ in range(50):
            self.page()
        self.lists()
        self.searches()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--organizations", type=int, default=1_000)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    cluster = None
    try:
        cluster = make_cluster(shared_buffers="2GB")
        with make_rollcall(cluster, folder) as rollcall:
            bench = Bench(rollcall)
            bench.fill(arguments.users, arguments.organizations)
            bench.run()
    finally:
        if cluster:
            cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
