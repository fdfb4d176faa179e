"""The tables: made, looked at, and brought up to date."""

import sqlite3
from contextlib import closing

import pytest

from servicegroup.db import tables


def test_upgrading_makes_the_tables_once(fresh, inside_fresh):
    version = inside_fresh("db", "version", "-f", "value", "-c", "Version")
    assert (version.returncode, version.stdout) == (1, "None\n")
    first = fresh("db", "upgrade")
    assert first.returncode == 0
    assert f"{fresh.database} was without tables of ours" in first.stdout
    assert f"at version {tables.HEAD} now" in first.stdout
    second = inside_fresh("db", "upgrade")
    assert second.stdout.endswith(f"is at version {tables.HEAD} already\n")
    version = inside_fresh("db", "version", "-f", "value", "-c", "Version")
    assert (version.returncode, version.stdout) == (0, f"{tables.HEAD}\n")
    assert inside_fresh("service", "list").returncode == 0


def test_a_database_that_is_newer_than_we(cli, inside):
    with closing(sqlite3.connect(cli.database)) as database, database:
        database.execute(f"UPDATE {tables.VERSION_TABLE} SET version_num = '9999'")
    for command, words in (
        (("db", "upgrade"), "upgrade servicegroup on this host"),
        (("service", "list"), "is at version 9999"),
    ):
        done = inside(*command)
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_no_database_in_use(inside, cli):
    cli.config.write_text("[servicegroup]\ndriver = memory\n")
    for command in (("db", "upgrade"), ("db", "version"), ("service", "set", "g", "m", "--enable")):
        done = inside(*command)
        assert done.returncode == 2
        assert "set [servicegroup_database] connection" in done.stderr


def test_the_default_database_makes_itself(fresh):
    done = fresh.bare("service", "list", "-f", "json")
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert (fresh.home / ".local/state/servicegroup/servicegroup.sqlite").exists()


def test_a_configuration_file_at_home_is_found(fresh, inside_fresh):
    place = fresh.home / ".servicegroup"
    place.mkdir()
    (place / "servicegroup.conf").write_text("[servicegroup]\ndriver = etcd9\n")
    done = inside_fresh("service", "list", bare=True)
    assert done.returncode == 2
    assert "driver='etcd9'" in done.stderr


def test_the_database_can_be_given_on_the_command_line(fresh, inside_fresh, tmp_path):
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    assert inside_fresh("--database", elsewhere, "db", "upgrade").returncode == 0
    assert (tmp_path / "elsewhere.sqlite").exists()
    assert not fresh.database.exists()


def test_the_environment_configures(fresh, tmp_path):
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    env = {"OS_SERVICEGROUP_DATABASE__CONNECTION": elsewhere, "OS_SERVICEGROUP__HOST": "rack-7"}
    assert fresh.bare("db", "upgrade", env=env).returncode == 0
    assert (tmp_path / "elsewhere.sqlite").exists()
    listing = [*fresh.command()[:1], "service", "list", "-f", "value", "-c", "Hostname"]
    done = fresh.bare("run", "--group", "g", "--", *listing, env=env)
    assert (done.returncode, done.stdout) == (0, "rack-7\n")


@pytest.mark.parametrize("database", ["postgresql_url", "mariadb_url"])
def test_servers(fresh, inside_fresh, request, database):
    fresh.configure(database=request.getfixturevalue(database))
    assert inside_fresh("service", "list").returncode == 2
    assert inside_fresh("db", "upgrade").returncode == 0
    listing = fresh.command("service", "list", "-f", "value", "-c", "Name", "-c", "Status")
    assert fresh("run", "--group", "g", "--name", "é", "--", *listing).stdout == "é up\n"
    doctor = inside_fresh("doctor", "-f", "csv")
    assert doctor.returncode == 0, doctor.stdout
    assert '"clock","ok: the database' in doctor.stdout
    assert '"connections","ok: the database has ' in doctor.stdout
