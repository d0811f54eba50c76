"""Half a minute of what `make endurance` does for half an hour."""
import pytest

from support.cluster import Cluster
from support.system import Rollcall, organization_template

from endurance import endure


@pytest.mark.timeout(300)
def test_under_a_mixed_load_with_kills_nothing_acknowledged_is_lost_and_nothing_is_done_twice(logs):
    cluster = Cluster.create()
    try:
        template, facts = organization_template(cluster, "default", logs)
        with Rollcall(cluster, cluster.create_database(template), facts, logs) as system:
            system.allow_errors(".")  # of what dies the others complain
            result = endure(system, seconds=25, every_s=2, clients=4, hurries=True)
            assert result.wrong == [] and result.ledger.people and result.ledger.imported
            assert len(result.killed) >= 5, result.killed
    finally:
        cluster.remove()
