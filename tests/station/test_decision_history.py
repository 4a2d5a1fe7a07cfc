"""What a decision would have made of the past: the database counts what `Decision.verdict` says of each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.core.types import Region, Verdict
from blemish.line.decision import Decision
from blemish.line.pixel_decision import PixelDecision
from blemish.station.database import Database
from blemish.station.decision_history import DecisionHistory
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionRecord, NewFeedback, NewInspection

SCORE = st.floats(-3, 3) | st.sampled_from([-1.0, 0.0, 0.1 + 0.2, 1.0])
PARTS = st.lists(
    st.fixed_dictionaries(
        {
            "score": SCORE,
            "verdict": st.sampled_from(Verdict),
            "version": st.integers(1, 3),
            "inspector": st.sampled_from(["screw", "nut"]),
            "photograph": st.integers(0, 9),
            "truth": st.sampled_from([None, None, "good", "bad"]),
        }
    ),
    max_size=30,
)


def _decision(threshold: float, review: float) -> Decision:
    return Decision(
        rule="threshold", threshold=threshold, review_threshold=min(threshold, review), expected=0.1, at_most=0.2,
        review_expected=0.3, pixels=PixelDecision(threshold=1.0), made=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


def _logged(log: InspectionLog, make: Callable[..., NewInspection], parts: list[dict[str, Any]]) -> list[int]:
    """Numbers of the parts in a log that holds others already."""
    new = [
        make(place, **{key: part[key] for key in ("score", "verdict", "version", "inspector")},
             reason="too dark" if part["verdict"] is Verdict.NOT_JUDGED else None,
             image_digest=f"{part['photograph']:064d}")
        for place, part in enumerate(parts)
    ]  # fmt: skip
    numbers = log.add(new)
    for number, part in zip(numbers, parts, strict=True):
        if part["truth"]:
            log.give_feedback(number, NewFeedback(part["truth"]))
    return numbers


def _after(record: InspectionRecord, decision: Decision) -> Verdict:
    verdict = decision.verdict(record.score)
    kept = record.reason is not None and verdict is not Verdict.REJECT
    return Verdict.NOT_JUDGED if kept else verdict


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=PARTS, threshold=SCORE, review=SCORE, last=st.integers(1, 40))
def test_the_database_counts_what_each_record_would_have_become(
    database: Database, inspection: Any, parts: list[Any], threshold: float, review: float, last: int
) -> None:
    log, decision = InspectionLog(database), _decision(threshold, review)
    with database.transaction() as session:
        for table in ("feedback", "inspections"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    records = [log.get(number) for number in _logged(log, inspection, parts)]
    mine = [one for one in records if one.inspector == "screw" and one.version in (1, 3)]
    latest = sorted(mine, key=lambda one: (one.time, one.id))[-last:]
    history = DecisionHistory(database, "screw", (1, 3))
    preview = history.preview(decision, last)
    turns = Counter((one.verdict, _after(one, decision)) for one in latest)
    assert {(turn.before, turn.after): turn.n for turn in preview.turns} == dict(turns)
    changed = [one.id for one in latest if one.verdict is not _after(one, decision)]
    assert (preview.n, preview.changed, preview.changed_ids) == (
        len(latest),
        len(changed),
        tuple(changed[::-1]),
    )
    corrected = {one.image_digest: one for one in mine if one.truth and one.verdict is not Verdict.NOT_JUDGED}
    scores = history.corrected()
    for truth, parts_of, found in (("good", preview.good, scores.good), ("bad", preview.bad, scores.bad)):
        known = [one for one in corrected.values() if one.truth == truth]
        assert found.tolist() == sorted(one.score for one in known) and parts_of.n == len(known)
        before = Counter(one.verdict for one in known)
        after = Counter(_after(one, decision) for one in known)
        assert (parts_of.rejected_before, parts_of.passed_before) == (before["reject"], before["pass"])
        assert (parts_of.rejected_after, parts_of.passed_after) == (after["reject"], after["pass"])


def test_regions_are_given_of_those_that_show_some_before_or_after(
    database: Database, log: InspectionLog, inspection: Any
) -> None:
    kinds = [
        (1.0, Verdict.PASS),
        (3.0, Verdict.PASS),
        (1.0, Verdict.REVIEW),
        (5.0, Verdict.REJECT),
        (5.0, Verdict.REJECT),
    ]
    log.add([
        inspection(place, score=score, verdict=verdict, regions=(Region(0, 0, 4, 4, score, 16.0),) * place,
                   image_suffix=".png" if place % 2 else None)
        for place, (score, verdict) in enumerate(kinds)
    ])  # fmt: skip
    history = DecisionHistory(database, "screw", (3,))
    found = sorted(history.regions(_decision(4.0, 2.0)), key=lambda one: len(one.regions))
    assert [(one.before, one.after, one.score, len(one.regions), one.kept) for one in found] == [
        ("pass", "review", 3.0, 1, True), ("review", "pass", 1.0, 2, False),
        ("reject", "reject", 5.0, 3, True), ("reject", "reject", 5.0, 4, False),
    ]  # fmt: skip
    assert len(list(history.regions(_decision(4.0, 2.0), last=1))) == 1
    assert found[2].regions[0] == Region(0, 0, 4, 4, 5.0, 16.0)


def test_the_same_file_is_one_known_defect(database: Database, log: InspectionLog, inspection: Any) -> None:
    (number,) = log.add([inspection(1, score=2.0, image_digest="a" * 64)])
    log.give_feedback(number, NewFeedback("bad"))
    corrected = DecisionHistory(database, "screw", (3,)).corrected()
    more = corrected.with_defects([9.0, 1.0, 7.0], ["a" * 64, "b" * 64, None])
    assert more.bad.tolist() == [1.0, 2.0, 7.0] and more.bad_digests == ("b" * 64, "a" * 64, "")


def test_of_many_that_change_the_newest_100_are_named(
    database: Database, log: InspectionLog, inspection: Any
) -> None:
    numbers = log.add([inspection(place, verdict=Verdict.PASS, score=5.0) for place in range(130)])
    preview = DecisionHistory(database, "screw", (3,)).preview(_decision(4.0, 4.0))
    assert preview.changed == 130 and preview.changed_ids == tuple(numbers[:-101:-1])


@pytest.mark.parametrize("last", [0, 100_001])
def test_a_preview_of_too_many_is_refused(database: Database, last: int) -> None:
    with pytest.raises(UsageError, match="1 to 100,000"):
        DecisionHistory(database, "screw", (1,)).preview(_decision(1.0, 1.0), last)
