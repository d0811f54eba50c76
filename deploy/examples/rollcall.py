#!/usr/bin/python3
"""The commonest tasks in Python, with its standard library alone. What is asked for comes on stdout as JSON.

    export ROLLCALL_URL=http://127.0.0.1:8080 ROLLCALL_TOKEN=...   (a session's token or an API key)

    rollcall.py sign-in ORGANIZATION LOGIN < PASSWORD   prints a token
    rollcall.py create EMAIL FIRST_NAME LAST_NAME       makes a user, who gets an invitation
    rollcall.py list [STATUS]                           all of them, page by page
    rollcall.py search TEXT
    rollcall.py edit ID JSON                            {"phone": "+380441234567"}
    rollcall.py inactivate ID [REASON]
    rollcall.py activate ID
    rollcall.py why EMAIL                               what became of the mails to somebody
    rollcall.py bulk OPERATIONS.json                    [{"op": "inactivate", "id": ...}, ...]
    rollcall.py import FILE                             CSV or XLSX, up to 1 MiB
    rollcall.py export FILE.csv|FILE.xlsx
"""
import http.client
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

TRIES = 5
PATIENCE_S = 60
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Problem(Exception):
    """What the server would not do, and why (RFC 9457): decide by `code`."""

    def __init__(self, status, told, request_id=None):
        self.status, self.code, self.policy, self.errors = status, told.get("code"), told.get("policy"), told.get("errors", [])
        lines = [f"{self.code}: {told.get('title')}. {told.get('detail')}"]
        if self.policy:
            lines.append(f"  refused by the policy {self.policy}")
        lines += [f"  {fault.get('pointer', fault.get('parameter'))}: {fault['code']}: {fault['detail']}" for fault in self.errors]
        super().__init__("\n".join(lines + [f"  request {request_id}"] if request_id else lines))


