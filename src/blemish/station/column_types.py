"""Values that databases have no column for: times, words, regions and numbers by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, Text, TypeDecorator

from blemish.core.types import Region, Verdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite counts rows by itself only in a column of type INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds of a time."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The time of microseconds, in UTC."""
        return None if value is None else _EPOCH + int(value) * _MICROSECOND


class PlainText(TypeDecorator[str]):
    """Text of strangers: what a database refuses (zero characters, halves of pairs) becomes a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Text that any database takes."""
        return None if value is None else value.replace("\0", "?").encode("utf-8", "replace").decode()


class VerdictText(TypeDecorator[Verdict]):
    """A verdict as its word."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Verdict | str | None, dialect: Dialect) -> str | None:
        """The word of a verdict."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Verdict | None:
        """The verdict of a word."""
        return None if value is None else Verdict(value)


class Regions(TypeDecorator[tuple[Region, ...]]):
    """Regions as lists of their values in the order of `Region`'s fields, the contour's corners one after another.

    Databases of older versions hold left, top, width, height and score alone; a newer version may add values at the
    end, which are passed over here.
    """

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[Region, ...] | None, dialect: Dialect) -> list[Any]:
        """Lists of regions."""
        return [_region_values(region) for region in value or ()]

    def process_result_value(self, value: list[Any] | None, dialect: Dialect) -> tuple[Region, ...]:
        """Regions of lists."""
        return tuple(_region_of(values) for values in value or ())


def _region_values(region: Region) -> list[Any]:
    """A region's values, those in front alone where nothing behind them is known."""
    named = vars(region) | {
        "peak": None if region.peak is None else list(region.peak),
        "contour": [number for point in region.contour for number in point],
        "verdict": None if region.verdict is None else str(region.verdict),
    }
    values = [named[one.name] for one in fields(Region)]
    while values[-1] in (None, []):
        values.pop()
    return values


def _region_of(values: list[Any]) -> Region:
    named: dict[str, Any] = dict(zip((one.name for one in fields(Region)), values, strict=False))
    peak, contour, verdict = named.get("peak"), named.get("contour") or (), named.get("verdict")
    return Region(
        **named
        | {
            "peak": None if peak is None else tuple(peak),
            "contour": tuple(zip(contour[::2], contour[1::2], strict=True)),
            "verdict": None if verdict is None else Verdict(verdict),
        }
    )


class Numbers(TypeDecorator[Mapping[str, float]]):
    """Numbers by name, as a JSON object."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, float] | None, dialect: Dialect) -> dict[str, float]:
        """A plain dictionary: JSON knows no other mapping."""
        return dict(value or {})
