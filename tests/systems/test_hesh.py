"""Hesh, from the top of its two pages to the end: S0, a user's general information, and S1, managing users."""
import datetime

import pytest

from support import images
from support.links import ADMINISTRATOR
from support.outbox import nudge
from support.system import ADMIN_EMAIL, PASSWORD, numbers
from support.waiting import wait_until

pytestmark = pytest.mark.preset("hesh")

SCREENS = {
    "S0-02": "the profile's side tabs in the console; GET /v1/users/{id}, /photo, /day-offs, /actions",
    "S1-21": "typing the password a second time, in the console; POST /v1/users/{id}/password takes it once",
    "S1-24": "Save and Cancel of the position's form in the console; PATCH /v1/users/{id} {position}",
}
DECISIONS = {
    "S0-10": "by hand means with a password (S1-22): policy admin_activates_pending is off here",
    "S1-10": "the copy that is complete counts: opening never consumes a link (S1-08)",
    "S1-15": "the one who invited; policy invitation_expiry_recipient",
}
NEW = "nine copper lanterns at dusk"


def path(user, part=None):
    return f"/v1/users/{user['id']}" + (f"/{part}" if part else "")


def do(system, user, action, body=None, client=None):
    return (client or system.admin).post(path(user, action), body)


def menu(system, user, name):
    """What one menu of a profile offers now."""
    rows = system.admin.get(path(user, "actions")).ok(200).items
    return {row["action"] for row in rows if row["menu"] == name and row["allowed"]}


def inactive(system):
    return do(system, system.create_active(), "inactivate").ok(200).body


def wait_invited(system, user):
    """The relay has taken the invitation, and the profile says so."""
    wait_until(lambda: system.user(user)["invitation"]["delivery"]["state"] == "sent", because="the invitation is sent")


def task():
    """Something that somebody may be given."""
    return f"/v1/assignments/hesh/task/{next(numbers)}"


def found(system, **params):
    return [user["id"] for user in system.admin.pages("/v1/users", **params)]


STATES = {"pending": lambda system: system.create_user(), "active": lambda system: system.create_active(), "inactive": inactive}


# --- General Information

def test_users_stand_in_a_list_and_are_opened_from_it(shared_rollcall):
    """S0-01: the list leads to the profile."""
    user = shared_rollcall.create_user(first_name="Соломія", last_name="Крушельницька")
    wait_invited(shared_rollcall, user)
    listed, = [one for one in shared_rollcall.admin.pages("/v1/users") if one["id"] == user["id"]]
    opened = shared_rollcall.user(listed)
    assert (listed["first_name"], listed["last_name"], listed["status_label"]) == ("Соломія", "Крушельницька", "Pending")
    assert listed.items() <= opened.items()


def test_a_photo_is_uploaded_and_removed_by_an_administrator(shared_rollcall):
    """S0-03, S0-04, S1-17: the photo of a profile comes and goes."""
    user = shared_rollcall.create_user()
    assert user["photo_url"] is None
    picture = images.png()
    shared_rollcall.admin.call("PUT", path(user, "photo"), data=picture, headers={"Content-Type": "image/png"}).ok(204)
    photo_url = shared_rollcall.user(user)["photo_url"]
    assert shared_rollcall.admin.get(photo_url).ok(200).response.content == picture
    shared_rollcall.admin.delete(path(user, "photo")).ok(204)
    assert shared_rollcall.user(user)["photo_url"] is None
    shared_rollcall.admin.get(path(user, "photo")).refused(404, "not_found")


MENUS = {"pending": {"inactivate": "inactive", "invite": "pending"}, "active": {"inactivate": "inactive"}, "inactive": {"activate": "active"}}


@pytest.mark.parametrize("status", MENUS)
def test_the_menu_of_a_status_offers_exactly_what_the_page_says(shared_rollcall, status):
    """S0-05, S0-06, S0-07, S0-08, S0-09, S1-17: and what it offers is done when it is chosen."""
    for action, leads_to in MENUS[status].items():
        user = STATES[status](shared_rollcall)
        assert (user["status"], menu(shared_rollcall, user, "status")) == (status, MENUS[status].keys())
        assert do(shared_rollcall, user, action).ok()["status"] == leads_to
        assert shared_rollcall.user(user)["status"] == leads_to


