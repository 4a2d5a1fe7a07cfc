"""Where an inspector of real screws says that a defect is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.core.images import read_mask
from blemish.line.runtime import Inspector

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def screws(real_data: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small inspector of real screws."""
    out = tmp_path_factory.mktemp("screws") / "screw.blemish"
    small = ("--size", 256, "--set", "coreset_size=500", "--set", "copies=none")
    outcome = blemish("fit", real_data / "screw", "--out", out, *small)
    assert outcome.status == 0, outcome.stderr
    return out


def test_the_regions_of_rejected_screws_lie_on_their_defects(screws: Path, real_data: Path) -> None:
    inspector = Inspector.load(screws)
    hits = []
    for path in sorted((real_data / "screw" / "test").glob("[!g]*/*.png")):
        inspection = inspector.inspect(path)
        if inspection.verdict != "reject":
            continue
        folder = real_data / "screw" / "ground_truth" / path.parent.name
        mask = read_mask(next(folder.glob(f"{path.stem}*")))
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        box = inspection.regions[0]
        hits.append(bool(grown[box.y : box.y + box.height, box.x : box.x + box.width].any()))
    assert len(hits) >= 3 and np.mean(hits) > 0.5
