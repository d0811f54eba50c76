"""One organization cannot see, guess or touch anything of another, through any route.

A table says for every route what A could send of B's: ids in paths, in bodies and in filters, names,
tokens. Each request is made twice, with what is B's and with what nobody has: both answers are the
same but for what was sent, nothing of B changes, and no answer holds a text of B. The table is
checked against server/*.c and common/*.c: a route, a body's id or a filter that is not in it fails.
"""
import itertools
import json
import pathlib
import re
import uuid

import pytest

from support import images, links
from support.system import PASSWORD, SECRET
from test_access import ANONYMOUS, PUBLIC, ROUTES, USER

SERVER = pathlib.Path(__file__).resolve().parents[2] / "server"
MARK = "Quetzalcoatl"
OTHER_PASSWORD = "nine copper lanterns at dusk"
numbers = itertools.count(1)


# --- what a request holds of others

class Its:
    """Something of B's, or in its place something that nobody has."""

    def __init__(self, name):
        self.name = name


class Own:
    """Something of A's own."""

    def __init__(self, name):
        self.name = name


class Fresh:
    """A name that nobody has yet: a request is made several times."""


ITS_USER, OWN_USER = Its("user"), Own("user")
REFUSED, EMPTY, OWN, OWN_ONCE = "refused", "empty", "own", "own, once"


class Probe:
    """One request. What it holds of B's is refused, filters nothing out of A's, or is a name in A's own world."""

    def __init__(self, *ids, body=None, params=None, data=None, then=REFUSED):
        self.ids, self.body, self.params, self.data, self.then = ids, body, params or {}, data, then

    def holds(self, kind):
        return any(isinstance(value, kind) for value in walk([list(self.ids), self.body, self.params]))


def at(*ids, **body):
    """With these in the path and this body."""
    return Probe(*ids, body=body or None)


def send(*ids, then=REFUSED, **body):
    return Probe(*ids, body=body, then=then)


def filtered(*ids, then=EMPTY, **params):
    return Probe(*ids, params=params, then=then)


def walk(value, with_names=True):
    """Every name and value in a body, however deep."""
    if isinstance(value, dict):
        if with_names:
            yield from value
        for one in value.values():
            yield from walk(one, with_names)
    elif isinstance(value, list):
        for one in value:
            yield from walk(one, with_names)
    else:
        yield value


def resolve(value, choose):
    if isinstance(value, dict):
        return {resolve(name, choose): resolve(one, choose) for name, one in value.items()}
    if isinstance(value, list):
        return [resolve(one, choose) for one in value]
    return choose(value) if isinstance(value, (Its, Own, Fresh)) else value


PLAIN = [send()]
FORM = {"first_name": "Ann", "last_name": "Own"}
GROUPS = [{"group_ids": [Its("group")]}, {"group_ids": [Own("group"), Its("group")]}]
PERSON = [{"role_id": Its("role")}, {"department_id": Its("department")}, *GROUPS, {"attributes": {Its("field_key"): "x"}}]
DAY_OFF = {"starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-01-02T00:00:00Z"}
ITS_THING = (Its("app"), Its("type"), Its("resource"))
OWN_THING = ("own-app", "own-type", Fresh())


def operation(op, then=OWN, **body):
    """Of a bulk: 200 whatever became of it, but alike for what is B's and what nobody has."""
    return send(operations=[{"op": op, **body}], then=then)


