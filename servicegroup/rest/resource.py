"""What every resource is: a view, settings, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from servicegroup.rest.options import ApiSettings
from servicegroup.rest.view import View


class Resource:
    """A resource of the application.

    ``policy``: {HTTP method: name of the rule that allows it}; ``None`` as rule: for everybody,
    without credentials too. A method that is not there is refused. ``contract``: {HTTP method: what
    the OpenAPI document says of it}: ``query`` {name: (schema, words)}, ``body`` schema, ``answer``
    name of a schema, ``status``.
    """

    policy: ClassVar[Mapping[str, str | None]] = {}
    contract: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, view: View, settings: ApiSettings) -> None:
        self.view = view
        self.settings = settings
