"""What is kept of a version beside the active one, in both databases, against the same counted by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from blemish.core.errors import ConflictError, NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.audit import AuditLog
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.station.shadow_report import Ending, Share
from blemish.station.shadows import Shadows, ShadowVerdict
from blemish.station.shelf import InspectorShelf
from blemish.station.voiding import Voiding

VERDICTS = (Verdict.PASS, Verdict.REJECT, Verdict.REVIEW, Verdict.NOT_JUDGED)


@pytest.fixture
def shelf(database: Database, tmp_path: Path, fitted: Path, blemish: Callable[..., object]) -> InspectorShelf:
    """Two versions of `washer`, of which the first one judges."""
    changed = tmp_path / "changed.blemish"
    blemish("decide", fitted, "--out", changed, "--false-reject-rate", 0.2)
    shelf = InspectorShelf(Home(tmp_path / "home"), database)
    for path in (fitted, changed):
        shelf.add(path, "washer")
    shelf.activate("washer", 1)
    return shelf


def test_a_report_is_what_counting_by_hand_gives(
    database: Database, shelf: InspectorShelf, inspection: Callable[..., NewInspection]
) -> None:
    chance, log, shadows = random.Random(7), InspectionLog(database), Shadows(database, shelf)
    log.add([inspection(0, inspector="washer", version=1)])
    shadow = shadows.begin("washer", 2, 60, by="anna")
    numbers = log.add(
        [
            inspection(n, inspector=("washer", "nut")[n % 7 == 6], version=1, verdict=chance.choice(VERDICTS))
            for n in range(1, 60)
        ]
    )
    records = [log.get(number) for number in numbers]
    mine = [one for one in records if one.inspector == "washer"]
    judged = [one for one in mine[:-5] if chance.random() < 0.8]
    said = {one.id: chance.choice(VERDICTS) for one in judged}
    for start in range(0, len(judged), 9):
        some = judged[start : start + 9]
        shadows.keep(shadow, [ShadowVerdict(one.id, 1.5, 2.5, said[one.id]) for one in some])
    for one in chance.sample(judged, 12):
        log.give_feedback(one.id, NewFeedback(chance.choice(("good", "bad"))))
    void = judged[3]
    Voiding(database, log).void(void.id, "askew")

    counted = [log.get(one.id) for one in judged if one.id != void.id]
    report = shadows.report(shadow)
    assert {(one.active, one.shadow): one.n for one in report.met} == Counter(
        (one.verdict, said[one.id]) for one in counted
    )
    for truth in ("good", "bad"):
        of = [one for one in counted if one.truth == truth]
        assert report.corrected(truth) == (
            len(of),
            sum(one.verdict is Verdict.REJECT for one in of),
            sum(said[one.id] is Verdict.REJECT for one in of),
        )
    differing = [one.id for one in counted if one.verdict is not said[one.id]]
    assert report.differences == len(differing) and report.n == len(counted) and not report.ready
    last = max(one.id for one in judged)
    assert report.passed_over == sum(one.id <= last for one in mine) - len(judged)
    assert report.waiting == sum(one.id > last for one in mine)

    found, cursor = [], None
    while True:
        page = shadows.differences(shadow, 4, cursor)
        found += page.found
        if (cursor := page.next_cursor) is None:
            break
    assert [one.record.id for one in found] == sorted(differing, reverse=True)
    assert all(
        one.said.verdict is said[one.record.id] and one.record == log.get(one.record.id) for one in found
    )


def test_one_at_a_time_and_each_ending_once(database: Database, shelf: InspectorShelf) -> None:
    shadows = Shadows(database, shelf)
    with pytest.raises(NotFoundError):
        shadows.report_of("washer")
    first = shadows.begin("washer", 2, 5, most_differences=0, by="anna")
    with pytest.raises(ConflictError):
        shadows.begin("washer", 2, 5)
    assert [one.id for one in shadows.running()] == [first.id]
    assert shadows.end(first, Ending.COMPLETE, "anna").shadow.outcome is Ending.COMPLETE
    assert shadows.end(first, Ending.FAILED, "bert").shadow.outcome is Ending.COMPLETE, "the first word stays"
    assert shadows.running() == []
    second = shadows.begin("washer", 2, 5)
    assert shadows.stop("washer", "bert").shadow.id == second.id
    with pytest.raises(NotFoundError):
        shadows.stop("washer")
    for wrong in ({"parts": 0}, {"parts": 3, "most_differences": 3}, {"version": 1}):
        with pytest.raises(UsageError):
            shadows.begin("washer", **({"version": 2, "parts": 5} | wrong))
    told = [(one.action, one.by) for one in AuditLog(database).page("washer").entries]
    assert told[:4] == [
        ("end-shadow", "bert"),
        ("begin-shadow", "local"),
        ("end-shadow", "anna"),
        ("begin-shadow", "anna"),
    ]


@pytest.mark.parametrize(("count", "n"), [(0, 500), (3, 500), (7, 9), (12, 12), (1, 1)])
def test_intervals_are_those_of_clopper_and_pearson(count: int, n: int) -> None:
    beta = pytest.importorskip("scipy.stats").beta
    low, high = Share(count, n).interval or (None, None)
    assert low == pytest.approx(beta.ppf(0.025, count, n - count + 1) if count else 0)
    assert high == pytest.approx(beta.ppf(0.975, count + 1, n - count) if count < n else 1)
    assert Share(0, 0).interval is None and Share(0, 0).rate is None
