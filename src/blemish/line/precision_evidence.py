"""Whether another precision says of photographs what float32 says: the same verdicts, and scores in the same order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from blemish.core.images import read_image
from blemish.core.progress import track
from blemish.core.types import ByteArray, FloatArray
from blemish.line.rows import PartsInput
from blemish.line.runtime import Inspector

WORTH: Final = 1.05
"""So many times as fast as float32 a precision has to be at least: less is what one run differs from the next."""


@dataclass(frozen=True)
class Evidence:
    """How one precision compares with float32 on the same photographs.

    Attributes:
        precision: which.
        other_verdicts: photographs with another verdict.
        rank_correlation: of the scores in both, Spearman's, -1 to 1.
        max_relative_error: largest difference of a score, relative to it in float32.
        milliseconds: median time of the network for a photograph: of all cores where that is the processor, else as
            the clock says.
        speed_up: how many times as fast it is as float32.
        keeps: whether all verdicts are the same, and the ranks as much as `Compared.rank_bar` asks.
    """

    precision: str
    other_verdicts: int
    rank_correlation: float
    max_relative_error: float
    milliseconds: float
    speed_up: float
    keeps: bool


@dataclass(frozen=True)
class Compared:
    """What was compared with float32, and the best of it.

    Attributes:
        n_good, n_painted: photographs of good parts, and with painted defects.
        rank_bar: the rank correlation that float32 itself keeps when every pixel changes by one grey level at most: a
            precision may not move ranks more than that.
        rows: float32 first.
    """

    n_good: int
    n_painted: int
    rank_bar: float
    rows: tuple[Evidence, ...]

    @property
    def best(self) -> Evidence:
        """The fastest that keeps verdicts and ranks, where that is worth it; else float32."""
        keeping = [row for row in self.rows if row.keeps and row.speed_up >= WORTH]
        return max(keeping, key=lambda row: row.speed_up, default=self.rows[0])

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        rows = [vars(row) for row in self.rows]
        return {**vars(self), "rows": rows, "best": self.best.precision}


def compare_precisions(
    inspectors: Mapping[str, Inspector], good: Sequence[Path], painted: Sequence[Path], seed: int = 0
) -> Compared:
    """Score photographs in all precisions, taking turns, and compare each with float32.

    Args:
        inspectors: the same inspector by its precision, "f32" among them.
        good, painted: photographs of good parts, and with painted defects; one is held at a time.
        seed: of the grey level by which the pixels of the copies change that make the bar.

    Raises:
        ImageError: a photograph cannot be used.
    """
    reference = inspectors["f32"]
    clock = time.process_time if reference.execution.device == "cpu" else time.perf_counter
    scores: dict[str, list[float]] = {name: [] for name in inspectors}
    seconds: dict[str, list[float]] = {name: [] for name in inspectors}
    noisy: list[float] = []
    rng = np.random.default_rng(seed)
    for number, path in enumerate(track([*good, *painted], "Comparing precisions")):
        pixels = read_image(path, bit_depth=reference.manifest.preprocessing.bit_depth)
        given = reference.input_of(pixels, str(path))
        if number == 0:  # the first run of a network takes longer
            for one in inspectors.values():
                one.predict_input(given)
        order = list(inspectors)[:: 1 if number % 2 else -1]
        for name in order:
            started = clock()
            scores[name].append(inspectors[name].predict_input(given).score)
            seconds[name].append(clock() - started)
        noisy.append(reference.predict(_a_grey_level_off(pixels, rng)).score)
    exact = np.array(scores["f32"])
    bar = rank_correlation(exact, np.array(noisy))
    rows = [
        _evidence(name, reference, exact, np.array(scores[name]), seconds, bar)
        for name in sorted(inspectors, key=lambda name: name != "f32")
    ]
    return Compared(len(good), len(painted), bar, tuple(rows))


def _evidence(
    name: str,
    reference: Inspector,
    exact: npt.NDArray[np.float64],
    said: npt.NDArray[np.float64],
    seconds: Mapping[str, Sequence[float]],
    bar: float,
) -> Evidence:
    verdict = reference.decision.verdict
    others = sum(verdict(one) != verdict(other) for one, other in zip(exact, said, strict=True))
    ranks = rank_correlation(exact, said)
    usual, own = float(np.median(seconds["f32"])), float(np.median(seconds[name]))
    return Evidence(
        precision=name,
        other_verdicts=int(others),
        rank_correlation=ranks,
        max_relative_error=float(np.max(np.abs(said - exact) / np.maximum(np.abs(exact), 1e-12))),
        milliseconds=1e3 * own,
        speed_up=usual / own if own > 0 else 1.0,
        keeps=others == 0 and ranks >= bar,
    )


def rank_correlation(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Spearman's rank correlation of two rows of numbers, equal ones sharing their mean rank; 1 where all are equal."""
    first, second = (_ranks(np.asarray(values, np.float64)) for values in (one, other))
    if np.array_equal(first, second):
        return 1.0
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _a_grey_level_off(pixels: ByteArray, rng: np.random.Generator) -> ByteArray:
    """A photograph whose values are each at most one grey level off, as a camera's noise moves them."""
    moved = pixels.astype(np.int16) + rng.integers(-1, 2, pixels.shape, np.int16)
    return np.asarray(np.clip(moved, 0, 255), np.uint8)


def network_inputs(inspector: Inspector, paths: Sequence[Path]) -> list[FloatArray]:
    """What the network is given of photographs, float32 with a leading 1.

    Raises:
        ImageError: a photograph cannot be used.
    """
    bit_depth = inspector.manifest.preprocessing.bit_depth
    given = [inspector.input_of(read_image(path, bit_depth=bit_depth), str(path)) for path in paths]
    inputs = [part for one in given for part in (one.inputs if isinstance(one, PartsInput) else (one,))]
    return [np.asarray(one.values[None], np.float32) for one in inputs]
