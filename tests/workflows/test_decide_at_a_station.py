"""A decision tried on a station's past, and made with what people found bad there; Python agrees."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import blemish as bl
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.workflows.station import opened_station

Blemish = Callable[..., Any]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(fitted: Path, washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station that has inspected all test photographs of washers; people found the defective ones bad, but two."""
    home = tmp_path_factory.mktemp("station")
    inspector = bl.load(fitted)
    with opened_station(home, None) as station:
        station.shelf.add(fitted, "washer")
        station.shelf.activate("washer", 1)
        log = InspectionLog(station.database)
        paths = sorted(washers.glob("test/*/*.png"), key=lambda path: sha256(path.read_bytes()).hexdigest())
        numbers = log.add([
            NewInspection.of(
                inspector.inspect(path), time=NOON + timedelta(seconds=k), inspector="washer", version=1,
                percentile=50.0, image_digest=sha256(path.read_bytes()).hexdigest(),
                image_suffix=".png" if k % 2 else None,
                file_name=path.name,
            )
            for k, path in enumerate(paths)
        ])  # fmt: skip
        bad = [number for number, path in zip(numbers, paths, strict=True) if path.parent.name != "good"]
        for number in bad[2:]:
            log.give_feedback(number, NewFeedback("bad", "scratch"))
    return home


def defective(washers: Path) -> list[Path]:
    return [path for path in sorted(washers.glob("test/*/*.png")) if path.parent.name != "good"]


@pytest.fixture
def inspector(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fitted, tmp_path / "washer.blemish"))


def test_the_past_is_tried_on_the_command_line_and_in_python(
    home: Path, inspector: Path, washers: Path, blemish: Blemish
) -> None:
    opened = bl.load(inspector)
    scores = {path: opened.inspect(path).score for path in sorted(washers.glob("test/*/*.png"))}
    limit = float(np.median(list(scores.values())))
    asked = ("--threshold", limit, "--review-threshold", limit)
    before = inspector.read_bytes()
    outcome = blemish("decide", inspector, *asked, "--preview", "--home", home, "--json")
    assert (outcome.status, inspector.read_bytes()) == (0, before)
    said = outcome.document
    assert said["n"] == len(scores) and said["decision"]["threshold"] == limit and said["regions"] is None
    rejected = sum(turn["n"] for turn in said["turns"] if turn["after"] == "reject")
    assert rejected == sum(score > limit for score in scores.values())
    assert said["known_defects"]["n"] == 10
    by_name = blemish("decide", "washer", *asked, "--preview", "--home", home, "--json").document
    assert _without_time(by_name) == _without_time(said)
    in_python = bl.preview_decision(opened, home, threshold=limit, review_threshold=limit)
    assert (
        _without_time(in_python.to_json()) == _without_time(said) and in_python.changed == said["changed"] > 0
    )
    shown = blemish("decide", "washer", *asked, "--preview", "--home", home, "--last", 5)
    assert "Of the latest 5 inspections" in shown.stdout and "Nothing is changed" in shown.stdout


def _without_time(document: dict[str, Any]) -> dict[str, Any]:
    decision = {name: value for name, value in document["decision"].items() if name != "made"}
    return document | {"decision": decision}


def test_regions_of_the_past_are_those_that_the_photographs_show(
    home: Path, inspector: Path, washers: Path, blemish: Blemish
) -> None:
    changed = bl.load(inspector).decide(smallest_region="14px")
    found = [changed.inspect(path) for path in sorted(washers.glob("test/*/*.png"))]
    shown = [len(one.regions) for one in found if one.verdict in ("review", "reject")]
    outcome = blemish("decide", "washer", "--smallest-region", "14px", "--preview", "--home", home, "--json")
    regions = outcome.document["regions"]
    assert regions["parts"] == regions["known"] == len(shown) > 0 and regions["needs_photograph"] == []
    assert regions["after"] == sum(shown) <= regions["before"]
    lower = blemish(
        "decide", "washer", "--pixel-threshold", 0, "--preview", "--home", home, "--json"
    ).document
    (needed,) = lower["regions"]["needs_photograph"]
    assert (needed["reason"], needed["n"]) == ("lower", len(shown)) and 0 < needed["kept"] < needed["n"]
    assert "need their photographs" in lower["regions"]["in_words"]


def test_what_people_found_bad_decides_and_the_same_file_counts_once(
    home: Path, inspector: Path, washers: Path, tmp_path: Path, blemish: Blemish
) -> None:
    defects = tmp_path / "defects"
    defects.mkdir()
    for path in defective(washers):
        shutil.copy(path, defects / f"{path.parent.name}-{path.name}")
    asked = ("decide", inspector, "--from-history", "--home", home, "--recall", 1)
    alone = blemish(*asked, "--json")
    assert alone.status == 0, alone.stderr
    assert alone.document["decision"]["seen"]["n"] == alone.document["known_defects"]["n"] == 10
    both = blemish(*asked, "--from-defects", defects, "--json").document
    assert both["decision"]["seen"]["n"] == 12 and both["decision"]["seen"]["missed"] == 0
    for document, corrected in (
        (alone.document, 10),
        (both, 0),
    ):  # a file is called by its name where it has one
        paths = [one["path"] for one in document["known_defects"]["scores"]]
        assert sum(path.startswith("corrected ") for path in paths) == corrected
    opened = bl.load(inspector)
    bad = bl.corrections(opened, home).bad
    assert len(bad) == 10
    by_hand = opened.decide(recall=1.0, defect_scores=bad).decision
    assert (
        by_hand.threshold == alone.document["decision"]["threshold"] and by_hand.seen and by_hand.seen.n == 10
    )


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        (("washer", "--from-history", "--recall", 0.9), 2, "version 1 of washer at a station"),
        (("nobody", "--preview"), 1, "nobody is no file, and no active inspector"),
        (("no/such.blemish", "--preview"), 2, "does not exist"),
        (("washer", "--preview", "--out", "x.blemish"), 2, "A preview changes and writes nothing"),
        (("washer", "--last", 5), 2, "give --preview with it"),
        (("washer", "--threshold", 3), 2, "ask it with --preview or --from-history"),
    ],
)
def test_what_cannot_be_asked_of_a_station_is_refused(
    home: Path, blemish: Blemish, asked: tuple[Any, ...], status: int, reason: str
) -> None:
    outcome = blemish("decide", *asked, "--home", home)
    assert (outcome.status, outcome.stdout) == (status, "") and reason in outcome.stderr


def test_an_inspector_of_elsewhere_has_no_past_here(fitted: Path, tmp_path: Path, blemish: Blemish) -> None:
    outcome = blemish("decide", fitted, "--preview", "--home", tmp_path / "empty")
    assert outcome.status == 2 and "No inspector at this station scores as" in outcome.stderr
