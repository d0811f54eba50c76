"""Three calendar months without a sign of life: warnings, the end, and the brake.

Idleness is computed from three moments of a user's row. A test moves those into the past and lets
the clock compute anew, as it does after a change of policy.
"""
import re

import pytest
from support.outbox import due_now, nudge, rounds, second_worker
from support.system import ADMIN_EMAIL, PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)

# The latest day whose third calendar month is not over: "three months ago, and a day" may still be three months ago where
# a month has fewer days.
NOT_YET = "(SELECT min(t) FROM (SELECT now() - interval '3 months' + k * interval '1 day' AS t FROM generate_series(1, 4) k) d" \
          " WHERE t + interval '3 months' > now())"
LONG_AGO = "now() - interval '3 months'"


def wait_computed(system):
    """The clock has computed idleness by the policy as it is now; a worker that starts does so for all."""
    wait_until(lambda: system.value("SELECT idle_applied = coalesce(idle_after::text, 'off') || ' ' || idle_warn_days::text || ' ' || o.timezone"
                                    " FROM rollcall.policy p JOIN rollcall.organization o ON o.id = p.org_id WHERE p.org_id = %s", system.org_id),
               because="idleness is computed")


def recompute(system):
    """As after a change of policy; returns when it is done."""
    wait_computed(system)
    system.sql("UPDATE rollcall.policy SET idle_applied = 'stale'")
    nudge(system)
    wait_computed(system)


def quiet_since(system, moment, *users):
    """The last sign of life of these users."""
    for user in users:
        system.move("users", user, last_login_at=moment, last_active_at=moment, status_changed_at=moment)
    recompute(system)


def quiet_until_due(system, user, left):
    """So that he falls due in so much time."""
    wait_computed(system)
    system.move("users", user, idle_due_at=f"now() + interval '{left}'", idle_check_at="now()")
    nudge(system)


def active_users(system, count):
    """Active users without passwords, straight into the table; their ids."""
    wait_computed(system)
    return [str(id) for id in system.sql(
        "INSERT INTO rollcall.users (org_id, id, first_name, last_name, email, status, status_reason, version)"
        " SELECT %s, gen_random_uuid(), 'Quiet', n::text, 'quiet' || n || '@example.org', 'active', 'accepted', 1"
        " FROM generate_series(1, %s) n RETURNING id", system.org_id, count)]


def status(system, user):
    shown = system.user(user)
    return shown["status"], shown["status_reason"]


def test_three_calendar_months_are_over_and_a_day_less_is_not(rollcall):
    idle, almost = rollcall.create_active(first_name="Ліна", locale="uk"), rollcall.create_active()
    client = rollcall.sign_in(idle)
    client.get("/v1/me").ok(200)
    rollcall.move("users", almost, last_login_at=NOT_YET, last_active_at=NOT_YET, status_changed_at=NOT_YET)
    quiet_since(rollcall, LONG_AGO, idle)
    wait_until(lambda: status(rollcall, idle) == ("inactive", "idle"))
    client.get("/v1/me").refused(401)
    mail = rollcall.wait_mail(idle["email"], kind="account_idle")
    assert "Ліна" in mail.text and mail.link is None
    event, = rollcall.audit("user.idle", idle)
    assert event["actor"]["kind"] == "system" and event["changes"]["status"] == ["active", "inactive"]
    rollcall.login(idle["email"], PASSWORD).refused(401, "login_failed")
    rounds(rollcall)
    assert status(rollcall, almost)[0] == "active"
    wait_until(lambda: rollcall.metrics(worker=True)["rollcall_users_idled_total"] == 1)


def test_an_administrator_brings_the_idle_back_and_his_time_starts_anew(rollcall):
    user = rollcall.create_active()
    quiet_since(rollcall, LONG_AGO, user)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))
    rollcall.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
    recompute(rollcall)
    rounds(rollcall)
    assert status(rollcall, user)[0] == "active"
    assert rollcall.value("SELECT idle_due_at > now() + interval '80 days' FROM rollcall.users WHERE id = %s", user["id"])
    rollcall.login(user["email"], PASSWORD).ok(201)


@pytest.mark.parametrize("column", ["last_login_at", "last_active_at", "status_changed_at"])
def test_the_latest_sign_of_life_counts(rollcall, column):
    user = rollcall.create_active()
    moments = {"last_login_at": LONG_AGO, "last_active_at": LONG_AGO, "status_changed_at": LONG_AGO}
    rollcall.move("users", user, **{**moments, column: "now() - interval '1 month'"})
    recompute(rollcall)
    rounds(rollcall)
    assert status(rollcall, user)[0] == "active"