def test_a_pending_user_is_not_activated_by_hand_but_with_a_password(shared_rollcall):
    """S0-09, S0-10: what the page calls by hand is an administrator's password."""
    user = shared_rollcall.create_user()
    do(shared_rollcall, user, "activate").refused(403, "refused_by_policy", policy="admin_activates_pending")
    assert shared_rollcall.user(user)["status"] == "pending"
    assert do(shared_rollcall, user, "password", {"password": NEW}).ok(200)["status"] == "active"


@pytest.mark.parametrize("status", ["active", "inactive"])
def test_nothing_makes_anybody_pending_again(shared_rollcall, status):
    """S0-11: whatever is tried."""
    user = STATES[status](shared_rollcall)
    for action, body in (("invite", None), ("password", {"password": NEW}), ("activate", None), ("password-reset", None), ("inactivate", None), ("activate", None)):
        do(shared_rollcall, user, action, body)
        assert shared_rollcall.user(user)["status"] in ("active", "inactive")
    assert shared_rollcall.admin.patch(path(user), {"status": "pending"}).refused(422).faults() == {"/status": "read_only"}


def test_names_phone_and_external_id_are_edited_and_the_address_is_not(shared_rollcall):
    """S0-12, S0-13, S0-14, S1-17, S1-33: in every status."""
    words = {"first_name": "Lesia", "last_name": "Українка", "phone": "+380441234567"}
    for make in STATES.values():
        user = make(shared_rollcall)
        changes = {**words, "external_id": f"hesh-{next(numbers)}"}
        assert user["external_id"] is None
        assert changes.items() <= shared_rollcall.admin.patch(path(user), changes).ok(200).body.items()
        address = {"email": f"other{next(numbers)}@example.org"}
        shared_rollcall.admin.patch(path(user), address).refused(403, "refused_by_policy", policy="email_change")
        after = shared_rollcall.user(user)
        assert changes.items() <= after.items() and after["email"] == user["email"]
        later = {"external_id": f"hesh-{next(numbers)}"}
        assert shared_rollcall.admin.patch(path(user), later).ok(200)["external_id"] == later["external_id"]


def test_who_is_pending_was_added_and_invited_and_is_given_no_tasks(shared_rollcall):
    """S0-15, S0-16: he counts when he has accepted."""
    user = shared_rollcall.create_user()
    shared_rollcall.wait_mail(user["email"], kind="invitation")
    shown = shared_rollcall.user(user)
    assert (shown["status"], shown["invitation"]["state"], shown["assignable"]) == ("pending", "pending", False)
    shared_rollcall.admin.put(task(), {"user_id": user["id"]}).refused(409, "state_conflict")
    assert user["id"] not in found(shared_rollcall, assignable="true")


def test_a_user_who_sets_his_password_is_active(shared_rollcall):
    """S0-17: the user himself, through the mail; the administrator's way is S1-22."""
    user = shared_rollcall.create_user()
    link = shared_rollcall.wait_mail(user["email"], kind="invitation").link
    assert shared_rollcall.accept(link).ok(200)["status"] == "active"
    shown = shared_rollcall.user(user)
    assert (shown["status"], shown["status_reason"], shown["invitation"]["state"]) == ("active", "accepted", "accepted")


def test_who_is_active_logs_in_gives_tasks_is_given_some_and_completes_them(shared_rollcall):
    """S0-18: to give tasks needs its permission."""
    lead = shared_rollcall.create_active(own_permissions=["users:read", "users:write"])
    performer = shared_rollcall.create_active()
    client, one = shared_rollcall.sign_in(lead), task()
    client.put(one, {"user_id": performer["id"]}).ok(200)
    assert performer["id"] in found(shared_rollcall, assignable="true")
    assert len(shared_rollcall.admin.get(path(performer, "assignments")).ok(200).items) == 1
    client.delete(one).ok(204)
    assert shared_rollcall.admin.get(path(performer, "assignments")).ok(200).items == []


