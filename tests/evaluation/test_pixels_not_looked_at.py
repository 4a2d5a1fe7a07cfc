"""Pixel metrics leave out what nobody looks at: as if these pixels were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from blemish.core.types import Verdict
from blemish.data.catalog import open_catalog
from blemish.evaluation.evaluate import evaluate
from blemish.evaluation.metrics import pixel_metrics, saturated_overlap
from blemish.line.inspection import Inspection
from blemish.line.pixel_decision import PixelDecision


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_as_scikit_learn_measures_what_is_left(seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = [random.random((12, 17)).astype(np.float32) for _ in range(3)]
    counted = [random.random((12, 17)) > 0.4, None, random.random((12, 17)) > 0.8]
    masks = [(random.random((12, 17)) > 0.7) & (True if seen is None else seen) for seen in counted]
    found = pixel_metrics(masks, maps, counted=counted)
    kept = [np.ones((12, 17), np.bool_) if seen is None else seen for seen in counted]
    labels = np.concatenate([mask[seen] for mask, seen in zip(masks, kept, strict=True)])
    scores = np.concatenate([one[seen] for one, seen in zip(maps, kept, strict=True)])
    assert found.n_pixels == labels.size and found.n_anomalous == labels.sum()
    assert found.auroc == pytest.approx(roc_auc_score(labels, scores))
    assert found.average_precision == pytest.approx(average_precision_score(labels, scores))


def test_overlap_ignores_false_alarms_where_nobody_looks() -> None:
    random = np.random.default_rng(0)
    anomaly_map = random.random((20, 20)).astype(np.float32)
    mask, seen = np.zeros((20, 20), np.bool_), np.ones((20, 20), np.bool_)
    mask[2:5, 2:5], seen[:, 12:] = True, False
    loud = anomaly_map.copy()
    loud[:, 12:] = 9
    for one in (anomaly_map, loud):
        with_them = pixel_metrics([mask], [one], counted=[seen])
        cut = pixel_metrics([mask[:, :12]], [one[:, :12]])
        assert with_them == cut
        saturated = saturated_overlap([[(mask, 4.0)]], [one], counted=[seen])
        assert saturated == saturated_overlap([[(mask[:, :12], 4.0)]], [one[:, :12]])


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two defective plates, one with its defect on the left and one on the right, and a good one."""
    for folder, places in (("test/good", [None]), ("test/spot", [4, 24]), ("train/good", [None, None])):
        for number, place in enumerate(places):
            image, mask = np.full((20, 32, 3), 90 + number, np.uint8), np.zeros((20, 32), np.uint8)
            if place is not None:
                image[8:12, place : place + 4], mask[8:12, place : place + 4] = 255, 255
                (tmp_path / "ground_truth" / "spot").mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / "ground_truth" / "spot" / f"{number}_mask.png"), mask)
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    return tmp_path


def test_an_evaluation_says_how_many_pixels_and_defects_nobody_sees(plates: Path) -> None:
    counted = np.ones((20, 32), np.bool_)
    counted[:, 16:] = False

    def inspect(path: Path) -> Inspection:
        image: Any = cv2.imread(str(path))
        bright = (image[..., 0] > 200).astype(np.float32) * counted
        return Inspection(
            Verdict.PASS,
            float(bright.max()),
            0.5,
            1.0,
            bright,
            (),
            32,
            20,
            pixels=PixelDecision(threshold=0.5),
            counted=counted,
        )

    found = evaluate(inspect, open_catalog(plates), 0.5)
    assert found.pixels is not None and found.pixels.auroc == 1.0
    assert found.pixels.n_pixels == 2 * 20 * 16 and found.pixels.n_anomalous == 16
    assert "The defects of 1 defective image lie where nothing is looked at" in found.pixel_note
    assert "640 of 1,280 pixels (50.0%) are not looked at" in found.pixel_note
    assert found.detections is not None and found.detections.n_true == 1
    assert found.decision.false_negatives == 1
