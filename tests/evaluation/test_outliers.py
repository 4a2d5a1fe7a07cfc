"""What stands far out of the good photographs is told, whatever it is; what only varies is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from blemish.cli.main import app
from blemish.core.calibration import quantile_threshold
from blemish.core.outliers import deviations, far_out

SCORES = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)


@given(SCORES, st.floats(0.1, 50))
def test_the_scale_of_the_scores_does_not_matter(scores: list[float], factor: float) -> None:
    assert deviations(np.array(scores) * factor) == pytest.approx(deviations(scores), rel=1e-6, abs=1e-6)


@given(SCORES, st.integers(1, 8))
def test_those_far_out_are_the_highest_few(scores: list[float], most: int) -> None:
    found = far_out(scores, most)
    assert len(found) <= min(most, max(2, len(scores) // 10))
    others = np.delete(scores, found)
    assert not len(found) or min(np.array(scores)[found]) > max(others)


@given(st.integers(14, 200), st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_one_or_two_that_score_far_higher_are_told(count: int, seed: int, intruders: int) -> None:
    drawn = np.random.default_rng(seed).normal(10, 1, count)
    good = drawn[
        deviations(drawn) < 3
    ]  # of 14 that lie close together one may stand out by itself, and is told too
    placed = np.append(good, [60.0] * intruders)
    assert sorted(far_out(placed).tolist()) == list(range(len(good), len(placed)))


@pytest.mark.parametrize("shape", ["normal", "exponential", "equal", "two groups"])
def test_good_scores_are_seldom_suspected(shape: str) -> None:
    suspected = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        draws = {
            "normal": random.normal(10, 1, 40),
            "exponential": 10 + random.exponential(1, 40),
            "equal": np.full(40, 3.0) + random.normal(0, 1e-9, 40),
            "two groups": np.append(random.normal(10, 1, 20), random.normal(20, 1, 20)),
        }
        suspected += bool(len(far_out(draws[shape])))
    assert suspected <= (50 if shape == "exponential" else 2), "a tail as long as that is rare"


@pytest.mark.parametrize("intruder", ["black", "stripes", "noise"])
def test_fit_names_the_photograph_and_the_threshold_without_it(
    tmp_path: Path, washers: Path, intruder: str
) -> None:
    folder = tmp_path / "parts"
    shutil.copytree(washers / "train" / "good", folder)
    shape = cv2.imread(str(next(folder.iterdir()))).shape
    pixels = np.zeros(shape, np.uint8)
    if intruder == "stripes":
        pixels[:, ::8] = np.linspace(20, 230, shape[0])[:, None, None]
    if intruder == "noise":
        pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    cv2.imwrite(str(folder / "intruder.png"), pixels)
    out, report = tmp_path / "part.blemish", tmp_path / "part.html"
    options = ["--set", "size=96", "--report", str(report)]
    result = CliRunner().invoke(app, ["fit", str(folder), "--out", str(out), "--json", *options])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [Path(one["path"]).name for one in document["outliers"]] == ["intruder.png"]
    assert document["threshold_without_outliers"] < document["threshold"]
    assert "intruder.png" in result.stderr and "Without it the threshold would be" in result.stderr
    page = report.read_text("utf-8")
    assert "Look at these first" in page and page.index("Far out of all others") < page.index(
        "The most unusual of the others"
    )


def test_the_threshold_without_them_is_that_of_the_others() -> None:
    from blemish.core.types import Prediction
    from blemish.evaluation.normal_scores import NormalScores

    normal = NormalScores()
    values = [*np.linspace(1, 2, 30), 40.0, 30.0]
    for number, value in enumerate(values):
        normal.add(Path(f"{number}.png"), f"{number}.png", Prediction(value, np.zeros((2, 2), np.float32)))
    assert [image.name for image, _ in normal.outliers] == ["30.png", "31.png"]
    assert quantile_threshold(normal.without_outliers.scores) == pytest.approx(2.0)


@pytest.mark.parametrize("of_a_part", [2, 12])
def test_photographs_of_an_outlier_s_part_leave_with_it_unless_they_are_a_shift_of_them(
    of_a_part: int,
) -> None:
    from blemish.core.types import Prediction
    from blemish.evaluation.normal_scores import NormalScores

    values = [40.0, *np.linspace(1, 2, 35).tolist()]
    paths = [Path(f"{number}.png") for number in range(len(values))]
    parts = {path: str(number // of_a_part) for number, path in enumerate(paths)}
    normal = NormalScores(groups=parts)
    for path, value in zip(paths, values, strict=True):
        normal.add(path, path.name, Prediction(value, np.zeros((2, 2), np.float32)))
    assert normal.leaving == (paths[:2] if of_a_part == 2 else paths[:1])
    stayed = normal.without_outliers
    assert stayed.scores.tolist() == np.float32(values[len(normal.leaving) :]).tolist()
    assert stayed.n == len({parts[path] for path in paths if path not in normal.leaving})
    assert normal.threshold_without_outliers(0.5) == stayed.threshold(0.5)
