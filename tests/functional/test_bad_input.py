"""What cannot work is refused with an error that names the remedy; passwords stay hidden."""

import contextlib
import logging
import os
import pwd
import re
import sqlite3
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from fleet.fixtures import migrated
from fleet.fork import in_child
from fleet.group import configuration, service_group
from servers.ports import free_ports

from servicegroup import (
    ConfigurationError,
    DriverUnavailable,
    InvalidMember,
    MemberExists,
    NoSuchService,
    ServiceGroupError,
    schema,
)
from servicegroup.exceptions import DatabaseNotReady, DriverNotFound

OPTION = "[servicegroup_database] connection"
SECRET = "hush-hush"
NOBODY = 65534

CALLS = {
    "join": lambda group: group.join("g", "m"),
    "get_members": lambda group: group.get_members("g"),
    "is_up": lambda group: group.is_up("g", "m"),
    "services.list": lambda group: group.services.list(),
    "watch": lambda group: group.watch("g").close(),
}

#: How a user "reader" is made who may only read: by the administrator, by the tables' owner.
READERS = {
    "postgresql": (
        [f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'"],
        ["GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"],
    ),
    "mariadb": (
        [
            f"CREATE USER reader@127.0.0.1 IDENTIFIED BY '{SECRET}'",
            "GRANT SELECT ON {database}.* TO reader@127.0.0.1",
        ],
        [],
    ),
}


def chain(error):
    """Everything that is shown with an error."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


@pytest.fixture
def refused(caplog):
    """Check how every call on a database is refused, and return the error's text."""
    caplog.set_level(logging.DEBUG)

    def refused(url, kind, calls=CALLS, **options):
        told = set()
        for call in calls.values():
            with pytest.raises(kind) as caught:
                _called(call, url, options)
            assert type(caught.value) is kind
            assert SECRET not in chain(caught.value)
            told.add(str(caught.value))
        assert SECRET not in caplog.text
        assert "could not leave" not in caplog.text  # nobody had joined
        return told

    return refused


def _called(call, url, options):
    with contextlib.closing(service_group(url, **options)) as group:
        call(group)


def test_an_unknown_driver_is_refused_with_those_there_are():
    with pytest.raises(DriverNotFound) as caught:
        service_group(None, driver="dbb")
    told = str(caught.value)
    assert told.startswith("[servicegroup] driver='dbb' is not installed; installed are: db, ")
    assert "memory" in told


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"oracle://u:{SECRET}@h/d", "has the scheme 'oracle'; use one of sqlite, postgresql,"),
        (f"postgresql+asyncpg://u:{SECRET}@h/d", "has the scheme 'postgresql+asyncpg'; use one"),
        ("sqlite://", "in memory, which no other process can see; name a file"),
        ("sqlite:///:memory:", "in memory, which no other process can see; name a file"),
        (f"u:{SECRET}@h/d", "is not a database URL; use for example sqlite:///"),
        (f"postgresql://u:{SECRET}@h:port/d", "is not a database URL; use for example sqlite:///"),
        (f"mysql://u:hush@{SECRET}@h/d", "has an @ too many; in a password, or after the ?, write"),
        (f"mysql://u:p@h/{SECRET}@h/d", "has an @ too many"),
        (f"postgresql://u:p@h?{SECRET}@h/d", "has an @ too many"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_before_anything_is_tried(url, words, refused):
    [told] = refused(url, ConfigurationError)
    assert told.startswith(OPTION)
    assert words in told
    with pytest.raises(ConfigurationError, match="connection"):
        schema.upgrade(configuration(url))


def test_a_database_without_our_tables(empty_url, refused):
    [told] = refused(empty_url, DatabaseNotReady)
    assert told.startswith(OPTION)
    assert "holds no tables of ours, version 0003 is needed: run 'servicegroup db upgrade'" in told
    if empty_url.startswith("sqlite"):
        assert not Path(sa.make_url(empty_url).database).exists()  # asking makes no file
    migrated(empty_url)
    with contextlib.closing(service_group(empty_url)) as group:
        assert group.join("g", "m").alive


def test_a_database_that_a_newer_library_upgraded(url, refused):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE servicegroup_version SET version_num = '9999'"))
    engine.dispose()
    [told] = refused(url, DatabaseNotReady)
    assert told.startswith(OPTION)
    assert "is at version 9999, which this library (version 0003) does not know" in told
    assert "upgrade servicegroup on this host" in told
    with pytest.raises(DatabaseNotReady, match="upgrade servicegroup on this host"):
        schema.upgrade(configuration(url))


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_nobody_listens(scheme, refused):
    [port] = free_ports(1)
    [told] = refused(f"{scheme}://u:{SECRET}@127.0.0.1:{port}/d", DriverUnavailable, _without_watch)
    assert told.startswith(OPTION)
    assert "does not answer" in told
    assert "refused" in told
    assert "check that the server runs and that the URL is right" in told


_without_watch = {name: call for name, call in CALLS.items() if name != "watch"}


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_password_among_the_parameters_is_hidden_too(scheme, refused):
    [port] = free_ports(1)
    url = f"{scheme}://127.0.0.1:{port}/d?password={SECRET}&user=u"
    [told] = refused(url, DriverUnavailable, _without_watch)
    assert "/d?user=u does not answer" in told


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_parameter_that_the_client_does_not_know(scheme, refused):
    url = f"{scheme}://u:{SECRET}@127.0.0.1:1/d?nonsense=1"
    kind = DatabaseNotReady if scheme == "postgresql" else ConfigurationError
    [told] = refused(url, kind)
    assert told.startswith(OPTION)
    assert "nonsense" in told


@pytest.mark.server("mariadb")
@pytest.mark.parametrize("kind", ["mariadb"], indirect=True)
def test_a_wrong_password_on_mariadb(url, refused):
    wrong = sa.make_url(url).set(password=SECRET).render_as_string(hide_password=False)
    _is_wrong_password(refused(wrong, DriverUnavailable, _without_watch))


@pytest.mark.server("postgresql")
def test_a_wrong_password_on_postgresql(postgresql_server, refused, tmp_path):
    rules = Path(tempfile.mkdtemp(), "pg_hba.conf")
    rules.parent.chmod(0o755)
    rules.write_text(
        "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    server = postgresql_server(settings={"hba_file": str(rules)})
    server.execute("ALTER ROLE servicegroup PASSWORD 'right'")
    url = sa.make_url(server.create_database())
    right = url.set(password="right").render_as_string(hide_password=False)
    migrated(right)
    with contextlib.closing(service_group(right)) as group:
        assert group.join("g", "m").alive
    wrong = url.set(password=SECRET).render_as_string(hide_password=False)
    _is_wrong_password(refused(wrong, DriverUnavailable, _without_watch))


def _is_wrong_password(told):
    [told] = told
    assert told.startswith(OPTION)
    assert "servicegroup:***@" in told
    assert "denied" in told or "authentication failed" in told


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=pytest.mark.server(one)) for one in READERS]
)
def test_a_user_who_may_only_read(kind, request, refused):
    server = request.getfixturevalue(kind)
    url = sa.make_url(migrated(server.create_database()))
    as_admin, as_owner = READERS[kind]
    server.execute(*(one.format(database=url.database) for one in as_admin))
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in as_owner:
            connection.exec_driver_sql(statement)
    engine.dispose()
    reader = url.set(username="reader", password=SECRET).render_as_string(hide_password=False)
    with contextlib.closing(service_group(reader)) as group:
        assert group.get_members("g") == []
    [told] = refused(reader, DatabaseNotReady, {"join": CALLS["join"]})
    assert told.startswith(f"{OPTION} ")
    assert "denied" in told
    assert "grant SELECT, INSERT, UPDATE and DELETE" in told


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_there_is_no_such_database(kind, request, refused):
    server = request.getfixturevalue(kind)
    [told] = refused(server.url("sg_nowhere"), DatabaseNotReady)
    assert told.startswith(OPTION)
    assert "sg_nowhere" in told
    assert "create the database, or correct the URL" in told


