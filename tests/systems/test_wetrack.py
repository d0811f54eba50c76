"""WeTrack's page "Users" from top to bottom (SEEDS.md, S4).

The administrator makes employees and external users, active from the start if he says so, and
invites them then, later or again. Nobody's address ever changes; who is no longer needed is
inactivated, or deleted with everything that was assigned to him.
"""
import io
import itertools
import re

import openpyxl
import pytest

from support.imports import apply, dry_run, ended, faults, outcomes, rows
from support.selections import begin, select, wait_ended
from support.system import ADMIN_EMAIL, PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.preset("wetrack")

# Rows about a screen that is not there yet, with the API that will serve it.
SCREENS = {}
# Rows that record a gap of the page, with what was decided.
DECISIONS = {}

ACTIVE, INACTIVE, PENDING = "Active User", "Inactive User", "Pending"
ROLES = ["Account Admin", "Admin", "General", "User Admin"]
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def track(shared_rollcall):
    """The system with its roles and departments by name."""
    shared_rollcall.roles = {role["name"]: role for role in shared_rollcall.admin.pages("/v1/roles")}
    shared_rollcall.departments = {name: shared_rollcall.admin.post("/v1/departments", {"name": name}).ok(201).body for name in ("Catering", "Transport")}
    return shared_rollcall


def drawer(track, **fields):
    """What "Add Employee" asks for, with "Active User" ticked; None leaves a field out."""
    body = {"first_name": "Niamh", "last_name": "O’Brien", "email": f"niamh{next(numbers)}@example.org", "status": "active",
            "department_id": track.departments["Catering"]["id"], "role_id": track.roles["General"]["id"], **fields}
    return {name: value for name, value in body.items() if value is not None}


def save(track, **fields):
    """Save User, or with invite=True Save & Send Invite."""
    return track.admin.post("/v1/users", drawer(track, **fields)).ok(201).body


def save_accepted(track, **fields):
    """Somebody who has set a password and may log in."""
    user = save(track, invite=True, **fields)
    track.accept(track.wait_mail(user["email"], kind="invitation").link).ok(200)
    return track.user(user)


def make_group(track):
    return track.admin.post("/v1/groups", {"name": f"Group {next(numbers)}"}).ok(201).body


def path(user):
    return f"/v1/users/{user['id']}"


def action(track, user, name):
    return next(item for item in track.admin.get(f"{path(user)}/actions").ok(200).items if item["action"] == name)


def invitations(track, user):
    """How many invitations have left or are about to."""
    return len(track.outbox(user, "invitation"))


def ask_deletion(track, *users):
    return track.admin.post("/v1/users/deletions", {"user_ids": [user["id"] for user in users]})


def type_number(track, deletion, code):
    return track.admin.post(f"/v1/users/deletions/{deletion['id']}/confirm", {"code": code})


# --- adding

def test_an_administrator_adds_users_and_updates_roles_and_permissions(track):
    """S4-01: what he changes holds with the user's next request."""
    user = save_accepted(track)
    client = track.sign_in(user)
    client.get("/v1/users").refused(403, "permission_missing")
    assert track.admin.patch(path(user), {"role_id": track.roles["Admin"]["id"]}).ok(200)["role"] == "Admin"
    client.get("/v1/users").ok(200)
    assert track.admin.patch(path(user), {"own_permissions": ["incidents:write"]}).ok(200)["permissions"] == ["incidents:write", "users:read"]
    # "Admin" of WeTrack reads; users are a User Admin's to add.
    client.post("/v1/users", drawer(track)).refused(403, "permission_missing")
    manager = track.sign_in(save_accepted(track, role_id=track.roles["User Admin"]["id"]))
    made = manager.post("/v1/users", drawer(track)).ok(201).body
    manager.patch(path(made), {"role_id": track.roles["Admin"]["id"]}).ok(200)
    manager.patch(path(made), {"role_id": track.roles["Account Admin"]["id"]}).refused(403, "exceeds_your_permissions")


