"""The OpenAPI document is true: it has the routes, fields, parameters, policies and problems that the program has, and no others.

That answers are as it says is proven by every test of the API (support/contract.py, which the client of all of them asks). That it is
good OpenAPI says a public linter.
"""
import copy
import functools
import json
import re
import shutil
import subprocess

import jsonschema
import pytest

from support.contract import DOCUMENT, ROOT, Contract

HERE = "describe it in server/openapi/ (README.md there tells how)"
PROBE = ROOT / "build" / "tests" / "contract_probe"
LINTER = ROOT / "tests" / "openapi"
# Of problems that are never a whole answer to a route of the document.
NEVER_ALONE = {"method_not_allowed": "a method that is not described", "duplicate_id": "in a bulk's items", "not_applied": "in a bulk's items",
               "secret_shown_once": "only of routes that show one"}


@functools.lru_cache(maxsize=1)
def document():
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1)
def program():
    """What the program says of itself."""
    assert PROBE.exists(), "make test-programs"
    done = subprocess.run([PROBE], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def resolve(node):
    return Contract(document()).resolve(node)


def nameless(path):
    """The same word for every value in a path: the document's must differ, the table's need not."""
    return re.sub(r"\{\w+\}", "{}", path)


def described():
    """{(METHOD, path without names): operation}"""
    return {(method.upper(), nameless(path)): operation for path, methods in document()["paths"].items() for method, operation in methods.items()}


def routes():
    return {(method, nameless(path)): route for route in program()["routes"] for method, path in [route["name"].split(" ", 1)]}


# --- the document as it is served

def test_it_is_served_as_it_was_built_and_kept_by_who_has_it(standing):
    answer = standing.anyone.get("/openapi.json").ok(200)
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["Cache-Control"] == "no-cache"
    assert answer.text == DOCUMENT.read_text(encoding="utf-8")
    assert answer["openapi"].startswith("3.1.")
    again = standing.anyone.call("GET", "/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}).ok(304)
    assert again.text == "" and again.headers["ETag"] == answer.headers["ETag"]
    standing.anyone.call("GET", "/openapi.json", headers={"If-None-Match": '"another"'}).ok(200)


def test_it_is_of_the_version_that_serves_it(standing):
    assert f"rollcall-server {document()['info']['version']}," in standing.command("--version").stdout


# --- routes

def test_every_route_is_described():
    missing = sorted(" ".join(key) for key in routes().keys() - described().keys())
    assert not missing, f"routes that nobody describes: {missing}: {HERE}"


def test_what_is_described_is_a_route():
    extra = sorted(" ".join(key) for key in described().keys() - routes().keys())
    assert not extra, f"described, and not in server/routes.c: {extra}"


def who(route):
    if route["access"] in ("public", "anonymous"):
        return []
    if route["access"] == "operator":
        return [{"operator": []}]
    return [{"bearer": route["permissions"]}, {"cookie": route["permissions"]}]


def test_each_route_says_who_may_call_it():
    wrong = {operation["operationId"]: who(routes()[key]) for key, operation in described().items() if operation["security"] != who(routes()[key])}
    assert not wrong, f"`who` is another: {wrong}"


def test_each_route_has_the_parameters_that_it_takes():
    wrong = {}
    for key, operation in described().items():
        names = [parameter["name"] for parameter in map(resolve, operation.get("parameters", [])) if parameter["in"] == "query"]
        if set(names) != set(routes()[key]["query"] or []):
            wrong[operation["operationId"]] = sorted(set(names) ^ set(routes()[key]["query"] or []))
    assert not wrong, f"in one of them only: {wrong}: {HERE}"


def codes_of(operation, status):
    content = resolve(operation["responses"].get(status, {})).get("content", {})
    return content["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"] if content else []


def test_each_route_is_limited_unless_the_table_says_otherwise():
    for key, operation in described().items():
        limited = routes()[key]["access"] != "public" and not routes()[key]["is_unlimited"]
        assert ("rate_limited" in codes_of(operation, "429")) == limited, f"{operation['operationId']}: is_unlimited: true"


def test_each_route_takes_a_key_and_keeps_a_secret_as_the_table_says():
    for key, operation in described().items():
        names = [parameter["name"] for parameter in map(resolve, operation.get("parameters", []))]
        takes_key = key[0] != "GET" and who(routes()[key]) != [] and routes()[key]["takes_key"]
        assert ("Idempotency-Key" in names) == takes_key, f"{operation['operationId']}: ignores_key: true"
        assert ("idempotency_key_reused" in codes_of(operation, "422")) == takes_key
        assert ("secret_shown_once" in codes_of(operation, "409")) == routes()[key]["shows_secret"], f"{operation['operationId']}: shows_secret: true"


# --- bodies: the tables of fields (common/form.h)

STRINGS = {"text", "name", "email", "username", "phone", "token", "password"}
PLAIN = {
    "email": {"format": "email"}, "username": {"pattern": "^[^@]+$"}, "password": {"format": "password", "maxLength": 1024},
    "locale": {"type": "string", "enum": ["en", "uk", "ru"]}, "id": {"type": "string", "format": "uuid"}, "bool": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 1}, "time": {"type": "string", "format": "date-time"},
    "color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
    "permissions": {"type": "array", "maxItems": 100, "items": {"type": "string"}},
    "networks": {"type": "array", "minItems": 1, "maxItems": 32, "items": {"type": "string"}},
    "ids": {"type": "array", "uniqueItems": True, "items": {"type": "string", "format": "uuid"}},
}


def schema_of(field):
    """What the document has to say of a field of a table."""
    made = dict(PLAIN.get(field["type"], {}))
    if field["type"] in STRINGS:
        made = {"type": "string", "maxLength": field["max"] or 200, **({} if field["may_be_empty"] else {"minLength": 1}), **made}
    if field["type"] == "ids":
        made["maxItems"] = field["max"] or 200
    if field["type"] == "choice":
        made = {"type": "string", "enum": field["choices"]}
    if field["nullable"]:
        made = {**made, "type": [made["type"], "null"], **({"enum": made["enum"] + [None]} if "enum" in made else {})}
    return made


def is_said(field, schema):
    """Of what a step looks into itself (objects, lists, words of its own) the document may say more."""
    told = {name: value for name, value in schema.items() if name != "description"}
    if field["type"] in ("object", "list"):
        kinds = {kind for one in told.get("anyOf", [told]) for kind in [resolve(one)["type"]] for kind in ([kind] if isinstance(kind, str) else kind)}
        return kinds == {"array" if field["type"] == "list" else "object"} | ({"null"} if field["nullable"] else set())
    return told == schema_of(field) or (field["type"] == "text" and set(told) == {"type", "enum"} and not field["nullable"])


def body_of(operation):
    content = operation.get("requestBody", {}).get("content", {})
    return resolve(content["application/json"]["schema"]) if "application/json" in content else None


WITH_FIELDS = [route["name"] for route in program()["routes"] if isinstance(route["fields"], list)]


@pytest.mark.parametrize("name", WITH_FIELDS)
def test_a_body_has_the_fields_that_its_route_takes(name):
    key = tuple(nameless(name).split(" ", 1))
    schema, fields = body_of(described()[key]), [field for field in routes()[key]["fields"] if field["type"] != "read_only"]
    assert schema["additionalProperties"] is False, "unknown members are refused"
    assert set(schema["properties"]) == {field["name"] for field in fields}, HERE
    assert set(schema.get("required", [])) == {field["name"] for field in fields if field["required"]}
    wrong = {field["name"]: (schema_of(field), schema["properties"][field["name"]])
             for field in fields if not is_said(field, schema["properties"][field["name"]])}
    assert not wrong, f"(the table's, the document's): {wrong}"


def test_who_takes_a_body_says_so():
    for key, operation in described().items():
        route = routes()[key]
        assert ("requestBody" in operation) == (route["fields"] is not None or route["takes_bytes"]), operation["operationId"]
        content = operation.get("requestBody", {}).get("content", {})
        assert ("application/json" in content) == (route["fields"] is not None), operation["operationId"]


def test_the_policy_is_the_table_of_policies():
    schemas = document()["components"]["schemas"]
    edit, policy = schemas["PolicyEdit"]["properties"], schemas["Policy"]["properties"]
    columns = {column["name"]: column for column in program()["policies"]}
    assert list(edit) == list(columns) and policy.keys() - edit.keys() == {"version", "updated_at"}
    for name, column in columns.items():
        told = edit[name]
        assert told == policy[name] and told["description"] == column["meaning"], name
        items = told.get("items", told)
        if column["type"] in ("int", "int_list"):
            assert (items["minimum"], items["maximum"]) == (column["min"], column["max"]), name
        if column["choices"]:
            assert items["enum"] == column["choices"], name
        assert ("null" in told.get("type", "")) == column["nullable"], name
    for schema in ("PolicyPreset", "PolicySimulation"):
        assert schemas[schema]["properties"]["preset"]["enum"] == program()["presets"]


# --- problems

def test_problems_are_the_table_of_problems():
    table = {problem["code"]: problem for problem in program()["problems"]}
    codes = set(document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    assert codes == table.keys() | {"malformed_request"}, "common/problem.c and server/openapi/document.yaml"
    answered = {}
    for operation in described().values():
        for status, response in operation["responses"].items():
            response = resolve(response)
            for medium in response.get("content", {}).values():
                for code in medium.get("schema", {}).get("allOf", [{}, {"properties": {"code": {"enum": []}}}])[1]["properties"]["code"]["enum"]:
                    answered[code] = int(status)
                    title = re.search(rf"`{code}`: (.*?)\.(?= `|$)", response["description"])[1]
                    assert code == "malformed_request" or title == table[code]["title"]
    assert codes - answered.keys() <= NEVER_ALONE.keys()
    assert {code: table[code]["status"] for code in answered if code in table} == {code: status for code, status in answered.items() if code in table}


# --- schemas and examples

def test_schemas_are_of_the_dialect_that_openapi_has():
    for name, schema in document()["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise AssertionError(f"{name}: {error.message}") from None


def examples():
    for operation in described().values():
        for place in [operation.get("requestBody", {}), *map(resolve, operation["responses"].values())]:
            for medium in place.get("content", {}).values():
                if "example" in medium:
                    yield operation["operationId"], place, medium


def test_examples_fit_their_schemas():
    resolver = jsonschema.RefResolver("", document())
    for operation, _, medium in examples():
        errors = list(jsonschema.Draft202012Validator(medium["schema"], resolver=resolver, format_checker=jsonschema.FormatChecker()).iter_errors(medium["example"]))
        assert not errors, (operation, errors[0].message)


def test_the_commonest_routes_have_examples():
    shown = {operation for operation, place, _ in examples() if "application/problem+json" not in place["content"]}
    assert shown >= {"signIn", "createUser", "listUsers", "getUser", "editUser", "inactivateUser", "activateUser", "inviteUser", "bulkUsers",
                     "listMails", "createExport"}


# --- the contract finds what it is there to find

class Told:
    """An answer as the client has it."""

    def __init__(self, status, body, kind="application/json", **headers):
        self.status, self.body, self.text = status, body, json.dumps(body) if body is not None else ""
        self.headers = {"X-Request-Id": "x", **({"Content-Type": kind} if body is not None else {}), **headers}


ORGANIZATION = {"id": "01900000-0000-7000-8000-000000000000", "slug": "acme", "name": "Acme", "contact_email": "a@example.org", "locale": "en",
                "timezone": "UTC", "version": 1, "created_at": "2026-11-27T18:24:31.1Z", "updated_at": "2026-11-27T18:24:31Z"}
PROBLEM = {"type": "about:blank", "title": "x", "status": 403, "detail": "y", "code": "permission_missing"}
GET = ("GET", "/v1/organization", None)
PATCH = ("PATCH", "/v1/organization", {"name": "Acme"})
TAG = {"ETag": '"1"'}


def test_what_the_document_says_is_granted():
    Contract(document()).check(*GET, Told(200, ORGANIZATION, **TAG))
    Contract(document()).check(*PATCH, Told(200, ORGANIZATION, **TAG))
    Contract(document()).check(*GET, Told(403, PROBLEM, "application/problem+json"))


@pytest.mark.parametrize("request_, answer", [
    (GET, Told(200, {**ORGANIZATION, "secret": 1}, **TAG)), (GET, Told(200, {name: value for name, value in ORGANIZATION.items() if name != "slug"}, **TAG)),
    (GET, Told(200, {**ORGANIZATION, "version": "1"}, **TAG)), (GET, Told(200, {**ORGANIZATION, "id": "x"}, **TAG)), (GET, Told(200, {**ORGANIZATION, "locale": "xx"}, **TAG)),
    (GET, Told(200, {**ORGANIZATION, "created_at": "2026-11-27 18:24:31+00"}, **TAG)), (GET, Told(200, ORGANIZATION)), (GET, Told(200, ORGANIZATION, "text/html", **TAG)),
    (GET, Told(418, ORGANIZATION, **TAG)), (GET, Told(403, {**PROBLEM, "code": "last_administrator"}, "application/problem+json")),
    (GET, Told(403, {**PROBLEM, "code": "nonsense"}, "application/problem+json")), (GET, Told(403, {"code": "permission_missing"}, "application/problem+json")),
    (GET, Told(403, PROBLEM)), (("PATCH", "/v1/organization", {"slug": "x"}), Told(200, ORGANIZATION, **TAG)),
    (("PATCH", "/v1/organization", {"name": None}), Told(200, ORGANIZATION, **TAG)), (("GET", "/v1/organization?x=1", None), Told(200, ORGANIZATION, **TAG)),
    (("GET", "/v1/nothing", None), Told(404, {"code": "not_found"}, "application/problem+json")),
], ids=["a member too many", "a member missing", "a wrong type", "no id", "an unknown word", "a time of another form", "no ETag", "another media type", "an unknown status",
        "a code of another route", "an unknown code", "half a problem", "a problem as plain JSON", "an unknown member granted", "a null granted", "a parameter granted",
        "a problem of no route"])
def test_what_the_document_does_not_say_is_found(request_, answer):
    with pytest.raises(AssertionError):
        Contract(document()).check(*request_, answer)


# --- putting it together

def assembled(folder, change=None):
    """What assemble.py makes of the files with one text replaced by another: the process."""
    source = shutil.copytree(ROOT / "server" / "openapi", folder / "openapi")
    if change:
        name, old, new = change
        text = (source / name).read_text(encoding="utf-8")
        assert old in text
        (source / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return subprocess.run(["/usr/bin/python3", source / "assemble.py", "1", folder / "out.json", *sorted(source.glob("*.yaml"))], capture_output=True,
                          text=True, check=False, timeout=60)


@pytest.mark.parametrize("change, complaint", [
    (("users.yaml", "answers:\n        200: User\n", "answers:\n        200: Person\n"), "no such schema: Person"),
    (("users.yaml", "email_taken,", "email_stolen,"), "email_stolen is no problem of status 409"),
    (("users.yaml", "      who: [users:write]\n", ""), "who, summary, operationId and answers are needed"),
    (("users.yaml", "      first_name: name\n", "      first_name: nom\n"), "no such type: nom"),
    (("users.yaml", "required: [first_name, last_name]", "required: [first_name, surname]"), "no such members: ['surname']"),
    (("users.yaml", "        - count\n", "        - county\n"), "does not say what the parameter county is"),
    (("users.yaml", "  /v1/users/{id}/actions:", "  /v1/users/{whom}/actions:"), "does not say what {whom} is"),
    (("users.yaml", "  UserActions:\n", "  UserDeeds:\n"), "UserActions"),
    (("users.yaml", "  Delivery:\n", "  Delivery: &x\n    description: x\n    members: {}\n  Delivery:\n"), "twice: ['Delivery']"),
    (("users.yaml", "tag:\n", "tag:\n\t"), "users.yaml"),
    (("users.yaml", "bodies:\n", "requests:\n"), "users.yaml: it has a tag and"),
], ids=["schema", "code", "who", "type", "required", "parameter", "path", "reference", "twice", "yaml", "part"])
def test_what_is_written_wrongly_is_refused_with_its_name(tmp_path, change, complaint):
    done = assembled(tmp_path, change)
    assert done.returncode == 1 and complaint in done.stderr and "Traceback" not in done.stderr, done.stderr


# --- the public linter

@functools.lru_cache(maxsize=1)
def linter():
    """Its folder, installed as the lock file says; once for as long as that stays the same."""
    folder = ROOT / "build" / "openapi-lint"
    lock = (LINTER / "package-lock.json").read_text(encoding="utf-8")
    done = folder / "installed"
    if not (done.exists() and done.read_text(encoding="utf-8") == lock):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(LINTER / name, folder)
        made = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False, timeout=200, stdin=subprocess.DEVNULL)
        assert made.returncode == 0, f"the linter could not be installed from the npm registry: is it reachable from here?\n{made.stdout}{made.stderr}"
        done.write_text(lock, encoding="utf-8")
    return folder


def lint(path):
    return subprocess.run(["node", LINTER / "lint.mjs", path], cwd=linter(), capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.timeout(300)
def test_a_public_linter_finds_nothing(tmp_path):
    done = lint(DOCUMENT)
    assert done.returncode == 0 and done.stdout == "", f"{done.stdout}{done.stderr}"
    # And it would find something.
    broken = copy.deepcopy(document())
    del broken["paths"]["/v1/users/{id}"]["get"]["parameters"]
    (tmp_path / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
    done = lint(tmp_path / "broken.json")
    assert done.returncode == 1 and "path-parameters-defined" in done.stdout, f"{done.stdout}{done.stderr}"


def test_the_linters_lock_names_no_host_but_the_registrys():
    hosts = set(re.findall(r"https?://([^/\"]+)", (LINTER / "package-lock.json").read_text(encoding="utf-8")))
    assert hosts <= {"registry.npmjs.org"}, "npm writes where it got packages from: .npmrc tells it not to, and `funding` can go"
