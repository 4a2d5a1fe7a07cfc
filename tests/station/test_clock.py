"""A clock that is set: said, and no kept photograph is old all at once."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blemish.core.types import Verdict
from blemish.station.clock import ClockWatch
from blemish.station.image_store import ImageStore, KeepPolicy

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()


class Clocks:
    """One that people set, and one that nobody can."""

    def __init__(self) -> None:
        self.wall, self.steady = NOON, 100.0

    def go(self, seconds: float) -> None:
        self.wall, self.steady = self.wall + seconds, self.steady + seconds

    def watch(self) -> ClockWatch:
        return ClockWatch(lambda: self.wall, lambda: self.steady)


@pytest.mark.parametrize(
    ("step", "told"),
    [(-7200, "back by 2.0 hours"), (600, "forward by 10 minutes"), (4e6, "forward by 46 days")],
)
def test_a_clock_that_was_set_is_said_once(step: float, told: str, caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    with caplog.at_level(logging.WARNING, "blemish.station"):
        for _ in range(50):
            clocks.go(5.001)
            assert watch.look() == 0
        clocks.wall += step
        assert watch.look() == pytest.approx(step)
        clocks.go(5)
        assert watch.look() == 0
    assert [told in one.getMessage() for one in caplog.records] == [True]


def test_a_leap_forward_ages_nothing_until_it_has_stood_for_a_day() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    clocks.wall += 86400 * 400
    watch.look()
    assert watch.now() == datetime.fromtimestamp(NOON, UTC) and "for a day" in str(watch.trouble)
    clocks.go(3600)
    watch.look()
    assert watch.now() == datetime.fromtimestamp(NOON + 3600, UTC)
    clocks.wall -= 86400 * 400  # set right again
    watch.look()
    assert watch.trouble is None and watch.now() == datetime.fromtimestamp(NOON + 3600, UTC)
    clocks.wall += 7200
    watch.look()
    clocks.go(86400)
    watch.look()
    assert watch.trouble is None and watch.now() == datetime.fromtimestamp(clocks.wall, UTC)


def test_photographs_outlive_a_wrong_clock(tmp_path: Path) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    store = ImageStore(tmp_path, KeepPolicy("all", days=30, reserve_gigabytes=0))
    for number in range(3):
        assert store.keep(bytes([number]) * 100, ".png", Verdict.REJECT)
    for path in tmp_path.rglob("*.png"):
        os.utime(path, (NOON, NOON))
    clocks.wall += timedelta(days=365).total_seconds()
    watch.look()
    assert store.prune(watch.now()) == []
    clocks.go(86400 * 31)
    watch.look()
    assert len(store.prune(watch.now())) == 3
