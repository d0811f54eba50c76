"""Half a minute of what `make endurance` does for half an hour; and the same where the wires are bad."""
import pytest

from support.cluster import Cluster
from support.system import Rollcall, organization_template
from support.wire import Wire

from endurance import Killer, Tormentor, endure


@pytest.mark.timeout(600)
def test_under_a_mixed_load_with_kills_nothing_acknowledged_is_lost_and_nothing_is_done_twice(logs):
    cluster = Cluster.create()
    try:
        template, facts = organization_template(cluster, "default", logs)
        with Rollcall(cluster, cluster.create_database(template), facts, logs) as system:
            system.allow_errors(".")  # of what dies the others complain
            result = endure(system, Killer(system, every_s=2), seconds=25, clients=4, file_rows=(20, 300), hurries=True)
            assert result.wrong == [] and result.ledger.people and result.ledger.imported
            assert len(result.struck) >= 5, result.struck
    finally:
        cluster.remove()


class Gremlin(Tormentor):
    """Does something to one of the wires, and after a moment makes it good."""
    FAULTS = ["delay", "trickle", "stall", "refuse", "half-close", "cut"]

    def __init__(self, wires, every_s, seed=1):
        super().__init__(every_s, seed)
        self.wires = wires
        self.KINDS = [(name, fault) for name in wires for fault in self.FAULTS]

    def strike(self, kind):
        name, fault = kind
        wire = self.wires[name]
        if fault in ("cut", "refuse"):
            wire.cut()
        wire.fault = fault if fault != "cut" else ""
        self.stop.wait(0.8)
        wire.heal()
        return True


@pytest.mark.timeout(600)
def test_over_bad_wires_between_every_pair_nothing_acknowledged_is_lost_and_nothing_is_done_twice(rollcall):
    rollcall.allow_errors(".")
    wires = {"client to server": Wire(rollcall.port), "server to PostgreSQL": Wire(rollcall.cluster.port),
             "worker to PostgreSQL": Wire(rollcall.cluster.port), "worker to relay": Wire(rollcall.sink.port)}
    through = {name: rollcall.settings["ROLLCALL_DATABASE_URL"].replace(str(rollcall.cluster.port), str(wires[name].port))
               for name in ("server to PostgreSQL", "worker to PostgreSQL")}
    rollcall.restart_server(ROLLCALL_DATABASE_URL=through["server to PostgreSQL"])
    rollcall.restart_worker(ROLLCALL_DATABASE_URL=through["worker to PostgreSQL"],
                            ROLLCALL_SMTP_URL=f"smtp://127.0.0.1:{wires['worker to relay'].port}?tls=none")
    try:
        gremlin = Gremlin(wires, every_s=0.2)
        result = endure(rollcall, gremlin, seconds=len(gremlin.KINDS) * 1.05, clients=4, file_rows=(20, 300), hurries=True, url=f"http://127.0.0.1:{wires['client to server'].port}")
        assert result.wrong == [] and result.ledger.people and result.ledger.imported
        assert len(result.struck) >= 20 and all(wire.carried > 10_000 for wire in wires.values()), result.struck
    finally:
        for program in (rollcall.server, rollcall.worker):
            assert program.stop() == 0
        for wire in wires.values():
            wire.close()
