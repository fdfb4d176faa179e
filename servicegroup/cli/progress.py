"""A bar that grows, where somebody looks at it."""

from __future__ import annotations

from typing import TextIO

from servicegroup.cli.terminal import Terminal

_WIDTH = 30


class Bar:
    """Shows on a terminal how much of something is done, and nothing elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._attached = Terminal(stream).attached
        self._shown = ""

    def show(self, done: int, of: int) -> None:
        """Draw it anew, if it looks different."""
        filled = _WIDTH * done // max(of, 1)
        line = f"[{'#' * filled}{' ' * (_WIDTH - filled)}] {100 * done // max(of, 1)} % of {of:,}"
        if self._attached and line != self._shown:
            self._stream.write(f"\r{line}")
            self._stream.flush()
            self._shown = line

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()
