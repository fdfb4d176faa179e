"""The contract of plugins: what an author writes, and what the core promises in return.

Which one to derive from:

- :class:`CollectorPlugin`: you can list everything. Most sources.
- :class:`DeltaPlugin`: you can list everything, and also what changed since a time.
- :class:`MessageBusPlugin`: changes are notifications on a message bus (oslo.messaging).
- :class:`StreamPlugin`: changes come by any other way that can be waited for.

A plugin only talks to its source. When to ask, what changed, what was deleted, what to do if it
fails, and telling the consumers are the core's.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from oslo_config import cfg

from .model import Entity, Item

R = TypeVar("R")


class Incomplete(Exception):
    """Raised by a plugin: what the source says now is not the whole truth, or not current.

    Any other exception has the same effect: the poll changes nothing, and consumers are told why.
    This one says that the author knew.
    """


class Rows(Generic[R]):
    """Many entities in the source's own form, for sources with hundreds of thousands of them.

    Only rows that changed become entities, so an unchanged one costs less than a microsecond.

    :param type: of all these entities
    :param rows: best a list of msgspec Structs that declare just the fields that matter, as
        ``msgspec.json.Decoder(list[MyRow]).decode(body)`` makes it; all fields count for whether a
        row changed. Anything else that msgspec can encode will do.
    :param key: takes a row and returns its key
    :param entity: takes a row and returns its entity, with that key and type
    """

    __slots__ = ("entity", "key", "rows", "type")

    def __init__(
        self,
        type: str,  # noqa: A002 - the entity's own word
        rows: Iterable[R],
        *,
        key: Callable[[R], str],
        entity: Callable[[R], Entity],
    ) -> None:
        self.type = type
        self.rows = rows
        self.key = key
        self.entity = entity


class BasePlugin(abc.ABC):
    """What all plugins have. Made once per process with the values of its options.

    An ``__init__`` of your own takes *context*, hands it on and is quick: connections are made
    when they are first needed.
    """

    #: What it delivers. May be set in ``__init__`` as well, where options decide.
    entity_types: Sequence[str] = ()
    #: Which fields of ``data`` matter for whether an entity changed; ``None``: all of them. Name
    #: them where a source also says what changes all the time, such as when it last looked.
    fields: ClassVar[Sequence[str] | None] = None
    #: Options in its own group of the configuration, whose name is ``synchronizer_NAME``. Mark
    #: passwords ``secret=True``.
    options: ClassVar[Sequence[cfg.Opt]] = ()
    #: What is shown in lists.
    kind: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context
        self.option = context.options

    @property
    def counted_fields(self) -> Sequence[str] | None:
        """``fields``, for the core; a plugin that wraps another one gives that one's."""
        return self.fields

    def probe(self) -> str:
        """Ask the source once, as little as tells whether it lets us in; ``servicegroup doctor``.

        Changes nothing, here or there. Called in the process of whoever examines.

        :returns: in a few words what answered; empty where nothing can be said
        :raises Exception: it does not answer, or refuses; the message says what to do
        """
        return ""

    def close(self) -> None:
        """Close what was opened. Called once, from any thread, before a regular end."""


class Context(NamedTuple):
    """What a plugin is given: its own name in this configuration and the values of its options.

    ``types``: those of its entity types that are wanted; the others need not be asked for.
    ``conf`` is the whole configuration; ``None`` in a collector's own process.
    """

    name: str
    options: Mapping[str, Any]
    types: frozenset[str] = frozenset()
    conf: cfg.ConfigOpts | None = None


class CollectorPlugin(BasePlugin):
    """Lists everything that its source has, in a process of its own.

    Promises of the core: ``get_all`` is called in one thread of a child process, never twice at
    once, every ``poll_interval``; it is killed if it takes longer than ``poll_deadline`` or more
    memory than ``memory_limit``. The same instance is used for the next poll, so it may keep a
    session or what it saw before; after a crash there is a new one. What it prints goes nowhere,
    what it logs (warnings and above) appears in the log of the synchronizer.
    """

    kind = "collector"
    #: Whether what ``get_all`` does not yield is gone. False, also if only set while it runs: only
    #: what is yielded as ``Deleted`` is.
    lists_all: bool = True

    @abc.abstractmethod
    def get_all(self) -> Iterable[Item | Rows[Any]]:
        """Yield every entity there is. Returning normally means: these were all.

        So whatever is not yielded is deleted. Raise (:class:`Incomplete` or anything else) if the
        source did not answer, answered in part, or says what is out of date: then nothing changes.
        The order does not matter; of a key that comes twice the later one holds. Yield page by
        page where the source has pages: what does not change is not kept.
        """