def test_who_never_came_counts_from_his_activation(rollcall):
    user = rollcall.create_active()
    rollcall.move("users", user, last_login_at="NULL", last_active_at="NULL", status_changed_at=LONG_AGO)
    recompute(rollcall)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))


@pytest.mark.parametrize("timezone,last,due", [
    ("UTC", "2041-11-30 12:00+00", "2042-02-28 12:00+00"),                  # no 30th of February
    ("UTC", "2043-11-30 12:00+00", "2044-02-29 12:00+00"),                  # but a 29th in a leap year
    ("UTC", "2043-12-31 23:59:59+00", "2044-03-31 23:59:59+00"),
    ("UTC", "2043-03-31 00:00+00", "2043-06-30 00:00+00"),
    ("Europe/Kyiv", "2030-01-15 10:00+00", "2030-04-15 09:00+00"),          # noon stays noon over the change to summer time
    ("Europe/Kyiv", "2030-08-15 09:00+00", "2030-11-15 10:00+00"),
    ("Pacific/Auckland", "2043-11-29 12:00+00", "2044-02-28 11:00+00"),     # the 30th there already, so the last of February
    ("America/New_York", "2043-12-01 01:00+00", "2044-03-01 01:00+00"),     # the 30th of November there still
])
def test_months_are_the_calendars_where_the_organization_is(rollcall, timezone, last, due):
    user = rollcall.create_active()
    rollcall.sql("UPDATE rollcall.organization SET timezone = %s", timezone)
    rollcall.move("users", user, last_login_at=f"'{last}'")
    recompute(rollcall)
    expected = rollcall.value("SELECT ((%s::timestamptz AT TIME ZONE %s) + interval '3 months') AT TIME ZONE %s", last, timezone, timezone)
    found = rollcall.value("SELECT idle_due_at FROM rollcall.users WHERE id = %s", user["id"])
    assert found == expected
    if timezone != "Pacific/Auckland" and timezone != "America/New_York":
        assert found == rollcall.value("SELECT %s::timestamptz", due)


def test_a_login_and_a_session_in_use_start_the_time_anew(rollcall):
    user = rollcall.create_active()
    quiet = "now() - interval '2 months'"
    quiet_since(rollcall, quiet, user)
    early = rollcall.row("users", user)["idle_due_at"]
    client = rollcall.sign_in(user)
    assert rollcall.row("users", user)["idle_due_at"] > early
    quiet_since(rollcall, quiet, user)
    rollcall.sql("UPDATE rollcall.session SET seen_at = now() - interval '2 minutes' WHERE user_id = %s", user["id"])
    client.get("/v1/me").ok(200)
    wait_until(lambda: rollcall.row("users", user)["idle_due_at"] > early)


@pytest.mark.parametrize("left,days,next_look", [("13 days 12 hours", 14, "3 days"), ("2 days 12 hours", 3, "0 days"), ("1 hour", 3, "0 days")])
def test_a_warning_is_mailed_once_and_the_next_look_is_at_the_next(rollcall, left, days, next_look):
    user = rollcall.create_active(first_name="Ліна")
    quiet_until_due(rollcall, user, left)
    mail = rollcall.wait_mail(user["email"], kind="idle_warning")
    due = rollcall.value("SELECT to_char(idle_due_at, 'YYYY-MM-DD') FROM rollcall.users WHERE id = %s", user["id"])
    remaining = {"13 days 12 hours": 14, "2 days 12 hours": 3, "1 hour": 1}[left]
    assert f"becomes inactive on {due} (days left: {remaining})" in mail.text
    assert f"{rollcall.url}/sign-in?organization=acme" in mail.text
    assert rollcall.value("SELECT data ->> 'days' FROM rollcall.outbox WHERE kind = 'idle_warning'") == str(days)
    assert rollcall.value("SELECT idle_check_at = idle_due_at - %s::interval FROM rollcall.users WHERE id = %s", next_look, user["id"])
    rounds(rollcall, 3)
    assert len(rollcall.outbox(user, "idle_warning")) == 1
    assert rollcall.user(user)["version"] == user["version"], "a warning is no change of the user"


