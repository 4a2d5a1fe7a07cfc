"""Drift of what is in the log: told with what moved, the same after a restart and in every process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from test_audit import write_decided
from test_shelf import SCORES, write_inspector

from blemish.core.errors import NotFoundError
from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.station.audit import AuditLog
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.drift_tests import DriftTests, InspectedPart
from blemish.station.drift_words import Moved
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.station.schema import DriftRow
from blemish.station.shelf import InspectorShelf

Make = Callable[..., NewInspection]
PARTS = 250


@pytest.fixture
def shelf(database: Database, tmp_path: Path) -> InspectorShelf:
    """With an active inspector `screw`, version 1."""
    found = InspectorShelf(Home(tmp_path / "home"), database)
    found.add(write_inspector(tmp_path / "a.blemish"))
    found.activate("screw", 1)
    return found


def parts(inspection: Make, n: int, seed: int = 0, start: int = 0, **factors: float) -> list[NewInspection]:
    """Passed parts, one a second, their scores drawn from the calibration's; a factor changes one of their numbers."""
    rng = np.random.default_rng(seed)
    scores = rng.choice(SCORES, n) * factors.get("score", 1.0)
    p_values = (1 + len(SCORES) - np.searchsorted(SCORES, scores)) / (1 + len(SCORES))
    numbers = rng.normal(100, 4, (n, len(STATISTICS))) * [factors.get(name, 1.0) for name in STATISTICS]
    return [
        inspection(
            start + k, version=1, verdict=Verdict.PASS, score=float(scores[k]), p_value=float(p_values[k]),
            photograph_statistics=dict(zip(STATISTICS, numbers[k].tolist(), strict=True)),
        )
        for k in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "before,now,said",
    [
        (12.0, 13.7, "the contrast has risen by 14.2% (from 12 to 13.7)"),
        (0.995, 0.99532, "the contrast has risen by 0.03% (from 0.995 to 0.9953)"),
        (0.995, 0.994999, "the contrast has fallen by 0.0001% (from 0.995 to 0.994999)"),
        (0.0, 1.0, "the contrast has risen (from 0 to 1)"),
        (0.995, 0.995, "the contrast has risen in more parts than by chance, with the median still at 0.995"),
    ],
)
def test_a_change_is_told_with_as_many_digits_as_show_it(before: float, now: float, said: str) -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC)
    moved = Moved("contrast", since=at, told=at, rising=now >= before, before=before, now=now)
    assert moved.what == said


def test_without_an_active_inspector_there_is_no_drift(database: Database, tmp_path: Path) -> None:
    shelf = InspectorShelf(Home(tmp_path / "home"), database)
    watch = DriftWatch(database, shelf)
    for ask in (watch.drift, watch.learn_anew):
        with pytest.raises(NotFoundError, match="no active inspector"):
            ask("screw")


