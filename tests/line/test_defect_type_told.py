"""The type of a defect on the line: in the verdict, its picture and tables, beside others, and in old artifacts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from blemish.core.types import NONE_OF_THESE, Prediction
from blemish.line.artifact import read_artifact
from blemish.line.inspection import Inspection
from blemish.line.manifest import Manifest
from blemish.line.runtime import Inspector

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def rejected(plates: Path, typed: Path) -> tuple[Path, Inspection]:
    """A photograph with a spot that is called a spot, and what is said of it."""
    inspector = Inspector.load(typed)
    for path in sorted((plates / "test" / "spot").glob("*.png")):
        said = inspector.inspect(path)
        if said.type == "spot":
            return path, said
    raise AssertionError("no spot was found and named")


def test_only_a_rejected_part_has_a_type(typed: Path) -> None:
    inspector = Inspector.load(typed)
    known = inspector.manifest.calibration.types
    assert known is not None and known.limit is not None and known.n_distances == 18
    shares = {"frame": 0.2, "line": 0.7, "spot": 0.1}
    beyond, within = known.limit * 1.01, known.limit
    size = inspector.manifest.preprocessing.height
    above, below = inspector.threshold + 1, inspector.threshold

    def judged(score: float, distance: float) -> Inspection:
        anomaly_map = np.full((size, size), score, np.float32)
        return inspector.judge(Prediction(score, anomaly_map, types=shares, type_distance=distance), 96, 96)

    assert judged(above, within).type == "line" and judged(above, within).types == shares
    assert judged(above, beyond).type == NONE_OF_THESE and judged(above, beyond).types == shares
    assert judged(below, within).type is None and not judged(below, within).types
    assert "type" not in judged(below, within).to_json()
    assert "line 70%" in repr(judged(above, within)) and NONE_OF_THESE in judged(above, beyond)._repr_html_()


def test_inspect_tells_the_type_in_text_json_csv_and_on_the_overlay(
    blemish: Call, typed: Path, fitted: Path, plates: Path, rejected: tuple[Path, Inspection], tmp_path: Path
) -> None:
    path, said = rejected
    good = sorted((plates / "test" / "good").glob("*.png"))
    outcome = blemish("inspect", typed, path, *good, "--out", tmp_path)
    assert f"spot {said.types['spot']:.0%}" in outcome.stdout
    documents = json.loads((tmp_path / "results.json").read_text())
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert documents[0]["type"] == rows[0]["type"] == "spot"
    assert sum(documents[0]["types"].values()) == pytest.approx(1, abs=1e-4)
    assert float(rows[0]["type_probability"]) == documents[0]["types"]["spot"]
    passed = next(place for place, one in enumerate(documents) if one["verdict"] == "pass")
    assert "types" not in documents[passed] and rows[passed]["type"] == rows[passed]["type_probability"] == ""
    named, plain = (cv2.imread(documents[place]["overlay"]) for place in (0, passed))
    bar = named.shape[0] - plain.shape[0]
    assert bar > 12 and named.shape[1] == plain.shape[1]
    assert np.abs(named[2, 2].astype(int) - (40, 30, 218)).max() < 30, "in the verdict's colour"
    assert named[:bar].max() > 230, "with white letters"
    blemish("inspect", fitted, path, "--out", tmp_path / "other")
    assert "type" not in (tmp_path / "other" / "results.csv").read_text().splitlines()[0]


def test_a_caption_fits_on_any_picture(rejected: tuple[Path, Inspection]) -> None:
    _, said = rejected
    for side in (16, 60, 2000):
        photograph = np.zeros((side, side, 3), np.uint8)
        for name in ("x", "a very long name of a type of defect " * 5):
            one = replace(said, photograph=photograph, type=name, types={name: 1.0})
            plain = replace(one, type=None, types={})
            named, bare = one.overlay_pixels(), plain.overlay_pixels()
            assert named.shape[1] == bare.shape[1] and np.array_equal(named[-bare.shape[0] :], bare)


def test_compare_image_names_the_defect(
    blemish: Call, typed: Path, fitted: Path, rejected: tuple[Path, Inspection], tmp_path: Path
) -> None:
    path, said = rejected
    command = ("compare-image", path, "--inspectors", typed, fitted, "--out", tmp_path)
    by_name = {one["inspector"]: one for one in blemish(*command, "--json").document["detectors"]}
    assert by_name["plate"]["type"] == "spot" and by_name["plate"]["types"] == pytest.approx(
        dict(said.types), abs=1e-4
    )
    assert "type" not in by_name["washer"]
    words = said.type_in_words()
    assert f"plate names the defect: {words}." in blemish(*command).stdout
    assert words in (tmp_path / "compare.html").read_text()


def test_artifacts_of_before_open_and_halves_of_types_do_not(typed: Path, fitted: Path) -> None:
    old = read_artifact(fitted).manifest.model_dump(mode="json")
    del old["detector"]["types"], old["calibration"]["types"]
    opened = Manifest.model_validate(old)
    assert opened.detector.types == () and opened.calibration.types is None
    assert opened.detector.outputs == ("score", "map")
    new = read_artifact(typed).manifest
    assert new.detector.outputs == ("score", "map", "types", "type_distance")
    half = new.model_dump(mode="json")
    half["calibration"]["types"] = None
    with pytest.raises(ValidationError, match="belong together"):
        Manifest.model_validate(half)
