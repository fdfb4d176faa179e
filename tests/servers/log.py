"""What a server wrote to its standard output and error."""

from pathlib import Path

TAIL_BYTES = 4000


class Log:
    """One file over all lives of a server, read by position."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._life = 0

    def new_life(self) -> None:
        """Note that the server is about to start: :meth:`tail` goes no further back."""
        self._life = self.size()

    def size(self) -> int:
        """Its length in bytes."""
        return self.file.stat().st_size if self.file.exists() else 0

    def read(self, offset: int = 0) -> str:
        """Read from byte *offset* to the end."""
        if not self.file.exists():
            return ""
        with self.file.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        """Read the last 4000 bytes of this life."""
        return self.read(max(self.size() - TAIL_BYTES, self._life))
