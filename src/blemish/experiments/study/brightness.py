"""How far brightness alone tells defective test images from good ones: where far, models may judge the light."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.json_values import number_or_none
from blemish.core.storage import write_json
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST
from blemish.evaluation.metrics import image_auroc
from blemish.experiments.categories import Category
from blemish.experiments.held_back import HeldBack
from blemish.experiments.study.choice import images_of
from blemish.experiments.study.inputs import StudyInputs
from blemish.experiments.study.plan import COMBINATIONS
from blemish.line.handcrafted import feature_names

TELLING = 0.9
"""AUROC, in either direction, from which the light is as good an explanation as the defects."""

_COLUMN = "mean_intensity"


def brightness_auroc(category: Category, inputs: StudyInputs) -> float:
    """AUROC of the mean grey value alone on the test images: over 0.5 where defective ones are brighter.

    It is kept beside the splits. nan without test images of both classes.
    """
    held_back = _test_images(category, inputs)
    if held_back is None:
        return math.nan
    path = inputs.folder(category) / "brightness.json"

    def measure(catalog: Catalog) -> float:
        direct = next(one for one in COMBINATIONS if one.features == "direct")
        paths, labels = images_of(catalog, TEST)
        values = inputs.rows(category, direct).of(paths)
        assert isinstance(values, np.ndarray)  # handcrafted features are not streamed
        return image_auroc(labels, values[:, feature_names().index(_COLUMN)])

    found, _ = held_back.measured_once(
        _read(path), measure, lambda value: write_json(path, {"auroc": number_or_none(value)})
    )
    return found


def is_telling(auroc: float) -> bool:
    """Whether brightness alone tells the classes apart; never for nan."""
    return max(auroc, 1 - auroc) >= TELLING


def _test_images(category: Category, inputs: StudyInputs) -> HeldBack | None:
    """Split (ii) has the whole test set; where it is not possible, (i) has a share of it."""
    for name in ("train", "test"):
        try:
            split = inputs.split(category, name)
        except BlemishError:
            continue
        if not split.held_back.empty:
            return split.held_back
    return None


def _read(path: Path) -> float | None:
    try:
        value = json.loads(path.read_text("utf-8"))["auroc"]
        return math.nan if value is None else float(value)
    except (OSError, ValueError, KeyError, TypeError):
        return None
