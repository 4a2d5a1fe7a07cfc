"""Rejected parts on their way into the gallery, while no photograph waits to be judged."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from blemish.core.errors import BlemishError
from blemish.core.types import FloatArray
from blemish.gallery.defect import Defect, Neighbour
from blemish.gallery.embedding import AnomalyEmbedder
from blemish.gallery.gallery import Gallery
from blemish.gallery.proposal import Proposal, propose
from blemish.server.judgement import Judgement
from blemish.station.records import InspectionRecord

_MOST_WAITING = 1000
_MOST_REMEMBERED = 10_000
_PAUSE_SECONDS = 0.05
_CALM_SECONDS = 0.5
_REST = 9.0
"""Rest after each part, in times of the work on it, while photographs come: the line keeps nine tenths of the time."""

logger = logging.getLogger("blemish.server")


class PastDefects:
    """The gallery as a server uses it.

    Args:
        gallery: where defects are stored.
        judge: judges a record's photograph again, with an inspector that nobody else uses; raises `BlemishError`
            where it is not kept.
        is_idle: whether no photograph waits to be judged.
    """

    def __init__(
        self,
        gallery: Gallery,
        judge: Callable[[InspectionRecord], Judgement],
        is_idle: Callable[[], bool],
    ) -> None:
        self.gallery = gallery
        self._judge, self._is_idle = judge, is_idle
        self._waiting: deque[InspectionRecord] = deque(maxlen=_MOST_WAITING)
        self._entered: dict[tuple[str, str], None] = {}  # the latest: the same photograph again costs nothing
        self._said: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="gallery", daemon=True)

    @property
    def waiting(self) -> int:
        """Rejected parts that have not entered the gallery yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Start taking parts in."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is dropped, `blemish gallery index` can add it."""
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(30)
        self.gallery.close()

    def take(self, record: InspectionRecord) -> None:
        """Let a rejected or labelled part enter the gallery soon; its photograph must be kept."""
        if record.image_suffix is not None and record.gives_map:
            self._waiting.append(record)
            self._wake.set()

    def similar(
        self,
        judgement: Judgement,
        top: int,
        category: str | None,
        defect_type: str | None,
        since: datetime | None,
        exclude_digest: str | None,
    ) -> tuple[Sequence[Neighbour], Proposal]:
        """The most similar past defects, nearest first, and the defect type that they propose."""
        with self._lock:
            vector, space = _vector(judgement)
        neighbours = self.gallery.similar(
            vector, space, top=top, category=category, defect_type=defect_type, since=since,
            exclude_digest=exclude_digest,
        )  # fmt: skip
        return neighbours, propose(neighbours)

    def set_defect_type(self, record: InspectionRecord, truth: str, defect_type: str | None) -> None:
        """Carry a person's word into the gallery: a good part leaves it, a bad one is there with its type."""
        if truth == "good":
            self.gallery.remove(record.image_digest)
            self._entered.pop((record.inspector, record.image_digest), None)
            return
        self.gallery.set_defect_type(record.image_digest, defect_type)
        self.take(record)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._ended.is_set():
                if not self._is_idle():
                    self._ended.wait(_PAUSE_SECONDS)
                    continue
                record = self._waiting.popleft()
                started = time.monotonic()
                try:
                    self._add(record)
                except Exception as error:  # judging goes on without the gallery
                    self._say(record, str(error))
                self._rest(_REST * (time.monotonic() - started))

    def _rest(self, seconds: float) -> None:
        """Leave the cores to the line; not as long if no photograph comes."""
        busy = time.monotonic()
        end = busy + seconds
        while (now := time.monotonic()) < end and not self._ended.wait(_PAUSE_SECONDS):
            if not self._is_idle():
                busy = now
            elif now - busy > _CALM_SECONDS:
                return

    def _say(self, record: InspectionRecord, sentence: str) -> None:
        """Say why a part did not enter the gallery, once for each version of an inspector."""
        if (record.inspector, record.version) not in self._said:
            self._said.add((record.inspector, record.version))
            logger.warning("Inspection %d did not enter the gallery: %s", record.id, sentence)

    def _add(self, record: InspectionRecord) -> None:
        key = record.inspector, record.image_digest
        if key in self._entered:
            return
        judgement = self._judge(record)
        vector, space = _vector(judgement)
        defect = Defect(
            category=judgement.version.category,
            defect_type=record.defect_type,
            time=record.time,
            inspector=record.inspector,
            image_digest=record.image_digest,
            inspection_id=record.id,
            name=record.file_name,
        )
        self.gallery.add(vector, space, defect)
        self._entered[key] = None
        if len(self._entered) > _MOST_REMEMBERED:
            self._entered.pop(next(iter(self._entered)))


def open_past_defects(
    location: Path | str, judge: Callable[[InspectionRecord], Judgement], is_idle: Callable[[], bool]
) -> tuple[PastDefects | None, str | None]:
    """The gallery in a folder or at a URL, or why there is none: inspecting goes on without it."""
    text = str(location)
    try:
        gallery = Gallery(text if text.startswith("http") else Path(text))
    except ModuleNotFoundError as error:
        return None, f"There is no gallery: {error.name} is not installed."
    except BlemishError as error:
        logger.warning("There is no gallery: %s", error)
        return None, str(error)
    return PastDefects(gallery, judge, is_idle), None


def _vector(judgement: Judgement) -> tuple[FloatArray, str]:
    embedder = AnomalyEmbedder(judgement.inspector)
    return embedder.vector_of(judgement.image, judgement.inspection), embedder.space
