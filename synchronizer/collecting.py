"""A collector's own process: polls one plugin, and tells what changed.

Run as ``python -m servicegroup.synchronizer.collecting NAME`` by the synchronizer; the argument is
for ``ps``. Everything else comes through the channel, which is its standard input. What changed is
kept in a temporary file until the poll is complete, then sent; the baseline takes it in last.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import math
import os
import queue
import resource
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NoReturn

from . import wire
from .baseline import Baseline, Reading
from .model import Item
from .plugin import CollectorPlugin, Context, DeltaPlugin, Incomplete, Rows

#: Rows in one frame at most, and bytes after which it is full.
PAGE, PAGE_BYTES = 500, 4 * 1024 * 1024
#: Keys that are gone in one frame.
GONE_PAGE = 10_000
#: Bytes of what changed that are kept in memory before they go to a file.
IN_MEMORY = 4 * 1024 * 1024
#: Messages that a plugin may log in one poll; what comes after is not told.
MOST_LOGGED = 100
#: Seconds that a plugin may take to close at the end.
CLOSING = 5


class Channel:
    """This end of it. A thread of its own listens: when the parent is gone, so are we."""

    def __init__(self) -> None:
        # Nothing that a plugin reads or prints may reach the channel.
        descriptor = os.dup(0)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        self._socket = socket.socket(fileno=descriptor)
        self._heard: queue.SimpleQueue[wire.ToChild] = queue.SimpleQueue()
        self._lock = threading.Lock()
        #: Called when the parent hangs up, before the end.
        self.at_end: Callable[[], None] = lambda: None
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def hear(self) -> wire.ToChild:
        """Wait for the next message."""
        return self._heard.get()

    def say(self, message: wire.Message) -> None:
        """Send one message."""
        self.send(wire.frame(message))

    def send(self, data: bytes) -> None:
        """Send what is a frame already."""
        with self._lock:
            self._socket.sendall(data)

    def _listen(self) -> None:
        frames = wire.Frames()
        with contextlib.suppress(Exception):
            while data := self._socket.recv(1 << 20):
                for body in frames.feed(data):
                    self._heard.put(wire.from_parent(body))
        with contextlib.suppress(BaseException):
            late = threading.Timer(CLOSING, _end)
            late.daemon = True
            late.start()
            self.at_end()
        _end()


def _end() -> NoReturn:
    if os.getpgrp() == os.getpid():  # what the plugin started goes, too
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


class Forwarder(logging.Handler):
    """Sends what a plugin logs to the parent, as long as it is not too much."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel
        self.left = MOST_LOGGED

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message."""
        if self.left <= 0:
            return
        self.left -= 1
        with contextlib.suppress(Exception):
            text = encodable(record.getMessage()[:4096])
            self._channel.say(wire.Log(record.levelno, record.name, text))


class Collecting:
    """One plugin with its baseline."""

    def __init__(self, channel: Channel, begin: wire.Begin) -> None:
        self._channel = channel
        self._most = begin.max_entities
        self._log = Forwarder(channel)
        logging.getLogger().addHandler(self._log)
        kind = load(begin.origin)
        self._plugin = kind(Context(begin.name, begin.options, frozenset(begin.types)))
        channel.at_end = self._plugin.close
        every = list(self._plugin.entity_types)
        types = [one for one in every if one in begin.types]
        self._baseline = Baseline(types, self._plugin.fields, set(every) - set(types))
        channel.say(wire.Ready(types))

    def run(self) -> None:
        """Do what the parent says, for ever."""
        while True:
            message = self._channel.hear()
            if isinstance(message, wire.Known):
                self._baseline.load(message.entity_type, message.marks)
            elif isinstance(message, wire.Poll):
                # Ends the process even where a library hangs in a way that no thread can end.
                signal.alarm(math.ceil(message.within) + 5)
                self._poll(message)
                gc.collect()

    def _poll(self, poll: wire.Poll) -> None:
        self._log.left = MOST_LOGGED
        self._baseline.doubt(poll.doubted)
        known = len(self._baseline)
        reading = self._baseline.poll(self._most)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as changes:
            try:
                self._read(poll.since, reading, changes)
                whole = poll.since is None and self._plugin.lists_all
                gone = list(reading.gone()) if whole else []
            except MemoryError:
                self._channel.say(wire.Read("it needs more memory than memory_limit", fatal=True))
                os._exit(1)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the plugin's
                self._channel.say(wire.Read(said(error), read=reading.read))
                return
            finally:
                signal.alarm(0)
            self._channel.say(
                wire.Read(
                    read=reading.read,
                    changed=reading.changed,
                    gone=sum(len(keys) for _, keys in gone),
                    known=known,
                    duplicates=reading.duplicates,
                    newest=reading.newest,
                )
            )
            go = self._channel.hear()
            if isinstance(go, wire.Go) and go.send:
                self._tell(changes, gone)

    def _read(self, since: float | None, reading: Reading, changes: Any) -> None:
        plugin = self._plugin
        if since is None:
            items: Iterable[Item | Rows[Any]] = plugin.get_all()
        else:
            assert isinstance(plugin, DeltaPlugin)
            items = plugin.get_changes(since)
        if not isinstance(items, Iterable):
            raise TypeError(f"it returned {items!r}, not something to iterate over")
        rows = (row for item in items for row in reading.rows(item))
        for page in _pages(rows):
            changes.write(wire.frame(wire.Rows(page)))

    def _tell(self, changes: Any, gone: list[tuple[str, list[str]]]) -> None:
        for data in _frames(changes):
            self._channel.send(data)
        for type_, keys in gone:
            for start in range(0, len(keys), GONE_PAGE):
                self._channel.say(wire.Gone(type_, keys[start : start + GONE_PAGE]))
        self._channel.say(wire.End())
        frames = wire.Frames()
        for data in _frames(changes):
            for body in frames.feed(data):
                message = wire.from_child(body)
                assert isinstance(message, wire.Rows)
                self._baseline.note(message.rows)
        for type_, keys in gone:
            self._baseline.forget(type_, keys)


def _pages(rows: Iterable[wire.Row]) -> Iterator[list[wire.Row]]:
    page: list[wire.Row] = []
    size = 0
    for row in rows:
        page.append(row)
        size += len(row.data)
        if len(page) == PAGE or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _frames(changes: BinaryIO) -> Iterator[bytes]:
    changes.seek(0)
    while data := changes.read(1 << 20):
        yield data


def said(error: BaseException) -> str:
    """Return the words of an exception, with its cause if it has one."""
    if isinstance(error, Incomplete) and str(error):
        return encodable(str(error))
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    cause = error.__cause__
    return encodable(words if cause is None else f"{words} ({type(cause).__name__}: {cause})")


def encodable(text: str) -> str:
    """Return *text* with what no UTF-8 can hold, such as of a strange file's name, spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()


def load(origin: str) -> type[CollectorPlugin]:
    """Return the class of ``module:class``.

    :raises Exception: whatever importing it raises
    """
    module, _, name = origin.partition(":")
    plugin: Any = importlib.import_module(module)
    for part in name.split("."):
        plugin = getattr(plugin, part)
    kind: type[CollectorPlugin] = plugin
    return kind


def _limit_memory(limit: int) -> None:
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Be a collector until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    gc.disable()  # two to four times slower where hundreds of thousands of objects are made
    channel = Channel()
    begin = channel.hear()
    assert isinstance(begin, wire.Begin)
    os.environb.update(begin.environment)
    with contextlib.suppress(OSError):
        os.chdir(begin.directory)
    try:
        _limit_memory(begin.memory_limit)
        collecting = Collecting(channel, begin)
    except BaseException as error:  # noqa: BLE001 - told to the parent
        channel.say(wire.Failed(said(error)))
        os._exit(1)
    collecting.run()


if __name__ == "__main__":
    main()
