"""Times as people write them: `7d`, a date, a time zone by its name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from blemish.core.errors import UsageError

_SPAN = re.compile(r"(\d{1,4})\s*([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def zone_of(name: str | None) -> tzinfo:
    """The time zone of a name, as `Europe/Berlin`; that of this machine when None.

    Raises:
        UsageError: there is none of this name.
    """
    if name is None:
        return datetime.now().astimezone().tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"There is no time zone {name[:40]!a}: write it as Europe/Berlin or UTC.") from error


def span_of(text: str) -> timedelta | None:
    """The length of `12h`, `7d` or `4w`; None where the text is something else, or 0."""
    found = _SPAN.fullmatch(text.strip())
    return int(found[1]) * _UNITS[found[2]] or None if found else None


def moment_of(text: str, zone: tzinfo) -> datetime:
    """A date or a time in UTC, of a clock in `zone` where it names none.

    Raises:
        UsageError: it is neither, or out of the years 1971 to 2200.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text[:40]!a} is no time: write 7d, 12h or 4w, or a date as 2026-11-01 or 2026-11-01T06:00."
        ) from error
    if not 1970 < time.year <= 2200:
        raise UsageError(f"The year {time.year} is not possible: write one from 1971 to 2200.")
    return (time if time.utcoffset() is not None else time.replace(tzinfo=zone)).astimezone(UTC)
