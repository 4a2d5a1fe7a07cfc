"""The mixture's network: feature maps in, score and map out, by the negative log likelihood of every patch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import PatchEmbedding, PatchScoring
from blemish.detectors.tiled import LocalHead


class MixtureLikelihood(nn.Module):
    """Negative log likelihood of patches under a Gaussian mixture with full covariances, as a map.

    With a component's precision as L L', the squared distance from its mean m is the squared length of L' x - L' m: the
    whitening of all components is one 1 x 1 convolution, and nothing is left but squares, sums and a log-sum-exp.

    The mixture lives on the first principal components of patches. In the directions that these leave out, all
    components share one Gaussian with a variance for each direction, as in probabilistic principal component analysis
    (Tipping and Bishop, 1999), so that the density is one of whole patches and nothing a defect adds is out of sight.

    Args:
        mean: of the patches, D.
        axes: all principal components, orthonormal rows, D x D, those of the mixture first.
        variances: of the patches along those that the mixture leaves out, D - d.
        weights: of the K components.
        means: of the components on the first d axes, K x d.
        precisions: their lower Cholesky factors, K x d x d (scikit-learn's are upper ones, and serve as well).
    """

    centre: Tensor
    whitening: Tensor
    offset: Tensor
    halves: Tensor
    constants: Tensor

    def __init__(
        self,
        mean: Tensor,
        axes: Tensor,
        variances: Tensor,
        weights: Tensor,
        means: Tensor,
        precisions: Tensor,
    ) -> None:
        super().__init__()
        components, dimensions = means.shape
        first, others = axes[:dimensions], axes[dimensions:]
        turned = precisions.transpose(1, 2)
        rows = torch.cat([(turned @ first).flatten(0, 1), others / variances.sqrt()[:, None]])
        shifts = torch.cat([(turned @ means[:, :, None]).flatten(), torch.zeros(len(variances))])
        log_volumes = precisions.diagonal(dim1=1, dim2=2).log().sum(1) - 0.5 * variances.log().sum()
        constants = weights.log() + log_volumes - 0.5 * len(mean) * math.log(2 * math.pi)
        own = torch.eye(components).repeat_interleave(dimensions, 1)
        halves = 0.5 * torch.cat([own, torch.ones(components, len(variances))], 1)
        self.register_buffer("centre", mean.float()[None, :, None, None])
        self.register_buffer("whitening", rows.float()[:, :, None, None])
        self.register_buffer("offset", -shifts.float())
        self.register_buffer("halves", halves[:, :, None, None])
        self.register_buffer("constants", constants.float()[None, :, None, None])

    def forward(self, patches: Tensor) -> Tensor:
        """Negative log likelihood N x 1 x h x w of patches N x D x h x w, in nats."""
        squares = F.conv2d(patches - self.centre, self.whitening, self.offset) ** 2
        # Half the squared distance from every component, summed by a convolution too.
        exponents = self.constants - F.conv2d(squares, self.halves)
        largest = exponents.amax(1, keepdim=True)  # torch.logsumexp, which not every runtime has
        return -largest - (exponents - largest).exp().sum(1, keepdim=True).log()


class MixtureHead(LocalHead):
    """Feature maps to score and map: embedding, likelihood, scoring."""

    def __init__(
        self, embedding: PatchEmbedding, likelihood: MixtureLikelihood, scoring: PatchScoring
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.likelihood = likelihood
        self.scoring = scoring

    def local(self, maps: Sequence[Tensor]) -> Tensor:
        """Negative log likelihoods 1 x 1 x h x w of feature maps, 1 x C x h x w each."""
        likelihoods: Tensor = self.likelihood(self.embedding(maps))
        return likelihoods