class DeltaPlugin(CollectorPlugin):
    """A collector whose source can also say what changed since a time.

    ``get_all`` is then called every ``reconcile_interval`` only, since no such source can be
    trusted to tell of every change; ``get_changes`` every ``poll_interval`` in between.
    """

    kind = "delta"
    #: Seconds by which each question reaches back before the newest change that was seen: covers
    #: changes that became visible late or in the same second. What is told twice is told once.
    overlap: ClassVar[float] = 10.0

    @abc.abstractmethod
    def get_changes(self, since: float) -> Iterable[Item | Rows[Any]]:
        """Yield entities that changed at or after *since*, and :class:`Deleted` where known.

        :param since: the newest ``timestamp`` of any of its entities, less ``overlap``: seconds
            since 1970 by the source's own clock. Yield more rather than less.
        """


class Feed(Protocol):
    """Where a stream plugin puts what it hears. Usable from any thread; blocks while we write."""

    def changed(self, items: Iterable[Item]) -> None:
        """Take in changes, in their order. Returns when they are safely stored.

        :raises Exception: they could not be stored: have them sent again
        """

    def mark(self) -> int:
        """Return a mark for :meth:`complete`: what is heard after it is newer."""

    def complete(self, items: Iterable[Item], since: int) -> None:
        """Take in everything there is: what is missing is deleted.

        :param items: nothing else is taken in while they are iterated over: an iterator that asks
            the source then cannot bring anything older than what was taken in before
        :param since: the :meth:`mark` taken before the source was asked
        """

    def failing(self, reason: str) -> None:
        """Tell consumers that changes may be missed from now on."""

    def malformed(self, reason: str) -> None:
        """Tell that something was left out because it could not be understood."""

    def recovered(self, *, lost: str | None = None) -> None:
        """Tell that it works again.

        :param lost: why changes may have been missed meanwhile, if so: the collectors of the same
            types are polled at once
        """


class StreamPlugin(BasePlugin):
    """Hears of changes as they happen, in threads of this process."""

    kind = "stream"
    #: Whether it calls :meth:`Feed.complete`, so that all there is of its types is known.
    complete: ClassVar[bool] = False

    def get_all(self) -> Iterable[Item]:
        """Return everything there is now, for whoever asks; only where ``complete`` is true.

        :raises Exception: the source could not be asked
        """
        raise NotImplementedError

    @abc.abstractmethod
    def run(self, feed: Feed, stopping: threading.Event) -> None:
        """Listen until *stopping* is set. Called in a thread of its own.

        If it raises, consumers are told and it is called again after a pause.
        """


class Notification(NamedTuple):
    """One notification as it came; ``timestamp`` is the text that its publisher gave it."""

    event_type: str
    payload: Any
    publisher_id: str
    priority: str
    message_id: str
    timestamp: str


class MessageBusPlugin(BasePlugin):
    """Turns notifications of oslo.messaging into entities, in a thread of this process.

    Promises of the core: all priorities are heard; a pool of its own, so that nobody's messages
    are taken away; messages come in the order of their queue; one that cannot be understood is
    counted, told and left out; it is acknowledged to the broker only when its entities are stored;
    when the broker was lost, the collectors of the same types are polled.
    """

    kind = "bus"
    #: Prefixes of the event types that concern it; others are passed over unseen.
    event_types: ClassVar[Sequence[str]] = ("",)

    def prepare(self) -> None:
        """Load or fetch what :meth:`entities` needs. Called before it listens; may take its time.

        If it raises, nothing is taken off the bus, consumers are told, and it is called again
        after a pause. Called again as well whenever listening begins anew.

        :raises Exception: it cannot work here, or not yet; the message says what to do
        """

    @abc.abstractmethod
    def entities(self, notification: Notification) -> Iterable[Item]:
        """Return what *notification* says: whole entities, as a collector would give them.

        Give a ``timestamp`` only if it is the source's own for the entity: an entity that is older
        than the last one accepted of its key is dropped. A notification that says too little for
        a whole entity is best left to the collector. Must not wait: it holds up all that follow.

        :raises Exception: it is malformed; the message is left out and told
        """