PROBES = {
    ("GET", "/v1/auth/verify"): PLAIN,
    ("POST", "/v1/users"): [*(send(**FORM, email=Fresh(), **one) for one in PERSON),
                            send(**FORM, email=Fresh(), id=ITS_USER), send(**FORM, email=Fresh(), organization_id=Its("organization")),
                            send(**FORM, email=Its("twin_email"), username=Its("twin_username"), external_id=Its("twin_external_id"),
                                 position=Its("twin_title"), then=OWN_ONCE)],
    ("GET", "/v1/users"): [filtered(role_id=Its("role")), filtered(department_id=Its("department")), filtered(group_id=Its("group")),
                           filtered(email=Its("email")), filtered(username=Its("username")), filtered(external_id=Its("external_id")),
                           filtered(q=Its("last_name")), filtered(then=OWN)],
    ("POST", "/v1/users/deletions"): [send(user_ids=[ITS_USER]), send(user_ids=[OWN_USER, ITS_USER])],
    ("POST", "/v1/users/deletions/{id}/confirm"): [send(Its("deletion"), code=Its("deletion_code"))],
    ("POST", "/v1/users/selections"): [send(op="inactivate", filter={name: Its(its)}, then=OWN) for name, its in
                                       (("role_id", "role"), ("department_id", "department"), ("group_id", "group"), ("q", "last_name"))],
    ("GET", "/v1/users/selections/{id}"): [at(Its("selection"))],
    ("GET", "/v1/users/selections/{id}/users"): [at(Its("selection"))],
    ("POST", "/v1/users/selections/{id}/confirm"): [send(Its("selection"), code=Its("selection_code"))],
    ("PUT", "/v1/users/by-external-id/{external_id}"): [*(send(Fresh(), **FORM, email=Fresh(), **one) for one in PERSON),
                                                        send(Its("invited_external_id"), **FORM, email=Fresh(), then=OWN_ONCE)],
    ("POST", "/v1/users/bulk"): [*(operation("create", **FORM, email=Fresh(), **one) for one in PERSON),
                                 *(operation("update", id=OWN_USER, **one) for one in PERSON), operation("update", id=ITS_USER, first_name="Mine"),
                                 operation("activate", id=Its("inactive"), password=OTHER_PASSWORD), operation("inactivate", id=ITS_USER),
                                 operation("invite", id=Its("invited")),
                                 operation("create", **FORM, email=Its("invited_email"), username=Its("invited_username"), then=OWN_ONCE)],
    ("GET", "/v1/users/{id}"): [at(ITS_USER)],
    ("PATCH", "/v1/users/{id}"): [at(ITS_USER, first_name="Mine"), *(send(OWN_USER, **one) for one in PERSON),
                                  send(OWN_USER, organization_id=Its("organization"))],
    ("GET", "/v1/users/{id}/actions"): [at(ITS_USER)],
    ("GET", "/v1/users/{id}/history"): [at(ITS_USER)],
    ("POST", "/v1/users/{id}/activate"): [send(Its("inactive"), password=OTHER_PASSWORD), send(Its("inactive"))],
    ("POST", "/v1/users/{id}/inactivate"): [send(ITS_USER)],
    ("POST", "/v1/users/{id}/invite"): [at(Its("invited"))],
    ("POST", "/v1/users/{id}/password"): [send(ITS_USER, password=OTHER_PASSWORD)],
    ("POST", "/v1/users/{id}/password-reset"): [at(ITS_USER)],
    ("GET", "/v1/users/{id}/sessions"): [at(ITS_USER)],
    ("DELETE", "/v1/users/{id}/sessions"): [at(ITS_USER)],
    ("GET", "/v1/users/{id}/sessions/{id}"): [at(ITS_USER, Its("session")), at(OWN_USER, Its("session"))],
    ("DELETE", "/v1/users/{id}/sessions/{id}"): [at(ITS_USER, Its("session")), at(OWN_USER, Its("session"))],
    ("GET", "/v1/users/{id}/photo"): [at(ITS_USER), filtered(ITS_USER, v=Its("photo_hash"), then=REFUSED)],
    ("PUT", "/v1/users/{id}/photo"): [Probe(ITS_USER, data=images.png())],
    ("DELETE", "/v1/users/{id}/photo"): [at(ITS_USER)],
    ("GET", "/v1/users/{id}/day-offs"): [at(ITS_USER)],
    ("POST", "/v1/users/{id}/day-offs"): [send(ITS_USER, **DAY_OFF)],
    ("PATCH", "/v1/users/{id}/day-offs/{id}"): [at(ITS_USER, Its("day_off"), note="Mine"), at(OWN_USER, Its("day_off"), note="Mine")],
    ("DELETE", "/v1/users/{id}/day-offs/{id}"): [at(ITS_USER, Its("day_off")), at(OWN_USER, Its("day_off"))],
    ("GET", "/v1/users/{id}/assignments"): [at(ITS_USER)],
    ("GET", "/v1/assignments/{app}/{type}/{resource}"): [Probe(*ITS_THING, then=EMPTY)],
    ("PUT", "/v1/assignments/{app}/{type}/{resource}"): [send(*OWN_THING, user_id=ITS_USER), send(*OWN_THING, department_id=Its("department")),
                                                         send(*ITS_THING, user_id=ITS_USER), send(*OWN_THING, id=Its("assignment"), user_id=OWN_USER),
                                                         send(Its("app"), Its("type"), Its("twin_resource"), user_id=OWN_USER, then=OWN)],
    ("DELETE", "/v1/assignments/{app}/{type}/{resource}"): [at(*ITS_THING), filtered(*ITS_THING, relation=Its("relation"), then=REFUSED)],
    ("POST", "/v1/imports"): [send(file_name="own.csv", size=1, id=Its("import")), send(file_name="own.csv", size=1, then=OWN)],
    ("GET", "/v1/imports"): [filtered(then=OWN)],
    ("GET", "/v1/imports/{id}"): [at(Its("import"))],
    ("GET", "/v1/imports/{id}/rows"): [at(Its("import"))],
    ("PUT", "/v1/imports/{id}/parts/{number}"): [Probe(Its("upload"), "0", data=b"x"), Probe(Its("import"), "0", data=b"x")],
    ("POST", "/v1/imports/{id}/parse"): [send(Its("upload")), send(Its("import"))],
    ("POST", "/v1/imports/{id}/apply"): [send(Its("import"))],
    ("POST", "/v1/imports/{id}/undo"): [at(Its("applied_import"))],
    ("GET", "/v1/invitations"): [filtered(then=OWN)],
    ("POST", "/v1/invitations/inspect"): [send(token=Its("invitation_token")), send(token=Its("crossed_token"))],
    ("POST", "/v1/invitations/accept"): [send(token=Its(name), password=OTHER_PASSWORD) for name in ("invitation_token", "crossed_token")],
    ("POST", "/v1/password-resets"): [send(organization=Own("organization"), login=Its("email"), then=OWN)],
    ("POST", "/v1/password-resets/inspect"): [send(token=Its("reset_token"))],
    ("POST", "/v1/password-resets/complete"): [send(token=Its("reset_token"), password=OTHER_PASSWORD)],
    ("POST", "/v1/email-changes/inspect"): [send(token=Its("email_token"))],
    ("POST", "/v1/email-changes/confirm"): [send(token=Its("email_token"))],
    ("POST", "/v1/sessions"): [send(organization=Own("organization"), login=Its("email"), password=PASSWORD)],
    ("GET", "/v1/sessions/current"): PLAIN,
    ("DELETE", "/v1/sessions/current"): PLAIN,
    ("GET", "/v1/me"): PLAIN,
    ("PATCH", "/v1/me"): [send(id=ITS_USER), send(organization_id=Its("organization"))],
    ("PUT", "/v1/me/password"): [send(current_password=OTHER_PASSWORD, password=OTHER_PASSWORD, user_id=ITS_USER)],
    ("GET", "/v1/me/sessions"): PLAIN,
    ("DELETE", "/v1/me/sessions"): PLAIN,
    ("GET", "/v1/me/sessions/{id}"): [at(Its("session"))],
    ("DELETE", "/v1/me/sessions/{id}"): [at(Its("session"))],
    ("GET", "/v1/me/photo"): [filtered(v=Its("photo_hash"), then=REFUSED)],
    ("PUT", "/v1/me/photo"): [Probe(data=images.png(), then=OWN)],
    ("DELETE", "/v1/me/photo"): PLAIN,
    ("GET", "/v1/policy"): PLAIN,
    ("PATCH", "/v1/policy"): [send(org_id=Its("organization"), idle_brake=21), send(idle_brake=21, then=OWN)],
    ("POST", "/v1/policy/preset"): [send(preset="default", then=OWN)],
    ("POST", "/v1/policy/simulate"): [send(policy={"email_required": False, "role_required": True, "lockout_threshold": 1}, then=OWN)],
    ("GET", "/v1/organization"): PLAIN,
    ("PATCH", "/v1/organization"): [send(id=Its("organization")), send(slug=Its("slug")), send(name="Mine", then=OWN)],
    ("GET", "/v1/positions"): [filtered(q=Its("title")), filtered(then=OWN)],
    ("POST", "/v1/positions"): [send(title=Its("another_title"), then=OWN_ONCE)],
    ("GET", "/v1/positions/{id}"): [at(Its("position"))],
    ("PATCH", "/v1/positions/{id}"): [at(Its("position"), title="Mine")],
    ("DELETE", "/v1/positions/{id}"): [at(Its("position"))],
    ("GET", "/v1/departments"): [filtered(q=Its("department_name")), filtered(then=OWN)],
    ("POST", "/v1/departments"): [send(name=Fresh(), parent_id=Its("department"))],
    ("GET", "/v1/departments/{id}"): [at(Its("department"))],
    ("PATCH", "/v1/departments/{id}"): [at(Its("department"), name="Mine"), send(Own("department"), parent_id=Its("department"))],
    ("DELETE", "/v1/departments/{id}"): [at(Its("department"))],
    ("GET", "/v1/groups"): [filtered(q=Its("group_name")), filtered(then=OWN)],
    ("POST", "/v1/groups"): [send(name=Its("twin_group_name"), then=OWN_ONCE)],
    ("GET", "/v1/groups/{id}"): [at(Its("group"))],
    ("PATCH", "/v1/groups/{id}"): [at(Its("group"), name="Mine")],
    ("DELETE", "/v1/groups/{id}"): [at(Its("group"))],
    ("GET", "/v1/groups/{id}/members"): [at(Its("group"))],
    ("POST", "/v1/groups/{id}/members"): [send(Its("group"), user_ids=[OWN_USER]), send(Own("group"), user_ids=[ITS_USER]),
                                          send(Own("group"), user_ids=[OWN_USER, ITS_USER])],
    ("PUT", "/v1/groups/{id}/members"): [send(Its("group"), user_ids=[]), send(Own("group"), user_ids=[ITS_USER])],
    ("DELETE", "/v1/groups/{id}/members/{id}"): [at(Its("group"), ITS_USER), at(Own("group"), ITS_USER), at(Its("group"), OWN_USER)],
    ("GET", "/v1/fields"): [filtered(q=Its("field_key")), filtered(then=OWN)],
    ("POST", "/v1/fields"): [send(key="own_field", label="Own", type="text", required_for_roles=[Its("role")])],
    ("GET", "/v1/fields/{id}"): [at(Its("field"))],
    ("PATCH", "/v1/fields/{id}"): [at(Its("field"), label="Mine"), send(Own("field"), required_for_roles=[Its("role")])],
    ("DELETE", "/v1/fields/{id}"): [at(Its("field"))],
    ("GET", "/v1/roles/{id}/schema"): [at(Its("role")), Probe(Own("role"), then=OWN)],
    ("GET", "/v1/roles"): [filtered(q=Its("role_name")), filtered(then=OWN)],
    ("POST", "/v1/roles"): [send(name=Its("twin_role_name"), permissions=[], then=OWN_ONCE)],
    ("GET", "/v1/roles/{id}"): [at(Its("role"))],
    ("PATCH", "/v1/roles/{id}"): [at(Its("role"), name="Mine")],
    ("DELETE", "/v1/roles/{id}"): [at(Its("role")), filtered(Own("role"), move_to=Its("role"), then=REFUSED),
                                   filtered(Its("role"), move_to=Own("role"), then=REFUSED)],
    ("POST", "/v1/roles/{id}/copy"): [send(Its("role"), name=Fresh())],
    ("GET", "/v1/users/export"): [*(filtered(then=OWN, **{name: Its(name.removesuffix("_id"))}) for name in ("role_id", "department_id", "group_id")),
                                  *(filtered(then=OWN, **{name: Its(name)}) for name in ("email", "username", "external_id")),
                                  filtered(then=OWN, q=Its("last_name")), filtered(then=OWN)],
    ("GET", "/v1/exports"): [filtered(then=OWN)],
    ("POST", "/v1/exports"): [send(format="csv", filter={"role_id": Its("role"), "group_id": Its("group")}, then=OWN),
                              send(format="xlsx", filter={"q": Its("last_name")}, then=OWN)],
    ("GET", "/v1/exports/{id}"): [at(Its("export"))],
    ("GET", "/v1/exports/{id}/file"): [at(Its("export"))],
    ("GET", "/v1/imports/template"): [filtered(role_id=Its("role"), then=REFUSED), filtered(then=OWN)],
    ("GET", "/v1/imports/{id}/report"): [at(Its("import"))],
    ("GET", "/v1/api-keys"): [filtered(q=Its("key_name")), filtered(then=OWN)],
    ("POST", "/v1/api-keys"): [send(name=Its("key_name"), permissions=[], then=OWN_ONCE), send(name="Own", permissions=[], id=Its("api_key"))],
    ("GET", "/v1/api-keys/{id}"): [at(Its("api_key"))],
    ("PATCH", "/v1/api-keys/{id}"): [at(Its("api_key"), name="Mine"), at(Its("api_key"), permissions=[], expires_at=None, networks=None)],
    ("DELETE", "/v1/api-keys/{id}"): [at(Its("api_key"))],
    ("POST", "/v1/organizations"): [send(slug=Its("slug"), name="Mine", admin_email=Its("email"))],
    ("GET", "/v1/organizations"): [filtered(q=Its("slug"), then=REFUSED)],
    ("GET", "/v1/organizations/{id}"): [at(Its("organization"))],
    ("PATCH", "/v1/organizations/{id}"): [at(Its("organization"), name="Mine")],
    ("POST", "/v1/idle-sweeps/release"): PLAIN,
    ("GET", "/v1/outbox"): [filtered(user_id=ITS_USER), filtered(then=OWN)],
    ("POST", "/v1/outbox/{id}/retry"): [at(Its("mail"))],
    ("POST", "/v1/bounces"): PLAIN,  # test_bounces.py has a report about another organization's mail
    ("POST", "/v1/test-mail"): [send(recipient=Its("email"), then=OWN), send(recipient=f"{MARK}@contact.example", then=OWN)],
    ("GET", "/v1/audit"): [filtered(subject_id=ITS_USER), filtered(subject_id=Its("role")), filtered(actor_id=ITS_USER), filtered(actor_id=Its("api_key")),
                           filtered(then=OWN)],
    **{route: PLAIN for route, (who, *_) in ROUTES.items() if who == PUBLIC},
}
# Parameters that hold nothing that could be another organization's; cursors have a test of their own.
HARMLESS = {"limit", "count", "sort", "status", "kind", "updated_since", "incomplete", "vacation", "assignable", "at", "state", "action", "since", "until",
            "transport", "cursor", "file_name", "charset", "mapping", "outcome", "format", "delimiter", "expires_before"}


