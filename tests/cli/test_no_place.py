"""A detector that says whether but not where: nothing that it leaves behind pretends to show a place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.core.errors import ArtifactError
from blemish.core.images import read_image
from blemish.core.types import Verdict
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def placeless(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny inspector of `washers` by a detector without maps."""
    out = tmp_path_factory.mktemp("placeless") / "washer.blemish"
    detector = create_detector("one-class-svm", size=128, explained=0.0)
    build_inspector(open_catalog(washers), out, detector)
    return out


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of something else altogether."""
    path = tmp_path_factory.mktemp("odd") / "odd.png"
    noise = np.random.default_rng(0).integers(0, 256, (200, 260), dtype=np.uint8)
    assert cv2.imwrite(str(path), noise)
    return path


def test_a_reject_has_no_regions(placeless: Path, odd: Path) -> None:
    inspection = Inspector.load(placeless).inspect(odd)
    assert inspection.verdict == Verdict.REJECT
    assert not inspection.gives_map and inspection.regions == ()


def test_inspect_says_so_and_draws_the_photograph_alone(
    placeless: Path, fitted: Path, odd: Path, blemish: Call, tmp_path: Path
) -> None:
    outcome = blemish("inspect", placeless, odd, "--out", tmp_path / "alone")
    assert outcome.status == 1 and "shows no place" in outcome.stdout and "region" not in outcome.stdout
    (result,) = json.loads((tmp_path / "alone/results.json").read_text())
    assert result["gives_map"] is False and result["regions"] == []
    (row,) = csv.DictReader((tmp_path / "alone/results.csv").read_text().splitlines())
    assert row["regions"] == "0"
    picture = cv2.imread(result["overlay"])
    assert picture.shape == (200 + 16, 260 + 16, 3)
    photograph = cv2.imread(str(odd)).astype(float)
    assert np.corrcoef(picture[8:-8, 8:-8].ravel(), photograph.ravel())[0, 1] > 0.8
    # Beside an inspector that has maps, whose output is as it was.
    outcome = blemish("inspect", fitted, odd, "--out", tmp_path / "both")
    (result,) = json.loads((tmp_path / "both/results.json").read_text())
    assert "gives_map" not in result and result["regions"]
    assert cv2.imread(result["overlay"]).shape[1] == 2 * 260 + 8 + 16


def test_evaluate_measures_no_pixels(placeless: Path, washers: Path, blemish: Call, tmp_path: Path) -> None:
    outcome = blemish("evaluate", placeless, washers, "--out", tmp_path, "--json")
    assert outcome.status == 0, outcome.stderr
    assert [outcome.document[name] for name in ("pixel_auroc", "pixel_ap", "pixel_f1", "aupro")] == [None] * 4
    assert "shows no place" in outcome.document["pixel_note"]
    assert outcome.document["image_auroc"] is not None
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "the detector shows no place" in page and "Ground truth" in page
    assert "Segmentation" not in page.replace("The segmentation outlines", "")
    assert 'class="scale"' not in page


def test_side_by_side_with_a_detector_that_has_maps(washers: Path, blemish: Call, tmp_path: Path) -> None:
    outcome = blemish(
        "benchmark", washers, "--detectors", "patchcore:quick,isolation-forest,elliptic-envelope:direct",
        "--out", tmp_path, "--quick", "--json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.stderr
    assert all(cell["metrics"]["image_auroc"] is not None for cell in outcome.document["cells"])
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "it shows no place" in page and "no map" in page
    text = outcome.stdout
    assert "isolation-forest" in text and "NaN" not in text


def test_one_photograph_through_both(
    placeless: Path, fitted: Path, odd: Path, blemish: Call, tmp_path: Path
) -> None:
    outcome = blemish("compare-image", odd, "--inspectors", placeless, fitted, "--out", tmp_path, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["agreements"] == []
    pages = [path.read_text("utf-8") for path in tmp_path.rglob("*.html")]
    assert len(pages) == 1 and "it shows no place" in pages[0]


def test_no_member_of_an_ensemble(washers: Path, blemish: Call, tmp_path: Path) -> None:
    outcome = blemish(
        "fit", washers, "--out", tmp_path / "a.blemish", "--detector", "ensemble",
        "--set", 'members=["one-class-svm", "knn"]', "--size", 128,
    )  # fmt: skip
    assert outcome.status == 2 and "one-class-svm shows no place" in outcome.stderr


@pytest.mark.parametrize(("features", "columns"), [("direct", 43), ("direct-pixels", 43 + 150_528)])
def test_an_inspector_that_reads_a_row_of_features(
    features: str, columns: int, washers: Path, odd: Path, blemish: Call, tmp_path: Path
) -> None:
    out, given = tmp_path / "a.blemish", ("--detector", "elliptic-envelope", "--features", features)
    outcome = blemish("fit", washers, "--out", out, *given, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["parity_error"] <= 1e-3
    inspector = Inspector.load(out)
    record = inspector.manifest.features
    assert record is not None and (record.name, record.columns) == (features, columns)
    assert f"{columns} {features} features" in repr(inspector)
    fitted = create_detector("elliptic-envelope", features=features).fit(open_catalog(washers))
    path = open_catalog(washers).train_normal()[0]
    assert inspector.input_of(read_image(path)).values.tolist() == fitted.read_input(path).tolist()
    assert inspector.inspect(path).score == pytest.approx(fitted.predict(path).score, rel=1e-3)
    judged = inspector.inspect(odd)
    assert judged.verdict == Verdict.REJECT and not judged.gives_map and judged.regions == ()
    evaluated = blemish("evaluate", out, washers, "--out", tmp_path / "report", "--json")
    assert evaluated.status == 0 and evaluated.document["image_auroc"] is not None
    assert f"{columns} {features} features" in (tmp_path / "report/report.html").read_text("utf-8")


def test_features_that_are_not_computed_any_more_are_refused(
    washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.blemish"
    build_inspector(open_catalog(washers), out, create_detector("isolation-forest", features="direct"))
    monkeypatch.setattr("blemish.line.rows.VERSION", 99)
    with pytest.raises(
        ArtifactError, match=r"a\.blemish reads 43 direct features of version .* 99: fit it anew\."
    ):
        Inspector.load(out)


def test_features_by_name(washers: Path, blemish: Call, tmp_path: Path) -> None:
    out = tmp_path / "a.blemish"
    arguments = ("--detector", "isolation-forest", "--features", "deep-last", "--quick", "--json")
    outcome = blemish("fit", washers, "--out", out, *arguments)
    assert outcome.status == 0, outcome.stderr
    detector = Inspector.load(out).manifest.detector
    assert detector.parameters["features"] == "deep-last" and not detector.gives_maps
    refused = blemish("fit", washers, "--out", out, "--detector", "knn", "--features", "deep-last")
    assert refused.status == 2 and "no parameter features" in refused.stderr
