"""The front door: the configured plugins, the consumers, and the one picture between them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures import wait as wait_for
from typing import NamedTuple

from oslo_config import cfg

from servicegroup.clock import boottime
from servicegroup.exceptions import ServiceGroupError

from .collector import Collector
from .consumer import Put, Registration, Resume, _Acknowledged
from .errors import CollectionFailed, EntityTypeNotFound, NotCollected
from .ledger import Ledger
from .model import Event, Snapshot, Token
from .offers import Offer, offers
from .options import GROUP, settings
from .reading import Reader
from .source import SourceStatus
from .stream import Stream

LOG = logging.getLogger(__name__)

#: Seconds between two looks at what can be forgotten.
HOUSEKEEPING = 60.0
#: Seconds within which ``stop`` returns.
STOPPING = 10.0


class ConsumerStatus(NamedTuple):
    """How far one consumer is; ``failing``: what its callback raised last, while it does."""

    name: str | None
    types: tuple[str, ...]
    position: Token | None
    lag: int
    delivered: int
    failing: str | None


class Status(NamedTuple):
    """How everything is."""

    token: Token
    sources: list[SourceStatus]
    consumers: list[ConsumerStatus]


class Synchronizer:
    """Keeps one picture of what the configured plugins say, and tells consumers of changes.

    Make one per process and configuration; usable from any thread. As a context manager it is
    started and stopped.

    :param queue: where events go of those who register without a callback; ``put`` may block, and
        each event has to be acknowledged by ``event.ack()``
    :raises ConfigurationError: a plugin that is not there or cannot work, values that cannot
    """

    def __init__(self, conf: cfg.ConfigOpts, *, queue: Put | None = None) -> None:
        self.settings = settings(conf)
        self._conf = conf
        self._queue = queue
        self._offers = offers(conf, self.settings)
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._sources: list[Collector | Stream] = []
        self._consumers: list[Registration] = []
        self._housekeeping: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def entity_types(self) -> list[str]:
        """The types that the configured plugins deliver, as far as they are wanted."""
        return sorted({type_ for offer in self._offers for type_ in offer.types})

    @property
    def collected_types(self) -> list[str]:
        """Those of which everything can be asked for (:meth:`get_all`)."""
        return sorted(self._collected())

    def progress(self) -> dict[str, int]:
        """Return how many entities are known of each type that is completely known by now."""
        ledger = self._running()
        reader = Reader(ledger, self.entity_types)
        try:
            complete = reader.complete()
            return {name: count for name, count in reader.count().items() if name in complete}
        finally:
            reader.close()

    def processes(self) -> dict[str, int]:
        """Return the process of each collector that has one now, by the plugin's name."""
        with self._lock:
            collectors = [one for one in self._sources if isinstance(one, Collector)]
        return {one.name: pid for one in collectors if (pid := one.pid) is not None}

    # -- consumers ----------------------------------------------------------------------------

    def register(
        self,
        types: Iterable[str],
        callback: Callable[[Event], None] | None = None,
        *,
        name: str | None = None,
        resume: Resume = None,
    ) -> Registration:
        """Tell *callback* of these types: a snapshot of each first, then every change.

        The callback is called in a thread of this consumer alone, one event after the other; it
        may block without harm to others. An event counts as handled when it returns; if it
        raises, it is called with the same event again, after a pause that grows to half a minute.
        At least once, that is: after a crash some events are told again.

        :param callback: without one, events go to the ``queue`` of the constructor
        :param name: under which its position is kept over restarts; unique
        :param resume: ``None``: the consumer knows nothing. ``ACKNOWLEDGED``: go on after what
            this name acknowledged last. A :class:`Token`: go on after that. Where that is not
            known any more, or a type is new, there is a snapshot after all.
        :raises EntityTypeNotFound: nobody delivers one of *types*
        :raises ValueError: the name is taken, or there is neither callback nor queue
        """
        wanted = self._known(types)
        if callback is None and self._queue is None:
            raise ValueError("register needs a callback, or Synchronizer(conf, queue=...) a queue")
        if isinstance(resume, _Acknowledged) and name is None:
            raise ValueError("resume=ACKNOWLEDGED needs the name= under which was acknowledged")
        with self._lock:
            if name is not None and any(one.name == name for one in self._consumers):
                raise ValueError(f"there is a consumer {name!r} already; close that one first")
            consumer = Registration(
                wanted,
                callback if callback is not None else self._queue,  # type: ignore[arg-type]
                name=name,
                resume=resume,
                only_notified=frozenset(wanted) - self._collected(),
                most_unacknowledged=self.settings.queue_size,
                closed=self._closed,
            )
            self._consumers.append(consumer)
            if self._ledger is not None:
                consumer.start(self._ledger)
        return consumer

    def get_all(self, types: Iterable[str], timeout: float | None = None) -> Snapshot:
        """Poll the sources of *types* afresh, and return everything there is of them.

        :param timeout: seconds; default: as long as ``poll_deadline`` allows
        :raises EntityTypeNotFound: nobody delivers one of *types*
        :raises NotCollected: one of them only comes as notifications
        :raises CollectionFailed: a source could not be polled, or not in time
        """
        wanted = self._known(types)
        ledger = self._running()
        only = sorted(set(wanted) - self._collected())
        if only:
            raise NotCollected(
                f"{', '.join(only)}: only told by notifications, nobody can be asked for all; "
                f"configure a collector of that type as well"
            )
        polls = self._poll(wanted)
        done = wait_for(polls, timeout)
        for poll in polls:
            if poll not in done.done:
                raise CollectionFailed(f"no complete poll within {timeout:g} s") from None
            try:
                poll.result(0)
            except FutureTimeoutError as error:
                raise CollectionFailed("a poll was given up") from error
        reader = Reader(ledger, wanted)
        try:
            entities, seq = reader.picture()
        finally:
            reader.close()
        return Snapshot(entities, Token(ledger.epoch, seq))

    def reconcile(self, types: Collection[str], reason: str) -> None:
        """Poll the collectors of *types* soon, because changes may have been missed."""
        LOG.info("reconciling %s: %s", ", ".join(sorted(types)), reason)
        self._poll(types)

    def status(self) -> Status:
        """Return how everything is."""
        ledger = self._running()
        with self._lock:
            sources = [source.status for source in self._sources]
            consumers = [
                ConsumerStatus(
                    one.name, one.types, one.position, one.lag, one.delivered, one.failing
                )
                for one in self._consumers
            ]
        return Status(Token(ledger.epoch, ledger.seq), sources, consumers)

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all plugins, and tell the consumers that are registered.

        :raises ConfigurationError: the baseline cannot be used
        """
        with self._lock:
            if self._ledger is not None:
                raise ServiceGroupError("this synchronizer was started already")
            ledger = self._ledger = Ledger(self.settings.baseline_path)
            self._stopping.clear()
            ledger.retire([offer.name for offer in self._offers])
            # Streams first: what changes while the first snapshots are taken is heard.
            self._sources = []
            for offer in sorted(self._offers, key=lambda one: one.stream is None):
                self._sources.append(self._source(offer, ledger))
            for consumer in self._consumers:
                consumer.start(ledger)
            for source in self._sources:
                source.start()
            self._housekeeping = threading.Thread(
                target=self._keep_house,
                args=(ledger,),
                name="synchronizer-housekeeping",
                daemon=True,
            )
            self._housekeeping.start()

    def stop(self) -> None:
        """End all plugins and consumers. Idempotent; returns within ten seconds or so."""
        with self._lock:
            ledger, self._ledger = self._ledger, None
            sources, self._sources = self._sources, []
            consumers, self._consumers = self._consumers, []
        if ledger is None:
            return
        until = boottime() + STOPPING
        self._stopping.set()
        for source in sources:
            source.stop()
        for source in sources:
            source.join(max(0.1, until - boottime()))
        for consumer in consumers:
            consumer.close(max(0.1, until - boottime()))
        ledger.close()

    def __enter__(self) -> Synchronizer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- inside -------------------------------------------------------------------------------

    def _source(self, offer: Offer, ledger: Ledger) -> Collector | Stream:
        if offer.stream is not None:
            return Stream(offer.name, offer.stream, offer.types, ledger, self.reconcile)
        assert offer.polled is not None
        streams = [one for one in self._sources if isinstance(one, Stream)]
        return Collector(
            name=offer.name,
            origin=offer.origin,
            plugin=offer.collector,
            options=offer.options,
            types=offer.types,
            settings=offer.polled,
            ledger=ledger,
            python=self.settings.python,
            after=[one.listening for one in streams if one.types & offer.types],
        )

    def _poll(self, types: Collection[str]) -> list[Future[None]]:
        with self._lock:
            sources = [one for one in self._sources if one.types & set(types)]
        return [future for one in sources if (future := one.poll()) is not None]

    def _collected(self) -> frozenset[str]:
        return frozenset(type_ for offer in self._offers if offer.complete for type_ in offer.types)

    def _known(self, types: Iterable[str]) -> list[str]:
        if isinstance(types, str):
            raise TypeError(f"types is a list of types, such as [{types!r}]")
        wanted, known = sorted(set(types)), self.entity_types
        unknown = [type_ for type_ in wanted if type_ not in known]
        if unknown or not wanted:
            raise EntityTypeNotFound(
                f"no configured plugin delivers {', '.join(map(repr, unknown)) or 'no type'}; "
                f"there are: {', '.join(known) or 'none: set [synchronizer] plugins'}"
            )
        return wanted

    def _running(self) -> Ledger:
        ledger = self._ledger
        if ledger is None:
            raise ServiceGroupError("this synchronizer is not running: start() it first")
        return ledger

    def _closed(self, consumer: Registration) -> None:
        with self._lock:
            if consumer in self._consumers:
                self._consumers.remove(consumer)

    def _keep_house(self, ledger: Ledger) -> None:
        while not self._stopping.wait(HOUSEKEEPING):
            try:
                self._tidy(ledger)
            except Exception:
                LOG.exception("tidying up the baseline failed")

    def _tidy(self, ledger: Ledger) -> None:
        """Forget consumers that do not come back, and what is gone once everybody was told."""
        with self._lock:
            present = [one.name for one in self._consumers if one.name is not None]
        before = time.time() - self.settings.forget_consumers_after
        forgotten = ledger.forget_consumers(before, present)
        if forgotten:
            LOG.warning("consumers that did not come back are forgotten: %s", ", ".join(forgotten))
        with self._lock:
            positions = [one.needs for one in self._consumers if one.needs is not None]
            told = [one.touched_until for one in self._sources if isinstance(one, Collector)]
        ledger.purge(min([ledger.seq, *positions, *told, *ledger.positions()]))


def temporary(conf: cfg.ConfigOpts) -> Synchronizer:
    """Return one that keeps nothing, beside whichever runs on the configured baseline."""
    settings(conf)
    conf.set_override("baseline_path", "", GROUP)
    try:
        return Synchronizer(conf)
    finally:
        conf.clear_override("baseline_path", GROUP)