# --- the two organizations

def dump(system, org_id):
    """{table: every row of the organization}, as the database has it."""
    tables = system.sql("SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'"
                        " WHERE c.relnamespace = 'rollcall'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1")
    parts = [f"SELECT '{table}' AS name, to_jsonb(t) AS row FROM rollcall.\"{table}\" t WHERE org_id = %s" for table in tables]
    parts.append("SELECT 'organization', to_jsonb(t) FROM rollcall.organization t WHERE id = %s")
    found = {table: [] for table in [*tables, "organization"]}
    for name, row in system.sql(" UNION ALL ".join(parts) + " ORDER BY 1, 2", *[org_id] * len(parts)):
        found[name].append(row)
    return found


def texts_of(dumped):
    """What would tell one organization from another: ids, names and addresses, not numbers and the words of the schema."""
    return {value for value in walk(dumped, with_names=False) if isinstance(value, str) and len(value) >= 6 and not value.isdigit()
            and (MARK.lower() in value.lower() or not re.fullmatch(r"[a-z_.]+|[a-z]+/[a-z]+|[A-Z]+ /v1/\S+", value))}


class Theirs:
    """Organization B, with at least one of everything; `values` are what A could try."""

    def __init__(self, system):
        self.system, other = system, system.other_organization()
        self.id, self.key = other["id"], system.client(other["key"])
        self.set_policy(deletion="erase", email_change="admin")
        system.anyone.post("/v1/invitations/accept", {"token": links.token_of(other["url"]), "password": PASSWORD}).ok(200)
        self.boss = self.sign_in(f"boss@{other['slug']}.example")
        self.boss.patch("/v1/organization", {"name": f"{MARK} Trust", "contact_email": f"{MARK}@contact.example"}).ok(200)
        self.values = {"organization": self.id, "slug": other["slug"]}
        self.build()
        self.sign_in_wrongly()

    def set_policy(self, **columns):
        for name, value in columns.items():
            self.system.sql(f"UPDATE rollcall.policy SET {name} = %s WHERE org_id = %s", value, self.id)

    def sign_in(self, login):
        answer = self.system.anyone.post("/v1/sessions", {"organization": self.id, "login": login, "password": PASSWORD}).ok(201)
        return self.system.client(answer["token"])

    def sign_in_wrongly(self):
        self.system.anyone.post("/v1/sessions", {"organization": self.id, "login": "nobody@example.org", "password": PASSWORD}).refused(401)

    def make(self, path, **body):
        return self.boss.post(path, body, headers={"Idempotency-Key": f"{MARK}-{next(numbers)}"}).ok(201).body

    def person(self, name, **more):
        return self.make("/v1/users", email=f"{MARK}.{name}@example.org", username=f"{MARK}-{name}", external_id=f"{MARK}-{name}-number",
                         first_name=f"{MARK} {name}", last_name=f"Last-{MARK}-{name}", **more)

    def build(self):
        """One of everything; each with the mark in its name."""
        role, twin_role = (self.make("/v1/roles", name=f"{MARK} {name}", permissions=["secrets:read"]) for name in ("role", "twin role"))
        field = self.make("/v1/fields", key="secret_field", label=f"{MARK} field", type="text", required_for_roles=[role["id"]])
        department = self.make("/v1/departments", name=f"{MARK} department", parent_id=self.make("/v1/departments", name=f"{MARK} above")["id"])
        group, twin_group = (self.make("/v1/groups", name=f"{MARK} {name}") for name in ("group", "twin group"))
        self.make("/v1/positions", title=f"{MARK} another title")
        user = self.person("user", role_id=role["id"], department_id=department["id"], group_ids=[group["id"]], position=f"{MARK} title",
                           attributes={"secret_field": f"{MARK} attribute"}, phone="+12025550177", password=PASSWORD)
        twin = self.person("twin", position=f"{MARK} twin title")
        invited, inactive, gone = (self.person(name) for name in ("invited", "inactive", "gone"))
        self.boss.post(f"/v1/users/{inactive['id']}/inactivate", {"reason": f"{MARK} reason"}).ok(200)
        path = f"/v1/users/{user['id']}"
        day_off = self.make(f"{path}/day-offs", **DAY_OFF, note=f"{MARK} note")
        self.boss.call("PUT", f"{path}/photo", data=images.png()).ok(204)
        names = {"app": "quetzalcoatl-app", "type": "quetzalcoatl-type", "resource": f"{MARK}-resource", "twin_resource": f"{MARK}-twin-resource"}
        for name in ("resource", "twin_resource"):
            thing = self.boss.put(f"/v1/assignments/{names['app']}/{names['type']}/{names[name]}", {"user_id": user["id"], "relation": "quetzalcoatl-holder"})
            names["assignment"] = thing.ok(200)["id"]
        session = self.sign_in(user["email"]).get("/v1/sessions/current").ok(200)
        self.boss.post(f"{path}/password-reset").ok(202)
        self.boss.patch(path, {"email": f"{MARK}.new@example.org"}).ok(200)
        done = self.make("/v1/users/deletions", user_ids=[gone["id"]])
        self.boss.post(f"/v1/users/deletions/{done['id']}/confirm", {"code": done["code"]}).ok(200)
        deletion = self.make("/v1/users/deletions", user_ids=[twin["id"]])
        selection, begun = (self.make("/v1/users/selections", op="activate", filter={"q": MARK}) for _ in range(2))
        self.boss.post(f"/v1/users/selections/{begun['id']}/confirm", {"code": begun["code"]}).ok(202)
        mail = self.boss.get("/v1/outbox", user_id=invited["id"]).items[0]
        self.system.sql("UPDATE rollcall.outbox SET state = 'failed', last_reply = %s WHERE id = %s", f"550 {MARK} reply", mail["id"])
        key = self.make("/v1/api-keys", name=f"{MARK} key", permissions=["secrets:read"])
        imports = self.build_imports()
        names["export"] = self.boss.post("/v1/exports", {"format": "csv", "filter": {"q": MARK}}).ok(202)["id"]
        self.system.sql("INSERT INTO rollcall.file_part (org_id, file_id, number, bytes) VALUES (%s, %s, 0, %s)", self.id, names["export"], f"{MARK} part".encode())
        self.system.sql("UPDATE rollcall.export SET state = 'ready' WHERE org_id = %s", self.id)
        one = lambda statement: str(self.system.value(statement, self.id))
        self.values |= {
            **names, **imports, "user": user["id"], "invited": invited["id"], "inactive": inactive["id"], "role": role["id"], "department": department["id"],
            "group": group["id"], "field": field["id"], "day_off": day_off["id"], "session": session["id"], "deletion": deletion["id"],
            "deletion_code": deletion["code"], "selection": selection["id"], "selection_code": selection["code"], "mail": mail["id"], "api_key": key["id"], "key_name": key["name"],
            "position": one("SELECT p.id FROM rollcall.position p JOIN rollcall.users u ON u.org_id = p.org_id AND u.position_id = p.id"
                            " WHERE p.org_id = %s AND title LIKE '%% title' AND title NOT LIKE '%% twin %%'"),
            "photo_hash": self.boss.get(f"{path}/photo").headers["ETag"].strip('"'),
            "email": user["email"], "username": user["username"], "external_id": user["external_id"], "last_name": user["last_name"],
            "twin_email": twin["email"], "twin_username": twin["username"], "twin_external_id": twin["external_id"], "invited_external_id": invited["external_id"],
            "invited_email": invited["email"], "invited_username": invited["username"],
            "twin_title": f"{MARK} twin title",
            "title": f"{MARK} title", "another_title": f"{MARK} another title", "department_name": department["name"], "group_name": group["name"],
            "twin_group_name": twin_group["name"], "field_key": "secret_field", "role_name": role["name"], "twin_role_name": twin_role["name"],
            "relation": "quetzalcoatl-holder",
            **self.tokens(self.system.org_id, user["id"], invited["id"]),
            "crossed_token": links.make_token(SECRET, "invitation", self.id, self.system.admin_id, 1),
        }

    def build_imports(self):
        """One that is ready, one that was applied, one of which a part is missing."""
        made = {}
        for name, state, applied in (("import", "ready", 0), ("applied_import", "applied", 1)):
            answer = self.boss.call("POST", "/v1/imports", data=f"{MARK} column\n{MARK}@file.example\n".encode(), params={"file_name": f"{MARK}.csv"})
            made[name] = answer.ok(202)["id"]
            self.system.sql("UPDATE rollcall.import SET state = %s, applied = %s, headers = %s, mapping = %s WHERE id = %s",
                            state, applied, [f"{MARK} column"], json.dumps({f"{MARK} column": "email"}), made[name])
            self.system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome) VALUES (%s, %s, 2, %s, 'create')",
                            self.id, made[name], [f"{MARK}@file.example"])
        self.system.sql("INSERT INTO rollcall.import_mapping (org_id, header, field) VALUES (%s, %s, 'email')", self.id, f"{MARK} header")
        answer = self.boss.post("/v1/imports", {"file_name": f"{MARK} upload.csv", "size": 2 * 1024 * 1024})
        made["upload"] = answer.ok(202)["id"]
        return made

    def tokens(self, org_id, user_id, invited_id):
        """Well signed, but B's users are none of A's."""
        return {"invitation_token": links.make_token(SECRET, "invitation", org_id, invited_id, 1),
                "reset_token": links.make_token(SECRET, "password_reset", org_id, user_id, 1),
                "email_token": links.make_token(SECRET, "email_change", org_id, user_id, 1)}

    def nobodys(self):
        """The same in kind, of nobody."""
        number = next(numbers)
        made = {name: str(uuid.uuid4()) if is_id(value) else re.sub(MARK, f"nobody{number}", value, flags=re.IGNORECASE) for name, value in self.values.items()}
        made |= self.tokens(self.system.org_id, str(uuid.uuid4()), str(uuid.uuid4()))
        made["crossed_token"] = links.make_token(SECRET, "invitation", self.id, str(uuid.uuid4()), 1)
        return made | {"photo_hash": "0" * 64, "slug": f"nobody{number}", "field_key": f"nobody_field{number}", "deletion_code": "100000", "selection_code": "100000"}


