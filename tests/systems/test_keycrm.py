"""KeyCRM's page "Viewing, adding and blocking users" from top to bottom (SEEDS.md, S3).

The administrator reads Russian, as the page does. He makes people known by a login and a
password that he chooses himself; a letter tells them where to sign in, and the first login
makes them active. Nobody is ever deleted: who must go is blocked.
"""
import itertools

import pytest

from support import images
from support.system import PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.preset("keycrm")

# Rows about a screen that is not there yet, with the API that will serve it.
SCREENS = {}
# Rows that record a gap of the page, with what was decided.
DECISIONS = {}

PENDING, ACTIVE, BLOCKED = "В ожидании", "Активный", "Заблокирован"
OTHER_PASSWORD = "nine copper lanterns at dusk"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def crm(shared_rollcall):
    """The system with its administrator as `boss`, and its roles by name."""
    shared_rollcall.boss = shared_rollcall.client(shared_rollcall.admin_token, **{"Accept-Language": "ru-RU,ru;q=0.9"})
    shared_rollcall.roles = {role["name"]: role for role in shared_rollcall.boss.pages("/v1/roles")}
    return shared_rollcall


def card(crm, **fields):
    """What the form "Add user" asks for; None leaves a field out."""
    number = next(numbers)
    body = {"first_name": "Ірина", "last_name": f"Лисенко {number}", "username": f"iryna{number}", "email": f"iryna{number}@example.org",
            "role_id": crm.roles["Manager"]["id"], "password": PASSWORD, **fields}
    return {name: value for name, value in body.items() if value is not None}


def add(crm, **fields):
    return crm.boss.post("/v1/users", card(crm, **fields)).ok(201).body


def add_active(crm, **fields):
    user = add(crm, **fields)
    crm.login(user["username"], PASSWORD).ok(201)
    return show(crm, user)


def path(user):
    return f"/v1/users/{user['id']}"


def show(crm, user):
    return crm.boss.get(path(user)).ok(200).body


def action(crm, user, name):
    return next(item for item in crm.boss.get(f"{path(user)}/actions").ok(200).items if item["action"] == name)


def letters(crm, user):
    """The kinds of all mails about somebody, oldest first."""
    return [row["kind"] for row in reversed(crm.outbox(user))]


# --- adding

def test_the_number_of_users_has_no_limit_and_no_price(crm):
    """S3-01: no policy and no answer counts them, however many there are."""
    crm.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, status, status_reason, version)"
            " SELECT %s, gen_random_uuid(), 'Zoe', n::text, 'pending', 'created', 1 FROM generate_series(1, 5000) n", crm.org_id)
    add(crm)
    assert crm.boss.get("/v1/users", count="true").ok(200)["total"] > 5000
    assert not [name for name in crm.boss.get("/v1/policy").ok(200).body if "users" in name or "seats" in name or "price" in name]
    crm.sql("DELETE FROM rollcall.users WHERE first_name = 'Zoe'")


def test_each_user_has_a_role_of_his_own_and_what_it_gives(crm):
    """S3-02, S3-08: one from the list, with the accesses that fit the position."""
    for name in ("Manager", "Operator"):
        user = add_active(crm, role_id=crm.roles[name]["id"])
        assert (user["role"], user["permissions"]) == (name, crm.roles[name]["permissions"])
        client = crm.client(crm.login(user["username"], PASSWORD).ok(201)["token"])
        assert client.get("/v1/users").status == (200 if name == "Manager" else 403)
    crm.boss.patch(path(user), {"own_permissions": ["orders:read"]}).refused(403, "refused_by_policy", policy="permissions_per_user")


def test_a_role_is_made_together_with_the_user(crm):
    """S3-08: "or create a new one, and say which accesses"."""
    user = add(crm, role_id=None, role={"name": "Кладовщик", "permissions": ["stock:read", "stock:write"]})
    assert (user["role"], user["permissions"]) == ("Кладовщик", ["stock:read", "stock:write"])
    assert add(crm, role_id=user["role_id"])["role"] == "Кладовщик", "it stands in the list for the next one"
    made = crm.boss.get(f"/v1/roles/{user['role_id']}").ok(200).body
    assert made["users"] == 2
    crm.boss.post("/v1/users", card(crm, role_id=None, role={"name": "кладовщик", "permissions": []})).refused(409, "name_taken")


