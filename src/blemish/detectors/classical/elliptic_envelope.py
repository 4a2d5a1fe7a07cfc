"""Elliptic envelope: distance to one Gaussian that is not led astray by a few odd images.

Peter Rousseeuw and Katrien Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator",
Technometrics 1999.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from sklearn.covariance import EllipticEnvelope as SklearnEnvelope
from torch import nn

from blemish.detectors.classical.projection import Arrays, Rows
from blemish.detectors.classical.scores import MahalanobisScore
from blemish.detectors.classical.tabular import TabularDetector

_ROWS_A_COMPONENT = 5  # a covariance of more says little of most directions
_FEWEST_FOR_SUPPORT = 10


@dataclasses.dataclass
class EllipticEnvelope(TabularDetector):
    """scikit-learn's `EllipticEnvelope`, whose parameters these are; the score is the squared Mahalanobis distance.

    At most one principal component for every 5 good images is kept, whatever `explained` says: with fewer rows than
    dimensions there is no covariance. Of fewer than 10 images all support the estimate.

    Attributes:
        contamination: share of the training images that scikit-learn's own threshold leaves outside, in (0, 0.5]; it
            moves no score.
        support_fraction: share of the training images that the covariance rests on, in (0, 1].
        assume_centered: take the mean of the good images for the centre instead of estimating it robustly.
    """

    name: ClassVar[str] = "elliptic-envelope"
    measures: ClassVar[str] = "squared Mahalanobis distance"
    gives_maps: ClassVar[bool] = False

    contamination: float = 0.01
    support_fraction: float = 0.9
    assume_centered: bool = False

    def most_components(self, rows: int) -> int:
        """One for every 5 rows."""
        return max(1, rows // _ROWS_A_COMPONENT)

    def fit_model(self, rows: Rows) -> Arrays:
        """Centre, and what brings the covariance to the identity."""
        model = SklearnEnvelope(
            contamination=self.contamination,
            support_fraction=self.support_fraction if len(rows) >= _FEWEST_FOR_SUPPORT else 1.0,
            assume_centered=self.assume_centered,
            random_state=self.seed,
        ).fit(rows)
        values, vectors = np.linalg.eigh(model.get_precision())
        whitening = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
        return {"location": model.location_, "whitening": whitening}

    def model_score(self, arrays: Arrays) -> nn.Module:
        """The distance to the centre."""
        return MahalanobisScore(arrays)
