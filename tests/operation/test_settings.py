"""Every variable of the environment that the programs read stands in deploy/env.example with its default, and no other does."""
import re
import subprocess

import pytest

from support.cluster import ROOT
from support.system import build_folder

TEXT = (ROOT / "deploy/env.example").read_text(encoding="utf-8")
# What is documented to be the value when it is not set; an example where there is none.
DOCUMENTED = dict(re.findall(r"(?m)^#?([A-Z][A-Z_]+)=(.*)$", TEXT))


def in_force(program):
    """What it says of itself where nothing is set: {name: default}."""
    done = subprocess.run([build_folder() / program, "--print-config"], env={}, capture_output=True, text=True, check=False)
    return dict(re.findall(r"(?m)^([A-Z_]+)=(.*?)  #", done.stdout))


def read_by_the_code():
    """Names that are asked for by themselves, beside the table of settings."""
    sources = [path for folder in ("common", "server", "worker") for path in (ROOT / folder).glob("*.c")]
    return {name for path in sources for name in re.findall(r'getenv\("(\w+)"\)', path.read_text(encoding="utf-8"))}


def test_what_the_programs_read_is_documented_and_nothing_else():
    server, worker = in_force("rollcall-server"), in_force("rollcall-worker")
    assert set(server) == set(worker) and len(server) > 20
    table = set(re.findall(r'(?m)^\t\{ "(ROLLCALL_\w+)"', (ROOT / "common/config_table.c").read_text(encoding="utf-8")))
    assert table == set(server)
    assert {"TMPDIR", "PGHOST"} <= read_by_the_code()
    assert set(DOCUMENTED) == set(server) | read_by_the_code()
    assert TEXT.count("\n#ROLLCALL_") + TEXT.count("\nROLLCALL_") == len(server), "each of them once"


@pytest.mark.parametrize("program", ["rollcall-server", "rollcall-worker"])
def test_a_documented_default_is_the_default(program):
    for name, default in in_force(program).items():
        if default and not (name == "ROLLCALL_METRICS_LISTEN" and program == "rollcall-worker"):
            assert DOCUMENTED[name] == default, name
    assert in_force("rollcall-worker")["ROLLCALL_METRICS_LISTEN"] in TEXT


def test_every_paragraph_says_something():
    """A variable has a comment before it, or stands behind another one that has."""
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?[A-Z][A-Z_]+=", line):
            before = lines[number - 1]
            assert before.startswith("#") or re.match("[A-Z_]+=", before), line


def test_compose_passes_on_what_there_is_with_the_same_defaults():
    """What it asks of its own, beside settings, is named at its head."""
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    own = re.match(r"(#.*\n)+", compose)[0]
    settings = set(in_force("rollcall-server"))
    given = {re.sub("_FILE$", "", name) for name in re.findall(r"(?m)^ +(ROLLCALL_\w+): ", compose)}
    assert given and given <= settings, given - settings
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", compose):
        if name not in settings:
            assert name in own, name
        elif name not in ("ROLLCALL_MAIL_FROM", "ROLLCALL_PUBLIC_URL", "ROLLCALL_TRUSTED_PROXIES", "ROLLCALL_SMTP_INSECURE", "ROLLCALL_LOG_FORMAT"):
            assert default == DOCUMENTED[name], name


def test_what_is_documented_elsewhere_exists():
    known = set(in_force("rollcall-server"))
    # Of the examples, of Compose, and those that a name stands for.
    others = {"ROLLCALL_URL", "ROLLCALL_TOKEN", "ROLLCALL_IMAGE", "ROLLCALL_SECRETS", "ROLLCALL_NAME", "ROLLCALL_NAME_FILE"}
    for path in [ROOT / "README.md", ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*")]:
        if path.is_file() and path.suffix not in (".png", ".json") and "secrets" not in path.relative_to(ROOT).parts[:-1]:
            for name in re.findall(r"\bROLLCALL_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")):
                assert name in known or name.removesuffix("_FILE") in known or name in others, f"{path.name}: {name}"
