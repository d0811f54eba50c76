"""Moving the worker's rows in time, and filling its outbox.

Back-off and leases last minutes: tests bring the rows forward and nudge the worker, as the server
does after a commit.
"""
from .waiting import wait_until


def nudge(system):
    system.sql("NOTIFY rollcall_outbox")


def due_now(system):
    """What waits for its next attempt is due at once; how many mails that are."""
    moved = system.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued' AND leased_by IS NULL")
    nudge(system)
    return moved


def end_leases(system):
    """What a dead sender held comes back at once."""
    moved = system.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued' AND leased_by IS NOT NULL")
    nudge(system)
    return moved


def queue_mails(system, count, notify=True, prefix="many", due="now() - interval '1 hour' + n * interval '1 ms'"):
    """So many mails that stay alive whatever happens, due in the order of their numbers; their recipients."""
    system.sql("INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, run_at)"
               f" SELECT %s, gen_random_uuid(), 'password_changed', %s, %s || n || '@example.org', {due}"
               " FROM generate_series(1, %s) n", system.org_id, system.admin_id, prefix, count)
    if notify:
        nudge(system)
    return [f"{prefix}{n}@example.org" for n in range(1, count + 1)]


def mail_to(system, recipient):
    """The newest row of the outbox to somebody, as the API shows it."""
    return next((row for row in system.outbox() if row["recipient"] == recipient), None)


def wait_state(system, recipient, state, timeout=10, **members):
    """The newest row to somebody, once it is in that state and has these members."""
    def reached():
        row = mail_to(system, recipient)
        return row and row["state"] == state and all(row[name] == value for name, value in members.items()) and row
    return wait_until(reached, timeout, because=f"the mail to {recipient} is {state} {members}")


def wait_put_off(system, recipient, attempts, reply=""):
    """The newest row to somebody, once a sender has tried so often and waits for the next time."""
    def put_off():
        # An older one may be on its way yet, and be put off as well.
        found = system.sql("SELECT id FROM (SELECT * FROM rollcall.outbox WHERE recipient = %s ORDER BY id DESC LIMIT 1) newest"
                           " WHERE state = 'queued' AND leased_by IS NULL AND attempts = %s AND last_reply LIKE %s", recipient, attempts, f"%{reply}%")
        return found and mail_to(system, recipient)
    return wait_until(put_off, because=f"the mail to {recipient} is put off after {attempts} attempts")


def wait_settled(system, timeout=30):
    """Nothing is left to send."""
    wait_until(lambda: system.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'") == 0, timeout, because="the outbox is empty")


def second_worker(system, **settings):
    """Another one beside the first, once both clocks run."""
    worker = system.program("rollcall-worker", ROLLCALL_METRICS_LISTEN="", **settings)
    system.extra_workers.append(worker)
    worker.start()
    wait_until(lambda: sum(name == "rollcall-worker/clock" for name, *_ in system.cluster.connections(system.database)) == 2,
               because="two clocks run")
    return worker


def rounds(system, count=2):
    """The clock has gone round so many times: each time it has seen an invitation that was over."""
    user_id = system.value("INSERT INTO rollcall.users (org_id, id, first_name, last_name, status, status_reason, version)"
                           " VALUES (%s, gen_random_uuid(), 'round', 'round', 'inactive', 'by_admin', 1) RETURNING id", system.org_id)
    for _ in range(count):
        system.sql("INSERT INTO rollcall.invitation (org_id, user_id, generation, state, expires_at) VALUES (%s, %s, 1, 'pending', now())"
                   " ON CONFLICT (org_id, user_id) DO UPDATE SET state = 'pending', expires_at = now()", system.org_id, user_id)
        wait_until(lambda: system.row("invitation", user_id)["state"] == "expired", because="the clock has gone round")
