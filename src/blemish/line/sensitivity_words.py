"""How sensitive each detector is to one photograph, in words: a row of a table that a person reads.

The word follows from the percentile of the score among the detector's own good parts, by these bounds:

==========================  =====================================
low                         below 50: half of the good parts score higher
low to moderate             from 50
moderate                    from 75
moderate to high            from 90
high                        from 97.5, or rejected
==========================  =====================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blemish.line.sensitivity import AGREED_CORRELATION, AGREED_OVERLAP, Agreement, View, agreements, ranked

BOUNDS = ((97.5, "high"), (90.0, "moderate to high"), (75.0, "moderate"), (50.0, "low to moderate"))
"""Percentile from which each word holds, the highest first; below them all it is `LOWEST`."""

LOWEST = "low"


@dataclass(frozen=True)
class Answer:
    """A detector's answer to a photograph, as a row: model, metric, value, sensitivity, and why.

    Attributes:
        name, detector: of the inspector.
        metric: what its score measures, or the mean mask probability of a detector that finds a mask.
        value: that figure.
        sensitivity: one of the words above.
        sentence: how much of the map is above its pixel threshold, how far, and who shows the same place.
    """

    name: str
    detector: str
    metric: str
    value: float
    sensitivity: str
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """What the row adds to the figures of a view."""
        return {
            "metric": self.metric,
            "value": self.value,
            "sensitivity": self.sensitivity,
            "sentence": self.sentence,
        }


def answers(views: Sequence[View]) -> list[Answer]:
    """A row for each view, from the most to the least sensitive."""
    pairs = agreements(views)
    return [
        Answer(view.name, view.detector, *_measured(view), in_a_word(view), _why(view, views, pairs))
        for view in ranked(views)
    ]


def _measured(view: View) -> tuple[str, float]:
    """What a detector measures, and the figure."""
    if view.mask_probability is not None:
        return "mean mask probability", view.mask_probability
    return view.metric, view.score


def in_a_word(view: View) -> str:
    """How sensitive a detector is to the photograph, by the bounds of this page."""
    if view.rejected:
        return BOUNDS[0][1]
    return next((word for bound, word in BOUNDS if view.percentile >= bound), LOWEST)


def bounds_in_words() -> str:
    """The bounds as one clause, from low to high."""
    rising = [f"{word} from {bound:g}" for bound, word in reversed(BOUNDS)]
    return f"{LOWEST} below {BOUNDS[-1][0]:g}, {', '.join(rising)} or where it rejects"


def balanced(views: Sequence[View]) -> View | None:
    """The view between the most and the least sensitive whose level is nearest to half way; None of two alone."""
    if len(views) < 3:
        return None
    most, *between, least = ranked(views)
    middle = (most.level + least.level) / 2
    return min(between, key=lambda view: abs(view.level - middle))


def extremes(views: Sequence[View]) -> str:
    """Who is the most and who the least sensitive, and who stands between them."""
    order, between = ranked(views), balanced(views)
    middle = f"; balanced: {between.name}" if between else ""
    return f"Most sensitive: {order[0].name}; least sensitive: {order[-1].name}{middle}."


def _why(view: View, views: Sequence[View], pairs: Sequence[Agreement]) -> str:
    """Area, peak and agreement in one sentence."""
    if view.learnt:
        return "It has learnt from this photograph, so its word counts for less."
    if not view.gives_map:
        return "It looks at the photograph as a whole and shows no place."
    if view.peak <= 1:
        return f"No place stands out: its map reaches {view.peak:.2f} of its pixel threshold at most."
    found = f"Its map passes its pixel threshold on {_share(view.area)} of the photograph and reaches {view.peak:.1f}"
    return f"{found} times it{_company(view, views, pairs)}."


def _company(view: View, views: Sequence[View], pairs: Sequence[Agreement]) -> str:
    """Who else shows the same place."""
    showing = [one.name for one in views if one.gives_map and one.peak > 1 and one.name != view.name]
    agreed = {
        name
        for pair in pairs
        if pair.overlap >= AGREED_OVERLAP or pair.correlation >= AGREED_CORRELATION
        for name in (pair.first, pair.second)
        if view.name in (pair.first, pair.second)
    }
    if not showing:
        return ", and no other map shows a place"
    if same := [name for name in showing if name in agreed]:
        return f", in the same place as {' and '.join(same)}"
    return f", in another place than {' and '.join(showing)}"


def _share(area: float) -> str:
    return "less than 0.1 %" if area < 0.001 else f"{100 * area:.1f} %"