def is_id(text):
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))


class Ours:
    """Organization A: an administrator beside the first, and some things of his own."""

    def __init__(self, system):
        self.system = system
        system.set_policy(deletion="erase", email_change="admin")
        self.admin = system.create_administrator()
        make = lambda path, **body: system.admin.post(path, body).ok(201)["id"]
        self.values = {
            "organization": system.org_id, "user": system.create_active()["id"], "role": make("/v1/roles", name="Own role", permissions=[]),
            "department": make("/v1/departments", name="Own department"), "group": make("/v1/groups", name="Own group"),
            "field": make("/v1/fields", key="own", label="Own", type="text"),
        }

    def callers(self, route):
        """All who may try: a session and a key that may do everything, or a stranger."""
        if ROUTES[route][0] in (ANONYMOUS, PUBLIC):
            return {"a stranger": lambda: self.system.anyone}
        return {"the administrator": lambda: self.system.client(self.system.plant_session(self.admin)), "a key": lambda: self.system.machine}


class Walk:
    """Makes requests and looks at what comes back."""

    def __init__(self, system):
        self.ours, self.theirs = Ours(system), Theirs(system)
        self.system = system
        self.texts = texts_of(dump(system, self.theirs.id)) - texts_of(dump(system, system.org_id))
        self.told = set()

    def call(self, client, route, probe, values):
        fresh = f"fresh{next(numbers)}@example.org"
        choose = lambda one: fresh if isinstance(one, Fresh) else (self.ours.values if isinstance(one, Own) else values)[one.name]
        ids = iter(resolve(list(probe.ids), choose))
        path = re.sub(r"\{(\w+)\}", lambda found: "page.css" if found[1] == "name" else next(ids), route[1])
        takes_json = ROUTES[route][2] is True
        body, params = resolve(probe.body or {}, choose), resolve(probe.params, choose)
        answer = client.call(route[0], path, json=body if takes_json else None, data=probe.data, params=params)
        self.look_for_texts(answer, path + json.dumps([body, params], ensure_ascii=False))
        sent = {one.name: values[one.name] for one in walk([list(probe.ids), probe.body, probe.params]) if isinstance(one, Its)}
        return answer, alike(answer.text, {**sent, "fresh": fresh})

    def look_for_texts(self, answer, sent):
        """Ids may be repeated in the answer to them alone; a name that A has used is A's from then on."""
        self.told |= {text for text in self.texts if text in sent and not is_id(text)}
        said = answer.text + json.dumps(dict(answer.headers))
        leaked = {text for text in self.texts if text in said and text not in sent} - self.told
        assert not leaked, (leaked, answer)

    def their_rows(self):
        return dump(self.system, self.theirs.id)


