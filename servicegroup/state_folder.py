"""Where this user keeps what must outlive a process and stays on this host."""

from __future__ import annotations

import os
import pathlib


def state_folder() -> pathlib.Path:
    """Return the folder, made if it was not there; only this user can read it.

    ``$XDG_STATE_HOME/servicegroup``, by default ``~/.local/state/servicegroup``.

    :raises OSError: it cannot be made; ``filename`` names it
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    folder = pathlib.Path(state).expanduser() / "servicegroup"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
