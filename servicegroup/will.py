"""A last will: how a process's life is ended in a store by another process, without a driver.

Said in plain JSON, so that it can be handed over a pipe; and light, since the process that keeps it
is there all the time: nothing that this module or a will's function imports should be larger than
the client library of the store.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class LastWill(NamedTuple):
    """A function by the name of its module, ``package.module:function``, and its arguments.

    The function is called with them, named, while the process lives. It imports all that will be
    needed, connects to nothing, and returns a function without arguments. That one is called after
    the process died; again if it raises. It opens a connection, ends the life as
    :meth:`servicegroup.driver.Driver.end` does, and closes the connection.
    """

    function: str
    arguments: Mapping[str, Any]

    def prepared(self) -> Callable[[], None]:
        """Return what carries this will out, with everything it needs imported."""
        module, _, name = self.function.partition(":")
        carry_out: Callable[[], None] = getattr(importlib.import_module(module), name)(
            **self.arguments
        )
        return carry_out