def test_both_warnings_and_the_end_come_one_after_the_other(rollcall):
    second_worker(rollcall)
    users = [rollcall.create_active() for _ in range(3)]
    wait_computed(rollcall)
    for nth, left in enumerate(("14 days", "3 days"), 1):
        for user in users:
            rollcall.move("users", user, idle_due_at=f"now() + interval '{left}'", idle_check_at="now()")
        nudge(rollcall)
        for user in users:
            wait_until(lambda user=user, nth=nth: len(rollcall.outbox(user, "idle_warning")) == nth)
    for user in users:
        rollcall.move("users", user, idle_due_at="now()", idle_check_at="now()")
    for user in users:
        rollcall.wait_mail(user["email"], kind="account_idle")
        assert len(rollcall.mails(user["email"], kind="account_idle")) == 1
        assert len(rollcall.outbox(user, "idle_warning")) == 2
        assert len(rollcall.audit("user.idle", user)) == 1


def test_no_warning_without_an_address_or_where_the_policy_wants_none(rollcall):
    silent = rollcall.create_active(username="silent")
    rollcall.move("users", silent, email="NULL")
    quiet_until_due(rollcall, silent, "10 days")
    wait_until(lambda: rollcall.value("SELECT idle_check_at > now() FROM rollcall.users WHERE id = %s", silent["id"]))
    rollcall.admin.patch("/v1/policy", {"idle_warn_days": []}).ok(200)
    user = rollcall.create_active()
    wait_until(lambda: rollcall.value("SELECT idle_check_at = idle_due_at FROM rollcall.users WHERE id = %s", user["id"]))
    quiet_until_due(rollcall, user, "2 days")
    wait_until(lambda: rollcall.value("SELECT idle_check_at > now() FROM rollcall.users WHERE id = %s", user["id"]))
    assert not rollcall.outbox(kind="idle_warning")


def test_a_warning_that_still_waits_is_cancelled_when_the_user_comes_back(rollcall):
    user = rollcall.create_active()
    rollcall.sink.behave(user["email"], "451 4.3.0 later")
    quiet_until_due(rollcall, user, "10 days")
    wait_until(lambda: (rows := rollcall.outbox(user, "idle_warning")) and rows[0]["last_reply"])
    rollcall.sign_in(user)
    rollcall.sink.forgive()
    due_now(rollcall)
    wait_until(lambda: rollcall.outbox(user, "idle_warning")[0]["state"] == "cancelled")
    assert not rollcall.mails(user["email"], kind="idle_warning")


def test_a_changed_policy_counts_at_once(rollcall):
    """Nothing else wakes the clock here but the notification."""
    user = rollcall.create_active()
    quiet_since(rollcall, "now() - interval '40 days'", user)
    rounds(rollcall)
    assert status(rollcall, user)[0] == "active"
    rollcall.admin.patch("/v1/policy", {"idle_after": "P1M"}).ok(200)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))
    other = rollcall.create_active()
    rollcall.admin.patch("/v1/policy", {"idle_after": None}).ok(200)
    wait_until(lambda: rollcall.row("users", other)["idle_due_at"] is None and rollcall.row("users", other)["idle_check_at"] is None)


def test_users_of_before_a_policy_are_idle_by_it_and_never_by_the_one_before(rollcall):
    """Between the change and the computing nobody is swept by old dates."""
    users = active_users(rollcall, 3)
    rollcall.admin.patch("/v1/policy", {"idle_after": "P1Y"}).ok(200)
    wait_until(lambda: rollcall.value("SELECT idle_applied LIKE 'P1Y%%' FROM rollcall.policy"))
    # Both at once: between two statements the clock may compute, and then the old dates are the new ones.
    rollcall.sql("WITH stale AS (UPDATE rollcall.policy SET idle_applied = 'P2Y')"
                 " UPDATE rollcall.users SET idle_due_at = now() - interval '1 day', idle_check_at = now() - interval '1 day'"
                 " WHERE id = ANY (%s)", users)
    nudge(rollcall)
    rounds(rollcall)
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE id = ANY (%s) AND status = 'active'", users) == 3


def test_whose_date_alone_is_moved_is_looked_at_by_the_next_sweep(rollcall):
    """What is kept as idle_due_at is what counts, whatever else the row says of him."""
    due, warned, away = (rollcall.create_active() for _ in range(3))
    wait_computed(rollcall)
    rollcall.add_day_off(away, "-1 hour", "1 day")
    for user, moment in ((away, "now() - interval '1 minute'"), (due, "now() - interval '1 minute'"), (warned, "now() + interval '10 days'")):
        rollcall.move("users", user, idle_due_at=moment)
    wait_until(lambda: status(rollcall, due) == ("inactive", "idle"))
    rollcall.wait_mail(warned["email"], kind="idle_warning")
    rounds(rollcall, 3)
    assert [status(rollcall, user)[0] for user in (warned, away)] == ["active"] * 2


