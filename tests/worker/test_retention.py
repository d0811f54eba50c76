"""What the clock forgets: old deletions, the personal values of an audit that is older than its organization keeps it,
and what was done in bulk."""
import pytest
from support.outbox import wait_settled
from support.sink import Gate
from support.waiting import wait_until


def test_old_deletions_and_old_values_go_and_young_ones_stay(rollcall):
    rollcall.worker.stop()
    other = rollcall.other_organization()
    rollcall.set_policy(deletion="erase", audit_retention="P60D")
    user = rollcall.create_user()
    for state, days in (("done", 31), ("dead", 31), ("pending", 31), ("done", 29)):
        rollcall.sql("INSERT INTO rollcall.deletion (org_id, id, state, mode, maker_kind, maker_id, user_ids, versions, created_at)"
                     " VALUES (%s, gen_random_uuid(), %s, 'erase', 'user', %s, '{}', '{}', now() - make_interval(days => %s))",
                     rollcall.org_id, state, rollcall.admin_id, days)
    # The moment of an audit row is in its id. 1200: more than one batch.
    rollcall.sql("INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)"
                 " SELECT o.id, (lpad(to_hex((extract(epoch FROM now() - make_interval(days => d)) * 1000)::bigint), 12, '0')"
                 " || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid, %s, '{\"first_name\": [\"Olena\", \"Olha\"]}'"
                 " FROM rollcall.organization o, (SELECT 61 AS d, n FROM generate_series(1, 1200) n UNION ALL SELECT 59, 1) t", user["id"])
    kept = "SELECT count(*) FROM rollcall.audit_value WHERE org_id = %s AND changes @> '{\"first_name\": [\"Olha\"]}'"
    rollcall.worker.start()
    wait_until(lambda: rollcall.value(kept, rollcall.org_id) == 1)
    assert rollcall.value(kept, other["id"]) == 1201, "an organization without audit_retention keeps for ever"
    assert rollcall.sql("SELECT state FROM rollcall.deletion") == ["done"]


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_who_is_deleted_while_his_mail_is_sent_is_not_written_down_again(rollcall, mode):
    rollcall.set_policy(deletion=mode, deletion_confirmation="none")
    gate = Gate(1)
    rollcall.sink.behave("*", gate, at="accepted", times=1)
    user = rollcall.create_user()
    gate.wait_reached()
    rollcall.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    gate.open()
    wait_settled(rollcall)
    wait_until(lambda: rollcall.value("SELECT state FROM rollcall.outbox WHERE user_id = %s", user["id"]) == "sent")
    assert user["email"] not in str(rollcall.sql("SELECT to_jsonb(m) FROM rollcall.outbox m"))


def add_import(system, state, age="41 days", touched=None, rows=3, parts=2, report=False):
    """One that was made so long ago, and touched since; with its file, its rows and perhaps a report."""
    id = system.value("INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, file_name, size, report_id, created_at, updated_at)"
                      " VALUES (%s, gen_random_uuid(), %s, 'user', %s, '{}', 'people.csv', 9, CASE WHEN %s THEN gen_random_uuid() END,"
                      " now() - %s::interval, now() - %s::interval) RETURNING id", system.org_id, state, system.admin_id, report, age, touched or age)
    system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome) SELECT %s, %s, n, '{}', 'applied' FROM generate_series(1, %s) n",
               system.org_id, id, rows)
    system.sql("INSERT INTO rollcall.file_part (org_id, file_id, number, bytes) SELECT i.org_id, f.id, n, 'x' FROM rollcall.import i,"
               " unnest(ARRAY[i.id, i.report_id]) AS f (id), generate_series(0, %s - 1) n WHERE i.id = %s AND f.id IS NOT NULL", parts, id)
    return id


def kept_imports(system):
    """Those that are there; whatever hangs on one belongs to one of them."""
    kept = set(system.sql("SELECT id FROM rollcall.import"))
    owners = set(system.sql("SELECT id FROM rollcall.import UNION SELECT report_id FROM rollcall.import WHERE report_id IS NOT NULL"))
    assert set(system.sql("SELECT DISTINCT import_id FROM rollcall.import_row")) <= kept
    return kept if set(system.sql("SELECT DISTINCT file_id FROM rollcall.file_part")) <= owners else None


