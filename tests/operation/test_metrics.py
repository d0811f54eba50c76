"""/metrics: what it says is well-formed, true, complete, and documented; and what the alarms and the dashboard ask of it is there."""
import json
import re
import subprocess

import pytest
import requests
import yaml

from support import exposition
from support.cluster import ROOT
from support.system import ADMIN_PASSWORD, ADMIN_EMAIL
from support.waiting import wait_until

DEPLOY = ROOT / "deploy"
DOCUMENT, RUNBOOK, RULES = DEPLOY / "METRICS.md", DEPLOY / "RUNBOOK.md", DEPLOY / "prometheus" / "rules.yml"


def scrape(system, worker=False):
    port = system.worker_metrics_port if worker else system.metrics_port
    answer = requests.get(f"http://{system.host}:{port}/metrics", timeout=10)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


@pytest.fixture(scope="module")
def used(shared_rollcall):
    """A Rollcall that has done something of each kind, and whose clock has run each task once."""
    system = shared_rollcall
    user = system.create_active()
    system.login(ADMIN_EMAIL, "wrong horse").refused(401)
    system.login(ADMIN_EMAIL, ADMIN_PASSWORD).ok(201)
    system.admin.get("/v1/users").ok(200)
    system.admin.get(f"/v1/users/{user['id']}").ok(200)
    system.anyone.get("/v1/nothing-of-the-kind").refused(404)
    system.wait_mail(to=user["email"], timeout=30)
    system.metrics()
    system.metrics(worker=True)
    wait_until(lambda: 'task="purge_selections"' in scrape(system, worker=True).split("# HELP rollcall_task_last_run")[-1], timeout=60,
               because="the clock has run its last task")
    return system


