"""The thread that judges beside the line: only while the line has time to spare, and what is passed over is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from blemish.core.images import DecodeLimits
from blemish.line.runtime import Inspector
from blemish.station import shadow as shadow_module
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord, NewInspection
from blemish.station.schema import INSPECTIONS, ShadowVerdictRow
from blemish.station.shadow import ShadowJudge
from blemish.station.shadows import Shadows
from blemish.station.shelf import InspectorShelf


def wait_until(found: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_waits_for_the_line_and_counts_what_it_passes_over(
    tmp_path: Path, fitted: Path, washers: Path, blemish: Callable[..., object],
    inspection: Callable[..., NewInspection], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(shadow_module, "_MOST_WAITING", 5)
    home = Home(tmp_path / "home")
    database = Database(home.database_url)
    database.upgrade()
    shelf, log = InspectorShelf(home, database), InspectionLog(database)
    changed = tmp_path / "changed.blemish"
    blemish("decide", fitted, "--out", changed, "--threshold", 1e6)
    for path in (fitted, changed):
        shelf.add(path, "washer")
    shelf.activate("washer", 1)
    shadows, idle = Shadows(database, shelf), False
    judge = ShadowJudge(shadows, shelf, DecodeLimits(), lambda: idle, lambda *_: None)
    paths = sorted((washers / "test").rglob("*.png"))[:10]

    def logged(path: Path) -> tuple[Photograph, InspectionRecord]:
        content = path.read_bytes()
        new = inspection(1, inspector="washer", version=1, image_digest=sha256(content).hexdigest())
        return Photograph(content, path.name), log.logged([new])[0]

    before = logged(paths[9])
    shadow = shadows.begin("washer", 2, 50)
    judge.start()
    try:
        wait_until(lambda: judge.inspectors == {"washer"})
        assert not judge.offer(*before), "of before it began"
        assert not judge.offer(*logged(paths[9])), "a repeat says nothing new"
        assert [judge.offer(*logged(path)) for path in paths[:8]] == [True] * 5 + [False] * 3
        time.sleep(1.5)  # longer than it looks for something else to do
        assert shadows.count(shadow) == 0 and judge.waiting == 5, "the line was busy all the time"
        idle = True
        wait_until(lambda: shadows.count(shadow) == 5)
        assert judge.offer(*logged(paths[8]))
        wait_until(lambda: judge.waiting == 0)
    finally:
        judge.stop()
    report = shadows.report(shadow)
    assert (report.n, report.passed_over, report.waiting) == (6, 3, 0), (
        "what was judged last is kept at the end"
    )
    assert "3 more parts were passed over" in report.message
    by_hand = Inspector.load(changed)
    with database.session() as session:
        said = session.execute(
            select(INSPECTIONS.c.image_digest, ShadowVerdictRow.score)
            .join(ShadowVerdictRow, ShadowVerdictRow.inspection_id == INSPECTIONS.c.id)
            .order_by(ShadowVerdictRow.inspection_id)
        ).all()
    judged = [*paths[:5], paths[8]]
    assert [digest for digest, _ in said] == [sha256(path.read_bytes()).hexdigest() for path in judged]
    scores = [by_hand.inspect(path).score for path in judged]
    assert [score for _, score in said] == pytest.approx(scores, rel=1e-4)
    database.close()