def test_the_dates_of_a_new_organization_are_not_computed_anew(server_only):
    """Whoever's date was moved before the clock's first round there had it moved back."""
    other = server_only.other_organization()
    assert server_only.value("SELECT idle_applied = idle_after::text || ' ' || idle_warn_days::text || ' UTC' FROM rollcall.policy WHERE org_id = %s", other["id"])


# --- days off ---

def test_days_off_extend_the_time_and_one_today_spares(rollcall):
    """Quiet for three months, all of them: one was away a week of it, one is away now, one has been back too long."""
    idle, extended, away, warned, back = (rollcall.create_active() for _ in range(5))
    everybody = (idle, extended, away, back)
    for user in everybody:
        rollcall.move("users", user, last_login_at=LONG_AGO, last_active_at=LONG_AGO, status_changed_at=LONG_AGO)
    rollcall.add_day_off(extended, "-40 days", "-33 days")
    rollcall.add_day_off(back, "-1 year", "-4 months")
    today = rollcall.add_day_off(away, "-1 hour", "1 day")
    recompute(rollcall)
    for user in (idle, back):
        wait_until(lambda user=user: status(rollcall, user) == ("inactive", "idle"))
    assert rollcall.value("SELECT idle_due_at - now() BETWEEN interval '6 days' AND interval '8 days' FROM rollcall.users WHERE id = %s", extended["id"])
    # Away, and to be warned: the mail waits for his return.
    day_off = rollcall.add_day_off(warned, "-1 hour", "1 day")
    quiet_until_due(rollcall, warned, "10 days")
    rounds(rollcall, 3)
    assert [status(rollcall, user)[0] for user in (extended, away, warned)] == ["active"] * 3
    assert not rollcall.outbox(warned, "idle_warning") and not rollcall.outbox(away, "idle_warning")
    for user, one in ((away, today), (warned, day_off)):
        assert rollcall.row("users", user)["idle_check_at"] >= one["ends_at"][:10]
        assert rollcall.user(user)["version"] == user["version"]
    # He is back, a day later: rows are moved, not clocks.
    rollcall.sql("UPDATE rollcall.day_off SET during = tstzrange(lower(during) - interval '1 day', upper(during) - interval '1 day' - interval '1 minute')"
                 " WHERE id = ANY (%s)", [today["id"], day_off["id"]])
    rollcall.sql("UPDATE rollcall.users SET idle_check_at = now(), idle_due_at = least(idle_due_at, now() + interval '10 days') WHERE id = %s", warned["id"])
    rollcall.wait_mail(warned["email"], kind="idle_warning")
    rollcall.sql("UPDATE rollcall.users SET idle_check_at = now(), idle_due_at = now() WHERE id = %s", away["id"])
    wait_until(lambda: status(rollcall, away) == ("inactive", "idle"))


def test_who_fell_due_and_goes_on_a_day_off_is_spared_until_he_is_back(rollcall):
    """It came too late to count, but it is today."""
    second_worker(rollcall)
    user = rollcall.create_active()
    wait_computed(rollcall)
    # As if he had fallen due just before, and no clock had seen it: nobody looks for another minute.
    rollcall.move("users", user, last_login_at="now() - interval '4 months'", last_active_at="now() - interval '4 months'",
                  status_changed_at="now() - interval '4 months'", idle_due_at="now() - interval '1 minute'", idle_check_at="now() + interval '1 minute'")
    day_off = rollcall.add_day_off(user, "-1 second", "1 hour")
    recompute(rollcall)
    rounds(rollcall, 3)
    assert status(rollcall, user)[0] == "active"
    rollcall.admin.delete(f"/v1/users/{user['id']}/day-offs/{day_off['id']}").ok(204)
    nudge(rollcall)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))


def test_a_login_counts_the_days_off_to_come(rollcall):
    user = rollcall.create_active()
    rollcall.add_day_off(user, "10 days", "20 days")
    ten_days_more = "SELECT idle_due_at - (greatest(last_active_at, status_changed_at) + interval '3 months')" \
                    " BETWEEN interval '9 days 23 hours' AND interval '10 days 1 hour' FROM rollcall.users WHERE id = %s"
    assert rollcall.value(ten_days_more, user["id"])
    early = rollcall.row("users", user)["idle_due_at"]
    rollcall.sign_in(user)
    assert rollcall.row("users", user)["idle_due_at"] > early
    assert rollcall.value(ten_days_more, user["id"])


