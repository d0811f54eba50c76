"""POST /v1/users/bulk: many operations in one request, an outcome for each, in order."""
import itertools
import threading
import uuid

import pytest

from support.system import PASSWORD

numbers = itertools.count(1)


def bulk(system, *operations, client=None, **envelope):
    return (client or system.admin).post("/v1/users/bulk", {"operations": list(operations), **envelope})


def person(**more):
    number = next(numbers)
    return {"op": "create", "email": f"bulk{number}@example.org", "first_name": "Леся", "last_name": f"Українка{number}", **more}


def on(op, user, **more):
    return {"op": op, "id": user["id"] if isinstance(user, dict) else user, **more}


def outcome(answer):
    """What became of each: its status, or its problem's code."""
    body = answer.ok(200).body
    assert [item["index"] for item in body["items"]] == list(range(len(body["items"])))
    for item in body["items"]:
        assert ("problem" in item) == (item["status"] >= 400)
        assert "problem" not in item or item["problem"]["status"] == item["status"]
    assert body["failed"] == sum("problem" in item for item in body["items"])
    assert body["succeeded"] + body["failed"] == len(body["items"])
    return [item["problem"]["code"] if "problem" in item else item["status"] for item in body["items"]]


def faults(item):
    return {fault["pointer"]: fault["code"] for fault in item["problem"]["errors"]}


def test_every_operation_does_what_its_route_does_and_answers_in_its_place(standing):
    pending, active, other = standing.create_user(), standing.create_active(), standing.create_active()
    answer = bulk(standing, on("invite", pending), person(), on("inactivate", active, reason="left"), on("update", other, last_name="Нова"),
                  person(first_name=""), on("activate", str(uuid.uuid4())))
    assert outcome(answer) == [202, 201, 200, 200, "invalid_body", "not_found"]
    items = answer.body["items"]
    made = standing.user(items[1])
    assert (made["last_name"], made["status"], made["invitation"]["state"]) == (made["last_name"], "pending", "pending")
    assert [item.get("id") for item in items][0::2] == [pending["id"], active["id"], None]
    assert (standing.user(active)["status"], standing.user(other)["last_name"]) == ("inactive", "Нова")
    assert outcome(bulk(standing, on("activate", active))) == [200]
    assert standing.user(active)["status"] == "active"
