"""Parts that people found good, on their way into the memory bank: past the gate, and no more of them than helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from blemish.core.outliers import deviations
from blemish.core.types import FloatArray
from blemish.detectors.memory.coreset import greedy_coreset
from blemish.line.artifact import NORMAL_BANK_SCORES, NORMAL_POOLED, NORMAL_SCORES, Artifact
from blemish.line.correction import Correction
from blemish.making.bank_graph import BankGraph, Patches
from blemish.making.known_defect_head import KnownDefectHead, farthest_mean, learn_head
from blemish.view.look import Look

GATE, MARGIN = 6.0, 1.0
"""One person's word is enough up to so many robust standard deviations above the median of good parts, and no farther
than this margin beyond the farthest good part: chosen on good photographs and defects painted on them, see
docs/decisions/0072-learning-from-corrections.md."""

MOST_PATCHES = 64
"""Of one photograph: a defect of 64 x 64 pixels of the network's input is as large as that."""

LARGEST_SHARE = 0.25
"""Of the bank as it was fitted, that corrected photographs may add to it, so that judging takes no longer."""


@dataclass(eq=False)
class ReadPhotograph:
    """A photograph of the line as the frozen network sees it.

    Attributes:
        correction: what was said of it.
        look: what was looked at of it.
        patches: what the network makes of it.
        score: by the bank as it was.
        size: width and height of the photograph in pixels.
        added: numbers of its patches that enter the bank, int N.
    """

    correction: Correction
    look: Look
    patches: Patches
    score: float
    size: tuple[int, int]
    added: np.ndarray = field(default_factory=lambda: np.empty(0, np.intp))

    @property
    def vectors(self) -> FloatArray:
        """The patches that enter the bank."""
        return np.asarray(self.patches.vectors[self.added], np.float32)


@dataclass(frozen=True)
class Gate:
    """What is so far from all good parts, or so like known defects, that one person's word does not make it good.

    Attributes:
        normal: scores of good parts, each as if unseen, with the head of known defects that there is so far.
        head: that; None where there is none.
        most: robust standard deviations above their median from which on a second person is asked.
    """

    normal: FloatArray
    head: KnownDefectHead | None
    most: float

    @classmethod
    def of(cls, artifact: Artifact, defects: FloatArray) -> Gate:
        """By the good parts of an inspector, and known defects, M x K."""
        scores, head = bank_scores(artifact), None
        if NORMAL_POOLED in artifact.members:
            head, scores = learn_head(artifact.array(NORMAL_POOLED), scores, defects)
        return cls(scores, head, min(GATE, float(deviations(scores).max()) + MARGIN))

    def novelty(self, one: ReadPhotograph) -> float:
        """How many robust standard deviations a photograph lies above good parts."""
        score = one.score
        if self.head is not None:
            score += float(self.head.of(farthest_mean(one.patches.vectors, one.patches.distances)[None])[0])
        return float(deviations([score], of=self.normal)[0])


def bank_scores(artifact: Artifact) -> FloatArray:
    """Scores of good parts by the memory bank alone, in the order of the calibration."""
    with_head = NORMAL_BANK_SCORES in artifact.members
    return np.asarray(artifact.array(NORMAL_BANK_SCORES if with_head else NORMAL_SCORES), np.float32)


def choose_patches(graph: BankGraph, photographs: Sequence[ReadPhotograph], usual: float) -> None:
    """Choose what of corrected photographs enters the bank: the farthest patch first, until none is unusual.

    Args:
        graph: with the bank.
        photographs: past the gate; `added` is set.
        usual: distance up to which the farthest patch of a good photograph usually is.
    """
    for one in photographs:
        left = one.patches.distances.ravel().copy()
        chosen: list[int] = []
        while len(chosen) < MOST_PATCHES and left.max() > usual:
            chosen.append(int(left.argmax()))
            to_new = graph.distances_to(one.patches.vectors, one.patches.vectors[chosen[-1:]])
            left = np.minimum(left, to_new)
            left[chosen[-1]] = 0  # rounding must not choose it again
        one.added = np.asarray(chosen, np.intp)


def keep_most_different(photographs: Sequence[ReadPhotograph], most: int) -> int:
    """Where together they would add more vectors than `most`, keep those that cover the others; how many go."""
    total = sum(len(one.added) for one in photographs)
    if total <= most:
        return 0
    rows = torch.from_numpy(np.concatenate([one.vectors for one in photographs]))
    kept = np.zeros(total, np.bool_)
    kept[greedy_coreset(rows, most, seed=0).numpy()] = True
    start = 0
    for one in photographs:
        one.added, start = one.added[kept[start : start + len(one.added)]], start + len(one.added)
    return total - most


def unseen_distances(
    graph: BankGraph, one: ReadPhotograph, photographs: Sequence[ReadPhotograph]
) -> FloatArray:
    """Distances of a photograph's patches, h x w, to the bank and to what the others add, as if it was not seen."""
    others = [other.vectors for other in photographs if other is not one and len(other.added)]
    own = one.patches.distances
    if not others:
        return own
    to_others = graph.distances_to(one.patches.vectors, np.concatenate(others))
    return np.minimum(own, to_others.reshape(own.shape))