def test_the_idle_leave_what_they_were_assigned_where_the_policy_says_so(rollcall):
    rollcall.set_policy(assignments_on_inactivate="detach")
    user, other = rollcall.create_active(), rollcall.create_active()
    for number, holder in enumerate((user, user, other)):
        rollcall.admin.put(f"/v1/assignments/crm/deal/{number}", {"user_id": holder["id"]}).ok(200)
    quiet_since(rollcall, LONG_AGO, user)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))
    assert rollcall.admin.get(f"/v1/users/{user['id']}/assignments").items == []
    assert len(rollcall.admin.get(f"/v1/users/{other['id']}/assignments").items) == 1
    event, = rollcall.audit("user.idle", user)
    assert event["changes"]["assignments"] == [["crm/deal/0#assignee", "crm/deal/1#assignee"], None]


def test_the_last_administrator_stays_and_is_not_warned(rollcall):
    quiet_since(rollcall, LONG_AGO, rollcall.admin_id)
    wait_until(lambda: rollcall.value("SELECT idle_check_at > now() FROM rollcall.users WHERE id = %s", rollcall.admin_id),
               because="he is looked at again in a day")
    assert status(rollcall, rollcall.admin_id)[0] == "active"
    quiet_until_due(rollcall, rollcall.admin_id, "10 days")
    wait_until(lambda: rollcall.value("SELECT idle_check_at > now() FROM rollcall.users WHERE id = %s", rollcall.admin_id))
    assert not rollcall.outbox()


def test_of_two_idle_administrators_one_stays(rollcall):
    """Both stand in one sweep, and each looks dispensable as long as the other is there."""
    other = rollcall.create_administrator()
    rollcall.move("users", rollcall.admin_id, last_login_at=LONG_AGO, last_active_at=LONG_AGO, status_changed_at=LONG_AGO)
    quiet_since(rollcall, LONG_AGO, other)
    states = "SELECT status FROM rollcall.users WHERE id = ANY (%s) ORDER BY status"
    wait_until(lambda: "inactive" in rollcall.sql(states, [rollcall.admin_id, other["id"]]))
    rounds(rollcall, 3)
    assert rollcall.sql(states, [rollcall.admin_id, other["id"]]) == ["active", "inactive"]


def test_a_login_beats_the_sweep_or_is_beaten_but_never_both(rollcall):
    """The guard is checked again on the locked row: who came back meanwhile stays."""
    users = [rollcall.create_active() for _ in range(8)]
    quiet_since(rollcall, LONG_AGO, *users[:4])
    results = {}
    for user in users:
        quiet_until_due(rollcall, user, "0 days")
        results[user["id"]] = rollcall.login(user["email"], PASSWORD)
    rounds(rollcall, 3)
    for user in users:
        answer = results[user["id"]]
        inside = status(rollcall, user)[0] == "active"
        assert answer.status == (201 if inside else 401), answer


def test_warnings_that_cannot_be_written_wait_for_the_next_round(rollcall):
    """A row that somebody held kept the clock at its page without end, and from everything else."""
    users = active_users(rollcall, 1000)
    rollcall.sql("UPDATE rollcall.users SET email = NULL, idle_due_at = now() + interval '10 days', idle_check_at = now() + interval '3 seconds'"
                 " WHERE id = ANY (%s)", users)
    with rollcall.cluster.connect(rollcall.database) as other:
        other.autocommit = False
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [users[0]])
        rollcall.wait_for_lock()
        rounds(rollcall)
        other.rollback()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.users WHERE id = ANY (%s) AND idle_check_at > now()", users) == 1000)


# --- the brake ---

@pytest.fixture
def braked(rollcall):
    users = active_users(rollcall, 60)
    quiet_since(rollcall, LONG_AGO, *users[:13])
    wait_until(lambda: rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization"))
    return users[:13]


def idled(system):
    return system.value("SELECT count(*) FROM rollcall.users WHERE status_reason = 'idle'")


def test_the_brake_holds_and_tells_the_administrators_once_a_day(rollcall, braked):
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="idle_brake")
    assert mail.subject == "Акме & Sons: idle accounts need your decision (13)"
    assert mail.text.startswith("Hello Ada Administrator,")
    second_worker(rollcall)
    rounds(rollcall, 3)
    assert idled(rollcall) == 0
    assert len(rollcall.outbox(kind="idle_brake")) == 1
    rollcall.sql("UPDATE rollcall.organization SET idle_brake_mailed_at = idle_brake_mailed_at - interval '1 day'")
    rollcall.wait_mail(ADMIN_EMAIL, kind="idle_brake", count=2)
    rounds(rollcall, 3)
    assert len(rollcall.outbox(kind="idle_brake")) == 2 and idled(rollcall) == 0
    for program in (rollcall.worker,):
        assert re.search("held the idle sweep", program.text())


