"""Measure what comparing detectors together saves over fitting and evaluating each alone.

    python bench/comparison.py [FOLDER ...] [--detectors patchcore,padim,knn,cae] [--write]

Without folders the real sets screw and metal_plate are taken. Every run begins with an empty cache.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from measuring.command import Finished, run_blemish
from measuring.pages import MEASUREMENTS, ROOT, origin, table, write_block

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")


def alone(detector: str, folders: list[Path], work: Path) -> float:
    """Seconds of `blemish fit` and `blemish evaluate` on all folders."""
    seconds = 0.0
    for folder in folders:
        inspector = work / f"{detector}-{folder.name}.blemish"
        cache = work / f"cache-{detector}"
        fitted = run_blemish("fit", folder, "--out", inspector, "--detector", detector, "--json", cache=cache)
        evaluated = run_blemish("evaluate", inspector, folder, "--json", cache=cache, allowed=(0, 1))
        seconds += fitted.seconds + evaluated.seconds
    return seconds


def together(detectors: str, folders: list[Path], work: Path) -> Finished:
    """`blemish benchmark` of detectors on all folders."""
    out, cache = work / f"comparison-{detectors}", work / f"matrix-cache-{detectors}"
    given = (*folders, "--detectors", detectors, "--out", out, "--json")
    return run_blemish("benchmark", *given, cache=cache, allowed=(0, 1))


def main() -> None:
    """Measure, print, and with --write put the table into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Time of a comparison, together and alone.")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--detectors", default="patchcore,padim,knn,cae")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    folders = options.folders or [REAL_DATA / "screw", REAL_DATA / "metal_plate"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        matrix = together(options.detectors, folders, work)
        names = options.detectors.split(",")
        each = {name: (alone(name, folders, work), together(name, folders, work).seconds) for name in names}
    by_hand, by_matrix = (sum(seconds) for seconds in zip(*each.values(), strict=True))
    rows = [[f"`{name}` alone", *(f"{seconds:.0f}" for seconds in both)] for name, both in each.items()]
    rows.append(["sum of those alone", f"{by_hand:.0f}", f"{by_matrix:.0f}"])
    rows.append(["`blemish benchmark`, all together", f"{matrix.seconds:.0f}", f"{matrix.seconds:.0f}"])
    rows.append(["of the sum", f"{matrix.seconds / by_hand:.0%}", f"{matrix.seconds / by_matrix:.0%}"])
    reached = [
        [cell["detector"], cell["category"], f"{cell['metrics']['image_auroc']:.3f}"]
        for cell in matrix.document["cells"]
        if "metrics" in cell
    ]
    header = ("seconds", "fit and evaluate", "benchmark of one")
    shown = f"{table(header, rows)}\n\n{table(('detector', 'category', 'image AUROC'), reached)}"
    print(f"{shown}\n\n{origin()}")
    if options.write:
        write_block(MEASUREMENTS, "comparison", f"{shown}\n\n{origin()}")


if __name__ == "__main__":
    main()
