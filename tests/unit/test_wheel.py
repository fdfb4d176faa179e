"""What is built from the tracked files holds all of the library, and nothing under generic names.

A sub-package that the package list forgets is there in a development install and missing from
the wheel.
"""

import email
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Where the files of each folder are in the wheel.
PLACES = {
    "servicegroup": "servicegroup",
    "drivers": "servicegroup/drivers",
    "synchronizer": "servicegroup/synchronizer",
}
#: Files beside the code without which it does not work.
DATA = ("*.mako", "py.typed")
EXTRAS = {
    *("zookeeper", "memcache", "k8s", "tooz", "postgresql", "mysql"),
    *("placement", "synchronizer", "openstack", "api", "keystone"),
    *("test", "all"),
}
BUILD = "import sys; from setuptools import build_meta as b; b.build_wheel(sys.argv[1])"


def tracked() -> list[Path]:
    """List the files of the repository, those not yet added included and ignored ones not."""
    listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(
        # In a container the repository may belong to another account.
        ["git", "-c", "safe.directory=*", *listing],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in done.stdout.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def build(source: Path, target: Path) -> zipfile.ZipFile:
    """Build a wheel as pip would, but with the setuptools that is here and without the network."""
    target.mkdir()
    argv = [sys.executable, "-c", BUILD, str(target)]
    done = subprocess.run(argv, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return zipfile.ZipFile(wheel)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    copy = tmp_path_factory.mktemp("source")
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    return copy


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    with build(copy, tmp_path_factory.mktemp("built") / "wheel") as wheel:
        yield wheel


def expected(source: Path) -> set[str]:
    return {
        f"{place}/{file.relative_to(source / folder)}"
        for folder, place in PLACES.items()
        for pattern in ("*.py", *DATA)
        for file in (source / folder).rglob(pattern)
    }


def test_every_file_of_the_three_folders_is_there(copy, wheel):
    files = expected(copy)
    assert "servicegroup/py.typed" in files
    assert any(name.endswith("/script.py.mako") for name in files)
    assert files - set(wheel.namelist()) == set()


def test_nothing_else_is_installed(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"servicegroup"}


def test_the_extras_are_there(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS


def test_a_forgotten_package_would_be_noticed(copy, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(copy, source)
    for folder in PLACES:
        forgotten = source / folder / "forgotten"
        forgotten.mkdir()  # without __init__.py it is no package to setuptools
        (forgotten / "module.py").touch()
    with build(source, tmp_path / "wheel") as wheel:
        missing = expected(source) - set(wheel.namelist())
    assert {f"{place}/forgotten/module.py" for place in PLACES.values()} <= missing