def test_only_administrators_inactivate_and_time_does_not(shared_rollcall):
    """S0-19: from pending and from active; two years without a login change nothing."""
    for status in ("pending", "active"):
        user = STATES[status](shared_rollcall)
        after = do(shared_rollcall, user, "inactivate").ok(200)
        assert (after["status"], after["status_reason"]) == ("inactive", "by_admin")
    quiet, nobody = shared_rollcall.create_active(), shared_rollcall.create_active()
    do(shared_rollcall, quiet, "inactivate", client=shared_rollcall.sign_in(nobody)).refused(403, "permission_missing")
    long_ago = "now() - interval '2 years'"
    shared_rollcall.move("users", quiet, last_login_at=long_ago, last_active_at=long_ago, status_changed_at=long_ago)
    shared_rollcall.sql("UPDATE rollcall.policy SET idle_applied = 'stale'")
    nudge(shared_rollcall)
    wait_until(lambda: shared_rollcall.value("SELECT idle_applied <> 'stale' FROM rollcall.policy"))
    assert shared_rollcall.user(quiet)["status"] == "active"
    assert shared_rollcall.row("users", quiet)["idle_due_at"] is None, "nor will he ever fall due"


def test_who_is_inactive_is_out_at_once_and_given_nothing(shared_rollcall):
    """S0-20: not even a link to reset his password."""
    user = shared_rollcall.create_active()
    client = shared_rollcall.sign_in(user)
    do(shared_rollcall, user, "inactivate").ok(200)
    client.get("/v1/me").refused(401)
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    shared_rollcall.ask_reset(user)
    assert shared_rollcall.outbox(user, "password_reset") == []
    shared_rollcall.admin.put(task(), {"user_id": user["id"]}).refused(409, "state_conflict")
    assert user["id"] not in found(shared_rollcall, assignable="true")


def test_who_is_inactive_stays_in_the_list_and_in_what_was(shared_rollcall):
    """S0-21: his tasks and his history are readable, too."""
    user, one = shared_rollcall.create_active(), task()
    shared_rollcall.admin.put(one, {"user_id": user["id"]}).ok(200)
    do(shared_rollcall, user, "inactivate", {"reason": "moved to Lviv"}).ok(200)
    assert user["id"] in found(shared_rollcall) and user["id"] in found(shared_rollcall, status="inactive")
    assert shared_rollcall.admin.get(one).items[0]["user_id"] == user["id"]
    history = shared_rollcall.admin.get(path(user, "history")).ok(200).items
    assert [row["action"] for row in history] == ["user.inactivated", "user.invitation_accepted", "user.created"]
    assert history[0]["changes"]["note"] == [None, "moved to Lviv"]


def test_a_profile_has_security_position_permissions_and_days_off(shared_rollcall):
    """S0-22: each is a part that an administrator reads and changes."""
    user = shared_rollcall.create_active()
    assert menu(shared_rollcall, user, "security") == {"set_password", "send_password_reset"}
    changed = shared_rollcall.admin.patch(path(user), {"position": "Welder", "own_permissions": ["product:view", "task:write"]}).ok(200)
    assert (changed["position"], changed["permissions"]) == ("Welder", ["product:view", "task:write"])
    shared_rollcall.add_day_off(user)
    assert len(shared_rollcall.admin.get(path(user, "day-offs")).ok(200).items) == 1


def test_another_program_works_on_users_with_a_key(shared_rollcall):
    """S0-23: the public API, with a key that may do just that."""
    client = shared_rollcall.client(shared_rollcall.make_key("users:read", "users:write", "users:invite", name="ERP"))
    body = {"email": "from-erp@example.org", "first_name": "Taras", "last_name": "Shevchenko", "external_id": "erp-1"}
    user = client.post("/v1/users", body).ok(201)
    assert [one["id"] for one in client.get("/v1/users", external_id="erp-1").ok(200).items] == [user["id"]]
    assert client.patch(path(user), {"phone": "+380501112233"}).ok(200)["phone"] == "+380501112233"
    assert do(shared_rollcall, user, "inactivate", client=client).ok(200)["status"] == "inactive"
    client.get("/v1/policy").refused(403, "permission_missing")


