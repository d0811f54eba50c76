"""The limit: what pgbench reaches with the very statements that the server runs for a request.

Nothing is written down twice. One request is made while PostgreSQL logs; the statements, their order and
their parameters come from that log. In what is then given to pgbench,

- a parameter that is the same for every request is a pgbench variable;
- a session's token hash and a user's id are fetched anew by each client every few hundred transactions;
- what must be new each time (ids, e-mail address) is text in which a number is replaced by the statement
  itself: a look at a table of one row and a replace(), some microseconds of a transaction of a millisecond.
"""
import json
import pathlib
import re
import secrets
import subprocess
import time

from machine import Meter, wait_for

PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
MARK = "badc0ffee123"  # stands for twelve hexadecimal digits, the time in a UUIDv7
# As server/lane.c connects: the same plans.
OPTIONS = ("-c search_path=rollcall,public -c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601"
           " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off")
REFETCH_EVERY = 250
SEARCH_SECONDS = 1


class Statement:
    def __init__(self, name, sql, values):
        self.name, self.sql, self.values = name, sql, values


def capture(rollcall, names, call):
    """The statements of one request, in the order of `names`."""
    log = rollcall.cluster.data / "statements" / "log.json"
    db = rollcall.db
    db.execute("ALTER SYSTEM SET log_statement = 'all'")
    db.execute("SELECT pg_reload_conf()")
    try:
        wait_for(lambda: db.execute("SHOW log_statement").fetchone()[0] == "all")
        mark = secrets.token_hex(8)
        db.execute(f"SELECT '{mark}'")
        call()
        found = {}

        def complete():
            text = log.read_text()
            for line in text[text.rindex(mark):].splitlines()[1:]:
                statement = read_line(json.loads(line))
                if statement:
                    found[statement.name] = statement
            return not set(names) - set(found)
        wait_for(complete, 10)
    finally:
        db.execute("ALTER SYSTEM RESET log_statement")
        db.execute("SELECT pg_reload_conf()")
    return [found[name] for name in names]


def read_line(entry):
    match = re.match(r"execute (\w+): (.*)", entry["message"], re.S)
    if not match or entry.get("user") != "rollcall":
        return None
    values = {}
    for number, value in PARAMETER.findall(entry.get("detail", "")):
        values[int(number)] = None if value == "NULL" else value[1:-1].replace("''", "'")
    return Statement(match[1], match[2], values)


def hide_colons(sql):
    """pgbench would take the :MI of a literal 'HH24:MI' for a variable of its."""
    def rewrite(match):
        escaped = match[0].replace("\\", "\\\\").replace(":", "\\003A")
        return "U&" + escaped if re.search(r":\w", match[0]) else match[0]
    return re.sub(r"'(?:[^']|'')*'", rewrite, sql)