def documented():
    """{name: (type, labels, programs, help)} of the table in deploy/METRICS.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", DOCUMENT.read_text(), re.M)
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: (kind, {label for label in re.findall(r"`(\w+)`", labels)}, programs, words) for name, kind, labels, programs, words in rows}


@pytest.mark.parametrize("worker", [False, True], ids=["server", "worker"])
def test_a_scraper_reads_it_without_complaint(used, worker):
    assert len(exposition.parse(scrape(used, worker))) > 20


@pytest.mark.parametrize("worker", [False, True], ids=["server", "worker"])
def test_promtool_finds_nothing_to_say(used, worker):
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape(used, worker), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr + done.stdout


def test_everything_exposed_is_documented_and_everything_documented_exposed(used):
    programs = {"server": exposition.parse(scrape(used)), "worker": exposition.parse(scrape(used, worker=True))}
    found = {}
    for program, families in programs.items():
        for name, family in families.items():
            kind, labels, before, words = found.get(name, (family.type, family.labels, None, family.help))
            assert (kind, labels, words) == (family.type, family.labels, family.help), f"{name} differs between the programs"
            found[name] = (kind, labels, "both" if before else program, words)
    assert documented() == found


def test_requests_are_counted_by_pattern_and_never_by_path(used):
    families = exposition.parse(scrape(used))
    routes = {dict(pairs)["route"] for _, pairs in families["rollcall_requests_total"].samples}
    assert {"GET /v1/users", "GET /v1/users/{id}", "POST /v1/users", "POST /v1/sessions", "none"} <= routes
    assert not any(used.org_id in route or re.search(r"[0-9a-f]{8}-", route) for route in routes)
    assert routes == {dict(pairs)["route"] for _, pairs in families["rollcall_request_duration_seconds"].samples}
    bounds = {dict(pairs)["le"] for name, pairs in families["rollcall_request_duration_seconds"].samples if name.endswith("_bucket")}
    assert {"0.001", "10", "+Inf"} <= bounds


def test_one_request_more_is_one_more(used):
    before = used.metrics()
    used.admin.get("/v1/roles").ok(200)
    used.anyone.get("/v1/roles").refused(401)
    after = used.metrics()

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown('rollcall_requests_total{route="GET /v1/roles",status="2xx"}') == 1
    assert grown('rollcall_requests_total{route="GET /v1/roles",status="4xx"}') == 1
    assert grown('rollcall_request_duration_seconds_count{route="GET /v1/roles"}') == 2
    assert grown('rollcall_lane_job_duration_seconds_count{lane="read"}') + grown('rollcall_lane_job_duration_seconds_count{lane="slow"}') >= 2


def test_gauges_of_the_server_come_back_to_rest(used):
    def at_rest():
        found = used.metrics()
        return (found["rollcall_requests_in_flight"] == 0 and found["rollcall_password_places_taken"] == 0
                and found["rollcall_password_hashes_waiting"] == 0
                and all(found[f'rollcall_lane_jobs_{state}{{lane="{lane}"}}'] == 0 for state in ("in_flight", "waiting") for lane in ("read", "write", "slow")))

    wait_until(at_rest)
    found = used.metrics()
    for lane in ("read", "write", "slow"):
        assert found[f'rollcall_lane_connections_up{{lane="{lane}"}}'] == found[f'rollcall_lane_connections{{lane="{lane}"}}'] >= 2
    assert 1 <= found["rollcall_http_connections"] < found["rollcall_http_connections_limit"]
    assert found["rollcall_password_places"] == 256


def test_passwords_are_counted_by_what_they_were_hashed_for(used):
    def hashes():
        found = used.metrics()
        return {purpose: found[f'rollcall_password_hashes_total{{purpose="{purpose}"}}'] for purpose in ("check", "equalise", "keep")}

    def told(*logins):
        before = hashes()
        for status, login, password in logins:
            assert used.login(login, password).status == status
        after = hashes()
        return {purpose: after[purpose] - before[purpose] for purpose in before}

    assert told((401, "nobody@example.org", "violet tractor"), (201, ADMIN_EMAIL, ADMIN_PASSWORD)) == {"check": 1, "equalise": 1, "keep": 0}
    # A cheap hash from elsewhere is no quicker to guess at than nobody's, and is replaced when it was met.
    imported = used.create_active()
    used.sql("UPDATE rollcall.credential SET password_hash = %s WHERE user_id = %s", "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/", imported["id"])
    assert told((401, imported["email"], "violet tractor")) == {"check": 1, "equalise": 1, "keep": 0}
    assert told((201, imported["email"], "correct horse")) == {"check": 1, "equalise": 0, "keep": 1}
    assert told((401, imported["email"], "violet tractor")) == {"check": 1, "equalise": 0, "keep": 0}


def test_mails_are_counted_by_kind_and_outcome(used):
    found = used.metrics(worker=True)
    assert found['rollcall_mails_total{kind="invitation",outcome="sent"}'] >= 1
    assert found['rollcall_mails_total{kind="idle_brake",outcome="failed"}'] == 0, "it is there before the first one fails"


def test_the_outbox_is_told_apart_by_where_mails_stand(used):
    used.sql("INSERT INTO rollcall.outbox (org_id, id, kind, state, run_at, created_at)"
             " VALUES (%s, gen_random_uuid(), 'invitation', 'queued', now() + interval '1 day', now() - interval '2 hours')", used.org_id)
    try:
        wait_until(lambda: used.metrics(worker=True)['rollcall_outbox_mails{state="later"}'] == 1)
        found = used.metrics(worker=True)
        assert found['rollcall_outbox_mails_oldest_seconds{state="later"}'] >= 7200 and found["rollcall_outbox_oldest_seconds"] >= 7200
        assert found['rollcall_outbox_mails{state="due"}'] == 0 and found['rollcall_outbox_mails_oldest_seconds{state="due"}'] == 0
    finally:
        used.sql("DELETE FROM rollcall.outbox WHERE run_at > now() + interval '1 hour'")


def test_each_process_is_measured(used):
    for worker, names in ((False, {"supervisor", "server-0", "server-1", "metrics-0"}),
                          (True, {"supervisor", "clock-0", "sender-0", "sender-1", "job-0", "metrics-0"})):
        families = exposition.parse(scrape(used, worker))
        for name in ("resident_memory_bytes", "cpu_seconds_total", "start_time_seconds", "open_fds"):
            assert {dict(pairs)["process"] for _, pairs in families[f"rollcall_process_{name}"].samples} == names
        assert all(value > 100_000 for value in families["rollcall_process_resident_memory_bytes"].samples.values())
        assert all(3 <= value < families["rollcall_process_max_fds"].samples[("rollcall_process_max_fds", ())]
                   for value in families["rollcall_process_open_fds"].samples.values())


def test_failures_of_the_database_are_counted(used):
    before = used.metrics()['rollcall_database_errors_total{reason="busy"}']
    user = used.create_user()
    with used.cluster.connect(used.database) as other, other.transaction(force_rollback=True):
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
        used.admin.patch(f"/v1/users/{user['id']}", {"first_name": "Late"}).refused(503)
    assert used.metrics()['rollcall_database_errors_total{reason="busy"}'] > before


@pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)
@pytest.mark.allow_errors("sqlstate=42501")
def test_a_task_that_fails_has_not_run(rollcall):
    def last_run(task):
        return rollcall.metrics(worker=True).get(f'rollcall_task_last_run_timestamp_seconds{{task="{task}"}}', 0)

    wait_until(lambda: last_run("measure_jobs"), timeout=30)
    rollcall.sql("REVOKE SELECT ON rollcall.job FROM rollcall")
    wait_until(lambda: rollcall.metrics(worker=True)['rollcall_database_errors_total{reason="other"}'] > 0, timeout=30)
    stood = last_run("measure_jobs")
    wait_until(lambda: last_run("measure_outbox") > stood + 2, timeout=30)
    assert last_run("measure_jobs") == stood
    rollcall.sql("GRANT SELECT ON rollcall.job TO rollcall")
    wait_until(lambda: last_run("measure_jobs") > stood, timeout=30)


# -- alarms and dashboard

def alarms():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels():
    return [panel for panel in json.loads((DEPLOY / "grafana" / "rollcall.json").read_text())["panels"] if panel["type"] != "row"]


def expressions():
    return ([(rule["alert"], rule["expr"]) for rule in alarms()]
            + [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]])


def selectors(expression):
    """(name, {label: (operator, value)}) of each metric in an expression."""
    for name, matchers in re.findall(r"\b(rollcall_[a-z_]+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, {label: (operator, value) for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers)}


@pytest.fixture(scope="module")
def exposed(used):
    return {**exposition.parse(scrape(used)), **exposition.parse(scrape(used, worker=True))}


def family_of(exposed, name):
    for suffix in ("", "_bucket", "_sum", "_count"):
        family = exposed.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if family and (family.type in exposition.SUFFIXES) == bool(suffix):
            return family
    return None


def test_whatever_alarms_and_dashboard_ask_for_is_exposed(exposed):
    asked = [(where, name, matchers) for where, expression in expressions() for name, matchers in selectors(expression)]
    assert len(asked) > 50
    for where, name, matchers in asked:
        family = family_of(exposed, name)
        assert name == "up" or family, f"{where}: there is no {name}"
        for label, (operator, value) in matchers.items():
            if label in ("job", "instance"):
                assert label == "instance" or value in ("rollcall-server", "rollcall-worker"), where
                continue
            values = {dict(pairs).get(label) for _, pairs in family.samples}
            assert values != {None}, f"{where}: {name} has no label {label}"
            if operator == "=" and label != "status":  # no request needs to have failed
                assert value in values, f"{where}: {name} never has {label}={value}"


def test_labels_that_are_summed_by_are_labels_of_what_is_summed(exposed):
    for where, expression in expressions():
        known = {"job", "instance", "le"}.union(*(family_of(exposed, name).labels for name, _ in selectors(expression) if name != "up"))
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= known, f"{where}: {labels}"


def test_every_alarm_says_what_is_wrong_and_where_to_read_what_to_do():
    names = [rule["alert"] for rule in alarms()]
    assert len(set(names)) == len(names) > 10
    for rule in alarms():
        anchor = re.sub(r"(?<=.)([A-Z])", r"-\1", rule["alert"]).lower()
        assert rule["labels"]["severity"] in ("page", "ticket", "info") and rule["for"]
        assert rule["annotations"]["summary"].endswith(".") and rule["annotations"]["runbook"] == f"deploy/RUNBOOK.md#{anchor}"
        if RUNBOOK.exists():
            assert f"\n## {anchor}\n" in RUNBOOK.read_text(), f"the runbook says nothing of {anchor}"


def test_the_dashboard_can_be_imported_anywhere():
    dashboard = json.loads((DEPLOY / "grafana" / "rollcall.json").read_text())
    assert dashboard["uid"] == "rollcall" and [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "instance", "route"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}" and all(target["legendFormat"] for target in panel["targets"])
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_the_example_scrapes_where_the_programs_answer_by_default(used):
    example = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in example["scrape_configs"]}
    assert example["rule_files"] == [RULES.name] and set(targets) == {"rollcall-server", "rollcall-worker"}
    for program, addresses in targets.items():
        settings = used.command("--print-config", program=program, ROLLCALL_METRICS_LISTEN=None).stdout
        line = next(line for line in settings.splitlines() if line.startswith("ROLLCALL_METRICS_LISTEN"))
        assert addresses[0] in line


@pytest.mark.parametrize(("what", "name"), [("rules", "rules.yml"), ("config", "prometheus.yml")])
def test_promtool_takes_the_files_of_prometheus(what, name):
    done = subprocess.run(["promtool", "check", what, DEPLOY / "prometheus" / name], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
