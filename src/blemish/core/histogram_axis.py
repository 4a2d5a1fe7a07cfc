"""The axis of a histogram: where few values far out would squeeze all others into one bar, it bends or is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.charts import logarithmic_axis

_AT_EACH_END, _FEWEST = 0.05, 8
"""Share of the values that are left out of the middle at each end, at least one; of so few values none is."""
_SQUEEZED, _READABLE = 0.2, 0.3
"""Share of the axis that the middle of the values takes: unreadable below the first, fine from the second on."""

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class HistogramAxis:
    """How values are laid out.

    Attributes:
        edges: of the bins, rising, K + 1 float64.
        logarithmic: whether bins are spread by ratio.
        below, above: values beyond the axis; they are counted in the first and in the last bin.
    """

    edges: npt.NDArray[np.float64]
    logarithmic: bool = False
    below: int = 0
    above: int = 0

    def title(self, name: str) -> str:
        """What stands under the axis of a measure: its name, and that the axis is logarithmic or cut."""
        if self.logarithmic:
            return f"{name} (logarithmic)"
        cut = [f"{self.below} under {self.edges[0]:.3g}"] if self.below else []
        cut += [f"{self.above} over {self.edges[-1]:.3g}"] if self.above else []
        return f"{name} (end bar{'s' * (len(cut) - 1)}: {', '.join(cut)})" if cut else name

    def layout(self, name: str) -> dict[str, Any]:
        """Plotly settings of the axis of a measure."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.logarithmic:
            return {"title": {"text": self.title(name)}, **logarithmic_axis(low, high)}
        return {"title": {"text": self.title(name)}, "range": [low, high]}

    def on_axis(self, value: float) -> float:
        """Where Plotly puts a shape or a text at a score: it wants the exponent on a logarithmic axis."""
        return float(np.log10(value)) if self.logarithmic else value

    def counts(self, values: Values) -> npt.NDArray[np.int64]:
        """How many of the values are in each bin; those beyond the axis in the bins at its ends."""
        counts, _ = np.histogram(np.clip(values, self.edges[0], self.edges[-1]), bins=self.edges)
        return counts


def histogram_axis(values: Values, marks: Sequence[float], bins: int) -> HistogramAxis:
    """The axis for N values, finite, that holds all `marks` too.

    Plain where the middle nine tenths of the values and the marks take a fifth of it or more; else logarithmic where
    that shows them and all are positive; else cut, as far beyond this middle as it is wide.
    """
    every = np.append(np.asarray(values, np.float64), marks)
    low, high = float(every.min()), float(every.max())
    if not values.size or high <= low:
        return HistogramAxis(np.histogram_bin_edges(every, bins=bins))
    inner = np.append(_middle(values), marks)
    first, last = float(inner.min()), float(inner.max())
    if last - first >= _SQUEEZED * (high - low):
        return HistogramAxis(np.histogram_bin_edges(every, bins=bins))
    if low > 0 and np.log(last / first) >= _READABLE * np.log(high / low):
        return HistogramAxis(np.geomspace(low * 0.98, high * 1.02, bins + 1), logarithmic=True)
    reach = max(last - first, 1e-9 * max(abs(first), abs(last), 1.0))
    start, end = max(low, first - reach), min(high, last + reach)
    below, above = int(np.count_nonzero(values < start)), int(np.count_nonzero(values > end))
    return HistogramAxis(np.linspace(start, end, bins + 1), below=below, above=above)


def _middle(values: Values) -> Values:
    """The values without those at both ends, sorted."""
    left_out = max(1, int(_AT_EACH_END * values.size)) if values.size >= _FEWEST else 0
    return np.sort(values)[left_out : values.size - left_out]
