"""How far brightness alone tells defective test images from good ones: where far, models may judge the light."""

from __future__ import annotations

import json
import math

from blemish.core.errors import BlemishError
from blemish.core.storage import write_json
from blemish.data.entries import TEST
from blemish.evaluation.metrics import image_auroc
from blemish.experiments.study.cell import images_of
from blemish.experiments.study.material import Material
from blemish.experiments.study.plan import COMBINATIONS, Category
from blemish.features.handcrafted import feature_names

TELLING = 0.9
"""AUROC, in either direction, from which the light is as good an explanation as the defects."""

_COLUMN = "mean_intensity"


def brightness_auroc(category: Category, material: Material) -> float:
    """AUROC of the mean grey value alone on the test images: over 0.5 where defective ones are brighter.

    It is kept beside the splits. nan without test images of both classes.
    """
    kept = material.folder(category) / "brightness.json"
    try:
        value = json.loads(kept.read_text("utf-8"))["auroc"]
        return math.nan if value is None else float(value)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _measured(category, material)
    write_json(kept, {"auroc": None if math.isnan(found) else found})
    return found


def is_telling(auroc: float) -> bool:
    """Whether brightness alone tells the classes apart; never for nan."""
    return max(auroc, 1 - auroc) >= TELLING


def _measured(category: Category, material: Material) -> float:
    direct = next(one for one in COMBINATIONS if one.features == "direct")
    # Split (ii) has the whole test set; where it is not possible, (i) has a part of it.
    for split in ("train", "test"):
        try:
            paths, labels = images_of(material.split(category, split).catalog, TEST)
        except BlemishError:
            continue
        if not paths:
            continue
        values = material.rows(category, direct).of(paths)
        return image_auroc(labels, values[:, feature_names().index(_COLUMN)])
    return math.nan
