"""The package, made once for all processes of a run, and a machine on which to install it."""
import shutil

import pytest

from installed import Installed, run
from machine import Machine, is_possible
from support.cluster import ROOT
from support.system import Rollcall, organization_template


@pytest.fixture(scope="module")
def package(cluster):
    """The .deb, made once for all processes of a run."""
    made = cluster.folder / "rollcall.deb"
    with cluster.only_one():
        if not made.exists():
            run("make", "-s", "deb")
            shutil.copy(next((ROOT / "build").glob("rollcall_*.deb")), made)
    return made


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    """What it holds, in a folder."""
    folder = tmp_path_factory.mktemp("package")
    run("dpkg-deb", "-R", package, folder)
    return folder


@pytest.fixture
def installed(cluster, logs):
    if not is_possible():
        pytest.skip("needs root, namespaces and systemd")
    template, facts = organization_template(cluster, "default", logs)
    database = cluster.create_database(template)
    system = Rollcall(cluster, database, facts, logs)
    try:
        with Machine() as machine:
            yield Installed(machine, system)
    finally:
        system.sink.stop()
        system.db.close()
        cluster.drop_database(database)