def test_groups_are_made_as_one_likes_and_a_user_is_in_more_than_one(track):
    """S4-04, S4-05, S4-13: several are picked at once, and saved at once."""
    groups = [make_group(track) for _ in range(3)]
    ids = [group["id"] for group in groups]
    user = save(track, group_ids=ids[:2])
    assert sorted(user["group_ids"]) == sorted(ids[:2])
    assert sorted(track.admin.patch(path(user), {"group_ids": ids[1:]}).ok(200)["group_ids"]) == sorted(ids[1:])
    for group, members in zip(ids, ([], [user["id"]], [user["id"]])):
        assert [row["id"] for row in track.admin.get(f"/v1/groups/{group}/members").ok(200).items] == members
        assert [row["id"] for row in track.admin.get("/v1/users", group_id=group).ok(200).items] == members
    assert track.admin.patch(path(user), {"group_ids": []}).ok(200)["group_ids"] == []


def test_there_are_two_kinds_of_users_and_a_tab_for_each(track):
    """S4-06: employees, and external users."""
    employee, external = save(track), save(track, kind="external")
    assert (employee["kind"], external["kind"]) == ("employee", "external")
    for kind, user, other in (("employee", employee, external), ("external", external, employee)):
        rows = track.admin.pages("/v1/users", kind=kind, limit=200)
        assert {row["kind"] for row in rows} == {kind}
        ids = {row["id"] for row in rows}
        assert user["id"] in ids and other["id"] not in ids


@pytest.mark.parametrize("status, label", [("active", ACTIVE), ("inactive", INACTIVE)])
def test_active_user_is_ticked_or_not(track, status, label):
    """S4-07: the account is available for use from the start, or not."""
    user = save(track, status=status)
    assert (user["status"], user["status_reason"], user["status_label"], user["assignable"]) == (status, "by_admin", label, status == "active")
    if status == "inactive":
        track.admin.post("/v1/users", drawer(track, status=status, invite=True)).refused(409, "state_conflict")
        assert track.admin.post(f"{path(user)}/activate").ok(200)["status_label"] == ACTIVE


def test_names_appear_as_they_were_entered(track):
    """S4-08: both are asked for."""
    user = save(track, first_name="Zoë-Marie", last_name="van ’t Hoff-İzmir 山田")
    assert (user["first_name"], user["last_name"]) == ("Zoë-Marie", "van ’t Hoff-İzmir 山田")
    answer = track.admin.post("/v1/users", drawer(track, first_name=None, last_name=None)).refused(422, "invalid_body")
    assert answer.faults() == {"/first_name": "required", "/last_name": "required"}


def test_the_address_gets_the_mails_and_is_the_name_to_log_in_with(track):
    """S4-09: nobody is made without one."""
    user = save(track, invite=True, username="niamh.by.name")
    mail = track.wait_mail(user["email"], kind="invitation")
    track.accept(mail.link).ok(200)
    assert track.login(user["email"].upper(), PASSWORD).ok(201)["user"]["id"] == user["id"]
    track.login("niamh.by.name", PASSWORD).refused(401, "login_failed")
    track.ask_reset(user)
    assert track.wait_mail(user["email"], kind="password_reset").link
    assert track.admin.post("/v1/users", drawer(track, email=None)).refused(422, "invalid_body").faults() == {"/email": "required"}


def test_an_address_is_one_users_in_the_whole_system(track):
    """S4-10: in any capitals, whatever his kind and status; another organization is another system."""
    user = save(track, status="inactive", kind="external")
    track.admin.post("/v1/users", drawer(track, email=user["email"].upper())).refused(409, "email_taken")
    other = track.other_organization("wetrack")
    stranger = track.client(other["key"])
    roles = {role["name"]: role["id"] for role in stranger.pages("/v1/roles")}
    stranger.post("/v1/users", drawer(track, email=user["email"], department_id=None, role_id=roles["General"])).ok(201)


def test_a_user_belongs_to_a_department_and_things_are_assigned_to_it(track):
    """S4-11: one for each user, chosen from those that are there."""
    catering, transport = track.departments["Catering"], track.departments["Transport"]
    user = save(track)
    assert user["department_id"] == catering["id"]
    assert track.admin.patch(path(user), {"department_id": transport["id"]}).ok(200)["department_id"] == transport["id"]
    listed = track.admin.pages("/v1/users", department_id=transport["id"])
    assert user["id"] in [row["id"] for row in listed] and {row["department_id"] for row in listed} == {transport["id"]}
    task = f"/v1/assignments/run-sheet/task/{user['id']}"
    assert track.admin.put(task, {"department_id": transport["id"]}).ok(200)["department_id"] == transport["id"]
    track.admin.delete(f"/v1/departments/{transport['id']}").refused(409, "state_conflict")
    track.admin.delete(task).ok(204)


