"""The axis of a histogram of scores: where few far out would squeeze all others into one bar, it bends or is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MIDDLE = (2.5, 97.5)
_SQUEEZED, _READABLE = 0.2, 0.3
"""Share of the axis that the middle 95 % of the scores take: unreadable below the first, fine from the second on."""

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class ScoreAxis:
    """How scores are laid out.

    Attributes:
        edges: of the bins, rising, K + 1 float64.
        logarithmic: whether bins are spread by ratio.
        below, above: scores beyond the axis; they are counted in the first and in the last bin.
    """

    edges: npt.NDArray[np.float64]
    logarithmic: bool = False
    below: int = 0
    above: int = 0

    @property
    def title(self) -> str:
        """Title of the axis."""
        return f"Anomaly score{' (logarithmic)' if self.logarithmic else ''}"

    @property
    def note(self) -> str:
        """What a reader must know of it, a sentence; empty of a plain axis."""
        if self.logarithmic:
            return "The axis is logarithmic."
        said = [
            f"{count} {where} {edge:.3g} in the {bar} bar"
            for count, where, edge, bar in (
                (self.below, "below", self.edges[0], "first"),
                (self.above, "above", self.edges[-1], "last"),
            )
            if count
        ]
        return f"The axis is cut: {' and '.join(said)}." if said else ""

    def on_axis(self, value: float) -> float:
        """Where Plotly puts a shape or a text at a score: it wants the exponent on a logarithmic axis."""
        return float(np.log10(value)) if self.logarithmic else value

    def counts(self, scores: Values) -> npt.NDArray[np.int64]:
        """How many of the scores are in each bin; those beyond the axis in the bins at its ends."""
        counts, _ = np.histogram(np.clip(scores, self.edges[0], self.edges[-1]), bins=self.edges)
        return counts


def score_axis(scores: Values, marks: Sequence[float], bins: int) -> ScoreAxis:
    """The axis for N scores, finite, that holds all `marks` too.

    Plain where the middle 95 % of the scores and the marks take a fifth of it or more; else logarithmic where that
    shows them and all are positive; else cut, as far beyond this middle as it is wide.
    """
    values = np.append(np.asarray(scores, np.float64), marks)
    low, high = float(values.min()), float(values.max())
    if not scores.size or high <= low:
        return ScoreAxis(np.histogram_bin_edges(values, bins=bins))
    inner = np.append(np.percentile(scores, _MIDDLE), marks)
    first, last = float(inner.min()), float(inner.max())
    if last - first >= _SQUEEZED * (high - low):
        return ScoreAxis(np.histogram_bin_edges(values, bins=bins))
    if low > 0 and first > 0 and np.log(last / first) >= _READABLE * np.log(high / low):
        return ScoreAxis(np.geomspace(low * 0.98, high * 1.02, bins + 1), logarithmic=True)
    reach = max(last - first, 1e-9 * max(abs(first), abs(last), 1.0))
    start, end = max(low, first - reach), min(high, last + reach)
    below, above = int(np.count_nonzero(scores < start)), int(np.count_nonzero(scores > end))
    return ScoreAxis(np.linspace(start, end, bins + 1), below=below, above=above)
