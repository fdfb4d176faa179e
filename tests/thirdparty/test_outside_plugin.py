"""Somebody else's plugin: one file and one entry point, and nothing else is edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "servicegroup-folder"


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


def python(outsider, *arguments, **environment):
    paths = [str(outsider / "site"), os.environ.get("PYTHONPATH")]
    joined = os.pathsep.join(path for path in paths if path)
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=outsider,
        env={**os.environ, **environment, "PYTHONPATH": joined, "HOME": str(outsider)},
    )


def test_it_is_listed_and_collects(outsider):
    folder = outsider / "folder"
    folder.mkdir()
    (folder / "a").write_text("ready\n")
    program = ["-m", "servicegroup.cli.main", "synchronizer"]
    chosen = {"OS_SYNCHRONIZER__PLUGINS": "folder", "OS_SYNCHRONIZER_FOLDER__PATH": str(folder)}
    listed = python(outsider, *program, "plugins", "-f", "json", **chosen)
    assert {
        "Name": "folder",
        "Kind": "collector",
        "Entity Types": ["folder.file"],
        "Status": "configured",
    } in json.loads(listed.stdout), listed.stderr
    done = python(outsider, *program, "snapshot", "-f", "json", **chosen)
    assert [(row["Key"], row["State"]) for row in json.loads(done.stdout)] == [("a", "ready")]


def test_it_passes_the_suite(outsider):
    options = ["-q", "-p", "no:cacheprovider", "-W", "error"]
    done = python(outsider, "-m", "pytest", *options, outsider / "source" / "test_folder.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout
