"""Good photographs that a layout sets aside: the threshold is from them, nothing is learnt from or judged with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from blemish.core.calibration import quantile_threshold
from blemish.core.errors import CatalogError
from blemish.data.catalog import open_catalog
from blemish.data.told import Told
from blemish.detectors.registry import create_detector
from blemish.evaluation.unseen import unseen
from blemish.line.artifact import NORMAL_SCORES, read_artifact
from blemish.line.runtime import Inspector
from blemish.making.build import BuildSummary, build_inspector
from blemish.making.calibration_set import FEWEST, set_aside_in_words

SIDE, LEARNT = 64, 10


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), (0, 0), 2.0) * 60
    cv2.imwrite(str(path), np.clip(noise + 128, 0, 255).astype(np.uint8))
    return path


def category(root: Path, set_aside: int) -> Path:
    """Ten good photographs to learn from, some for validation, and two of each class to test with."""
    for folder, count, first in (
        ("train/good", LEARNT, 0),
        ("validation/good", set_aside, 100),
        ("test/good", 2, 200),
        ("test/bent", 2, 300),
    ):
        for number in range(count):
            write(root / folder / f"p{number:03d}.png", first + number)
    return root


def built(root: Path, name: str = "knn", group_by: str | None = None) -> tuple[BuildSummary, Inspector]:
    detector = create_detector(name, size=SIDE)
    catalog = open_catalog(root, told=Told(group_by=group_by))
    summary = build_inspector(catalog, root.parent / f"{root.name}.blemish", detector)
    return summary, Inspector.load(Path(summary.path))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Among those set aside copies of one learnt from and of one another, and a broken file; one is tested too."""
    root = category(tmp_path_factory.mktemp("set-aside") / "part", FEWEST + 3)
    aside = root / "validation/good"
    shutil.copy(root / "train/good/p000.png", aside / "p000.png")
    shutil.copy(aside / "p001.png", aside / "p002.png")
    (aside / "p003.png").write_bytes((aside / "p003.png").read_bytes()[:300])
    shutil.copy(aside / "p004.png", root / "test/good/q4.png")
    return root


@pytest.fixture(scope="module")
def fitted(part: Path) -> tuple[BuildSummary, Inspector]:
    return built(part)


def test_the_threshold_is_the_scores_of_the_inspector_itself_on_them(
    part: Path, fitted: tuple[BuildSummary, Inspector]
) -> None:
    summary, inspector = fitted
    names = (f"p{number:03d}.png" for number in range(FEWEST + 3) if number not in (0, 2, 3))
    scores = sorted(inspector.inspect(part / "validation/good" / name).score for name in names)
    assert read_artifact(Path(summary.path)).array(NORMAL_SCORES) == pytest.approx(scores, rel=1e-4)
    assert inspector.threshold == pytest.approx(quantile_threshold(scores), rel=1e-4)
    calibration = summary.manifest.calibration
    assert (calibration.method, calibration.folds, calibration.n_scores) == ("validation", 0, FEWEST)
    assert summary.n_train == LEARNT


def test_copies_of_what_was_learnt_and_what_cannot_be_read_calibrate_nothing(
    fitted: tuple[BuildSummary, Inspector],
) -> None:
    aside = fitted[0].set_aside
    assert {Path(one["path"]).name for one in aside.left_out} == {"p000.png", "p002.png", "p003.png"}
    said = set_aside_in_words(aside)
    assert f"from the {FEWEST} good photographs" in said
    assert "3 more are left out" in said


def test_what_the_threshold_is_from_judges_nothing(
    part: Path, fitted: tuple[BuildSummary, Inspector]
) -> None:
    judged = [Path(path).name for path in unseen(open_catalog(part), fitted[1]).test()["path"]]
    assert sorted(judged) == ["p000.png", "p000.png", "p001.png", "p001.png"]


def test_nothing_left_to_judge_with_is_refused(part: Path, fitted: tuple[BuildSummary, Inspector]) -> None:
    catalog = open_catalog(part)
    only = catalog.subset([not str(path).endswith(("00.png", "01.png")) for path in catalog.table["path"]])
    with pytest.raises(CatalogError, match="has its threshold from them: evaluate it on others"):
        unseen(only, fitted[1])


def test_too_few_are_said_and_left_alone(tmp_path: Path) -> None:
    summary, _ = built(category(tmp_path / "part", FEWEST - 1), "padim")
    assert (summary.manifest.calibration.method, summary.n_scores) == ("k-fold", LEARNT)
    assert f"{FEWEST - 1} good photographs for validation are too few" in set_aside_in_words(
        summary.set_aside
    )


def test_those_of_a_group_that_was_learnt_from_calibrate_nothing(tmp_path: Path) -> None:
    summary, _ = built(category(tmp_path / "part", FEWEST + LEARNT), group_by="^p([0-9]+)")
    left_out = {Path(one["path"]).name for one in summary.set_aside.left_out}
    assert left_out == {f"p{number:03d}.png" for number in range(LEARNT)}
    assert summary.manifest.calibration.n_groups == summary.n_scores == FEWEST
