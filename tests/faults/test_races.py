"""Two at the same moment: never both, never a token alive that should be dead.

ROLLCALL_RACES says how many rounds (100; a thousand by hand). Each round has its own users; the two calls
start together on connections that are open already, so that which comes first is left to chance.
"""
import os
import threading

import pytest

from support.system import numbers
from support.waiting import wait_until

ROUNDS = int(os.environ.get("ROLLCALL_RACES", "100"))
PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"
pytestmark = [pytest.mark.timeout(60 + ROUNDS // 2), pytest.mark.settings(ROLLCALL_DB_WRITE=16)]


class Race:
    """Runs two calls at once, over and over, on two threads that stay."""

    def __init__(self):
        self.gate, self.calls, self.answers = threading.Barrier(3), [None, None], [None, None]
        for number in (0, 1):
            threading.Thread(target=self.run, args=(number,), daemon=True).start()

    def run(self, number):
        while True:
            self.gate.wait()
            call = self.calls[number]
            if call is None:
                return
            try:
                self.answers[number] = call()
            except Exception as failure:  # shown by the test that looks at the answer
                self.answers[number] = failure
            self.gate.wait()

    def __call__(self, first, second):
        self.calls = [first, second]
        self.gate.wait()
        self.gate.wait()
        return self.answers

    def end(self):
        self.calls = [None, None]
        self.gate.wait()


@pytest.fixture
def race():
    race = Race()
    yield race
    race.end()


def codes(outcomes):
    return {tuple(str(code) for code in outcome): count for outcome, count in outcomes.items()}


def tally(outcomes, *answers):
    key = tuple(answer.code or answer.status for answer in answers)
    outcomes[key] = outcomes.get(key, 0) + 1


def test_accept_against_inactivate(server_only, race):
    outcomes, accepting, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS):
        user = server_only.create_user()
        link = server_only.token_of(server_only.link(user))
        accepted, inactivated = race(lambda: accepting.post("/v1/invitations/accept", {"token": link, "password": PASSWORD}),
                                     lambda: admin.post(f"/v1/users/{user['id']}/inactivate"))
        tally(outcomes, accepted, inactivated)
        inactivated.ok(200)
        assert accepted.status == 200 or accepted.code == "link_revoked", accepted
        assert server_only.user(user)["status"] == "inactive"
        server_only.login(user["email"], PASSWORD).refused(401, "login_failed")
        server_only.anyone.post("/v1/invitations/accept", {"token": link, "password": OTHER}).refused(410)
        assert server_only.row("invitation", user)["state"] in ("accepted", "revoked")
    print(codes(outcomes))


def test_login_against_inactivate(server_only, race):
    outcomes, signing_in, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS):
        user = server_only.create_user(password=PASSWORD)
        session, inactivated = race(lambda: signing_in.post("/v1/sessions", {"login": user["email"], "password": PASSWORD}),
                                    lambda: admin.post(f"/v1/users/{user['id']}/inactivate"))
        tally(outcomes, session, inactivated)
        inactivated.ok(200)
        assert session.status in (201, 401), session
        if session.status == 201:
            server_only.client(session["token"]).get("/v1/auth/verify").refused(401)
        assert server_only.user(user)["status"] == "inactive"
        server_only.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
        if session.status == 201:  # what was out stays out, though he may come in again
            server_only.client(session["token"]).get("/v1/auth/verify").refused(401)
    print(codes(outcomes))


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_accept_against_delete(server_only, race, mode):
    """Whichever comes first, he is gone in the end; a set that changed under its number is not deleted."""
    server_only.set_policy(deletion=mode)
    outcomes, accepting, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS // 2):
        user = server_only.create_user()
        link = server_only.token_of(server_only.link(user))
        accepted, deleted = race(lambda: accepting.post("/v1/invitations/accept", {"token": link, "password": PASSWORD}), delete(admin, user))
        tally(outcomes, accepted, deleted)
        if deleted.status == 200:
            assert accepted.code == "link_revoked", accepted
            assert is_gone(server_only, user)
        else:
            assert (accepted.status, deleted.code) == (200, "state_conflict"), (accepted, deleted)
            assert server_only.user(user)["status"] == "active"
            delete(admin, user)().ok(200)
        server_only.login(user["email"], PASSWORD).refused(401, "login_failed")
        server_only.anyone.post("/v1/invitations/accept", {"token": link, "password": OTHER}).refused(410, "link_revoked")
    print(codes(outcomes))


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_login_against_delete(server_only, race, mode):
    """No session is left, neither one that was made just before nor one that would be made just after."""
    server_only.set_policy(deletion=mode)
    outcomes, signing_in, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS // 2):
        user = server_only.create_user(password=PASSWORD)
        session, deleted = race(lambda: signing_in.post("/v1/sessions", {"login": user["email"], "password": PASSWORD}), delete(admin, user))
        tally(outcomes, session, deleted)
        deleted.ok(200)
        # Between being found and being counted he may have gone: that login is to ask again.
        assert session.status in (201, 401, 503), session
        server_only.login(user["email"], PASSWORD).refused(401, "login_failed")
        assert is_gone(server_only, user)
        assert server_only.value("SELECT count(*) FROM rollcall.session WHERE user_id = %s", user["id"]) == 0
        if session.status == 201:
            server_only.client(session["token"]).get("/v1/auth/verify").refused(401)
    print(codes(outcomes))


