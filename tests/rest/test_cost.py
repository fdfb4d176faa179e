"""What a request costs the store, counted in statements that reach it."""

import contextlib
import sqlite3

import falcon.testing
import pytest
import sqlalchemy as sa

from servicegroup import ServiceGroup, rest, schema

LATEST = {"OpenStack-API-Version": "compute latest"}


@pytest.fixture
def statements():
    """Every SELECT and UPDATE of this process, as SQLAlchemy sends them."""
    seen = []

    def note(connection, cursor, statement, *rest):
        words = statement.upper().split()
        if words[0] == "UPDATE" or (words[0] == "SELECT" and "FROM" in words):
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


def test_two_words_in_one_body_are_one_statement(quiet, statements, tmp_path):
    quiet.join("compute", "h", name="nova-compute")
    path = f"/v2.1/os-services/{quiet.services.get('compute', 'h').uuid}"
    client = falcon.testing.TestClient(rest.application(quiet))

    def put(body):
        statements.clear()
        answer = client.simulate_put(path, json=body, headers=LATEST)
        assert [one.split()[1] for one in statements if one.startswith("UPDATE")] == ["services"]
        service = quiet.services.get("compute", "h")
        return answer.status_code, service.disabled, service.forced_down

    assert put({"status": "disabled", "forced_down": True}) == (200, True, True)
    assert put({"status": "enabled", "forced_down": False}) == (200, False, False)
    refuse = "BEFORE UPDATE OF forced_down ON services BEGIN SELECT RAISE(ABORT, 'no'); END"
    with contextlib.closing(sqlite3.connect(tmp_path / "quiet.sqlite")) as connection:
        connection.execute(f"CREATE TRIGGER refuse {refuse}")
    assert put({"status": "disabled", "forced_down": True}) == (500, False, False)
