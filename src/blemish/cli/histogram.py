"""Scores of good parts and of known defects as lines of characters, the highest on top."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_BINS, _ABOVE, _WIDTH = 10, 4, 24


def score_lines(good: npt.ArrayLike, defects: npt.ArrayLike | None, marks: Mapping[str, float]) -> list[str]:
    """A line for each range of scores, with bars of its counts; plain ASCII.

    Args:
        good: scores of good parts, at least one, finite.
        defects: scores of known defects; None where none are known.
        marks: scores by what they are called, as {"rejects above": 12.5}, said at the range that holds them.
    """
    normal, known = np.asarray(good, np.float64), np.asarray([] if defects is None else defects, np.float64)
    edges = _edges(normal, known, list(marks.values()))
    counts = [_counts(scores, edges) for scores in (normal, known)]
    bars = [_bars(count, mark) for count, mark in zip(counts, "#x", strict=True)]
    labels = [f"{edge:.4g}" for edge in edges]
    wide = max(map(len, labels))
    lines = []
    for place in reversed(range(len(edges))):
        cells = [labels[place].rjust(wide), bars[0][place].ljust(_WIDTH + 7)]
        cells += [bars[1][place].ljust(_WIDTH + 7)] if len(known) else []
        said = [f"< {name} {at:.4g}" for name, at in marks.items() if _place(at, edges) == place]
        lines.append("  ".join([*cells, *said]).rstrip())
    head = f"{'score':>{wide}}  {'good parts #':<{_WIDTH + 7}}" + ("  known defects x" if len(known) else "")
    return [head.rstrip(), *lines]


def _edges(
    normal: npt.NDArray[np.float64], known: npt.NDArray[np.float64], marks: list[float]
) -> list[float]:
    """Lower ends of the ranges: even to the highest good part or mark, a few more above, the last without end."""
    low = min(normal.min(), *known, *marks)
    high = max(normal.max(), *marks)
    step = (high - low) / _BINS or max(abs(high), 1.0) / 100
    above = _ABOVE if len(known) and known.max() > high else 1
    count = min(_BINS + above, int(np.ceil((max(high, known.max(initial=high)) - low) / step)) + 1)
    return [float(low + step * place) for place in range(count)]


def _place(score: float, edges: list[float]) -> int:
    return max(0, int(np.searchsorted(edges, score, side="right")) - 1)


def _counts(scores: npt.NDArray[np.float64], edges: list[float]) -> npt.NDArray[np.int64]:
    places = np.maximum(np.searchsorted(edges, scores, side="right") - 1, 0)
    return np.bincount(places, minlength=len(edges))


def _bars(counts: npt.NDArray[np.int64], mark: str) -> list[str]:
    """A bar for each count, the longest as wide as there is room; what is there is never nothing."""
    longest = max(int(counts.max()), 1)
    return [
        f"{mark * max(1, round(_WIDTH * count / longest))} {count}" if count else ""
        for count in counts.tolist()
    ]
