"""Mean and covariance of vectors at every position, streamed: two sums, whatever the number of images."""

from __future__ import annotations

import dataclasses
from typing import Self

import torch
from torch import Tensor

from blemish.core.errors import CatalogError


@dataclasses.dataclass
class PositionMoments:
    """Sums over images of the vectors at each of P positions, float64.

    Attributes:
        count: images.
        sums: P x D.
        products: sums of outer products, P x D x D.
    """

    count: int
    sums: Tensor
    products: Tensor

    @classmethod
    def empty(cls, positions: int, dimensions: int) -> Self:
        """The sums of no image."""
        sums = torch.zeros(positions, dimensions, dtype=torch.float64)
        products = torch.zeros(positions, dimensions, dimensions, dtype=torch.float64)
        return cls(0, sums, products)

    def add(self, vectors: Tensor) -> None:
        """Take in images: B x P x D, in place."""
        by_position = vectors.double().transpose(0, 1)
        self.count += len(vectors)
        self.sums += by_position.sum(1)
        self.products.baddbmm_(by_position.transpose(1, 2), by_position)

    def without(self, part: PositionMoments) -> PositionMoments:
        """The sums of the images that are not in `part`."""
        return PositionMoments(self.count - part.count, self.sums - part.sums, self.products - part.products)

    def gaussians(self, regularisation: float, prior: float = 0.0) -> tuple[Tensor, Tensor]:
        """Means (P x D) and inverse Cholesky factors of the covariances (P x D x D, lower), float32.

        Args:
            regularisation: added to each variance.
            prior: weight of the mean covariance of all positions in each one's own, in images per dimension.

        Raises:
            CatalogError: the features are so large or so broken that a covariance has no factor.
        """
        means = self.sums / self.count
        whitening = torch.empty(self.products.shape, dtype=torch.float32)
        dimensions, freedom = means.shape[1], max(1, self.count - 1)
        identity = torch.eye(dimensions, dtype=torch.float64)
        shared = (self.products.sum(0) - self.count * means.T @ means) / (freedom * len(means))
        own = self.count / (self.count + prior * dimensions)
        # Position by position in parts: a second float64 array of all covariances would double the memory.
        for start in range(0, len(means), 64):
            rows = slice(start, start + 64)
            outer = means[rows, :, None] * means[rows, None, :]
            covariance = own * (self.products[rows] - self.count * outer) / freedom
            covariance += (1 - own) * shared + regularisation * identity
            factor, failed = torch.linalg.cholesky_ex(covariance)
            if failed.any():
                raise CatalogError(
                    "The features of the good images have no covariance: check that the backbone's weights are whole."
                )
            whitening[rows] = torch.linalg.solve_triangular(factor, identity, upper=False).float()
        return means.float(), whitening
