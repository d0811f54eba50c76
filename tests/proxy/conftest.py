"""The application that a proxy lets people into, or not."""
import pytest

from support.proxy import Application


@pytest.fixture(scope="module")
def application():
    server = Application()
    yield server
    server.shutdown()
    server.server_close()
