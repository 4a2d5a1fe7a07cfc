"""Judges beside the line: what the active version has judged and logged, by a version that may take over later.

One spare thread with networks of its own takes photographs from a bounded queue, only while none waits for the active
version. What finds no room is passed over, and the report counts it: the line is never held up.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from blemish.core.errors import ArtifactError, BlemishError, DatabaseError, NotFoundError
from blemish.core.execution import AS_KEPT, Execution
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.core.images import DecodeLimits
from blemish.core.types import Verdict
from blemish.station.compiled import CompiledInspectors
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord
from blemish.station.shadow_report import Ending, Shadow
from blemish.station.shadows import Shadows, ShadowVerdict
from blemish.station.shelf import InspectorShelf

_MOST_WAITING = 64
_MOST_BYTES = 128 * 2**20
_LOOK_SECONDS = 1.0
"""How often it is looked for what was begun or stopped, perhaps by another process; and verdicts are kept."""

_PAUSE_SECONDS = 0.005
logger = logging.getLogger("blemish.station")

Offered = tuple[Photograph, InspectionRecord]


class ShadowJudge:
    """The thread of one process that judges: `offer` it each photograph once its record is committed.

    Args:
        shadows, shelf: what judges beside, and by which files.
        limits: of the photographs.
        is_idle: whether no photograph waits for the active version.
        activate: lets a version judge, by whom; raises `BlemishError` where that is not possible.
        keep_photograph: called with content, suffix, the verdict beside and the record of a part of which both say
            something else, so that a person may look at it.
        execution: device and precision of the line.
    """

    def __init__(
        self,
        shadows: Shadows,
        shelf: InspectorShelf,
        limits: DecodeLimits,
        is_idle: Callable[[], bool],
        activate: Callable[[str, int, str], object],
        keep_photograph: Callable[[bytes, str, Verdict, InspectionRecord], None] = lambda *_: None,
        execution: Execution = AS_KEPT,
    ) -> None:
        self._shadows, self._shelf, self._limits = shadows, shelf, limits
        self._is_idle, self._activate, self._keep_photograph = is_idle, activate, keep_photograph
        self._running: dict[str, Shadow] = {}
        self._said: dict[int, list[ShadowVerdict]] = {}
        self._waiting: deque[Offered] = deque()
        self._bytes = 0
        self._lock, self._wake, self._stopped = threading.Lock(), threading.Event(), threading.Event()
        self._execution = replace(execution, threads=1)
        self._networks = CompiledInspectors(self._execution)
        self._warned: set[int] = set()
        self._look_at, self._asked = -math.inf, False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    @property
    def waiting(self) -> int:
        """Photographs that wait to be judged beside the line."""
        return len(self._waiting)

    @property
    def inspectors(self) -> frozenset[str]:
        """Names of those beside whose active versions another one judges at present."""
        return frozenset(self._running)

    def start(self) -> None:
        """Start judging; what an earlier process has left unfinished goes on."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Keep what was judged, and end; what waits is passed over."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def look_again(self) -> None:
        """Say that something was begun, stopped or activated."""
        self._asked = True
        self._wake.set()

    def offer(self, photograph: Photograph, record: InspectionRecord) -> bool:
        """Take a photograph that was judged and logged, and return at once; whether it is judged beside, too.

        Repeats of a file are not: they say nothing new.
        """
        shadow = self._running.get(record.inspector)
        if shadow is None or record.version != shadow.beside or record.repeat_of is not None:
            return False
        size = len(photograph.content)
        with self._lock:
            full = len(self._waiting) >= _MOST_WAITING or self._bytes + size > _MOST_BYTES
            if record.id <= shadow.begun_after or (self._waiting and full):
                return False
            self._waiting.append((photograph, record))
            self._bytes += size
        self._wake.set()
        return True

    def _run(self) -> None:
        in_trouble = False
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                if self._asked or time.monotonic() >= self._look_at:
                    self._asked, self._look_at = False, time.monotonic() + _LOOK_SECONDS
                    self._keep()
                    self._look()
                    in_trouble = False
                if self._waiting and self._running:
                    self._judge_next()
                else:
                    self._forget()
                    self._wake.wait(max(0.0, self._look_at - time.monotonic()))
            except DatabaseError as error:  # what was judged is kept once it answers again
                if not in_trouble:
                    logger.warning("What is judged beside the line cannot be kept at present: %s", error)
                in_trouble = True
                self._stopped.wait(_LOOK_SECONDS)
            except Exception:
                logger.exception("Judging beside the line failed; it goes on with the next part.")
                self._stopped.wait(_LOOK_SECONDS)
        with suppress(DatabaseError):
            self._keep()

    def _judge_next(self) -> None:
        """Judge the photograph that has waited longest, once the line has time to spare."""
        while not self._is_idle():
            if self._stopped.wait(_PAUSE_SECONDS) or time.monotonic() >= self._look_at:
                return
        with self._lock:
            photograph, record = self._waiting.popleft()
            self._bytes -= len(photograph.content)
        shadow = self._running.get(record.inspector)
        if shadow is None or record.version != shadow.beside:
            return
        try:
            inspector = self._networks.get(self._shelf.get(shadow.name, shadow.version))
            opened = inspector.open_photograph(photograph.content, photograph.file_name, self._limits)
            found = inspector.inspect_photograph(opened, photograph.file_name)
        except (ArtifactError, NotFoundError) as error:
            self._end(shadow, Ending.FAILED, str(error))
            return
        except BlemishError as error:
            if shadow.id not in self._warned:
                self._warned.add(shadow.id)
                logger.warning("Inspection %d is not judged by %s beside: %s", record.id, shadow.title, error)
            return
        said = ShadowVerdict(record.id, found.score, found.threshold, found.verdict)
        self._said.setdefault(shadow.id, []).append(said)
        if said.verdict is not record.verdict:
            suffix = FORMAT_SUFFIXES[image_format(photograph.content) or "PNG"][0]
            self._keep_photograph(photograph.content, suffix, said.verdict, record)

    def _keep(self) -> None:
        """Keep what was judged, and end what has judged all that it was to."""
        for shadow in list(self._running.values()):
            if said := self._said.get(shadow.id):
                self._shadows.keep(shadow, said)
                del self._said[shadow.id]
                self._end_if_ready(shadow)

    def _look(self) -> None:
        """See what judges beside at present; what an activation by somebody has ended, ends."""
        before = {one.id for one in self._running.values()}
        self._running = {one.name: one for one in self._shadows.running()}
        for shadow in list(self._running.values()):
            active = self._shelf.active(shadow.name).version
            if active == shadow.version:
                few = self._shadows.report(shadow).few_enough
                self._end(shadow, Ending.TAKEN_OVER if few else Ending.ACTIVATED)
            elif active != shadow.beside:
                self._end(shadow, Ending.OVERTAKEN)
            elif shadow.id not in before:
                logger.info("%s", self._shadows.report(shadow).message)
                self._end_if_ready(shadow)  # an earlier process may have come so far

    def _end_if_ready(self, shadow: Shadow) -> None:
        if self._shadows.count(shadow) < shadow.parts:
            return
        report = self._shadows.report(shadow)
        if not report.ready:  # some of them are void
            return
        if not report.few_enough:
            self._end(shadow, Ending.COMPLETE)
            return
        if self._shelf.active(shadow.name).version != shadow.beside:
            return  # somebody was faster, which `_look` sees
        try:
            # First this: whoever starts again after an end in between finds it active, and ends what judged beside.
            self._activate(shadow.name, shadow.version, shadow.by)
        except DatabaseError:
            raise
        except BlemishError as error:
            self._end(shadow, Ending.FAILED, str(error))
        else:
            self._end(shadow, Ending.TAKEN_OVER)

    def _end(self, shadow: Shadow, outcome: Ending, trouble: str | None = None) -> None:
        """End it, and say so in the log."""
        if said := self._said.pop(shadow.id, None):
            self._shadows.keep(shadow, said)
        self._running.pop(shadow.name, None)
        report = self._shadows.end(shadow, outcome, shadow.by, trouble)
        logger.log(logging.WARNING if trouble else logging.INFO, "%s", report.message)

    def _forget(self) -> None:
        """Leave the memory of networks and photographs where nothing judges beside."""
        if not self._running:
            with self._lock:
                self._waiting.clear()
                self._bytes = 0
            self._networks = CompiledInspectors(self._execution)
