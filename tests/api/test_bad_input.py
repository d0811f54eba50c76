"""Bodies that are none: a clear 4xx, and nothing changes."""
import json
import re
import uuid

import pytest

GOOD = {"email": "bad-input@example.org", "first_name": "Olena", "last_name": "Koval"}
TEXT = json.dumps(GOOD).encode()


def deep(levels, inside=b"1"):
    return b"[" * levels + inside + b"]" * levels


MALFORMED = {
    "nothing but a brace": b"{", "an array": b"[]", "a text": b'"x"', "null": b"null", "a number": b"1", "true": b"true",
    "two objects": TEXT + TEXT, "a tail": TEXT + b"x", "a trailing comma": TEXT[:-1] + b",}", "single quotes": TEXT.replace(b'"', b"'"),
    "a comment": b"/* */" + TEXT, "unquoted names": b"{email: 1}", "NaN": b'{"email": NaN}', "Infinity": b'{"email": -Infinity}',
    "a leading zero": b'{"email": 01}', "a plus": b'{"email": +1}', "a hex number": b'{"email": 0x1}', "an unclosed text": b'{"email": "x}',
    "a raw line end in a text": b'{"email": "a\nb"}', "a raw control character": b'{"email": "a\x01b"}', "a raw NUL": b'{"email": "a\x00b"}',
    "a NUL behind the end": TEXT + b"\x00", "an escaped NUL": b'{"first_name": "a\\u0000b"}', "an escaped NUL in a name": b'{"first\\u0000name": "a"}',
    "a bad escape": b'{"email": "\\x41"}', "half a surrogate pair": b'{"first_name": "\\ud800"}', "a pair the wrong way": b'{"first_name": "\\udc00\\ud800"}',
    "invalid UTF-8": b'{"first_name": "\xff\xfe"}', "overlong UTF-8": b'{"first_name": "\xc0\xaf"}', "a surrogate in UTF-8": b'{"first_name": "\xed\xa0\x80"}',
    "beyond Unicode": b'{"first_name": "\xf4\x90\x80\x80"}', "cut UTF-8": b'{"first_name": "\xd0"}', "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT, "the same member twice": b'{"email": "a@example.org", "email": "b@example.org"}',
    "the same member twice, once escaped": b'{"email": "a@example.org", "\\u0065mail": "b@example.org"}',
    "the same member twice, inside": b'{"x": {"a": 1, "a": 2}}', "nested 100 deep": b'{"email": ' + deep(100) + b"}",
    "nested 30000 deep": b'{"email": ' + deep(30000) + b"}", "60000 open brackets": b"[" * 60000, "blank": b"   ", "a number of 5000 digits": b'{"email": ' + b"1" * 5000 + b"}",
    "a huge exponent": b'{"email": 1e999999}',
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("route", [("POST", "/v1/users"), ("PATCH", "/v1/policy"), ("POST", "/v1/sessions")], ids=" ".join)
def test_what_is_not_acceptable_as_json_is_malformed(standing, route, name):
    counts = "SELECT (SELECT count(*) FROM rollcall.users), (SELECT count(*) FROM rollcall.audit), (SELECT version FROM rollcall.policy LIMIT 1)"
    before = standing.sql(counts)
    answer = standing.admin.call(*route, data=MALFORMED[name], headers={"Content-Type": "application/json"})
    answer.refused(400, "malformed_body")
    assert standing.sql(counts) == before


def test_an_object_of_reasonable_depth_is_read(standing):
    standing.admin.call("POST", "/v1/users", data=b'{"email": ' + deep(5) + b"}", headers={"Content-Type": "application/json"}).refused(422, "invalid_body")


TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "application/jsonp", "application/json-patch+json", ""]


@pytest.mark.parametrize("kind", TYPES)
def test_another_media_type_is_refused(standing, kind):
    standing.admin.call("POST", "/v1/users", data=TEXT, headers={"Content-Type": kind}).refused(415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json", "application/json;charset=UTF-8"])
def test_json_under_its_other_names_is_taken(standing, kind):
    standing.admin.call("POST", "/v1/users", data=b"{}", headers={"Content-Type": kind}).refused(422, "invalid_body")


def test_a_body_of_one_mebibyte_is_read_and_a_greater_one_refused(standing):
    frame = b'{"first_name": "%s"}'
    room = (1 << 20) - len(frame) + 2
    headers = {"Content-Type": "application/json"}
    standing.admin.call("POST", "/v1/users", data=frame % (b"x" * room), headers=headers).refused(422, "invalid_body")
    assert standing.anyone.call("POST", "/v1/users", data=b"x" * (1 << 20), headers=headers).status == 401
    assert standing.client(standing.admin_token).raw("POST", "/v1/users", data=frame % (b"x" * (room + 1)), headers=headers).status == 413
    standing.admin.get("/v1/me").ok(200)


def test_without_credentials_a_body_is_at_most_64_kibibytes(standing):
    headers = {"Content-Type": "application/json"}
    for path in ("/v1/sessions", "/v1/invitations/inspect", "/v1/invitations/accept", "/v1/password-resets", "/v1/password-resets/complete"):
        standing.anyone.call("POST", path, data=b"{" + b" " * 65534 + b"}", headers=headers).refused(422, "invalid_body")
        standing.anyone.call("POST", path, data=b"{" + b" " * 65535 + b"}", headers=headers).refused(413, "body_too_large")
    standing.admin.call("POST", "/v1/sessions", data=b" " * (1 << 20), headers=headers).refused(413, "body_too_large")


def test_thousands_of_faults_are_answered_and_not_all_of_them_named(standing):
    body = {f"field_{number}": number for number in range(20000)}
    answer = standing.admin.post("/v1/users", body).refused(422, "invalid_body")
    assert 1 <= len(answer["errors"]) <= 100


def test_a_member_of_an_absurd_name_does_not_break_the_answer(standing):
    answer = standing.admin.post("/v1/users", {"a/~\"\\\u2028\u0007": 1, "": 1, "€" * 1000: 1}).refused(422, "invalid_body")
    assert {"/a~1~0\"\\\u2028\u0007", "/", "/" + "€" * 1000} <= answer.faults().keys()


def searches(system):
    """(path, names of the parameters) of all that is read with a query string."""
    for path, methods in system.anyone.get("/openapi.json").ok(200)["paths"].items():
        names = {parameter["$ref"].rsplit("/", 1)[1] if "$ref" in parameter else parameter["name"] for parameter in methods.get("get", {}).get("parameters", [])
                 if parameter.get("in") == "query" or "/Query" in parameter.get("$ref", "")}
        if names:
            yield path, names


def test_all_faults_of_a_query_are_named_at_once(standing):
    """That there is no such parameter, or nothing that it is asked of, does not hide that others are wrong."""
    found = list(searches(standing))
    assert len(found) > 20 and sum("QueryLimit" in names for _, names in found) > 15, found
    for path, names in found:
        client = standing.operator if path == "/v1/organizations" else standing.admin
        is_list = {"QueryLimit", "QueryCursor"} <= names
        answer = client.get(re.sub(r"\{\w+\}", lambda _: str(uuid.uuid4()), path), colour="red", size="xl", **({"limit": "0", "cursor": "x"} if is_list else {}))
        assert answer.refused(400, "invalid_query").faults() == {
            "colour": "unknown_field", "size": "unknown_field", **({"limit": "invalid", "cursor": "invalid"} if is_list else {})}, path


def test_the_server_is_well_after_all_of_it(standing):
    standing.admin.get("/v1/users").ok(200)
    assert standing.metrics()["rollcall_child_restarts_total"] == 0