def test_there_are_exactly_four_roles_and_each_user_has_one(track):
    """S4-12: no more are made, and none is changed."""
    assert sorted(track.roles) == ROLES
    for name in ROLES:
        assert save(track, status=None, role_id=track.roles[name]["id"])["role"] == name
    assert track.admin.post("/v1/users", drawer(track, role_id=None)).refused(422, "invalid_body").faults() == {"/role_id": "required"}
    fifth = {"name": "Volunteer", "permissions": []}
    general = f"/v1/roles/{track.roles['General']['id']}"
    for answer in (track.admin.post("/v1/roles", fifth), track.admin.post("/v1/users", drawer(track, role_id=None, role=fifth)),
                   track.admin.patch(general, {"permissions": ["users:read"]}), track.admin.delete(general),
                   track.admin.post(f"{general}/copy", {"name": "Volunteer"})):
        answer.refused(403, "refused_by_policy", policy="custom_roles")
    assert sorted(role["name"] for role in track.admin.pages("/v1/roles")) == ROLES


def test_modules_are_permitted_to_each_user_on_top_of_his_role(track):
    """S4-14: an application that asks who this is hears of both."""
    user = save_accepted(track, role_id=track.roles["Admin"]["id"], own_permissions=["run-sheets:read", "incidents:write"])
    assert user["permissions"] == ["incidents:write", "run-sheets:read", "users:read"]
    verified = track.sign_in(user).get("/v1/auth/verify").ok(204)
    assert sorted(verified.headers["X-Rollcall-Permissions"].split()) == user["permissions"]
    assert track.admin.patch(path(user), {"own_permissions": []}).ok(200)["permissions"] == ["users:read"]


# --- inviting

def test_saving_sends_nothing_until_somebody_says_so(track):
    """S4-15: "Save User" invites later, "Save & Send Invite" at once."""
    saved, invited = save(track), save(track, invite=True)
    assert saved["invitation"] is None and invitations(track, saved) == 0
    assert invited["invitation"]["state"] == "pending" and track.wait_mail(invited["email"], kind="invitation")
    assert track.mails(saved["email"]) == []
    later = track.admin.post(f"{path(saved)}/invite").ok(202).body
    assert (later["status_label"], later["invitation"]["state"]) == (ACTIVE, "pending")
    assert track.wait_mail(saved["email"], kind="invitation").link


def test_the_invitation_leads_to_the_site_a_password_and_a_login(track):
    """S4-16: until then nobody logs in, active or not."""
    user = save(track, invite=True)
    track.login(user["email"], PASSWORD).refused(401, "login_failed")
    mail = track.wait_mail(user["email"], kind="invitation")
    assert mail.link.startswith(f"{track.url}/accept#") and "Акме & Sons" in mail.subject
    track.anyone.get("/accept").ok(200)
    shown = track.inspect(mail.link).ok(200)
    assert (shown["email"], shown["first_name"]) == (user["email"], "Niamh")
    assert track.accept(mail.link).ok(200)["status"] == "active"
    track.login(user["email"], PASSWORD).ok(201)
    waiting = save(track, status=None, invite=True)
    assert (waiting["status"], waiting["status_label"]) == ("pending", PENDING)
    assert track.accept(track.link(waiting)).ok(200)["status"] == "active"


def test_who_deleted_the_mail_gets_another(track):
    """S4-17: the newest link works, the one before is dead; nobody is told of one that lapses."""
    user = save(track, invite=True)
    first = track.wait_mail(user["email"], kind="invitation")
    track.admin.post(f"{path(user)}/invite").ok(202)
    second = track.wait_mail(user["email"], kind="invitation", count=2)
    track.accept(first.link).refused(410, "link_revoked")
    track.accept(second.link).ok(200)
    assert track.mails(ADMIN_EMAIL) == []


