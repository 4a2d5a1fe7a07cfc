"""What the tests for drift say of an inspector: whether anything has changed, what, by how much and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from blemish.station.drift_tests import CALIBRATION, SCORE, DriftTests
from blemish.station.drift_words import Moved, in_words, known_number


@dataclass(frozen=True)
class StatisticDrift:
    """One number of the parts, and whether it has changed.

    Attributes:
        statistic: "score", one of `blemish.line.photograph_statistics.STATISTICS`, or "calibration" (p-values).
        evidence: how near it is to a change being told, 0 to 1; 1 while one holds.
        before, now: median before a change and of the latest 50 parts; None where there is none yet. Of the p-values
            1/2 and their latest mean.
    """

    statistic: str
    evidence: float
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Drift:
    """Whether anything has changed at an inspector.

    Attributes:
        inspector, version: which one; the version is None where no station has it.
        n, n_passed: parts that the tests have read, without those found bad and void ones, and how many of them
            passed, by the decision with which the tests began.
        state: "learning" before enough parts (100), "steady", or "drifted".
        message: what moved first, by how much and since when, in words.
        parts_per_false_alarm: mean number of parts to a false alarm, at least.
        moved: what has changed, in the order in which it was told.
        statistics: all that is tested.
    """

    inspector: str
    version: int | None
    n: int
    n_passed: int
    state: Literal["learning", "steady", "drifted"]
    message: str
    parts_per_false_alarm: float
    moved: tuple[Moved, ...]
    statistics: tuple[StatisticDrift, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return vars(self) | {
            "moved": [one.to_json() for one in self.moved],
            "statistics": [dict(vars(one)) for one in self.statistics],
        }


def drift_of(inspector: str, version: int | None, tests: DriftTests) -> Drift:
    """What the tests say by now of an inspector, and of its version on a shelf."""
    moved = _moved(tests)
    state: Literal["learning", "steady", "drifted"] = "drifted" if moved else "steady"
    if not moved and tests.n < tests.learnt:
        state = "learning"
    calibration = tests.calibration
    statistics = [
        *(
            StatisticDrift(name, test.share, known_number(test.reference.median), known_number(test.now))
            for name, test in tests.changes.items()
        ),
        StatisticDrift(CALIBRATION, calibration.share, 0.5, known_number(calibration.now)),
    ]
    return Drift(
        inspector,
        version,
        tests.n,
        tests.n_passed,
        state,
        in_words(moved) or _quiet(state, tests),
        tests.parts_per_false_alarm,
        tuple(moved),
        tuple(statistics),
    )


def _moved(tests: DriftTests) -> Sequence[Moved]:
    moved = [
        Moved(name, test.change.since, test.change.told, test.change.rising, test.reference.median, test.now)
        for name, test in tests.changes.items()
        if test.change is not None
    ]
    if (change := tests.calibration.change) is not None:
        now = tests.calibration.now
        moved.append(Moved(CALIBRATION, change.since, change.told, change.rising, 0.5, now))
    return sorted(moved, key=lambda one: (one.told, one.statistic == SCORE))


def _quiet(state: str, tests: DriftTests) -> str:
    if state == "learning":
        return f"What is normal is being learnt: {tests.n} of {tests.learnt} parts."
    return f"Nothing has changed in {tests.n:,} parts."
