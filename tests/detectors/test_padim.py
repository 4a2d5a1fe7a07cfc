"""PaDiM: what the paper says, computed a second time, slowly, with NumPy and SciPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from good_images import first_good
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import mahalanobis
from skimage.measure import block_reduce
from skimage.transform import resize

from blemish.core.errors import BlemishError, CatalogError, UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector
from blemish.detectors.memory.padim import Padim
from blemish.detectors.moments import PositionMoments
from blemish.detectors.registry import create_detector

Array = npt.NDArray[np.float64]
SIZE = 64
SMALL: dict[str, Any] = {"size": SIZE, "dimensions": 40, "stride": 8}


@pytest.fixture(scope="module")
def small(catalog: Catalog) -> Padim:
    return Padim(**SMALL).fit(catalog)


def vectors_of(detector: Padim, path: Path) -> Array:
    """Chosen channels at every position, h x w x D: fine maps averaged to the grid, coarse ones repeated."""
    side = detector.size // detector.stride
    joined = []
    for tap in detector.extractor().extract(path):
        height = tap.shape[1]
        if height > side:
            tap = block_reduce(tap, (1, height // side, height // side), np.mean)
        joined.append(np.repeat(np.repeat(tap, side // tap.shape[1], 1), side // tap.shape[1], 2))
    whole = np.concatenate(joined).astype(np.float64)
    return np.moveaxis(whole[detector.channels_], 0, -1)


@pytest.mark.parametrize(
    "changes",
    [{}, {"stride": 16, "sigma": 0.0, "prior": 0.0}, {"stride": 4, "dimensions": 10, "prior": 0.5}],
    ids=str,
)
def test_score_and_map_are_those_of_a_slow_implementation(
    changes: dict[str, Any], small: Padim, catalog: Catalog, tested: list[Path]
) -> None:
    detector = Padim(**{**SMALL, **changes}).fit(catalog) if changes else small
    good = np.stack([vectors_of(detector, path) for path in catalog.train_normal()])
    side, dimensions = good.shape[1], good.shape[3]
    means = good.mean(0)
    inverses = np.empty((side, side, dimensions, dimensions))
    covariances = [[np.cov(good[:, r, c], rowvar=False) for c in range(side)] for r in range(side)]
    shared, pretended = np.mean(covariances, (0, 1)), detector.prior * dimensions
    for row in range(side):
        for column in range(side):
            weighted = len(good) * covariances[row][column] + pretended * shared
            covariance = weighted / (len(good) + pretended) + 0.01 * np.eye(dimensions)
            inverses[row, column] = np.linalg.inv(covariance)
    for path, prediction in zip(tested, detector.predict(tested), strict=True):
        vectors = vectors_of(detector, path)
        distances = np.array(
            [
                [mahalanobis(vectors[r, c], means[r, c], inverses[r, c]) for c in range(side)]
                for r in range(side)
            ]
        )
        expected = resize(distances, (SIZE, SIZE), order=1, mode="edge", anti_aliasing=False)
        if detector.sigma:
            expected = gaussian_filter(expected, detector.sigma, mode="reflect")
        assert prediction.score == pytest.approx(expected.max(), rel=1e-4)
        assert np.abs(prediction.anomaly_map - expected).max() <= 1e-4 * expected.max()


def test_scoring_as_if_unseen_is_fitting_on_the_others(catalog: Catalog) -> None:
    few = first_good(catalog, 7)
    detector = Padim(**SMALL).fit(few)
    slow = dict(Detector.cross_predict(detector, few, 3))  # fits anew for each fold
    fast = dict(detector.cross_predict(few, 3))
    assert sorted(fast) == sorted(slow) == list(range(7))
    for position, prediction in fast.items():
        assert prediction.score == pytest.approx(slow[position].score, rel=1e-5)
        np.testing.assert_allclose(prediction.anomaly_map, slow[position].anomaly_map, rtol=1e-4)


def test_sums_give_the_moments_however_far_from_zero() -> None:
    vectors = 1000 + np.random.default_rng(0).normal(size=(50, 3, 4)).astype(np.float32)
    moments = PositionMoments.empty(3, 4)
    for part in np.split(vectors, [7, 8, 30]):
        moments.add(torch.from_numpy(part))
    means, whitening = moments.gaussians(0.01)
    np.testing.assert_allclose(means, vectors.mean(0, dtype=np.float64), rtol=1e-6)
    for position in range(3):
        covariance = np.cov(vectors[:, position].astype(np.float64), rowvar=False) + 0.01 * np.eye(4)
        factor = whitening[position].numpy().astype(np.float64)
        np.testing.assert_allclose(factor.T @ factor, np.linalg.inv(covariance), rtol=1e-4, atol=1e-5)
        assert np.all(np.triu(factor, 1) == 0)


def test_features_without_a_covariance_are_refused() -> None:
    moments = PositionMoments.empty(1, 2)
    moments.add(torch.full((3, 1, 2), torch.nan))
    with pytest.raises(BlemishError, match="no covariance"):
        moments.gaussians(0.01)


@pytest.mark.parametrize(
    ("preset", "together", "kept", "positions"), [("resnet18", 448, 100, 256), ("wide", 1792, 550, 16)]
)
def test_presets_choose_channels_at_random(
    preset: str, together: int, kept: int, positions: int, catalog: Catalog, tested: list[Path]
) -> None:
    detector = create_detector("padim", preset, weights="random", size=SIZE).fit(first_good(catalog, 3))
    assert isinstance(detector, Padim) and detector.prior == 0
    assert sum(detector.extractor().backbone.channels) == together
    channels = detector.channels_.tolist()
    assert len(set(channels)) == kept and max(channels) < together
    assert detector.whitening_.shape == (positions, kept, kept)
    assert all(np.isfinite(one.score) for one in detector.predict(tested[:1]))


def test_a_seed_chooses_the_channels(small: Padim, catalog: Catalog) -> None:
    chosen = small.channels_
    other = Padim(**SMALL, seed=1).fit(first_good(catalog, 2)).channels_
    assert len(chosen) == len(other) == 40
    assert chosen.tolist() != other.tolist()
    every = Padim(size=SIZE, dimensions=1000, stride=8).fit(first_good(catalog, 2)).channels_
    assert every.tolist() == list(range(176))


def test_two_images_are_enough_and_one_is_not(catalog: Catalog, tested: list[Path]) -> None:
    two = Padim(**SMALL).fit(first_good(catalog, 2))
    assert all(np.isfinite(one.score) for one in two.predict(tested))
    assert all(np.isfinite(one.score) for _, one in two.cross_predict(first_good(catalog, 2), 4))
    with pytest.raises(CatalogError, match="1 good training images and at least 2"):
        Padim(**SMALL).fit(first_good(catalog, 1))


def test_matrices_that_no_artifact_should_carry_are_refused(catalog: Catalog) -> None:
    with pytest.raises(
        UsageError, match=r"2,621 MB for 256 x 256 positions of 100 dimensions.*larger stride"
    ):
        Padim(size=1024, stride=4).fit(catalog)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dimensions", 0),
        ("stride", 32),
        ("regularisation", 0.0),
        ("regularisation", float("nan")),
        ("prior", -1.0),
        ("sigma", -1.0),
        ("size", 100),
        ("taps", (8, 5)),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: Any, catalog: Catalog) -> None:
    with pytest.raises(UsageError) as refused:
        Padim(**{**SMALL, name: value}).fit(first_good(catalog, 2))
    told = value[-1] if isinstance(value, tuple) else value
    assert str(told) in str(refused.value)
