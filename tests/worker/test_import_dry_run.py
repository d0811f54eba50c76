"""The dry run of an import: what it says of each row, and that nothing else comes of it."""
import pytest

from support.imports import apply, csv_of, dry_run, faults, outcomes, rows, undo


def test_a_file_of_new_people_says_that_it_would_make_them(rollcall):
    made = dry_run(rollcall.admin, csv_of(["E-mail", "Ім'я", "Фамилия", "Phone"],
                                          ["olena@example.org", "Олена", "Шевченко", "+380 50 123 45 67"], ["ivan@example.org", "Іван", "Франко", ""]))
    assert made["state"] == "ready", made
    assert made["mapping"] == {"E-mail": "email", "Ім'я": "first_name", "Фамилия": "last_name", "Phone": "phone"}
    assert outcomes(rollcall.admin, made) == {2: "create", 3: "create"}
    assert rollcall.admin.get("/v1/users").ok().items[0]["last_name"] == "Administrator"
    applied = apply(rollcall.admin, made)
    assert applied["state"] == "applied", applied
    assert applied["counts"]["applied"] == 2
    users = {user["email"]: user for user in rollcall.admin.get("/v1/users").ok().items}
    assert users["olena@example.org"]["phone"] == "+380501234567"
    undone = undo(rollcall.admin, made)
    assert undone["state"] == "undone" and undone["counts"]["undone"] == 2, undone
    assert len(rollcall.admin.get("/v1/users").ok().items) == 1
