"""GET and PATCH /v1/organization."""
from support.waiting import wait_until


def test_an_organization_is_read_and_changed(standing):
    made = standing.other_organization()
    client = standing.client(made["key"])
    before = client.get("/v1/organization").ok(200)
    assert (before["id"], before["slug"], before["timezone"], before["locale"]) == (made["id"], made["slug"], "UTC", "en")
    wanted = {"name": "Нова назва", "contact_email": "help@example.org", "locale": "uk", "timezone": "Europe/Kyiv"}
    after = client.patch("/v1/organization", wanted, headers={"If-Match": before.headers["ETag"]}).ok(200)
    assert {name: after[name] for name in wanted} == wanted and after["version"] == before["version"] + 1
    assert client.get("/v1/organization").ok(200).body == after.body
    row = client.get("/v1/audit", action="organization.edited").ok(200).items[0]
    assert row["changes"] == {name: [before[name], value] for name, value in wanted.items()}
    client.patch("/v1/organization", {"name": "X"}, headers={"If-Match": before.headers["ETag"]}).refused(412, "version_mismatch")
    assert client.patch("/v1/organization", wanted).ok(200).body == after.body, "nothing to change"


def test_its_faults_come_at_once(standing):
    answer = standing.admin.patch("/v1/organization", {"name": "", "contact_email": "nobody", "locale": "fr", "timezone": "X5", "slug": "other",
                                                       "colour": 1}).refused(422, "invalid_body")
    assert answer.faults() == {"/name": "invalid", "/contact_email": "invalid", "/locale": "invalid", "/timezone": "invalid", "/slug": "read_only",
                               "/colour": "unknown_field"}
    for name in ("name", "contact_email", "locale", "timezone"):
        assert standing.admin.patch("/v1/organization", {name: None}).refused(422).faults() == {f"/{name}": "wrong_type"}


def test_reading_and_changing_need_their_permissions(standing):
    standing.client(standing.make_key("users:read")).get("/v1/organization").ok(200)
    standing.client(standing.make_key("users:read")).patch("/v1/organization", {"name": "X"}).refused(403, "permission_missing")
    standing.client(standing.make_key("audit:read")).get("/v1/organization").refused(403, "permission_missing")


def test_another_time_zone_moves_the_day_on_which_three_months_end(rollcall):
    user = rollcall.create_active()
    rollcall.move("users", user, last_login_at="'2026-06-10 22:30+00'", last_active_at="'2026-06-10 22:30+00'", status_changed_at="'2026-06-10 22:30+00'")
    rollcall.admin.patch("/v1/policy", {"idle_after": "P9Y8M"}).ok(200)
    due = "SELECT to_char(idle_due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM rollcall.users WHERE id = %s"
    wait_until(lambda: rollcall.value(due, user["id"]) == "2036-02-10 22:30")
    rollcall.admin.patch("/v1/organization", {"timezone": "Europe/Kyiv"}).ok(200)
    wait_until(lambda: rollcall.value(due, user["id"]) == "2036-02-10 23:30", because="in June it was 01:30 in Kyiv, and 01:30 in winter is later")
