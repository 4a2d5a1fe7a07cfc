"""Photographs from what delivers frames by itself: read on a thread, the newest kept, opened anew when it is lost.

A camera that is read late hands out old frames, one that hangs may never return. So a thread of its own reads every
frame, asks the trigger, and keeps the newest photograph that nobody has taken yet; whoever comes late finds that one,
and what gave way is counted. A thread that hangs is left behind, and the camera is opened anew by another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from blemish.core.errors import BlemishError
from blemish.station.photograph import PartMetadata, Photograph
from blemish.station.sources.arrival import Arrival, Known, SourceState, Tally
from blemish.station.sources.encoding import Encoding, Frame, Pixels
from blemish.station.sources.reconnecting import BackOff
from blemish.station.sources.trigger import Trigger

_LOOK_EVERY = 0.1  # seconds between two looks at stop, stall and trigger
_MOST_LEFT_BEHIND = 3
logger = logging.getLogger("blemish.station")


class CameraError(BlemishError):
    """A camera cannot be opened, or is lost; the sentence says which, and the way out."""


class Camera(Protocol):
    """What delivers frames; all of it is called by one thread."""

    what: str
    """What it is called in sentences, without passwords."""

    open_seconds: float
    """How long opening may take."""

    def open(self) -> None:
        """Connect.

        Raises:
            CameraError: it is not there.
        """

    def read(self) -> Pixels | None:
        """The next frame, blue, green, red or grey; None where none has come for a moment.

        Raises:
            CameraError: it is lost.
        """

    def close(self) -> None:
        """Let it go; never raises."""


@dataclass(frozen=True)
class LiveOptions:
    """What is made of frames.

    Attributes:
        stall_seconds: without a frame for so long, the camera counts as lost.
        encoding: of the photographs.
        metadata: that all have, where the trigger says nothing.
    """

    stall_seconds: float
    encoding: Encoding = field(default_factory=Encoding)
    metadata: PartMetadata = field(default_factory=PartMetadata)


class LiveSource:
    """A source of the frames of a camera.

    Args:
        name: of the source.
        camera: makes the camera, anew for every connection.
        trigger: says which frames are photographs.
        options: see there.
        back_off: between two connections.
    """

    def __init__(
        self,
        name: str,
        camera: Callable[[], Camera],
        trigger: Trigger,
        options: LiveOptions,
        back_off: BackOff | None = None,
    ) -> None:
        self.name = name
        self._camera, self._trigger, self._options = camera, trigger, options
        self._back_off = back_off or BackOff()
        self._tally = Tally(name)
        self._left_behind: list[_Connection] = []

    def state(self) -> SourceState:
        """How it fares now."""
        state = self._tally.state()
        trouble = state.trouble or self._trigger.trouble()
        return SourceState(**(vars(state) | {"trouble": trouble}))

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Photographs of parts as the trigger takes them, until `stop`; frames have no key, so `known` is not asked."""
        self._trigger.open()
        try:
            while not stop.is_set():
                trouble = yield from self._connected(stop)
                if trouble is not None:
                    self._tally.failed(trouble)
                    stop.wait(self._back_off.next())
        finally:
            self._trigger.close()

    def _connected(self, stop: threading.Event) -> Generator[Arrival, None, str | None]:
        """Photographs of one connection; returns what has ended it."""
        self._left_behind = [one for one in self._left_behind if one.is_alive()]
        if len(self._left_behind) >= _MOST_LEFT_BEHIND:
            return (
                f"{self._left_behind[0].what} hangs and cannot be closed: unplug it and plug it in again, or restart "
                "the station."
            )
        connection = _Connection(self._camera(), self._trigger, self._tally, self._options.stall_seconds)
        connection.start()
        try:
            while not stop.is_set():
                taken = connection.newest(_LOOK_EVERY)
                self._tally.dropped(self._trigger.missed())
                if connection.frames:
                    self._back_off.succeeded()
                if taken is not None and (arrival := self._arrival(*taken)) is not None:
                    yield arrival
                elif taken is None and (trouble := connection.trouble()) is not None:
                    return trouble
            return None
        finally:
            connection.leave()
            if connection.is_alive():
                self._left_behind.append(connection)

    def _arrival(self, frame: Frame, part: PartMetadata) -> Arrival | None:
        try:
            content = self._options.encoding.of(frame.pixels)
        except BlemishError as error:
            self._tally.refused(str(error))
            return None
        now = datetime.now(UTC)
        file_name = f"{self.name}-{now:%Y%m%dT%H%M%S%f}{self._options.encoding.suffix}"
        self._tally.gave()
        photograph = Photograph(content, file_name, part.or_else(self._options.metadata))
        return Arrival(photograph, closed=frame.moment)


class _Connection(threading.Thread):
    """One connection to a camera: opens it, reads it to its end, closes it."""

    def __init__(self, camera: Camera, trigger: Trigger, tally: Tally, stall_seconds: float) -> None:
        super().__init__(name=f"camera {camera.what}"[:60], daemon=True)
        self.what = camera.what
        self.frames = 0
        self._camera, self._trigger, self._tally = camera, trigger, tally
        self._stall_seconds = stall_seconds
        self._changed = threading.Condition()
        self._newest: tuple[Frame, PartMetadata] | None = None
        self._left = False
        self._opened = False
        self._sign = time.monotonic()  # of life: opened, or a frame
        self._lost: str | None = None

    def newest(self, seconds: float) -> tuple[Frame, PartMetadata] | None:
        """The newest photograph that was not taken yet, waited for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._lost is not None, seconds)
            newest, self._newest = self._newest, None
            return newest

    def trouble(self) -> str | None:
        """Why there is nothing more to expect of this connection."""
        if self._lost is not None:
            return self._lost
        silent = time.monotonic() - self._sign
        if self._opened and silent > self._stall_seconds:
            return (
                f"{self.what} has sent no frame for {self._stall_seconds:g} s: look at its cable and its power; it is "
                "opened anew."
            )
        if not self._opened and silent > self._camera.open_seconds + self._stall_seconds:
            return f"{self.what} does not answer: see that it is switched on, and that nobody else uses it."
        return None

    def leave(self) -> None:
        """Read no further; waits a moment for the camera to be closed."""
        self._left = True
        self.join(1.0)

    def run(self) -> None:
        """Read until lost or left."""
        lost = None
        try:
            self._camera.open()
            self._sign, self._opened = time.monotonic(), True
            if not self._left:
                self._tally.connected()
                self._read()
        except CameraError as error:
            lost = str(error)
        except Exception:
            logger.exception("%s failed unexpectedly.", self.what)
            lost = f"{self.what} failed unexpectedly, as the log says: it is opened anew."
        finally:
            self._camera.close()
        with self._changed:
            self._lost = lost or f"{self.what} sends nothing more: it is opened anew."
            self._changed.notify_all()

    def _read(self) -> None:
        while not self._left:
            pixels = self._camera.read()
            if pixels is None or self._left:
                continue
            self._sign = time.monotonic()
            frame = Frame(pixels, self._sign, self.frames)
            self.frames += 1
            part = self._trigger.fires(frame)
            if part is None:
                continue
            with self._changed:
                if self._newest is not None:
                    self._tally.dropped()
                self._newest = (frame, part)
                self._changed.notify_all()