def test_it_learns_and_then_is_steady(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    watch = DriftWatch(database, shelf)
    assert watch.drift("screw").state == "learning" and watch.drift("screw").n == 0
    log.add(parts(inspection, 60))
    learning = watch.drift("screw")
    assert (learning.state, learning.n, learning.n_passed) == ("learning", 60, 60)
    assert learning.message == "What is normal is being learnt: 60 of 100 parts."
    log.add(parts(inspection, 600, seed=1, start=60))
    steady = watch.drift("screw")
    assert (steady.state, steady.n, steady.moved) == ("steady", 660, ())
    assert steady.message == "Nothing has changed in 660 parts."
    assert [one.statistic for one in steady.statistics] == ["score", *STATISTICS, "calibration"]
    by_name = {one.statistic: one for one in steady.statistics}
    assert by_name["brightness"].before == pytest.approx(100, abs=1)
    assert all(0 <= one.evidence < 1 for one in steady.statistics)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"brightness": 0.91}, r"The brightness has fallen by (8|9|10)\.\d% \(from [\d.]+ to [\d.]+\) since 2026"),
        ({"focus": 1.1}, r"The sharpness has risen by (8|9|10)\.\d%"),
        ({"horizontal": 1.1}, r"The part has moved right by \d+\.\d% of the width"),
        ({"vertical": 0.9}, r"The part has moved up by"),
        ({"warmth": 0.9}, r"Red light relative to blue has fallen"),
        ({"score": 1.6}, r"(The anomaly scores of passed parts have risen|Good parts score higher than the calib)"),
    ],
)  # fmt: skip
def test_what_moved_is_told_with_how_much_and_since_when(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make,
    changed: dict[str, float], said: str,
) -> None:  # fmt: skip
    watch = DriftWatch(database, shelf)
    log.add(parts(inspection, PARTS))
    assert watch.drift("screw").state == "steady"
    log.add(parts(inspection, 150, seed=1, start=PARTS, **changed))
    drift = watch.drift("screw")
    assert drift.state == "drifted"
    assert re.search(said, drift.message), drift.message
    assert {one.statistic for one in drift.moved} <= {*changed, "calibration"}
    begun = inspection(PARTS).time
    assert (
        abs(drift.moved[0].since - begun)
        < timedelta(minutes=1)
        < drift.moved[0].told - begun + timedelta(minutes=1)
    )