def test_a_release_lets_the_sweep_go_on_for_a_day(rollcall, braked):
    assert rollcall.admin.post("/v1/idle-sweeps/release").ok(200)["released_until"]
    wait_until(lambda: idled(rollcall) == 13)
    event, = rollcall.audit("idle_sweep.released")
    assert event["actor"] == {"kind": "user", "id": rollcall.admin_id, "name": event["actor"]["name"]}
    rollcall.wait_mail("quiet1@example.org", kind="account_idle")
    quiet_since(rollcall, LONG_AGO, *rollcall.sql("SELECT id FROM rollcall.users WHERE first_name = 'Quiet' AND status = 'active' LIMIT 12"))
    wait_until(lambda: idled(rollcall) == 25)
    rollcall.sql("UPDATE rollcall.organization SET idle_brake_released_until = now()")
    quiet_since(rollcall, LONG_AGO, *rollcall.sql("SELECT id FROM rollcall.users WHERE first_name = 'Quiet' AND status = 'active' LIMIT 12"))
    wait_until(lambda: rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization"))
    assert idled(rollcall) == 25


def test_only_who_may_change_the_policy_releases(server_only):
    server_only.anyone.post("/v1/idle-sweeps/release").refused(401)
    server_only.client(server_only.make_key("users:write")).post("/v1/idle-sweeps/release").refused(403, "permission_missing")


@pytest.mark.parametrize("active,due,brake,holds", [
    (13, 10, 20, False),     # so few are never held back, whatever their share
    (13, 11, 20, True),
    (54, 11, 20, False),     # with the administrator 55: a fifth is not more than a fifth
    (53, 11, 20, True),
    (30, 29, 100, False),
])
def test_the_brake_holds_for_more_than_ten_who_are_more_than_the_share(rollcall, active, due, brake, holds):
    rollcall.set_policy(idle_brake=brake)
    users = active_users(rollcall, active)
    quiet_since(rollcall, LONG_AGO, *users[:due])
    if holds:
        wait_until(lambda: rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization"))
        rounds(rollcall)
        assert idled(rollcall) == 0
    else:
        wait_until(lambda: idled(rollcall) == due)
        assert not rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization")


def test_who_falls_due_within_a_day_counts_for_the_brake(rollcall):
    """Otherwise an organization would drip away in rounds."""
    users = active_users(rollcall, 40)
    rollcall.sql("UPDATE rollcall.users SET idle_due_at = now() + n * interval '2 hours' - interval '1 hour', idle_check_at = now() FROM"
                 " (SELECT id AS user_id, row_number() OVER () - 1 AS n FROM unnest(%s::uuid[]) id) t WHERE id = user_id", users[:11])
    wait_until(lambda: rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization"))
    assert idled(rollcall) == 0


def test_under_the_brake_warnings_still_go_out(rollcall, braked):
    user = rollcall.create_active()
    quiet_until_due(rollcall, user, "10 days")
    rollcall.wait_mail(user["email"], kind="idle_warning")
    assert idled(rollcall) == 0


def test_more_than_a_thousand_are_swept_in_one_round(rollcall):
    rollcall.set_policy(idle_brake=100)
    users = active_users(rollcall, 2300)
    rollcall.sql("UPDATE rollcall.users SET email = NULL, idle_due_at = now(), idle_check_at = now() WHERE id = ANY (%s)", users)
    rollcall.sql("ANALYZE rollcall.users")
    wait_until(lambda: idled(rollcall) == 2300, timeout=20)


def test_other_organizations_keep_their_own_policy_and_brake(rollcall):
    other = rollcall.other_organization()
    rollcall.sql("UPDATE rollcall.policy SET idle_after = NULL WHERE org_id = %s", other["id"])
    rollcall.sql("UPDATE rollcall.users SET status = 'active', status_changed_at = now() - interval '9 years' WHERE id = %s", other["user_id"])
    user = rollcall.create_active()
    quiet_since(rollcall, LONG_AGO, user)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"))
    assert rollcall.value("SELECT status FROM rollcall.users WHERE id = %s", other["user_id"]) == "active"
