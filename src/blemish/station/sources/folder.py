"""A watched folder, on this machine or on a network share: every photograph that is written into it, once, and whole.

The folder is looked into again and again, for a share tells nobody what others write there. What is looked at each time
is little: the folder's own time says whether names came or went, new names are asked for their size at once, and of the
others some at each look, in turn. So a folder of 100,000 photographs costs no more to watch than one of a few hundred,
until a name comes or goes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from blemish.core.errors import ImageError
from blemish.core.file_names import escaped, shown
from blemish.core.image_files import is_ignored, is_photograph, read_content
from blemish.station.photograph import Photograph
from blemish.station.sources.arrival import Arrival, Known, SourceState, Tally
from blemish.station.sources.listing import Found, WatchedTree
from blemish.station.sources.reconnecting import BackOff
from blemish.station.sources.settings import FolderSource
from blemish.station.sources.wholeness import Wholeness, wholeness

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0  # seconds, where the folder is gone
_SHARE_OF_TIME = 0.25  # of a core, that looking may take
_MOST_REMEMBERED = 4096
_HANGS_AFTER = 10.0  # seconds
_RECENT = 60.0  # seconds that the time of a file is believed to be that of this clock
logger = logging.getLogger("blemish.station")


@dataclass
class _Waiting:
    """A file that is not given yet.

    Attributes:
        found: as it was last seen.
        since: when it was first seen so, `time.monotonic()`.
        due: when it is read next if it stays so.
    """

    found: Found
    since: float
    due: float


class WatchedFolder:
    """A source of the photographs in a folder."""

    def __init__(self, settings: FolderSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._folder = settings.path.absolute()
        self._aside = settings.aside and settings.aside.absolute()
        self._tally = Tally(settings.name)
        self._waiting: dict[str, _Waiting] = {}
        self._looking_since: float | None = None
        self._given_lately: dict[
            str, bytes
        ] = {}  # digests by name: programs that copy set a file's time at the end

    def state(self) -> SourceState:
        """How it fares now; a share that hangs lets the thread hang that asks it, and is told from here."""
        state, since = self._tally.state(), self._looking_since
        if since is None or (silent := time.monotonic() - since) < _HANGS_AFTER:
            return state
        sentence = (
            f"{shown(self._folder)} has not answered for {silent:.0f} s: check its server and the network."
        )
        return replace(state, connected=False, trouble=sentence)

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Whole photographs, the older first; the key of one is its relative name, size and time."""
        tree = WatchedTree(self._folder, self._settings.subfolders, self._passed_over)
        back_off = BackOff(_FIRST_WAIT, _LONGEST_WAIT)
        begun = False
        while not stop.is_set():
            started, busy = time.monotonic(), time.thread_time()
            self._looking_since = started
            try:
                news = tree.news()
            except OSError as error:
                self._looking_since = None
                self._tally.failed(self._gone(error))
                stop.wait(back_off.next())
                continue
            self._looking_since = None
            back_off.succeeded()
            looked = time.thread_time() - busy
            if not self._tally.state().connected:
                self._tally.connected()
            if begun or self._settings.existing:
                self._note(news, started)
            begun = True
            yield from self._ready(stop, known)
            stop.wait(max(self._settings.interval, looked * (1 / _SHARE_OF_TIME - 1)))

    def _note(self, news: list[Found], now: float) -> None:
        for found in news:
            self._waiting[found.name] = _Waiting(found, now, now)

    def _ready(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """What of the waiting files is whole, in the order of their times."""
        for name in sorted(self._waiting, key=lambda name: (self._waiting[name].found.modified, name)):
            if stop.is_set():
                return
            waiting = self._waiting[name]
            if waiting.due > waiting.since and not self._is_due(waiting):
                continue
            if known(key := waiting.found.key):
                del self._waiting[name]
            elif (arrival := self._tried(waiting, key)) is not None:
                yield arrival

    def _is_due(self, waiting: _Waiting) -> bool:
        """Whether a file that was not whole has been left alone long enough to be read again."""
        try:
            found = self._as_it_is(waiting.found.name)
        except OSError:
            del self._waiting[waiting.found.name]
            return False
        if found != waiting.found:
            self._changed(waiting, found)
        return time.monotonic() >= waiting.due

    def _changed(self, waiting: _Waiting, found: Found) -> None:
        """Somebody writes the file: it is read when it has stayed the same from one look to the next."""
        now = time.monotonic()
        waiting.found, waiting.since, waiting.due = found, now, now + self._settings.interval

    def _as_it_is(self, name: str) -> Found:
        status = (self._folder / name).stat()
        return Found(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def _tried(self, waiting: _Waiting, key: str) -> Arrival | None:
        """The photograph if it is whole; else it waits on, or is given up."""
        settings, name = self._settings, waiting.found.name
        path = self._folder / name
        alone = time.monotonic() - waiting.since
        try:
            if not is_photograph(path):  # it is looked at again if somebody writes it
                del self._waiting[name]
                return None
            content = read_content(path, settings.max_bytes)
            found = self._as_it_is(name)
        except ImageError as error:
            self._unreadable(waiting, error, alone)
            return None
        except OSError:
            del self._waiting[name]  # gone meanwhile
            return None
        if found[:3] != waiting.found[:3] or len(content) != found.size:
            self._changed(waiting, found)
            return None
        state, problem = wholeness(content, shown(path))
        if state is Wholeness.WHOLE or (state is Wholeness.UNTOLD and alone >= settings.settle_seconds):
            del self._waiting[name]
            return self._given(waiting, key, path, content)
        if state is Wholeness.UNTOLD:
            waiting.due = waiting.since + settings.settle_seconds
        elif alone >= settings.patience_seconds:
            self._give_up(name, problem or "it is not whole; write it again.")
        else:
            waiting.due = waiting.since + settings.patience_seconds
        return None

    def _given(self, waiting: _Waiting, key: str, path: Path, content: bytes) -> Arrival | None:
        """The arrival of a whole photograph; None where only the time of one that was given has been set."""
        name, digest = waiting.found.name, hashlib.sha256(content).digest()
        if self._given_lately.get(name) == digest:
            return None
        self._given_lately[name] = digest
        while len(self._given_lately) > _MOST_REMEMBERED:
            del self._given_lately[next(iter(self._given_lately))]
        self._tally.connected()
        self._tally.gave()
        photograph = Photograph(content, escaped(name), self._settings.metadata.of_part())
        return Arrival(photograph, key, path, _closed(waiting.found, waiting.since))

    def _unreadable(self, waiting: _Waiting, error: ImageError, alone: float) -> None:
        """A file that cannot be opened, is empty or too large: the first two may change."""
        if error.kind == "missing":
            del self._waiting[waiting.found.name]
            return
        waiting.due = waiting.since + self._settings.patience_seconds
        if error.kind == "too-large" or alone >= self._settings.patience_seconds:
            self._give_up(waiting.found.name, error.detail)

    def _give_up(self, name: str, problem: str) -> None:
        """Never try a file again as it is."""
        del self._waiting[name]
        path = self._folder / name
        sentence = f"{shown(path)} was not judged: {problem}"
        self._tally.refused(sentence)
        logger.warning("%s: %s", self.name, sentence)
        if self._aside is None:
            return
        try:
            self._aside.mkdir(parents=True, exist_ok=True)
            shutil.move(path, _free(self._aside / path.name))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            logger.warning("%s cannot be moved into %s (%s).", shown(path), shown(self._aside), reason)

    def _passed_over(self, name: str) -> bool:
        """Whether a name below the folder is to be left out."""
        if self._aside is None and not self._settings.ignore:
            return False
        path = self._folder / name
        if self._aside is not None and path.is_relative_to(self._aside):
            return True
        return is_ignored(path, self._folder, self._settings.ignore)

    def _gone(self, error: OSError) -> str:
        reason = (error.strerror or str(error)).lower()
        return f"{shown(self._folder)} cannot be looked into ({reason}): it is tried again by itself."


def _closed(found: Found, seen: float) -> float:
    """When a file was finished, `time.monotonic()`: by its own times if they are of this clock, or when it was seen."""
    now, wall = time.monotonic(), time.time_ns()
    age = (wall - max(found.modified, found.changed)) / 1e9
    return now - age if 0 <= age < _RECENT and now - age <= seen else seen


def _free(path: Path) -> Path:
    """The path, or the same with a number where something is there already."""
    number = 1
    free = path
    while os.path.lexists(free):
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free
