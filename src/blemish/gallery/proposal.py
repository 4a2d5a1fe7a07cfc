"""A defect type by vote of the neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from blemish.core.types import Verdict
from blemish.gallery.defect import Neighbour

_SMALLEST_DISTANCE = 1e-3


@dataclass(frozen=True)
class Proposal:
    """What the neighbours say a defect is.

    Attributes:
        defect_type: the type with most weight; None where no neighbour has one.
        confidence: its share of the weight of all neighbours, 0 to 1; those without a type count against it.
        votes: neighbours of each type.
    """

    defect_type: str | None
    confidence: float
    votes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The proposal as JSON-ready values."""
        return {"defect_type": self.defect_type, "confidence": self.confidence, "votes": dict(self.votes)}


NO_PROPOSAL = Proposal(None, 0.0)
"""Of a good part: it has no defect, so no neighbour is asked for a type."""


def is_good(verdict: Verdict, truth: Literal["good", "bad"] | None = None) -> bool:
    """Whether a part is taken for good: by what a person found it to be, else by its verdict."""
    return truth == "good" if truth is not None else verdict is Verdict.PASS


def propose(neighbours: Sequence[Neighbour]) -> Proposal:
    """The defect type that the neighbours vote for, each with the inverse of its distance.

    The weights are Dudani's in their simplest form (S. Dudani, "The distance-weighted k-nearest-neighbor rule",
    1976). Equal weights: the type that comes first in the alphabet.
    """
    weights: dict[str, float] = defaultdict(float)
    votes: dict[str, int] = defaultdict(int)
    total = 0.0
    for neighbour in neighbours:
        weight = 1 / max(neighbour.distance, _SMALLEST_DISTANCE)
        total += weight
        if neighbour.defect.defect_type is not None:
            weights[neighbour.defect.defect_type] += weight
            votes[neighbour.defect.defect_type] += 1
    if not weights:
        return Proposal(None, 0.0)
    best = max(sorted(weights), key=weights.__getitem__)
    return Proposal(best, min(1.0, weights[best] / total), dict(votes))
