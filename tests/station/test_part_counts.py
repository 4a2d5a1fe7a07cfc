"""Counts of all parts at a glance, how usual a reject rate is, who judged when, and that indexes answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event, text

from blemish.core.types import Verdict
from blemish.station.activations import Activation, Period, periods_of
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.log import InspectionLog
from blemish.station.part_counts import PartCounts, VerdictCounts, usual_rate
from blemish.station.records import NewFeedback, NewInspection
from blemish.station.review_queue import ReviewQueue
from blemish.station.version_counts import VersionCounts

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PASS, REVIEW, REJECT, NOT_JUDGED = Verdict.PASS, Verdict.REVIEW, Verdict.REJECT, Verdict.NOT_JUDGED


def inspection(
    number: int, verdict: Verdict, part: str = "screw", version: int = 1, suffix: str | None = None
) -> NewInspection:
    return NewInspection(
        time=NOON + timedelta(minutes=number), inspector=part, version=version, verdict=verdict, score=1.0,
        threshold=2.0, p_value=0.5, percentile=50.0, regions=(), width=10, height=10,
        image_digest=f"{number:064x}", image_suffix=suffix, file_name="part.png",
    )  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/blemish.db")
    database.upgrade()
    yield database
    database.close()


def test_verdicts_of_each_part_in_a_span(database: Database) -> None:
    said = [PASS, PASS, REJECT, NOT_JUDGED, PASS, REVIEW]
    log = InspectionLog(database)
    log.add([inspection(number, verdict) for number, verdict in enumerate(said)])
    log.add([inspection(3, REVIEW, "nut")])
    counts = PartCounts(database)
    assert counts.verdicts(["screw", "nut", "bolt"], NOON) == {
        "screw": VerdictCounts(3, 1, 1, 1),
        "nut": VerdictCounts(0, 1, 0, 0),
    }
    until = NOON + timedelta(minutes=3)
    assert counts.verdicts(["screw", "nut"], NOON + timedelta(minutes=1), until) == {
        "screw": VerdictCounts(1, 0, 1, 0)
    }


def test_the_latest_kept_photograph_of_each_part(database: Database) -> None:
    InspectionLog(database).add(
        [inspection(1, PASS, suffix=".png"), inspection(2, PASS), inspection(3, REJECT, "nut")]
    )
    latest = PartCounts(database).latest(["screw", "nut", "bolt"])
    assert set(latest) == {"screw", "nut"}
    assert latest["screw"].time == NOON + timedelta(minutes=2)
    assert latest["screw"].kept == (f"{1:064x}", ".png")
    assert latest["nut"].kept is None


def test_indexes_answer_and_no_row_of_a_passed_part_is_read(database: Database) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    counts = PartCounts(database)
    counts.verdicts(["screw", "nut"], NOON)
    ReviewQueue(database, cast(DriftWatch, None)).for_review()
    counts.latest(["screw"])
    with database.session() as session:
        for statement, values in [one for one in asked if "FROM inspections" in one[0]]:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            said = " ".join(str(step[-1]) for step in plan)
            assert "SCAN inspections" not in said, said
        first = next(statement for statement, _ in asked if "FROM inspections" in statement)
        values = next(values for statement, values in asked if statement == first)
        (plan, *_) = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {first}", values).all()
        assert "COVERING INDEX ix_inspections_inspector" in str(plan[-1])
        assert session.scalar(text("SELECT count(*) FROM inspections")) == 0


@pytest.mark.parametrize(
    ("sample", "earlier", "state"),
    [
        (VerdictCounts(95, 0, 5), VerdictCounts(970, 0, 30), "usual"),
        (VerdictCounts(85, 0, 15), VerdictCounts(970, 0, 30), "above"),
        (VerdictCounts(1000, 0, 2), VerdictCounts(970, 0, 30), "below"),
        (VerdictCounts(2, 0, 1), VerdictCounts(970, 0, 30), "usual"),  # the chart alone would call it unusual
        (VerdictCounts(5, 0, 5), VerdictCounts(90, 0, 9), "unknown"),
        (VerdictCounts(0, 0, 0, 7), VerdictCounts(970, 0, 30), "unknown"),
        (VerdictCounts(20, 0, 1), VerdictCounts(500, 0, 0), "above"),
    ],
)
def test_a_rate_is_unusual_beyond_the_control_limits_and_by_the_binomial(
    sample: VerdictCounts, earlier: VerdictCounts, state: str
) -> None:
    assert usual_rate(sample, earlier).state == state


def test_limits_are_three_standard_errors_of_the_sample_around_the_earlier_mean() -> None:
    found = usual_rate(VerdictCounts(95, 0, 5), VerdictCounts(900, 0, 100))
    assert (found.rate, found.lower) == (0.1, pytest.approx(0.01))
    assert found.upper == pytest.approx(0.19)


def test_who_judged_when_follows_activations_and_what_was_rolled_back() -> None:
    day = [NOON + timedelta(days=number) for number in range(6)]
    made = [Activation(1, day[0], None), Activation(2, day[1], day[3]), Activation(3, day[2], day[3])]
    made.append(Activation(3, day[4], None))
    assert periods_of(made) == [
        Period(1, day[0], day[1]), Period(2, day[1], day[2]), Period(3, day[2], day[3]),
        Period(1, day[3], day[4]), Period(3, day[4], None),
    ]  # fmt: skip
    assert periods_of([]) == []
    assert periods_of([Activation(1, day[0], day[1])]) == [Period(1, day[0], day[1])]


def test_versions_are_counted_by_what_each_judged(database: Database) -> None:
    log = InspectionLog(database)
    numbers = log.add(
        [
            inspection(0, PASS),
            inspection(1, REJECT),
            inspection(2, NOT_JUDGED),
            inspection(3, PASS, version=2),
        ]
    )
    log.add([inspection(4, PASS, "nut")])
    log.give_feedback(numbers[0], NewFeedback("bad", "scratch"))
    log.give_feedback(numbers[1], NewFeedback("good"))
    found = VersionCounts(database).of("screw")
    assert set(found) == {1, 2}
    first = found[1]
    assert (first.n, first.judged, first.reject_rate) == (3, 2, 0.5)
    assert (first.corrected, first.false_rejects, first.missed) == (2, 1, 1)
    assert (first.first, first.last) == (NOON, NOON + timedelta(minutes=2))
    assert (found[2].n, found[2].corrected) == (1, 0)
