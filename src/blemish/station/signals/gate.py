"""The reject gate: for each part a verdict by a deadline, or the safe state.

The gate rests in its safe state, opens only for a verdict that lets a part pass and comes in time, and goes back to the
safe state when a verdict is late, when no part comes for a while, when the station stops, and, by a heartbeat or a last
will at the other end, when the station dies. What is written goes through one thread, so that nobody who judges waits
for it.
"""

from __future__ import annotations

import heapq
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blemish.core.types import Verdict
from blemish.station.signals.backoff import Backoff
from blemish.station.signals.settings import GateBase, Position
from blemish.station.signals.sink import SinkError

_LATENCIES = 10_000
logger = logging.getLogger("blemish.station")


class GateOutput(Protocol):
    """What moves a gate; all its methods are called by one thread and raise SinkError where it cannot be reached."""

    def open(self, safe: Position) -> None:
        """Connect; where the other end can, it goes to `safe` by itself when the connection breaks."""

    def move(self, position: Position, arrival_id: str | None) -> None:
        """Move the gate, and return once the other end has acknowledged; `arrival_id` is of the part it is for."""

    def beat(self) -> None:
        """Show that the station lives."""

    def close(self) -> None:
        """Disconnect."""


@dataclass(frozen=True)
class GateState:
    """How a gate does.

    Attributes:
        position: where it stands; None where nobody knows.
        trouble: what is wrong, in one sentence; None where nothing is.
        armed: parts that wait for a verdict.
        in_time, late: parts whose verdict came by the deadline, and after it.
        missed: parts for which the safe state was set for want of a verdict; those whose verdict came late are among
            them.
        failed: movements that the output did not take.
        percentiles: milliseconds from the photograph to the acknowledged movement, by "p50", "p95", "p99" and "max",
            over the latest 10,000 verdicts in time; empty where there are none.
    """

    position: Position | None
    trouble: str | None
    armed: int
    in_time: int
    late: int
    missed: int
    failed: int
    percentiles: dict[str, float]


class Gate(Protocol):
    """A gate, as the loop sees it; nothing here waits for the output."""

    def start(self) -> None:
        """Connect, and set the safe state."""

    def arm(self, arrival_id: str, closed: float) -> None:
        """A part has arrived whose photograph was complete at `closed`, by `time.monotonic()`."""

    def tell(self, arrival_id: str, verdict: Verdict | None) -> None:
        """Its verdict is committed; None for a photograph that cannot be judged."""

    def state(self) -> GateState:
        """How the gate does."""

    def stop(self, seconds: float) -> None:
        """Set the safe state, and end."""


@dataclass
class _Part:
    """A part between camera and gate; `position` is None until its verdict is known."""

    deadline: float
    closed: float
    position: Position | None = None


