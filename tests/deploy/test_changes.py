"""What changes under running programs, as deploy/RUNBOOK.md has it done: the schema of a newer release, the master secret."""
import threading

from support.system import PASSWORD, SECRET
from support.waiting import wait_until

OTHER = bytes(reversed(range(32)))
NEWER = 9000


class Traffic(threading.Thread):
    """Reads and writes without a pause; every answer is remembered."""

    def __init__(self, system):
        super().__init__(daemon=True)
        self.client, self.statuses, self.rounds, self.stopping = system.client(system.admin_token), [], 0, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            made = self.client.post("/v1/users", {"email": f"traffic{self.rounds}@example.org", "first_name": "T", "last_name": "T"})
            answers = [made, self.client.get("/v1/users", limit=5), self.client.get("/v1/me")]
            if made.status == 201:
                answers += [self.client.patch(f"/v1/users/{made['id']}", {"last_name": "U"}), self.client.get(f"/v1/users/{made['id']}")]
            self.statuses += [answer.status for answer in answers]
            self.rounds += 1

    def goes_on(self):
        """Some rounds later than now; what was answered in them."""
        seen = self.rounds
        wait_until(lambda: self.rounds > seen, because="the request in hand is answered")
        before = len(self.statuses)
        wait_until(lambda: self.rounds > seen + 4, because="requests go on")
        return set(self.statuses[before:])

    def stop(self):
        self.stopping.set()
        self.join(30)


def migrate_to_a_newer_release(system, statements, incompatible_below=None):
    """As its `migrate` would: under its lock, the statements and their record in one transaction."""
    with system.cluster.connect(system.database) as db, db.transaction():
        db.execute("SET LOCAL ROLE rollcall_owner")
        db.execute("SET LOCAL lock_timeout = '10s'")
        db.execute(statements)
        db.execute("INSERT INTO rollcall.schema_migration (version, name, checksum, incompatible_below) VALUES (%s, 'newer', '', %s)"
                   " ON CONFLICT (version) DO UPDATE SET incompatible_below = EXCLUDED.incompatible_below", [NEWER, incompatible_below])


def test_this_release_serves_on_while_a_newer_one_expands_the_schema(rollcall):
    traffic = Traffic(rollcall)
    traffic.start()
    traffic.goes_on()
    # In the middle of the tables that every request reads, whose statements are prepared.
    migrate_to_a_newer_release(rollcall, """
        ALTER TABLE rollcall.users ADD COLUMN newer text NOT NULL DEFAULT 'x';
        ALTER TABLE rollcall.session ADD COLUMN newer text; ALTER TABLE rollcall.outbox ADD COLUMN newer text;
        ALTER TABLE rollcall.policy ADD COLUMN newer integer NOT NULL DEFAULT 1; ALTER TABLE rollcall.invitation ADD COLUMN newer text;
        ALTER TABLE rollcall.credential ADD COLUMN newer text; CREATE TABLE rollcall.newer ();""")
    assert traffic.goes_on() == {200, 201}
    traffic.stop()
    assert set(traffic.statuses) <= {200, 201, 503}, "503: who met the migration's locks"
    rollcall.anyone.get("/readyz").ok(200)
    user = rollcall.create_user(email="expanded@example.org")
    rollcall.accept(rollcall.wait_mail(to="expanded@example.org").link).ok(200)
    rollcall.sign_in(user)
    # Also one that starts, and one that migrates: nothing is to do for it.
    rollcall.restart_server()
    rollcall.restart_worker()
    assert rollcall.command("migrate").returncode == 0


def test_a_schema_that_contracts_makes_this_release_say_what_to_install(server_only):
    migrate_to_a_newer_release(server_only, "", incompatible_below=NEWER)
    refused = server_only.anyone.get("/readyz").refused(503, "unavailable")
    newest = server_only.value("SELECT max(version) FROM rollcall.schema_migration WHERE version < %s", NEWER)
    assert f"The database does not fit this program: the schema is at version {NEWER}, which programs that know only {newest} cannot run on" in refused["detail"]
    assert server_only.server.stop() == 0
    for program in ("rollcall-server", "rollcall-worker"):
        done = server_only.command(program=program)
        assert done.returncode == 1 and f"install a release that knows at least {NEWER}" in done.stderr, done.stderr


def test_the_master_secret_rotates_and_nobody_is_signed_out(rollcall):
    """Append, put first, drop; one program after the other, as on several machines."""
    old, new = "hex:" + SECRET.hex(), "hex:" + OTHER.hex()
    active, invited, late = rollcall.create_active(), rollcall.create_user(), rollcall.create_user()
    session = rollcall.sign_in(active)
    rollcall.ask_reset(active)
    reset = rollcall.wait_mail(to=active["email"], kind="password_reset").link
    invitation = rollcall.mail_link(invited["email"])
    outlived = rollcall.mail_link(late["email"])

    def still_good(link, kind="invitations"):
        session.get("/v1/me").ok(200)
        rollcall.inspect(link, kind).ok(200)

    # Append: all know the new one before anybody makes anything with it.
    rollcall.restart_server(ROLLCALL_SECRET=f"{old},{new}")
    rollcall.restart_worker(ROLLCALL_SECRET=f"{old},{new}")
    still_good(invitation)
    # Put first: the worker is ahead of the server, which knows what it makes.
    rollcall.restart_worker(ROLLCALL_SECRET=f"{new},{old}")
    between = rollcall.create_user()
    rollcall.accept(rollcall.mail_link(between["email"])).ok(200)
    rollcall.restart_server(ROLLCALL_SECRET=f"{new},{old}")
    still_good(invitation)
    rollcall.accept(invitation).ok(200)
    still_good(reset, "password-resets")
    # Drop: what was made with the old one is nobody's any more.
    rollcall.restart_server(ROLLCALL_SECRET=new)
    rollcall.restart_worker(ROLLCALL_SECRET=new)
    session.get("/v1/me").ok(200)
    rollcall.admin.get("/v1/users").ok(200)
    rollcall.machine.get("/v1/users").ok(200)
    rollcall.login(active["email"], PASSWORD).ok(201)
    rollcall.inspect(outlived).refused(404, "link_unknown")
    rollcall.admin.post(f"/v1/users/{late['id']}/invite").ok(202)
    rollcall.wait_mail(to=late["email"], count=2)
    rollcall.accept(rollcall.mail_link(late["email"])).ok(200)
