"""What all tests of the running programs stand on: one PostgreSQL for a run, and a Rollcall of its own
for each test (`rollcall`, `server_only`) or each file of tests (`standing`).

    @pytest.mark.preset("hesh")             the organization's preset
    @pytest.mark.settings(ROLLCALL_X=...)   other settings of the programs
    @pytest.mark.allow_errors("regex")      lines of the log that the test causes on purpose

Binaries come from $ROLLCALL_BUILD, or build/. With xdist the controlling process owns the PostgreSQL.
"""
import pytest

from support.cluster import Cluster
from support.system import Rollcall, organization_template

MARKERS = ("preset(name): the organization's preset", "settings(**variables): environment of the programs",
           "allow_errors(*patterns): error lines that the test causes on purpose")
CLUSTER = pytest.StashKey()


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def the_cluster(config):
    """The run's PostgreSQL, made when it is first asked for."""
    if hasattr(config, "workerinput"):
        return Cluster(*config.workerinput["cluster"])
    if CLUSTER not in config.stash:
        config.stash[CLUSTER] = Cluster.create()
    return config.stash[CLUSTER]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    cluster = the_cluster(node.config)
    node.workerinput["cluster"] = [str(cluster.folder), cluster.port]


def pytest_unconfigure(config):
    if CLUSTER in config.stash:
        config.stash[CLUSTER].remove()
        del config.stash[CLUSTER]


@pytest.fixture(scope="session")
def cluster(pytestconfig):
    return the_cluster(pytestconfig)


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


def start(cluster, logs, node, with_worker):
    """A context that is a running Rollcall, as the markers of a test or its module say."""
    preset = node.get_closest_marker("preset")
    settings = node.get_closest_marker("settings")
    template, facts = organization_template(cluster, preset.args[0] if preset else "default", logs)
    return Rollcall(cluster, cluster.create_database(template), facts, logs, with_worker, **(settings.kwargs if settings else {}))


def live(cluster, logs, request, with_worker):
    failures = request.session.testsfailed
    system = start(cluster, logs, request.node, with_worker)
    for marker in request.node.iter_markers("allow_errors"):
        system.allow_errors(*marker.args)
    try:
        with system:
            yield system
            if request.session.testsfailed > failures:
                for program in system.programs():
                    print(f"--- log of {program}\n{program.text()[-6000:]}")
    finally:
        cluster.drop_database(system.database)


@pytest.fixture
def rollcall(cluster, logs, request):
    """Server and worker, a sink for mails, an organization with an administrator; for this test alone."""
    yield from live(cluster, logs, request, with_worker=True)


@pytest.fixture
def server_only(cluster, logs, request):
    """As `rollcall`, but mails stay in the outbox."""
    yield from live(cluster, logs, request, with_worker=False)


@pytest.fixture(scope="module")
def shared_server(cluster, logs, request):
    yield from live(cluster, logs, request, with_worker=False)


@pytest.fixture(scope="module")
def shared_rollcall(cluster, logs, request):
    yield from live(cluster, logs, request, with_worker=True)


@pytest.fixture
def standing(shared_server, request):
    """A server that the tests of a file share, where none spoils anything for the others."""
    shared_server.allowed = [pattern for marker in request.node.iter_markers("allow_errors") for pattern in marker.args]
    yield shared_server
    shared_server.check_logs()
