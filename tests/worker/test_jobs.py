"""Jobs: whoever dies at whatever moment, what is to be done to many users is done to each of them once."""
import contextlib
import os
import signal

import pytest
from support.outbox import nudge, second_worker
from support.selections import add_users, begin, look, wait_ended
from support.waiting import wait_until

COUNT = 1700


def job(system):
    """(attempts, is leased, is due) of the one that there is."""
    found = system.sql("SELECT attempts, leased_by IS NOT NULL, run_at <= now() FROM rollcall.job")
    return found[0] if found else None


def due_now(system):
    system.sql("UPDATE rollcall.job SET run_at = now()")
    nudge(system)


@contextlib.contextmanager
def held(system, department, place):
    """Somebody has the user locked who comes so far in the order of the job."""
    with system.cluster.connect(system.database) as other:
        other.autocommit = False
        other.execute("SELECT FROM rollcall.users WHERE id = (SELECT id FROM rollcall.users WHERE department_id = %s ORDER BY id LIMIT 1 OFFSET %s) FOR UPDATE",
                      [department, place])
        yield
        other.rollback()


def done(system, selection):
    return look(system, selection)["done"]


def assert_done_once(system, department, count=COUNT, status="inactive"):
    assert system.sql("SELECT status, count(*) FROM rollcall.users WHERE department_id = %s GROUP BY status", department) == [(status, count)]
    assert system.sql("SELECT count(*) FROM rollcall.audit a JOIN rollcall.users u ON u.id = a.subject_id WHERE u.department_id = %s"
                      " AND a.action LIKE 'user.%%' GROUP BY a.subject_id HAVING count(*) <> 1", department) == []
    assert system.sql("SELECT DISTINCT version FROM rollcall.users WHERE department_id = %s", department) == [1]


def test_a_selection_is_carried_out_to_its_end(rollcall):
    department = add_users(rollcall, COUNT)
    selection = begin(rollcall, department_id=department)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["done"], seen["failed"], seen["problem"]) == ("done", COUNT, 0, None)
    assert_done_once(rollcall, department)
    assert job(rollcall) is None
    (ended,) = rollcall.audit("selection.done")
    assert ended["changes"] == {"op": [None, "inactivate"], "done": [None, COUNT], "failed": [None, 0]} and ended["actor"]["id"] == rollcall.admin_id
    metrics = rollcall.metrics(worker=True)
    assert metrics['rollcall_jobs_total{kind="selection",outcome="ended"}'] == 1 and metrics["rollcall_job_rows_total"] == COUNT
    wait_until(lambda: rollcall.metrics(worker=True).get("rollcall_jobs_queued") == 0)


def test_who_cannot_be_treated_so_is_told_with_the_reason_and_the_others_are_done(rollcall):
    rollcall.set_policy(deletion="erase", deletion_confirmation="none")
    department = add_users(rollcall, 4)
    users = [str(id) for id in rollcall.sql("SELECT id FROM rollcall.users WHERE department_id = %s ORDER BY id", department)]
    rollcall.admin.patch(f"/v1/users/{rollcall.admin_id}", {"department_id": department}).ok(200)
    rollcall.admin.post(f"/v1/users/{users[0]}/inactivate").ok(200)
    with held(rollcall, department, 0):
        selection = begin(rollcall, department_id=department)
        rollcall.admin.post("/v1/users/deletions", {"user_ids": [users[1]]}).ok(201)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["count"], seen["done"], seen["failed"]) == ("done", 5, 2, 3)
    failed = {row["user_id"]: (row["status"], row["problem"]["code"]) for row in rollcall.admin.get(f"/v1/users/selections/{selection['id']}/users", status="failed").items}
    assert failed == {users[0]: (409, "state_conflict"), users[1]: (404, "not_found"), rollcall.admin_id: (403, "last_administrator")}


def test_invited_users_get_a_link_each(rollcall):
    department = add_users(rollcall, 7, status="pending")
    seen = wait_ended(rollcall, begin(rollcall, "invite", department_id=department))
    assert (seen["done"], seen["failed"]) == (7, 0)
    wait_until(lambda: len(rollcall.mails(kind="invitation")) == 7)
    assert rollcall.sql("SELECT DISTINCT status FROM rollcall.selection_user") == [202]