def test_the_form_makes_a_user_who_is_in_the_list_at_once_and_waits(crm):
    """S3-03, S3-05, S3-15: the new user appears as «В ожидании»."""
    made = crm.boss.post("/v1/users", card(crm, first_name="Олена", last_name="Шевченко-Ґалаґан")).ok(201)
    user = made.body
    assert made.headers["Location"] == path(user)
    assert (user["first_name"], user["last_name"]) == ("Олена", "Шевченко-Ґалаґан")
    assert (user["status"], user["status_reason"], user["status_label"]) == ("pending", "invited", PENDING)
    listed = next(row for row in crm.boss.pages("/v1/users", limit=200) if row["id"] == user["id"])
    assert (listed["status_label"], listed["role"]) == (PENDING, "Manager")


def test_a_few_letters_find_a_person(crm):
    """S3-04: by name, login, address or phone, in any capitals."""
    user = add(crm, first_name="Святослав", last_name="Вакуленко", username="vakula77", email="blacksmith@dykanka.example", phone="+380441112233")
    for typed in ("вакул", "СВЯТО", "vakula", "dykanka", "1112233"):
        assert [row["id"] for row in crm.boss.get("/v1/users", q=typed).ok(200).items] == [user["id"]], typed
    assert crm.boss.get("/v1/users", q="nobody at all").ok(200).items == []


def test_the_login_is_another_name_than_the_address_and_lets_in(crm):
    """S3-06: the login logs in, the address does not."""
    user = add(crm)
    crm.login(user["email"], PASSWORD).refused(401, "login_failed")
    assert crm.login(user["username"].upper(), PASSWORD).ok(201)["user"]["id"] == user["id"]
    crm.boss.post("/v1/users", card(crm, username=user["username"])).refused(409, "username_taken")


def test_phone_and_address_may_be_missing_and_nothing_else(crm):
    """S3-09, S3-05, S3-06, S3-08: all that is missing is named at once."""
    form = card(crm)
    answer = crm.boss.post("/v1/users", {"email": form["email"], "password": PASSWORD}).refused(422, "invalid_body")
    assert answer.faults() == {"/first_name": "required", "/last_name": "required", "/username": "required", "/role_id": "required"}
    user = add(crm, phone=None, email=None)
    assert (user["phone"], user["email"]) == (None, None)
    assert add(crm, phone="+38 (067) 123-45-67")["phone"] == "+380671234567"


def test_the_administrator_chooses_a_strong_password(crm):
    """S3-10: none is refused by policy, a weak one by its weakness."""
    crm.boss.post("/v1/users", card(crm, password=None)).refused(403, "refused_by_policy", policy="password_at_create")
    for weak, fault in (("short", "too_short"), ("password1234", "too_common")):
        assert crm.boss.post("/v1/users", card(crm, password=weak)).refused(422, "invalid_body").faults() == {"/password": fault}
    user = card(crm)
    assert crm.boss.post("/v1/users", {**user, "username": "a.long.user.name", "password": "a.long.user.name"}).refused(422).faults() == {
        "/password": "too_common"}


def test_a_picture_is_added_and_shown_wherever_he_is(crm):
    """S3-11: in the list, on the card, wherever the system shows the user."""
    user = add(crm)
    assert user["photo_url"] is None
    crm.boss.call("PUT", f"{path(user)}/photo", data=images.png(), headers={"Content-Type": "image/png"}).ok(204)
    url = show(crm, user)["photo_url"]
    assert crm.boss.get("/v1/users", q=user["username"]).ok(200).items[0]["photo_url"] == url
    shown = crm.boss.get(url.removeprefix(crm.url)).ok(200)
    assert (shown.headers["Content-Type"], shown.response.content) == ("image/png", images.png())


