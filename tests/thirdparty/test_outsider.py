"""Somebody else's driver: one file, one entry point, and a test of ten lines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "servicegroup-files"


@pytest.fixture(scope="module")
def outsider(tmp_path_factory):
    """Install the distribution into a folder of its own, without any network."""
    place = tmp_path_factory.mktemp("outsider")
    source = shutil.copytree(SOURCE, place / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", place / "site", source],
        check=True,
        capture_output=True,
    )
    return place


def python(outsider, *arguments):
    paths = [str(outsider / "site"), os.environ.get("PYTHONPATH")]
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=outsider,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
    )


def test_it_is_what_the_documentation_promises():
    files = sorted(path.name for path in SOURCE.iterdir())
    assert [name for name in files if name.endswith(".py")] == [
        "servicegroup_files.py",
        "test_files.py",
    ]
    test = (SOURCE / "test_files.py").read_text()
    assert len([line for line in test.splitlines() if line.strip()]) <= 10


def test_it_is_found_by_its_name(outsider):
    program = (
        "from servicegroup import loading; "
        "print(loading.load('files'), 'files' in loading.installed(), "
        "'servicegroup_files' in dict(loading.list_opts()))"
    )
    done = python(outsider, "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["<class", "'servicegroup_files.FilesDriver'>", "True", "True"]


def test_it_passes_the_suite(outsider):
    options = ["-q", "-p", "no:cacheprovider", "-W", "error"]
    done = python(outsider, "-m", "pytest", *options, outsider / "source" / "test_files.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_without_it_the_error_says_what_is_installed():
    from servicegroup import exceptions, loading

    with pytest.raises(exceptions.DriverNotFound, match=r"'files' is not installed.*memory"):
        loading.load("files")
