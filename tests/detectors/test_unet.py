"""The U-Net: its layers, its loss, painted examples, and what it learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import read_image
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.data.splits import supervised_split
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.base import balanced_weights
from blemish.detectors.supervised.segmentation_examples import (
    SegmentationExamples,
    Subject,
    paint_defect,
    shrunken_mask,
)
from blemish.detectors.supervised.unet import MaskOverlap
from blemish.detectors.supervised.unet_network import PlainEncoder, SegmentationHead, UNetNetwork, mask_loss
from blemish.line.artifact import read_artifact

TINY = {"size": 64, "epochs": 1, "examples_per_epoch": 8, "precision": "float32"}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_shapes_and_parameters_are_as_documented() -> None:
    encoder = PlainEncoder()
    unet = UNetNetwork(encoder, encoder.channels)
    assert [tuple(one.shape[1:]) for one in encoder(torch.rand(1, 3, 256, 256))] == [
        (32, 128, 128),
        (64, 64, 64),
        (128, 32, 32),
        (128, 16, 16),
    ]
    assert unet(torch.rand(2, 3, 64, 96)).shape == (2, 1, 64, 96)
    assert f"{count(encoder):,} parameters" in PlainEncoder.__doc__
    assert f"{count(unet):,} parameters" in UNetNetwork.__doc__


def test_the_loss_is_weighted_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    logits, masks = 3 * rng.standard_normal((2, 1, 4, 5)), rng.random((2, 1, 4, 5)) > 0.7
    probability = 1 / (1 + np.exp(-logits))
    direct = np.where(masks, -7 * np.log(probability), -np.log(1 - probability)).mean()
    loss = mask_loss(torch.tensor(logits), torch.tensor(masks.astype(float)), torch.tensor(7.0))
    assert float(loss) == pytest.approx(direct)


def test_the_score_is_the_mean_of_the_highest_logits() -> None:
    logits = torch.arange(1024.0).reshape(1, 1, 32, 32)[..., torch.randperm(32)]
    score, shown = SegmentationHead(nn.Identity(), 32, 10 / 1024)(logits)
    assert float(score) == pytest.approx(np.mean(np.arange(1014, 1024)))
    assert torch.equal(shown, logits[0, 0])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_painted_defect_is_where_the_mask_says(washers: Path, seed: int) -> None:
    image = read_image(washers / "train" / "good" / "000.png")
    damaged, mask = paint_defect(image, np.random.default_rng(seed))
    assert np.array_equal(damaged[~mask], image[~mask])
    assert not mask.any() or np.abs(damaged[mask].astype(int) - image[mask]).max() >= 7
    grey = np.repeat(image[..., :1], 3, axis=2)
    painted, _ = paint_defect(grey, np.random.default_rng(seed))
    assert (painted == painted[..., :1]).all(), "colour would give it away"


def test_image_and_mask_move_together(catalog: Catalog) -> None:
    detector = create_detector("unet", **TINY)
    row = catalog.table[catalog.table["defect_type"] == "stain"].iloc[0]
    plain = SegmentationExamples(
        [Subject(Path(row["path"]), Path(row["mask"]))], detector.preprocessing(), False
    )
    moving = SegmentationExamples(plain.subjects, detector.preprocessing(), True)
    # A picture that is its own mask shows whether both go the same way.
    mask = plain.read(0, np.random.default_rng(0))[1]
    moving._pixels.read = lambda path, contract: np.repeat(255 * mask[..., None].astype(np.uint8), 3, 2)  # type: ignore[method-assign]
    seen = set()
    for seed in range(8):
        torch.manual_seed(seed)
        example = moving(0, np.random.default_rng(0))
        shown = example["image"][0] > 0.4
        seen.add(example["mask"].numpy().tobytes())
        assert float((shown != (example["mask"][0] > 0)).float().mean()) < 0.03
        torch.manual_seed(seed)
        assert torch.equal(moving(0, np.random.default_rng(0))["mask"], example["mask"])
    assert len(seen) > 4


def test_a_thin_scratch_survives_shrinking() -> None:
    mask = np.zeros((256, 256), bool)
    mask[100] = True
    assert shrunken_mask(mask, (64, 64)).any(axis=1).sum() == 1
    assert not shrunken_mask(np.zeros((256, 256), bool), (64, 64)).any()


def test_every_kind_is_drawn_alike() -> None:
    kinds = ["good"] * 7 + ["real"] * 2 + ["painted"]
    weights = balanced_weights(kinds)
    for kind in set(kinds):
        assert weights[[one == kind for one in kinds]].sum() == pytest.approx(1 / 3)


def test_overlap_against_a_direct_count() -> None:
    rng = np.random.default_rng(0)
    images = [(rng.random((9, 9), np.float32), rng.random((9, 9)) > 0.8) for _ in range(3)]
    overlap = MaskOverlap()
    for probability, mask in images:
        overlap.add(probability, mask)
    metrics = overlap.metrics()
    p, m = (np.concatenate([one[k].ravel() for one in images]) for k in (0, 1))
    best = max(((p >= t) & m).sum() / ((p >= t) | m).sum() for t in 1 / (1 + np.exp(-np.linspace(-8, 6, 57))))
    assert metrics["iou"] == pytest.approx(best)
    assert metrics["soft_iou"] == pytest.approx((p * m).sum() / (p + m - p * m).sum(), rel=1e-5)
    assert metrics["mask_probability"] == pytest.approx(p[m].mean(), rel=1e-5)
    assert metrics["other_probability"] == pytest.approx(p[~m].mean(), rel=1e-5)


def test_a_catalog_without_masks_is_refused_with_the_way_out(catalog: Catalog) -> None:
    detector = create_detector("unet", **TINY)
    assert detector.learns_from_defects()
    with pytest.raises(CatalogError, match=r"--synthetic.*supervised_split"):
        detector.fit(catalog)
    split = supervised_split(catalog)
    unmasked = dataclasses.replace(split, table=split.table.assign(mask=None))
    with pytest.raises(CatalogError, match="masks"):
        detector.fit(unmasked)
    with pytest.raises(UsageError, match="synthetic=maybe"):
        create_detector("unet", **TINY, synthetic="maybe").fit(split)


def test_it_learns_from_painted_defects_alone(catalog: Catalog) -> None:
    detector = create_detector(
        "unet", **{**TINY, "synthetic": "only", "encoder": "resnet18", "weights": "random"}
    )
    assert not detector.learns_from_defects()
    detector.fit(catalog)
    assert 0 < detector.metrics_["iou"] <= 1
    assert detector.history_[0]["validation_loss"] > 0


def test_training_lifts_the_overlap(tmp_path: Path) -> None:
    (folder,) = write_sample_line(tmp_path, ("washer",), train=12, good=4, per_defect_type=6, size=128)
    parameters = {**TINY, "size": 96, "epochs": 6, "examples_per_epoch": 48}
    detector = create_detector("unet", **parameters).fit(supervised_split(open_catalog(folder)))
    metrics = detector.metrics_
    assert metrics["iou"] > 0.05, "about a hundredth of an image is defective"
    assert metrics["mask_probability"] > 3 * metrics["other_probability"]


def test_the_artifact_and_the_report_say_what_it_reached(
    washers: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    out = tmp_path / "part.blemish"
    small = ("--detector", "unet", "--preset", "plain", "--size", 64, "--synthetic")
    short = ("--set", "epochs=1", "--set", "examples_per_epoch=8")
    outcome = blemish("fit", washers, "--out", out, *small, *short, "--json")
    assert outcome.status == 0, outcome.stderr
    measured = read_artifact(out).manifest.training.measured
    assert measured == outcome.document["measured"]
    assert set(measured) == {"iou", "threshold", "soft_iou", "mask_probability", "other_probability"}
    assert blemish("evaluate", out, washers, "--out", tmp_path).status == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"IoU {measured['iou']:.3f}" in page
    assert f"mean probability in the masks {measured['mask_probability']:.3f}" in page
