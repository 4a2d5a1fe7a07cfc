"""No part judges itself: of every detector that is fitted by folds, and of what trained ones hold out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector, detector_info
from blemish.detectors.trained import TrainedDetector

SIDE, PARTS, VIEWS = 64, 8, 3
SMALL: dict[str, Any] = {"size": SIDE, "coreset_size": 200, "bank_size": 200, "images": 12, "rotations": 2}
SMALL |= {"components": 3, "members": ("knn", "padim")}


def small(name: str) -> Detector:
    info = detector_info(name)
    return create_detector(name, **{key: value for key, value in SMALL.items() if key in info.parameters})


BY_FOLDS = ("patchcore", "knn", "padim", "few-shot", "gaussian-mixture", "one-class-svm")
"""One of each way to score good photographs as if unseen; an ensemble asks its members."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Eight parts, each with a surface of its own, photographed thrice with hardly any noise between."""
    folder = tmp_path_factory.mktemp("parts")
    for part in range(PARTS):
        grain = cv2.GaussianBlur(
            np.random.default_rng(part).normal(size=(SIDE, SIDE)), (0, 0), 1.0 + part / 2
        )
        grain = 25 * grain / grain.std() + 90 + 15 * part
        for view in range(VIEWS):
            noise = np.random.default_rng((part, view)).normal(size=(SIDE, SIDE))
            picture = np.clip(grain + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"part{part}-{view}.png"), picture)
    return open_catalog(folder)


@pytest.mark.parametrize("name", BY_FOLDS)
def test_a_part_scores_higher_where_none_of_its_own_photographs_was_learnt_from(
    name: str, catalog: Catalog
) -> None:
    alone, grouped = (
        dict(small(name).fit(one).cross_predict(one, 4))
        for one in (catalog, catalog.grouped("^(part[0-9]+)-"))
    )
    assert grouped, "nothing was scored"
    common = sorted(set(alone) & set(grouped))
    higher = [grouped[position].score > alone[position].score for position in common]
    assert np.mean(higher) > 0.6


@pytest.mark.parametrize("name", ["vae", "student-teacher"])
def test_what_is_held_out_of_a_training_is_of_parts_that_are_not_learnt_from(
    name: str, catalog: Catalog
) -> None:
    grouped = catalog.grouped("^(part[0-9]+)-")
    detector = create_detector(name)
    assert isinstance(detector, TrainedDetector)
    detector.know_groups(grouped)
    photographs = detector.training_photographs(grouped)

    def parts(paths: list[Path]) -> set[str]:
        return {path.name[:5] for path in paths}

    assert not parts(photographs.learnt) & parts(photographs.held_out)
    assert len(photographs.all) == PARTS * VIEWS
