"""What a detector is worth, in words: how it ranks parts and what its threshold makes of that, never one alone.

A detector may rank every defective part above every good one and still miss most of them, where its threshold stands
too high. So no sentence of a report praises a ranking without saying what is missed and what is rejected by mistake.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from blemish.evaluation.rate import Rate

MUCH = 0.05
"""Share of defective parts missed, or of good ones rejected, from which a ranking is followed by `but`."""

BEST_F1, THRESHOLD_OF_BEST_F1 = "f1", "the threshold with the best F1 on validation"
"""The rule by which searches and studies decide, and how their sentences call it."""


@dataclass(frozen=True)
class Worth:
    """A ranking and the decision that a threshold makes of it.

    Attributes:
        auroc: of the image scores; nan where a class is absent.
        interval: its 95 % interval; nan where unknown.
        missed: defective parts passed, as counts, or as a share from 0 to 1 where they are a mean; nan if unknown.
        rejected: good parts rejected, likewise.
    """

    auroc: float
    interval: tuple[float, float]
    missed: Rate | float
    rejected: Rate | float

    @property
    def missed_share(self) -> float:
        """Share of the defective parts that the threshold passes."""
        return _share(self.missed)

    @property
    def rejected_share(self) -> float:
        """Share of the good parts that it rejects."""
        return _share(self.rejected)

    @property
    def errs_much(self) -> bool:
        """Whether the threshold makes so many errors that they stand against the ranking."""
        return any(share > MUCH for share in (self.missed_share, self.rejected_share))

    @property
    def ranks_by_chance(self) -> bool:
        """Whether so few parts cannot tell the ranking from guessing."""
        return self.auroc <= 0.5 or self.interval[0] <= 0.5


def decision_in_words(worth: Worth) -> str:
    """What the threshold does: `misses 25 of 119 defective parts (...) and rejects none of 41 good parts (...)`."""
    said = []
    if not math.isnan(_share(worth.missed)):
        said.append(f"misses {_errors(worth.missed, 'defective')}")
    if not math.isnan(_share(worth.rejected)):
        said.append(f"rejects {_errors(worth.rejected, 'good')}")
    return " and ".join(said)


def ranking_in_words(worth: Worth) -> str:
    """An AUROC with its interval, and whether it differs from guessing; empty where there is none."""
    if math.isnan(worth.auroc):
        return ""
    low, high = worth.interval
    between = "" if math.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
    doubt = ", no better than guessing as far as these parts tell" if worth.ranks_by_chance else ""
    return f"an image AUROC of {worth.auroc:.3f}{between}{doubt}"


def ranked_and_decided(ranked: str, worth: Worth, threshold: str = "its threshold") -> str:
    """A clause on the ranking, and what the threshold makes of it: one without the other misleads.

    Args:
        ranked: the clause, with its subject and its figures; empty where nothing can be ranked.
        worth: ranking and decision.
        threshold: which one decides, in words.

    Returns:
        A sentence without its full stop.
    """
    decided = decision_in_words(worth)
    if not decided:
        return ranked
    if not ranked:
        return f"At {threshold} it {decided}"
    against = worth.errs_much and not worth.ranks_by_chance
    return f"{ranked}, {'but' if against else 'and'} at {threshold} {decided}"


def _share(errors: Rate | float) -> float:
    return errors.value if isinstance(errors, Rate) else errors


def _errors(errors: Rate | float, kind: str) -> str:
    """`25 of 119 defective parts (21.0 %, 95 % interval 14.1 to 29.4 %)`, or `21.0 % of the defective parts`."""
    if not isinstance(errors, Rate):
        return f"{_percent(errors)} of the {kind} parts"
    low, high = errors.interval
    parts = f"{kind} part{'' if errors.n == 1 else 's'}"
    return (
        f"{errors.count or 'none'} of {errors.n} {parts} ({_percent(errors.value)}, 95 % interval {100 * low:.1f} to "
        f"{_percent(high)})"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
