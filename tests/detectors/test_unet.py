"""The U-Net: its layers, its loss, painted examples, and what it learns."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import read_image, read_mask
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.data.splits import supervised_split
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.base import balanced_weights
from blemish.detectors.supervised.mask_overlap import MaskOverlap
from blemish.detectors.supervised.segmentation_examples import (
    SegmentationExamples,
    Subject,
    paint_defect,
    shrunken_mask,
)
from blemish.detectors.supervised.unet import UNet
from blemish.detectors.supervised.unet_network import (
    PlainEncoder,
    SegmentationHead,
    SimpleUNet,
    UNetNetwork,
    mask_loss,
)
from blemish.evaluation.facts import measured_in_words
from blemish.line.artifact import read_artifact
from blemish.line.runtime import Inspector
from blemish.server.laboratory.shown import comparison, verdict_banner
from blemish.station.judgement import Judgement
from blemish.station.shelf import InspectorVersion

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


def test_the_simple_network_is_the_founded_one() -> None:
    unet = SimpleUNet()
    assert count(unet) == 226_593 and f"{count(unet):,} parameters" in SimpleUNet.__doc__
    layers = [one for one in unet.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)]
    assert sorted(count(one) for one in layers) == [33, 896, 8_224, 18_464, 18_496, 32_832, 73_792, 73_856]
    assert unet(torch.rand(2, 3, 64, 96)).shape == (2, 1, 64, 96)
    made = create_detector("unet", "simple")
    assert (made.epochs, made.patience, made.recipe().epochs) == (25, 5, 25)
    assert count(made._unet()) == 226_593


def test_the_simple_network_layer_by_layer() -> None:
    unet, images = SimpleUNet(), torch.rand(1, 3, 16, 24)
    layers = [one for one in unet.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)]
    (first, second, third, up, joint, up_again, joint_again, last) = (
        next(one for one in layers if count(one) == size)
        for size in (896, 18_496, 73_856, 32_832, 73_792, 8_224, 18_464, 33)
    )
    fine = first(images).clamp(min=0)
    middle = second(F.max_pool2d(fine, 2)).clamp(min=0)
    waist = third(F.max_pool2d(middle, 2)).clamp(min=0)
    assert waist.shape == (1, 128, 4, 6)
    maps = joint(torch.cat([up(waist), middle], 1)).clamp(min=0)
    maps = joint_again(torch.cat([up_again(maps), fine], 1)).clamp(min=0)
    assert torch.allclose(unet(images), last(maps), atol=1e-6)


def test_a_defective_pixel_of_the_simple_network_weighs_the_whole_ratio(catalog: Catalog) -> None:
    split = supervised_split(catalog)
    for preset in ("simple", "plain"):
        made = create_detector("unet", preset, **TINY)
        photographs = made.training_photographs(split)
        masks = [
            np.zeros((64, 64), bool) if label.mask is None else shrunken_mask(read_mask(label.mask), (64, 64))
            for label in photographs.labels_of(photographs.learnt)
        ]
        pixels = np.array(masks)
        ratio = (~pixels).sum() / pixels.sum()
        weight = made.prepare(photographs)
        assert (weight == pytest.approx(ratio, rel=1e-4)) == (preset == "simple")


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
    assert "cross_iou" not in metrics, "there is no other half"
    assert metrics["soft_iou"] == pytest.approx((p * m).sum() / (p + m - p * m).sum(), rel=1e-5)
    assert metrics["mask_probability"] == pytest.approx(p[m].mean(), rel=1e-5)
    assert metrics["other_probability"] == pytest.approx(p[~m].mean(), rel=1e-5)


def test_no_half_is_measured_at_a_threshold_that_it_chose() -> None:
    rng = np.random.default_rng(1)
    images = []
    for number in range(6):  # the second half's probabilities are of another scale
        mask = rng.random((12, 12)) > 0.8
        probability = (
            np.where(mask, 0.6, 0.3) * rng.uniform(0.5, 1, mask.shape) * (0.1 if number % 2 else 1.0)
        )
        images.append((probability.astype(np.float32), mask, number % 2))
    overlap = MaskOverlap()
    for probability, mask, half in images:
        overlap.add(probability, mask, half)
    thresholds = 1 / (1 + np.exp(-np.arange(-8, 12.01, 0.25)))

    def counted(half: int, threshold: float) -> tuple[int, int]:
        pairs = [(p >= threshold, m) for p, m, one in images if one == half]
        return sum((p & m).sum() for p, m in pairs), sum((p | m).sum() for p, m in pairs)

    best = [max(thresholds, key=lambda t: np.divide(*counted(half, t))) for half in (0, 1)]
    (both, either), (more, others) = counted(0, best[1]), counted(1, best[0])
    assert overlap.metrics()["cross_iou"] == pytest.approx((both + more) / (either + others))
    assert overlap.metrics()["cross_iou"] < overlap.metrics()["iou"]


def test_a_painted_photograph_stays_in_the_half_of_the_good_one(catalog: Catalog) -> None:
    detector = create_detector("unet", **TINY, synthetic="both")
    assert isinstance(detector, UNet)
    photographs = detector.training_photographs(supervised_split(catalog))
    held_out = photographs.held_out
    subjects = detector._judged(held_out, photographs.labels_of(held_out))
    halves = {path: {one.half for one in subjects if one.path == path} for path in held_out}
    assert all(len(one) == 1 for one in halves.values())
    for kind in ("good", "real", "painted"):
        counts = np.bincount([one.half for one in subjects if one.kind == kind], minlength=2)
        assert abs(counts[0] - counts[1]) <= 1


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
    curve = [row["validation_iou"] for row in detector.history_]
    best = min(detector.history_, key=lambda row: row["validation_loss"])
    assert len(curve) == 6 and max(curve) > 0.05
    assert best["validation_iou"] == pytest.approx(metrics["cross_iou"], abs=0.01), (
        "of the same images and weights"
    )
    one = detector.predict(folder / "test" / "good" / "000.png")
    assert one.mask_probability == pytest.approx(
        float(torch.sigmoid(torch.tensor(one.anomaly_map)).mean()), rel=1e-4
    )
    assert metrics["mask_probability"] > 3 * metrics["other_probability"]


@pytest.fixture(scope="module")
def segmenting(washers: Path, tmp_path_factory: pytest.TempPathFactory, blemish: Callable[..., Any]) -> Any:
    """An inspector of the simple network, what `blemish fit` said, and the folder of its report."""
    folder = tmp_path_factory.mktemp("segmenting")
    small = ("--detector", "unet", "--preset", "simple", "--size", 64, "--synthetic")
    short = ("--set", "epochs=2", "--set", "examples_per_epoch=8", "--report", folder / "fit.html")
    outcome = blemish("fit", washers, "--out", folder / "part.blemish", *small, *short, "--json")
    assert outcome.status == 0, outcome.stderr
    return folder / "part.blemish", outcome.document, folder


def test_the_artifact_and_the_reports_say_what_it_reached(
    segmenting: Any, washers: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    out, said, folder = segmenting
    measured = read_artifact(out).manifest.training.measured
    assert measured == said["measured"]
    assert set(measured) == {
        "cross_iou", "iou", "threshold", "soft_iou", "mask_probability", "other_probability",
    }  # fmt: skip
    assert blemish("evaluate", out, washers, "--out", tmp_path).status == 0
    for page in (folder / "fit.html", tmp_path / "report.html"):
        text = page.read_text("utf-8")
        assert f"IoU {measured['cross_iou']:.3f} at thresholds chosen on other images" in text
        assert f"IoU {measured['iou']:.3f} at a threshold chosen on the same images" in text
        assert f"mean probability {measured['mask_probability']:.3f} in the masks" in text
        assert "IoU while training" in text
    curve = [row["validation_iou"] for row in said["history"]]
    assert len(curve) == 2 and curve == [row["validation_iou"] for row in read_artifact(out).history()]


def test_an_older_inspector_says_how_its_threshold_was_chosen() -> None:
    said = measured_in_words({"iou": 0.5, "threshold": 0.7})
    assert said == "IoU 0.500 at a threshold chosen on the same images, the probability 0.700"


def test_the_mask_probability_of_a_photograph_is_said_everywhere(
    segmenting: Any, washers: Path, fitted: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    out, _, _ = segmenting
    photograph = washers / "test" / "good" / "000.png"
    inspector = Inspector.load(out)
    logits = inspector.predict(read_image(photograph)).anomaly_map.astype(np.float64)
    expected = pytest.approx(float(np.mean(1 / (1 + np.exp(-logits)))), rel=1e-5)
    inspection = inspector.inspect(photograph)
    assert inspection.mask_probability == expected and "mask probability" in repr(inspection)
    assert "mask probability" in blemish("inspect", out, photograph).stdout
    assert (
        blemish("inspect", out, photograph, "--out", tmp_path, "--json").document[0]["mask_probability"]
        == expected
    )
    with (tmp_path / "results.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["mask_probability"]) == expected
    given = ("compare-image", photograph, "--inspectors", out, fitted, "--out", tmp_path)
    ours, other = blemish(*given, "--json").document["detectors"]
    assert ours["mask_probability"] == expected and "mask_probability" not in other
    assert (ours["metric"], ours["value"]) == ("mean mask probability", expected)
    assert "mean mask probability" in blemish(*given).stdout
    assert ">Mask probability</th>" in (tmp_path / "compare.html").read_text("utf-8")
    judged = [_judgement(one, photograph) for one in (inspector, Inspector.load(fitted))]
    assert "Mask probability" in comparison(judged) and "mask probability" in verdict_banner(
        judged[0], ["part"]
    )
    assert "ask probability" not in comparison(judged[1:]) + verdict_banner(judged[1], ["part"])
    assert "mask_probability" not in Inspector.load(fitted).inspect(photograph).to_json()


def _judgement(inspector: Inspector, photograph: Path) -> Judgement:
    image, moment = read_image(photograph), datetime.now(UTC)
    version = InspectorVersion(
        name=inspector.name, version=1, digest="0" * 64, path=Path("x"), detector="d", category="c",
        created=moment, added=moment, active=True,
    )  # fmt: skip
    return Judgement(version, inspector, image, inspector.inspect(image))