def bulk(track, operations):
    return track.admin.post("/v1/users/bulk", {"operations": operations}).ok(200).items


def test_those_who_are_ticked_are_invited_together(track):
    """S4-18, S4-19: who was never invited, who was, and who has come; whoever may not come in is named and stops nobody."""
    never, invited, came, external = save(track), save(track, invite=True), save_accepted(track), save(track, kind="external")
    gone = save(track, status="inactive")
    ticked = [never, invited, gone, came, external]
    before = {user["id"]: invitations(track, user) for user in ticked}
    items = bulk(track, [{"op": "invite", "id": user["id"]} for user in ticked])
    assert [item["status"] for item in items] == [202, 202, 409, 202, 202]
    for user in (never, invited, came, external):
        assert track.wait_mail(user["email"], kind="invitation", count=before[user["id"]] + 1).link
    assert invitations(track, gone) == before[gone["id"]]


def test_many_are_changed_at_once(track):
    """S4-03: each as his own edit would be; an address is not changed here either, and that is one user's outcome."""
    users = [save(track) for _ in range(4)]
    wanted = [{"department_id": track.departments["Transport"]["id"]}, {"role_id": track.roles["User Admin"]["id"]}, {"last_name": "Murphy"}]
    items = bulk(track, [{"op": "update", "id": user["id"], **fields} for user, fields in zip(users, [*wanted, {"email": "other@example.org"}])])
    assert [item["status"] for item in items] == [200, 200, 200, 403]
    assert items[3]["problem"]["policy"] == "email_change"
    for user, fields in zip(users, wanted):
        assert fields.items() <= track.user(user).items()


def test_an_invitation_may_go_to_somebody_who_has_been_invited_and_has_come(track):
    """S4-19: anybody who may come in is invited again, and sets a new password through it."""
    never, came, external = save(track), save_accepted(track), save(track, kind="external", invite=True)
    for user in (never, came, external):
        assert action(track, user, "invite")["allowed"]
        before = invitations(track, user)
        track.admin.post(f"{path(user)}/invite").ok(202)
        assert track.wait_mail(user["email"], kind="invitation", count=before + 1).link
    client = track.sign_in(came)
    track.accept(track.mails(came["email"], kind="invitation")[-1].link, "nine copper lanterns at dusk").ok(200)
    client.get("/v1/me").refused(401)
    track.login(came["email"], "nine copper lanterns at dusk").ok(201)


# --- a file of many: downloaded, filled in or edited, and uploaded again

def cells_of(book):
    (sheet,) = openpyxl.load_workbook(io.BytesIO(book)).worksheets
    return [["" if cell.value is None else cell.value for cell in row] for row in sheet.iter_rows()]


