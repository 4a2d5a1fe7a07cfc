"""When a frame is a photograph of a part: always, every n-th, at most so often, or when what moved lies still."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from blemish.station.photograph import PartMetadata
from blemish.station.sources.encoding import Frame, Pixels
from blemish.station.sources.settings import (
    AtMostEvery,
    EveryFrame,
    HardwareLine,
    MqttMessage,
    StillnessAfterMotion,
)

_SMALL_SIDE = 64  # pixels of the longer side of what motion is looked for in
_ROUNDING = 1e-6  # seconds
_NOTHING = PartMetadata()


class Trigger(Protocol):
    """Says which frames are photographs; sees every frame, in order, from one thread."""

    def open(self) -> None:
        """Begin to listen, where there is something to listen to; returns at once."""

    def fires(self, frame: Frame) -> PartMetadata | None:
        """What is known of the part if this frame is a photograph; None if it is none."""

    def missed(self) -> int:
        """How many times it fired since the last call without a frame to take."""

    def trouble(self) -> str | None:
        """What is wrong with it, in one sentence."""

    def close(self) -> None:
        """End it."""


class _OfFramesAlone:
    """A trigger that nothing but frames decides."""

    def open(self) -> None:
        """Nothing to listen to."""

    def missed(self) -> int:
        """None: there is a frame."""
        return 0

    def trouble(self) -> str | None:
        """Nothing can be wrong."""
        return None

    def close(self) -> None:
        """Nothing to end."""


class Every(_OfFramesAlone):
    """Every n-th frame, the first of them at once."""

    def __init__(self, nth: int = 1) -> None:
        self._nth, self._seen = nth, 0

    def fires(self, frame: Frame) -> PartMetadata | None:
        """Whether it is one of them."""
        due = self._seen % self._nth == 0
        self._seen += 1
        return _NOTHING if due else None


class Interval(_OfFramesAlone):
    """The first frame, and then one at most every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, -math.inf

    def fires(self, frame: Frame) -> PartMetadata | None:
        """Whether enough time has gone."""
        if frame.moment - self._last < self._seconds - _ROUNDING:
            return None
        # On the beat where frames keep up with it; after a pause the beat begins anew.
        late = frame.moment - self._last - self._seconds
        self._last = frame.moment - (late if late < self._seconds else 0)
        return _NOTHING


class Stillness(_OfFramesAlone):
    """One frame when what moved has lain still for some time.

    Frames are compared with the one before as small grey pictures: something moves while more than a share of the
    places changes by more than some grey levels. So noise and single flickering pixels move nothing.
    """

    def __init__(self, still_seconds: float, grey_levels: float, share: float) -> None:
        self._still_seconds, self._grey_levels, self._share = still_seconds, grey_levels, share
        self._before: Any = None
        self._armed, self._still_since = False, math.inf

    def fires(self, frame: Frame) -> PartMetadata | None:
        """Whether something has come to rest."""
        small = _small(frame.pixels)
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return None
        changed = np.abs(small - before) > self._grey_levels
        if changed.mean() > self._share:
            self._armed, self._still_since = True, math.inf
            return None
        self._still_since = min(self._still_since, frame.moment)
        if self._armed and frame.moment - self._still_since >= self._still_seconds:
            self._armed = False
            return _NOTHING
        return None


def _small(pixels: Pixels) -> Any:
    """A small grey picture of a frame, float32."""
    import cv2

    scale = _SMALL_SIDE / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if pixels.dtype == np.uint16:
        small /= 257
    return small.mean(axis=2) if small.ndim == 3 else small


def open_trigger(
    settings: EveryFrame | AtMostEvery | StillnessAfterMotion | MqttMessage | HardwareLine,
) -> Trigger:
    """The trigger of settings, not yet open."""
    match settings:
        case EveryFrame():
            return Every(settings.nth)
        case AtMostEvery():
            return Interval(settings.seconds)
        case StillnessAfterMotion():
            return Stillness(settings.still_seconds, settings.grey_levels, settings.share)
        case HardwareLine():
            return Every()  # the camera itself sends no other frames
        case MqttMessage():
            from blemish.station.sources.mqtt_trigger import MqttTrigger

            return MqttTrigger(settings)
