"""The migrations make the very tables that the code is written for."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fleet.group import configuration

from servicegroup import ServiceGroup, schema
from servicegroup.db import migrate, tables
from servicegroup.exceptions import DatabaseNotReady

#: A member that left, as the first version kept it.
_LEFT = {
    "uuid": "0b6d2f6e-8a49-4c55-9a3e-3f1f0f6f5a11",
    "group_id": "g",
    "member_id": "m",
    "name": "kind",
    "hostname": "host-1",
    "process_id": 1,
    "attributes": "{}",
    "revision": 0,
    "version": 1,
    "incarnation": 7,
    "started_at": 1,
    "up_since": 1,
    "left_at": 2,
    "disabled": True,
    "disabled_reason": "kept",
    "forced_down": False,
    "created_at": 1,
}
OURS = {"services", "instances", "removed", "nodes", "hypervisors", tables.VERSION_TABLE}


@pytest.fixture
def scripts():
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    return ScriptDirectory.from_config(config)


@pytest.fixture
def connection(url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_head_is_what_the_code_says(scripts):
    assert scripts.get_heads() == [tables.HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)  # "newer" is told by comparing them


def test_there_is_no_difference(connection):
    options = {"version_table": tables.VERSION_TABLE, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    assert compare_metadata(context, tables.metadata) == []


def test_names_and_kinds_are_the_same_as_made_directly(connection, kind, request, tmp_path):
    """Also what Alembic does not compare: primary keys, collations, the engine, storage options."""
    if kind == "sqlite":
        other = f"sqlite:///{tmp_path}/other.sqlite"
    else:
        other = request.getfixturevalue(kind).create_database()
    engine = sa.create_engine(other)
    tables.metadata.create_all(engine)
    with engine.connect() as directly:
        assert _described(connection, kind) == _described(directly, kind)
    engine.dispose()


def _described(connection, kind):
    if kind == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql NOTNULL")
        # A column that was added later stands last: its place says nothing.
        found = {name: sorted(one.strip(",()") for one in sql.split()) for name, sql in rows}
    elif kind == "mariadb":
        found = {}
        for name in sa.inspect(connection).get_table_names():
            sql = connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1]
            found[name] = sorted(line.strip().rstrip(",") for line in sql.splitlines())
    else:
        found = {
            name: (
                connection.exec_driver_sql(
                    "SELECT column_name, data_type, collation_name, is_nullable, column_default, "
                    "character_maximum_length FROM information_schema.columns "
                    f"WHERE table_name = '{name}' ORDER BY column_name"
                ).all(),
                connection.exec_driver_sql(
                    f"SELECT indexdef FROM pg_indexes WHERE tablename = '{name}' ORDER BY indexdef"
                ).all(),
                connection.exec_driver_sql(
                    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
                    f"WHERE conrelid = '{name}'::regclass ORDER BY conname"
                ).all(),
                connection.exec_driver_sql(
                    f"SELECT reloptions FROM pg_class WHERE oid = '{name}'::regclass"
                ).all(),
            )
            for name in sa.inspect(connection).get_table_names()
        }
    found.pop(tables.VERSION_TABLE, None)
    assert set(found) >= OURS - {tables.VERSION_TABLE}
    return found


def test_members_of_the_first_version_are_taken_along(empty_url, monkeypatch):
    conf = configuration(empty_url)
    upgrade = command.upgrade
    with monkeypatch.context() as first:
        first.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        _, before = schema.upgrade(conf)
    assert (before.version, before.is_current) == ("0001", False)
    engine = sa.create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.services).values(_LEFT))
    engine.dispose()
    needed = f"is at version 0001, version {tables.HEAD} is needed"
    with pytest.raises(DatabaseNotReady, match=needed):
        ServiceGroup(conf).get_members("g")
    _, after = schema.upgrade(conf)
    assert after.is_current
    with ServiceGroup(conf) as group:
        [service] = group.services.list("g", left=True)
        assert (service.member_id, service.disabled_reason) == ("m", "kept")
        member = group.join("g", "m").member
        assert member.incarnation == 8
        assert member.flaps is None


def test_the_default_database_upgrades_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    conf = configuration(None)
    upgrade = command.upgrade
    with monkeypatch.context() as first:
        first.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        _, before = schema.upgrade(conf)
    assert (before.version, before.makes_itself) == ("0001", True)
    with ServiceGroup(conf) as group:
        assert group.join("g", "m").alive
    assert schema.read(conf).is_current


def test_upgrading_changes_nothing_where_nothing_is_missing(url, connection):
    before, after = schema.upgrade(configuration(url))
    assert before == after
    assert after.is_current
    assert set(sa.inspect(connection).get_table_names()) == OURS


def test_nothing_is_made_where_there_are_no_tables(empty_url):
    found = schema.read(configuration(empty_url))
    assert (found.version, found.is_current, found.needed) == (None, False, tables.HEAD)


@pytest.mark.server("postgresql")
def test_a_schema_that_the_url_names_is_the_one_in_use(postgresql_url):
    """What the URL says of the server's settings is kept beside ours, for beats as well."""
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA ours"))
    conf = configuration(f"{postgresql_url}?options=-csearch_path%3Dours")
    schema.upgrade(conf)
    with ServiceGroup(conf) as group:
        group.join("g", "m")
        assert group.is_up("g", "m")
        with engine.connect() as connection:
            held = connection.scalar(sa.text("SELECT count(*) FROM ours.instances"))
        assert held == 1
    engine.dispose()
