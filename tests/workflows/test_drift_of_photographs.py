"""Drift without a server: `blemish drift` on photographs, on results, and on a station's home, as in Python."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import blemish as bl
from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.station.audit import AuditLog
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection
from blemish.workflows.drift import DriftResult
from blemish.workflows.station import opened_station

Blemish = Callable[..., Any]
STEADY, DARK = 115, 35
RATE = ("--parts-per-false-alarm", 1000)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def darkening(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of good washers, 1.png to 150.png, the last 35 in 15 % less light; and one that is none."""
    out = tmp_path_factory.mktemp("darkening")
    rng = np.random.default_rng(0)
    good = [cv2.imread(str(path)) for path in sorted(washers.glob("*/good/*.png"))]
    for number in range(STEADY + DARK):
        light = (1.0 if number < STEADY else 0.85) * (1 + 0.02 * rng.standard_normal())
        image = good[int(rng.integers(len(good)))] * light + rng.normal(0, 1, good[0].shape)
        cv2.imwrite(str(out / f"{number + 1}.png"), image.clip(0, 255).astype(np.uint8))
    (out / "77b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return out


@pytest.fixture(scope="module")
def in_python(fitted: Path, darkening: Path) -> DriftResult:
    """What Python says of them."""
    return bl.drift(bl.load(fitted), darkening, parts_per_false_alarm=1000)


def test_a_folder_is_watched_in_the_order_of_its_names(
    fitted: Path, darkening: Path, in_python: DriftResult, blemish: Blemish
) -> None:
    shown = blemish("drift", fitted, darkening, *RATE)
    assert shown.status == 1
    (said,) = in_python.to_json()["drift"]
    assert (said["state"], said["n"], said["version"]) == ("drifted", STEADY + DARK, None)
    assert [one["statistic"] for one in said["statistics"]] == ["score", *STATISTICS, "calibration"]
    moved = said["moved"][0]
    assert (moved["statistic"], moved["rising"], moved["since"]) == ("brightness", False, None)
    began, told = (int(Path(moved[f"{name}_photograph"]["name"]).stem) for name in ("since", "told"))
    assert abs(began - STEADY) <= 16 and began < told <= STEADY + DARK
    assert 0.7 < moved["now"] / moved["before"] < 0.95  # the photographs themselves differ
    assert said["message"].startswith("The brightness has fallen by")
    assert f"since {began}.png" in said["message"] == in_python.message
    assert said["message"].lower().startswith(moved["in_words"].lower())
    assert said["message"] in shown.stdout and "77b.png" in shown.stderr
    assert in_python.drifted and [Path(name).name for name, _ in in_python.left_out] == ["77b.png"]


def test_by_time_a_change_that_has_ended_is_told_too(
    fitted: Path, darkening: Path, tmp_path: Path, blemish: Blemish
) -> None:
    order = [*range(1, 111), *range(STEADY + 1, STEADY + 31), *range(1, 111)]
    for number, one in enumerate(order):  # the names count down
        copied = Path(shutil.copy(darkening / f"{one}.png", tmp_path / f"{len(order) - number}.png"))
        os.utime(copied, (NOON.timestamp() + number,) * 2)
    outcome = blemish("drift", fitted, tmp_path, "--order", "time", "--json", *RATE)
    said = [one for one in outcome.document["ended"] if one["statistic"] == "brightness"]
    assert outcome.status == 0 and not said[0]["rising"]
    since, told, until = (
        len(order) - int(Path(said[0][name]["name"]).stem) for name in ("since", "told", "until")
    )
    assert 95 <= since < told < 140 < until
    assert datetime.fromisoformat(said[0]["told"]["time"]) == NOON + timedelta(seconds=told)


def test_results_are_watched_by_their_scores(
    fitted: Path, darkening: Path, in_python: DriftResult, tmp_path: Path, blemish: Blemish
) -> None:
    inspect = blemish("inspect", fitted, darkening, "--out", tmp_path, "--save", "none", "--json")
    passed = sum(one.get("verdict") == "pass" for one in inspect.document)
    numbers = {one.statistic: one for one in in_python.drifts[0].statistics}
    for name in ("results.json", "results.csv"):
        outcome = blemish("drift", fitted, tmp_path / name, "--json", *RATE)
        (said,) = outcome.document["drift"]
        assert (said["n"], said["n_passed"]) == (STEADY + DARK, passed)
        assert "light, focus and place are not watched" in outcome.stderr
        for one in said["statistics"]:
            if one["statistic"] in ("score", "calibration"):
                assert one["now"] == pytest.approx(numbers[one["statistic"]].now)
            else:
                assert one["now"] is None
    changed = json.loads((tmp_path / "results.json").read_text())
    next(one for one in changed if "score" in one)["p_value"] = 0.123
    (tmp_path / "other.json").write_text(json.dumps(changed))
    assert "is of another inspector" in blemish("drift", fitted, tmp_path / "other.json").stderr


def _logged(home: Path, n: int, start: int, brightness: float) -> None:
    rng = np.random.default_rng(start)
    news = [
        NewInspection(
            time=NOON + timedelta(seconds=start + k), inspector="washer", version=1, verdict=Verdict.PASS,
            score=float(rng.gamma(4)), threshold=50.0, p_value=float(rng.uniform(0.1, 1)), percentile=50.0,
            regions=(), width=9, height=9, image_digest="0" * 64, image_suffix=None, file_name="part.png",
            photograph_statistics={"brightness": float(rng.normal(brightness, 2))},
        )
        for k in range(n)
    ]  # fmt: skip
    with opened_station(home, None) as station:
        InspectionLog(station.database).add(news)


def test_a_stations_log_is_watched_and_learns_anew(fitted: Path, tmp_path: Path, blemish: Blemish) -> None:
    home = tmp_path / "home"
    with opened_station(home, None) as station:
        station.shelf.add(fitted, "washer")
        station.shelf.activate("washer", 1)
    _logged(home, 300, 0, 100)
    steady = blemish("drift", "--home", home)
    assert steady.status == 0 and "washer, version 1: steady" in steady.stdout
    _logged(home, 60, 300, 85)
    outcome = blemish("drift", "washer", "--home", home, "--json")
    (said,) = outcome.document["drift"]
    assert (outcome.status, said["state"], said["n"]) == (1, "drifted", 360)
    assert said["moved"][0]["since"].startswith("2026-05-04T12:0")
    assert bl.drift("washer", home=home).to_json() == outcome.document
    anew = blemish("drift", "washer", "--home", home, "--learn-anew", "--by", "anna", "--note", "new lamp")
    assert anew.status == 0 and "being learnt: 0 of 100" in anew.stdout
    with opened_station(home, None) as station:
        entry = AuditLog(station.database).page("washer").entries[0]
        assert (entry.action, entry.by, entry.detail["note"]) == ("learn-anew", "anna", "new lamp")
    assert "learn-anew  washer, version 1: new lamp" in blemish("audit", "--home", home).stdout
    _logged(home, 300, 400, 85)
    assert blemish("drift", "washer", "--home", home).status == 0


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        (("nobody",), 1, "no active inspector"),
        (("x.blemish",), 2, "x.blemish is a file"),
        (("washer", "--parts-alike", 5), 2, "The station's own settings"),
        (("--learn-anew",), 2, "name it"),
        (("washer", "--note", "why"), 2, "give --learn-anew with it"),
        (("washer", "photographs", "--learn-anew"), 2, "without a station"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, blemish: Blemish, asked: tuple[Any, ...], status: int, reason: str
) -> None:
    outcome = blemish("drift", *asked, "--home", tmp_path / "home")
    assert (outcome.status, outcome.stdout) == (status, "") and reason in outcome.stderr


def test_a_folder_of_nothing_and_a_file_of_something_else_are_refused(
    fitted: Path, tmp_path: Path, blemish: Blemish
) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("x.json", "no results of"),
        ("empty", "nothing to watch"),
        ("no", "does not exist"),
    ):
        outcome = blemish("drift", fitted, tmp_path / name)
        assert outcome.status == 2 and reason in outcome.stderr