# --- the letter

@pytest.mark.parametrize("locale, words", [("ru", "Ваш логин: "), ("uk", "Ваш логін: "), (None, "Your login: ")])
def test_a_letter_says_where_and_as_whom_to_sign_in(crm, locale, words):
    """S3-07, S3-12: login data, no link that sets a password, and never the password itself."""
    user = add(crm, locale=locale)
    mail = crm.wait_mail(user["email"], kind="login_info")
    assert words + user["username"] in mail.text and words + user["username"] in mail.html
    assert f"{crm.url}/sign-in?organization=acme" in mail.text
    assert mail.link is None and PASSWORD not in mail.raw.decode() and "/accept" not in mail.html
    assert wait_until(lambda: show(crm, user)["invitation"]["delivery"]["state"] == "sent")
    crm.accept(crm.link(user), OTHER_PASSWORD).refused(404, "link_unknown")


def test_an_address_that_comes_later_brings_no_letter_and_he_is_told_by_hand(crm):
    """S3-13, S3-14: not then, not by hand, not ever; login and password work all the same."""
    user = add(crm, email=None)
    assert user["invitation"] is None
    late = f"late.{user['username']}@example.org"
    assert crm.boss.patch(path(user), {"email": late}).ok(200)["email"] == late
    crm.boss.post(f"{path(user)}/invite").refused(403, "refused_by_policy", policy="invite_on_email_added")
    assert action(crm, user, "invite")["policy"] == "invite_on_email_added"
    assert letters(crm, user) == []
    assert crm.login(user["username"], PASSWORD).ok(201)["user"]["status"] == "active"
    # The next one's letter has come: his would have been before it.
    crm.wait_mail(add(crm)["email"])
    assert crm.mails(late) == []


# --- pending and active

def test_the_first_login_makes_him_active(crm):
    """S3-16: «В ожидании» becomes «Активный», and stays so."""
    user = add(crm)
    crm.login(user["username"], OTHER_PASSWORD).refused(401, "login_failed")
    assert show(crm, user)["status_label"] == PENDING
    crm.login(user["username"], PASSWORD).ok(201)
    now = show(crm, user)
    assert (now["status"], now["status_reason"], now["status_label"]) == ("active", "first_login", ACTIVE)
    crm.login(user["username"], PASSWORD).ok(201)
    assert show(crm, user)["status_changed_at"] == now["status_changed_at"]


def test_who_waits_is_offered_and_given_nothing(crm):
    """S3-17: pending users cannot be selected anywhere."""
    user, colleague = add(crm), add_active(crm)
    offered = {row["id"] for row in crm.boss.pages("/v1/users", assignable="true", limit=200)}
    assert user["id"] not in offered and colleague["id"] in offered and show(crm, user)["assignable"] is False
    deal = f"/v1/assignments/crm/deal/{user['id']}"
    crm.boss.put(deal, {"user_id": user["id"]}).refused(409, "state_conflict")
    crm.login(user["username"], PASSWORD).ok(201)
    crm.boss.put(deal, {"user_id": user["id"]}).ok(200)


# --- editing

def test_name_login_role_phone_and_picture_are_edited(crm):
    """S3-18: the old login is dead, the new one lets in."""
    user = add_active(crm)
    changed = crm.boss.patch(path(user), {"first_name": "Марта", "last_name": "Бойко", "username": f"{user['username']}.new", "phone": "+380501234567",
                                          "role_id": crm.roles["Operator"]["id"]}).ok(200).body
    assert (changed["first_name"], changed["last_name"], changed["phone"], changed["role"]) == ("Марта", "Бойко", "+380501234567", "Operator")
    crm.login(user["username"], PASSWORD).refused(401, "login_failed")
    crm.login(changed["username"], PASSWORD).ok(201)
    for color in (b"\x10\x80\xf0", b"\xf0\x80\x10"):
        crm.boss.call("PUT", f"{path(user)}/photo", data=images.png(pixel=color), headers={"Content-Type": "image/png"}).ok(204)
        assert crm.boss.get(f"{path(user)}/photo").response.content == images.png(pixel=color)
    crm.boss.delete(f"{path(user)}/photo").ok(204)
    assert show(crm, user)["photo_url"] is None


