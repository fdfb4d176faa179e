import pytest

from servicegroup.testing import DriverConformance, Store, clear_folder


class TestFiles(DriverConformance):
    @pytest.fixture
    def store(self, tmp_path):
        options = {"servicegroup_files": {"folder": str(tmp_path)}}
        with Store("files", options, lose=lambda: clear_folder(tmp_path)) as store:
            yield store