# --- Managing users

def test_a_new_user_is_pending_in_the_list_at_once_and_invited_unasked(shared_rollcall):
    """S1-01, S1-03, S1-04, S1-05: three fields are enough, and the invitation cannot be declined."""
    body = {"email": "new.one@example.org", "first_name": "Нова", "last_name": "Людина"}
    declined = {**body, "email": "declined@example.org", "invite": False}
    shared_rollcall.admin.post("/v1/users", declined).refused(403, "refused_by_policy", policy="invite_on_create")
    user = shared_rollcall.admin.post("/v1/users", body).ok(201).body
    assert (user["status"], user["status_reason"]) == ("pending", "invited")
    assert found(shared_rollcall, sort="-created_at", limit=1)[0] == user["id"]
    assert body.items() <= shared_rollcall.user(user).items()
    assert user["position"] is None and user["department_id"] is None and user["permissions"] == ["product:view"]
    assert shared_rollcall.admin.get(path(user, "day-offs")).ok(200).items == []
    assert menu(shared_rollcall, user, "security") == {"set_password"}
    mail = shared_rollcall.wait_mail(user["email"])
    assert mail.subject == "Акме & Sons invites you" and "Нова" in mail.text
    assert mail.link.startswith(f"{shared_rollcall.url}/accept#")
    wait_invited(shared_rollcall, user)


def test_whoever_is_new_may_see_products_and_nothing_else(shared_rollcall):
    """S1-02: the permission is the product's own word; Rollcall reports it."""
    user = shared_rollcall.create_active()
    assert (user["permissions"], user["role_id"]) == (["product:view"], None)
    client = shared_rollcall.sign_in(user)
    assert client.get("/v1/auth/verify").ok(204).headers["X-Rollcall-Permissions"] == "product:view"
    for closed in ("/v1/users", "/v1/policy", "/v1/audit"):
        client.get(closed).refused(403, "permission_missing")


def test_an_invitation_is_sent_again_while_pending_and_never_later(shared_rollcall):
    """S1-06, S1-16: again is by hand and to the user, whose newest link is the one that works."""
    user = shared_rollcall.create_user()
    first = shared_rollcall.wait_mail(user["email"]).link
    do(shared_rollcall, user, "invite").ok(202)
    second = shared_rollcall.wait_mail(user["email"], kind="invitation", count=2).link
    shared_rollcall.accept(first).refused(410, "link_revoked")
    shared_rollcall.accept(second).ok(200)
    do(shared_rollcall, user, "invite").refused(403, "refused_by_policy", policy="invitation_resend_to")
    do(shared_rollcall, inactive(shared_rollcall), "invite").refused(409, "state_conflict")


def test_a_link_lives_for_24_hours(shared_rollcall):
    """S1-07: to the second before, and not after."""
    user = shared_rollcall.create_user()
    made, ends = (datetime.datetime.fromisoformat(at) for at in (user["created_at"], user["invitation"]["expires_at"]))
    assert ends - made == datetime.timedelta(hours=24)
    link = shared_rollcall.wait_mail(user["email"]).link
    shared_rollcall.inspect(link).ok(200)
    shared_rollcall.move("invitation", user, expires_at="expires_at - interval '24 hours'")
    shared_rollcall.inspect(link).refused(410, "link_expired")
    shared_rollcall.accept(link).refused(410, "link_expired")
    assert shared_rollcall.user(user)["status"] == "pending"


def test_a_link_is_opened_many_times_until_the_password_is_set(shared_rollcall):
    """S1-08, S1-09: then it is dead."""
    user = shared_rollcall.create_user(first_name="Мавка")
    link = shared_rollcall.wait_mail(user["email"]).link
    for _ in range(5):
        assert shared_rollcall.anyone.get("/accept").status == 200
        shown = shared_rollcall.inspect(link).ok(200)
        assert (shown["email"], shown["first_name"]) == (user["email"], "Мавка")
    shared_rollcall.accept(link, "short").refused(422)
    shared_rollcall.accept(link).ok(200)
    shared_rollcall.inspect(link).refused(410, "link_used")
    shared_rollcall.accept(link, NEW).refused(410, "link_used")
    shared_rollcall.login(user["email"], PASSWORD).ok(201)


