"""What a request costs the store, counted in statements that reach it."""

import falcon.testing
import pytest
import sqlalchemy as sa

from servicegroup import ServiceGroup, rest, schema

LATEST = {"OpenStack-API-Version": "compute latest"}


@pytest.fixture
def statements():
    """Every SELECT of this process, as SQLAlchemy sends them."""
    seen = []

    def note(connection, cursor, statement, *rest):
        if statement.lstrip().upper().startswith("SELECT") and "FROM" in statement.upper():
            seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.fixture
def quiet(cli, tmp_path):
    """A library whose beats do not come of their own accord while something is counted."""
    cli.configure(f"sqlite:///{tmp_path}/quiet.sqlite", report_interval=300, service_down_time=1000)
    try:
        schema.upgrade(cli.conf())
        with ServiceGroup(cli.conf()) as service_group:
            yield service_group
    finally:
        cli.configure()


def test_hypervisors_in_detail_are_two_queries_whatever_their_number(quiet, statements):
    for number in range(50):
        quiet.inventory.create_hypervisor(hypervisor_hostname=f"hv{number}", host=f"h{number}")
        quiet.join("compute", f"h{number}", name="nova-compute")
    client = falcon.testing.TestClient(rest.application(quiet))
    statements.clear()
    answer = client.simulate_get("/v2.1/os-hypervisors/detail", headers=LATEST)
    assert [one["state"] for one in answer.json["hypervisors"]] == ["up"] * 50
    assert len(statements) == 2, statements
    statements.clear()
    assert len(client.simulate_get("/v2.1/os-services", headers=LATEST).json["services"]) == 50
    assert len(statements) == 1, statements
