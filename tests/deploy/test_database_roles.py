"""deploy/roles.sql: where its passwords come from, and what it does when it is run again."""
import os
import subprocess

import psycopg
import pytest

from support.cluster import ROOT, Cluster


@pytest.fixture(scope="module")
def fresh():
    """A PostgreSQL that nobody has made roles in, and that asks for passwords."""
    cluster = Cluster.create_without_roles()
    hba = cluster.data / "pg_hba.conf"
    hba.write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    with cluster.connect() as db:
        db.execute("ALTER SYSTEM SET log_statement = 'all'")
        db.execute("SELECT pg_reload_conf()")
    yield cluster
    cluster.remove()


def run(cluster, *options, text=None, **environment):
    return subprocess.run(["psql", "-qX", "-h", cluster.folder, "-p", str(cluster.port), "-U", "postgres", *options,
                           "-f", "-" if text else ROOT / "deploy/roles.sql"],
                          input=text, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False)


def opens(cluster, role, password, database="rollcall"):
    try:
        psycopg.connect(host="127.0.0.1", port=cluster.port, user=role, password=password, dbname=database).close()
    except psycopg.OperationalError:
        return False
    return True


def test_passwords_come_from_the_environment_and_stay_where_none_is_given(fresh):
    refused = run(fresh)
    assert refused.returncode == 3 and "OWNER_PASSWORD is not set" in refused.stderr, refused.stderr
    refused = run(fresh, OWNER_PASSWORD="of the owner", PROGRAM_PASSWORD="")
    assert refused.returncode == 3 and "PROGRAM_PASSWORD is not set" in refused.stderr, refused.stderr
    with fresh.connect() as db:
        assert db.execute("SELECT FROM pg_roles WHERE rolname LIKE 'rollcall%'").rowcount == 0, "nothing is half made"
    done = run(fresh, OWNER_PASSWORD="of the 'owner", PROGRAM_PASSWORD="of the program")
    assert done.returncode == 0, done.stderr
    assert opens(fresh, "rollcall_owner", "of the 'owner") and opens(fresh, "rollcall", "of the program")
    assert not opens(fresh, "rollcall", "of another")

    # As before a restore: the old database is set aside, and a new one is made; nobody looks for passwords.
    with fresh.connect() as db:
        db.execute("ALTER DATABASE rollcall RENAME TO rollcall_before")
    done = run(fresh)
    assert done.returncode == 0, done.stderr
    assert opens(fresh, "rollcall_owner", "of the 'owner") and opens(fresh, "rollcall", "of the program")

    # As when a backup is tried: another database beside it.
    done = run(fresh, "-v", "database=rollcall_trial")
    assert done.returncode == 0, done.stderr
    assert opens(fresh, "rollcall_owner", "of the 'owner", "rollcall_trial") and opens(fresh, "rollcall_owner", "of the 'owner")

    # One of them is changed; and as Compose does it, on standard input.
    assert run(fresh, PROGRAM_PASSWORD="another").returncode == 0
    assert opens(fresh, "rollcall", "another") and opens(fresh, "rollcall_owner", "of the 'owner")
    done = run(fresh, text=f"\\set owner_password 'a third'\n\\i {ROOT}/deploy/roles.sql\n", PROGRAM_PASSWORD="a fourth")
    assert done.returncode == 0, done.stderr
    assert opens(fresh, "rollcall_owner", "a third") and opens(fresh, "rollcall", "a fourth")

    log = (fresh.folder / "log").read_text()
    assert "ALTER DATABASE" in log and not [line for line in log.splitlines() if "of the" in line or "third" in line or "fourth" in line]