def alike(text, sent):
    """A body without what must differ: what was sent, ids, moments, numbers to repeat, keys."""
    for name, value in sorted(sent.items(), key=lambda pair: -len(pair[1])):
        text = text.replace(value, f"<{name}>").replace(value.lower(), f"<{name}>")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r'"code":"\d{6}"', '"code":"<code>"', text)
    text = re.sub(r'"(key|hint)":"(rck_[\w-]{64}|[\w-]{4})"', r'"\1":"<secret>"', text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<moment>", text)


@pytest.fixture(scope="module")
def walking(shared_server):
    return Walk(shared_server)


def name_of(route):
    return " ".join(route)


# --- the walk

@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_what_is_anothers_is_what_nobody_has(standing, walking, route):
    before = walking.their_rows()
    for who, caller in walking.ours.callers(route).items():
        for probe in PROBES[route]:
            if probe.then == OWN_ONCE and who == "a key":
                continue    # by now A has one of that name
            its, text = walking.call(caller(), route, probe, walking.theirs.values)
            assert its.status < 500, (who, its)
            if not probe.holds(Its):
                continue
            nobodys, other_text = walking.call(caller(), route, probe, walking.theirs.nobodys())
            assert (its.status, text) == (nobodys.status, other_text), (who, its, nobodys)
            if probe.then == REFUSED or (who == "a key" and ROUTES[route][0] == USER):
                assert 400 <= its.status < 500, (who, its)
            else:
                assert its.status < 300, (who, its)
                assert probe.then != EMPTY or its.items == [], (who, its)
    assert walking.their_rows() == before
    walking.ours.system.set_policy(deletion="erase", email_change="admin")


LISTS = ["/v1/users", "/v1/imports", "/v1/invitations", "/v1/positions", "/v1/departments", "/v1/groups", "/v1/fields", "/v1/roles", "/v1/outbox", "/v1/audit",
         "/v1/exports", "/v1/api-keys"]


@pytest.mark.parametrize("path", LISTS)
def test_anothers_cursor_leads_nowhere_but_into_ones_own(standing, walking, path):
    cursor = walking.theirs.boss.get(path, limit=1).ok(200)["next_cursor"]
    if cursor is None:
        assert len(walking.theirs.boss.get(path).items) == 1
        return
    answer = standing.admin.get(path, cursor=cursor, limit=200)
    walking.look_for_texts(answer, cursor)
    own = {row.get("id", row.get("user_id")) for row in standing.admin.pages(path, limit=200)}
    assert {row.get("id", row.get("user_id")) for row in answer.ok(200).items} <= own


def test_a_credential_of_one_is_none_of_the_other(standing, walking):
    """And what an organization says of itself is A's, whoever of A asks."""
    for client in (standing.admin, standing.machine):
        assert client.get("/v1/organization").ok(200)["id"] == standing.org_id
        assert client.get("/v1/auth/verify").ok(204).headers["X-Rollcall-Organization"] == standing.org_id
        assert {row["organization_id"] for row in client.pages("/v1/users", limit=200)} == {standing.org_id}


# --- that nothing was forgotten

def test_there_is_one_of_everything_to_be_found(walking):
    assert [table for table, rows in walking.their_rows().items() if not rows] == []
    assert len(walking.texts) > 100 and sum(MARK in text for text in walking.texts) > 20


def test_every_route_is_walked():
    assert set(PROBES) == set(ROUTES)
    for route, probes in PROBES.items():
        places = route[1].count("{id}")
        foreign = {place for probe in probes for place, one in enumerate(probe.ids) if isinstance(one, Its)}
        assert set(range(places)) <= foreign, route


def tables_of_server():
    """{name: (ids that a body takes)}, {name: (parameters)} and {route: the names of both}, read from the source."""
    text = "\n".join(path.read_text() for folder in (SERVER, SERVER.parent / "common") for path in sorted(folder.glob("*.c")))
    bodies = {name: re.findall(r'\{ "(\w+)", BODY_IDS?\b', table) for name, table in re.findall(r"struct body_field (\w+)\[\] = \{\n(.*?)\n\};", text, re.S)}
    parameters = {name: re.findall(r'"(\w+)"', table) for name, table in re.findall(r"char \*const (\w+_parameters)\[\] = \{(.*?)\};", text, re.S)}
    routes = {(method, path): rest for method, path, rest in re.findall(r'\{ HTTP_(\w+), "([^"]+)", (.*) \},', (SERVER / "routes.c").read_text())}
    return bodies, parameters, routes


def test_every_id_of_a_body_and_every_filter_is_walked():
    bodies, parameters, routes = tables_of_server()
    assert bodies["user_create_fields"] and parameters["user_list_parameters"] and set(routes) == set(ROUTES)
    missing = set()
    for route, rest in routes.items():
        used = set(re.findall(r"\w+", rest))
        needed = {field for name in used & set(bodies) for field in bodies[name]}
        filters = {one for name in used & set(parameters) for one in parameters[name]} - HARMLESS
        probed = {field for probe in PROBES[route] for field, value in (probe.body or {}).items() if any(isinstance(one, Its) for one in walk(value))}
        asked = {name for probe in PROBES[route] for name, value in probe.params.items() if isinstance(value, Its)}
        missing |= {(route, name) for name in (needed - probed) | (filters - asked)}
    assert missing == set()
