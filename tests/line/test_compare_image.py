"""One photograph through several inspectors: scales that can be compared, rules that hold, a page that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import stats

from blemish.detectors.registry import detector_info, detector_names
from blemish.line.artifact import read_artifact
from blemish.line.sensitivity import View, agreements, level, map_level, pattern, percentile, ranked
from blemish.line.sensitivity_words import answers, balanced, in_a_word

Command = Callable[..., Any]


def view(name: str, spot: tuple[int, int, int] | None = None, **given: Any) -> View:
    """A view whose map is 0.1 everywhere, and 2 in a square `spot` (x, y, side) of 100 x 100."""
    levels = np.full((100, 100), given.pop("usual", 0.1), np.float32)
    if spot:
        x, y, side = spot
        levels[y : y + side, x : x + side] = 2
    usual = {
        "detector": "patchcore",
        "goes_by": "features",
        "rejected": bool(spot),
        "score": 1.0,
        "threshold": 1.0,
        "percentile": 99.0,
    }
    return View(**{"name": name, **usual, "level": 1.5, "p_value": 0.1, "levels": levels, **given})


def test_percentile_and_level_are_of_the_own_good_parts() -> None:
    scores = np.random.default_rng(0).normal(5, 2, 41).astype(np.float32)
    for score in (*scores[:5].tolist(), -1.0, 5.5, 40.0):
        expected = stats.percentileofscore(scores.astype(float), score, kind="mean")
        assert percentile(scores, score) == pytest.approx(expected)
    usual = float(np.median(scores))
    assert level(scores, usual, 9.0) == 0
    assert level(scores, 9.0, 9.0) == pytest.approx(1)
    # Another unit changes nothing: an error of 0.03 and a probability of 0.4 are on one scale.
    assert level(scores * 0.01, 0.12, 0.09) == pytest.approx(level(scores, 12.0, 9.0), rel=1e-5)
    assert np.isfinite(level([2.0, 2.0], 3.0, 2.0))
    assert map_level(np.array([[1.0, 3.0]], np.float32), 1.0, 3.0).tolist() == [[0, 1]]


def test_agreement_is_overlap_and_correlation_whatever_the_maps_sizes() -> None:
    small = view("a", (20, 20, 20))
    levels = cv2.resize(small.levels, (300, 300), interpolation=cv2.INTER_NEAREST)
    (same,) = agreements([small, view("b", levels=levels)])
    assert same.overlap > 0.9 and same.correlation > 0.95
    (half,) = agreements([small, view("b", (30, 20, 20))])
    assert half.overlap == pytest.approx(1 / 3, abs=0.05)
    (apart,) = agreements([small, view("b", (70, 70, 20))])
    assert apart.overlap == 0 and apart.correlation < 0
    (flat,) = agreements([small, view("b")])
    assert (flat.overlap, flat.correlation) == (0, 0)


@pytest.mark.parametrize(
    ("name", "views"),
    [
        ("nothing", [view("a"), view("b", goes_by="pixels")]),
        ("small local defect", [view("a", (20, 20, 12)), view("b", (22, 20, 12)), view("c")]),
        ("large local defect", [view("a", (20, 20, 40)), view("b", (24, 20, 40), goes_by="pixels")]),
        ("disagreement", [view("a", (5, 5, 12)), view("b", (70, 70, 12))]),
        ("seen by one alone", [view("a", (5, 5, 12)), view("b")]),
        ("no place", [view("a", rejected=True), view("b")]),
        ("global deviation", [view("a", (0, 0, 80)), view("b", (10, 10, 80))]),
        ("global deviation", [view("a", (5, 5, 12), usual=0.7), view("b", (70, 5, 12), usual=0.6)]),
        ("only in features", [view("a", (5, 5, 12)), view("b", (5, 5, 12)), view("c", goes_by="pixels")]),
        ("only in pixels", [view("a"), view("c", (5, 5, 12), goes_by="pixels")]),
        (
            "only in features",
            [view("a", (5, 5, 12)), view("b", goes_by="examples"), view("c", goes_by="pixels")],
        ),
        (
            "seen by one alone",
            [view("a", (5, 5, 12), goes_by="examples"), view("c", goes_by="pixels"), view("d")],
        ),
    ],
)
def test_the_stated_rules_name_the_pattern(name: str, views: list[View]) -> None:
    assert pattern(views).name == name
    assert pattern(views[::-1]).name == name
    assert pattern(views).sentence.endswith(".")


def test_the_most_sensitive_is_the_one_highest_on_its_own_scale() -> None:
    views = [view("a", level=0.2), view("b", level=3.0), view("c", level=1.1)]
    assert [one.name for one in ranked(views)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("percentile", "word"),
    [
        (0, "low"),
        (49.9, "low"),
        (50, "low to moderate"),
        (75, "moderate"),
        (90, "moderate to high"),
        (97.4, "moderate to high"),
        (97.5, "high"),
    ],
)
def test_the_word_follows_from_the_percentile(percentile: float, word: str) -> None:
    assert in_a_word(view("a", percentile=percentile)) == word
    # Of few good parts the percentile hardly reaches the last bound: who rejects is sensitive whatever it says.
    assert in_a_word(view("a", percentile=percentile, rejected=True)) == "high"


def test_a_row_says_why() -> None:
    views = [
        view("a", (20, 20, 12), level=4.0),
        view("b", (22, 20, 12), level=3.0),
        view("c", (70, 70, 30), level=2.0, metric="reconstruction error"),
        view("d", level=1.0),
        view("e", gives_map=False, level=0.5),
        view("f", (20, 20, 12), level=0.4, learnt=True),
    ]
    said = answers(views)
    assert [one.name for one in said] == list("abcdef")
    assert [one.metric for one in said[1:3]] == ["anomaly score", "reconstruction error"]
    why = {one.name: one.sentence for one in said}
    assert "1.4 % of the photograph and reaches 2.0 times it" in why["a"]
    assert why["a"].endswith("in the same place as b and f.")
    assert why["c"].endswith("in another place than a and b and f.")
    assert "reaches 0.10 of its pixel threshold" in why["d"]
    assert "shows no place" in why["e"] and "learnt from this photograph" in why["f"]
    (alone, _) = answers([view("a", (20, 20, 12)), view("b")])
    assert alone.sentence.endswith("and no other map shows a place.")


def test_the_balanced_one_stands_between_the_extremes() -> None:
    views = [view("a", level=9.0), view("b", level=0.0), view("c", level=5.0), view("d", level=1.0)]
    found = balanced(views)
    assert found is not None and found.name == "c"
    assert balanced(views[:2]) is None


@pytest.fixture(scope="module")
def inspectors(
    blemish: Command, washers: Path, fitted: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Two inspectors of washers that score on different scales."""
    other = tmp_path_factory.mktemp("inspectors") / "coarse.blemish"
    outcome = blemish("fit", washers, "--out", other, "--size", "64", "--preset", "paper", "--set", "sigma=8")
    assert outcome.status == 0, outcome.stderr
    return [fitted, other]