def test_files_that_are_none(tmp_path, refused):
    text = tmp_path / "text"
    text.write_text("a text of some length, to be taken for the header of a database file\n" * 9)
    before = text.read_bytes()
    for path, words in (
        (tmp_path / "nowhere" / "file", "unable to open database file"),
        (tmp_path, "unable to open database file"),
        (text, "file is not a database"),
    ):
        [told] = refused(f"sqlite:///{path}", DatabaseNotReady)
        assert told.startswith(OPTION)
        assert words in told
        assert "correct the URL" in told
    assert text.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [text]


@pytest.fixture
def open_folder():
    """A folder that another account can reach: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("file_mode", [0o444, 0o666])
def test_a_file_that_may_only_be_read(open_folder, file_mode):
    file = open_folder / "servicegroup.sqlite"
    migrated(f"sqlite:///{file}")
    file.chmod(file_mode)
    open_folder.chmod(0o555)  # SQLite makes files beside its own, and needs the folder for it

    def called(name):
        try:
            _called(CALLS[name], f"sqlite:///{file}", {})
        except ServiceGroupError as error:
            return type(error), str(error)
        return None

    for name in CALLS:
        kind, told = in_child(lambda name=name: called(name), account=NOBODY)
        assert kind is DatabaseNotReady
        assert told.startswith(OPTION)
        assert f"{file} cannot be written" in told
        assert "needs the right to write the file and its directory" in told
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM services").fetchone() == (0,)


def test_the_default_file_is_refused_by_the_same_words(monkeypatch, open_folder, refused):
    file = open_folder / "servicegroup" / "servicegroup.sqlite"
    file.parent.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(open_folder))
    file.write_text("a text of some length, to be taken for the header of a database file\n" * 9)
    [told] = refused(None, DatabaseNotReady)
    assert told.startswith(f"{OPTION} sqlite+pysqlite:///{file} is of no use: ")
    file.unlink()
    file.mkdir()
    unable = "unable to open database file; create its directory, in which this process must be"
    [told] = refused(None, DatabaseNotReady)
    assert unable in told
    file.rmdir()
    open_folder.chmod(0o755)
    file.parent.chmod(0o555)
    with pytest.raises(ConfigurationError, match=unable):
        in_child(lambda: _called(CALLS["join"], None, {}), account=NOBODY)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    words = "kept in ~/.local/state: this user has no home directory; set "
    with pytest.raises(ConfigurationError, match=words):
        service_group(None)
    with pytest.raises(ConfigurationError, match="no home directory; set XDG_STATE_HOME"):
        service_group(None, driver="memory").join("g", "m", worker=True)


@pytest.fixture
def group(url, make):
    return make(url)


def test_what_is_not_there_cannot_be_set_or_deleted(group):
    services = group.services
    for call in (
        services.get,
        services.disable,
        services.enable,
        services.force_down,
        services.unforce_down,
        services.delete,
    ):
        with pytest.raises(NoSuchService) as caught:
            call("g", "nobody")
        assert "no service record for member 'nobody' of group 'g'" in str(caught.value)
        assert "servicegroup service list --all --group g" in str(caught.value)
    for words, told in (
        ({}, "give disabled, forced_down or both"),
        (
            {"disabled": False, "disabled_reason": "x"},
            "disabled_reason='x' goes with disabled=True",
        ),
        ({"disabled": True, "forced_down_reason": "x"}, "goes with forced_down=True only"),
    ):
        with pytest.raises(InvalidMember, match=told):
            services.set("g", "nobody", **words)
    assert group.leave("g", "nobody") is False
    assert group.is_up("g", "nobody") is False
    assert group.liveness("g", "nobody").reason == "no such member"
    assert group.get_members("g") == services.list(left=True) == group.groups() == []
    assert services.version_range("g") is None


def test_a_second_live_process_is_refused_where_it_must_not_take_over(group, url, make):
    first = group.join("g", "m", attributes={"first": True})
    second = make(url, host="second")
    with pytest.raises(MemberExists) as caught:
        second.join("g", "m", takeover=False, attributes={"second": True})
    told = str(caught.value)
    assert f"is held by process {os.getpid()} on host {first.member.hostname}" in told
    assert "stop that one, choose another member id, or join with takeover=True" in told
    [status] = second.get_members("g")
    assert (status.member.incarnation, status.attributes) == (1, {"first": True})
    assert first.alive
    first.leave()
    assert second.join("g", "m", takeover=False).alive


def test_ids_and_attributes_that_no_store_could_keep_reach_none(group):
    group.groups()
    for arguments, words in (
        ({"group_id": ""}, "group id is empty; use 1 to 255 characters"),
        ({"member_id": ""}, "member id is empty"),
        ({"member_id": "m" * 256}, "has 256 characters"),
        ({"member_id": "a\0b"}, "holds a NUL character"),
        ({"member_id": "\ud800"}, "holds a lone surrogate"),
        ({"name": "n" * 256}, "name has 256 characters"),
        ({"attributes": {"a": object()}}, "attributes are not JSON"),
        ({"attributes": {"a": float("nan")}}, "attributes are not JSON"),
        ({"attributes": {"a": "x" * 70_000}}, "at most 65536 are allowed"),
        ({"version": -1}, "version=-1 must be a number from 0"),
        ({"version": 2**31}, "must be a number from 0 to 2147483647"),
    ):
        given = {"group_id": "g", "member_id": "m", **arguments}
        with pytest.raises(ServiceGroupError, match=re.escape(words)):
            group.join(**given)
    assert group.services.list(left=True) == []
    longest = group.join("g" * 255, "\N{GRINNING FACE}" * 255, attributes={"a": "x" * 65_000})
    [status] = group.get_members("g" * 255)
    assert (status.member_id, status.attributes) == (
        "\N{GRINNING FACE}" * 255,
        longest.member.attributes,
    )
