"""A connection that ends before it was of any use is replaced like one that was stale."""

import pytest
from fleet.fixtures import KINDS
from sqlalchemy.engine.default import DefaultDialect

pytestmark = pytest.mark.parametrize("kind", KINDS[1:], indirect=True)


@pytest.fixture
def ended(monkeypatch):
    """Which of the connections that are asked the first questions ended after one of them."""
    ended, initialize = [], DefaultDialect.initialize

    def once(dialect, connection):
        version = dialect._get_server_version_info

        def asked(connection):
            found = version(connection)
            if not ended:
                ended.append(connection)
                connection.invalidate()
            return found

        monkeypatch.setattr(dialect, "_get_server_version_info", asked)
        initialize(dialect, connection)

    monkeypatch.setattr(DefaultDialect, "initialize", once)
    return ended


def test_the_first_one(url, make, ended):
    group = make(url)
    assert group.services.list() == []
    assert len(ended) == 1


def test_the_first_one_that_beats(url, make, ended):
    group = make(url)
    group.join("g", "m")
    assert group.is_up("g", "m")
    assert len(ended) == 1
