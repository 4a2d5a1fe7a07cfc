"""How many requests one key may make in a minute: a token bucket for each.

The bucket holds a minute's requests, so that a line may send a burst; see
https://en.wikipedia.org/wiki/Token_bucket.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_BUCKETS = 10_000


class RateLimit:
    """Counts requests by name; called from the event loop alone.

    Args:
        per_minute: requests that one name may make in a minute; 0 for no limit.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, name: str) -> float:
        """Take one request from a name's bucket: 0, or the seconds until there is one in it."""
        if self._per_minute == 0:
            return 0.0
        now, full = self._clock(), float(self._per_minute)
        left, at = self._buckets.pop(name, (full, now))
        left = min(full, left + (now - at) * full / 60)
        allowed = left >= 1
        self._buckets[name] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / full