def test_the_address_of_an_active_user_is_edited_and_its_owner_confirms_it(crm):
    """S3-18: the new address gets a link, the old one is told."""
    user = add_active(crm, locale="ru")
    moved = f"moved.{user['username']}@example.org"
    changed = crm.boss.patch(path(user), {"email": moved}).ok(200).body
    assert (changed["email"], changed["email_pending"]) == (user["email"], moved)
    notice, mail = crm.wait_mail(user["email"], kind="email_change_notice"), crm.wait_mail(moved, kind="email_change_confirm")
    assert notice.link is None and "сменить" in notice.subject and "подтвердите" in mail.subject
    crm.confirm_email(mail.link).ok(204)
    assert (show(crm, user)["email"], show(crm, user)["email_pending"]) == (moved, None)
    waiting = add(crm)
    assert crm.boss.patch(path(waiting), {"email": f"new.{waiting['email']}"}).ok(200)["email"] == f"new.{waiting['email']}"


def test_everybody_in_the_list_has_an_id_that_opens_him(crm):
    """S3-19: what the "i" beside a name shows."""
    add(crm)
    for row in crm.boss.get("/v1/users", limit=5).ok(200).items:
        assert row["id"] and show(crm, row)["last_name"] == row["last_name"]


# --- passwords

def test_the_administrator_sets_a_new_password_and_nobody_writes_about_it(crm):
    """S3-20, S3-21: the old one is dead, its sessions are over, no letter goes out."""
    user = add_active(crm)
    client = crm.client(crm.login(user["username"], PASSWORD).ok(201)["token"])
    crm.boss.post(f"{path(user)}/password", {"password": OTHER_PASSWORD}).ok(200)
    client.get("/v1/me").refused(401)
    crm.login(user["username"], PASSWORD).refused(401, "login_failed")
    crm.login(user["username"], OTHER_PASSWORD).ok(201)
    assert letters(crm, user) == ["login_info"]
    assert crm.audit("user.password_set", user)[0]["actor"]["id"] == crm.admin_id
    # A pending user stays one until he comes (S3-16).
    waiting = add(crm)
    assert crm.boss.post(f"{path(waiting)}/password", {"password": OTHER_PASSWORD}).ok(200)["status_label"] == PENDING
    assert crm.login(waiting["username"], OTHER_PASSWORD).ok(201)["user"]["status_reason"] == "first_login"
    assert letters(crm, waiting) == ["login_info"]


def test_a_forgotten_password_is_restored_through_the_address(crm):
    """S3-22: "Forgot password?", the address, the letter with its link."""
    user = add_active(crm, locale="ru")
    crm.ask_reset(user)
    mail = crm.wait_mail(user["email"], kind="password_reset")
    assert "парол" in mail.subject.lower() and mail.link.startswith(f"{crm.url}/reset-password#")
    crm.complete_reset(mail.link, OTHER_PASSWORD).ok(204)
    crm.login(user["username"], PASSWORD).refused(401, "login_failed")
    token = crm.login(user["username"], OTHER_PASSWORD).ok(201)["token"]
    # Or changed, by who knows it.
    crm.client(token).put("/v1/me/password", {"current_password": OTHER_PASSWORD, "password": PASSWORD}).ok()
    crm.login(user["username"], PASSWORD).ok(201)


def test_without_an_address_there_is_nothing_to_restore_it_through(crm):
    """S3-23: the answer is the same as ever, and nothing is sent."""
    user = add_active(crm, email=None)
    crm.anyone.post("/v1/password-resets", {"organization": crm.org_id, "login": user["username"]}).ok(202)
    crm.boss.post(f"{path(user)}/password-reset").refused(409, "state_conflict")
    assert action(crm, user, "send_password_reset")["reason"] == "email_missing" and letters(crm, user) == []


