"""Vitrage's own tests of its coordination: those of its service list, there are no others."""

import collections
import pathlib
import shutil

from counted import counted

OURS = "servicegroup.compat.vitrage"
TESTS = ["vitrage.tests.functional.api.v1.test_service"]
LEFT_OUT: dict[str, str] = {}


def swap() -> collections.Counter:
    """Put our coordinator where Vitrage's was, on a store within the process."""
    import vitrage
    from oslo_config import cfg
    from vitrage.coordination import coordination

    from servicegroup import config
    from servicegroup.compat import vitrage as ours

    # Its tests look for a file of the source tree that the package lacks.
    place = pathlib.Path(vitrage.__file__).parents[1] / "etc" / "vitrage"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(pathlib.Path(__file__).with_name("vitrage-api-paste.ini"), place / "api-paste.ini")
    config.register(cfg.CONF)
    cfg.CONF.set_default("driver", "memory", config.GROUP)
    used = collections.Counter()
    coordination.Coordinator = counted(used, ours.Coordinator)
    counted(used, ours.Coordinator, "get_services")
    return used
