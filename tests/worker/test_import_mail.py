"""The mail to whoever asked for an import, once it has ended."""
import re
import uuid

import pytest
from support.cluster import ROOT
from support.outbox import nudge, wait_settled
from support.system import ADMIN_EMAIL

OUTCOMES = [("applied", None), ("applied", None), ("applied", '{"first_name": "Olha"}'), ("unchanged", None), ("error", None), ("skipped", None)]


def statement(name):
    """A query of the tree, with its parameters as psycopg wants them."""
    text = (ROOT / "sql" / "queries" / "jobs.sql").read_text()
    body = re.search(rf"^-- name: {name} .*?\n(.*?);$", text, re.S | re.M)[1]
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", body)


def end_import(system, kind="user", actor=None, state="applied", outcomes=OUTCOMES):
    """What the worker writes at the end of an import; its id."""
    id = system.value("INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, file_name, size, rows)"
                      " VALUES (%s, gen_random_uuid(), %s, %s, %s, jsonb_build_object('kind', %s::text, 'id', %s::text), 'Люди <2026>.csv', 9, %s) RETURNING id",
                      system.org_id, state, kind, actor or system.admin_id, kind, str(actor or system.admin_id), len(outcomes))
    for row, (outcome, before) in enumerate(outcomes, 2):
        system.sql("INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome, before) VALUES (%s, %s, %s, '{}', %s, %s)",
                   system.org_id, id, row, outcome, before)
    system.db.execute(statement("import_tell"), {"org_id": system.org_id, "import_id": id, "mail_id": uuid.uuid4()})
    nudge(system)
    return id


@pytest.mark.parametrize("language, subject, line", [
    ("en", "the import of Люди <2026>.csv is done", "Rows left out: 2"), ("uk", "імпорт файлу Люди <2026>.csv завершено", "Пропущено рядків: 2"),
    ("ru", "импорт файла Люди <2026>.csv завершён", "Пропущено строк: 2")])
def test_who_applied_an_import_hears_in_his_language_what_became_of_it(rollcall, language, subject, line):
    rollcall.sql("UPDATE rollcall.users SET locale = %s WHERE id = %s", language, rollcall.admin_id)
    id = end_import(rollcall)
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="import_done")
    assert subject in mail.subject and line in mail.text
    assert [int(number) for number in re.findall(r": (\d+)$", mail.text, re.M)] == [6, 2, 1, 2]
    assert rollcall.value("SELECT data FROM rollcall.outbox") == {
        "recipient_id": rollcall.admin_id, "import_id": str(id), "file_name": "Люди <2026>.csv", "applied": True, "rows": 6, "created": 2, "updated": 1, "errors": 2}


def test_an_import_that_stopped_says_so_and_one_without_faults_speaks_of_none(rollcall):
    end_import(rollcall, state="failed", outcomes=[("applied", None)])
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="import_done")
    assert "stopped" in mail.subject and "What was done until then stays." in mail.text and "left out" not in mail.text


def test_for_an_api_key_the_contact_of_the_organization_hears_of_it(rollcall):
    rollcall.sql("UPDATE rollcall.organization SET contact_email = 'contact@example.org', locale = 'uk'")
    end_import(rollcall, kind="api_key", actor=rollcall.api_key_id)
    assert "завершено" in rollcall.wait_mail("contact@example.org", kind="import_done").subject


def test_nobody_hears_of_an_import_whose_maker_is_no_longer_active_or_has_no_address(rollcall):
    out, nameless = rollcall.create_active(), rollcall.create_active()
    rollcall.admin.post(f"/v1/users/{out['id']}/inactivate").ok(200)
    rollcall.sql("UPDATE rollcall.users SET email = NULL, username = 'nameless' WHERE id = %s", nameless["id"])
    for actor in (out, nameless):
        end_import(rollcall, actor=actor["id"])
    assert rollcall.sql("SELECT id FROM rollcall.outbox WHERE kind = 'import_done'") == []


def test_who_is_inactivated_before_it_is_sent_does_not_hear_of_it(rollcall):
    user = rollcall.create_active()
    wait_settled(rollcall)
    rollcall.worker.stop()
    end_import(rollcall, actor=user["id"])
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    rollcall.worker.start()
    wait_settled(rollcall)
    assert rollcall.value("SELECT state FROM rollcall.outbox WHERE kind = 'import_done'") == "cancelled"