@pytest.mark.parametrize(
    ("photograph", "learnt"), [("train/good/000.png", True), ("test/good/000.png", False)]
)
def test_who_has_learnt_from_the_photograph_says_so(
    blemish: Command, washers: Path, inspectors: list[Path], tmp_path: Path, photograph: str, learnt: bool
) -> None:
    given = ("compare-image", washers / photograph, "--inspectors", *inspectors, "--out", tmp_path)
    outcome = blemish(*given, "--json")
    assert [one["learnt_from_it"] for one in outcome.document["detectors"]] == [learnt, learnt]
    page = (tmp_path / "compare.html").read_text("utf-8")
    assert ("has learnt from this photograph" in page) == learnt


def test_a_defect_is_compared(
    blemish: Command, washers: Path, inspectors: list[Path], tmp_path: Path
) -> None:
    image = washers / "test" / "hole" / "000.png"
    # As it is typed: the option takes the first, the shell gives the second as an argument.
    outcome = blemish("compare-image", image, "--inspectors", *inspectors, "--out", tmp_path, "--json")
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert json.loads((tmp_path / "compare.json").read_text()) == document
    first, second = document["detectors"]
    assert [first["inspector"], second["inspector"]] == ["washer", "coarse"]
    for one, inspector in zip((first, second), inspectors, strict=True):
        (inspected,) = blemish("inspect", inspector, image, "--json").document
        assert one["score"] == pytest.approx(inspected["score"], rel=1e-5)
        assert one["verdict"] == inspected["verdict"]
        assert one["p_value"] == inspected["p_value"]
        assert (one["level"] > 1) == (one["verdict"] == "reject")
    levels = {one["inspector"]: one["level"] for one in document["detectors"]}
    assert levels[document["most_sensitive"]] == max(levels.values())
    assert levels[document["least_sensitive"]] == min(levels.values())
    assert document["balanced"] is None
    assert {one["metric"] for one in document["detectors"]} == {"distance to the nearest good patch"}
    assert all(
        one["value"] == one["score"] and one["sentence"].endswith(".") for one in document["detectors"]
    )
    for one in document["detectors"]:
        assert (one["sensitivity"] == "high") == (one["verdict"] == "reject" or one["percentile"] >= 97.5)
    for path in document["pictures"]:
        assert cv2.imread(path).shape == (128, 128, 3)
    assert len(document["pictures"]) == 5
    assert (cv2.imread(document["pictures"][0]) == cv2.imread(str(image))).all()


