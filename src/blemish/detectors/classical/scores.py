"""The classical one-class models as graphs: projected rows (N x K) in, anomaly scores (N) out, float32.

Each says what scikit-learn's model of the same name says, from its fitted arrays alone, in operations that ONNX has.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from blemish.detectors.classical.head import single
from blemish.features.projection import Arrays

_LEAST_DENSITY_DISTANCE = 1e-10  # as in scikit-learn: copies of one image have no distance
_AS_FAR = 1e-5  # share of a distance by which another may differ through rounding


class KernelScore(nn.Module):
    """A one-class support vector machine.

    With the kernels `linear`, (x.s), and `poly`, (gamma x.s)^degree, the score is the negated sum of the kernel with
    the support vectors s, weighted. With `rbf` it is the negated logarithm of the weighted mean of
    exp(-gamma |x - s|^2): the same order, but the sum itself would vanish in float32 for all that is far away.

    Args:
        arrays: `vectors` (S x K), `weights` (S, above 0), `gamma` (1).
        kernel: `rbf`, `linear` or `poly`.
        degree: of `poly`.
    """

    vectors: Tensor
    weights: Tensor

    def __init__(self, arrays: Arrays, kernel: str, degree: int) -> None:
        super().__init__()
        self.kernel, self.degree = kernel, degree
        self.gamma = float(arrays["gamma"][0])
        self.register_buffer("vectors", single(arrays["vectors"]))
        share = arrays["weights"] / arrays["weights"].sum()
        self.register_buffer("weights", single(np.log(share) if kernel == "rbf" else arrays["weights"]))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows."""
        if self.kernel == "rbf":
            squares = (rows[:, None] - self.vectors).square().sum(2)
            exponents = self.weights - self.gamma * squares
            largest = exponents.amax(1, keepdim=True)  # torch.logsumexp, which not every runtime has
            return -(largest[:, 0] + (exponents - largest).exp().sum(1).log())
        products = rows @ self.vectors.T
        if self.kernel == "poly":
            base = self.gamma * products
            products = torch.ones_like(base)
            for _ in range(self.degree):  # a power of a negative number is not a number to some runtimes
                products = products * base
        return -(products @ self.weights)


class PathLengthScore(nn.Module):
    """An isolation forest: 2 to the power of minus the mean path length over that of a random tree, 0 to 1.

    All trees are walked at once for as many steps as the deepest has; a leaf leads to itself.

    Args:
        arrays: of all nodes of all trees `feature`, `threshold`, `left`, `right` (places of nodes), `length` (the path
            length that ends there); `roots` (T); `depth` (1); `usual_length` (1).
    """

    threshold: Tensor
    feature: Tensor
    left: Tensor
    right: Tensor
    length: Tensor
    roots: Tensor

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        for name in ("feature", "left", "right", "roots"):
            self.register_buffer(name, torch.from_numpy(np.array(arrays[name], np.int64)))
        for name in ("threshold", "length"):
            self.register_buffer(name, single(arrays[name]))
        self.depth, self.usual_length = int(arrays["depth"][0]), float(arrays["usual_length"][0])

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows."""
        node = self.roots.expand(len(rows), -1)
        for _ in range(self.depth):
            values = torch.gather(rows, 1, self.feature[node])
            node = torch.where(values <= self.threshold[node], self.left[node], self.right[node])
        return torch.exp(-math.log(2) * self.length[node].mean(1) / self.usual_length)


class DensityScore(nn.Module):
    """Local outlier factor: how much denser the neighbours lie than the row itself; about 1 is usual.

    As in the paper all rows as far as the last neighbour are neighbours, so that no rounding chooses among them.

    Args:
        arrays: of the good rows `rows` (M x K), `reach` (distance of each to its last neighbour, M) and `density`
            (local reachability density, M); `neighbours` (1).
        power: of the Minkowski distance: 1, 2 or infinity.
    """

    rows: Tensor
    reach: Tensor
    density: Tensor

    def __init__(self, arrays: Arrays, power: float) -> None:
        super().__init__()
        self.power, self.neighbours = power, int(arrays["neighbours"][0])
        for name in ("rows", "reach", "density"):
            self.register_buffer(name, single(arrays[name]))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows."""
        apart = rows[:, None] - self.rows
        if self.power == 2:
            distances = apart.square().sum(2).sqrt()
        else:
            distances = apart.abs().sum(2) if self.power == 1 else apart.abs().amax(2)
        nearest, places = torch.topk(distances, self.neighbours, dim=1, largest=False)
        reached = torch.maximum(nearest, self.reach[places]).mean(1) + _LEAST_DENSITY_DISTANCE
        plain = self.density[places].mean(1) * reached
        near = (distances <= nearest[:, -1:] * (1 + _AS_FAR)).to(distances.dtype)
        count = near.sum(1)
        reached = (near * torch.maximum(distances, self.reach)).sum(1) / count + _LEAST_DENSITY_DISTANCE
        return torch.where(count > self.neighbours, (near * self.density).sum(1) / count * reached, plain)


class MahalanobisScore(nn.Module):
    """Squared Mahalanobis distance to one Gaussian.

    Args:
        arrays: `location` (K) and `whitening` (K x K), whose square is the inverse covariance.
    """

    location: Tensor
    whitening: Tensor

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.register_buffer("location", single(arrays["location"]))
        self.register_buffer("whitening", single(arrays["whitening"]))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows."""
        return ((rows - self.location) @ self.whitening.T).square().sum(1)


class ShrunkDistanceScore(nn.Module):
    """Squared Mahalanobis distance to one Gaussian whose covariance is shrunk towards a sphere.

    Args:
        arrays: `location` (K), `axes` (M x K), `variances` (M) and `floor` (1), as of
            `blemish.detectors.classical.elliptic_envelope.shrunk_gaussian`.
    """

    location: Tensor
    axes: Tensor
    variances: Tensor

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.floor = float(arrays["floor"][0])
        for name in ("location", "axes", "variances"):
            self.register_buffer(name, single(arrays[name]))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows."""
        apart = rows - self.location
        along = apart @ self.axes.T
        beside = apart - along @ self.axes  # the difference of two sums of squares would lose what is left
        return (along.square() / self.variances).sum(1) + beside.square().sum(1) / self.floor
