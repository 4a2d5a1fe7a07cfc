"""What good images like this one score: learnt from good images alone, by leaving each out."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from torch import Tensor

from blemish.core.outliers import deviations
from blemish.data.copies import close_pairs
from blemish.detectors.memory.patchcore_network import Context

MOST_DEVIATIONS = 2.0
"""Robust standard deviations above the median up to which a score counts as it is: a defect among the good photographs
must not excuse all that look like it."""

_ALIKE = 0.01
"""Distance, in spreads of each value, up to which mean patches are one: photographs of different parts differ by 3 and
more, and the same one in two runtimes by a thousandth."""


@dataclasses.dataclass(frozen=True)
class LearntContext:
    """Good images scored as if unseen: what each looks like and what it scored.

    Attributes:
        descriptors: mean patch of each image, N x D.
        scale: spread of each of the D values.
        scores: anomaly score of each image, N.
        similar: how many similar images are averaged.
        slope: how far their mean score foretells an image's own, in [0, 1].
        parts: the number of the part that each image is of, N; None where each is of its own.
    """

    descriptors: Tensor
    scale: Tensor
    scores: Tensor
    similar: int
    slope: float
    parts: Tensor | None = None

    def network(self, without: int | None = None) -> Context:
        """The context as a network; `without` leaves out one image, and those of its part, to judge it as if unseen.

        Images that look alike have the mean of their scores: which of them is the nearest is rounding.
        """
        keep = self.others(without)
        scores = self.usual_scores[keep]
        for alike in self._alike:
            places = (torch.cumsum(keep, 0) - 1)[alike[keep[alike]]]
            scores[places] = scores[places].mean()
        return Context(self.descriptors[keep], scores, self.scale, min(self.similar, len(scores)), self.slope)

    def others(self, than: int | None) -> Tensor:
        """Which images are of another part than one of them, bool N; all where that is None."""
        parts = torch.arange(len(self.scores)) if self.parts is None else self.parts
        return torch.ones(len(parts), dtype=torch.bool) if than is None else parts != parts[than]

    @functools.cached_property
    def usual_scores(self) -> Tensor:
        """The scores, of which those that stand out count as the highest of the others."""
        usual = torch.from_numpy(deviations(self.scores.numpy()) <= MOST_DEVIATIONS)
        return self.scores.clamp(max=float(self.scores[usual].max()))

    @functools.cached_property
    def _alike(self) -> list[Tensor]:
        """Positions of images that look alike, in groups of two or more."""
        vectors = ((self.descriptors - self.descriptors.mean(0)) / self.scale).double().numpy()
        groups = np.arange(len(vectors))
        for one, other in close_pairs(vectors, _ALIKE):
            groups[groups == groups[other]] = groups[one]
        numbers, sizes = np.unique(groups, return_counts=True)
        return [torch.from_numpy(np.flatnonzero(groups == number)) for number in numbers[sizes > 1]]


def learn_context(
    descriptors: Tensor, scores: Tensor, similar: int, parts: Tensor | None = None
) -> LearntContext:
    """Learn how far the scores of similar good images foretell a good image's score.

    The slope is that of the least-squares line from the leave-one-out mean of similar images to the score, kept
    within [0, 1]: where similarity foretells nothing the context does nothing, and it can never take away more than
    the difference between good images. Scores that stand out by more than `MOST_DEVIATIONS` count as the highest of the
    others.

    Args:
        descriptors: mean patch of each good image, N x D, N >= 2.
        scores: its score by a detector that has not seen it, N.
        similar: how many similar images to average, fewer than N.
        parts: the number of the part that each image is of, N, two at least; None where each is of its own. Images of a
            part foretell nothing of each other, as those of a new part will have none.
    """
    scale = descriptors.std(0) + 1e-6
    whole = LearntContext(descriptors, scale, scores, similar, slope=1.0, parts=parts)
    scores, rows = whole.usual_scores, range(len(scores))
    offsets = torch.cat([whole.network(row)(descriptors[row][None]) for row in rows])
    # Offsets are from the mean of the others, which tells an image's own score: that must not foretell it.
    foretold = offsets + torch.stack([scores[whole.others(row)].mean() for row in rows])
    expected, actual = foretold - foretold.mean(), scores - scores.mean()
    slope = float((expected * actual).sum() / (expected * expected).sum().clamp(min=1e-12))
    return dataclasses.replace(whole, slope=min(max(slope, 0.0), 1.0))
