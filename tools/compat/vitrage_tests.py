"""Vitrage's own tests of its coordination: those of its service list, there are no others."""

import collections
import pathlib
import sys

from counted import counted

TESTS = ["vitrage.tests.functional.api.v1.test_service"]
LEFT_OUT: dict[str, str] = {}


def swap() -> collections.Counter:
    """Put our coordinator where Vitrage's was, on a store within the process."""
    import vitrage
    from oslo_config import cfg
    from vitrage.coordination import coordination

    from servicegroup import config
    from servicegroup.compat import vitrage as ours

    # Its tests look for the files of a source tree; the package has them below the prefix.
    link = pathlib.Path(vitrage.__file__).parents[1] / "etc"
    if not link.exists():
        link.symlink_to(pathlib.Path(sys.prefix) / "etc")
    config.register(cfg.CONF)
    cfg.CONF.set_default("driver", "memory", config.GROUP)
    used = collections.Counter()
    coordination.Coordinator = counted(used, ours.Coordinator)
    counted(used, ours.Coordinator, "get_services")
    return used
