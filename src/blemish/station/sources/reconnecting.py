"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random

FIRST_SECONDS, MOST_SECONDS = 0.5, 30.0


class BackOff:
    """Waits that double from try to try, and are drawn, so that many who lost one thing do not all come back at once.

    Args:
        first, most: seconds of the first wait and of the longest, before the draw: three quarters to five quarters.
    """

    def __init__(self, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> None:
        self._first, self._most = first, most
        self._seconds = first

    def next(self) -> float:
        """Seconds to wait now."""
        seconds = self._seconds
        self._seconds = min(2 * seconds, self._most)
        return seconds * random.uniform(0.75, 1.25)

    def succeeded(self) -> None:
        """Begin anew at the first wait."""
        self._seconds = self._first
