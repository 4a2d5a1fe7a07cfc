"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double with every failure up to a cap, half of each drawn by chance so that many do not come at once.

    Args:
        first: seconds before the first new try, at most.
        cap: seconds before any, at most.
    """

    def __init__(self, first: float = 0.5, cap: float = 30.0) -> None:
        self._first, self._cap = first, cap
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after another failure."""
        # Two to the power of a failure a second for weeks would be no float any more.
        longest = min(self._cap, self._first * 2.0 ** min(self._failures, 60))
        self._failures += 1
        return longest * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew: it has worked."""
        self._failures = 0