class Rollcall:
    def __init__(self, url, token=None):
        self.url, self.token = url.rstrip("/"), token

    # -- requests

    def call(self, method, path, body=None, query=None, headers=None):
        """(headers, body as bytes) of the answer; raises Problem, or ConnectionError. Waits and tries again where the server
        asks for it, and where no answer came."""
        query = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        # The same key goes with each try, so that what was done is not done twice.
        headers = {"Idempotency-Key": str(uuid.uuid4()), **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        for attempt in range(1, TRIES + 1):
            request = urllib.request.Request(url, data=body, headers=headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    return answer.headers, answer.read()
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503) or attempt == TRIES:
                    raise self.problem_of(error) from None
                time.sleep(int(error.headers.get("Retry-After", 1)))
            except (OSError, http.client.HTTPException) as error:
                if attempt == TRIES:
                    raise ConnectionError(f"no answer: {error}") from None
                time.sleep(2 ** (attempt - 1))

    @staticmethod
    def problem_of(error):
        is_problem = error.headers.get_content_type() == "application/problem+json"
        told = json.load(error) if is_problem else {"code": "no_problem", "title": f"Status {error.code}", "detail": error.reason}
        return Problem(error.code, told, error.headers.get("X-Request-Id"))

    def get(self, path, **query):
        return json.loads(self.call("GET", path, query=query)[1])

    def send(self, method, path, body=None, **headers):
        return json.loads(self.call(method, path, json.dumps(body or {}).encode(), headers={"Content-Type": "application/json", **headers})[1])

    def every(self, path, **query):
        """The items of a list, over all its pages."""
        cursor = None
        while True:
            page = self.get(path, limit=200, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def wait_for(self, path, state):
        """Asks until it is in this state; raises Problem when it fails."""
        while (told := self.get(path))["state"] != state:
            if told["state"] == "failed":
                raise Problem(None, {"title": "It failed", **told["problem"]})
            time.sleep(1)
        return told

    # -- tasks

    def sign_in(self, organization, login, password):
        session = self.send("POST", "/v1/sessions", {"organization": organization, "login": login, "password": password})
        self.token = session["token"]
        return session

    def create(self, email, first_name, last_name, **more):
        return self.send("POST", "/v1/users", {"email": email, "first_name": first_name, "last_name": last_name, **more})

    def edit(self, user_id, change):
        """Only if nobody changed him since he was read: otherwise version_mismatch, and one reads again."""
        tag = self.call("GET", f"/v1/users/{user_id}")[0]["ETag"]
        return self.send("PATCH", f"/v1/users/{user_id}", change, **{"If-Match": tag})

    def inactivate(self, user_id, reason=None):
        return self.send("POST", f"/v1/users/{user_id}/inactivate", {"reason": reason})

    def activate(self, user_id):
        return self.send("POST", f"/v1/users/{user_id}/activate")

    def mails_to(self, email):
        """What became of the mails to somebody, newest first: `last_reply` is what the mail server said."""
        users = self.get("/v1/users", email=email)["items"]
        if not users:
            raise Problem(404, {"code": "not_found", "title": "There is no such user", "detail": f"Nobody has the address {email}."})
        return self.every("/v1/outbox", user_id=users[0]["id"])

    def bulk(self, operations, atomic=False):
        return self.send("POST", "/v1/users/bulk", {"operations": operations, "atomic": atomic})

    def upload(self, file):
        """A dry run: (the import, its rows that are wrong). Nothing is changed yet."""
        kind = XLSX if file.suffix == ".xlsx" else "text/csv"
        _, answer = self.call("POST", "/v1/imports", file.read_bytes(), {"file_name": file.name}, {"Content-Type": kind})
        path = f"/v1/imports/{json.loads(answer)['id']}"
        return self.wait_for(path, "ready"), list(self.every(path + "/rows", outcome="error"))

    def apply(self, import_id):
        """In earnest: rows that are wrong are left out."""
        self.send("POST", f"/v1/imports/{import_id}/apply")
        return self.wait_for(f"/v1/imports/{import_id}", "applied")

    def export(self, kind, **filter_):
        made = self.send("POST", "/v1/exports", {"format": kind, "filter": filter_})
        self.wait_for(f"/v1/exports/{made['id']}", "ready")
        return self.call("GET", f"/v1/exports/{made['id']}/file")[1]


def say(told):
    print(json.dumps(told, ensure_ascii=False))


# -- the command line: each task prints what it is asked for, and gives its exit code when that is not 0

def sign_in(rollcall, organization, login):
    print(rollcall.sign_in(organization, login, sys.stdin.readline().rstrip("\n"))["token"])


def list_users(rollcall, status=None):
    for user in rollcall.every("/v1/users", status=status):
        say(user)


def search(rollcall, text):
    for user in rollcall.every("/v1/users", q=text):
        say(user)


def why(rollcall, email):
    for mail in rollcall.mails_to(email):
        say({name: mail[name] for name in ("kind", "state", "last_reply", "attempts", "next_attempt_at", "sent_at")})


def bulk(rollcall, file):
    """1 when one of the operations failed; the others are done."""
    outcome = rollcall.bulk(json.loads(pathlib.Path(file).read_text(encoding="utf-8")))
    say(outcome)
    return 1 if outcome["failed"] else 0


def import_file(rollcall, file):
    found, wrong = rollcall.upload(pathlib.Path(file))
    for row in wrong:
        for error in row["errors"]:
            print(f"row {row['row']}: {error['column']}: {error['detail']}", file=sys.stderr)
    say(rollcall.apply(found["id"])["counts"])


def export_file(rollcall, file):
    file = pathlib.Path(file)
    file.write_bytes(rollcall.export(file.suffix[1:]))


# Of each, how few and how many words it takes.
TASKS = {
    "sign-in": (sign_in, 2, 2), "list": (list_users, 0, 1), "search": (search, 1, 1), "why": (why, 1, 1), "bulk": (bulk, 1, 1),
    "import": (import_file, 1, 1), "export": (export_file, 1, 1),
    "create": (lambda rollcall, *words: say(rollcall.create(*words)), 3, 3),
    "edit": (lambda rollcall, user_id, change: say(rollcall.edit(user_id, json.loads(change))), 2, 2),
    "inactivate": (lambda rollcall, *words: say(rollcall.inactivate(*words)), 1, 2),
    "activate": (lambda rollcall, user_id: say(rollcall.activate(user_id)), 1, 1),
}


def main(task=None, *words):
    function, least, most = TASKS.get(task, (None, 0, 0))
    if function is None or not least <= len(words) <= most:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return function(Rollcall(os.environ.get("ROLLCALL_URL", "http://127.0.0.1:8080"), os.environ.get("ROLLCALL_TOKEN")), *words)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except ConnectionError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
