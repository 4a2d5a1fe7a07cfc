"""Brings what is in the outbox to the sinks: a thread for each, so that one that is down holds up nobody else.

A sink gets its signals in their order. One that is at fault is tried again and again, and what is for it waits in the
database, not in memory. What it refuses for good is tried three times, set aside, and does not hold up the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from blemish.core.errors import BlemishError, DatabaseError
from blemish.station.database import Database
from blemish.station.signals.backoff import Backoff
from blemish.station.signals.outbox import Outbox, OutboxCounts, Waiting
from blemish.station.signals.sink import Sink, SinkError

_BATCH = 64
_REFUSALS = 3
_IDLE_SECONDS = 1.0
_FORGET_SECONDS = 0.5  # a commit for each signal would keep the log's own commits waiting
logger = logging.getLogger("blemish.station")


@dataclass(frozen=True)
class SinkState:
    """How a sink does.

    Attributes:
        name: of the sink.
        connected: whether it took what it was given last, or was opened since.
        trouble: what is wrong, in one sentence; None where nothing is.
        sent: signals that have arrived since the start.
        last_sent: when the latest of them did; None where none has.
        waiting, oldest, set_aside: as in `OutboxCounts`.
    """

    name: str
    connected: bool
    trouble: str | None
    sent: int
    last_sent: datetime | None
    waiting: int
    oldest: datetime | None
    set_aside: int


class Dispatcher:
    """Sends what waits, until it is stopped.

    Args:
        database: of the log.
        station: whose outbox.
        sinks: where to; each has a name of its own.
        first, cap: seconds between tries of a sink that is at fault, at first and at most.
    """

    def __init__(
        self,
        database: Database,
        station: str,
        sinks: Sequence[Sink],
        first: float = 0.5,
        cap: float = 30.0,
    ) -> None:
        self._outbox = Outbox(database, station)
        self._lanes = [_Lane(self._outbox, sink, Backoff(first, cap)) for sink in sinks]
        self._counts: dict[str, OutboxCounts] = {}
        self._count_at = 0.0

    def start(self) -> None:
        """Begin to send, with what is left from before."""
        for lane in self._lanes:
            lane.thread.start()

    def wake(self) -> None:
        """Look at the outbox now: something was committed. Returns at once."""
        for lane in self._lanes:
            lane.wake.set()

    def stop(self, seconds: float) -> None:
        """Send what waits at sinks that are well, within so many seconds, and end; the rest is for the next start."""
        until = time.monotonic() + seconds
        for lane in self._lanes:
            lane.ends_at = until
            lane.stopping.set()
            lane.wake.set()
        for lane in self._lanes:
            if lane.thread.is_alive():
                lane.thread.join(max(0.0, until - time.monotonic()) + 1.0)

    def states(self) -> list[SinkState]:
        """How each sink does, in their order; a database that cannot be read is a trouble of all of them."""
        try:
            counts, unread = self._latest_counts(), None
        except DatabaseError as error:
            counts, unread = self._counts, str(error)
        return [lane.state(counts.get(lane.sink.name, OutboxCounts()), unread) for lane in self._lanes]

    def _latest_counts(self) -> dict[str, OutboxCounts]:
        """What waits, counted now, or a little earlier where millions wait and counting takes its time."""
        started = time.monotonic()
        if started >= self._count_at:
            self._counts = self._outbox.counts()
            seconds = time.monotonic() - started
            self._count_at = started + (20 * seconds if seconds > 0.05 else 0.0)
        return self._counts


class _Lane:
    """The way to one sink, and its thread."""

    def __init__(self, outbox: Outbox, sink: Sink, backoff: Backoff) -> None:
        self.sink = sink
        self._outbox, self._backoff = outbox, backoff
        self.wake, self.stopping = threading.Event(), threading.Event()
        self.ends_at = 0.0
        self.thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._opened = False
        self._trouble: str | None = None
        self._sent = 0
        self._last_sent: datetime | None = None
        self._repeated_to: int | None = None
        self._read_to = 0
        self._arrived: list[int] = []  # notes that have still to be forgotten
        self._forget_at = 0.0

    def state(self, counts: OutboxCounts, unread: str | None) -> SinkState:
        """How the sink does now; `unread` says why the counts are unknown."""
        return SinkState(
            self.sink.name,
            self._opened and self._trouble is None,
            self._trouble or unread,
            self._sent,
            self._last_sent,
            max(0, counts.waiting - len(self._arrived)),
            counts.oldest,
            counts.set_aside,
        )

    def _run(self) -> None:
        while not self._is_over():
            try:
                more = self._step()
            except BlemishError as error:
                self._failed(error)
                continue
            except Exception as error:  # a lane never dies: a sink's own fault is one more that may pass
                logger.exception("The sink %s failed unexpectedly.", self.sink.name)
                self._failed(SinkError(f"The sink {self.sink.name} failed: {type(error).__name__}."))
                continue
            self._well_again()
            if not more:
                if self.stopping.is_set():
                    break
                self.wake.wait(self._pause())
        with suppress(DatabaseError):  # they are sent once more then
            self._forget()
        self.sink.close()

    def _is_over(self) -> bool:
        return self.stopping.is_set() and (time.monotonic() > self.ends_at or self._trouble is not None)

    def _pause(self) -> float:
        if not self._arrived:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, self._forget_at - time.monotonic()))

    def _step(self) -> bool:
        """Open the sink if need be, and send what waits, a batch at most; whether more may wait."""
        if self._repeated_to is None:
            self._repeated_to = self._outbox.newest(self.sink.name)
        if not self._opened:
            self.sink.open()
            self._opened = True
        self.wake.clear()
        batch = self._outbox.waiting(self.sink.name, _BATCH, self._read_to, self._repeated_to)
        if batch:
            self._send(batch)
        else:
            self.sink.check()
        if self._arrived and (len(self._arrived) >= _BATCH or time.monotonic() >= self._forget_at):
            self._forget()
        return len(batch) == _BATCH

    def _send(self, batch: list[Waiting]) -> None:
        try:
            self.sink.send([one.signal for one in batch])
        except SinkError as error:
            self._note_arrived(batch[: error.arrived])
            # What follows may have arrived nonetheless.
            self._repeated_to = max(self._repeated_to or 0, batch[-1].note)
            if error.for_good and error.arrived < len(batch):
                self._refused(batch[error.arrived], error)
            raise
        self._note_arrived(batch)

    def _note_arrived(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
        if not self._arrived:
            self._forget_at = time.monotonic() + _FORGET_SECONDS
        self._arrived.extend(one.note for one in batch)
        self._read_to = batch[-1].note
        self._sent += len(batch)
        self._last_sent = datetime.now(UTC)

    def _forget(self) -> None:
        self._outbox.forget(self._arrived)
        self._arrived.clear()
        self._read_to = 0  # from the beginning: what was set aside may wait again

    def _refused(self, one: Waiting, error: SinkError) -> None:
        last = one.refusals + 1 >= _REFUSALS
        self._outbox.refused(one.note, str(error), set_aside=last)
        if last:
            logger.error("The signal %s is set aside: %s", one.signal.id, error)
            self._backoff.reset()

    def _failed(self, error: BlemishError) -> None:
        """Say it once, let go of the sink, and wait before the next try."""
        if str(error) != self._trouble:
            logger.warning("%s", error)
        self._trouble = str(error)
        if not (isinstance(error, SinkError) and error.for_good) and not isinstance(error, DatabaseError):
            self.sink.close()
            self._opened = False
        if self._arrived:
            with suppress(DatabaseError):
                self._forget()
        self.stopping.wait(self._backoff.next())

    def _well_again(self) -> None:
        self._backoff.reset()
        if self._trouble is not None:
            logger.info("The sink %s takes signals again.", self.sink.name)
            self._trouble = None
