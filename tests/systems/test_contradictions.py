"""Where the four products contradict each other (SEEDS.md 1.6): the same request in four organizations of one
deployment, and the four answers that they get.

An answer is a status, a code, the policy that it names and what one sees of it afterwards. Nobody
chooses between the products: each organization's policy does.
"""
import itertools
import re

import pytest

from support import outbox
from support.system import PASSWORD
from support.waiting import wait_until

PRODUCTS = ["hesh", "urbantz", "keycrm", "wetrack"]
ROLES = {"urbantz": "Customer care", "keycrm": "Manager", "wetrack": "General"}
OTHER_PASSWORD = "nine copper lanterns at dusk"
numbers = itertools.count(1)

CREATED, DONE = (201, None, None), (200, None, None)


def refused(policy):
    return 403, "refused_by_policy", policy


def missing(policy):
    return 422, "invalid_body", policy


class Product:
    """An organization with the product's preset, and an application's key in it."""

    def __init__(self, system, preset):
        made = system.other_organization(preset)
        self.system, self.name, self.id = system, preset, made["id"]
        self.client = system.client(made["key"], **{"Accept-Language": "ru" if preset == "keycrm" else "en"})
        self.roles = {role["name"]: role["id"] for role in self.client.pages("/v1/roles")}

    def form(self, **fields):
        """What every product's form has, and what only this one insists on."""
        name = f"{self.name}{next(numbers)}"
        body = {"first_name": "Dana", "last_name": "Quill", "email": f"{name}@example.org", "username": name}
        if self.name in ROLES:
            body["role_id"] = self.roles[ROLES[self.name]]
        if self.name == "keycrm":
            body["password"] = PASSWORD
        body.update(fields)
        return {name: value for name, value in body.items() if value is not None}

    def create(self, **fields):
        return self.client.post("/v1/users", self.form(**fields))

    def new(self, **fields):
        """One who waits for what makes him active here."""
        fields = {"invite": True} | fields if self.name == "wetrack" else fields
        return self.create(**fields).ok(201).body

    def set_first_password(self, user):
        if self.name != "keycrm":       # there it came with the form
            self.system.accept(self.system.mail_link(user["email"])).ok(200)

    def active(self, **fields):
        user = self.new(**fields)
        self.set_first_password(user)
        self.login(user).ok(201)
        return self.show(user)

    def login(self, user, password=PASSWORD, name=None):
        login = name or user["username" if self.name == "keycrm" else "email"]
        return self.system.anyone.post("/v1/sessions", {"organization": self.id, "login": login, "password": password})

    def show(self, user):
        return self.client.get(path(user)).ok(200).body

    def label(self, user):
        return self.show(user)["status_label"]

    def mails(self, user):
        return self.system.sql("SELECT kind FROM rollcall.outbox WHERE org_id = %s AND user_id = %s ORDER BY id", self.id, user["id"])


@pytest.fixture(scope="module")
def products(shared_rollcall):
    return {name: Product(shared_rollcall, name) for name in PRODUCTS}


def path(user):
    return f"/v1/users/{user['id']}"


# --- the requests: each returns its answer and what one sees afterwards

REQUESTS = {}


def asks(**answers):
    """Registers a request with the answer of each product."""
    def register(function):
        assert list(answers) == PRODUCTS
        REQUESTS[function.__name__] = function, answers
        return function
    return register


@asks(hesh=(refused("email_change"), "as before"), urbantz=(refused("email_change"), "as before"),
      keycrm=(DONE, "waits for its owner"), wetrack=(refused("email_change"), "as before"))
def change_the_address_of_an_active_user(product):
    user = product.active()
    answer = product.client.patch(path(user), {"email": f"new.{user['email']}"})
    now = product.show(user)
    assert now["email"] == user["email"]
    return answer, "waits for its owner" if now["email_pending"] else "as before"


@asks(hesh=(refused("email_change"), "as before"), urbantz=(refused("email_change"), "as before"),
      keycrm=(DONE, "changed"), wetrack=(refused("email_change"), "as before"))
def change_the_address_of_a_pending_user(product):
    user = product.new()
    answer = product.client.patch(path(user), {"email": f"new.{user['email']}"})
    return answer, "as before" if product.show(user)["email"] == user["email"] else "changed"


@asks(hesh=(refused("deletion"), "Inactive"), urbantz=(refused("deletion"), "Banned"),
      keycrm=(refused("deletion"), "Заблокирован"), wetrack=(CREATED, "gone"))