def test_an_administrators_password_kills_the_link(shared_rollcall):
    """S1-11: the administrator's password stands."""
    user = shared_rollcall.create_user()
    link = shared_rollcall.wait_mail(user["email"]).link
    do(shared_rollcall, user, "password", {"password": NEW}).ok(200)
    shared_rollcall.inspect(link).refused(410, "link_revoked")
    shared_rollcall.accept(link).refused(410, "link_revoked")
    shared_rollcall.login(user["email"], NEW).ok(201)


def test_inactivating_a_pending_user_kills_the_link_for_good(shared_rollcall):
    """S1-12, S1-13: coming back does not revive it."""
    user = shared_rollcall.create_user()
    link = shared_rollcall.wait_mail(user["email"]).link
    assert do(shared_rollcall, user, "inactivate").ok(200)["invitation"]["state"] == "revoked"
    shared_rollcall.accept(link).refused(410, "link_revoked")
    assert do(shared_rollcall, user, "activate").ok(200)["status"] == "active"
    shared_rollcall.inspect(link).refused(410, "link_revoked")
    shared_rollcall.accept(link).refused(410, "link_revoked")


def test_an_expired_link_brings_a_new_one_to_the_administrator_who_invited(shared_rollcall):
    """S1-14, S1-15, S1-16: unasked, to him alone; the user gets no second mail."""
    manager = shared_rollcall.create_active(own_permissions=["users:read", "users:write", "users:invite"])
    user = shared_rollcall.sign_in(manager).post("/v1/users", {"email": "late@example.org", "first_name": "Пізній", "last_name": "Гість"}).ok(201).body
    old = shared_rollcall.wait_mail(user["email"]).link
    shared_rollcall.move("invitation", user, expires_at="now() - interval '1 second'")
    nudge(shared_rollcall)
    mail = shared_rollcall.wait_mail(manager["email"], kind="invitation_expired")
    assert "Пізній Гість" in mail.subject and mail.link == shared_rollcall.link(user, channel=ADMINISTRATOR)
    assert len(shared_rollcall.mails(user["email"])) == 1 and not shared_rollcall.mails(ADMIN_EMAIL, subject="Пізній")
    shared_rollcall.accept(old).refused(410, "link_expired")
    assert shared_rollcall.accept(mail.link).ok(200)["status"] == "active"


def test_the_security_part_offers_a_pending_user_a_password_which_makes_him_active(shared_rollcall):
    """S0-17, S1-18, S1-21, S1-22: the answer to a password is the user as he is now."""
    user = shared_rollcall.create_user()
    assert menu(shared_rollcall, user, "security") == {"set_password"}
    assert do(shared_rollcall, user, "password", {"password": "short"}).refused(422).faults() == {"/password": "too_short"}
    after = do(shared_rollcall, user, "password", {"password": NEW}).ok(200)
    assert (after["id"], after["status"], after["status_reason"]) == (user["id"], "active", "by_admin")
    shared_rollcall.login(user["email"], NEW).ok(201)


def test_others_get_a_password_by_hand_or_a_link_like_the_one_of_forgot_password(shared_rollcall):
    """S1-19, S1-20, S1-21: the two links are of one kind, and each sets a password."""
    user = shared_rollcall.create_active()
    assert menu(shared_rollcall, user, "security") == {"set_password", "send_password_reset"}
    assert do(shared_rollcall, user, "password", {"password": NEW}).ok(200)["status"] == "active"
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    shared_rollcall.login(user["email"], NEW).ok(201)
    subjects = set()
    for nth, ask in enumerate((lambda: do(shared_rollcall, user, "password-reset").ok(202), lambda: shared_rollcall.ask_reset(user)), 1):
        ask()
        mail = shared_rollcall.wait_mail(user["email"], kind="password_reset", count=nth)
        subjects.add(mail.subject)
        assert mail.link.startswith(f"{shared_rollcall.url}/reset-password#")
        password = f"{NEW} number {nth}"
        shared_rollcall.complete_reset(mail.link, password).ok(204)
        shared_rollcall.login(user["email"], password).ok(201)
    assert len(subjects) == 1


