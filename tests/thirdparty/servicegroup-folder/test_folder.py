import pytest

from servicegroup.testing import PluginConformance, PluginSource


class Folder(PluginSource):
    plugin = "folder"

    def __init__(self, path):
        self.path, self.away = path, path.with_name("away")
        self.options = {"path": str(path)}

    def hold(self, things):
        for file in self.path.iterdir():
            file.unlink()
        for name, state in things.items():
            (self.path / name).write_text(state)

    def fail(self):
        self.path.rename(self.away)

    def mend(self):
        self.away.rename(self.path)


class TestFolder(PluginConformance):
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "folder").mkdir()
        return Folder(tmp_path / "folder")
