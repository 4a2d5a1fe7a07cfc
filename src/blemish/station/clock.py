"""Whether somebody has set the clock while the station ran, and what time it is for what is removed by age.

A clock that leaps forward would make every kept photograph old at once. So a leap counts for that only after it has
stood for a day; until then age is told as if the clock had not been set. Verdicts have the clock's own time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_LEAP_SECONDS = 60.0
_TRUSTED_AFTER_SECONDS = 86400.0
logger = logging.getLogger("blemish.station")


def _since_start() -> float:
    """Seconds that nobody can set, those of a suspended machine among them where the system counts them."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class ClockWatch:
    """Compares the clock with one that nobody can set, whenever `look` is called; several threads may.

    Args:
        wall: seconds since 1970, as somebody may set them.
        steady: seconds that nobody can set.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _since_start
    ) -> None:
        self._wall, self._steady = wall, steady
        self._apart = wall() - steady()
        self._leapt, self._leapt_at = 0.0, 0.0  # forward, and not trusted yet
        self._lock = threading.Lock()

    def look(self) -> float:
        """Seconds by which the clock was set since the last look, 0 for less than a minute; it is said in the log."""
        with self._lock:
            now = self._steady()
            apart = self._wall() - now
            step, self._apart = apart - self._apart, apart
            if self._leapt and now - self._leapt_at >= _TRUSTED_AFTER_SECONDS:
                self._leapt = 0.0
            if abs(step) < _LEAP_SECONDS:
                return 0.0
            self._leapt, self._leapt_at = max(0.0, self._leapt + step), now
        logger.warning("%s", _said(step))
        return step

    @property
    def trouble(self) -> str | None:
        """What the leap means at present, in one sentence; None where there was none, or it has stood for a day."""
        if not self._leapt:
            return None
        return (
            f"The clock was set forward by {_length(self._leapt)}: photographs are removed by their age as if it had "
            "not been, until it has stood so for a day; set it right if it is wrong."
        )

    def now(self) -> datetime:
        """The time by which things are old, in UTC."""
        with self._lock:
            return datetime.fromtimestamp(self._wall() - self._leapt, UTC)


def _said(step: float) -> str:
    way = f"{'forward' if step > 0 else 'back'} by {_length(abs(step))}"
    return f"The clock was set {way}: verdicts have its new time, and their numbers keep their order."


def _length(seconds: float) -> str:
    """A span as people say it."""
    span = timedelta(seconds=round(seconds))
    if span.days >= 2:
        return f"{span.days} days"
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"
