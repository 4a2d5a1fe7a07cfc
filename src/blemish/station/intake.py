"""Photographs of all sources on their way into a station: a thread a source, one bounded queue for all.

Where the queue is full a source waits; what it does with photographs that it cannot hold back, as those of a camera, is
its own affair. A photograph that was given and is not judged yet is known, so that no source gives it twice.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from blemish.core.errors import BlemishError, DatabaseError
from blemish.station.inspection_queue import Judged, Refused
from blemish.station.sources.arrival import Arrival, Source
from blemish.station.troubles import Troubles

_LONGEST_PAUSE = 30.0
_TURN = 0.5

logger = logging.getLogger("blemish.station")


@dataclass
class Taken:
    """A photograph that a source has given.

    Attributes:
        source: its name.
        arrival: what it gave.
        id: of the arrival within this run, as a reject gate knows it.
        answer: what came of it in the end, for a sender who waits; never an error that may pass.
        suspected: whether it, or one that was logged together with it, could not be judged or logged.
        tries: how often it could not, alone.
        committed_before: photographs that were logged until that happened first.
    """

    source: str
    arrival: Arrival = field(repr=False)
    id: str
    answer: Future[Judged | Refused] = field(default_factory=Future, repr=False)
    suspected: bool = False
    tries: int = 0
    committed_before: int = 0


class Intake:
    """Takes from all sources at once.

    Args:
        sources: of different names.
        judged: whether the photograph of a source and a key was judged in an earlier run; may raise `DatabaseError`.
        arrived: called with each photograph as soon as it is there, by the thread of its source.
        troubles: where a source that fails is told.
        room: photographs that wait to be judged at most.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        judged: Callable[[str, str], bool],
        arrived: Callable[[Taken], None],
        troubles: Troubles,
        room: int,
    ) -> None:
        self._judged, self._arrived, self._troubles = judged, arrived, troubles
        self._waiting: queue.Queue[Taken] = queue.Queue(room)
        self._numbers = itertools.count(1)
        self._on_the_way: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._take, args=(source,), name=f"source {source.name}", daemon=True)
            for source in sources
        ]

    @property
    def length(self) -> int:
        """Photographs that wait."""
        return self._waiting.qsize()

    @property
    def ended(self) -> bool:
        """Whether no source gives anything any more, and nothing waits."""
        return not any(thread.is_alive() for thread in self._threads) and self._waiting.empty()

    def start(self) -> None:
        """Begin to take."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more; what waits still is there for `next`."""
        self._stopped.set()

    def join(self, seconds: float) -> None:
        """Wait for the sources to end, each so many seconds at most."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    def next(self, seconds: float) -> Taken | None:
        """The photograph that has waited longest; None where none comes within so many seconds."""
        try:
            return self._waiting.get(timeout=seconds)
        except queue.Empty:
            return None

    def settled(self, taken: Taken) -> None:
        """A photograph is judged, or cannot be, and the database knows."""
        if taken.arrival.key is not None:
            with self._lock:
                self._on_the_way.discard((taken.source, taken.arrival.key))

    def _take(self, source: Source) -> None:
        pause = 1.0
        what = f"reading from {source.name}"
        while not self._stopped.is_set():
            try:
                for arrival in source.arrivals(self._stopped, partial(self._known, source.name)):
                    self._put(Taken(source.name, arrival, f"{source.name}:{next(self._numbers)}"))
                    self._troubles.end(what)
                    pause = 1.0
                return
            except Exception as error:  # one source never takes the others along
                if not isinstance(error, BlemishError):
                    logger.exception("%s failed unexpectedly.", what)
                said = (
                    str(error) if isinstance(error, BlemishError) else f"it failed ({type(error).__name__})."
                )
                self._troubles.begin(what, f"{said} It is tried again.")
                self._stopped.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _known(self, source: str, key: str) -> bool:
        """Whether a photograph needs no judging; where the database does not answer, its source waits until it does."""
        with self._lock:
            if (source, key) in self._on_the_way:
                return True
        pause = _TURN
        while not self._stopped.is_set():
            try:
                judged = self._judged(source, key)
                if pause > _TURN:
                    self._troubles.end("database")
                return judged
            except DatabaseError as error:
                self._troubles.begin("database", str(error))
                self._stopped.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return True  # it comes again after the next start

    def _put(self, taken: Taken) -> None:
        arrival = taken.arrival
        if arrival.key is not None:
            with self._lock:
                if (taken.source, arrival.key) in self._on_the_way:
                    return
                self._on_the_way.add((taken.source, arrival.key))
        if arrival.answered is not None:
            taken.answer.add_done_callback(arrival.answered)
        self._arrived(taken)
        while True:
            try:
                self._waiting.put(taken, timeout=_TURN)
                return
            except queue.Full:
                if self._stopped.is_set():  # it comes again after the next start, unless it was a camera's
                    taken.answer.cancel()
                    return