def delete(client, user):
    """The second call of a deletion whose first one has been made."""
    deletion = client.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    return lambda: client.post(f"/v1/users/deletions/{deletion['id']}/confirm", {"code": deletion["code"]})


def is_gone(system, user):
    return system.value("SELECT count(*) FROM rollcall.users WHERE id = %s AND anonymised_at IS NULL", user["id"]) == 0


def test_two_confirms_of_one_deletion(server_only, race):
    """One is done, the other finds it done; and the audit tells it once."""
    server_only.set_policy(deletion="erase")
    admins = [server_only.client(server_only.admin_token) for _ in range(2)]
    for _ in range(ROUNDS // 2):
        users = [server_only.create_user() for _ in range(2)]
        deletion = admins[0].post("/v1/users/deletions", {"user_ids": [user["id"] for user in users]}).ok(201)
        answers = race(*[lambda client=client: client.post(f"/v1/users/deletions/{deletion['id']}/confirm", {"code": deletion["code"]})
                         for client in admins])
        assert sorted(answer.code or answer.status for answer in answers if answer.status != 200) == ["deletion_dead"], answers
        assert all(is_gone(server_only, user) for user in users)
    assert server_only.value("SELECT count(*) FROM rollcall.audit WHERE action = 'deletion.done'") == ROUNDS // 2
    assert server_only.value("SELECT count(*) FROM rollcall.audit WHERE action = 'user.deleted'") == ROUNDS // 2 * 2


def test_wrong_numbers_at_once_are_all_counted(server_only, race):
    """However they fall, two are refused, and what comes behind the third finds it dead."""
    server_only.set_policy(deletion="erase")
    admins = [server_only.client(server_only.admin_token) for _ in range(2)]
    user = server_only.create_user()
    for _ in range(ROUNDS // 4):
        deletion = admins[0].post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
        calls = [lambda client=client: client.post(f"/v1/users/deletions/{deletion['id']}/confirm", {"code": "0"}) for client in admins]
        first, second = list(race(*calls)), list(race(*calls))
        assert [answer.code for answer in first] == ["wrong_code"] * 2, first
        assert [answer.code for answer in second] == ["deletion_dead"] * 2, second
    assert not is_gone(server_only, user)


def test_two_administrators_deleting_each_other(server_only, race):
    server_only.set_policy(deletion="erase", deletion_confirmation="none")
    first = {"id": server_only.admin_id}
    for _ in range(max(ROUNDS // 5, 20)):
        server_only._admin = server_only.client(server_only.plant_session(first))
        second = server_only.create_administrator()
        clients = [server_only.client(server_only.plant_session(user)) for user in (first, second)]
        answers = race(*[lambda client=client, user=user: client.post("/v1/users/deletions", {"user_ids": [user["id"]]})
                         for client, user in zip(clients, (second, first), strict=True)])
        assert sum(answer.status == 201 for answer in answers) == 1, answers
        loser = answers[0] if answers[0].status != 201 else answers[1]
        assert loser.code in ("last_administrator", "unauthenticated", "invalid_body"), loser
        left = server_only.sql("SELECT id FROM rollcall.users WHERE status = 'active'")
        assert len(left) == 1
        first = {"id": str(left[0])}


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_an_assignment_against_delete(server_only, race, mode):
    """Either the set has changed, or there is nobody to assign to: nothing is detached that was not announced."""
    server_only.set_policy(deletion=mode)
    server_only.set_policy(initial_status="chosen_by_admin")
    admin, application, outcomes = server_only.client(server_only.admin_token), server_only.client(server_only.api_key), {}
    for _ in range(ROUNDS // 2):
        user = server_only.create_user(status="active")
        path = f"/v1/assignments/jobs/route/{user['id']}"
        assigned, deleted = race(lambda path=path, user=user: application.put(path, {"user_id": user["id"]}), delete(admin, user))
        outcomes[assigned.status, deleted.status] = outcomes.get((assigned.status, deleted.status), 0) + 1
        assert (assigned.status, deleted.status) in ((200, 409), (409, 200), (422, 200)), (assigned, deleted)
        assert is_gone(server_only, user) == (deleted.status == 200)
    print(outcomes)


REMOVALS = {
    "inactivate": lambda client, user: client.post(f"/v1/users/{user['id']}/inactivate"),
    "take the role": lambda client, user: client.patch(f"/v1/users/{user['id']}", {"role_id": None}),
}


@pytest.mark.parametrize("ways", [("inactivate", "inactivate"), ("take the role", "take the role"), ("inactivate", "take the role")], ids=" and ".join)
@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside a third"])
def test_two_administrators_removing_each_other(server_only, race, ways, others):
    """One of them stays, whatever way each takes, in every round: also when it is not the last who goes."""
    for _ in range(others):
        server_only.create_administrator()
    role_id = str(server_only.value("SELECT id FROM rollcall.role WHERE permissions = '{*}'"))
    first, second = ({"id": server_only.admin_id}, server_only.create_administrator())
    clients = [server_only.client(server_only.plant_session(user)) for user in (first, second)]
    outcomes = {}
    for _ in range(max(ROUNDS // 3, 20)):
        answers = race(lambda: REMOVALS[ways[0]](clients[0], second), lambda: REMOVALS[ways[1]](clients[1], first))
        tally(outcomes, *answers)
        assert sum(answer.status == 200 for answer in answers) == 1, answers
        loser = answers[0] if answers[0].status != 200 else answers[1]
        assert loser.code in ("last_administrator", "unauthenticated", "permission_missing", "exceeds_your_permissions"), loser
        assert server_only.value("SELECT count(*) FROM rollcall.users u JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id"
                                 " WHERE u.status = 'active' AND r.permissions = '{*}'") == 1 + others
        for user in (first, second):
            server_only.sql("UPDATE rollcall.users SET status = 'active', role_id = %s WHERE id = %s", role_id, user["id"])
        clients = [server_only.client(server_only.plant_session(user)) for user in (first, second)]
    print(codes(outcomes))


ADMINISTERS = ["roles:write", "users:write"]
# Each takes the last administrator but one away; or takes from under him what he moves to.
ROLE_CHANGES = {
    "both roles edited": (lambda c, case: c.patch(f"/v1/roles/{case['first_role']}", {"permissions": []}),
                          lambda c, case: c.patch(f"/v1/roles/{case['second_role']}", {"permissions": []})),
    "one edited, one deleted": (lambda c, case: c.patch(f"/v1/roles/{case['first_role']}", {"permissions": []}),
                                lambda c, case: c.delete(f"/v1/roles/{case['second_role']}?move_to={case['weak_role']}")),
    "both deleted": (lambda c, case: c.delete(f"/v1/roles/{case['first_role']}?move_to={case['weak_role']}"),
                     lambda c, case: c.delete(f"/v1/roles/{case['second_role']}?move_to={case['weak_role']}")),
    "one edited, the other inactivated": (lambda c, case: c.patch(f"/v1/roles/{case['first_role']}", {"permissions": []}),
                                          lambda c, case: c.post(f"/v1/users/{case['second']}/inactivate")),
    "moved to a role that is emptied": (lambda c, case: c.patch(f"/v1/users/{case['first']}", {"role_id": case["second_role"]}),
                                        lambda c, case: c.patch(f"/v1/roles/{case['second_role']}", {"permissions": []})),
    "deleted into a role that is emptied": (lambda c, case: c.delete(f"/v1/roles/{case['first_role']}?move_to={case['second_role']}"),
                                            lambda c, case: c.patch(f"/v1/roles/{case['second_role']}", {"permissions": []})),
}


@pytest.mark.parametrize("change", ROLE_CHANGES)
def test_two_changes_of_roles_that_together_would_leave_no_administrator(server_only, race, change):
    """Somebody administers after every round; where each change is harmless alone, at least one comes to pass."""
    system, outcomes = server_only, {}
    clients = [system.client(system.api_key) for _ in range(2)]
    first, second = (system.create_active(email=f"{name}@example.org") for name in ("first", "second"))
    system.sql("UPDATE rollcall.users SET status = 'inactive' WHERE id = %s", system.admin_id)
    lonely = "emptied" in change  # the second role has nobody: only the first administers
    for _ in range(max(ROUNDS // 4, 20)):
        case = {"first": first["id"], "second": second["id"], "first_role": system.make_role(*ADMINISTERS), "second_role": system.make_role(*ADMINISTERS),
                "weak_role": system.make_role("users:read")}
        system.sql("UPDATE rollcall.users SET status = 'active', role_id = %s WHERE id = %s", case["first_role"], first["id"])
        system.sql("UPDATE rollcall.users SET status = 'active', role_id = %s WHERE id = %s", None if lonely else case["second_role"], second["id"])
        answers = race(*[lambda client=client, call=call: call(client, case) for client, call in zip(clients, ROLE_CHANGES[change], strict=True)])
        tally(outcomes, *answers)
        assert system.value("SELECT count(*) FROM rollcall.users u JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id"
                            " WHERE u.status = 'active' AND r.permissions @> %s", ADMINISTERS) >= 1, answers
        good = [answer for answer in answers if answer.status in (200, 204)]
        if lonely:
            assert good and all(answer in good or answer.code == "last_administrator" for answer in answers), answers
        else:
            assert len(good) == 1 and all(answer in good or answer.code == "last_administrator" for answer in answers), answers
    print(codes(outcomes))


def test_a_role_is_deleted_while_it_is_given_to_somebody(server_only, race):
    """He is moved with the others, or it stays, or he does not get it; nobody has a role that is not there."""
    outcomes, clients = {}, [server_only.client(server_only.api_key) for _ in range(2)]
    other = server_only.make_role()
    users = [server_only.create_user() for _ in range(2)]
    for _ in range(ROUNDS // 2):
        role = server_only.make_role()
        server_only.sql("UPDATE rollcall.users SET role_id = NULL WHERE id = %s", users[0]["id"])
        server_only.sql("UPDATE rollcall.users SET role_id = %s WHERE id = %s", role, users[1]["id"])
        given, removed = race(lambda: clients[0].patch(f"/v1/users/{users[0]['id']}", {"role_id": role}),
                              lambda: clients[1].delete(f"/v1/roles/{role}?move_to={other}"))
        tally(outcomes, given, removed)
        assert given.status == 200 or given.code in ("state_conflict", "invalid_body"), given
        assert removed.status == 204 or removed.code == "state_conflict", removed
        assert given.status == 200 or removed.status == 204
        if removed.status == 204:
            assert server_only.user(users[1])["role_id"] == other
            assert server_only.user(users[0])["role_id"] == (other if given.status == 200 else None)
    print(codes(outcomes))


def test_two_resends(server_only, race):
    """Both may be done, one after the other; one link is alive, and it is the one that was mailed last."""
    admins = [server_only.client(server_only.admin_token) for _ in range(2)]
    for _ in range(ROUNDS):
        user = server_only.create_user()
        answers = race(*[lambda client=client: client.post(f"/v1/users/{user['id']}/invite") for client in admins])
        assert [answer.status for answer in answers] == [202, 202], answers
        mailed = server_only.sql("SELECT generation FROM rollcall.outbox WHERE user_id = %s AND kind = 'invitation' ORDER BY generation", user["id"])
        assert mailed == [1, 2, 3]
        for generation in (1, 2):
            server_only.inspect(server_only.link(user, generation=generation)).refused(410, "link_revoked")
        server_only.inspect(server_only.link(user, generation=3)).ok(200)
        assert server_only.user(user)["version"] == user["version"] + 2


def test_two_accepts_of_one_link(server_only, race):
    clients = [server_only.client() for _ in range(2)]
    for _ in range(ROUNDS):
        user = server_only.create_user()
        link = server_only.token_of(server_only.link(user))
        answers = race(*[lambda client=client, password=password: client.post("/v1/invitations/accept", {"token": link, "password": password})
                         for client, password in zip(clients, (PASSWORD, OTHER), strict=True)])
        assert sorted(answer.code or answer.status for answer in answers if answer.status != 200) == ["link_used"], answers
        winner = PASSWORD if answers[0].status == 200 else OTHER
        server_only.login(user["email"], winner).ok(201)


def test_accept_against_a_new_address(server_only, race):
    """Either he accepted and keeps his address, or the link has moved on to the new one; nobody is invited twice."""
    outcomes, accepting, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for number in range(ROUNDS):
        user = server_only.create_user()
        link = server_only.token_of(server_only.link(user))
        accepted, edited = race(lambda: accepting.post("/v1/invitations/accept", {"token": link, "password": PASSWORD}),
                                lambda: admin.patch(f"/v1/users/{user['id']}", {"email": f"moved{number}@example.org"}))
        tally(outcomes, accepted, edited)
        assert (accepted.status == 200) != (edited.status == 200), (accepted, edited)
        invitations = server_only.sql("SELECT recipient FROM rollcall.outbox WHERE user_id = %s AND kind = 'invitation' ORDER BY id", user["id"])
        if accepted.status == 200:
            assert edited.code == "refused_by_policy"
            assert (server_only.user(user)["invitation"]["state"], invitations) == ("accepted", [user["email"]])
        else:
            assert accepted.code == "link_revoked"
            assert (server_only.user(user)["status"], invitations) == ("pending", [user["email"], f"moved{number}@example.org"])
    print(codes(outcomes))


def new_address(system, user, email):
    """The token that would confirm it."""
    system.admin.patch(f"/v1/users/{user['id']}", {"email": email}).ok(200)
    return {"token": system.token_of(system.email_link(user))}


def test_confirming_an_address_against_inactivate(server_only, race):
    """He ends inactive; the new address counts only if it was confirmed before, and nobody is signed in either way."""
    server_only.set_policy(email_change="admin")
    outcomes, confirming, admin = {}, server_only.client(), server_only.client(server_only.admin_token)
    for number in range(ROUNDS // 2):
        user = server_only.create_user(password=PASSWORD)
        link, session = new_address(server_only, user, f"moved{number}@example.org"), server_only.client(server_only.plant_session(user))
        confirmed, inactivated = race(lambda: confirming.post("/v1/email-changes/confirm", link),
                                      lambda: admin.post(f"/v1/users/{user['id']}/inactivate"))
        tally(outcomes, confirmed, inactivated)
        inactivated.ok(200)
        assert confirmed.status == 204 or confirmed.code == "link_revoked", confirmed
        after = server_only.user(user)
        assert (after["status"], after["email_pending"]) == ("inactive", None)
        assert after["email"] == (f"moved{number}@example.org" if confirmed.status == 204 else user["email"])
        confirming.post("/v1/email-changes/confirm", link).refused(410)
        session.get("/v1/auth/verify").refused(401)
    print(codes(outcomes))


def test_two_who_confirm_the_same_address(server_only, race):
    server_only.set_policy(email_change="admin")
    clients = [server_only.client() for _ in range(2)]
    for number in range(ROUNDS // 2):
        users = [server_only.create_user(password=PASSWORD) for _ in range(2)]
        asked = [new_address(server_only, user, f"same{number}@example.org") for user in users]
        answers = race(*[lambda client=client, link=link: client.post("/v1/email-changes/confirm", link)
                         for client, link in zip(clients, asked, strict=True)])
        assert sorted(answer.code or answer.status for answer in answers if answer.status != 204) == ["email_taken"], answers
        emails = [server_only.user(user)["email"] for user in users]
        expected = [f"same{number}@example.org" if answer.status == 204 else user["email"] for user, answer in zip(users, answers, strict=True)]
        assert emails == expected


def test_reset_against_inactivate(server_only, race):
    completing, admin = server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS // 2):
        user = server_only.create_user(password=PASSWORD)
        server_only.ask_reset(user)
        link = server_only.token_of(server_only.reset_link(user))
        done, inactivated = race(lambda: completing.post("/v1/password-resets/complete", {"token": link, "password": OTHER}),
                                 lambda: admin.post(f"/v1/users/{user['id']}/inactivate"))
        inactivated.ok(200)
        assert done.status == 204 or done.code == "link_revoked", done
        assert server_only.user(user)["status"] == "inactive"
        server_only.anyone.post("/v1/password-resets/complete", {"token": link, "password": OTHER}).refused(410)


def test_two_edits_with_the_same_etag(server_only, race):
    admins = [server_only.client(server_only.admin_token) for _ in range(2)]
    user = server_only.create_user()
    for _ in range(ROUNDS):
        tag = {"If-Match": f'"{server_only.user(user)["version"]}"'}
        name = server_only.user(user)["first_name"]
        answers = race(*[lambda client=client, letter=letter: client.patch(f"/v1/users/{user['id']}", {"first_name": name[:3] + letter + str(_)}, headers=tag)
                         for client, letter in zip(admins, "xy", strict=True)])
        assert sorted(answer.status for answer in answers) == [200, 412], answers


def test_two_users_with_the_same_address(server_only, race):
    admins = [server_only.client(server_only.admin_token) for _ in range(2)]
    for number in range(ROUNDS):
        body = {"email": f"same{number}@example.org", "first_name": "A", "last_name": "B"}
        answers = race(*[lambda client=client: client.post("/v1/users", body) for client in admins])
        assert sorted(answer.status for answer in answers) == [201, 409], answers
    assert server_only.value("SELECT count(*) FROM rollcall.outbox WHERE kind = 'invitation'") == ROUNDS


def test_the_tenth_wrong_guess_against_inactivate(server_only, race):
    """He ends inactive, whether he was locked for a moment or not; the guess is refused like any other."""
    guessing, admin = server_only.client(), server_only.client(server_only.admin_token)
    for _ in range(ROUNDS):
        user = server_only.create_user(password=PASSWORD)
        server_only.move("credential", user, failed_attempts="9")
        guess, inactivated = race(lambda: guessing.post("/v1/sessions", {"login": user["email"], "password": "wrong"}),
                                  lambda: admin.post(f"/v1/users/{user['id']}/inactivate"))
        guess.refused(401, "login_failed")
        inactivated.ok(200)
        assert server_only.user(user)["status"] == "inactive"


def test_wrong_guesses_against_the_right_one(server_only, race):
    """The tenth wrong one and a right one: locked with no session alive, or in with a count of zero."""
    clients = [server_only.client() for _ in range(2)]
    for _ in range(ROUNDS // 4):
        user = server_only.create_user(password=PASSWORD)
        server_only.move("credential", user, failed_attempts="8")
        wrong, right = race(lambda: clients[0].post("/v1/sessions", {"login": user["email"], "password": "wrong"}),
                            lambda: clients[1].post("/v1/sessions", {"login": user["email"], "password": PASSWORD}))
        assert wrong.status == 401 and right.status in (201, 401), (wrong, right)
        status = wait_until(lambda: server_only.user(user)["status"])
        if status == "locked":
            assert right.status == 401 or server_only.client(right["token"]).get("/v1/me").status == 401
        else:
            assert right.status == 201
            server_only.client(right["token"]).get("/v1/me").ok(200)


def test_two_first_logins(server_only, race):
    """Both get in, and no session is left behind of which nobody has the token."""
    server_only.set_policy(activation_on="first_login")
    clients = [server_only.client() for _ in range(2)]
    for _ in range(ROUNDS // 2):
        user = server_only.create_user()
        server_only.accept(server_only.link(user)).ok(200)
        answers = race(*[lambda client=client: client.post("/v1/sessions", {"login": user["email"], "password": PASSWORD}) for client in clients])
        assert [answer.status for answer in answers] == [201, 201], answers
        assert server_only.value("SELECT count(*) FROM rollcall.session WHERE user_id = %s", user["id"]) == 2
        assert len(server_only.audit("user.first_login", user)) == 1


def make_department(system, parent=None):
    return system.admin.post("/v1/departments", {"name": f"Depot {next(numbers)}", "parent_id": parent}).ok(201)["id"]


def test_two_moves_never_make_a_circle(server_only, race):
    """Each into the other, at a distance: the second to be written has seen the first, or looks again."""
    outcomes, clients = {}, [server_only.client(server_only.admin_token) for _ in range(2)]
    tops = [make_department(server_only) for _ in range(2)]
    leaves = [make_department(server_only, top) for top in tops]
    for _ in range(ROUNDS // 2):
        answers = race(lambda: clients[0].patch(f"/v1/departments/{tops[0]}", {"parent_id": leaves[1]}),
                       lambda: clients[1].patch(f"/v1/departments/{tops[1]}", {"parent_id": leaves[0]}))
        tally(outcomes, *answers)
        assert sorted(answer.status for answer in answers) == [200, 422], answers
        moved = 0 if answers[0].status == 200 else 1
        assert answers[1 - moved].faults() == {"/parent_id": "invalid"}
        assert len(server_only.admin.get(f"/v1/departments/{leaves[moved]}").ok(200)["path"]) == 4
        server_only.admin.patch(f"/v1/departments/{tops[moved]}", {"parent_id": None}).ok(200)
    print(codes(outcomes))


ENTRANCES = {
    "a user": lambda client, into, user, other: client.patch(f"/v1/users/{user['id']}", {"department_id": into}),
    "a department": lambda client, into, user, other: client.patch(f"/v1/departments/{other}", {"parent_id": into}),
}


@pytest.mark.parametrize("who", ENTRANCES)
def test_a_department_is_not_deleted_while_it_is_entered(server_only, race, who):
    outcomes, clients = {}, [server_only.client(server_only.admin_token) for _ in range(2)]
    user, other = server_only.create_user(), make_department(server_only)
    for _ in range(ROUNDS // 4):
        department = make_department(server_only)
        deleted, entered = race(lambda: clients[0].delete(f"/v1/departments/{department}"),
                                lambda: ENTRANCES[who](clients[1], department, user, other))
        tally(outcomes, deleted, entered)
        assert (deleted.status == 204) != (entered.status == 200), (deleted, entered)
        assert deleted.status in (204, 409) and entered.status in (200, 409, 422), (deleted, entered)
    print(codes(outcomes))


def test_two_who_write_the_same_new_position(server_only, race):
    outcomes, clients = {}, [server_only.client(server_only.admin_token) for _ in range(2)]
    user = server_only.create_user()
    for number in range(ROUNDS // 4):
        title = f"Courier {number}"
        body = {"email": f"twin{number}@example.org", "first_name": "Olena", "last_name": "Koval", "position": title.upper()}
        edited, made = race(lambda: clients[0].patch(f"/v1/users/{user['id']}", {"position": title}), lambda: clients[1].post("/v1/users", body))
        tally(outcomes, edited, made)
        assert edited.ok(200)["position"].lower() == made.ok(201)["position"].lower() == title.lower()
    assert server_only.value("SELECT count(*) FROM rollcall.position") == ROUNDS // 4 == len(server_only.audit("position.created"))
    print(codes(outcomes))


def test_two_changes_of_a_users_groups_both_come_to_pass(server_only, race):
    outcomes, clients = {}, [server_only.client(server_only.admin_token) for _ in range(2)]
    groups = [server_only.admin.post("/v1/groups", {"name": name}).ok(201)["id"] for name in ("Riders", "Drivers")]
    users = [server_only.create_user()["id"] for _ in range(3)]
    for _ in range(ROUNDS // 4):
        answers = race(*(lambda client=client, group=group: client.post(f"/v1/groups/{group}/members", {"user_ids": users})
                         for client, group in zip(clients, groups)))
        tally(outcomes, *answers)
        assert [answer.ok(200)["users"] for answer in answers] == [3, 3]
        for group in groups:
            server_only.admin.put(f"/v1/groups/{group}/members", {"user_ids": []}).ok(200)
    afters = [row["changes"]["group_ids"][1] for row in server_only.audit("user.edited", users[0])][::4]
    assert all(after == [] for after in afters)
    print(codes(outcomes))
