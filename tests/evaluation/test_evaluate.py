"""Evaluation of a real, if simple, inspector on photographs in a real catalog, with faults injected."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn import metrics as reference

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.images import read_image, read_mask
from blemish.core.types import Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.evaluation.evaluate import Inspect, evaluate, mask_on_grid
from blemish.evaluation.undefined import WORDS, in_words
from blemish.line.inspection import Inspection

REQUIRED = {
    "category", "image_auroc", "image_ap", "image_f1", "precision", "recall", "accuracy", "f1",
    "threshold", "pixel_auroc", "pixel_ap", "pixel_f1", "aupro", "latency_ms", "n_normal", "n_anomalous",
    "per_defect_type", "failed",
}  # fmt: skip
THRESHOLD, SIDE = 30.0, 48


def write_catalog(root: Path, good: int = 6, stains: int = 5, scratches: int = 4) -> Path:
    """A category in the MVTec layout: noisy grey plates, with dark stains and faint bright scratches."""
    random = np.random.default_rng(3)
    folders = {"train/good": 4, "test/good": good, "test/stain": stains, "test/scratch": scratches}
    for folder, count in folders.items():
        kind = Path(folder).name
        for index in range(count):
            plate = random.normal(128, 6, (64, 64)).astype(np.float32)
            mask = np.zeros((64, 64), np.uint8)
            x, y = (int(v) for v in random.integers(14, 50, 2))
            if kind == "stain":
                cv2.circle(mask, (x, y), 6, 255, -1)
                plate[mask > 0] -= 70
            elif kind == "scratch":
                cv2.line(mask, (x - 9, y - 4), (x + 9, y + 4), 255, 2)
                plate[mask > 0] += 12 + 12 * index
            image = root / folder / f"{index:03}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(image), plate.clip(0, 255).astype(np.uint8))
            if mask.any():
                truth = root / "ground_truth" / kind / f"{index:03}_mask.png"
                truth.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(truth), mask)
    return root


def inspect(path: Path) -> Inspection:
    """Difference from the plate's usual grey, as a map of another size than the photograph."""
    image = read_image(path)
    grey = cv2.GaussianBlur(image[..., 0].astype(np.float32), (0, 0), 1.2)
    anomaly_map = cv2.resize(np.abs(grey - 128), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    score = float(anomaly_map.max())
    verdict = Verdict.REJECT if score > THRESHOLD else Verdict.PASS
    return Inspection(verdict, score, THRESHOLD, 0.5, anomaly_map, (), image.shape[1], image.shape[0])


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return open_catalog(write_catalog(tmp_path / "plates"))


def measured(catalog: Catalog, how: Inspect = inspect, **options: Any) -> dict[str, Any]:
    document = evaluate(how, catalog, THRESHOLD, **options).to_json()
    return dict(json.loads(json.dumps(document, allow_nan=False)))


def test_figures_agree_with_scikit_learn_on_the_same_images(catalog: Catalog) -> None:
    document, table = measured(catalog), catalog.test()
    labels = (table["label"] == "anomalous").to_numpy()
    inspections = [inspect(Path(path)) for path in table["path"]]
    scores = np.array([inspection.score for inspection in inspections])
    assert set(document) >= REQUIRED
    assert document["category"] == "plates"
    assert (document["n_normal"], document["n_anomalous"]) == (6, 9)
    assert document["image_auroc"] == pytest.approx(reference.roc_auc_score(labels, scores))
    assert document["image_ap"] == pytest.approx(reference.average_precision_score(labels, scores))
    rejected = scores > THRESHOLD
    assert 0 < rejected[labels].sum() < labels.sum()  # some defects are missed, so that recall can be wrong
    for name in ("precision", "recall", "accuracy", "f1"):
        assert document[name] == pytest.approx(getattr(reference, f"{name}_score")(labels, rejected)), name
    masks = [
        mask_on_grid(read_mask(mask), SIDE, SIDE) if isinstance(mask, str) else np.zeros((SIDE, SIDE), bool)
        for mask in table["mask"]
    ]
    pixels, truth = np.stack([i.anomaly_map for i in inspections]).ravel(), np.stack(masks).ravel()
    assert document["pixel_auroc"] == pytest.approx(reference.roc_auc_score(truth, pixels), abs=1e-9)
    assert document["pixel_ap"] == pytest.approx(reference.average_precision_score(truth, pixels), abs=1e-9)
    assert 0 < document["aupro"] < 1


def test_each_defect_type_is_measured_against_all_good_parts(catalog: Catalog) -> None:
    types, table = measured(catalog)["per_defect_type"], catalog.test()
    assert set(types) == {"stain", "scratch"}
    assert (types["stain"]["n"], types["scratch"]["n"]) == (5, 4)
    assert types["stain"]["recall"] == 1.0
    assert types["scratch"]["escape"]["count"] == round((1 - types["scratch"]["recall"]) * 4) > 0
    kept = table[(table["label"] == "normal") | (table["defect_type"] == "scratch")]
    scores = [inspect(Path(path)).score for path in kept["path"]]
    expected = reference.roc_auc_score(kept["label"] == "anomalous", scores)
    assert types["scratch"]["image_auroc"] == pytest.approx(expected)


def test_only_test_images_are_inspected(catalog: Catalog) -> None:
    seen: list[Path] = []
    measured(catalog, lambda path: (seen.append(path), inspect(path))[1])
    assert sorted(seen) == sorted(Path(path) for path in catalog.test()["path"])


def test_a_broken_image_is_recorded_and_the_others_go_on(catalog: Catalog) -> None:
    broken = catalog.root / "test" / "good" / "002.png"
    broken.write_bytes(broken.read_bytes()[:200])
    document = measured(catalog)
    assert [Path(failure["path"]) for failure in document["failed"]] == [broken]
    assert document["failed"][0]["detail"]
    assert (document["n_normal"], document["n_anomalous"]) == (5, 9)


def test_a_catalog_of_broken_images_only_is_an_error_that_names_one(catalog: Catalog) -> None:
    for path in catalog.test()["path"]:
        Path(path).write_bytes(b"not an image")
    with pytest.raises(CatalogError, match=r"None of the 15 test images .*\.png"):
        measured(catalog)


def test_without_test_images_there_is_nothing_to_evaluate(catalog: Catalog) -> None:
    empty = catalog.subset((catalog.table["split"] == "train").to_numpy())
    with pytest.raises(CatalogError, match="no test images"):
        evaluate(inspect, empty, THRESHOLD)


def test_without_masks_pixel_metrics_are_null_and_say_why(catalog: Catalog) -> None:
    for mask in (catalog.root / "ground_truth").rglob("*.png"):
        mask.unlink()
    document = measured(open_catalog(catalog.root))
    assert [document[name] for name in ("pixel_auroc", "pixel_ap", "pixel_f1", "aupro")] == [None] * 4
    assert "no masks" in document["pixel_note"]
    assert document["image_auroc"] is not None


def test_defects_with_an_empty_or_broken_mask_are_left_out_of_the_pixel_metrics(catalog: Catalog) -> None:
    folder = catalog.root / "ground_truth"
    cv2.imwrite(str(folder / "stain" / "000_mask.png"), np.zeros((64, 64), np.uint8))
    (folder / "stain" / "001_mask.png").write_bytes(b"")
    evaluation = evaluate(inspect, catalog, THRESHOLD)
    document = evaluation.to_json()
    assert document["n_anomalous"] == 9
    assert document["pixel_note"].startswith("2 of 9 defective images")
    assert [Path(failure["path"]).name for failure in document["failed"]] == ["001_mask.png"]
    assert evaluation.pixels is not None
    assert evaluation.pixels.n_regions == 7


@pytest.mark.parametrize("label", ["normal", "anomalous"])
def test_one_class_only_leaves_ranking_metrics_null(catalog: Catalog, label: str) -> None:
    only = catalog.subset(
        ((catalog.table["split"] == "train") | (catalog.table["label"] == label)).to_numpy()
    )
    document = measured(only)
    assert document["image_auroc"] is document["image_ap"] is document["image_f1"] is None
    assert document["image_auroc_interval"] == [None, None]
    assert document["accuracy"] is not None
    rates = document["false_reject"]["rate"], document["escape"]["rate"]
    assert (rates[0] is None, rates[1] is None) == (label == "anomalous", label == "normal")


def test_a_score_that_is_not_finite_names_the_photograph(catalog: Catalog) -> None:
    def broken(path: Path) -> Inspection:
        given = inspect(path)
        given.anomaly_map[3, 3] = np.nan
        return given

    with pytest.raises(BlemishError, match=r"\.png: .*not finite"):
        evaluate(broken, catalog, THRESHOLD)


def test_from_a_histogram_the_figures_are_within_the_errors_that_are_said(catalog: Catalog) -> None:
    exact, binned = measured(catalog), measured(catalog, binned=True)
    assert "pixel_errors" not in exact
    for name, error in binned["pixel_errors"].items():
        assert 0 <= error < 1e-2
        assert abs(exact[name] - binned[name]) <= error + 1e-9, name
    assert len(binned["pixel_errors"]) == 4


def test_a_coarser_grid_is_used_above_the_cap_and_changes_little(catalog: Catalog) -> None:
    fine, coarse = measured(catalog), measured(catalog, pixel_cap=15 * SIDE * SIDE // 4)
    assert (fine["pixel_grid_step"], coarse["pixel_grid_step"]) == (1, 2)
    assert "1/2" in coarse["pixel_note"]
    table = catalog.test()
    maps = [
        inspect(Path(path)).anomaly_map[1::2, 1::2] for path in table["path"]
    ]  # the middles of 2 x 2 pixels
    masks = [
        mask_on_grid(read_mask(mask), SIDE // 2, SIDE // 2)
        if isinstance(mask, str)
        else np.zeros_like(maps[0])
        for mask in table["mask"]
    ]
    expected = reference.roc_auc_score(np.stack(masks).ravel() > 0, np.stack(maps).ravel())
    assert coarse["pixel_auroc"] == pytest.approx(expected, abs=1e-9)
    assert coarse["pixel_auroc"] == pytest.approx(fine["pixel_auroc"], abs=0.02)
    assert coarse["aupro"] == pytest.approx(fine["aupro"], abs=0.05)
    assert coarse["image_auroc"] == fine["image_auroc"]


def test_latency_is_the_whole_call_without_the_first(catalog: Catalog) -> None:
    calls = 0

    def slow(path: Path) -> Inspection:
        nonlocal calls
        calls += 1
        time.sleep(0.5 if calls == 1 else 0.01)
        return inspect(path)

    latency = measured(catalog, slow)["latency_ms"]
    assert 10 <= latency["p50"] <= latency["p99"] < 200


def test_a_good_part_stays_calm_on_the_colour_scale(catalog: Catalog) -> None:
    evaluation = evaluate(inspect, catalog, THRESHOLD)
    low, high = evaluation.map_scale
    assert (low + high) / 2 == pytest.approx(THRESHOLD)
    good = np.concatenate([i.anomaly_map.ravel() for i in evaluation.images if not i.anomalous])
    assert np.median((good - low) / (high - low)) < 0.05
    assert evaluate(inspect, catalog, THRESHOLD, map_scale=(1.0, 9.0)).map_scale == (1.0, 9.0)
    beyond = evaluate(inspect, catalog, THRESHOLD, pixel_threshold=-5.0).map_scale
    assert beyond[0] < beyond[1]


def test_a_tiny_defect_survives_a_coarse_grid() -> None:
    mask = np.zeros((512, 512), bool)
    mask[301, 77] = True
    scaled = mask_on_grid(mask, 28, 28)
    assert scaled.sum() == 1
    assert scaled[int(301 * 28 / 512), int(77 * 28 / 512)]
    disc = cv2.circle(np.zeros((300, 400), np.uint8), (200, 150), 60, 1, -1).astype(bool)
    assert mask_on_grid(disc, 120, 120).mean() == pytest.approx(disc.mean(), rel=0.05)


@pytest.mark.real
def test_real_masks_are_brought_to_the_grid_of_the_map(real_data: Path) -> None:
    catalog = open_catalog(real_data / "screw")
    keep = np.zeros(len(catalog), bool)
    keep[catalog.table.index[catalog.table["split"] == "test"][::8]] = True
    evaluation = evaluate(inspect, catalog.subset(keep), THRESHOLD)
    assert not evaluation.failed
    assert evaluation.pixels is not None
    assert evaluation.pixels.n_regions >= sum(image.anomalous for image in evaluation.images)


@pytest.mark.parametrize(
    ("kept", "dashes"),
    [
        ("normal", {"image_auroc": "no defective", "recall": "no defective", "aupro": "no defective"}),
        ("anomalous", {"image_auroc": "no good", "image_ap": "no good"}),
    ],
)
def test_a_figure_that_is_undefined_says_why(catalog: Catalog, kept: str, dashes: dict[str, str]) -> None:
    table = catalog.table
    one_kind = catalog.subset(((table["split"] == "test") & (table["label"] == kept)).to_numpy())
    document = measured(one_kind)
    absent = {name for name in WORDS if document[name] is None}
    assert set(document["undefined"]) == absent >= dashes.keys()
    for name, words in dashes.items():
        assert words in document["undefined"][name]
    lines = in_words(document["undefined"])
    assert all(any(WORDS[name] in line for line in lines) for name in absent)


def test_nothing_rejected_leaves_no_precision(catalog: Catalog) -> None:
    document = evaluate(inspect, catalog, threshold=1e9).to_json()
    assert document["undefined"] == {"precision": "Nothing was rejected."}
