"""The driver in the documentation keeps every promise of the contract."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicegroup.testing import DriverConformance, Store, clear_folder

MODULE = Path(__file__).parents[2] / "doc/examples/jsonfile/servicegroup_jsonfile.py"
TIMES = ("beat_at", "steady_since", "ended_at", "up_since", "withdrawn_at", "left_at")


class TestJsonFile(DriverConformance):
    walks = 10

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        path = tmp_path / "members.json"

        def age(seconds: float) -> None:
            if not path.exists():
                return
            data = json.loads(path.read_text())
            for row in [*data["places"], *data["pulses"].values()]:
                row.update({name: row[name] - seconds for name in TIMES if row.get(name)})
            path.write_text(json.dumps(data))

        spec = importlib.util.spec_from_file_location(MODULE.stem, MODULE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        options = {"servicegroup_jsonfile": {"path": str(path)}}
        with Store(
            module.JsonFileDriver, options, age=age, lose=lambda: clear_folder(tmp_path)
        ) as store:
            yield store
