"""Few shots: one good photograph is enough, and every step is computed a second time with NumPy and SciPy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from good_images import first_good
from PIL import Image
from scipy.ndimage import grey_dilation, grey_erosion, uniform_filter
from scipy.spatial.distance import cdist
from skimage.transform import resize, rotate

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.base import Detector
from blemish.detectors.memory.few_shot import FewShot
from blemish.detectors.memory.foreground import learn_foreground
from blemish.detectors.registry import create_detector
from blemish.detectors.turned_copies import exact_copies, places_inside, turned
from blemish.features.onnx_export import to_onnx
from blemish.view.preprocessing import preprocess

Array = npt.NDArray[np.float64]
SIZE = 64
SMALL: dict[str, Any] = {"size": SIZE, "bank_size": 200, "rotations": 4}


def patches_of(detector: FewShot, path: Path) -> Array:
    """Patch vectors, h x w x D: 3 x 3 means with zeros outside, on the finest tap's grid."""
    maps = [np.asarray(tap, np.float64) for tap in detector.extractor().extract(path)]
    means = [np.moveaxis(uniform_filter(tap, (0, 3, 3), mode="constant"), 0, -1) for tap in maps]
    size = means[0].shape[:2]
    return np.concatenate([resize(tap, size, order=1, mode="edge", anti_aliasing=False) for tap in means], 2)


def weights_of(detector: FewShot, patches: Array) -> Array:
    """The foreground's weight of every patch."""
    foreground = detector.good_.foreground
    if foreground is None:
        return np.ones(patches.shape[:2])
    low, high = foreground.bounds.numpy()
    weight = np.clip((patches @ foreground.direction.numpy() - low) / (high - low), 0, 1)
    spread = grey_dilation(weight, (3, 3), mode="constant", cval=-np.inf)
    closed = grey_dilation(spread, (3, 3), mode="constant", cval=-np.inf)
    eroded: Array = grey_erosion(closed, (3, 3), mode="constant", cval=np.inf)
    return eroded


def check_scores(detector: FewShot, distances_of: Callable[[Array], Array], paths: list[Path]) -> None:
    """The mean of the highest 1 % of the weighted distances is the score."""
    for path, prediction in zip(paths, detector.predict(paths), strict=True):
        patches = patches_of(detector, path)
        distances = distances_of(patches.reshape(-1, patches.shape[2])).reshape(patches.shape[:2])
        weighted = np.sort((distances * weights_of(detector, patches)).ravel())
        assert prediction.score == pytest.approx(
            weighted[-max(1, round(0.01 * weighted.size)) :].mean(), rel=1e-4
        )


@pytest.mark.parametrize("masking", [True, False])
def test_nearest_is_that_of_a_slow_implementation(
    masking: bool, catalog: Catalog, tested: list[Path]
) -> None:
    detector = FewShot(**{**SMALL, "size": 256}, masking=masking).fit(first_good(catalog, 3))
    assert (detector.good_.foreground is not None) == masking
    bank = detector.good_.known
    assert len(bank) == 200
    check_scores(detector, lambda rows: cdist(rows, bank).min(1), tested)
    runtime = CompiledNetwork(to_onnx(detector.network(), torch.zeros(1, 3, 256, 256), ["score", "map"]))
    for path, prediction in zip(tested, detector.predict(tested), strict=True):
        score, anomaly_map = runtime(preprocess(read_image(path), detector.preprocessing())[None])
        assert score.item() == pytest.approx(prediction.score, rel=1e-3)
        apart = np.abs(anomaly_map - prediction.anomaly_map).max()
        assert apart <= 1e-3 * prediction.anomaly_map.max()


def test_subspace_is_that_of_a_slow_implementation(catalog: Catalog, tested: list[Path]) -> None:
    few = first_good(catalog, 3)
    detector = FewShot(size=SIZE, method="subspace", rotations=1, explained=0.9).fit(few)
    rows = np.concatenate([patches_of(detector, path).reshape(-1, 152) for path in few.train_normal()])
    mean = rows.mean(0)
    _, spreads, axes = np.linalg.svd(rows - mean, full_matrices=False)
    held = np.cumsum(spreads**2) / (spreads**2).sum()
    axes = axes[: 1 + int(np.argmax(held >= 0.9))]
    assert len(detector.good_.known.components) == len(axes) < 100
    check_scores(
        detector,
        lambda patches: np.linalg.norm((patches - mean) - (patches - mean) @ axes.T @ axes, axis=1),
        tested,
    )


@pytest.mark.parametrize("method", ["nearest", "subspace"])
def test_one_good_photograph_is_enough(method: str, catalog: Catalog, tested: list[Path]) -> None:
    one = first_good(catalog, 1)
    detector = FewShot(**SMALL, method=method).fit(one)
    assert np.isfinite([prediction.score for prediction in detector.predict(tested)]).all()
    unseen = list(detector.cross_predict(one, 4))
    assert [position for position, _ in unseen] == [0] * 8, "its eight exact copies"
    (by_heart,) = detector.predict(one.train_normal())
    assert min(prediction.score for _, prediction in unseen) > by_heart.score


def test_one_photograph_that_is_not_turned_is_scored_by_its_other_copies(catalog: Catalog) -> None:
    one = first_good(catalog, 1)
    detector = FewShot(**{**SMALL, "rotations": 1}).fit(one)
    assert len(list(detector.cross_predict(one, 4))) == 7, "without itself nothing is left to compare it with"


