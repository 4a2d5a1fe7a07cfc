"""The table of a comparison: detectors by category, their mean, and which is best in each column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blemish.core.json_values import number_or_none
from blemish.core.spreadsheet import csv_table
from blemish.evaluation.intervals import auroc_interval, binomial_interval, mean_interval
from blemish.evaluation.worth import Worth
from blemish.experiments.benchmark.cell import CellResult


@dataclass(frozen=True)
class Column:
    """A figure of the table.

    Attributes:
        key: its name in a cell's metrics or timings.
        title: its heading.
        digits: decimals shown.
        higher: whether a higher value is better.
        timed: whether it differs from run to run.
        traded: whether it can be had for nothing by rejecting all or nothing, so that the best of it says little.
    """

    key: str
    title: str
    digits: int = 3
    higher: bool = True
    timed: bool = False
    traded: bool = False

    def shown(self, value: float) -> str:
        """A value as the table shows it."""
        return "–" if math.isnan(value) else f"{value:.{self.digits}f}"


COLUMNS = (
    Column("image_auroc", "Image AUROC"),
    Column("image_f1", "Max F1"),
    Column("f1", "F1"),
    Column("precision", "Precision", traded=True),
    Column("recall", "Recall", traded=True),
    Column("false_reject", "False rejects", higher=False, traded=True),
    Column("accuracy", "Accuracy"),
    Column("pixel_auroc", "Pixel AUROC"),
    Column("aupro", "AUPRO"),
    Column("pixel_f1", "Pixel F1"),
    Column("iou", "IoU"),
    Column("fit_seconds", "Fit, s", 1, higher=False, timed=True),
    Column("ms", "ms an image", 1, higher=False, timed=True),
    Column("megabytes", "MB", 1, higher=False),
)
PLACES = {column.key: number for number, column in enumerate(COLUMNS)}
"""Where each column stands."""

INTERVALS = ("image_auroc", "recall", "false_reject")
"""Columns whose figures have an interval."""

Interval = tuple[float, float]
NO_INTERVAL: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """A detector on one category, or its mean over all.

    Attributes:
        label: the detector.
        values: of each column, the mean over seeds; nan where undefined.
        spreads: standard deviation over seeds (n - 1); nan with a single one.
        note: why there are no values, or what they leave out; empty if nothing is missing.
        remark: what else a reader must know to compare it; empty if nothing.
        intervals: 95 % intervals by the column's key, of those figures that have one.
    """

    label: str
    values: tuple[float, ...]
    spreads: tuple[float, ...]
    note: str = ""
    remark: str = ""
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def value(self, key: str) -> float:
        """The figure in a column; nan where undefined."""
        return self.values[PLACES[key]]

    def interval(self, key: str) -> Interval:
        """Its 95 % interval; nan where there is none."""
        return self.intervals.get(key, NO_INTERVAL)

    @property
    def worth(self) -> Worth:
        """How it ranks parts, and what its threshold makes of that."""
        missed = 1 - self.value("recall")
        return Worth(
            self.value("image_auroc"), self.interval("image_auroc"), missed, self.value("false_reject")
        )


@dataclass(frozen=True)
class Block:
    """The rows of one category, or of the mean."""

    title: str
    rows: tuple[Row, ...]

    def compared(self) -> dict[int, Row]:
        """By place, the rows that are of the same images, and so can be compared.

        A mean that leaves out a category is of other images, and so are the figures of a detector that learnt from a
        part of the test images; where all detectors did, they are compared with each other.
        """
        whole = {place: row for place, row in enumerate(self.rows) if not row.note}
        return {place: row for place, row in whole.items() if not row.remark} or whole

    def best(self) -> list[set[int]]:
        """For each column the rows whose shown value is the best; none where all that are compared are alike.

        None either of what is traded: the precision is 1 of who rejects next to nothing.
        """
        found = []
        for number, column in enumerate(COLUMNS):
            known = {
                place: float(column.shown(row.values[number]))
                for place, row in self.compared().items()
                if not (column.traded or math.isnan(row.values[number]))
            }
            best = (max if column.higher else min)(known.values()) if len(set(known.values())) > 1 else None
            found.append({place for place, value in known.items() if value == best})
        return found


@dataclass(frozen=True)
class Table:
    """Blocks of the categories, and last that of the mean; and means of subclasses, where categories have any."""

    blocks: tuple[Block, ...]
    subclasses: tuple[Block, ...] = ()

    @property
    def shown(self) -> tuple[Block, ...]:
        """The blocks as tables show them: categories, subclasses, and the mean; one category needs no mean."""
        *categories, mean = self.blocks
        return (*categories, *self.subclasses, mean) if len(categories) > 1 else tuple(categories)

    def title(self, block: Block) -> str:
        """A block's heading."""
        return "System Mean" if block is self.mean else block.title

    @property
    def mean(self) -> Block:
        """The block of means."""
        return self.blocks[-1]

    def to_json(self, timed: bool) -> dict[str, dict[str, dict[str, float | None]]]:
        """Title of the block, label of the row, key of the column: the columns that are timed, or the others."""
        return {
            block.title: {
                row.label: {
                    column.key: number_or_none(value)
                    for column, value in zip(COLUMNS, row.values, strict=True)
                    if column.timed == timed
                }
                for row in block.rows
            }
            for block in (*self.blocks, *self.subclasses)
        }

    def intervals_to_json(self) -> dict[str, dict[str, dict[str, list[float | None]]]]:
        """Title of the block, label of the row, key of the column: both edges of the 95 % interval."""
        return {
            block.title: {
                row.label: {
                    key: [number_or_none(edge) for edge in interval]
                    for key, interval in row.intervals.items()
                }
                for row in block.rows
            }
            for block in (*self.blocks, *self.subclasses)
        }

    def to_rows(self) -> list[dict[str, str | float | None]]:
        """A row for each detector in each block, flat: what a spreadsheet holds; None where undefined."""
        rows = []
        for block in self.shown:
            for row in block.rows:
                cells: dict[str, str | float | None] = {"category": self.title(block), "detector": row.label}
                for column, value in zip(COLUMNS, row.values, strict=True):
                    cells[column.key] = number_or_none(value)
                    if column.key in INTERVALS:
                        low, high = row.interval(column.key)
                        cells[f"{column.key}_low"] = number_or_none(low)
                        cells[f"{column.key}_high"] = number_or_none(high)
                rows.append(cells | {"note": row.note, "remark": row.remark})
        return rows

    def to_csv(self) -> str:
        """The same as CSV."""
        return csv_table(self.to_rows())