def test_a_position_is_chosen_or_written_and_puts_nobody_into_a_department(shared_rollcall):
    """S1-23, S1-25: several may share one; a department is given apart, and not deleted while it is used."""
    listed = shared_rollcall.admin.post("/v1/positions", {"title": "Carpenter"}).ok(201).body
    first, second = shared_rollcall.create_active(), shared_rollcall.create_user()
    for user in (first, second):
        chosen = shared_rollcall.admin.patch(path(user), {"position": "Carpenter"}).ok(200)
        assert (chosen["position"], chosen["department_id"]) == ("Carpenter", None)
    assert shared_rollcall.admin.get(f"/v1/positions/{listed['id']}").ok(200)["users"] == 2
    written = shared_rollcall.admin.patch(path(first), {"position": "Майстер цеху"}).ok(200)
    assert (written["position"], written["department_id"]) == ("Майстер цеху", None)
    assert "Майстер цеху" in [row["title"] for row in shared_rollcall.admin.pages("/v1/positions")]
    works = shared_rollcall.admin.post("/v1/departments", {"name": "Works"}).ok(201).body
    hall = shared_rollcall.admin.post("/v1/departments", {"name": "Hall 2", "parent_id": works["id"]}).ok(201).body
    assert hall["path"] == ["Works", "Hall 2"]
    moved = shared_rollcall.admin.patch(path(first), {"department_id": hall["id"]}).ok(200)
    assert (moved["position"], moved["department_id"]) == ("Майстер цеху", hall["id"])
    shared_rollcall.admin.delete(f"/v1/departments/{hall['id']}").refused(409, "state_conflict")
    shared_rollcall.admin.patch(path(first), {"department_id": None}).ok(200)
    one = task()
    shared_rollcall.admin.put(one, {"department_id": hall["id"]}).ok(200)
    shared_rollcall.admin.delete(f"/v1/departments/{hall['id']}").refused(409, "state_conflict")


@pytest.fixture(scope="module")
def crew(shared_rollcall):
    """Four users with one word in common, by name: {name: user}."""
    made = {}
    for name, status in (("Borys", "pending"), ("Alla", "inactive"), ("Halyna", "active"), ("Vira", "active")):
        make = shared_rollcall.create_user if status == "pending" else shared_rollcall.create_active
        made[name] = make(first_name=name, last_name="Crewmember")
        if status == "inactive":
            do(shared_rollcall, made[name], "inactivate").ok(200)
    for name in ("Vira", "Borys"):
        shared_rollcall.add_day_off(made[name])
    return made


ORDERS = {
    "name": "Alla Borys Halyna Vira", "-name": "Vira Halyna Borys Alla",
    "created_at": "Borys Alla Halyna Vira", "-created_at": "Vira Halyna Alla Borys",
    "status": "Halyna Vira Alla Borys", "-status": "Borys Alla Vira Halyna",
}


@pytest.mark.parametrize("sort", ORDERS)
def test_the_list_is_sorted_by_name_status_and_date_both_ways(shared_rollcall, crew, sort):
    """S1-26: the oldest or the newest first, from A to Z or back."""
    listed = shared_rollcall.admin.pages("/v1/users", q="crewmember", sort=sort)
    assert " ".join(user["first_name"] for user in listed) == ORDERS[sort]
    assert len(listed) == len(crew)


FILTERS = {
    "all": ({}, "Alla Borys Halyna Vira"), "active": ({"status": "active"}, "Halyna Vira"), "inactive": ({"status": "inactive"}, "Alla"),
    "pending": ({"status": "pending"}, "Borys"), "at vacation": ({"vacation": "on"}, "Borys Vira"), "not at vacation": ({"vacation": "off"}, "Alla Halyna"),
    "active and at vacation": ({"status": "active", "vacation": "on"}, "Vira"),
    "active and not at vacation": ({"status": "active", "vacation": "off"}, "Halyna"),
    "inactive and at vacation": ({"status": "inactive", "vacation": "on"}, ""),
}


