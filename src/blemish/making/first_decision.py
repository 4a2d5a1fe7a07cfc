"""The decision that an inspector is fitted with: by the rates asked for, as far as its photographs carry them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blemish.core.conformal import Calibration, told
from blemish.core.errors import UsageError
from blemish.line.decision import Decision, PixelDecision, by_rates
from blemish.making.reading import Readable

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Rates:
    """Shares of good parts, asked for before anything is learnt.

    Attributes:
        false_reject: that are rejected; 0.01 where None, or the smallest that can be promised.
        review: that are rejected or reviewed; 0.05 where None, 0 for no review.
    """

    false_reject: float | None = None
    review: float | None = None


ANY_RATES = Rates()
"""Those that are meant where nobody says anything."""


def require_promised(rates: Rates, readable: Readable) -> None:
    """Refuse before hours of learning what so few photographs can never promise.

    Raises:
        UsageError: as many good parts as there are carry no such rate.
    """
    rate = rates.false_reject
    if rate is None:
        return
    paths = readable.calibration.paths if readable.calibration.enough else readable.catalog.train_normal()
    n = _independent(readable, paths)
    if rate < 1 / (n + 1) - _ROUNDING:
        counted = "groups of good photographs" if readable.groups else "good photographs"
        raise UsageError(
            f"{n} {counted} cannot promise a false-reject rate of {rate:g}: the smallest that they can is "
            f"{told(1 / (n + 1))}. Give that, or {Calibration.needed(rate) - n} more."
        )


def first_decision(calibration: Calibration, pixels: PixelDecision, rates: Rates) -> Decision:
    """By the rates that were asked for.

    Where fewer photographs could be scored as if unseen than there were, the smallest rate that they carry takes the
    place of one that they do not, and the decision says so: what was learnt is not thrown away for it.
    """
    rate, smallest = rates.false_reject, calibration.smallest_rate
    if rate is None or rate >= smallest - _ROUNDING:
        return by_rates(calibration, pixels, rate, rates.review)
    decision = by_rates(calibration, pixels, smallest, rates.review)
    gave_way = (
        f"The false-reject rate of {rate:g} gave way to what {calibration.n} good parts scored as if unseen can "
        f"promise: it becomes {told(smallest)}, and takes {Calibration.needed(rate) - calibration.n} more."
    )
    return Decision.model_validate(decision.model_dump() | {"gave_way": gave_way})


def _independent(readable: Readable, paths: list[Path] | tuple[Path, ...]) -> int:
    """How many of them count: photographs, or groups."""
    return len({readable.groups.get(path, f"/{path}") for path in paths})
