import time

import pytest
from sources.scene import PATIENCE, Picture, Scene

from servicegroup.clock import boottime


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def source(scene):
    return scene.source


@pytest.fixture
def picture():
    return Picture()


@pytest.fixture
def until():
    def until(what, seconds=PATIENCE):
        deadline = boottime() + seconds
        while not (result := what()):
            assert boottime() < deadline, "it never came true"
            time.sleep(0.01)
        return result

    return until