def book_of(table):
    """As a spreadsheet's program saves it."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in table:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def export(track, **filter):
    """Headers, and each user by his columns."""
    made = track.admin.post("/v1/exports", {"format": "xlsx", "filter": filter}).ok(202)["id"]
    ready = wait_until(lambda: (seen := track.admin.get(f"/v1/exports/{made}").ok(200))["state"] not in ("queued", "running") and seen, 30)
    headers, *people = cells_of(track.admin.get(ready["file_url"]).ok(200).response.content)
    return headers, [dict(zip(headers, person)) for person in people]


def upload(track, headers, people, **params):
    return dry_run(track.admin, book_of([headers, *([person.get(header, "") for header in headers] for person in people)]),
                   file_name="employees.xlsx", **params)


def preview(made):
    """"N new, M overwritten", and what else there is to say of the rows before anything is started."""
    return {name: number for name, number in made["counts"].items() if number and name != "rows"}


def test_employees_are_imported_from_a_template_that_was_filled_in(track):
    """S4-02: faults are shown by row and column, what is right is started, and nobody is invited by it."""
    known, general = save(track), track.roles["General"]["id"]
    headers, example = cells_of(track.admin.get("/v1/imports/template", format="xlsx", role_id=general).ok(200).response.content)
    assert {"E-mail *", "First name *", "Last name *", "Role *", "Department", "Groups", "Status"} <= set(headers)
    person = {**dict(zip(headers, example)), "Phone": "", "External ID": "", "Department": "Catering"}
    addresses = [f"seamus{next(numbers)}@example.org" for _ in range(3)]
    people = [{**person, "E-mail *": addresses[0], "Status": "active"}, {**person, "E-mail *": addresses[1], "Status": "inactive"},
              {**person, "E-mail *": "seamus at example.org"}, {**person, "E-mail *": addresses[2], "Role *": "", "Department": "Fireworks"},
              {**person, "E-mail *": known["email"]}]
    made = upload(track, headers, people)
    assert (made["state"], preview(made)) == ("ready", {"create": 2, "error": 3})
    assert faults(track.admin, made) == [(4, "E-mail *", "invalid"), (5, "Department", "unknown_id"), (5, "Role *", "required"),
                                         (6, "E-mail *", "email_taken")]
    track.admin.post(f"/v1/imports/{made['id']}/apply", {"invite": True}).refused(403, "refused_by_policy", policy="import_invites")
    done = apply(track.admin, made)
    assert (done["state"], done["counts"]["applied"], done["counts"]["error"]) == ("applied", 2, 3)
    made_users = {user["email"]: user for address in addresses for user in track.admin.get("/v1/users", email=address).ok(200).items}
    assert {email: user["status_label"] for email, user in made_users.items()} == {addresses[0]: ACTIVE, addresses[1]: INACTIVE}
    mail = track.wait_mail(ADMIN_EMAIL, kind="import_done")
    assert "employees.xlsx" in mail.subject and [int(number) for number in re.findall(r": (\d+)$", mail.text, re.M)] == [5, 2, 0, 3]
    for user in made_users.values():
        assert user["invitation"] is None and invitations(track, user) == 0
    # The file comes back with what is wrong beside it, to be mended and uploaded again.
    told = cells_of(track.admin.get(f"/v1/imports/{made['id']}/report").ok(200).response.content)
    assert len(told) == 6 and set(headers) < set(told[0])


def test_employees_are_exported_edited_and_imported_again(track):
    """S4-02, S4-03: "N new, M overwritten" is shown before anything is; who did not change is left alone."""
    department = track.admin.post("/v1/departments", {"name": f"Stage {next(numbers)}"}).ok(201).body
    users = [save(track, department_id=department["id"], phone="+353861234567") for _ in range(3)]
    headers, people = export(track, department_id=department["id"])
    assert sorted(person["E-mail"] for person in people) == sorted(user["email"] for user in users)
    by_address = {person["E-mail"]: person for person in people}
    moved, renamed, same = (by_address[user["email"]] for user in users)
    moved.update({"Department": "Transport", "Role": "User Admin"})
    renamed.update({"Last name": "Murphy", "Phone": ""})
    new = {"E-mail": f"new{next(numbers)}@example.org", "First name": "Aoife", "Last name": "Kelly", "Role": "General", "Status": "active"}
    made = upload(track, headers, [moved, renamed, same, new])
    assert (made["state"], preview(made)) == ("ready", {"create": 1, "update": 2, "unchanged": 1})
    assert [track.user(user) for user in users] == users and track.admin.get("/v1/users", email=new["E-mail"]).ok(200).items == []
    assert apply(track.admin, made)["counts"]["applied"] == 3
    now = [track.user(user) for user in users]
    assert (now[0]["role"], now[0]["department_id"]) == ("User Admin", track.departments["Transport"]["id"])
    assert (now[1]["last_name"], now[1]["phone"]) == ("Murphy", None)
    assert now[2] == users[2]
    # The same file again overwrites nobody with what has changed since.
    again = upload(track, headers, [moved, renamed, same])
    assert set(outcomes(track.admin, again).values()) <= {"unchanged", "error"}


def test_an_address_is_not_changed_by_a_file_either(track):
    """S4-02, S4-20: that row is told so, and the others go on."""
    department = track.admin.post("/v1/departments", {"name": f"Stage {next(numbers)}"}).ok(201).body
    first, second = (save(track, department_id=department["id"]) for _ in range(2))
    headers, people = export(track, department_id=department["id"])
    people.sort(key=lambda person: person["E-mail"] != first["email"])
    people[0]["E-mail"], people[1]["First name"] = f"other{next(numbers)}@example.org", "Nuala"
    made = upload(track, headers, people)
    assert preview(made) == {"update": 1, "error": 1}
    assert [(row["errors"][0]["column"], row["errors"][0]["policy"]) for row in rows(track.admin, made, outcome="error")] == [("E-mail", "email_change")]
    apply(track.admin, made)
    assert track.user(first)["email"] == first["email"] and track.user(second)["first_name"] == "Nuala"


def test_columns_are_mapped_where_their_headers_say_nothing(track):
    """S4-02: by who uploads the file; the next file of such headers needs no word."""
    headers, mapping = ["Mailbox", "Given", "Sur", "Crew", "Badge"], {"Mailbox": "email", "Given": "first_name", "Sur": "last_name", "Crew": "department", "Badge": None}
    person = {"Mailbox": f"crew{next(numbers)}@example.org", "Given": "Cian", "Sur": "Walsh", "Crew": "Catering", "Badge": "77", "Role": "General"}
    unmapped = upload(track, [*headers, "Role"], [person])
    assert (unmapped["state"], unmapped["problem"]["code"]) == ("failed", "headers_unknown") and "Mailbox" in unmapped["problem"]["detail"]
    track.admin.post(f"/v1/imports/{unmapped['id']}/parse", {"mapping": mapping}).ok(202)
    made = ended(track.admin, unmapped["id"])
    assert (made["state"], preview(made)) == ("ready", {"create": 1})
    assert made["mapping"] == {**mapping, "Role": "role"}
    apply(track.admin, made)
    (user,) = track.admin.get("/v1/users", email=person["Mailbox"]).ok(200).items
    assert (user["first_name"], user["department_id"]) == ("Cian", track.departments["Catering"]["id"])
    later = upload(track, [*headers, "Role"], [{**person, "Mailbox": f"crew{next(numbers)}@example.org"}])
    assert (later["state"], preview(later)) == ("ready", {"create": 1})


def test_everybody_of_a_department_is_invited_once_a_number_is_typed(track):
    """S4-18, S4-19: however many there are; who was never invited, who was, and who has come."""
    department = track.admin.post("/v1/departments", {"name": f"Stage {next(numbers)}"}).ok(201).body
    where = {"department_id": department["id"]}
    never, invited, came = save(track, **where), save(track, invite=True, **where), save_accepted(track, **where)
    gone, elsewhere = save(track, status="inactive", **where), save(track)
    before = {user["id"]: invitations(track, user) for user in (never, invited, came)}
    asked = select(track, "invite", **where).ok(201)
    assert asked["count"] == 4 and asked["code"]
    assert {id: invitations(track, id) for id in before} == before
    seen = wait_ended(track, begin(track, "invite", **where))
    assert (seen["state"], seen["done"], seen["failed"]) == ("done", 3, 1)
    for user in (never, invited, came):
        assert track.wait_mail(user["email"], kind="invitation", count=before[user["id"]] + 1).link
    assert invitations(track, gone) == 0 and invitations(track, elsewhere) == 0


# --- editing

def test_all_details_are_edited_but_the_address(track):
    """S4-20: not even of somebody who was never invited."""
    group = make_group(track)
    change = {"first_name": "Nia", "last_name": "Byrne", "phone": "+353861234567", "external_id": "hr-1", "kind": "external",
              "department_id": track.departments["Transport"]["id"], "position": "Steward", "role_id": track.roles["Admin"]["id"],
              "own_permissions": ["incidents:write"], "group_ids": [group["id"]], "locale": "uk"}
    for user in (save(track), save_accepted(track), save(track, status=None), save(track, status="inactive")):
        track.admin.patch(path(user), {"email": f"new.{user['email']}"}).refused(403, "refused_by_policy", policy="email_change")
        track.admin.patch(path(user), {**change, "email": f"new.{user['email']}"}).refused(403, "refused_by_policy", policy="email_change")
        now = track.user(user)
        assert {name: now[name] for name in user if name != "invitation"} == {name: user[name] for name in user if name != "invitation"}
        changed = track.admin.patch(path(user), {**change, "external_id": user["id"], "email": user["email"]}).ok(200).body
        assert {name: changed[name] for name in change} == {**change, "external_id": user["id"]} and changed["email"] == user["email"]


# --- inactivating

@pytest.mark.parametrize("kind", ["employee", "external"])
def test_active_user_is_unticked(track, kind):
    """S4-21, S4-22: for employees and for external users; and ticked again."""
    user = save_accepted(track, kind=kind)
    client = track.sign_in(user)
    off = track.admin.post(f"{path(user)}/inactivate").ok(200).body
    assert (off["status"], off["status_reason"], off["status_label"]) == ("inactive", "by_admin", INACTIVE)
    client.get("/v1/me").refused(401)
    track.login(user["email"], PASSWORD).refused(401, "login_failed")
    track.admin.post(f"{path(user)}/invite").refused(409, "state_conflict")
    assert track.admin.post(f"{path(user)}/activate").ok(200)["status_label"] == ACTIVE
    track.login(user["email"], PASSWORD).ok(201)


# --- deleting

def assign(track, user, *resources):
    for resource in resources:
        track.admin.put(f"/v1/assignments/run-sheet/task/{user['id']}-{resource}", {"user_id": user["id"]}).ok(200)


def test_a_user_is_deleted_with_all_that_was_assigned_to_him(track):
    """S4-23, S4-24: the items stay, without him; his sessions and his address are free."""
    user, colleague = save_accepted(track, group_ids=[make_group(track)["id"]]), save(track)
    client = track.sign_in(user)
    assign(track, user, 1, 2)
    assign(track, colleague, 1)
    track.admin.put(f"/v1/assignments/run-sheet/task/{user['id']}-1", {"user_id": colleague["id"], "relation": "reviewer"}).ok(200)
    assert action(track, user, "delete")["allowed"]
    deletion = ask_deletion(track, user).ok(201).body
    assert deletion["references"] == [{"user_id": user["id"], "app": "run-sheet", "type": "task", "count": 2}]
    type_number(track, deletion, deletion["code"]).ok(200)
    track.admin.get(path(user)).refused(404, "not_found")
    left = [track.admin.get(f"/v1/assignments/run-sheet/task/{user['id']}-{resource}").ok(200).items for resource in (1, 2)]
    assert [[item["relation"] for item in items] for items in left] == [["reviewer"], []]
    assert len(track.admin.get(f"{path(colleague)}/assignments").ok(200).items) == 2
    assert track.admin.get(f"/v1/groups/{user['group_ids'][0]}/members").ok(200).items == []
    client.get("/v1/me").refused(401)
    track.login(user["email"], PASSWORD).refused(401, "login_failed")
    assert save(track, email=user["email"])["id"] != user["id"]


def test_several_are_ticked_and_gone_once_the_number_is_typed(track):
    """S4-25, S4-26, S4-27: the pop-up displays a number; without it nobody goes."""
    users = [save(track), save_accepted(track), save(track, kind="external"), save(track, status="inactive")]
    bystander = save(track)
    deletion = ask_deletion(track, *users).ok(201).body
    assert (deletion["state"], deletion["count"]) == ("pending", 4) and deletion["code"].isdigit()
    type_number(track, deletion, "0" + deletion["code"]).refused(422, "wrong_code")
    track.admin.post(f"/v1/users/deletions/{deletion['id']}/confirm", {}).refused(422, "invalid_body")
    assert [track.user(user)["id"] for user in users] == [user["id"] for user in users]
    done = type_number(track, deletion, deletion["code"]).ok(200)
    assert (done["state"], done["count"]) == ("done", 4)
    listed = {row["id"] for row in track.admin.pages("/v1/users", limit=200)}
    assert not listed & {user["id"] for user in users} and bystander["id"] in listed
    for user in users:
        track.admin.get(path(user)).refused(404, "not_found")


def test_the_account_keeps_an_administrator(track):
    """S4-21, S4-23: the last Account Admin is not unticked, not deleted, and not given another role."""
    last = {"id": track.admin_id}
    for answer in (track.machine.post(f"{path(last)}/inactivate"), ask_deletion(track, last),
                   track.machine.patch(path(last), {"role_id": track.roles["General"]["id"]})):
        answer.refused(403, "last_administrator")