def test_other_versions_and_parts_found_bad_say_nothing(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    log.add(parts(inspection, PARTS))
    others = [replace(one, version=2) for one in parts(inspection, 200, start=PARTS, brightness=0.5)]
    log.add([*others, *(replace(one, version=1, inspector="nut") for one in others)])
    for number in log.add(parts(inspection, 60, start=600, brightness=0.5, score=9)):
        log.give_feedback(number, NewFeedback("bad"))
    drift = DriftWatch(database, shelf).drift("screw")
    assert (drift.state, drift.n) == ("steady", PARTS)


def test_scores_of_rejected_parts_say_nothing_and_their_light_does(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    """Where the lamp goes out no part passes any more."""
    log.add(parts(inspection, PARTS))
    dark = parts(inspection, 60, seed=1, start=PARTS, brightness=0.2, score=9)
    log.add([replace(one, verdict=Verdict.REJECT) for one in dark])
    drift = DriftWatch(database, shelf).drift("screw")
    assert (drift.n, drift.n_passed) == (PARTS + 60, PARTS)
    assert [one.statistic for one in drift.moved] == ["brightness"]


def test_a_restart_and_another_process_know_the_same(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    first, second = DriftWatch(database, shelf), DriftWatch(database, shelf)
    log.add(parts(inspection, 700))
    first.drift("screw")
    log.add(parts(inspection, 40, seed=1, start=700, brightness=0.9))
    told = first.drift("screw")
    with database.session() as session:
        kept = session.scalars(select(DriftRow)).one()
        assert kept.read_up_to >= 500 and json.dumps(kept.tests, allow_nan=False)
    assert told == second.drift("screw") == DriftWatch(database, shelf).drift("screw")
    log.add(parts(inspection, 300, seed=2, start=740))
    again = second.drift("screw")
    assert again == first.drift("screw") == DriftWatch(database, shelf).drift("screw")
    assert again.state == "steady"


def test_of_two_inspectors_each_has_its_own_and_many_may_look_at_once(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make, tmp_path: Path
) -> None:
    shelf.add(write_inspector(tmp_path / "n.blemish", "nut", seed=1))
    shelf.activate("nut", 1)
    news = parts(inspection, PARTS)
    dark = [
        replace(one, inspector="nut") for one in parts(inspection, 80, seed=1, start=PARTS, brightness=0.8)
    ]
    log.add([*news, *(replace(one, inspector="nut") for one in news), *dark])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: DriftWatch(database, shelf).drift(name), ["screw", "nut"] * 4))
    assert {(one.inspector, one.state, one.n) for one in found} == {
        ("screw", "steady", PARTS),
        ("nut", "drifted", 330),
    }
    with database.session() as session:
        assert sorted(session.scalars(select(DriftRow.name))) == ["nut", "screw"]


def test_what_is_kept_by_another_version_is_read_anew(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    log.add(parts(inspection, 600))
    expected = DriftWatch(database, shelf).drift("screw")
    for broken in ({}, {"n": "many"}, {"n": [1, 1], "calibration": {"shiryaev_roberts": [1]}}):
        with database.transaction() as session:
            session.scalars(select(DriftRow)).one().tests = broken
        assert DriftWatch(database, shelf).drift("screw") == expected


def test_a_person_may_let_it_learn_anew(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    watch, other = DriftWatch(database, shelf), DriftWatch(database, shelf)
    log.add(parts(inspection, PARTS))
    log.add(parts(inspection, 60, start=PARTS, brightness=1.2))
    assert watch.drift("screw").state == other.drift("screw").state == "drifted"
    assert watch.learn_anew("screw", "anna", "new lamp").state == "learning"
    entry = AuditLog(database).page("screw").entries[0]
    assert (entry.action, entry.by, entry.version_before, entry.version_after) == ("learn-anew", "anna", 1, 1)
    assert entry.detail["note"] == "new lamp" and "brightness has risen" in entry.detail["before"]["message"]
    assert other.drift("screw").n == DriftWatch(database, shelf).drift("screw").n == 0
    log.add(parts(inspection, 600, start=400, brightness=1.2))
    for asked in (watch, other, DriftWatch(database, shelf)):
        assert (asked.drift("screw").state, asked.drift("screw").n) == ("steady", 600)


def decided_parts(inspection: Make, n: int, begins: int, decided: int, review: float) -> list[NewInspection]:
    """Parts whose light and scores move from one on until 200 later; from another on a second decision judges."""
    fade = np.clip((np.arange(n) - begins) / 200, 0, 1)
    found = []
    for k, new in enumerate(parts(inspection, n)):
        version, up_to = (1, 20.0) if k < decided else (2, review)
        score = new.score * (1 + 0.4 * fade[k])
        light = new.photograph_statistics["brightness"] * (1 - 0.2 * fade[k])
        found.append(
            replace(
                new, version=version, score=score, threshold=20.0, review_threshold=up_to,
                verdict=Verdict.PASS if score <= up_to else Verdict.REVIEW,
                photograph_statistics={**new.photograph_statistics, "brightness": light},
            )
        )  # fmt: skip
    return found


@pytest.mark.parametrize(("review", "begins"), [(3.0, 300), (40.0, 300), (3.0, 9999)])
def test_a_changed_decision_is_no_change_and_hides_none(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make, tmp_path: Path,
    review: float, begins: int,
) -> None:  # fmt: skip
    """A fade that begins before a decision and ends after it is told as if none had been made."""
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.upgrade()
    undecided = InspectorShelf(Home(tmp_path / "other"), other)
    for one in (shelf, undecided):
        one.add(write_decided(tmp_path / "b.blemish"))
        one.add(write_decided(tmp_path / "c.blemish", rate=0.05))
        one.activate("screw", 2)
    first, second = (
        replace_versions(decided_parts(inspection, 540, begins, at, review)) for at in (340, 9999)
    )
    watch = DriftWatch(database, shelf)
    log.add(first[:340])
    watch.drift("screw")
    shelf.activate("screw", 3)
    log.add(first[340:])
    InspectionLog(other).add(second)
    found, expected = watch.drift("screw"), DriftWatch(other, undecided).drift("screw")
    assert found == replace(expected, version=3) == DriftWatch(database, shelf).drift("screw")
    assert found.n == 540 and [one.statistic for one in found.moved][:1] == (
        ["brightness"] if begins < 700 else []
    )
    assert ("score" in [one.statistic for one in found.moved]) == (begins < 700)
    assert shelf.roll_back("screw").version == 2 and watch.drift("screw") == expected
    other.close()


def replace_versions(news: list[NewInspection]) -> list[NewInspection]:
    """The same by versions 2 and 3 instead of 1 and 2."""
    return [replace(one, version=one.version + 1) for one in news]


def test_another_door_looks_with_the_settings_of_the_server(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    server = DriftWatch(database, shelf, parts_per_false_alarm=5000, batch=7)
    server.drift("screw")
    log.add(parts(inspection, 60))
    beside = DriftWatch(database, shelf, None, None).drift("screw")
    assert beside.parts_per_false_alarm == 5000
    assert beside == server.drift("screw") and beside.message.endswith("60 of 140 parts.")


def test_what_an_earlier_blemish_has_kept_goes_on(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    """Its states do not say which parts passed, and each decision had one of its own."""
    log.add(parts(inspection, 600))
    expected = DriftWatch(database, shelf).drift("screw")
    with database.transaction() as session:
        row = session.scalars(select(DriftRow)).one()
        row.tests = {
            name: value
            for name, value in row.tests.items()
            if name not in ("passes_up_to", "parts_per_false_alarm")
        }
    watch = DriftWatch(database, shelf)
    assert watch.drift("screw") == expected
    assert watch._known["screw", 1].tests.passes_up_to == 2.3


def test_photographs_of_before_statistics_were_kept_are_read_by_their_scores(
    shelf: InspectorShelf, database: Database, log: InspectionLog, inspection: Make
) -> None:
    log.add([replace(one, photograph_statistics={}) for one in parts(inspection, PARTS)])
    log.add(parts(inspection, 120, start=PARTS, score=2.5))
    drift = DriftWatch(database, shelf).drift("screw")
    assert {one.statistic for one in drift.moved} == {"score", "calibration"}


def observed(tests: DriftTests, news: list[NewInspection]) -> set[str]:
    """What the tests tell of these parts, at any time."""
    told: set[str] = set()
    for number, new in enumerate(news, 1):
        part = InspectedPart(number, new.time, new.verdict, new.score, new.p_value, new.photograph_statistics)
        if tests.observe(part):
            told |= {name for name, test in tests.changes.items() if test.change}
            told |= {"calibration"} if tests.calibration.change else set()
    return told


def test_of_twenty_runs_without_drift_none_or_one_alarms(inspection: Make) -> None:
    alarms = [observed(DriftTests(len(SCORES)), parts(inspection, 300, seed=seed)) for seed in range(20)]
    assert sum(map(bool, alarms)) <= 1


def test_pallets_that_differ_are_no_drift_where_their_size_is_known(inspection: Make) -> None:
    pallet, n = 10, 1200
    levels = np.repeat(np.random.default_rng(3).normal(0, 6, n // pallet), pallet)
    dark = np.r_[np.zeros(600), np.full(n - 600, -12.0)]

    def line(of: np.ndarray) -> list[NewInspection]:  # type: ignore[type-arg]
        return [
            replace(new, photograph_statistics={"brightness": new.photograph_statistics["brightness"] + add})
            for new, add in zip(parts(inspection, n), of, strict=True)
        ]

    assert observed(DriftTests(len(SCORES)), line(levels)) == {"brightness"}
    assert observed(DriftTests(len(SCORES), batch=pallet), line(levels)) == set()
    assert observed(DriftTests(len(SCORES), batch=pallet), line(levels + dark)) == {"brightness"}


@pytest.mark.parametrize("batch", [1, 7])
def test_the_kept_state_goes_on_as_if_nothing_had_been(inspection: Make, batch: int) -> None:
    news = parts(inspection, 250) + parts(inspection, 60, start=250, focus=1.3)
    whole, first, second = (DriftTests(len(SCORES), batch=batch) for _ in range(3))
    for number, new in enumerate(news, 1):
        part = InspectedPart(number, new.time, new.verdict, new.score, new.p_value, new.photograph_statistics)
        whole.observe(part)
        (first if number <= 303 else second).observe(part)
        if number == 303:
            assert second.read(json.loads(json.dumps(first.to_json())))
    assert second.to_json() == whole.to_json()
    assert not DriftTests(len(SCORES), batch=batch + 1).read(whole.to_json())
