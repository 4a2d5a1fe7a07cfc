"""Insight: each number against counting by hand, and a simulated history whose story has to be found."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.core.spans import moment_of, span_of
from blemish.core.types import Region, Verdict
from blemish.gallery.clusters import Cluster
from blemish.gallery.defect import Defect
from blemish.station.audit import Action, AuditLog, Change, note_change
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.home import Home
from blemish.station.insight.changes import ProcessChange, changes, near
from blemish.station.insight.comparison import compared
from blemish.station.insight.counts import defective_parts, hour_counts
from blemish.station.insight.documents import document, table
from blemish.station.insight.findings import findings
from blemish.station.insight.insight import Insight, insight
from blemish.station.insight.kinds import new_kinds
from blemish.station.insight.pareto import NOT_NAMED, pareto
from blemish.station.insight.places import gatherings, place_map
from blemish.station.insight.reading import span
from blemish.station.insight.report import render_body, render_report
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter, NewFeedback, NewInspection
from blemish.station.shelf import InspectorShelf
from blemish.station.voiding import Voiding

Make = Callable[..., NewInspection]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "b", "c"])), max_size=40))
def test_bars_are_counts_and_end_at_all(named: list[tuple[str | None, str | None]]) -> None:
    bars = pareto(named)
    expected = Counter(people or inspector or NOT_NAMED for people, inspector in named)
    assert {bar.defect_type: bar.count for bar in bars} == expected
    assert sum(bar.by_people for bar in bars) == sum(people is not None for people, _ in named)
    counts = [bar.count for bar in bars if bar.defect_type != NOT_NAMED]
    assert counts == sorted(counts, reverse=True)
    assert not bars or bars[-1].cumulative_share == pytest.approx(1)


def test_of_groups_that_are_alike_hardly_ever_one_differs() -> None:
    chance = np.random.default_rng(5)
    wrong = 0
    for _ in range(200):
        groups = {str(number): (400, int(chance.binomial(400, 0.05))) for number in range(12)}
        found = compared(groups)
        wrong += any(one.differs for one in found)
        assert all(one.low <= one.rate <= one.high for one in found)
    assert wrong / 200 <= 0.08
    found = compared({"good": (900, 9), "bad": (300, 15), "none": (0, 0)})
    assert [one.name for one in found if one.differs] == ["good", "bad"] and len(found) == 2
    assert found[1].others == pytest.approx(0.01)
    assert not any(one.differs for one in compared({"good": (900, 9), "bad": (300, 15)}, spread=3))
    assert [one.p_value for one in compared({"alone": (10, 5)})] == [1.0]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=50))
def test_a_map_counts_each_defect_once_where_it_is(points: list[tuple[float, float]]) -> None:
    cells = place_map(points, 6)
    expected = Counter((min(5, int(6 * y)), min(5, int(6 * x))) for x, y in points)
    assert cells.sum() == len(points)
    assert {
        (down, across): int(cells[down, across]) for down, across in zip(*np.nonzero(cells), strict=True)
    } == expected


def test_a_place_at_which_defects_gather_is_told_with_where_it_is() -> None:
    chance = np.random.default_rng(6)
    before = [(float(x), float(y)) for x, y in chance.random((150, 2))]
    same = [(float(x), float(y)) for x, y in chance.random((60, 2))]
    assert gatherings(before, same) == [] == gatherings([], same)
    corner = [(0.9, 0.05)] * 25
    found = gatherings(before, same + corner)
    assert len(found) == 1 and found[0].where == "at the top right" and found[0].count >= 25


def test_a_kind_is_new_if_nobody_has_named_it_and_it_begins_in_the_span() -> None:
    def cluster(days: list[int], name: str | None = None) -> Cluster:
        defects = [
            Defect("screw", name, NOON + timedelta(days=day), "screw", f"{day}", inspection_id=day)
            for day in days
        ]
        return Cluster(1, "screw", tuple(defects))

    clusters = [cluster([3, 4, 5, 6, 7]), cluster([1, 4, 5]), cluster([4, 5, 6], "dent"), cluster([9, 11])]
    found = new_kinds(clusters, NOON + timedelta(days=2), NOON + timedelta(days=9))
    assert [(one.count, one.inspections) for one in found] == [(5, (3, 4, 5, 6, 7))]
    assert "2026-05-07 12:00" in found[0].sentence


def test_what_changed_for_the_line_is_told_and_nothing_else(database: Database, tmp_path: Path) -> None:
    made = [
        Change(action=Action.ADD, by="anna", inspector="screw", version_after=1),
        Change(action=Action.ACTIVATE, by="anna", inspector="screw", version_after=1),
        Change(action=Action.ACTIVATE, by="anna", inspector="nut", version_after=9),
        Change(action=Action.NARROW, by="ben", inspector="screw", version_after=2),
        Change(
            action=Action.LEARN, by="ben", inspector="screw", version_after=3, detail={"activated": False}
        ),
        Change(action=Action.LEARN, by="ben", inspector="screw", version_after=4, detail={"activated": True}),
        Change(action=Action.ROLL_BACK, by="cleo", inspector="screw", version_before=4, version_after=1),
    ]
    with database.transaction() as session:
        for one in made:
            note_change(session, one)
    watch = DriftWatch(database, InspectorShelf(Home(tmp_path / "home"), database))
    now = datetime.now(UTC)
    day = timedelta(days=1)
    told = changes(AuditLog(database), watch, "screw", now - day, now + day)
    assert [(one.kind, one.what, one.by) for one in told] == [
        ("version", "version 1 judges", "anna"),
        ("version", "learnt from corrections, as version 4", "ben"),
        ("version", "rolled back to version 1", "cleo"),
    ]
    assert changes(AuditLog(database), watch, "screw", now - 2 * day, now - day) == []
    later = ProcessChange(now + day, "drift", "later")
    assert list(near([*told, later], now + timedelta(hours=23), timedelta(hours=3))) == [later]


def test_counts_and_places_agree_with_the_records(
    database: Database, log: InspectionLog, inspection: Make
) -> None:
    chance = np.random.default_rng(7)
    numbers = log.add(
        [
            inspection(
                n,
                time=NOON + timedelta(minutes=7 * n),
                verdict=list(Verdict)[int(chance.integers(4))],
                shift=(None, "early", "late")[n % 3],
                batch=f"L{n // 20}",
                camera="top",
                regions=(Region(0, 0, 10, 10, 1.0), Region(700, 300, 100, 90, 2.0, peak=(768, 384)))
                if n % 2
                else (),
            )
            for n in range(200)
        ]
    )
    for number in numbers[::5]:
        log.give_feedback(number, NewFeedback("good") if number % 2 else NewFeedback("bad", "dent"))
    Voiding(database, log, None).void(numbers[3], "a trial", "anna")
    which = InspectionFilter(NOON, NOON + timedelta(hours=20), "screw")
    records = [one for one in log.records(which) if one.voided is None]
    judged = [one for one in records if one.verdict is not Verdict.NOT_JUDGED]
    counts = hour_counts(database, which)
    assert sum(one.n for one in counts) == len(judged)
    by = Counter(
        (one.time.replace(minute=0, second=0, microsecond=0), one.shift, one.batch) for one in judged
    )
    assert {(one.start, one.shift, one.batch): one.n for one in counts} == by
    assert sum(one.rejected for one in counts) == sum(one.verdict is Verdict.REJECT for one in judged)
    parts = defective_parts(database, which)
    defective = [
        one for one in records if one.truth == "bad" or (one.verdict is Verdict.REJECT and one.truth is None)
    ]
    assert [one.id for one in parts] == [one.id for one in defective]
    for part, record in zip(parts, defective, strict=True):
        assert part.place == ((0.75, 0.5) if record.regions else None)
    found = insight(database, which)
    assert (found.n, found.rejected) == (len(judged), sum(one.rejected for one in counts))
    late = insight(database, InspectionFilter(NOON, NOON + timedelta(hours=20), "screw", shift="late"))
    assert late.n == sum(one.shift == "late" for one in judged)


def test_days_are_those_of_the_clock_that_was_asked_for(
    database: Database, log: InspectionLog, inspection: Make
) -> None:
    log.add([inspection(n, time=NOON + timedelta(hours=n)) for n in range(240)])
    which = InspectionFilter(NOON, NOON + timedelta(hours=240), "screw")
    for name in ("UTC", "America/New_York"):
        zone = ZoneInfo(name)
        expected = Counter((NOON + timedelta(hours=n)).astimezone(zone).date() for n in range(240))
        found = insight(database, which, zone=zone)
        assert {one.start.date(): one.n for one in found.points} == expected
        assert {one.name for one in found.groups["hour"]} == {f"{hour:02}:00" for hour in range(24)}


def story_module() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "simulated_history.py"
    found = importlib.util.spec_from_file_location("simulated_history", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["simulated_history"] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Insight, Insight]:
    """A simulated history, what is found in it, and in the days of the bad shift alone."""
    module = story_module()
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('told')}/history.db")
    database.upgrade()
    story = module.Story(NOON, NOON + timedelta(days=28))
    module.simulate(InspectionLog(database), "screw", story, per_hour=40, seed=1)
    lamp = ProcessChange(story.lamp, "drift", "the brightness has <fallen>")
    found = insight(database, InspectionFilter(NOON, story.end, "screw"), [lamp])
    closer = insight(database, InspectionFilter(story.at(0.12), story.at(0.22), "screw"))
    database.close()
    return story, found, closer


def test_the_story_of_a_history_is_found(told: tuple[Any, Insight, Insight]) -> None:
    story, found, closer = told
    day = timedelta(days=1)
    rising = [one for one in found.steps if one.rising]
    lamp = min(rising, key=lambda one: abs(one.since - story.lamp))
    assert abs(lamp.since - story.lamp) <= 1.5 * day
    assert [one.what for one in lamp.near] == ["the brightness has <fallen>"]
    last = rising[-1]
    assert abs(last.since - story.new_kind) <= 2 * day and last.until is None
    assert found.chart.mean == pytest.approx(0.012, rel=0.35)
    assert [one.name for one in closer.groups["shift"] if one.differs and one.rate > one.others] == ["night"]
    assert "Shift night" in " ".join(findings(closer)) and closer.bucket == "hour"
    assert not any(one.differs for one in found.groups["camera"])
    gathered = [one for week in found.weeks for one in week.gatherings]
    assert gathered and {one.where for one in gathered} == {"at the top right"}
    names = [bar.defect_type for bar in found.types]
    assert names[0] == "scratch" and names[-1] == NOT_NAMED
    said = " ".join(findings(found))
    for words in ("is higher since", "at the top right", "scratch", "<fallen>"):
        assert words in said


def test_document_table_and_report_say_the_same(told: tuple[Any, Insight, Insight]) -> None:
    _, found, _ = told
    told_json = json.loads(json.dumps(document(found), allow_nan=False))
    assert told_json["n"] == found.n == sum(one["n"] for one in told_json["points"])
    rows = list(csv.DictReader(io.StringIO(table(found))))
    sections = Counter(row["section"] for row in rows)
    assert sections["rate by day"] == len(found.points) and sections["batch"] == len(found.groups["batch"])
    assert sections["finding"] == len(told_json["findings"]) and sections["change"] == 1
    body = render_body(found, lambda number: "")
    assert "&lt;fallen&gt;" in body and "<fallen>" not in body
    assert (
        "<script" not in body
        and "style=" not in body
        and body.count("<svg") == 3 + len(found.weeks) + len(found.groups)
    )
    report = render_report(found)
    assert body in report
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", report)


def test_a_span_in_which_nothing_was_judged_is_said_so(database: Database) -> None:
    found = insight(database, InspectionFilter(NOON, NOON + timedelta(days=1), "screw"))
    assert json.dumps(document(found), allow_nan=False) and "Nothing was judged" in render_report(found)
    with pytest.raises(UsageError, match="span"):
        insight(database, InspectionFilter(NOON, NOON, "screw"))


def test_spans_are_written_as_people_do() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert span("7d", None, zone, NOON) == (NOON - timedelta(days=7), NOON)
    assert span("2026-05-01", "2026-05-02T06:00", zone, NOON) == (
        datetime(2026, 4, 30, 22, tzinfo=UTC),
        datetime(2026, 5, 2, 4, tzinfo=UTC),
    )
    assert (span_of("12h"), span_of("0d"), span_of("week")) == (timedelta(hours=12), None, None)
    for wrong in ("yesterday", "1066-10-14", "0d", ""):
        with pytest.raises(UsageError):
            moment_of(wrong, zone)
    with pytest.raises(UsageError, match="before it begins"):
        span("2026-05-03", "2026-05-02", zone, NOON)