def delete_a_user(product):
    """Where that is refused, what is done to him instead."""
    user = product.active()
    answer = product.client.post("/v1/users/deletions", {"user_ids": [user["id"]]})
    if answer.status == 201:
        product.client.post(f"/v1/users/deletions/{answer['id']}/confirm", {"code": answer["code"]}).ok(200)
        product.client.get(path(user)).refused(404, "not_found")
        return answer, "gone"
    return answer, product.client.post(f"{path(user)}/inactivate").ok(200)["status_label"]


@asks(hesh=(CREATED, ("Active", [])), urbantz=(CREATED, ("Validated", [])),
      keycrm=(CREATED, ("В ожидании", ["login_info"])), wetrack=(CREATED, ("Active User", [])))
def create_with_a_password(product):
    answer = product.create(password=PASSWORD)
    return answer, (answer["status_label"], product.mails(answer.body))


@asks(hesh=(CREATED, ("Pending", ["invitation"])), urbantz=(CREATED, ("Pending", ["invitation"])),
      keycrm=(refused("password_at_create"), None), wetrack=(CREATED, ("Pending", [])))
def create_without_a_password(product):
    answer = product.create(password=None)
    return answer, (answer["status_label"], product.mails(answer.body)) if answer.status == 201 else None


@asks(hesh=(refused("initial_status"), None), urbantz=(refused("initial_status"), None),
      keycrm=(refused("initial_status"), None), wetrack=(CREATED, "Inactive User"))
def create_an_inactive_user(product):
    answer = product.create(status="inactive")
    return answer, answer.body.get("status_label")


@asks(hesh=(missing("email_required"), None), urbantz=(missing("email_required"), None),
      keycrm=(CREATED, "В ожидании"), wetrack=(missing("email_required"), None))
def create_without_an_address(product):
    answer = product.create(email=None)
    return answer, answer.body.get("status_label")


@asks(hesh=(CREATED, ["product:view"]), urbantz=(missing("role_required"), None),
      keycrm=(missing("role_required"), None), wetrack=(missing("role_required"), None))
def create_without_a_role(product):
    answer = product.create(role_id=None)
    return answer, answer.body.get("permissions")


@asks(hesh=(missing("user_kinds"), None), urbantz=(missing("user_kinds"), None),
      keycrm=(missing("user_kinds"), None), wetrack=(CREATED, "external"))
def create_an_external_user(product):
    answer = product.create(kind="external")
    return answer, answer.body.get("kind")


@asks(hesh=((401, "login_failed", None), None), urbantz=((401, "login_failed", None), None),
      keycrm=(CREATED, "Активный"), wetrack=((401, "login_failed", None), None))
def log_in_with_the_username(product):
    user = product.active()
    answer = product.login(user, name=user["username"])
    return answer, product.label(user) if answer.status == 201 else None


@asks(hesh=(CREATED, ("Active", "Active")), urbantz=(CREATED, ("Validated", "Validated")),
      keycrm=(CREATED, ("В ожидании", "Активный")), wetrack=(CREATED, ("Active User", "Active User")))
def log_in_for_the_first_time(product):
    """What he is once he has a password, and once he was here."""
    user = product.new()
    product.set_first_password(user)
    before = product.label(user)
    return product.login(user), (before, product.label(user))


@asks(hesh=(CREATED, "Active"), urbantz=((401, "login_failed", None), "DENIED"),
      keycrm=(CREATED, "Активный"), wetrack=(CREATED, "Active User"))
def log_in_after_ten_wrong_passwords(product):
    """With the right one."""
    user = product.active()
    for _ in range(10):
        product.login(user, OTHER_PASSWORD).refused(401, "login_failed")
    return product.login(user), product.label(user)


@asks(hesh=(refused("invitation_resend_to"), 1), urbantz=(refused("invitation_resend_to"), 1),
      keycrm=(refused("invitation_resend_to"), 1), wetrack=((202, None, None), 2))
def invite_an_active_user_again(product):
    user = product.active()
    answer = product.client.post(f"{path(user)}/invite")
    return answer, len(product.mails(user))


@asks(hesh=(DONE, ["password_changed"]), urbantz=(DONE, ["password_changed"]), keycrm=(DONE, []), wetrack=(DONE, ["password_changed"]))
def set_the_password_of_an_active_user(product):
    """And who is told of it."""
    user = product.active()
    told = len(product.mails(user))
    return product.client.post(f"{path(user)}/password", {"password": OTHER_PASSWORD}), product.mails(user)[told:]


