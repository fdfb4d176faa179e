"""Every file of a folder is an entity; its state is what it holds."""

from pathlib import Path

from oslo_config import cfg

from servicegroup.synchronizer import CollectorPlugin, Entity


class FolderPlugin(CollectorPlugin):
    entity_types = ("folder.file",)
    options = (cfg.StrOpt("path", help="The folder."),)

    def get_all(self):
        # A folder that is not there raises: then nothing changes, and consumers are told why.
        for file in Path(self.option["path"]).iterdir():
            yield Entity(
                key=file.name,
                type="folder.file",
                state=file.read_text().strip(),
                timestamp=file.stat().st_mtime,
            )