@pytest.mark.allow_errors("a child died, starting another")
def test_a_child_that_is_killed_in_the_middle_is_replaced_and_the_next_goes_on_where_it_stopped(rollcall):
    department = add_users(rollcall, COUNT)
    with held(rollcall, department, 1200):
        selection = begin(rollcall, department_id=department)
        wait_until(lambda: done(rollcall, selection) == 1000)
        for pid in rollcall.worker.children():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: job(rollcall) is None or job(rollcall)[0] >= 2, because="nobody waits for the end of a dead child's lease")
    due_now(rollcall)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["done"], seen["failed"]) == ("done", COUNT, 0)
    assert_done_once(rollcall, department)


@pytest.mark.allow_errors("connect|connection")
def test_what_could_not_be_given_back_is_given_back_when_the_database_is_there_again(rollcall):
    department = add_users(rollcall, COUNT)
    with held(rollcall, department, 600), rollcall.cluster.connect("postgres") as other:
        selection = begin(rollcall, department_id=department)
        wait_until(lambda: done(rollcall, selection) == 500)
        other.execute(f'ALTER DATABASE "{rollcall.database}" ALLOW_CONNECTIONS false')
        try:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = 'rollcall-worker/job'",
                          [rollcall.database])
            wait_until(lambda: "could not connect" in rollcall.worker.text())
            assert job(rollcall)[1], "nobody heard that it was given back"
        finally:
            other.execute(f'ALTER DATABASE "{rollcall.database}" ALLOW_CONNECTIONS true')
        wait_until(lambda: not job(rollcall)[1], 20, because="nobody waits for the end of a lease that nobody holds")
    due_now(rollcall)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["done"], seen["failed"]) == ("done", COUNT, 0)
    assert_done_once(rollcall, department)


def test_what_a_dead_worker_held_is_taken_when_its_lease_runs_out(rollcall):
    department = add_users(rollcall, COUNT, status="pending")
    with held(rollcall, department, 600):
        selection = begin(rollcall, "invite", department_id=department)
        wait_until(lambda: done(rollcall, selection) == 500)
        rollcall.worker.kill()
    rollcall.worker.start()
    rollcall.metrics(worker=True)
    nudge(rollcall)
    assert job(rollcall)[1], "a lease is respected, whoever died"
    assert 0 < rollcall.value("SELECT extract(epoch FROM run_at - now()) FROM rollcall.job") <= 60
    due_now(rollcall)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["done"], seen["failed"]) == ("done", COUNT, 0)
    assert rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE kind = 'invitation'") == COUNT
    assert rollcall.sql("SELECT DISTINCT generation FROM rollcall.invitation i JOIN rollcall.users u ON u.id = i.user_id WHERE u.department_id = %s", department) == [1]


def test_two_workers_share_the_jobs_and_do_none_twice(rollcall):
    departments = [add_users(rollcall, 600) for _ in range(5)]
    rollcall.worker.stop()
    selections = [begin(rollcall, department_id=department) for department in departments]
    rollcall.worker.start()
    second_worker(rollcall)
    for department, selection in zip(departments, selections):
        assert wait_ended(rollcall, selection)["done"] == 600
        assert_done_once(rollcall, department, 600)


def test_each_organization_has_its_turn_however_much_another_asks_for(rollcall):
    other = rollcall.client(rollcall.other_organization()["key"])
    rollcall.worker.stop()
    clients = [rollcall.admin] * 4 + [other] * 2
    exports = [client.post("/v1/exports", {"format": "csv"}).ok(202)["id"] for client in clients]
    assert rollcall.sql("SELECT id::text FROM rollcall.job ORDER BY run_at") == exports
    rollcall.start_worker()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.export WHERE state = 'ready'") == 6)
    as_written_last = rollcall.sql("SELECT id::text FROM rollcall.export ORDER BY xmin::text::bigint")
    assert [exports.index(id) for id in as_written_last] == [0, 4, 1, 5, 2, 3]


def test_whoever_has_lost_its_lease_writes_nothing_more(rollcall):
    department = add_users(rollcall, COUNT)
    with held(rollcall, department, 700):
        selection = begin(rollcall, department_id=department)
        wait_until(lambda: done(rollcall, selection) == 500)
        rollcall.sql("UPDATE rollcall.job SET leased_by = 'somebody else', attempts = attempts + 1, run_at = now() + interval '1 hour'")
    # It tells of its end by what it counts.
    wait_until(lambda: rollcall.metrics(worker=True)['rollcall_jobs_total{kind="selection",outcome="later"}'] == 1)
    assert done(rollcall, selection) == 500 and job(rollcall) == (2, True, False)
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE department_id = %s AND status = 'inactive'", department) == 500
    due_now(rollcall)
    assert wait_ended(rollcall, selection)["done"] == COUNT
    assert_done_once(rollcall, department)


