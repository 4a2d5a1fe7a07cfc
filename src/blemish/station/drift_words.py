"""What has drifted, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_NAMES = {
    "score": ("the anomaly scores of passed parts", "have"),
    "brightness": ("the brightness", "has"),
    "contrast": ("the contrast", "has"),
    "focus": ("the sharpness", "has"),
    "warmth": ("red light relative to blue", "has"),
    "tint": ("green light relative to red and blue", "has"),
}
_WAYS = {"horizontal": ("width", "right", "left"), "vertical": ("height", "down", "up")}


@dataclass(frozen=True)
class Moved:
    """A number of the parts that has changed.

    Attributes:
        statistic: which: see `blemish.station.drift.StatisticDrift`.
        since: from when on the evidence has grown.
        told: when there was enough of it.
        rising: whether it is higher than before.
        before, now: median before and of the latest parts; of p-values 1/2 and their latest mean.
    """

    statistic: str
    since: datetime
    told: datetime
    rising: bool
    before: float
    now: float

    @property
    def in_words(self) -> str:
        """What has moved, by how much, and since when, as half a sentence."""
        return f"{self.what} since {self.since:%Y-%m-%d %H:%M} UTC"

    @property
    def what(self) -> str:
        """What has moved, and by how much."""
        if self.statistic == "calibration":
            mean = "" if math.isnan(self.now) else f" (mean p-value {self.now:.2f} instead of 0.5 or more)"
            return f"good parts score higher than the calibration promises{mean}"
        if self.statistic in _WAYS:
            side, onward, back = _WAYS[self.statistic]
            way = onward if self.rising else back
            return f"the part has moved {way} by {abs(self.now - self.before):.1%} of the {side}"
        name, has = _NAMES[self.statistic]
        verb = "risen" if self.rising else "fallen"
        before, now = _told_apart(self.before, self.now)
        if before == now:
            return f"{name} {has} {verb} in more parts than by chance, with the median still at {now}"
        changed = abs(self.now / self.before - 1) if self.before else math.nan
        much = f" by {_percent(changed)}" if math.isfinite(changed) else ""
        return f"{name} {has} {verb}{much} (from {before} to {now})"

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        times = {"since": self.since.isoformat(), "told": self.told.isoformat()}
        numbers = {name: known_number(getattr(self, name)) for name in ("before", "now")}
        return vars(self) | times | numbers | {"in_words": self.in_words}


def in_words(moved: Sequence[Moved]) -> str:
    """What moved first and what followed, as one sentence; empty where nothing did."""
    return one_sentence([one.in_words for one in moved])


def one_sentence(halves: Sequence[str]) -> str:
    """Half sentences as one sentence, the first of them first; empty where there is none."""
    if not halves:
        return ""
    first, *others = halves
    followed = f"; told later: {', '.join(others)}" if others else ""
    return f"{first[0].upper()}{first[1:]}{followed}."


def _told_apart(before: float, now: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart, four at least; the same text only where they are the same."""
    texts = [(f"{before:.{digits}g}", f"{now:.{digits}g}") for digits in (4, 5, 6, 7, 8, 9)]
    return next((pair for pair in texts if pair[0] != pair[1]), texts[0])


def _percent(part: float) -> str:
    """A share with one place after the point, or with one digit where that would be nothing."""
    if part >= 0.0005:
        return f"{part:.1%}"
    return f"{part:.{-math.floor(math.log10(part * 100))}%}"


def known_number(value: float) -> float | None:
    """A number, or None where it is not one."""
    return None if math.isnan(value) else value
