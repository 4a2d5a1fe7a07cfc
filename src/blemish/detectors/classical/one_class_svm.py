"""One-class support vector machine: a surface around the features of good images.

Bernhard Schölkopf et al., "Estimating the Support of a High-Dimensional Distribution", Neural Computation 2001.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from sklearn.svm import OneClassSVM
from torch import nn

from blemish.core.errors import UsageError
from blemish.detectors.classical.projection import Arrays, Rows
from blemish.detectors.classical.scores import KernelScore
from blemish.detectors.classical.tabular import TabularDetector

KERNELS = ("rbf", "linear", "poly")


@dataclasses.dataclass
class OneClassSvm(TabularDetector):
    """scikit-learn's `OneClassSVM`, whose parameters these are; see `KernelScore` for the score.

    Attributes:
        nu: most of the good images that may lie outside, as a share, in (0, 1].
        kernel: "rbf", "linear" or "poly".
        gamma: of "rbf" and "poly": "scale" (1 / (columns x variance)), "auto" (1 / columns), or a number.
        degree: of "poly", at least 1.
    """

    name: ClassVar[str] = "one-class-svm"
    measures: ClassVar[str] = "distance by kernel"
    gives_maps: ClassVar[bool] = False

    nu: float = 0.001
    kernel: str = "rbf"
    gamma: str | float = "scale"
    degree: int = 3

    def fit_model(self, rows: Rows) -> Arrays:
        """Support vectors and their weights."""
        if self.kernel not in KERNELS:
            raise UsageError(
                f"kernel={self.kernel} is not possible for {self.name}: choose {' or '.join(KERNELS)}."
            )
        if self.kernel == "poly" and self.degree < 1:
            raise UsageError(f"degree={self.degree} is not possible for {self.name}: choose 1 or more.")
        model = OneClassSVM(nu=self.nu, kernel=self.kernel, gamma=self._gamma(rows), degree=self.degree)
        model.fit(rows)
        weights = model.dual_coef_[0]
        used = weights > 0
        vectors, weights = model.support_vectors_[used], weights[used]
        if self.kernel == "linear":  # summed here, for in float32 the large terms would drown what they leave
            vectors, weights = (weights @ vectors)[None], np.ones(1)
        return {
            "vectors": vectors,
            "weights": weights,
            "gamma": np.array([self._gamma(rows)], np.float64),
        }

    def score_parameters(self, rows: int) -> dict[str, Any]:
        """Without gamma where the kernel is linear, and without degree where it is not a polynomial."""
        idle = {"linear": ("gamma", "degree"), "rbf": ("degree",)}.get(self.kernel, ())
        return {name: value for name, value in super().score_parameters(rows).items() if name not in idle}

    def model_score(self, arrays: Arrays) -> nn.Module:
        """The kernel with the support vectors."""
        return KernelScore(arrays, self.kernel, self.degree)

    def _gamma(self, rows: Rows) -> Any:
        """`gamma` as a number, as scikit-learn reads its words."""
        if self.gamma == "scale":
            return float(1 / (rows.shape[1] * rows.var()))
        return 1 / rows.shape[1] if self.gamma == "auto" else self.gamma