class RejectGate:
    """The gate.

    Args:
        settings: deadline, safe state and what verdicts mean.
        output: what moves it.
    """

    def __init__(self, settings: GateBase, output: GateOutput) -> None:
        self._settings, self._output = settings, output
        self._changed = threading.Condition()
        self._parts: dict[str, _Part] = {}
        self._deadlines: list[tuple[float, str]] = []  # a heap
        self._movements: deque[tuple[Position, str, float | None]] = deque()
        self._missed_ids: deque[str] = deque(maxlen=_LATENCIES)
        self._missed_set: set[str] = set()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._in_time = self._late = self._missed = self._failed = 0
        self._position: Position | None = None
        self._trouble: str | None = None
        self._stopping = False
        self._backoff = Backoff(0.1, 2.0)
        self._opened, self._open_at, self._beat_at = False, 0.0, 0.0
        self._close_at = math.inf  # when a gate that stands open goes back to its safe state
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)

    def start(self) -> None:
        """Begin, in the safe state."""
        self._thread.start()

    def arm(self, arrival_id: str, closed: float) -> None:
        """Expect the verdict of a part."""
        deadline = closed + self._settings.deadline_ms / 1e3
        with self._changed:
            self._parts[arrival_id] = _Part(deadline, closed)
            heapq.heappush(self._deadlines, (deadline, arrival_id))
            self._changed.notify()

    def tell(self, arrival_id: str, verdict: Verdict | None) -> None:
        """Take a verdict, unless it is too late."""
        now = time.monotonic()
        with self._changed:
            part = self._parts.get(arrival_id)
            if part is None:
                if arrival_id in self._missed_set:
                    self._missed_set.discard(arrival_id)
                    self._late += 1
                return
            if now >= part.deadline:
                self._miss(arrival_id, part)
                self._missed_set.discard(arrival_id)
                self._late += 1
            else:
                part.position = self._settings.position(verdict)
                if self._settings.act == "at-once":
                    self._in_time += 1
                    self._movements.append((part.position, arrival_id, part.closed))
                    del self._parts[arrival_id]
            self._changed.notify()

    def state(self) -> GateState:
        """How the gate does."""
        with self._changed:
            latencies = sorted(self._latencies)
            return GateState(
                self._position,
                self._trouble,
                len(self._parts),
                self._in_time,
                self._late,
                self._missed,
                self._failed,
                _percentiles(latencies),
            )

    def stop(self, seconds: float) -> None:
        """Set the safe state, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._is_due():
                    self._changed.wait(
                        self._pause()
                    )  # again after every notice: a deadline may be nearer now
                if self._stopping:
                    break
                self._pass_deadlines(time.monotonic())
                movements = list(self._movements)
                self._movements.clear()
            self._connect()
            self._move_all(movements)
            if time.monotonic() >= self._close_at:
                self._move(self._settings.safe, None)
            self._beat()
        self._move(self._settings.safe, None)
        self._output.close()

    def _is_due(self) -> bool:
        return bool(self._stopping or self._movements or self._pause() <= 0)

    def _pause(self) -> float:
        """Seconds until the next deadline or beat, the end of standing open, or the next try to connect."""
        next_one = min(self._beat_at, self._close_at) if self._opened else self._open_at
        while self._deadlines and self._deadlines[0][1] not in self._parts:
            heapq.heappop(self._deadlines)  # its verdict has come
        if self._deadlines:
            next_one = min(next_one, self._deadlines[0][0])
        return max(0.0, next_one - time.monotonic())

    def _pass_deadlines(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            _, arrival_id = heapq.heappop(self._deadlines)
            part = self._parts.get(arrival_id)
            if part is None:
                continue
            if part.position is None:
                self._miss(arrival_id, part)
            else:
                self._in_time += 1
                self._movements.append((part.position, arrival_id, part.closed))
                del self._parts[arrival_id]

    def _miss(self, arrival_id: str, part: _Part) -> None:
        """The safe state for a part without a verdict in time; which it was is remembered to count late verdicts."""
        self._missed += 1
        self._movements.append((self._settings.safe, arrival_id, None))
        if len(self._missed_ids) == self._missed_ids.maxlen:
            self._missed_set.discard(self._missed_ids[0])
        self._missed_ids.append(arrival_id)
        self._missed_set.add(arrival_id)
        del self._parts[arrival_id]

    def _move_all(self, movements: Sequence[tuple[Position, str, float | None]]) -> None:
        for position, arrival_id, closed in movements:
            if self._move(position, arrival_id) and closed is not None:
                with self._changed:
                    self._latencies.append(1e3 * (time.monotonic() - closed))

    def _move(self, position: Position, arrival_id: str | None) -> bool:
        """Move the gate; whether the output has taken it."""
        if not self._opened:
            self._failed += arrival_id is not None
            return False
        try:
            self._output.move(position, arrival_id)
        except SinkError as error:
            self._lost(error)
            self._failed += 1
            return False
        self._position = position
        stays_open = position == "pass" and self._settings.open_ms
        self._close_at = time.monotonic() + self._settings.open_ms / 1e3 if stays_open else math.inf
        return True

    def _connect(self) -> None:
        """Connect if it is time to, and begin in the safe state: nobody knows what happened meanwhile."""
        if self._opened or time.monotonic() < self._open_at:
            return
        try:
            self._output.open(self._settings.safe)
            self._output.move(self._settings.safe, None)
        except SinkError as error:
            self._lost(error)
            return
        if self._trouble is not None:
            logger.info("The reject gate can be reached again.")
        self._position, self._trouble, self._opened = self._settings.safe, None, True
        self._beat_at = 0.0
        self._backoff.reset()

    def _beat(self) -> None:
        if not self._opened or time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + self._settings.heartbeat_seconds
        try:
            self._output.beat()
        except SinkError as error:
            self._lost(error)

    def _lost(self, error: SinkError) -> None:
        sentence = f"The reject gate cannot be moved: {error}"
        if sentence != self._trouble:
            logger.error("%s", sentence)
        self._trouble, self._position, self._opened = sentence, None, False
        self._close_at = math.inf  # it is made safe when it can be reached again
        self._output.close()
        self._open_at = time.monotonic() + self._backoff.next()


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """Percentiles of sorted values, each one that was measured."""
    if not latencies:
        return {}
    last = len(latencies) - 1
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(latencies[round(share * last)], 3) for name, share in shares.items()}