class Script:
    """A pgbench script in the making."""

    def __init__(self, rollcall, folder, name):
        self.rollcall, self.path = rollcall, folder / f"{name}.sql"
        self.lines, self.variables, self.templates, self.fetched = [], {"zero": "0"}, [], {}
        self.table = f"bench_{name}"

    def fetch(self, sql, ranges, names):
        """Parameters with the values in `names` are columns that `sql` fetches, with new random numbers each time."""
        self.fetched = names
        self.variables["turn"] = "0"
        self.lines += [r"\set turn :turn + 1", rf"\if :turn % {REFETCH_EVERY} = 1",
                       *[rf"\set {name} random(1, {limit})" for name, limit in ranges.items()], f"{sql} \\gset", r"\endif"]

    def count(self):
        """From here on MARK in a parameter is a number that comes only once."""
        self.variables["i"] = "0"
        self.lines += [r"\set i :i + 1", r"\set n :base + :i * :clients + :client_id"]

    def types_of(self, statement):
        """PostgreSQL infers them from the whole statement; pgbench numbers each occurrence anew."""
        with self.rollcall.cluster.connect(self.rollcall.database) as db:
            db.execute(f"SET search_path = rollcall, public; PREPARE bench AS {statement.sql}")
            return db.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'bench'").fetchone()[0]

    def expression(self, value, kind):
        if value is None:
            return f"nullif(:zero, '0')::{kind}"
        if value in self.fetched:
            return f":{self.fetched[value]}::{kind}"
        if MARK in value:
            column = f"t{len(self.templates)}"
            self.templates.append(value)
            number = "lpad(to_hex(:n::bigint), 12, '0')"
            return f"(SELECT replace({column}, '{MARK}', {number}) FROM public.{self.table})::{kind}"
        name = next((name for name, known in self.variables.items() if known == value), f"v{len(self.variables)}")
        self.variables[name] = value
        return f":{name}::{kind}"

    def add(self, *statements):
        """One by one; several together become one pipeline, which is one transaction."""
        if len(statements) > 1:
            self.lines.append(r"\startpipeline")
        for statement in statements:
            kinds = self.types_of(statement)
            sql = re.sub(r"\$(\d+)", lambda match: self.expression(
                statement.values[int(match[1])], kinds[int(match[1]) - 1]), hide_colons(statement.sql))
            self.lines.append(sql.rstrip() + ";")
        if len(statements) > 1:
            self.lines.append(r"\endpipeline")

    def finish(self):
        self.path.write_text("\n".join(self.lines) + "\n")
        if self.templates:
            columns = ", ".join(f"t{i}" for i in range(len(self.templates)))
            self.rollcall.sql(f"CREATE TABLE public.{self.table} ({columns.replace(',', ' text,')} text)")
            self.rollcall.sql(f"INSERT INTO public.{self.table} VALUES ({', '.join(['%s'] * len(self.templates))})", *self.templates)
            self.rollcall.sql(f"GRANT SELECT ON public.{self.table} TO rollcall; GRANT USAGE ON SCHEMA public TO rollcall")
        return self


def mark_what_is_new(statements, known):
    """Ids that did not exist before the request are replaced by ids that will not either."""
    for statement in statements:
        for number, value in statement.values.items():
            if value is not None:
                statement.values[number] = UUID.sub(
                    lambda match: match[0] if match[0] in known else MARK + match[0].replace("-", "")[12:], value)


class Limit:
    """pgbench with one script: tps, and the CPU time that PostgreSQL and pgbench took for each transaction."""
    # Where the next run's numbers begin. They stand for the time in UUIDv7: somewhat later than now, so that they
    # meet no id that is there, and not so late that there is no partition for them.
    numbers = int(time.time() * 1000) + (1 << 20)

    def __init__(self, rollcall, script):
        self.rollcall, self.script, self.clients = rollcall, script, 8

    def run(self, seconds, clients=None):
        clients = clients or self.clients
        variables = {**self.script.variables, "base": str(Limit.numbers), "clients": str(clients)}
        Limit.numbers += 1 << 20
        command = ["pgbench", "-n", "-M", "prepared", "-c", clients, "-j", 1, "-T", seconds, "-f", self.script.path,
                   *[f"-D{name}={value}" for name, value in variables.items()],
                   "-h", "127.0.0.1", "-p", self.rollcall.cluster.port, "-U", "rollcall", self.rollcall.database]
        meter = Meter(self.rollcall.cluster)
        before = cpu_of_children()
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/bin:/bin", "PGOPTIONS": OPTIONS, "PGPASSWORD": "rollcall"})
        assert done.returncode == 0 and "aborted" not in done.stderr, done.stderr[-3000:]
        # The postmaster counts what its children took when they have ended.
        wait_for(lambda: not self.rollcall.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'"))
        count = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
        self.cost = [1e6 * meter.since()[0] / max(count, 1), 1e6 * (cpu_of_children() - before) / max(count, 1)]
        return float(re.search(r"tps = ([\d.]+)", done.stdout)[1])

    def find_best(self, counts):
        """The client count at which it is fastest."""
        self.clients = max(counts, key=lambda clients: self.run(SEARCH_SECONDS, clients))
        return self.clients


def cpu_of_children():
    fields = pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / 100
