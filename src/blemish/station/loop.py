"""The station's loop: photographs of all sources are judged, logged, and told, each once.

A photograph that a source gave is judged by the inspection queue. In one transaction its record, that it was taken,
and what is to be told come to the database; only then gate, sinks and senders hear of the verdict. What cannot be
logged now waits and is tried again, and so do the sources behind it: nothing is lost and nothing is judged twice,
whenever the process ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DataError, IntegrityError

from blemish.core.errors import ArtifactError, BlemishError, DatabaseError, OverloadedError
from blemish.core.types import Verdict
from blemish.station.inspection_queue import InspectionQueue, Judged, Refused
from blemish.station.intake import Intake, Taken
from blemish.station.metadata.reader import MetadataReader
from blemish.station.records import InspectionRecord
from blemish.station.shelf import InspectorVersion
from blemish.station.signals.backoff import Backoff
from blemish.station.station_counts import StationCounts
from blemish.station.taken_photographs import StationTask, TakenPhotographs
from blemish.station.troubles import Troubles

_TURN = 0.2
_TRIES = 3
_SET_BY = 8  # photographs that wait for their next try while others are tried at all
_MOVES_SECONDS = 60.0

logger = logging.getLogger("blemish.station")


@dataclass(frozen=True)
class Told:
    """Who hears of a committed verdict at once; what they do must not take time.

    Attributes:
        gate: is told the id of the arrival and its verdict; None of what cannot be judged.
        signals: something lies in the outbox.
        logged: the photograph and its record.
    """

    gate: Callable[[str, Verdict | None], None]
    signals: Callable[[], None]
    logged: Callable[[Taken, InspectionRecord], None]


class Loop:
    """Moves photographs from the intake through the queue.

    Args:
        intake, queue: where they come from and go to.
        photographs: what the database knows of them; the queue calls it within its commits.
        by: who the records say has judged.
        metadata: what is read off names, codes and messages; None for what the sources say alone.
        counts, troubles: what is told of the station.
        told: who hears of verdicts.

    Attributes:
        version: which judges; set before the start, and anew at any time.
    """

    version: InspectorVersion

    def __init__(
        self,
        intake: Intake,
        queue: InspectionQueue,
        photographs: TakenPhotographs,
        by: str,
        metadata: MetadataReader | None,
        counts: StationCounts,
        troubles: Troubles,
        told: Told,
    ) -> None:
        self._intake, self._queue, self._photographs = intake, queue, photographs
        self._by, self._metadata = by, metadata
        self._counts, self._troubles, self._told = counts, troubles, told
        self._again: deque[Taken] = deque()  # could not be judged or logged, and will be tried again
        self._refused: deque[tuple[Taken, Refused]] = deque()  # which the database has still to know
        self._backoff, self._pause_until = Backoff(0.5, 30.0), 0.0
        self._beat = self._answered_at = time.monotonic()
        self._stopping, self._gives_up_at = threading.Event(), float("inf")
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begin; `version` must be set."""
        self._beat = time.monotonic()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Finish what the intake has taken within so many seconds, and end; the intake must have been stopped."""
        self._gives_up_at = time.monotonic() + seconds
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds + 1)
        self._queue.stop(max(0.1, self._gives_up_at - time.monotonic()))
        try:
            self._write_refused()
        except DatabaseError as error:
            logger.warning("%s", error)
        left = len(self._again) + self._intake.length
        if left:
            logger.warning(
                "%d photographs were not judged in time: those of folders are when the station runs again.",
                left,
            )

    @property
    def waiting(self) -> int:
        """Photographs that were taken and have no verdict."""
        return self._intake.length + self._queue.length + len(self._again)

    @property
    def idle(self) -> bool:
        """Whether all that came is settled."""
        return not (self.waiting or self._refused)

    @property
    def moves(self) -> bool:
        """Whether it goes round, and what is in the queue comes out of it: with a verdict or with an error."""
        since = time.monotonic() - _MOVES_SECONDS
        return self._beat > since and (not self._queue.length or self._answered_at > since)

    def _run(self) -> None:
        while not self._is_over():
            self._beat = time.monotonic()
            try:
                self._step()
            except DatabaseError as error:
                self._hold("database", str(error))
            except Exception:
                logger.exception("The loop failed unexpectedly; it goes on.")
                self._stopping.wait(1.0)

    def _is_over(self) -> bool:
        if not self._stopping.is_set():
            return False
        return self.idle or time.monotonic() > self._gives_up_at

    def _step(self) -> None:
        """Bring one photograph on its way, or wait a little for one."""
        if self._pause_until > time.monotonic():
            time.sleep(min(_TURN, max(0.0, self._pause_until - time.monotonic())))
            return
        self._write_refused()
        taken = self._next()
        if taken is None:
            return
        if not self._queue.wait_for_room(len(taken.arrival.photograph.content), _TURN):
            self._again.appendleft(taken)
            return
        # Something was wrong, and nothing has shown yet that it is well again; or it was with this one.
        alone = self._pause_until > 0 or taken.suspected
        if alone and not self._wait_until_empty():
            self._again.appendleft(taken)
            return
        task = self._task(taken)
        task.answer.add_done_callback(lambda answer: self._answered(taken, answer))
        self._queue.submit([task])
        if alone:
            self._wait_for(task.answer)

    def _wait_until_empty(self) -> bool:
        """Whether the queue has come to an end of what is in it: at once, or within a moment."""
        until = time.monotonic() + _TURN
        while self._queue.length and time.monotonic() < until:
            time.sleep(0.005)
        return not self._queue.length

    def _wait_for(self, answer: Future[Judged | Refused]) -> None:
        done = threading.Event()
        answer.add_done_callback(lambda _: done.set())
        while not done.wait(_TURN) and not (self._stopping.is_set() and time.monotonic() > self._gives_up_at):
            self._beat = time.monotonic()

    def _next(self) -> Taken | None:
        stuck = bool(self._again) and self._again[0].tries >= _TRIES and len(self._again) < _SET_BY
        if stuck and (other := self._intake.next(0.001)) is not None:
            return other
        if self._again:
            return self._again.popleft()
        return self._intake.next(_TURN)

    def _task(self, taken: Taken) -> StationTask:
        photograph = taken.arrival.photograph
        if self._metadata is not None:
            age = timedelta(seconds=max(0.0, time.monotonic() - taken.arrival.closed))
            known = self._metadata.read(photograph, datetime.now(UTC).astimezone() - age)
            photograph = replace(photograph, metadata=known)
        return StationTask(
            photograph=photograph,
            version=self.version,
            by=self._by,
            wants_image=False,
            key=taken.arrival.key,
            taken=taken,
        )

    def _answered(self, taken: Taken, answer: Future[Judged | Refused]) -> None:
        """Called by the queue's threads."""
        self._answered_at = time.monotonic()
        error = answer.exception()
        if error is not None:
            self._failed(taken, error)
            return
        found = answer.result()
        if isinstance(found, Refused):
            self._refused.append((taken, found))
            return
        self._counts.logged(taken, found.record)
        self._intake.settled(taken)
        self._told.gate(taken.id, found.record.verdict)
        self._told.signals()
        self._well()
        if not taken.answer.done():
            taken.answer.set_result(found)
        self._told.logged(taken, found.record)

    def _failed(self, taken: Taken, error: BaseException) -> None:
        """Try it again later; what fails for itself alone, while others are judged, cannot be judged."""
        if self._is_double(taken, error):
            return
        if isinstance(error, DatabaseError) and not isinstance(error.__cause__, IntegrityError | DataError):
            self._again.append(taken)
            self._hold("database", str(error), say=False)  # the queue has said it
            return
        if isinstance(error, OverloadedError):
            self._again.append(taken)
            return
        total = self._counts.total
        if taken.suspected:  # so it was alone
            taken.tries += 1
        else:
            taken.suspected, taken.committed_before = True, total
        said = str(error) if isinstance(error, BlemishError) else f"judging fails ({type(error).__name__})."
        if taken.tries >= _TRIES and total > taken.committed_before and not isinstance(error, ArtifactError):
            name = taken.arrival.photograph.file_name
            self._refused.append(
                (taken, Refused(name, "failed", f"it was tried {taken.tries} times: {said}"))
            )
            self._well()
            return
        self._again.append(taken)
        self._hold("inspector", said)

    def _is_double(self, taken: Taken, error: BaseException) -> bool:
        """Whether a photograph was refused by the database because it is there already."""
        key = taken.arrival.key
        if key is None or not isinstance(error.__cause__, IntegrityError):
            return False
        try:
            if not self._photographs.knows(taken.source, key):
                return False
        except DatabaseError:
            return False
        self._intake.settled(taken)
        return True

    def _write_refused(self) -> None:
        """Let the database know what cannot be judged, and say it once.

        Raises:
            DatabaseError: it does not know; it is tried again.
        """
        while self._refused:
            taken, refused = self._refused[0]
            self._photographs.cannot_be_judged(taken)
            if self._pause_until:
                self._well()
            self._refused.popleft()
            self._intake.settled(taken)
            self._counts.refusal(refused.file_name, refused.detail)
            logger.warning("%a cannot be judged: %s", refused.file_name, refused.detail)
            self._told.gate(taken.id, None)
            if not taken.answer.done():
                taken.answer.set_result(refused)

    def _hold(self, what: str, sentence: str, say: bool = True) -> None:
        """Something is wrong that is not the photographs': wait before the next try."""
        self._pause_until = time.monotonic() + self._backoff.next()
        self._troubles.begin(what, f"{sentence} Photographs wait until it is well again.", say)

    def _well(self) -> None:
        if self._pause_until:
            self._pause_until = 0.0
            self._backoff.reset()
        self._troubles.end("database")
        self._troubles.end("inspector")
