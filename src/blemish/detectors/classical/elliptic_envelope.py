"""Elliptic envelope: distance to one Gaussian that is not led astray by a few odd images.

Peter Rousseeuw and Katrien Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator",
Technometrics 1999. Olivier Ledoit and Michael Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance
Matrices", Journal of Multivariate Analysis 2004.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from sklearn.covariance import EllipticEnvelope as SklearnEnvelope
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import nn

from blemish.core.errors import UsageError
from blemish.detectors.classical.scores import MahalanobisScore, ShrunkDistanceScore
from blemish.detectors.classical.tabular import TabularDetector
from blemish.features.projection import Arrays, Rows

_ROWS_A_COMPONENT = 5  # a covariance of more says little of most directions
_FEWEST_FOR_SUPPORT = 10
_LEAST_SHARE = 1e-4
COVARIANCES = ("shrunk", "robust")


@dataclasses.dataclass
class EllipticEnvelope(TabularDetector):
    """A Gaussian of good images; the score is the squared Mahalanobis distance to its centre.

    A covariance "robust" is that of scikit-learn's `EllipticEnvelope`, whose parameters the others are. It cannot be
    had of fewer rows than dimensions, so at most one principal component for every 5 good images is kept, whatever
    `explained` says, and what lies outside of these is not seen: most defects. A covariance "shrunk" towards a sphere
    (Ledoit and Wolf) bears any number of dimensions; it is estimated again without the images farthest away. Of fewer
    than 10 images all support the estimate.

    Attributes:
        covariance: "shrunk" or "robust".
        contamination: share of the training images that scikit-learn's own threshold leaves outside, in (0, 0.5]; it
            moves no score.
        support_fraction: share of the training images that the covariance rests on, in (0, 1].
        assume_centered: take the mean of the good images for the centre instead of estimating it robustly.
    """

    name: ClassVar[str] = "elliptic-envelope"
    measures: ClassVar[str] = "squared Mahalanobis distance"
    gives_maps: ClassVar[bool] = False

    covariance: str = "shrunk"
    contamination: float = 0.01
    support_fraction: float = 0.9
    assume_centered: bool = False

    def most_components(self, rows: int) -> int | None:
        """One for every 5 rows where the covariance is robust."""
        return None if self.covariance == "shrunk" else max(1, rows // _ROWS_A_COMPONENT)

    def fit_model(self, rows: Rows) -> Arrays:
        """Centre, and what brings the covariance to the identity."""
        if self.covariance not in COVARIANCES:
            raise UsageError(
                f"covariance={self.covariance} is not possible for {self.name}: choose {' or '.join(COVARIANCES)}."
            )
        support = self.support_fraction if len(rows) >= _FEWEST_FOR_SUPPORT else 1.0
        if self.covariance == "shrunk":
            return self._shrunk(rows, support)
        model = SklearnEnvelope(
            contamination=self.contamination,
            support_fraction=support,
            assume_centered=self.assume_centered,
            random_state=self.seed,
        ).fit(rows)
        values, vectors = np.linalg.eigh(model.get_precision())
        whitening = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
        return {"location": model.location_, "whitening": whitening}

    def model_score(self, arrays: Arrays) -> nn.Module:
        """The distance to the centre."""
        return ShrunkDistanceScore(arrays) if self.covariance == "shrunk" else MahalanobisScore(arrays)

    def _shrunk(self, rows: Rows, support: float) -> Arrays:
        """The Gaussian of all rows, and then of the share of them that lies nearest."""
        if not 0 < support <= 1 or not 0 < self.contamination <= 0.5:
            name = "contamination" if 0 < support <= 1 else "support_fraction"
            raise ValueError(f"{name}={getattr(self, name)} is not in its range")
        found = shrunk_gaussian(rows, self.assume_centered)
        nearest = np.argsort(shrunk_distances(rows, found), kind="stable")[
            : int(np.ceil(support * len(rows)))
        ]
        return shrunk_gaussian(rows[np.sort(nearest)], self.assume_centered)


def shrunk_gaussian(rows: Rows, centred: bool) -> Arrays:
    """Centre and inverse covariance of rows (N x K) by Ledoit and Wolf, without ever making a K x K matrix.

    The covariance S of the rows gives way to (1 - a) S + a m 1, m being the mean of its diagonal and a what the rows
    themselves say.

    Returns:
        `location` (K); `axes` (M x K, M at most N) and the variance of each, `variances` (M); that of all directions
        beside them, `floor` (1, a m).
    """
    location = np.zeros(rows.shape[1]) if centred else rows.mean(axis=0)
    apart = rows - location
    share = float(ledoit_wolf_shrinkage(apart, assume_centered=True))
    # Of images that are nearly alike the share is 0, and rounding would be infinitely far beside them.
    floor = max(max(share, _LEAST_SHARE) * float(np.square(apart).mean()), np.finfo(np.float32).tiny)
    _, sizes, axes = np.linalg.svd(apart, full_matrices=False)
    variances = (1 - share) * np.square(sizes) / len(rows) + floor
    return {"location": location, "axes": axes, "variances": variances, "floor": np.array([floor])}


def shrunk_distances(rows: Rows, gaussian: Arrays) -> Rows:
    """Squared distance of rows (N x K) from the centre of `shrunk_gaussian`."""
    apart = rows - gaussian["location"]
    along = apart @ gaussian["axes"].T
    beside = apart - along @ gaussian["axes"]
    return np.asarray(
        np.square(along) @ (1 / gaussian["variances"]) + np.square(beside).sum(axis=1) / gaussian["floor"]
    )
