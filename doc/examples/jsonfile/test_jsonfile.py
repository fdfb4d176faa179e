import pytest

from servicegroup.testing import DriverConformance, Store, clear_folder


class TestJsonFile(DriverConformance):
    @pytest.fixture
    def store(self, tmp_path):
        options = {"servicegroup_jsonfile": {"path": str(tmp_path / "members.json")}}
        with Store("jsonfile", options, lose=lambda: clear_folder(tmp_path)) as store:
            yield store
