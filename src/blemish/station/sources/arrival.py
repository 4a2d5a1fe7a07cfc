"""A photograph as a source gives it, and what every source is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from blemish.station.photograph import Photograph

if TYPE_CHECKING:
    from blemish.station.inspection_queue import Judged, Refused

Answered = Callable[["Future[Judged | Refused]"], None]
Known = Callable[[str], bool]


@dataclass(frozen=True)
class Arrival:
    """A photograph that has come in.

    Attributes:
        photograph: its bytes, its name, and what is known of the part.
        key: what identifies it at its source, so that a restart judges it once; None for a frame of a camera.
        origin: the file, if it came from one.
        closed: `time.monotonic()` when it was complete: its file closed, its frame triggered.
        answered: where its sender waits for the verdict: to be called with the answer of its task when that is done,
            as `task.answer.add_done_callback(arrival.answered)` does.
    """

    photograph: Photograph
    key: str | None = None
    origin: Path | None = None
    closed: float = field(default_factory=time.monotonic)
    answered: Answered | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SourceState:
    """How a source fares.

    Attributes:
        name: of the source.
        connected: whether photographs can come: the folder is there, the camera delivers.
        trouble: what is wrong, in one sentence; None if nothing is.
        given: photographs given since the start.
        dropped: frames that were due and gave way to newer ones, and triggers that no frame came for.
        refused: what could not be read, was too large or no photograph.
        last: when the latest photograph came, in UTC; None before the first.
    """

    name: str
    connected: bool
    trouble: str | None
    given: int
    dropped: int
    refused: int
    last: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return vars(self) | {"last": self.last and self.last.isoformat()}


class Source(Protocol):
    """Where photographs come from."""

    name: str

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Photographs as they come in; waits for them, and ends within a second of `stop`, or where there are no more.

        Nothing is ever raised: what is wrong stands in `state()` until it is over.

        Args:
            stop: ends it.
            known: whether the photograph of a key was judged before, so that it is not given again.
        """

    def state(self) -> SourceState:
        """How it fares now; from any thread."""


class Tally:
    """What a source counts and says, from several threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._connected, self._trouble = False, None  # type: bool, str | None
        self._given = self._dropped = self._refused = 0
        self._last: datetime | None = None

    def connected(self) -> None:
        """All is well."""
        with self._lock:
            self._connected, self._trouble = True, None

    def failed(self, sentence: str) -> None:
        """Photographs cannot come, for a reason."""
        with self._lock:
            self._connected, self._trouble = False, sentence

    def ended(self) -> None:
        """There are no more, and nothing is wrong."""
        with self._lock:
            self._connected = False

    def gave(self) -> None:
        """A photograph is given."""
        with self._lock:
            self._given += 1
            self._last = datetime.now(UTC)

    def dropped(self, count: int = 1) -> None:
        """So many frames are lost."""
        with self._lock:
            self._dropped += count

    def refused(self, sentence: str) -> None:
        """Something is no photograph; what is wrong is said until the next photograph comes or more is wrong."""
        with self._lock:
            self._refused += 1
            self._trouble = sentence

    def state(self) -> SourceState:
        """All of it."""
        with self._lock:
            return SourceState(
                self._name,
                self._connected,
                self._trouble,
                self._given,
                self._dropped,
                self._refused,
                self._last,
            )
