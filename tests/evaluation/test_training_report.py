"""The training report: the odd photograph comes first, memory stays bounded, nothing is injected or fetched."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.core.conformal import Calibration
from blemish.core.types import Prediction
from blemish.evaluation.figures import overlap_figure
from blemish.evaluation.normal_scores import NormalScores
from blemish.evaluation.training_report import Training, headline, write_training_report
from blemish.line.decision import by_rates
from blemish.line.pixel_decision import PixelDecision

ATTACK = "<img src=x onerror='window.attacked=1'><script>window.attacked=1<"
HISTORY = [{"epoch": epoch, "training_loss": 1 / epoch, "validation_loss": 2 / epoch} for epoch in (1, 2, 3)]


def predictions(folder: Path, count: int, gives_map: bool = True) -> Iterator[tuple[Path, Prediction]]:
    """Grey plates, the one before the last with a white spot and the highest score."""
    random = np.random.default_rng(0)
    for index in range(count):
        odd = index == count - 2
        photograph = random.normal(110, 6, (60, 80)).clip(0, 255).astype(np.uint8)
        anomaly_map = random.uniform(0.2, 0.4, (30, 40)).astype(np.float32)
        if odd:
            photograph[20:40, 30:50] = 255
            anomaly_map[10:20, 15:25] = 1.7
        path = folder / f"plate-{index:02}.png"
        cv2.imwrite(str(path), photograph)
        score = 0.9 if odd else 0.3 + 0.1 * random.random()
        yield path, Prediction(score, anomaly_map if gives_map else np.full((30, 40), score, np.float32))


def some_training(folder: Path, count: int = 20, gives_maps: bool = True, name: str = "") -> Training:
    normal = NormalScores()
    for path, prediction in predictions(folder, count, gives_maps):
        normal.add(path, name or path.name, prediction, gives_maps)
    return Training(
        inspector="plate.blemish",
        detector="patchcore",
        n_train=count,
        normal=normal,
        how_unseen="each by a detector that had learnt from others",
        decision=by_rates(Calibration(normal.scores), PixelDecision(threshold=1.0)),
        map_scale=(0.3, 1.7),
        gives_maps=gives_maps,
        bit_depth=16,
        skipped=[],
        history=[],
    )


def page_of(training: Training, folder: Path, title: str = "plate: training") -> str:
    out = folder / "report.html"
    write_training_report(training, out, title, {"Category": title})
    return out.read_text("utf-8")


def exhibits_in(page: str) -> list[tuple[str, str]]:
    """Name and standing of every photograph shown, in the page's order."""
    return re.findall(r'class="name">([^<]*)</span><span class="type">([^<]*)<', page)


def test_the_odd_photograph_is_the_first_of_the_most_unusual(tmp_path: Path) -> None:
    training = some_training(tmp_path)
    shown = exhibits_in(page_of(training, tmp_path))
    assert len(shown) == 12 and len({name for name, _ in shown}) == 12
    assert shown[0] == ("plate-18.png", "its score is the threshold")
    assert {standing for _, standing in shown[1:]} == {"below the threshold"}
    decision = training.decision.model_copy(update={"threshold": 0.5, "review_threshold": 0.5})
    lower = replace(training, decision=decision)
    assert exhibits_in(page_of(lower, tmp_path))[0] == ("plate-18.png", "over the threshold")


def test_the_sentence_says_what_is_expected_and_what_is_not_known(tmp_path: Path) -> None:
    said = headline(some_training(tmp_path))
    assert "above 0.9." in said and "reject 4.8 %, and at most 13.9 % with 95 % confidence" in said
    assert "not known until it has been shown some" in said
    page = page_of(some_training(tmp_path), tmp_path)
    assert "blemish evaluate plate.blemish" in page and "blemish synthesize" in page


@pytest.mark.parametrize("count", [1, 2, 7, 9, 12, 300])
def test_the_ends_are_those_of_all_scores(count: int) -> None:
    random = np.random.default_rng(count)
    given = random.integers(0, 40, count) / 7  # with ties, and no float32
    normal = NormalScores()
    for index, score in enumerate(given):
        normal.add(Path(f"{index}.png"), f"{index}", Prediction(float(score), np.zeros((2, 2), np.float32)))
    expected = np.sort(given.astype(np.float32))
    assert np.array_equal(normal.scores, expected) and len(normal) == count
    assert [image.score for image in normal.most_unusual] == expected[::-1][:8].tolist()
    usual = [image.score for image in normal.most_usual]
    assert usual == expected[: min(4, max(0, count - 8))].tolist()
    assert max(image.score for image in normal.most_unusual) <= float(expected[-1]), (
        "none above the threshold"
    )
    shown = [image.name for image in (*normal.most_unusual, *normal.most_usual)]
    assert len(shown) == len(set(shown)) == min(count, 12)


