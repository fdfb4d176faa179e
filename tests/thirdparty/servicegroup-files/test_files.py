import pytest

from servicegroup.testing import DriverConformance, FakeClock, Store, clear_folder


class TestFiles(DriverConformance):
    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        monkeypatch.setattr("servicegroup_files._now", clock := FakeClock())
        options = {"servicegroup_files": {"folder": str(tmp_path)}}
        faults = {"age": clock.advance, "lose": lambda: clear_folder(tmp_path), "exact": True}
        with Store("files", options, **faults) as store:
            yield store
