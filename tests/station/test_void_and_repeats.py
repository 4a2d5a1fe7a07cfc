"""What is void counts for nothing, repeats of one file are told, and a search finds what a person would look for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from blemish.core.errors import ConflictError, NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.audit import Action, AuditLog
from blemish.station.database import Database
from blemish.station.decision_history import DecisionHistory
from blemish.station.drift import DriftWatch
from blemish.station.gallery_changes import GalleryChanges
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter, NewFeedback, NewInspection
from blemish.station.review_queue import ReviewQueue
from blemish.station.shelf import InspectorShelf
from blemish.station.statistics import HistoryStatistics
from blemish.station.voiding import Voiding

Make = Callable[..., NewInspection]


@pytest.fixture
def voiding(database: Database, log: InspectionLog) -> Voiding:
    return Voiding(database, log, "here")


def test_void_is_marked_audited_and_in_no_rate(
    database: Database, log: InspectionLog, voiding: Voiding, inspection: Make
) -> None:
    numbers = log.add([inspection(number) for number in range(9)])
    for number in numbers:
        log.give_feedback(number, NewFeedback("bad"))
    rejected = numbers[2]
    record = voiding.void(rejected, "a hand in the picture", "anna")
    assert (record.void_reason, record.void_by) == ("a hand in the picture", "anna")
    assert record.voided is not None and record.voided.utcoffset() == timedelta(0)
    statistics = HistoryStatistics(database)
    summary = statistics.summary()
    assert (summary.n, summary.rejected) == (8, 2)
    assert sum(bucket.n for bucket in statistics.reject_rates()) == 8
    assert sum(bucket.n for bucket in statistics.score_trend()) == 8
    assert statistics.first_pass().n == 8
    assert len(DecisionHistory(database, "screw", [3]).corrected().bad) == 8
    assert [one.id for one in log.page().records] == numbers[::-1]
    assert [one.id for one in log.page(InspectionFilter(void=True)).records] == [rejected]
    assert rejected not in [one.id for one in log.page(InspectionFilter(void=False)).records]
    assert list(GalleryChanges(database, "here").oldest(10)) == [rejected]
    (entry,) = AuditLog(database).page().entries
    assert (entry.action, entry.by, entry.inspector) == (Action.VOID, "anna", "screw")
    assert entry.detail == {"inspection": rejected, "reason": "a hand in the picture"}

    back = voiding.take_back(rejected, "bert")
    assert (back.voided, back.void_reason, back.void_by) == (None, None, None)
    assert statistics.summary().n == 9
    assert AuditLog(database).page().entries[0].action == Action.TAKE_BACK_VOID


def test_void_is_refused_where_it_cannot_be(log: InspectionLog, voiding: Voiding, inspection: Make) -> None:
    (number,) = log.add([inspection()])
    for reason in ("", "  ", "two\nlines", "x" * 81):
        with pytest.raises(UsageError, match="reason"):
            voiding.void(number, reason)
    with pytest.raises(ConflictError, match="not void"):
        voiding.take_back(number)
    voiding.void(number, "trial")
    with pytest.raises(ConflictError, match="void already"):
        voiding.void(number, "trial")
    with pytest.raises(NotFoundError):
        voiding.void(number + 1, "trial")


def test_what_was_said_of_a_void_inspection_says_nothing_of_its_photograph(
    log: InspectionLog, voiding: Voiding, inspection: Make
) -> None:
    digest = inspection().image_digest
    (number,) = log.add([inspection()])
    log.give_feedback(number, NewFeedback("bad"))
    voiding.void(number, "trial")
    assert log.latest_feedback(digest) is None and not log.counts(digest)
    voiding.take_back(number)
    assert log.latest_feedback(digest) is not None and log.counts(digest)


def test_repeats_are_marked_and_left_out_on_wish(
    database: Database, log: InspectionLog, voiding: Voiding, inspection: Make
) -> None:
    same = {"image_digest": "a" * 64, "verdict": Verdict.REJECT}
    first, again, other = log.add([
        inspection(0, **same), inspection(1, **same), inspection(2, **same, inspector="nut"),
    ])  # fmt: skip
    (third,) = log.add([inspection(3, **same)])
    (unlike,) = log.add([inspection(4)])
    found = {record.id: record.repeat_of for record in log.records()}
    assert found == {first: None, again: first, other: None, third: first, unlike: None}
    statistics = HistoryStatistics(database)
    without = statistics.summary(InspectionFilter(inspector="screw", repeat=False))
    assert (without.n, without.rejected) == (2, 1)
    assert statistics.summary(InspectionFilter(inspector="screw")).rejected == 3
    assert [one.id for one in log.page(InspectionFilter(repeat=True)).records] == [third, again]

    voiding.void(first, "trial")  # the second is the first that counts
    assert [log.get(one).repeat_of for one in (first, again, third)] == [None, None, again]
    voiding.take_back(first)
    assert [log.get(one).repeat_of for one in (first, again, third)] == [None, first, first]


def test_what_is_logged_is_what_is_read(log: InspectionLog, inspection: Make) -> None:
    news = [inspection(number % 2, serial_number=f"S{number}") for number in range(4)]
    assert log.logged(news) == sorted(log.records(), key=lambda record: record.id)


def test_a_search_finds_names_serial_numbers_and_numbers(log: InspectionLog, inspection: Make) -> None:
    numbers = log.add([
        inspection(0, file_name="Left_100%.PNG", serial_number="SN-0042"), inspection(1, file_name="b.png"),
        inspection(2, file_name="c.png", inspector="nut"),
    ])  # fmt: skip

    def found(text: str, **more: object) -> list[int]:
        return [one.id for one in log.page(InspectionFilter(search=text, **more)).records]  # type: ignore[arg-type]

    assert found("left_") == found("0042") == found("sn-00") == found("100%") == [numbers[0]]
    assert found("a_b") == found("%%") == found("'; DROP TABLE inspections; --") == []
    assert found(".png") == numbers[::-1]
    assert found(".png", inspector="nut") == [numbers[2]]
    assert numbers[1] in found(str(numbers[1])) and found(f"#{numbers[1]}") == [numbers[1]]
    assert found(str(10**40)) == []
    assert log.count(InspectionFilter(search="left_")) == 1


def test_first_pass_counts_a_part_once(database: Database, log: InspectionLog, inspection: Make) -> None:
    part = {"serial_number": "A"}
    log.add([
        inspection(0, **part, verdict=Verdict.REJECT), inspection(1, **part, verdict=Verdict.PASS),
        inspection(2, **part, inspector="nut", verdict=Verdict.PASS), inspection(3, verdict=Verdict.PASS),
        inspection(3, verdict=Verdict.PASS), inspection(4, verdict=Verdict.REVIEW),
    ])  # fmt: skip
    found = HistoryStatistics(database).first_pass(InspectionFilter(inspector="screw"))
    assert (found.n, found.passed, found.reviewed, found.rejected) == (3, 1, 1, 1)


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_the_trend_of_scores_is_that_of_a_sorted_list(
    database: Database, log: InspectionLog, inspection: Make, bucket: str
) -> None:
    start = inspection().time
    news = [
        inspection(
            n, time=start + timedelta(minutes=7 * n), score=float(n * 37 % 101), threshold=90.0 + n / 100
        )
        for n in range(150)
    ]
    log.add([*news, inspection(999, verdict=Verdict.NOT_JUDGED, score=1e6)])
    span = timedelta(hours=1) if bucket == "hour" else timedelta(days=1)
    trend = HistoryStatistics(database).score_trend(bucket=bucket)  # type: ignore[arg-type]
    assert sum(one.n for one in trend) == 150
    for one in trend:
        inside = [new for new in news if one.start <= new.time < one.start + span]
        scores = sorted(new.score for new in inside)
        ranks = [-(-len(scores) * percent // 100) - 1 for percent in (5, 50, 95)]
        assert [one.low, one.median, one.high] == [scores[rank] for rank in ranks]
        assert one.threshold == max(new.threshold for new in inside)


def test_a_filter_does_not_touch_the_scope() -> None:
    which = InspectionFilter(
        inspector="screw", version=3, verdict=Verdict.REJECT, truth="bad", defect_type="dent", search="x",
        reviewed=True, void=True, repeat=False,
    )  # fmt: skip
    assert which.scope == InspectionFilter(inspector="screw", version=3, void=False, repeat=False)
    assert replace(which, repeat=True).scope.repeat is None


def test_the_queue_has_what_needs_a_person_first(
    database: Database, log: InspectionLog, voiding: Voiding, inspection: Make, tmp_path: Path
) -> None:
    digest = "b" * 64
    numbers = log.add([
        inspection(0, verdict=Verdict.REJECT), inspection(1, verdict=Verdict.REVIEW),
        inspection(2, verdict=Verdict.NOT_JUDGED, reason="much darker"), inspection(3, verdict=Verdict.PASS),
        inspection(4, verdict=Verdict.PASS, image_digest=digest),
        inspection(5, verdict=Verdict.REJECT, image_digest=digest),
        inspection(6, verdict=Verdict.REJECT, inspector="nut"),
    ])  # fmt: skip
    log.give_feedback(numbers[5], NewFeedback("bad"))
    queue = ReviewQueue(database, DriftWatch(database, InspectorShelf(Home(tmp_path / "home"), database)))
    page = queue.page("screw")
    assert [(one.record.id, one.kind) for one in page.waiting] == [
        (numbers[1], "review"), (numbers[4], "contradiction"), (numbers[2], "not judged"), (numbers[0], "reject"),
    ]  # fmt: skip
    assert "much darker" in page.waiting[2].reason
    assert str(numbers[5]) in page.waiting[1].reason and "defective" in page.waiting[1].reason
    assert page.counts["reject"] == page.counts["review"] == page.counts["contradiction"] == 1
    assert queue.for_review() == {"screw": 1}
    log.give_feedback(numbers[1], NewFeedback("good"))
    voiding.void(numbers[0], "trial")
    assert queue.for_review() == {}
    assert [one.record.id for one in queue.page("screw").waiting] == [numbers[4], numbers[2]]
    assert len(queue.page("screw", limit=1).waiting) == 1
    with pytest.raises(UsageError):
        queue.page("screw", limit=0)
