"""The table of a comparison: detectors by category, their mean, and which is best in each column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blemish.core.json_values import number_or_none
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
    """

    key: str
    title: str
    digits: int = 3
    higher: bool = True
    timed: bool = False

    def shown(self, value: float) -> str:
        """A value as the table shows it."""
        return "–" if math.isnan(value) else f"{value:.{self.digits}f}"


COLUMNS = (
    Column("image_auroc", "Image AUROC"),
    Column("pixel_auroc", "Pixel AUROC"),
    Column("f1", "F1"),
    Column("precision", "Precision"),
    Column("recall", "Recall"),
    Column("accuracy", "Accuracy"),
    Column("pixel_f1", "Pixel F1"),
    Column("aupro", "AUPRO"),
    Column("iou", "IoU"),
    Column("fit_seconds", "Fit, s", 1, higher=False, timed=True),
    Column("ms", "ms an image", 1, higher=False, timed=True),
    Column("megabytes", "MB", 1, higher=False),
)


@dataclass(frozen=True)
class Row:
    """A detector on one category, or its mean over all.

    Attributes:
        label: the detector.
        values: of each column, the mean over seeds; nan where undefined.
        spreads: standard deviation over seeds (n - 1); nan with a single one.
        note: why there are no values, or what they leave out; empty if nothing is missing.
        remark: what else a reader must know to compare it; empty if nothing.
    """

    label: str
    values: tuple[float, ...]
    spreads: tuple[float, ...]
    note: str = ""
    remark: str = ""


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
        """For each column the rows whose shown value is the best; none where all that are compared are alike."""
        found = []
        for number, column in enumerate(COLUMNS):
            known = {
                place: float(column.shown(row.values[number]))
                for place, row in self.compared().items()
                if not math.isnan(row.values[number])
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
    return Row(label, tuple(values.mean(axis=0).tolist()), tuple(spreads.tolist()), note, remark)


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
    return Row(label, values, (math.nan,) * len(values), note, remark)


def _figure(result: CellResult, column: Column) -> float:
    value = (result.timings if column.timed else result.metrics).get(column.key)
    return math.nan if value is None else float(value)