@pytest.mark.parametrize("name", FILTERS)
def test_the_list_is_filtered_by_status_and_vacation_and_both(shared_rollcall, crew, name):
    """S1-27, S1-28, S1-29: "all" is no filter."""
    params, expected = FILTERS[name]
    listed = shared_rollcall.admin.pages("/v1/users", q="crewmember", sort="name", **params)
    assert " ".join(user["first_name"] for user in listed) == expected
    assert all(user["on_day_off"] == (user["first_name"] in ("Vira", "Borys")) for user in listed)


def test_a_word_is_searched_for_in_ones_own_company(shared_rollcall):
    """S1-30: a namesake in another company is not found."""
    user = shared_rollcall.create_user(first_name="Роксолана", last_name="Лісовська", phone="+380671234500")
    other = shared_rollcall.other_organization("hesh")
    stranger = shared_rollcall.client(other["key"])
    body = {"email": "rox@other.example", "first_name": "Роксолана", "last_name": "Лісовська"}
    namesake = stranger.post("/v1/users", body).ok(201)
    for word in ("Роксолана", "ЛІСОВ", user["email"], "671234500"):
        assert found(shared_rollcall, q=word) == [user["id"]]
    assert [one["id"] for one in stranger.pages("/v1/users", q="роксолана")] == [namesake["id"]]
    shared_rollcall.admin.get(path(namesake)).refused(404, "not_found")


def test_a_user_is_inactivated_and_never_deleted(shared_rollcall):
    """S1-31: deleting is neither offered nor done."""
    user = shared_rollcall.create_user()
    assert "delete" not in menu(shared_rollcall, user, "other")
    shared_rollcall.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).refused(403, "refused_by_policy", policy="deletion")
    assert shared_rollcall.admin.delete(path(user)).status == 405
    assert do(shared_rollcall, user, "inactivate").ok(200)["status"] == "inactive"


def test_who_comes_back_finds_his_profile_as_it_was(shared_rollcall):
    """S1-32: with his password, position and photo."""
    user = shared_rollcall.create_active(phone="+380441110022", position="Painter", external_id="back-1", own_permissions=["task:read"])
    shared_rollcall.admin.call("PUT", path(user, "photo"), data=images.png(), headers={"Content-Type": "image/png"}).ok(204)
    before = shared_rollcall.user(user)
    do(shared_rollcall, user, "inactivate").ok(200)
    do(shared_rollcall, user, "activate").ok(200)
    after = shared_rollcall.user(user)
    differs = {name for name in before if before[name] != after[name]}
    assert differs <= {"status_reason", "status_changed_at", "version", "updated_at", "last_active_at", "invitation"}
    assert after["status"] == "active"
    shared_rollcall.sign_in(user).get("/v1/me").ok(200)


def test_days_off_have_date_and_time_and_spare_their_user_work(shared_rollcall):
    """S1-34: a date without a time is refused; when the day off ends, he is given tasks again."""
    user = shared_rollcall.create_active()
    dates = {"starts_at": "2040-07-01", "ends_at": "2040-07-02"}
    assert shared_rollcall.admin.post(path(user, "day-offs"), dates).refused(422).faults() == {"/starts_at": "invalid", "/ends_at": "invalid"}
    day_off = shared_rollcall.add_day_off(user, note="dentist")
    shown = shared_rollcall.user(user)
    assert (shown["on_day_off"], shown["assignable"]) == (True, False)
    shared_rollcall.admin.put(task(), {"user_id": user["id"]}).refused(409, "state_conflict", policy="assignable_on_day_off")
    over = {"ends_at": shared_rollcall.moment("-1 second")}
    shared_rollcall.admin.patch(path(user, f"day-offs/{day_off['id']}"), over).ok(200)
    assert shared_rollcall.user(user)["assignable"] is True
    shared_rollcall.admin.put(task(), {"user_id": user["id"]}).ok(200)
    shared_rollcall.admin.delete(path(user, f"day-offs/{day_off['id']}")).ok(204)
    assert shared_rollcall.admin.get(path(user, "day-offs")).ok(200).items == []