def test_old_imports_go_with_their_files_rows_and_reports_and_those_under_way_stay(rollcall):
    rollcall.worker.stop()
    rollcall.set_policy(import_retention="P40D")
    for state in ("ready", "failed", "applied", "undone"):
        add_import(rollcall, state, report=state == "applied")
    add_import(rollcall, "ready", rows=2500, parts=70)
    add_import(rollcall, "uploading", age="25 hours", rows=0)
    stay = {add_import(rollcall, state) for state in ("parsing", "applying", "undoing")}
    stay |= {add_import(rollcall, "applied", touched="39 days"), add_import(rollcall, "ready", age="39 days", report=True),
             add_import(rollcall, "uploading", age="23 hours", rows=0)}
    rollcall.worker.start()
    wait_until(lambda: kept_imports(rollcall) == stay)
    assert rollcall.value("SELECT count(*) FROM rollcall.import_row") == 5 * 3


def test_old_exports_go_with_their_files_unless_somebody_still_writes_them(rollcall):
    rollcall.worker.stop()
    add = ("WITH made AS (INSERT INTO rollcall.export (org_id, id, state, maker_kind, maker_id, format, filter, language, expires_at)"
           " VALUES (%s, gen_random_uuid(), %s, 'user', %s, 'csv', '{}', 'en', now() + %s::interval) RETURNING org_id, id)"
           " INSERT INTO rollcall.file_part (org_id, file_id, number, bytes) SELECT org_id, id, n, 'x' FROM made, generate_series(1, %s) n RETURNING file_id")
    for state in ("ready", "failed"):
        rollcall.sql(add, rollcall.org_id, state, rollcall.admin_id, "-1 minute", 60)
    stays = rollcall.value(add, rollcall.org_id, "ready", rollcall.admin_id, "1 hour", 2)
    written = rollcall.value(add, rollcall.org_id, "running", rollcall.admin_id, "-1 minute", 2)
    rollcall.sql("INSERT INTO rollcall.job (org_id, id, kind, run_at, leased_by) VALUES (%s, %s, 'export', now() + interval '1 hour', 'somebody')",
                 rollcall.org_id, written)
    rollcall.worker.start()
    wait_until(lambda: set(rollcall.sql("SELECT id FROM rollcall.export")) == {stays, written})
    assert set(rollcall.sql("SELECT file_id FROM rollcall.file_part")) == {stays, written}


def test_old_selections_go_with_the_users_in_them_and_one_that_nobody_confirmed_forgets_whom_it_chose(rollcall):
    rollcall.worker.stop()
    rollcall.set_policy(import_retention="P40D")
    add = ("WITH made AS (INSERT INTO rollcall.selection (org_id, id, op, state, maker_kind, maker_id, actor, code, filter, count, expires_at)"
           " VALUES (%s, gen_random_uuid(), 'activate', %s, 'user', %s, '{}', '123456', '{}', 0, now() - %s::interval) RETURNING org_id, id)"
           " INSERT INTO rollcall.selection_user (org_id, selection_id, user_id) SELECT org_id, id, gen_random_uuid() FROM made, generate_series(1, %s)"
           " RETURNING selection_id")
    for state, age, users in (("done", "41 days", 1200), ("dead", "41 days", 3), ("pending", "41 days", 3)):
        rollcall.sql(add, rollcall.org_id, state, rollcall.admin_id, age, users)
    stay = {rollcall.value(add, rollcall.org_id, state, rollcall.admin_id, age, 2)
            for state, age in (("done", "39 days"), ("running", "41 days"), ("pending", "-9 minutes"))}
    empty = {rollcall.value(add, rollcall.org_id, state, rollcall.admin_id, "1 minute", 2) for state in ("pending", "dead")}
    rollcall.worker.start()
    wait_until(lambda: set(rollcall.sql("SELECT id FROM rollcall.selection")) == stay | empty)
    assert set(rollcall.sql("SELECT selection_id FROM rollcall.selection_user")) == stay
