"""A version judges beside a station's line, goes on after `kill -9`, and takes over."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from station_process import Line, wait_until

from blemish.line.runtime import Inspector
from blemish.station.database import Database
from blemish.station.shelf import InspectorShelf


def test_a_version_beside_a_station_goes_on_after_kill_9_and_takes_over(
    tmp_path: Path, fitted: Path, washers: Path, blemish: Callable[..., Any]
) -> None:
    line = Line(tmp_path, fitted)
    inspector = Inspector.load(fitted)
    by_score = sorted((washers / "test").rglob("*.png"), key=lambda path: inspector.inspect(path).score)
    photographs = [*by_score[-4:], *by_score[:6]]
    changed = tmp_path / "changed.blemish"
    assert blemish("decide", fitted, "--out", changed, "--threshold", 1e6).status == 0
    at_home = ("--home", line.home.path)

    def lay(first: int, count: int) -> None:
        for number in range(first, first + count):
            shutil.copy(photographs[number], line.incoming / f"{number:04d}.png")

    def report() -> Any:
        return blemish("shadow", "washer", *at_home, "--json").document

    with line.running():
        database = Database(line.home.database_url)
        assert InspectorShelf(line.home, database).add(changed, "washer").version == 2
        database.close()
        # Of 9 parts all verdicts may differ but one, and good ones do not.
        begun = blemish(
            "shadow", "washer", "--version", 2, "--parts", 9, "--most-differences", 8, *at_home, "--json"
        )
        assert begun.status == 0, begun.stderr
        wait_until(lambda: "beside version 1" in line.log_text, 20)
        lay(0, 4)
        wait_until(lambda: report()["n"] == 4, 30)
    with line.running():
        lay(4, 5)
        wait_until(lambda: report()["ended"] is not None, 60)
        wait_until(lambda: line.status["version"] == 2, 10)
        lay(9, 1)
        wait_until(lambda: line.judged()["0009.png"] == 1)
    found = report()
    assert (found["outcome"], found["n"], found["passed_over"]) == ("taken-over", 9, 0)
    assert 0 < found["differences"] <= 8
    assert line.query("SELECT version, count(*) FROM inspections GROUP BY version ORDER BY version") == [
        (1, 9),
        (2, 1),
    ]
    assert line.query("SELECT DISTINCT verdict FROM shadow_verdicts") == [("pass",)]
