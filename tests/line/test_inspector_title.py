"""What reports and comparisons call an inspector."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blemish.line.comparison import compare_image
from blemish.line.inspector_title import inspector_title, kept_version
from blemish.workflows.decide import DecideRequest, decide
from blemish.workflows.evaluate import EvaluateRequest, evaluate


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("home/inspectors/screw/0003-0123456789ab.blemish", "screw, version 3"),
        ("home/inspectors/screw/0003-0123456789AB.blemish", "own"),
        ("home/screw/0003-0123456789ab.blemish", "own"),
        ("screw.blemish", "own"),
    ],
)
def test_an_inspector_of_the_shelf_is_called_by_name_and_version(path: str, title: str) -> None:
    assert inspector_title(Path(path), "own") == title
    assert (kept_version(Path(path)) is None) == (title == "own")


def test_versions_of_one_part_are_told_apart_where_they_are_compared_and_reported(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "inspectors" / "washer"
    shelf.mkdir(parents=True)
    versions = [shelf / f"000{number}-0123456789ab.blemish" for number in (1, 2)]
    for version in versions:
        shutil.copy(fitted, version)
    photograph = next((washers / "test" / "good").iterdir())
    seen = compare_image(photograph, [*versions, fitted])
    assert [view.name for view in seen.views] == ["washer, version 1", "washer, version 2", "washer"]
    report = tmp_path / "decide.html"
    decide(DecideRequest(inspector=versions[1], report=report))
    assert "<title>washer, version 2: decision</title>" in report.read_text("utf-8")
    found = evaluate(EvaluateRequest(inspector=versions[0], data=washers, out=tmp_path / "out"))
    page = found.report.read_text("utf-8")
    assert "<title>washer, version 1: evaluation</title>" in page
    assert "<dt>Inspector</dt><dd>washer, version 1</dd>" in page
    assert "0123456789ab" not in page.partition("<main")[0]
