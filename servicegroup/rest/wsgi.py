"""``servicegroup.rest.wsgi:application``, for servers that are told a name.

For example: ``gunicorn --workers 4 servicegroup.rest.wsgi:application``. It reads the same
configuration files as the command, and the environment; ``SERVICEGROUP_CONFIG_FILE`` names another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

import servicegroup
from servicegroup import rest


def _made() -> Any:
    conf = cfg.ConfigOpts()
    file = os.environ.get("SERVICEGROUP_CONFIG_FILE")
    conf([f"--config-file={file}"] if file else [], project="servicegroup")
    settings = rest.api_settings(conf)
    return rest.application(servicegroup.ServiceGroup(conf), settings, conf)


_application = _made()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    answer: Iterable[bytes] = _application(environ, start_response)
    return answer
