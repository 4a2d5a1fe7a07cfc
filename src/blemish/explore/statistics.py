"""Do normal and defective photographs differ in plain numbers? Tests and effect sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from blemish.data.entries import ANOMALOUS, NORMAL

COMPARED = ("brightness", "contrast", "focus", "noise", "cast_a", "cast_b", "aspect_ratio")

NOTABLE = 0.33
"""|Cliff's delta| from which an effect is called medium (Romano et al., 2006)."""

_NOT_MEASURES = frozenset({"path", "split", "label", "defect_type", "mask", "fold"})


@dataclass(frozen=True)
class Comparison:
    """One measure of normal and of defective photographs.

    Attributes:
        measure: its name.
        normal, defective: medians.
        p_value: of the two-sided Mann-Whitney test, before any correction.
        effect: Cliff's delta, -1 to 1: the chance that a defective photograph has the larger value, minus the
            chance that it has the smaller one.
    """

    measure: str
    normal: float
    defective: float
    p_value: float
    effect: float

    @property
    def size(self) -> str:
        """The effect in a word (Romano et al., "Exploring methods for evaluating group differences", 2006)."""
        magnitude = abs(self.effect)
        names = ((0.147, "negligible"), (NOTABLE, "small"), (0.474, "medium"))
        return next((name for edge, name in names if magnitude < edge), "large")


def with_aspect_ratio(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `aspect_ratio`: width over height."""
    return table.assign(aspect_ratio=table["width"] / table["height"])


def compare_classes(table: pd.DataFrame, measures: tuple[str, ...] | None = None) -> list[Comparison]:
    """Compare normal with defective photographs in each measure, the test split alone where it has both.

    Measures without two different values, and classes of fewer than two photographs, are left out. Follows Mann
    and Whitney, 1947; Cliff, "Dominance statistics", 1993.

    Args:
        table: one row per photograph, as `Survey.table`.
        measures: columns to compare; by default `COMPARED` and whatever further measures the table has.
    """
    table = with_aspect_ratio(table)
    test = table[table["split"] == "test"]
    if {NORMAL, ANOMALOUS} <= set(test["label"]):
        table = test  # training photographs may come from another day
    results = []
    for name in measures or COMPARED + further_measures(table):
        normal = table.loc[table["label"] == NORMAL, name].dropna().to_numpy(float)
        defective = table.loc[table["label"] == ANOMALOUS, name].dropna().to_numpy(float)
        if min(len(normal), len(defective)) < 2 or np.ptp(np.append(normal, defective)) == 0:
            continue
        test_result = mannwhitneyu(defective, normal, alternative="two-sided")
        effect = 2 * float(test_result.statistic) / (len(normal) * len(defective)) - 1
        results.append(
            Comparison(
                name, float(np.median(normal)), float(np.median(defective)), float(test_result.pvalue), effect
            )
        )
    return results


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
