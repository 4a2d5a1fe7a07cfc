"""How long a study of the classical detectors takes, and what each reaches on real photographs.

    python bench/study.py [FOLDER ...] [--write]

Without folders the real sets screw and metal_plate are taken. It begins with an empty cache and an empty folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, ROOT, origin, table, write_block

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")


def shown(value: float | None) -> str:
    """A figure for the table."""
    return "–" if value is None else f"{value:.3f}"


def rows(document: dict[str, Any]) -> list[list[str]]:
    """A row for each category and combination: test AUROC of every model, and the validation AUROC behind it."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in document["cells"]:
        row = found.setdefault((cell["category"], cell["combination"]), [])
        if "error" in cell:
            row.append("failed")
            continue
        tested = cell["test"] and cell["test"]["auroc"]
        row.append(f"{shown(tested)} ({shown(cell['chosen']['auroc'])})")
    return [[category, combination, *values] for (category, combination), values in found.items()]


def main() -> None:
    """Measure, print, and with --write put the table into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Time and accuracy of a study, as Markdown tables.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    folders = options.folders or [REAL_DATA / "screw", REAL_DATA / "metal_plate"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        command = ("study", *folders, "--out", work / "study", "--json")
        first = run_blemish(*command, cache=work / "cache", allowed=(0, 1))
        again = run_blemish(*command, cache=work / "cache", allowed=(0, 1))
    document = first.document
    trials = sum(len(cell.get("trials", ())) for cell in document["cells"])
    fitted = sum(cell.get("fitted", 0) for cell in document["cells"])
    summary = (
        f"{len(document['cells'])} cells, {trials} settings, {fitted} of them different, each on three folds, in "
        f"{first.seconds:.0f} s with at most {first.peak_mib:.0f} MiB; the same command again, with nothing to "
        f"measure, {again.seconds:.0f} s."
    )
    header = ("test AUROC (validation)", "features x split", *document["models"])
    text = f"{summary}\n\n{table(header, rows(document))}\n\n{origin()}"
    print(text)
    if options.write:
        write_block(MEASUREMENTS, "study", text)


if __name__ == "__main__":
    main()
