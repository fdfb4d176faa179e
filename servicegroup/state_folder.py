"""Where this user keeps what must outlive a process and stays on this host."""

from __future__ import annotations

import errno
import os
import pathlib


def state_folder() -> pathlib.Path:
    """Return the folder, made if it was not there; only this user can read it.

    ``$XDG_STATE_HOME/servicegroup``, by default ``~/.local/state/servicegroup``.

    :raises OSError: it cannot be made; ``filename`` names it
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        folder = pathlib.Path(state).expanduser() / "servicegroup"
    except RuntimeError as error:  # as in a container that runs as a user without a name
        raise FileNotFoundError(errno.ENOENT, "this user has no home directory", state) from error
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
