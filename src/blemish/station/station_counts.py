"""What a station counts since its start: verdicts, refusals, and how long each photograph took."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

from blemish.station.intake import Taken
from blemish.station.records import InspectionRecord
from blemish.station.station_status import LATENCY_SECONDS, LastRefusal, LastVerdict, LatencyStatus, now

_LATENCIES, _SHOWN, _MINUTE = 1000, 12, 60


class StationCounts:
    """Counts of one run; may be used by many threads. It is the `QueueCounts` of the station's queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verdicts: Counter[str] = Counter()
        self._refused = 0
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._by_second: deque[tuple[int, int]] = deque()  # second of the monotonic clock, verdicts in it
        self._last: deque[LastVerdict] = deque(maxlen=_SHOWN)
        self._last_refused: deque[LastRefusal] = deque(maxlen=_SHOWN)
        self._buckets = [0] * (len(LATENCY_SECONDS) + 1)
        self._sum = 0.0

    def judged(self, record: InspectionRecord, seconds: float) -> None:
        """A photograph was logged; `logged` tells more of it."""

    def refused(self, kind: str) -> None:
        """A photograph cannot be judged; `refusal` tells more of it."""

    def logged(self, taken: Taken, record: InspectionRecord) -> None:
        """Count a photograph whose verdict is committed now."""
        moment = time.monotonic()
        latency = max(0.0, moment - taken.arrival.closed)
        shown = LastVerdict(
            inspection=record.id,
            time=record.time,
            verdict=record.verdict,
            score=record.score,
            file_name=record.file_name,
            milliseconds=1e3 * latency,
        )
        with self._lock:
            self._verdicts[str(record.verdict)] += 1
            self._latencies.append(latency)
            self._last.appendleft(shown)
            self._buckets[sum(latency > end for end in LATENCY_SECONDS)] += 1
            self._sum += latency
            second = int(moment)
            before = self._by_second.pop()[1] if self._by_second and self._by_second[-1][0] == second else 0
            self._by_second.append((second, before + 1))
            self._forget_old(second)

    def refusal(self, file_name: str, detail: str) -> None:
        """Count a photograph that cannot be judged."""
        with self._lock:
            self._refused += 1
            self._last_refused.appendleft(LastRefusal(time=now(), file_name=file_name, detail=detail))

    @property
    def total(self) -> int:
        """Verdicts since the start."""
        with self._lock:
            return self._verdicts.total()

    def latency(self) -> LatencyStatus | None:
        """Of the latest; None before the first."""
        with self._lock:
            found = sorted(self._latencies)
        if not found:
            return None
        # The nearest rank: a latency that there was.
        median, p99 = (found[max(0, -(-len(found) * percent // 100) - 1)] for percent in (50, 99))
        return LatencyStatus(n=len(found), median=1e3 * median, p99=1e3 * p99, most=1e3 * found[-1])

    def document(self) -> dict[str, object]:
        """The fields of a `StationStatus` that are counted here."""
        latency = self.latency()
        with self._lock:
            self._forget_old(int(time.monotonic()))
            return {
                "verdicts": dict(self._verdicts),
                "refused": self._refused,
                "parts_per_minute": float(sum(n for _, n in self._by_second)),
                "latency": latency,
                "latency_buckets": tuple(self._buckets),
                "latency_seconds": self._sum,
                "last": tuple(self._last),
                "last_refused": tuple(self._last_refused),
            }

    def _forget_old(self, second: int) -> None:
        while self._by_second and self._by_second[0][0] <= second - _MINUTE:
            self._by_second.popleft()