def comparison_table(results: Sequence[CellResult], subclasses: Mapping[str, str] | None = None) -> Table:
    """The table of all cells, in the order in which categories and detectors come first.

    The mean of a figure is over the categories that have it.

    Args:
        results: of the cells.
        subclasses: of those categories that have one; each has a mean of its own.
    """
    categories = list(dict.fromkeys(result.cell.category for result in results))
    labels = list(dict.fromkeys(result.cell.candidate.label for result in results))
    blocks = [
        Block(
            category,
            tuple(_row(label, [r for r in results if _which(r) == (category, label)]) for label in labels),
        )
        for category in categories
    ]
    of = {category: (subclasses or {}).get(category, "") for category in categories}
    groups = [
        Block(f"Mean of {group}", _means(labels, [one for one in blocks if of[one.title] == group]))
        for group in dict.fromkeys(of.values())
        if group
    ]
    return Table((*blocks, Block("mean", _means(labels, blocks))), tuple(groups))


def _means(labels: Sequence[str], blocks: Sequence[Block]) -> tuple[Row, ...]:
    """The mean of every detector over some categories."""
    return tuple(
        _mean_row(label, [block.rows[place] for block in blocks]) for place, label in enumerate(labels)
    )


def _which(result: CellResult) -> tuple[str, str]:
    return result.cell.category, result.cell.candidate.label


def _row(label: str, results: Sequence[CellResult]) -> Row:
    """Mean and spread over seeds."""
    good = [result for result in results if not result.error]
    failed = [result for result in results if result.error]
    note = ""
    if failed:
        seeds = ", ".join(str(result.cell.seed) for result in failed)
        which = "" if len(results) == 1 else f" with seed {seeds}"
        note = f"failed{which}: {failed[0].error}"
    values = np.array([[_figure(result, column) for column in COLUMNS] for result in good])
    if not len(values):
        nothing = (math.nan,) * len(COLUMNS)
        return Row(label, nothing, nothing, note)
    spreads = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(COLUMNS), math.nan)
    figures, remark = good[0].metrics, ""
    if figures.get("n_labelled"):
        n_test = figures["n_normal"] + figures["n_anomalous"]
        remark = (
            f"learnt from {figures['n_labelled']} labelled test photographs, tested on the other {n_test}"
        )
    means = tuple(values.mean(axis=0).tolist())
    return Row(label, means, tuple(spreads.tolist()), note, remark, _intervals(means, figures))


def _mean_row(label: str, rows: Sequence[Row]) -> Row:
    """Mean over the categories that have a figure."""
    columns = np.array([row.values for row in rows]).T
    values = tuple(
        float(np.mean(known)) if (known := column[np.isfinite(column)]).size else math.nan
        for column in columns
    )
    missing = sum(bool(row.note) for row in rows)
    note = f"without {missing} of {len(rows)} categories, where it failed" if missing else ""
    labelled = any(row.remark for row in rows)
    remark = "learnt from labelled test photographs too, tested on the others" if labelled else ""
    intervals = {key: _mean_interval(rows, key) for key in INTERVALS}
    return Row(label, values, (math.nan,) * len(values), note, remark, intervals)


def _intervals(values: Sequence[float], figures: Mapping[str, Any]) -> dict[str, Interval]:
    """Intervals of one category's figures, which are means over seeds: how far so many test parts can tell."""
    n_normal, n_anomalous = figures.get("n_normal") or 0, figures.get("n_anomalous") or 0
    auroc, recall, false_reject = (values[PLACES[key]] for key in INTERVALS)
    return {
        "image_auroc": auroc_interval(auroc, n_anomalous, n_normal)
        if n_normal and n_anomalous
        else NO_INTERVAL,
        "recall": _share_interval(recall, n_anomalous),
        "false_reject": _share_interval(false_reject, n_normal),
    }


def _share_interval(share: float, n: int) -> Interval:
    return NO_INTERVAL if math.isnan(share) else binomial_interval(share * n, n)


def _mean_interval(rows: Sequence[Row], key: str) -> Interval:
    known = [row for row in rows if math.isfinite(row.value(key))]
    return mean_interval([row.value(key) for row in known], [row.interval(key) for row in known])


def _figure(result: CellResult, column: Column) -> float:
    value = (result.timings if column.timed else result.metrics).get(column.key)
    if isinstance(value, Mapping):  # a share of parts, with its counts
        value = value["rate"]
    return math.nan if value is None else float(value)