def test_sigterm_in_the_middle_gives_the_job_back_and_counts_no_attempt(rollcall):
    department = add_users(rollcall, COUNT)
    with held(rollcall, department, 1200):
        selection = begin(rollcall, department_id=department)
        wait_until(lambda: done(rollcall, selection) == 1000)
        rollcall.worker.signal(signal.SIGTERM)
    assert rollcall.worker.process.wait(20) == 0
    seen = look(rollcall, selection)
    assert seen["state"] == "running" and seen["done"] in (1000, 1500)
    assert job(rollcall) == (0, False, True)
    rollcall.worker.start()
    assert wait_ended(rollcall, selection)["done"] == COUNT
    assert_done_once(rollcall, department)


def test_what_is_locked_comes_again_after_a_while_and_nobody_is_told_as_failed(rollcall):
    department = add_users(rollcall, 600)
    with held(rollcall, department, 550):
        selection = begin(rollcall, department_id=department)
        wait_until(lambda: job(rollcall)[:2] == (1, False), because="it is released with a delay")
        assert done(rollcall, selection) == 500
        wait_until(lambda: job(rollcall)[0] == 2, because="the second attempt is a second later, not a poll")
    seen = wait_ended(rollcall, selection)
    assert (seen["done"], seen["failed"]) == (600, 0)


@pytest.mark.allow_errors("gave up a job")
def test_a_job_that_failed_too_often_is_given_up_and_its_selection_is_dead(rollcall):
    department = add_users(rollcall, 5)
    rollcall.worker.stop()
    selection = begin(rollcall, department_id=department)
    rollcall.sql("UPDATE rollcall.job SET attempts = 20")
    rollcall.worker.start()
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["problem"]["code"], seen["done"]) == ("dead", "unavailable", 0)
    assert job(rollcall) is None
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE department_id = %s AND status = 'active'", department) == 5
    assert rollcall.metrics(worker=True)['rollcall_jobs_total{kind="selection",outcome="given_up"}'] == 1


@pytest.mark.parametrize("change", ["UPDATE rollcall.users SET status = 'inactive' WHERE id = %s", "UPDATE rollcall.users SET role_id = NULL, own_permissions = '{users:write}' WHERE id = %s"])
def test_it_stops_when_its_maker_is_no_longer_active_or_may_no_longer_do_it(rollcall, change):
    maker = rollcall.create_administrator()
    client = rollcall.sign_in(maker)
    department = add_users(rollcall, COUNT)
    with held(rollcall, department, 700):
        selection = begin(rollcall, client=client, department_id=department)
        wait_until(lambda: done(rollcall, selection) == 500)
        rollcall.sql(change, maker["id"])
    due_now(rollcall)
    seen = wait_ended(rollcall, selection)
    assert (seen["state"], seen["problem"]["code"]) == ("dead", "permission_missing") and seen["done"] in (500, 1000)
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE department_id = %s AND status = 'inactive'", department) == seen["done"]
    assert rollcall.audit("selection.died")[0]["changes"]["done"] == [None, seen["done"]]


def test_a_maker_with_fewer_permissions_cannot_touch_those_with_more(rollcall):
    department = add_users(rollcall, 3)
    rollcall.sql("UPDATE rollcall.users SET own_permissions = '{payroll:write}' WHERE id = (SELECT min(id::text)::uuid FROM rollcall.users WHERE department_id = %s)", department)
    client = rollcall.client(rollcall.make_key("imports:write", "users:read", "users:write"))
    seen = wait_ended(rollcall, begin(rollcall, client=client, department_id=department))
    assert (seen["done"], seen["failed"]) == (2, 1)
    assert rollcall.value("SELECT problem ->> 'code' FROM rollcall.selection_user WHERE status >= 400") == "exceeds_your_permissions"


@pytest.mark.settings(ROLLCALL_JOBS=0)
def test_a_worker_without_job_children_leaves_jobs_to_others(rollcall):
    selection = begin(rollcall, department_id=add_users(rollcall, 2))
    wait_until(lambda: rollcall.metrics(worker=True).get("rollcall_jobs_queued") == 1)
    assert job(rollcall) == (0, False, True)
    second_worker(rollcall, ROLLCALL_JOBS=2)
    assert wait_ended(rollcall, selection)["done"] == 2
