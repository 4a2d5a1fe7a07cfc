"""Do normal and defective photographs differ in plain numbers? Tests and effect sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from blemish.data.entries import ANOMALOUS, NORMAL, TEST

COMPARED = ("brightness", "contrast", "focus", "noise", "cast_a", "cast_b", "aspect_ratio")

NOTABLE = 0.33
"""|Cliff's delta| from which an effect is called medium (Romano et al., 2006)."""

MOST_COMPARED = 1000
"""Photographs of a category, half of them of each class, whose further measures are taken."""

_ALIKE = 0.9

_NOT_MEASURES = frozenset({"path", "split", "label", "defect_type", "mask", "fold"})


@dataclass(frozen=True)
class Comparison:
    """One measure of normal and of defective photographs.

    Attributes:
        measure: its name.
        normal, defective: medians.
        p_value: of the two-sided Mann-Whitney test, before any correction.
        p_adjusted: after Holm's correction for all measures that were compared.
        effect: Cliff's delta, -1 to 1: the chance that a defective photograph has the larger value, minus the
            chance that it has the smaller one.
    """

    measure: str
    normal: float
    defective: float
    p_value: float
    p_adjusted: float
    effect: float

    @property
    def size(self) -> str:
        """The effect in a word (Romano et al., "Exploring methods for evaluating group differences", 2006)."""
        magnitude = abs(self.effect)
        names = ((0.147, "negligible"), (NOTABLE, "small"), (0.474, "medium"))
        return next((name for edge, name in names if magnitude < edge), "large")

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {**asdict(self), "size": self.size}


def with_aspect_ratio(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `aspect_ratio`: width over height."""
    return table.assign(aspect_ratio=table["width"] / table["height"])


def compare_classes(table: pd.DataFrame, measures: tuple[str, ...] | None = None) -> list[Comparison]:
    """Compare normal with defective photographs in each measure, the test split alone where it has both.

    Measures without two different values, and classes of fewer than two photographs, are left out. Follows Mann
    and Whitney, 1947; Cliff, "Dominance statistics", 1993; Holm, "A simple sequentially rejective multiple test
    procedure", 1979.

    Args:
        table: one row per photograph, as `Survey.table`.
        measures: columns to compare; by default `COMPARED` and whatever further measures the table has.

    Returns:
        The strongest effect first.
    """
    table = compared_rows(with_aspect_ratio(table))
    found = []
    for name in measures or COMPARED + further_measures(table):
        normal = table.loc[table["label"] == NORMAL, name].dropna().to_numpy(float)
        defective = table.loc[table["label"] == ANOMALOUS, name].dropna().to_numpy(float)
        if min(len(normal), len(defective)) < 2 or np.ptp(np.append(normal, defective)) == 0:
            continue
        test_result = mannwhitneyu(defective, normal, alternative="two-sided")
        effect = 2 * float(test_result.statistic) / (len(normal) * len(defective)) - 1
        medians = float(np.median(normal)), float(np.median(defective))
        found.append((name, *medians, float(test_result.pvalue), effect))
    adjusted = holm([p_value for *_, p_value, _ in found])
    results = [
        Comparison(name, normal, defective, p_value, corrected, effect)
        for (name, normal, defective, p_value, effect), corrected in zip(found, adjusted, strict=True)
    ]
    return sorted(results, key=lambda comparison: -abs(comparison.effect))


def compared_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The photographs that are compared: the test split where it has both classes, or else all."""
    test = table[table["split"] == TEST]
    # Training photographs may come from another day.
    return test if {NORMAL, ANOMALOUS} <= set(test["label"]) else table


def compared_sample(table: pd.DataFrame, most: int = MOST_COMPARED) -> frozenset[int]:
    """Index of the photographs that costly measures are taken of: at most half of `most` of each class, spread evenly.

    Empty where there is only one class, and so nothing to compare.
    """
    rows = compared_rows(table)
    groups = [rows.index[rows["label"] == label].to_numpy() for label in (NORMAL, ANOMALOUS)]
    if min(map(len, groups)) == 0:
        return frozenset()
    places = [np.linspace(0, len(group) - 1, min(len(group), most // 2)).round() for group in groups]
    chosen = [group[place.astype(int)].tolist() for group, place in zip(groups, places, strict=True)]
    return frozenset(chosen[0] + chosen[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the order given: the chance of a single false alarm among all stays below them."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return [float(value) for value in corrected]


def unlike_measures(
    table: pd.DataFrame, given: Sequence[str], further: Sequence[str], most: int
) -> list[str]:
    """The `given` measures and the first `most` of the `further` ones that say something new.

    New is what has a rank correlation of at most 0.9 with each one before it.
    """
    names = [*given, *further]
    if not names:
        return []
    alike = np.abs(table[names].rank().corr().to_numpy(float))
    chosen = list(range(len(given)))
    for place in range(len(given), len(names)):
        if len(chosen) < len(given) + most and not (alike[place, chosen] > _ALIKE).any():
            chosen.append(place)
    return [names[place] for place in chosen]


def further_measures(table: pd.DataFrame) -> tuple[str, ...]:
    """Columns that are neither the catalog's nor ours: handcrafted features, where they were asked for."""
    from blemish.explore.measures import Measures

    ours = _NOT_MEASURES | set(COMPARED) | set(Measures._fields) | {"width", "height", "channels", "bits"}
    return tuple(str(name) for name in table.columns if name not in ours)


def size_statistics(table: pd.DataFrame) -> list[dict[str, float | str]]:
    """Mean, spread, extremes and most frequent value of width, height and channels."""
    readable = table[table["width"].notna()]
    rows: list[dict[str, float | str]] = []
    for name in ("width", "height", "channels"):
        values = readable[name].to_numpy(float)
        if not values.size:
            continue
        distinct, counts = np.unique(values, return_counts=True)
        rows.append(
            {
                "measure": name,
                "mean": float(values.mean()),
                "spread": float(values.std()),
                "least": float(values.min()),
                "most": float(values.max()),
                "mode": float(distinct[counts.argmax()]),
                "mode_share": float(counts.max() / values.size),
            }
        )
    return rows
