"""Users who have gone quiet: warned, inactivated, spared, and the brake (scenario 6)."""
import pytest

from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"


def quiet_since(system, *users, ago):
    """As if these users had last been here so long ago, and the clock computed their day anew."""
    for user in users:
        moment = f"now() - interval '{ago}'"
        system.move("users", user, last_login_at=moment, last_active_at=moment, status_changed_at=moment)
    system.sql("UPDATE rollcall.policy SET idle_applied = NULL")
    wait_until(lambda: system.value("SELECT idle_applied IS NOT NULL FROM rollcall.policy WHERE org_id = %s", system.org_id), timeout=20)


def status(system, user):
    row = system.row("users", user)
    return row["status"], row["status_reason"]


def make_users(system, count):
    """Active users by the dozen, without mails or passwords."""
    ids = system.sql("INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)"
                     " SELECT %s, gen_random_uuid(), 'crowd' || n || '@example.org', 'C', n::text, 'active', 'accepted', 1 FROM generate_series(1, %s) n RETURNING id",
                     system.org_id, count)
    return [{"id": str(one)} for one in ids]


def test_a_user_idle_for_three_calendar_months_is_inactivated_and_one_idle_a_day_less_is_not(rollcall):
    gone, here = rollcall.create_active(), rollcall.create_active()
    client = rollcall.sign_in(gone)
    make_users(rollcall, 20)
    quiet_since(rollcall, here, ago="3 months -1 day")
    quiet_since(rollcall, gone, ago="3 months")
    wait_until(lambda: status(rollcall, gone) == ("inactive", "idle"), timeout=20)
    assert rollcall.wait_mail(gone["email"], kind="account_idle").link is None
    client.get("/v1/me").refused(401)
    rollcall.login(gone["email"], PASSWORD).refused(401, "login_failed")
    assert status(rollcall, here) == ("active", "accepted")
    assert rollcall.audit("user.idle", gone)[0]["actor"]["kind"] == "system"
    rollcall.admin.post(f"/v1/users/{gone['id']}/activate").ok(200)
    rollcall.login(gone["email"], PASSWORD).ok(201)


def due_in(system, user, days, looked_at):
    """His day is so many days away, and the clock looks at him next so many days before it."""
    system.move("users", user, idle_due_at=f"now() + interval '{days} days'", idle_check_at=f"now() + interval '{days - looked_at} days'")


@pytest.mark.parametrize("days, next_look", [(14, 3), (3, 0)])
def test_a_warning_goes_out_once_that_many_days_before(rollcall, days, next_look):
    user, other = rollcall.create_active(), rollcall.create_active()
    wait_until(lambda: rollcall.value("SELECT idle_applied IS NOT NULL FROM rollcall.policy"))
    due_in(rollcall, other, days + 1, looked_at=days)
    due_in(rollcall, user, days, looked_at=days)
    mail = rollcall.wait_mail(user["email"], kind="idle_warning", timeout=20)
    assert str(days) in mail.text
    assert rollcall.value("SELECT idle_check_at = idle_due_at - make_interval(days => %s) FROM rollcall.users WHERE id = %s", next_look, user["id"])
    # After another round of the clock there is still one, and none for whom is not that far.
    late = rollcall.create_active()
    due_in(rollcall, late, days, looked_at=days)
    rollcall.wait_mail(late["email"], kind="idle_warning", timeout=20)
    assert len(rollcall.mails(user["email"], kind="idle_warning")) == 1
    assert rollcall.mails(other["email"], kind="idle_warning") == []
    assert status(rollcall, user)[0] == "active"


def test_whoever_comes_back_after_a_warning_starts_anew(rollcall):
    user = rollcall.create_active()
    wait_until(lambda: rollcall.value("SELECT idle_applied IS NOT NULL FROM rollcall.policy"))
    due_in(rollcall, user, 3, looked_at=3)
    rollcall.wait_mail(user["email"], kind="idle_warning", timeout=20)
    rollcall.login(user["email"], PASSWORD).ok(201)
    assert rollcall.value("SELECT idle_due_at > now() + interval '85 days' FROM rollcall.users WHERE id = %s", user["id"])


def test_nobody_becomes_idle_where_the_policy_is_off(rollcall):
    user = rollcall.create_active()
    rollcall.admin.patch("/v1/policy", {"idle_after": None}).ok(200)
    quiet_since(rollcall, user, ago="5 years")
    assert rollcall.row("users", user)["idle_due_at"] is None
    rollcall.admin.patch("/v1/policy", {"idle_after": "P1Y"}).ok(200)
    wait_until(lambda: status(rollcall, user) == ("inactive", "idle"), timeout=20)


def test_the_last_administrator_never_becomes_idle_but_another_does(rollcall):
    second = rollcall.create_administrator()
    make_users(rollcall, 20)
    quiet_since(rollcall, {"id": rollcall.admin_id}, second, ago="1 year")
    wait_until(lambda: "inactive" in (status(rollcall, second)[0], status(rollcall, rollcall.admin_id)[0]), timeout=20)
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.users WHERE status = 'active' AND idle_check_at <= now()") == 0, timeout=20)
    assert sorted([status(rollcall, second)[0], status(rollcall, rollcall.admin_id)[0]]) == ["active", "inactive"]


def test_pending_and_locked_users_do_not_become_idle(rollcall):
    pending, locked = rollcall.create_user(), rollcall.create_active()
    rollcall.move("users", locked, status="'locked'", status_before_lock="'active'")
    make_users(rollcall, 20)
    quiet_since(rollcall, pending, locked, ago="1 year")
    assert (status(rollcall, pending)[0], status(rollcall, locked)[0]) == ("pending", "locked")


def test_the_brake_holds_when_too_many_would_go_until_somebody_releases_it(rollcall):
    crowd = make_users(rollcall, 40)
    quiet_since(rollcall, *crowd[:15], ago="4 months")
    mail = rollcall.wait_mail("admin@example.org", kind="idle_brake", timeout=20)
    assert "15" in mail.text
    wait_until(lambda: rollcall.value("SELECT idle_braked_at IS NOT NULL FROM rollcall.organization"))
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE status = 'inactive'") == 0
    rollcall.admin.post("/v1/idle-sweeps/release").ok(200)
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.users WHERE status_reason = 'idle'") == 15, timeout=20)
    assert len(rollcall.mails("admin@example.org", kind="idle_brake")) == 1


def test_ten_users_are_never_held_back(rollcall):
    crowd = make_users(rollcall, 10)
    quiet_since(rollcall, *crowd, ago="4 months")
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.users WHERE status_reason = 'idle'") == 10, timeout=20)
