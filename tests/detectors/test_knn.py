"""k nearest neighbours, computed a second time with SciPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from good_images import first_good
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.spatial.distance import cdist
from skimage.transform import resize

from blemish.core.errors import CatalogError, UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector
from blemish.detectors.memory.knn import NearestNeighbours
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.registry import create_detector

Array = npt.NDArray[np.float64]
SIZE = 128
SMALL: dict[str, Any] = {"size": SIZE, "coreset_size": 150}


@pytest.fixture(scope="module")
def small(catalog: Catalog) -> NearestNeighbours:
    return NearestNeighbours(**SMALL).fit(catalog)


def enlarged(maps: npt.NDArray[Any], side: int) -> Array:
    """C x h x w maps, bilinearly to C x side x side."""
    last = np.moveaxis(np.asarray(maps, np.float64), 0, -1)
    return np.moveaxis(resize(last, (side, side), order=1, mode="edge", anti_aliasing=False), -1, 0)


def patches_of(detector: NearestNeighbours, path: Path) -> Array:
    """Patch vectors, h w x D."""
    wide = detector.neighbourhood
    maps = [np.asarray(tap, np.float64) for tap in detector.extractor().extract(path)]
    means = [uniform_filter(tap, (0, wide, wide), mode="constant") for tap in maps]
    fine = np.concatenate([enlarged(tap, means[0].shape[1]) for tap in means])
    return fine.reshape(len(fine), -1).T


@pytest.mark.parametrize(
    "changes", [{}, {"neighbours": 3, "neighbourhood": 1, "top": 0.1, "sigma": 0.0}, {"top": 0.0}], ids=str
)
def test_score_and_map_are_those_of_a_slow_implementation(
    changes: dict[str, Any], small: NearestNeighbours, catalog: Catalog, tested: list[Path]
) -> None:
    detector = NearestNeighbours(**{**SMALL, **changes}).fit(first_good(catalog, 3)) if changes else small
    bank = detector.memory_bank_.numpy()
    assert len(bank) == SMALL["coreset_size"]
    for path, prediction in zip(tested, detector.predict(tested), strict=True):
        apart = np.sort(cdist(patches_of(detector, path), bank), axis=1)
        distances = apart[:, : detector.neighbours].mean(1)
        count = max(1, round(detector.top * len(distances)))
        assert prediction.score == pytest.approx(np.sort(distances)[-count:].mean(), rel=1e-4)
        side = int(len(distances) ** 0.5)
        expected = enlarged(distances.reshape(1, side, side), SIZE)[0]
        if detector.sigma:
            expected = gaussian_filter(expected, detector.sigma, mode="reflect")
        assert np.abs(prediction.anomaly_map - expected).max() <= 1e-4 * expected.max()


def test_one_neighbour_is_patchcore_without_a_context(catalog: Catalog, tested: list[Path]) -> None:
    few = first_good(catalog, 4)
    one = NearestNeighbours(**SMALL, neighbours=1).fit(few)
    same = PatchCore(**SMALL, score="patches", copies="none", robust=False).fit(few)
    assert [p.score for p in one.predict(tested)] == [p.score for p in same.predict(tested)]


def test_scoring_as_if_unseen_is_fitting_on_the_others(catalog: Catalog) -> None:
    few = first_good(catalog, 7)
    detector = NearestNeighbours(**SMALL).fit(few)
    slow = dict(Detector.cross_predict(detector, few, 3))  # fits anew for each fold
    fast = dict(detector.cross_predict(few, 3))
    assert sorted(fast) == sorted(slow) == list(range(7))
    for position, prediction in fast.items():
        assert prediction.score == pytest.approx(slow[position].score, rel=1e-4)


def test_calibration_images_are_a_limit(catalog: Catalog) -> None:
    detector = NearestNeighbours(**SMALL, calibration_images=5).fit(catalog)
    positions = [position for position, _ in detector.cross_predict(catalog, 4)]
    assert len(positions) == len(set(positions)) == 5


def test_the_preset_reads_1536_channels_of_resnet50(catalog: Catalog, tested: list[Path]) -> None:
    detector = create_detector("knn", "resnet50", weights="random", size=64, coreset_size=50)
    assert isinstance(detector, NearestNeighbours) and detector.neighbours == 5
    detector.fit(first_good(catalog, 2))
    assert detector.extractor().backbone.channels == (512, 1024)
    assert detector.memory_bank_.shape == (50, 1536)
    assert detector.extractor().shapes == [(512, 8, 8), (1024, 4, 4)]
    assert all(np.isfinite(one.score) for one in detector.predict(tested[:1]))


def test_two_images_are_enough_and_one_is_not(catalog: Catalog, tested: list[Path]) -> None:
    two = NearestNeighbours(size=64).fit(first_good(catalog, 2))
    assert all(np.isfinite(one.score) for one in two.predict(tested))
    with pytest.raises(CatalogError, match="1 good training images and at least 2"):
        NearestNeighbours(**SMALL).fit(first_good(catalog, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("neighbours", 0),
        ("neighbourhood", 2),
        ("coreset_size", 4),
        ("pool", 10),
        ("top", 1.1),
        ("sigma", float("nan")),
        ("calibration_images", 1),
        ("size", 100),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: Any, catalog: Catalog) -> None:
    with pytest.raises(UsageError) as refused:
        NearestNeighbours(**{**SMALL, name: value}).fit(first_good(catalog, 2))
    assert str(value) in str(refused.value)