@asks(hesh=(refused("admin_activates_pending"), "Pending"), urbantz=(DONE, "Validated"), keycrm=(DONE, "Активный"), wetrack=(DONE, "Active User"))
def activate_a_pending_user_by_hand(product):
    user = product.new()
    return product.client.post(f"{path(user)}/activate"), product.label(user)


@asks(hesh=(DONE, True), urbantz=(refused("permissions_per_user"), False), keycrm=(refused("permissions_per_user"), False), wetrack=(DONE, True))
def give_a_user_permissions_of_his_own(product):
    user = product.new()
    answer = product.client.patch(path(user), {"own_permissions": ["shelves:count"]})
    return answer, "shelves:count" in product.show(user)["permissions"]


@asks(hesh=(CREATED, 1), urbantz=(refused("custom_roles"), 0), keycrm=(CREATED, 1), wetrack=(refused("custom_roles"), 0))
def make_a_role(product):
    answer = product.client.post("/v1/roles", {"name": "Volunteer", "permissions": ["tasks:read"]})
    return answer, sum(role["name"] == "Volunteer" for role in product.client.pages("/v1/roles"))


@asks(hesh=(DONE, ("Inactive", "in place")), urbantz=(DONE, ("Banned", "in place")),
      keycrm=(DONE, ("Заблокирован", "at the bottom")), wetrack=(DONE, ("Inactive User", "in place")))
def shut_a_user_out(product):
    """What he is called then, and where he stands."""
    user = product.active(last_name="Aardvark")
    product.active(last_name="Zyzzyva")
    answer = product.client.post(f"{path(user)}/inactivate")
    rows = product.client.pages("/v1/users", sort="name", limit=200)
    at = next(place for place, row in enumerate(rows) if row["id"] == user["id"])
    behind = {row["status"] for row in rows[at + 1:]}
    return answer, (rows[at]["status_label"], "in place" if "active" in behind else "at the bottom")


def policy_of(answer):
    """The one that it names: as a refusal's, or in the words of its faults."""
    if "errors" in answer.body:
        named = {name for fault in answer["errors"] for name in re.findall(r"The policy (\w+)", fault["detail"])}
        return ", ".join(sorted(named)) or None
    return answer.body.get("policy")


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_one_request_has_four_answers(products, name, product):
    """S0-09, S0-14, S1-02, S1-22, S1-31, S2-03, S2-14, S2-15, S2-19, S3-06, S3-10, S3-13, S3-16, S3-18, S3-21, S3-24, S3-26, S4-06, S4-07, S4-12, S4-14, \
S4-15, S4-19, S4-20, S4-23: side by side."""
    request, answers = REQUESTS[name]
    expected, seen_then = answers[product]
    answer, seen = request(products[product])
    assert answer.status == expected[0], repr(answer)
    if answer.status >= 400:
        assert (answer.refused(answer.status).code, policy_of(answer)) == expected[1:], repr(answer)
    assert seen == seen_then


# --- what nobody asks for

QUIET = {"hesh": ("active", "accepted", "Active"), "urbantz": ("inactive", "idle", "Inactive"),
         "keycrm": ("active", "first_login", "Активный"), "wetrack": ("active", "by_admin", "Active User")}


def test_three_quiet_months_end_one_and_not_the_others(shared_rollcall, products):
    """S0-19, S2-25: the clock goes round for all of them."""
    users = {name: product.active(**({"status": "active"} if name == "wetrack" else {})) for name, product in products.items()}
    past = "now() - interval '3 months'"
    for user in users.values():
        shared_rollcall.move("users", user, last_login_at=past, last_active_at=past, status_changed_at=past)
    shared_rollcall.sql("UPDATE rollcall.policy SET idle_applied = 'stale'")
    outbox.nudge(shared_rollcall)
    wait_until(lambda: shared_rollcall.value("SELECT count(*) FROM rollcall.policy WHERE idle_applied = 'stale'") == 0, because="idleness is computed")
    wait_until(lambda: products["urbantz"].label(users["urbantz"]) == "Inactive", because="the clock has seen the three months")
    outbox.rounds(shared_rollcall)
    shown = {name: product.show(users[name]) for name, product in products.items()}
    assert {name: (user["status"], user["status_reason"], user["status_label"]) for name, user in shown.items()} == QUIET
    assert {name: product.login(users[name]).status for name, product in products.items()} == {"hesh": 201, "urbantz": 401, "keycrm": 201, "wetrack": 201}
    assert shared_rollcall.wait_mail(users["urbantz"]["email"], kind="account_idle").link is None
