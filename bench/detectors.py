"""Measure every detector with its defaults on categories of the sample line.

    python bench/detectors.py [--category washer --category grass] [--detectors a,b] [--out FOLDER] [--write]

With --out an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block

CATEGORIES = ("washer", "grass")
PAGE = ROOT / "docs" / "detectors.md"


def rows(document: dict[str, Any], categories: list[str]) -> list[list[str]]:
    """A row for each detector, the best mean image AUROC first."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for cell in document["cells"]:
        found.setdefault(cell["detector"], {})[cell["category"]] = cell

    def mean(detector: str) -> float:
        reached = [cell["metrics"]["image_auroc"] for cell in found[detector].values() if "metrics" in cell]
        return sum(reached) / max(1, len(reached))

    made = []
    for detector in sorted(found, key=mean, reverse=True):
        cells = []
        for category in categories:
            cell = found[detector][category]
            metrics = cell.get("metrics", {})
            cells += [figure(metrics.get("image_auroc")), figure(metrics.get("pixel_auroc"))]
        made.append([f"`{detector}`", *cells])
    return made


def figure(value: float | None) -> str:
    """Three digits, or a dash."""
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Measure, print, and with --write put the table into docs/detectors.md."""
    parser = argparse.ArgumentParser(description="Every detector on the sample line, as a Markdown table.")
    parser.add_argument("--category", action="append", help="of the sample line; repeat for more")
    parser.add_argument("--detectors", help="names with commas between; all when absent")
    parser.add_argument("--out", type=Path, help="keeps what is measured")
    parser.add_argument("--write", action="store_true", help="write into docs/detectors.md")
    options = parser.parse_args()
    categories = options.category or list(CATEGORIES)
    with tempfile.TemporaryDirectory() as folder:
        work = (options.out or Path(folder)).absolute()
        listed = run_blemish("detectors", "--json", cache=work).document
        names = options.detectors or ",".join(info["name"] for info in listed)
        chosen = [word for category in categories for word in ("--category", category)]
        run_blemish("sample", work / "line", *chosen, "--json", cache=work)
        document = run_blemish(
            "benchmark", *(work / "line" / category for category in categories), "--detectors", names,
            "--out", work / "comparison", "--json", cache=work / "cache", allowed=(0, 1),
        ).document  # fmt: skip
    header = ["detector", *(f"{c}, {kind} AUROC" for c in categories for kind in ("image", "pixel"))]
    shown = f"{table(header, rows(document, categories))}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "sample line", shown)


if __name__ == "__main__":
    main()