def test_an_inspector_of_one_photograph(
    catalog: Catalog, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    folder = tmp_path / "part" / "train" / "good"
    folder.mkdir(parents=True)
    shutil.copy(catalog.train_normal()[0], folder)
    out = tmp_path / "part.blemish"
    outcome = blemish(
        "fit", tmp_path / "part", "--detector", "few-shot", "--size", SIZE, "--out", out, "--json"
    )
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["n_train"] == 1 and outcome.document["n_scores"] == 8


def test_of_many_photographs_some_are_taken_and_the_others_calibrate(catalog: Catalog) -> None:
    paths = catalog.train_normal()
    detector = FewShot(**SMALL, images=3).fit(catalog)
    unseen = dict(detector.cross_predict(catalog, 3))
    assert sorted(unseen) == list(range(len(paths))), "each once"
    as_new = [prediction.score for prediction in detector.predict(paths)]
    taken = [position for position in unseen if unseen[position].score != as_new[position]]
    assert len(taken) == 3
    other = FewShot(**SMALL, images=3, seed=1).fit(catalog)
    assert not np.array_equal(other.good_.known, detector.good_.known)
    limited = FewShot(**SMALL, images=1, calibration_images=4).fit(catalog)
    assert len(dict(limited.cross_predict(catalog, 3))) == 4


def test_scoring_as_if_unseen_is_fitting_on_the_others(catalog: Catalog) -> None:
    few = first_good(catalog, 5)
    # The pool thins nothing out here: otherwise fewer photographs would each give more of their patches.
    detector = FewShot(**SMALL).fit(few)
    fast = dict(detector.cross_predict(few, 3))
    slow = dict(Detector.cross_predict(detector, few, 3))
    assert sorted(fast) == sorted(slow) == list(range(5))
    for position, prediction in fast.items():
        assert prediction.score == pytest.approx(slow[position].score, rel=1e-4)


def test_turned_copies_know_a_turned_part(catalog: Catalog, tmp_path: Path) -> None:
    # A part with a grain: the washer alone would look the same however it lies.
    grain = np.tile(np.uint8(128 + 60 * np.sin(np.arange(SIZE) * 0.9))[:, None, None], (1, SIZE, 3))
    folder = tmp_path / "train" / "good"
    folder.mkdir(parents=True)
    Image.fromarray(grain).save(folder / "0.png")
    Image.fromarray(np.rot90(grain)).save(tmp_path / "turned.png")
    scores = {}
    for rotations in (1, 4):
        detector = FewShot(size=SIZE, rotations=rotations).fit(open_catalog(tmp_path))
        (prediction,) = detector.predict([tmp_path / "turned.png"])
        scores[rotations] = prediction.score
    assert scores[4] < 0.01 * scores[1]


def test_turning_is_that_of_scikit_image(catalog: Catalog) -> None:
    image = read_image(catalog.train_normal()[0])
    inside = places_inside(image.shape[:2], 30)
    expected = 255 * rotate(image, 30, order=3)  # black where the photograph does not reach
    assert np.mean(inside != (expected.max(2) > 0)) < 0.01, "but for the edge"
    apart = {angle: np.abs(turned(image, angle) - expected)[inside].mean() for angle in (30, -30)}
    assert apart[30] < 1 < apart[-30]
    np.testing.assert_array_equal(turned(image, 90), np.rot90(image))
    assert places_inside((8, 8), 0).all() and places_inside((8, 8), 90).all()
    assert not places_inside((8, 8), 45)[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert places_inside((8, 8), 45)[2:-2, 2:-2].all()
    shown = [copy for _, _, copy in exact_copies(image)]
    assert len({copy.tobytes() for copy in shown}) == 8


def drawn(part: npt.NDArray[np.bool_], noise: float, sign: float = 1) -> torch.Tensor:
    """Features D x h x w in which the part differs from the background."""
    rng = np.random.default_rng(0)
    apart = np.outer([1, -2, 0.5, 0], part).reshape(4, *part.shape)
    return torch.from_numpy(sign * apart + noise * rng.normal(size=apart.shape)).float()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_part_in_the_middle_is_found(sign: float) -> None:
    part = np.zeros((12, 12), bool)
    part[4:8, 3:9] = True
    foreground = learn_foreground([drawn(part, 0.1, sign)] * 2)
    assert foreground is not None
    weight = foreground(drawn(part, 0.1, sign)[None])[0, 0].numpy()
    spread = grey_dilation(part, (3, 3))
    np.testing.assert_array_equal(weight > 0.5, spread)


def test_what_cannot_be_told_from_the_background_is_not_masked() -> None:
    part = np.zeros((12, 12), bool)
    part[4:8, 3:9] = True
    assert learn_foreground([drawn(part, 5.0)]) is None, "one group, not two"
    assert learn_foreground([torch.zeros(4, 12, 12)]) is None, "nothing to see"
    part[:, 5:7] = True
    assert learn_foreground([drawn(part, 0.1)]) is None, "it reaches the frame"
    speck = np.zeros((12, 12), bool)
    speck[6, 6:8] = True
    assert learn_foreground([drawn(speck, 0.01)]) is None, "hardly anything in the middle"


def test_the_preset_is_the_subspace() -> None:
    assert create_detector("few-shot", "subspace").get_params()["method"] == "subspace"


def test_no_photograph_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="0 good training images and at least 1"):
        FewShot(**SMALL).fit(catalog.subset([]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "furthest"),
        ("images", 0),
        ("images", 17),
        ("rotations", 0),
        ("neighbourhood", 2),
        ("bank_size", 0),
        ("pool", 10),
        ("explained", 1.0),
        ("top", -0.1),
        ("sigma", float("nan")),
        ("calibration_images", -1),
        ("size", 100),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: Any, catalog: Catalog) -> None:
    with pytest.raises(UsageError) as refused:
        FewShot(**{**SMALL, name: value}).fit(first_good(catalog, 1))
    assert str(value) in str(refused.value)
