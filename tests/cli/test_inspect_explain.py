"""`blemish inspect --explain`: why, in text, results and pictures, for what does not pass."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Call = Callable[..., Any]


@pytest.fixture
def photographs(painted: Path, washers: Path, tmp_path: Path) -> Path:
    """A defective part, and a good one whose name is that of the other's picture."""
    folder = tmp_path / "new"
    folder.mkdir()
    shutil.copy(painted, folder / "x.png")
    good = sorted((washers / "test" / "good").glob("*.png"))
    shutil.copy(good[1], folder / "x_why.png")
    return folder


def test_what_does_not_pass_is_explained(
    blemish: Call, drawn_back: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = blemish("inspect", drawn_back, photographs, "--out", out, "--explain")
    assert outcome.status == 1
    documents = {Path(one["path"]).name: one for one in json.loads((out / "results.json").read_text())}
    why = documents["x.png"]["why"]
    assert documents["x.png"]["verdict"] == "reject" and why["picture"] == str(out / "x_why.png")
    assert " ".join(why["sentence"].split()) in " ".join(outcome.stdout.split())
    assert "region 1: peak" in outcome.stdout
    with Image.open(why["picture"]) as picture:
        assert picture.format == "PNG" and picture.info["Comment"] == "Blemish overlay"
        assert picture.width > 800 and picture.height > 800
    for one in documents.values():
        explained = one["verdict"] in ("review", "reject")
        assert explained == ("why" in one)
    rows = {
        Path(row["path"]).name: row for row in csv.DictReader((out / "results.csv").read_text().splitlines())
    }
    assert rows["x.png"]["why"] == why["sentence"]


def test_without_out_it_is_said_and_nothing_is_written(
    blemish: Call, drawn_back: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photographs.parent)
    before = sorted(photographs.parent.rglob("*"))
    document = blemish("inspect", drawn_back, photographs / "x.png", "--explain", "--json").document
    assert document[0]["why"]["regions"] and "picture" not in document[0]["why"]
    assert sorted(photographs.parent.rglob("*")) == before
    plain = blemish("inspect", drawn_back, photographs / "x.png", "--json").document
    assert "why" not in plain[0]


def test_a_resumed_run_explains_what_is_missing_and_nothing_twice(
    blemish: Call, drawn_back: Path, photographs: Path, tmp_path: Path
) -> None:
    out, photograph = tmp_path / "out", photographs / "x.png"

    def run(*more: str) -> Any:
        outcome = blemish("inspect", drawn_back, photograph, "--out", out, *more)
        return outcome, json.loads((out / "results.json").read_text())[0]

    run()
    outcome, first = run("--explain", "--resume")
    assert "earlier run" not in outcome.stdout and "why" in first
    outcome, second = run("--explain", "--resume")
    assert "1 of them by an earlier run" in outcome.stdout and second == first
    Path(first["why"]["picture"]).unlink()
    outcome, third = run("--explain", "--resume")
    assert "earlier run" not in outcome.stdout and third == first and Path(third["why"]["picture"]).is_file()
    _, plain = run("--resume")
    assert "why" not in plain


def test_pictures_of_explanations_are_no_photographs(
    blemish: Call, drawn_back: Path, photographs: Path, tmp_path: Path
) -> None:
    blemish("inspect", drawn_back, photographs / "x.png", "--out", photographs / "out", "--explain")
    again = blemish("inspect", drawn_back, photographs, "--json", "--out", tmp_path / "other")
    judged = {Path(one["path"]).relative_to(photographs).as_posix() for one in again.document}
    assert judged == {"x.png", "x_why.png"}


def test_an_explanation_that_fails_takes_no_verdict_away(
    blemish: Call, drawn_back: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "x_why.png" / "in the way").mkdir(parents=True)
    outcome = blemish("inspect", drawn_back, photographs / "x.png", "--out", out, "--explain")
    document = json.loads((out / "results.json").read_text())[0]
    assert document["verdict"] == "reject" and document["kind"] == "no-explanation" and "why" not in document
    assert "x_why.png" in outcome.stderr + document["error"] and outcome.status == 1
