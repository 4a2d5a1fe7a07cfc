"""The Gaussian mixture: its likelihood by SciPy, its principal components, and what is held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from good_images import first_good
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn import mixture
from sklearn.decomposition import PCA

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector
from blemish.detectors.density.gaussian_mixture import GaussianMixture
from blemish.detectors.density.gaussian_mixture_network import MixtureLikelihood

Array = npt.NDArray[np.float64]
SMALL: dict[str, Any] = {"size": 128, "components": 3, "dimensions": 8, "pool": 2000}


@pytest.fixture(scope="module")
def small(catalog: Catalog) -> GaussianMixture:
    return GaussianMixture(**SMALL).fit(catalog)


def rows_of(detector: GaussianMixture, path: Path) -> torch.Tensor:
    """An image's patches, h w x D."""
    head = detector.network().get_submodule("head")
    maps = [torch.from_numpy(one)[None] for one in detector.extractor().extract(path)]
    return head.get_submodule("embedding")(maps).flatten(2)[0].T


def test_the_likelihood_is_that_of_whole_vectors() -> None:
    """The mixture on the first axes and one Gaussian on the others are a mixture on all of them, which SciPy knows."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 5 * rng.integers(0, 2, (300, 1))
    pca = PCA().fit(values)
    fitted = mixture.GaussianMixture(2, random_state=0).fit(pca.transform(values)[:, :4])
    variances = pca.explained_variance_[4:]
    likelihood = MixtureLikelihood(
        *map(torch.from_numpy, (pca.mean_, pca.components_, variances, fitted.weights_, fitted.means_)),
        torch.from_numpy(fitted.precisions_cholesky_),
    )
    tried = rng.normal(size=(20, 6)) * 4
    parts = []
    for weight, mean, covariance in zip(fitted.weights_, fitted.means_, fitted.covariances_, strict=True):
        whole = np.zeros((6, 6))
        whole[:4, :4], whole[4:, 4:] = covariance, np.diag(variances)
        turned = pca.components_.T @ whole @ pca.components_
        centre = pca.mean_ + np.concatenate([mean, [0, 0]]) @ pca.components_
        parts.append(np.log(weight) + multivariate_normal(centre, turned).logpdf(tried))
    patches = torch.from_numpy(tried.T.reshape(1, 6, 4, 5).astype(np.float32))
    np.testing.assert_allclose(likelihood(patches).numpy().ravel(), -logsumexp(parts, axis=0), rtol=1e-4)


def test_the_map_is_the_likelihood_and_the_score_its_highest_share(
    small: GaussianMixture, tested: list[Path]
) -> None:
    path = tested[0]
    with torch.inference_mode():
        surprise = small.mixture_(rows_of(small, path).T.reshape(1, -1, *small.grid_)).numpy().ravel()
    count = max(1, round(small.top * surprise.size))
    assert small.predict(path).score == pytest.approx(np.sort(surprise)[-count:].mean(), rel=1e-4)


def test_what_principal_components_leave_out_is_still_seen(small: GaussianMixture) -> None:
    centre, whitening = (small.mixture_.get_buffer(name) for name in ("centre", "whitening"))
    outside = torch.nn.functional.normalize(whitening[-1:].flatten(1))[:, :, None, None]
    mixture_of_axes = whitening[: 3 * SMALL["dimensions"]].flatten(1)
    assert (mixture_of_axes @ outside.flatten()).abs().max() < 1e-3 * mixture_of_axes.norm(dim=1).max()
    assert float(small.mixture_(centre + outside)) > float(small.mixture_(centre)) + 1


def test_scoring_as_if_unseen_is_fitting_on_the_others(catalog: Catalog) -> None:
    few = first_good(catalog, 6)
    detector = GaussianMixture(**SMALL | {"pool": 100_000}).fit(few)  # all patches, whoever else is there
    slow = dict(Detector.cross_predict(detector, few, 3))
    fast = dict(detector.cross_predict(few, 3))
    assert sorted(fast) == sorted(slow) == list(range(6))
    for position, prediction in fast.items():
        # Whose turn it is decides what is drawn: the patches are the same, their order is not.
        assert prediction.score == pytest.approx(slow[position].score, rel=0.05)


def test_every_image_gives_as_many_patches_and_no_more_than_the_pool(catalog: Catalog) -> None:
    detector = GaussianMixture(**SMALL | {"pool": 1000, "calibration_images": 5}).fit(catalog)
    owners = detector._sampled.value.owners
    counts = torch.bincount(owners)
    assert len(owners) <= 1000 and len(counts.unique()) == 1
    positions = [position for position, _ in detector.cross_predict(catalog, 4)]
    assert len(positions) == len(set(positions)) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("neighbourhood", 2),
        ("components", 0),
        ("dimensions", 0),
        ("regularisation", 0.0),
        ("pool", 10),
        ("top", 1.1),
        ("sigma", float("nan")),
        ("calibration_images", 1),
        ("size", 100),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: Any, catalog: Catalog) -> None:
    with pytest.raises(UsageError) as refused:
        GaussianMixture(**{**SMALL, name: value}).fit(first_good(catalog, 2))
    assert str(value) in str(refused.value)