def test_only_the_maps_of_the_ends_are_kept() -> None:
    normal, side = NormalScores(), 200
    paths = [Path(f"{index}.png") for index in range(400)]  # a catalog holds them anyway
    tracemalloc.start()
    for index, path in enumerate(paths):
        batch = np.full((4, side, side), index, np.float32)  # a map is a view of more
        normal.add(path, f"{index}", Prediction(float(index), batch[1]))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 12.5 * side * side * 4 + 4 * side * side * 4
    assert [float(image.anomaly_map.max()) for image in normal.most_unusual if image.anomaly_map is not None] == [
        float(index) for index in range(399, 391, -1)
    ]  # fmt: skip


def test_a_detector_without_maps_shows_no_overlay(tmp_path: Path) -> None:
    with_maps = page_of(some_training(tmp_path), tmp_path)
    assert with_maps.count('class="caption">Heatmap') == 12 and 'class="scale"' in with_maps
    without = page_of(some_training(tmp_path, gives_maps=False), tmp_path)
    assert ">Heatmap<" not in without and 'class="scale"' not in without
    assert without.count('class="caption">Photograph') == 12


def test_a_photograph_that_is_gone_is_left_out(tmp_path: Path) -> None:
    training = some_training(tmp_path)
    (tmp_path / "plate-18.png").unlink()
    assert "Enlarge plate-18.png" not in page_of(training, tmp_path), "its pictures are gone"


def test_it_says_where_not_all_photographs_were_looked_at(tmp_path: Path) -> None:
    training = some_training(tmp_path)
    assert "is not found here" not in page_of(training, tmp_path)
    page = page_of(replace(training, n_train=100), tmp_path)
    assert "Only 20 of the 100 photographs were scored as if unseen" in page


def test_skipped_files_are_named(tmp_path: Path) -> None:
    training = some_training(tmp_path)
    assert "could not be read" not in page_of(training, tmp_path)
    skipped = [{"path": f"/parts/cut-{number}.png", "detail": "it ends too soon"} for number in range(25)]
    page = page_of(replace(training, skipped=skipped), tmp_path)
    assert "25 files could not be read" in page and "cut-19.png" in page and "and 5 more" in page
    assert "cut-20.png" not in page


def test_the_file_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = page_of(replace(some_training(tmp_path), history=HISTORY), tmp_path)
    assert page.count("plotly.js v") == 1
    assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?!data:)', page)
    outside_plotly = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"https?://", outside_plotly)


def test_the_curve_of_the_overlap_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    training = replace(some_training(tmp_path), history=HISTORY)
    assert "IoU while training" not in page_of(training, tmp_path)
    history = [row | {"validation_iou": 0.1 * row["epoch"]} for row in HISTORY]
    page = page_of(replace(training, history=history), tmp_path)
    assert (
        "IoU while training" in page
        and "In epoch 3, whose weights had the lowest validation loss, it was 0.300" in page
    )
    assert overlap_figure(history).data[0].y == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.browser
@pytest.mark.parametrize("gives_maps", [True, False])
def test_it_works_in_a_browser_and_hostile_names_stay_text(
    tmp_path: Path, report_page: Any, gives_maps: bool
) -> None:
    training = some_training(tmp_path, gives_maps=gives_maps, name=ATTACK)
    skipped = [{"path": ATTACK, "detail": ATTACK}]
    page_of(replace(training, history=HISTORY, inspector=ATTACK, skipped=skipped), tmp_path, title=ATTACK)
    with report_page(tmp_path / "report.html") as page:
        page.wait_for_selector("html[data-drawn='2']")
        assert page.locator(".chart .barlayer .point").count() > 2
        assert page.locator(".chart .scatterlayer path.js-line").count() == 2
        assert page.locator(".exhibit .name").first.inner_text() == ATTACK
        assert page.evaluate("window.attacked") is None
        page.locator(".pictures").first.click()
        assert page.locator("#viewer .picture img").count() == 1 + gives_maps
        page.keyboard.press("Escape")
