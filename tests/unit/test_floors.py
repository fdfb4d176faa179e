"""Imports go strictly down: every module stands on a floor and sees only the floors below."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: From the bottom up. A floor has steps; what stands on one step does not see its neighbours, a
#: package folder counts as one. ``__init__`` is the public face of ``servicegroup`` itself.
FLOORS: dict[str, list[set[str]]] = {
    "F0": [
        {"clock", "decoding", "exceptions", "flaps", "unsure", "will"},
        {"model"},
        {"status", "state_folder", "hostname"},
        {"workers"},
    ],
    "F1": [
        {"liveness", "diff", "mounts", "hashring"},
        {"policy", "positions", "placement", "inventory"},
        {"config", "shares"},
        {"driver", "rings"},
        {"intake", "conductor", "sharing", "skew"},
        {"db", "child", "served"},
    ],
    "F2": [
        {"bounded", "door", "loading", "membership", "picture", "seats"},
        {"bystander", "observer", "health", "report"},
        {"forget", "glances", "guardian"},
        {"heart", "watch"},
    ],
    "F3": [
        {"process", "lifetime", "services", "schema", "spelling", "conductors", "hypervisors"},
        {"roster", "tables"},
        {"readiness"},
        {"api"},
        {"__init__", "doctor"},
    ],
    "F4": [{"rest", "compat", "testing"}, {"cli"}],
}
#: What stands beside the core and is never imported by it: the highest floor that each sees.
GUESTS = {"drivers": "F1", "synchronizer": "F3"}


def heights() -> dict[str, tuple[str, int]]:
    """Name the floor and the height of its step of every unit."""
    steps = [(floor, units) for floor, steps in FLOORS.items() for units in steps]
    return {unit: (floor, height) for height, (floor, units) in enumerate(steps) for unit in units}


def imported(file: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Read the line and dotted name of every import, wherever in the file it stands.

    ``from a import b`` is ``a.b``: whoever reads it decides whether ``b`` is a module.
    """
    folder = file.relative_to(root).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            origin = ".".join((*above, *(node.module or "").split("."))).strip(".")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def unit_of(name: str, root: Path) -> str:
    """Reduce a dotted name below ``servicegroup`` to the file or folder that stands on a floor."""
    first = name.partition(".")[2].partition(".")[0]
    found = (root / "servicegroup" / first).is_dir() or (
        root / "servicegroup" / f"{first}.py"
    ).is_file()
    return first if first and found else "__init__"


def violations(root: Path) -> Iterator[str]:
    """Hold every import under *root* against the table."""
    placed = heights()
    roofs = {floor: max(h for f, h in placed.values() if f == floor) for floor in FLOORS}
    for folder in ("servicegroup", *GUESTS):
        for file in sorted((root / folder).rglob("*.py")):
            below = file.relative_to(root / folder).with_suffix("").parts
            me = below[0] if folder == "servicegroup" else folder
            where = file.relative_to(root)
            if folder == "servicegroup" and me not in placed:
                yield f"{where}: place {me!r} on a floor: FLOORS in tests/unit/test_floors.py"
                continue
            limit = roofs[GUESTS[folder]] + 1 if folder in GUESTS else placed[me][1]
            for line, name in imported(file, root):
                complaint = judge(me, limit, name, root)
                if complaint:
                    yield f"{where}:{line}: {complaint}"


def judge(me: str, limit: int, name: str, root: Path) -> str | None:
    """Say what is wrong with unit *me*, which sees heights below *limit*, importing *name*."""
    top, _, rest = name.partition(".")
    if top in GUESTS:
        return None if top == me else f"{me} imports {name}: only its own files may"
    if top != "servicegroup":
        return None
    if rest.split(".")[0] in GUESTS:
        return f"{me} imports {name}: drivers and plugins are reached by entry point"
    unit = unit_of(name, root)
    if unit == me:
        return None
    floor, height = heights().get(unit, ("no floor", limit))
    if height < limit:
        return None
    return f"{me} imports {unit} ({floor}), which is not below it"


def test_imports_go_strictly_down():
    assert not list(violations(ROOT))


def test_every_unit_stands_on_one_floor_only():
    units = [unit for steps in FLOORS.values() for step in steps for unit in step]
    assert len(units) == len(set(units))


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("servicegroup/model.py", "from servicegroup import exceptions", None),
        ("servicegroup/heart.py", "from servicegroup.door import Door", None),
        ("servicegroup/db/records.py", "from servicegroup.db.engine import x", None),
        ("servicegroup/db/records.py", "from . import engine", None),
        ("servicegroup/cli/main.py", "from servicegroup import ServiceGroup", None),
        ("servicegroup/testing/store.py", "import servicegroup.api", None),
        ("drivers/memcache.py", "from . import placement", None),
        ("drivers/memcache.py", "from servicegroup.driver import Driver", None),
        ("synchronizer/sync.py", "from servicegroup import api\nfrom . import baseline", None),
        ("servicegroup/cellar.py", "", "place 'cellar' on a floor"),
        ("servicegroup/cellar/deep.py", "", "place 'cellar' on a floor"),
        ("servicegroup/model.py", "from servicegroup import status", "imports status (F0)"),
        ("servicegroup/heart.py", "from servicegroup.watch import x", "imports watch (F2)"),
        ("servicegroup/heart.py", "from . import watch", "imports watch (F2)"),
        ("servicegroup/heart.py", "def f():\n    import servicegroup.api", ":2: heart imports api"),
        ("servicegroup/watch.py", "from servicegroup import ServiceGroup", "__init__ (F3)"),
        ("servicegroup/db/records.py", "from .. import door", "db imports door (F2)"),
        ("servicegroup/db/records.py", "from ..child import x", "db imports child (F1)"),
        ("servicegroup/cli/api.py", "from servicegroup import rest", None),
        ("servicegroup/rest/app.py", "from servicegroup import cli", "rest imports cli (F4)"),
        ("servicegroup/rest/app.py", "from servicegroup import testing", "rest imports testing"),
        ("servicegroup/loading.py", "from servicegroup.drivers import db", "by entry point"),
        ("servicegroup/loading.py", "import drivers.db", "only its own files may"),
        ("drivers/db.py", "from servicegroup.drivers import memcache", "by entry point"),
        ("drivers/db.py", "from servicegroup.heart import Heart", "drivers imports heart (F2)"),
        ("drivers/db.py", "import synchronizer", "only its own files may"),
        ("synchronizer/sync.py", "from servicegroup.cli import x", "synchronizer imports cli"),
        ("servicegroup/api.py", "from servicegroup import synchronizer", "by entry point"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, code, complaint):
    for unit in heights():
        path = tmp_path / "servicegroup" / f"{unit}.py"
        if unit in {"db", "cli", "rest", "testing"}:
            path = tmp_path / "servicegroup" / unit / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(code)
    found = list(violations(tmp_path))
    assert found == [] if complaint is None else len(found) == 1 and complaint in found[0], found
