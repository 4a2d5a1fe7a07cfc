"""Measure how right the defaults are: `blemish fit` and `blemish evaluate` on every category of a folder.

    python bench/accuracy.py [FOLDER] [--category NAME ...] [--write] [--block NAME]

FOLDER holds categories in the MVTec AD layout. What is absent is skipped and said. A block of another name than the
usual one is written into docs/measurements.md alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, README, ROOT, origin, table, write_block

REAL_DATA = os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data"
HEADER = (
    "category",
    "learnt from",
    "tested on (good + defective)",
    "image AUROC (95 % interval)",
    "pixel AUROC",
    "AUPRO",
    "max F1",
    "recall at the threshold",
    "good parts rejected (95 % interval)",
    "fit, s",
    "fit, peak MiB",
)
BLOCK = "accuracy"
"""Of figures that README shows too."""

SHORT = (0, 1, 2, 3, 4, 5, 7, 8, 9)
"""Columns that README shows."""


def measure(category: Path, work: Path) -> dict[str, Any]:
    """Fit and evaluate one category with all defaults; what both said, with time and memory of the fit."""
    inspector = work / f"{category.name}.blemish"
    fit = run_blemish("fit", category, "--out", inspector, "--json", cache=work / category.name)
    # Status 1: a photograph could not be read; the document says which.
    evaluated = run_blemish("evaluate", inspector, category, "--json", cache=work, allowed=(0, 1))
    return {
        "fit": fit.document,
        "fit_seconds": fit.seconds,
        "fit_peak_mib": fit.peak_mib,
        "evaluation": evaluated.document,
    }


def row(measured: dict[str, Any]) -> list[str]:
    """One category's cells under `HEADER`."""
    evaluation = measured["evaluation"]
    rejects = evaluation["false_reject"]
    return [
        evaluation["category"],
        str(measured["fit"]["n_train"]),
        f"{evaluation['n_normal']} + {evaluation['n_anomalous']}",
        f"{figure(evaluation['image_auroc'])} ({interval(evaluation['image_auroc_interval'])})",
        figure(evaluation["pixel_auroc"]),
        figure(evaluation["aupro"]),
        figure(evaluation["image_f1"]),
        figure(evaluation["recall"]),
        f"{rejects['count']} of {rejects['n']} ({interval(rejects['interval'])})",
        f"{measured['fit_seconds']:.0f}",
        f"{measured['fit_peak_mib']:.0f}",
    ]


def figure(value: float | None) -> str:
    """A figure with three decimals, or a dash where it is undefined."""
    return "-" if value is None else f"{value:.3f}"


def interval(values: list[float | None]) -> str:
    """Both ends of an interval."""
    return " to ".join(map(figure, values))


def categories_of(folder: Path, wanted: list[str]) -> list[Path]:
    """The categories to measure; a wanted one that is absent is said and left out."""
    present = sorted(path.parent for path in folder.glob("*/train"))
    for name in wanted:
        if folder / name not in present:
            print(f"{name} is absent from {folder}: skipped.")
    if not present:
        print(f"There is no category in {folder}: nothing to measure.")
    return [path for path in present if not wanted or path.name in wanted]


def main() -> None:
    """Measure, print, and with --write put the table into the pages."""
    parser = argparse.ArgumentParser(description="Accuracy of the defaults, as a Markdown table.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(REAL_DATA))
    parser.add_argument("--category", action="append", default=[], help="only this one (repeat for more)")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md and README.md")
    parser.add_argument("--block", default=BLOCK, help="the figures that are written")
    options = parser.parse_args()
    rows = []
    for category in categories_of(options.folder, options.category):
        with tempfile.TemporaryDirectory() as work:
            rows.append(row(measure(category, Path(work))))
        print(table(HEADER, rows[-1:]), flush=True)
    if not rows:
        return
    print(f"\n{table(HEADER, rows)}\n\n{origin()}")
    if not options.write:
        return
    write_block(MEASUREMENTS, options.block, f"{table(HEADER, rows)}\n\n{origin()}")
    if options.block == BLOCK:
        header, *shortened = [[cells[column] for column in SHORT] for cells in (HEADER, *rows)]
        short = table(header, shortened)
        write_block(README, BLOCK, f"{short}\n\n{origin()}")


if __name__ == "__main__":
    main()
