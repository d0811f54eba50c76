"""deploy/examples: each task of both clients does what it says, against a running system; and what a client has to bear."""
import csv
import json
import os
import subprocess

import openpyxl
import pytest

from support.contract import ROOT
from support.outbox import wait_state
from support.cluster import free_port
from support.system import ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD, numbers
from support.wire import Wire

EXAMPLES = ROOT / "deploy" / "examples"
CLIENTS = ("rollcall.sh", "rollcall.py")
both = pytest.mark.parametrize("client", CLIENTS)


def run(system, client, *words, stdin="", token=None, url=None):
    """A task: the finished process."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "ROLLCALL_URL": url or system.url,
                   "ROLLCALL_TOKEN": system.api_key if token is None else token}
    return subprocess.run([EXAMPLES / client, *map(str, words)], env=environment, input=stdin, capture_output=True, text=True, check=False, timeout=100)


def told(done):
    """What a task that went well has printed: JSON, a value a line."""
    assert done.returncode == 0 and not done.stderr, (done.args, done.returncode, done.stdout, done.stderr)
    decoder, text, values = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


def address(word="someone"):
    return f"{word}{next(numbers)}@examples.example"


@both
def test_one_signs_in_and_is_somebody(shared_rollcall, client):
    done = run(shared_rollcall, client, "sign-in", "acme", ADMIN_EMAIL, stdin=ADMIN_PASSWORD + "\n", token="")
    assert done.returncode == 0, done.stderr
    assert shared_rollcall.client(done.stdout.strip()).get("/v1/me").ok(200)["email"] == ADMIN_EMAIL


@both
def test_a_user_is_made_invited_changed_put_out_and_brought_back(shared_rollcall, client):
    email = address()
    [user] = told(run(shared_rollcall, client, "create", email, "Олена", 'Ко"ва$(ль)'))
    assert (user["email"], user["first_name"], user["last_name"], user["status"]) == (email, "Олена", 'Ко"ва$(ль)', "pending")
    shared_rollcall.accept(shared_rollcall.mail_link(email), PASSWORD).ok(200)
    [edited] = told(run(shared_rollcall, client, "edit", user["id"], '{"phone": "+380441234567"}'))
    assert edited["phone"] == "+380441234567" and edited["version"] > user["version"]
    [out] = told(run(shared_rollcall, client, "inactivate", user["id"], "Left the company."))
    assert out["status"] == "inactive"
    [back] = told(run(shared_rollcall, client, "activate", user["id"]))
    assert back["status"] == "active"
    [out] = told(run(shared_rollcall, client, "inactivate", user["id"]))
    assert out["status_reason"] == "by_admin"


@both
def test_lists_go_on_over_their_pages_and_searches_find(shared_rollcall, client):
    word = f"zlata{next(numbers)}"
    shared_rollcall.admin.post("/v1/users/bulk", {"operations": [
        {"op": "create", "email": address(word), "first_name": "Злата", "last_name": f"Page {number}", "invite": True} for number in range(205)]}).ok(200)
    listed = told(run(shared_rollcall, client, "list", "pending"))
    assert [user["id"] for user in listed] == [user["id"] for user in shared_rollcall.admin.pages("/v1/users", limit=200, status="pending")]
    assert len(listed) > 200
    assert len(told(run(shared_rollcall, client, "search", word))) == 205
    assert not told(run(shared_rollcall, client, "search", "nobody & nothing = 1%"))


@both
def test_it_is_seen_why_a_mail_did_not_arrive(shared_rollcall, client):
    email = address("refused")
    shared_rollcall.sink.behave(email, "550 5.1.1 no such mailbox")
    told(run(shared_rollcall, client, "create", email, "Nobody", "Home"))
    wait_state(shared_rollcall, email, "failed")
    [mail] = told(run(shared_rollcall, client, "why", email))
    assert mail["kind"] == "invitation" and mail["state"] == "failed" and "no such mailbox" in mail["last_reply"]
    done = run(shared_rollcall, client, "why", address("nobody"))
    assert done.returncode == 1 and "nobody has the address" in done.stderr.lower()


@both
def test_a_bulk_tells_what_failed(shared_rollcall, client, tmp_path):
    user = shared_rollcall.create_active()
    file = tmp_path / "operations.json"
    file.write_text(json.dumps([{"op": "inactivate", "id": user["id"]}]))
    [outcome] = told(run(shared_rollcall, client, "bulk", file))
    assert outcome["succeeded"] == 1 and shared_rollcall.user(user)["status"] == "inactive"
    done = run(shared_rollcall, client, "bulk", file)
    assert done.returncode == 1 and json.loads(done.stdout)["items"][0]["problem"]["code"] == "state_conflict"


@both
def test_a_file_goes_in_and_comes_out(shared_rollcall, client, tmp_path):
    good, file = address("imported"), tmp_path / "people & co.csv"
    file.write_text(f"email,first_name,last_name\n{good},Петро,Шевченко\nno address,Nobody,Atall\n", encoding="utf-8")
    done = run(shared_rollcall, client, "import", file)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["rows"], counts["applied"], counts["error"]) == (2, 1, 1) and "row 3: email: " in done.stderr
    for out in (tmp_path / "out.csv", tmp_path / "out.xlsx"):
        told(run(shared_rollcall, client, "export", out))
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as text:
        assert good in {cell for row in csv.reader(text) for cell in row}
    assert good in {cell for row in openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(values_only=True) for cell in row}


@both
def test_a_file_that_is_none_is_said_to_be_so(shared_rollcall, client, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("colour,taste\nred,sweet\n")
    done = run(shared_rollcall, client, "import", file)
    assert done.returncode == 1 and "headers" in done.stderr and not done.stdout


# --- what goes wrong

@both
def test_a_problem_is_told_with_all_its_faults(shared_rollcall, client):
    done = run(shared_rollcall, client, "create", "no address", "\t", "Koval")
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("invalid_body: The body has faults.")
    assert "/email: invalid: " in done.stderr and "/first_name: invalid: " in done.stderr and "request 0" in done.stderr
    done = run(shared_rollcall, client, "edit", shared_rollcall.admin_id, '{"no_such_field": 1}')
    assert done.returncode == 1 and "/no_such_field: unknown_field" in done.stderr


@both
def test_who_is_refused_hears_of_it(shared_rollcall, client):
    assert "unauthenticated: " in run(shared_rollcall, client, "list", token="rck_nonsense").stderr
    assert "login_failed: " in run(shared_rollcall, client, "sign-in", "acme", ADMIN_EMAIL, stdin="wrong\n", token="").stderr
    reader = shared_rollcall.make_key("users:read")
    done = run(shared_rollcall, client, "activate", shared_rollcall.admin_id, token=reader)
    assert done.returncode == 1 and "permission_missing: " in done.stderr and "users:write" in done.stderr
    user = shared_rollcall.create_user()
    told(run(shared_rollcall, client, "edit", user["id"], json.dumps({"username": f"once{next(numbers)}"})))
    done = run(shared_rollcall, client, "edit", user["id"], json.dumps({"username": f"twice{next(numbers)}"}))
    assert "refused_by_policy: " in done.stderr and "refused by the policy username_change" in done.stderr


@both
def test_a_task_that_there_is_not_shows_which_there_are(shared_rollcall, client):
    for words in ((), ("dance",), ("create", "too", "few"), ("activate",), ("list", "too", "many")):
        done = run(shared_rollcall, client, *words)
        assert done.returncode == 2 and "sign-in ORGANIZATION LOGIN" in done.stderr and not done.stdout, words


@both
@pytest.mark.settings(ROLLCALL_RATE_LIMIT="60")
def test_who_is_asked_to_wait_waits(server_only, client):
    """One a second is let through, once sixty are used up."""
    while server_only.anyone.post("/v1/password-resets/inspect", {"token": "x"}).status != 429:
        pass
    done = run(server_only, client, "sign-in", "acme", ADMIN_EMAIL, stdin=ADMIN_PASSWORD + "\n", token="")
    assert done.returncode == 0 and done.stdout.startswith("rcs_"), (done.stdout, done.stderr)


@both
def test_who_gets_no_answer_asks_again_and_nothing_is_done_twice(shared_rollcall, client):
    wire, email = Wire(shared_rollcall.port), address("lost")
    wire.fault = "lose"
    try:
        [user] = told(run(shared_rollcall, client, "create", email, "Once", "Only", url=f"http://127.0.0.1:{wire.port}"))
    finally:
        wire.close()
    assert wire.fault == "" and user["email"] == email, "the first answer was lost"
    assert [found["id"] for found in shared_rollcall.admin.get("/v1/users", email=email).items] == [user["id"]]


@both
def test_who_never_gets_an_answer_gives_up_and_says_so(shared_rollcall, client):
    done = run(shared_rollcall, client, "list", url=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1 and not done.stdout and done.stderr.startswith("no answer: ") and "Traceback" not in done.stderr, done.stderr
