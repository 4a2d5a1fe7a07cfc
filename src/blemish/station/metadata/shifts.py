"""Which shift works at a time of day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from blemish.core.errors import UsageError
from blemish.core.spans import zone_of
from blemish.station.records import check_line

_DAY = 24 * 60
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class Shifts:
    """The shifts of a day by the clock on the wall.

    Args:
        spans: by name, as `{"early": "06:00-14:00", "night": "22:00-06:00"}`; several spans with commas between. A span
            that ends before it begins goes on over midnight.
        time_zone: of the clock, as `Europe/Berlin`; this machine's where None.

    Example:
        >>> shifts = Shifts({"early": "06:00-14:00", "night": "22:00-06:00"}, "UTC")
        >>> shifts.of(datetime.fromisoformat("2026-11-28T23:15+00:00"))
        'night'

    Raises:
        UsageError: a span or the time zone is none, or two shifts overlap.
    """

    def __init__(self, spans: Mapping[str, str], time_zone: str | None = None) -> None:
        self._zone = None if time_zone is None else zone_of(time_zone)
        self._by_minute: list[str | None] = [None] * _DAY
        for name, written in spans.items():
            check_line(name, "name of a shift")
            for minute in _minutes(name, written):
                if (other := self._by_minute[minute]) is not None:
                    clock = f"{minute // 60:02}:{minute % 60:02}"
                    raise UsageError(
                        f"At {clock} it is the shift {name} and the shift {other}: let them not overlap."
                    )
                self._by_minute[minute] = name

    def of(self, time: datetime) -> str | None:
        """The shift at an aware time; None where none works."""
        there = time.astimezone(self._zone)
        return self._by_minute[60 * there.hour + there.minute]


def _minutes(name: str, written: str) -> list[int]:
    """The minutes of the day that a shift's spans cover."""
    found: list[int] = []
    for span in written.split(","):
        match = _SPAN.fullmatch(span.strip())
        if match is None:
            raise _no_span(name, span)
        hours, minutes = (int(match[1]), int(match[3])), (int(match[2]), int(match[4]))
        first, end = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
        if max(minutes) > 59 or first >= _DAY or end > _DAY or first == end:
            raise _no_span(name, span)
        found += [minute % _DAY for minute in range(first, end if end > first else end + _DAY)]
    return found


def _no_span(name: str, span: str) -> UsageError:
    return UsageError(
        f"The shift {name} cannot last {span.strip()[:40]!a}: write it as 06:00-14:00, with another end than beginning."
    )
