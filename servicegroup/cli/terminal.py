"""What a terminal is shown: colours where one is attached, and one line per message."""

from __future__ import annotations

import logging
import os
from typing import TextIO

from servicegroup.model import State

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
#: The colour of each verdict.
OF_STATE = {State.UP: "green", State.DOWN: "red", State.UNKNOWN: "yellow"}
_OF_LEVEL = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Terminal:
    """One output stream: paints if it is a terminal that can, and nobody set ``NO_COLOR``."""

    def __init__(self, stream: TextIO) -> None:
        self.attached = stream.isatty()
        self.paints = (
            self.attached
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb"
        )

    def paint(self, text: str, *styles: str) -> str:
        """Return *text* in these styles, or as it is."""
        if not self.paints or not styles or not text:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\033[{codes}m{text}\033[0m"


class LineFormatter(logging.Formatter):
    """One line a message, with the exception's words in place of its traceback."""

    def __init__(self, terminal: Terminal, *, tracebacks: bool) -> None:
        super().__init__()
        self._terminal = terminal
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return ``servicegroup: error: what happened``."""
        level = record.levelname.lower()
        for least, style in _OF_LEVEL.items():
            if record.levelno == least:
                level = self._terminal.paint(level, style)
        words = one_line(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and self._tracebacks:
            assert record.exc_info is not None
            words += "\n" + self.formatException(record.exc_info)
        elif error is not None and str(error) not in words:
            words += f": {type(error).__name__}: {one_line(str(error))}"
        return f"servicegroup: {level}: {words}"


def one_line(text: str) -> str:
    """Return *text* without line breaks."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def printable(text: str) -> str:
    """Return *text* with everything escaped that could move a cursor or change a terminal.

    Names and attributes come from other hosts.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