# --- blocking

def test_nobody_is_deleted(crm):
    """S3-24: the card stays for what was done, the refusal says why."""
    user = add_active(crm)
    crm.boss.post("/v1/users/deletions", {"user_ids": [user["id"]]}).refused(403, "refused_by_policy", policy="deletion")
    assert action(crm, user, "delete") == {"action": "delete", "menu": "other", "allowed": False, "reason": "refused_by_policy", "policy": "deletion"}
    crm.boss.post(f"{path(user)}/inactivate").ok(200)
    assert show(crm, user)["last_name"] == user["last_name"]
    actions = [row["action"] for row in crm.boss.pages(f"{path(user)}/history")]
    assert actions[0] == "user.inactivated" and actions[-1] == "user.created"


def test_who_is_blocked_is_out_with_the_next_click(crm):
    """S3-25: his session and his login are refused alike."""
    user = add_active(crm)
    client = crm.client(crm.login(user["username"], PASSWORD).ok(201)["token"])
    client.get("/v1/auth/verify").ok(204)
    assert crm.boss.post(f"{path(user)}/inactivate").ok(200)["status_label"] == BLOCKED
    client.get("/v1/auth/verify").refused(401, "unauthenticated")
    crm.login(user["username"], PASSWORD).refused(401, "login_failed")


@pytest.mark.parametrize("sort, words", [("name", ("Аааа", "Ббба")), ("-name", ("Яяяя", "Ююю"))])
def test_the_blocked_sink_to_the_bottom(crm, sort, words):
    """S3-26: «Заблокирован», inactive, and behind everybody, forwards and backwards."""
    user, other = (add_active(crm, last_name=word) for word in words)
    first = [row["id"] for row in crm.boss.pages("/v1/users", sort=sort, limit=200)]
    assert first.index(user["id"]) < first.index(other["id"])
    crm.boss.post(f"{path(user)}/inactivate").ok(200)
    rows = crm.boss.pages("/v1/users", sort=sort, limit=200)
    at = next(place for place, row in enumerate(rows) if row["id"] == user["id"])
    assert (rows[at]["status"], rows[at]["status_reason"], rows[at]["status_label"]) == ("inactive", "by_admin", BLOCKED)
    assert {row["status_label"] for row in rows[at:]} == {BLOCKED} and BLOCKED not in {row["status_label"] for row in rows[:at]}


def test_a_block_closes_the_sessions_and_leaves_the_assignments(crm):
    """S3-27: the page asks to clean up before; sessions end by themselves, what was given stays until it is taken."""
    user, colleague = add_active(crm), add_active(crm)
    client = crm.client(crm.login(user["username"], PASSWORD).ok(201)["token"])
    chats = [f"/v1/assignments/crm/chat/{user['id']}-{number}" for number in (1, 2)]
    for chat in chats:
        crm.boss.put(chat, {"user_id": user["id"]}).ok(200)
    crm.boss.put(chats[0], {"user_id": colleague["id"]}).ok(200)
    crm.boss.post(f"{path(user)}/inactivate").ok(200)
    client.get("/v1/me").refused(401)
    assert crm.boss.get(f"{path(user)}/sessions").ok(200).items == []
    assert [item["resource"] for item in crm.boss.get(f"{path(user)}/assignments").ok(200).items] == [f"{user['id']}-2"]
    crm.boss.put(f"/v1/assignments/crm/chat/{user['id']}-3", {"user_id": user["id"]}).refused(409, "state_conflict")


def test_the_profile_is_activated_again(crm):
    """S3-28: the same person with the same password, «Активный» at once."""
    user = add_active(crm)
    crm.boss.post(f"{path(user)}/inactivate").ok(200)
    assert action(crm, user, "activate")["allowed"]
    now = crm.boss.post(f"{path(user)}/activate").ok(200).body
    assert (now["id"], now["status"], now["status_label"], now["last_name"]) == (user["id"], "active", ACTIVE, user["last_name"])
    crm.login(user["username"], PASSWORD).ok(201)
