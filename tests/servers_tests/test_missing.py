"""A missing server is left out and named at the end of the run, or fails it where required."""

import pytest
from servers import mariadb
from servers.requirement import REQUIRE_VARIABLE, MissingError, find_program, newest_first

TESTS = """
    import pytest

    def test_shared(mariadb): ...
    def test_database(mariadb_url): ...
    def test_own(mariadb_server): mariadb_server()
    def test_other(): ...
    def test_of_its_own_accord(): pytest.skip("not today")
"""


@pytest.fixture
def run(pytester, monkeypatch):
    def missing(name, package):
        return find_program("no-such-program", package)

    monkeypatch.setattr(mariadb, "find_program", missing)
    pytester.makeconftest("pytest_plugins = ['servers.fixtures']")
    pytester.makeini("[pytest]\nmarkers = server(name): by fixture")
    pytester.makepyfile(TESTS)
    return pytester.runpytest_inprocess


def test_it_is_left_out_and_named_with_its_remedy(run, monkeypatch):
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    result = run()
    result.assert_outcomes(passed=1, skipped=4)
    remedy = "3 tests that need the program no-such-program (install the package mariadb-server)"
    result.stdout.fnmatch_lines(["*left out*", remedy, "tools/install-servers*"])


def test_it_fails_the_run_where_servers_are_required(run, monkeypatch):
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    result = run()
    result.assert_outcomes(passed=1, skipped=1, errors=2, failed=1)
    result.stdout.fnmatch_lines(["*needs the program no-such-program: install*REQUIRE_SERVERS=1)"])
    result.stdout.no_fnmatch_line("*left out*")


def test_tests_without_servers_can_be_chosen(run):
    result = run("-m", "not server")
    result.assert_outcomes(passed=1, skipped=1, deselected=3)


def test_a_program_is_found_in_the_newest_folder_first(tmp_path, monkeypatch):
    for version in ("9", "15", "9.6"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        (folder / "thing").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "9" / "bin"))
    folders = newest_first(tmp_path, "*/bin")
    assert [folder.parent.name for folder in folders] == ["15", "9.6", "9"]
    assert find_program("thing", "things", folders) == tmp_path / "15" / "bin" / "thing"
    with pytest.raises(MissingError, match="needs the program other: install the package things"):
        find_program("other", "things", folders)
