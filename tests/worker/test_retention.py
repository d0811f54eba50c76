"""What the clock forgets: old deletions, and the personal values of an audit that is older than its organization keeps it."""
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
    kept = "SELECT count(*) FROM rollcall.audit_value WHERE org_id = %s AND changes <> '{}'"
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