def test_it_needs_no_torch(washers: Path, inspectors: list[Path], tmp_path: Path) -> None:
    image = washers / "test" / "good" / "000.png"
    given = ["compare-image", str(image), "--inspectors", *map(str, inspectors), "--out", str(tmp_path)]
    code = (
        "import sys; from blemish.cli.main import main\n"
        f"try: main({given!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([name for name in ('torch', 'pandas', 'plotly', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "compare.html").stat().st_size < 2e6


@pytest.mark.parametrize("given", [[], ["b.png"]])
def test_what_cannot_be_compared_is_said(
    given: list[str], blemish: Command, washers: Path, inspectors: list[Path], tmp_path: Path
) -> None:
    image = washers / "test" / "good" / "000.png"
    outcome = blemish(
        "compare-image", image, *given, "--inspectors", inspectors[0], "--out", tmp_path / "out"
    )
    assert outcome.status == 2
    assert ("One photograph is compared at a time" if given else "two or more") in outcome.stderr


@pytest.mark.browser
def test_the_page_works_in_a_browser(
    blemish: Command, washers: Path, inspectors: list[Path], tmp_path: Path, report_page: Any
) -> None:
    image = washers / "test" / "scratch" / "000.png"
    assert blemish("compare-image", image, "--inspectors", *inspectors, "--out", tmp_path).status == 0
    with report_page(tmp_path / "compare.html") as page:
        assert page.locator(".exhibit .picture img").count() == 6
        assert page.locator(".rules tr.holds").count() == 1
        assert page.locator(".answers tbody tr").count() == 2


@pytest.mark.parametrize(
    "name", [name for name in detector_names() if detector_info(name).learns_from != "labels"]
)
def test_a_manifest_says_whether_pixels_are_rebuilt(name: str, fitted: Path) -> None:
    """By its parameters alone, so that a stranger's detector is told too; `unet` by what it was measured on."""
    manifest = read_artifact(fitted).manifest
    parameters = json.loads(json.dumps(detector_info(name).parameters))
    parts = ("knn",) if name == "ensemble" else ()
    record = manifest.detector.model_copy(update={"name": name, "parameters": parameters, "parts": parts})
    measured = {"iou": 0.5} if name == "unet" else {}
    training = manifest.training.model_copy(update={"measured": measured})
    said = manifest.model_copy(update={"detector": record, "training": training}).goes_by
    rebuilds = name in ("cae", "ssim-autoencoder", "residual-autoencoder", "vae", "ganomaly")
    assert said == ("examples" if name == "unet" else "pixels" if rebuilds else "features")
