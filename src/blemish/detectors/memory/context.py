"""What good images like this one score: learnt from good images alone, by leaving each out."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from blemish.detectors.memory.patchcore_network import Context


@dataclasses.dataclass(frozen=True)
class LearntContext:
    """Good images scored as if unseen: what each looks like and what it scored.

    Attributes:
        descriptors: mean patch of each image, N x D.
        scale: spread of each of the D values.
        scores: anomaly score of each image, N.
        similar: how many similar images are averaged.
        slope: how far their mean score foretells an image's own, in [0, 1].
    """

    descriptors: Tensor
    scale: Tensor
    scores: Tensor
    similar: int
    slope: float

    def network(self, without: int | None = None) -> Context:
        """The context as a network; `without` leaves out one image, which is then judged as if unseen."""
        keep = torch.ones(len(self.scores), dtype=torch.bool)
        if without is not None:
            keep[without] = False
        return Context(self.descriptors[keep], self.scores[keep], self.scale, self.similar, self.slope)


def learn_context(descriptors: Tensor, scores: Tensor, similar: int) -> LearntContext:
    """Learn how far the scores of similar good images foretell a good image's score.

    The slope is that of the least-squares line from the leave-one-out mean of similar images to the score, kept
    within [0, 1]: where similarity foretells nothing the context does nothing, and it can never take away more than
    the difference between good images. Of few images, at most a fifth are taken for similar.

    Args:
        descriptors: mean patch of each good image, N x D, N >= 2.
        scores: its score by a detector that has not seen it, N.
        similar: how many similar images to average.
    """
    similar = max(1, min(similar, len(scores) // 5))
    scale = descriptors.std(0) + 1e-6
    whole = LearntContext(descriptors, scale, scores, similar, slope=1.0)
    offsets = torch.cat([whole.network(row)(descriptors[row][None]) for row in range(len(scores))])
    # Offsets are from the mean of the others, which tells an image's own score: that must not foretell it.
    foretold = offsets + (scores.sum() - scores) / (len(scores) - 1)
    expected, actual = foretold - foretold.mean(), scores - scores.mean()
    slope = float((expected * actual).sum() / (expected * expected).sum().clamp(min=1e-12))
    return dataclasses.replace(whole, slope=min(max(slope, 0.0), 1.0))
