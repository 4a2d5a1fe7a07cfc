"""Measure every detector's image AUROC and time a photograph, and draw which ones no other beats in both.

    python bench/pareto.py [--sets washer,metal_plate,screw] [--detectors a,b] [--out FOLDER] [--write]

With --out an interrupted run goes on where it was. The AUROC is of `blemish benchmark` with all defaults; the times are
taken afterwards, a photograph by each inspector in turn, so that a busy machine is as busy for all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block
from measuring.pareto_chart import Measured, chart, front

from blemish.core.images import DEFAULT_LIMITS, list_images, read_content
from blemish.core.storage import write_text
from blemish.line.runtime import Inspector

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
PAGE, CHART = ROOT / "docs" / "performance.md", ROOT / "docs" / "images" / "pareto.svg"
ROUNDS = 15


def folders(names: str, work: Path) -> list[Path]:
    """A folder for each set: of the real data where it is there, else of the sample line."""
    found = []
    for name in names.split(","):
        real = REAL_DATA / name
        if not real.is_dir():
            run_blemish("sample", work / "line", "--category", name, "--json", cache=work)
        found.append(real if real.is_dir() else work / "line" / name)
    return found


def aurocs(document: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Image AUROC by detector and category."""
    found: dict[str, dict[str, float]] = {}
    for cell in document["cells"]:
        if "metrics" in cell:
            found.setdefault(cell["detector"], {})[cell["category"]] = cell["metrics"]["image_auroc"]
    return found


def times(inspectors: Mapping[str, Path], photographs: list[Path]) -> dict[str, float]:
    """Median milliseconds of a decoded photograph by detector, all of them in turn."""
    loaded = {name: Inspector.load(path) for name, path in inspectors.items()}
    taken: dict[str, list[float]] = {name: [] for name in loaded}
    for number, path in enumerate((photographs * ROUNDS)[:ROUNDS]):
        content = read_content(path, DEFAULT_LIMITS.max_bytes)
        for name, inspector in loaded.items():
            photograph = inspector.open_photograph(content, path.name)
            if number == 0:
                inspector.inspect_photograph(photograph)
            started = time.perf_counter()
            inspector.inspect_photograph(photograph)
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    """Measure, print, and with --write put table and chart into docs/performance.md."""
    parser = argparse.ArgumentParser(description="Accuracy against time of all detectors.")
    parser.add_argument(
        "--sets", default="washer,metal_plate,screw", help="real sets, or categories of the sample line"
    )
    parser.add_argument("--detectors", help="names with commas between; all when absent")
    parser.add_argument("--out", type=Path, help="keeps what is measured")
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = (options.out or Path(folder)).absolute()
        sets = folders(options.sets, work)
        listed = run_blemish("detectors", "--json", cache=work).document
        names = options.detectors or ",".join(info["name"] for info in listed)
        compared = work / "comparison"
        document = run_blemish(
            "benchmark", *sets, "--detectors", names, "--out", compared, "--json",
            cache=work / "cache", allowed=(0, 1),
        ).document  # fmt: skip
        reached = {name: found for name, found in aurocs(document).items() if len(found) == len(sets)}
        kept = {
            cell["detector"]: path
            for cell in document["cells"]
            if cell["category"] == sets[0].name and cell["detector"] in reached
            for path in compared.glob(f"cells/*-{cell['key'][:12]}/inspector.blemish")
        }
        taken = times(kept, list_images(sets[0] / "test")[:ROUNDS])
    points = [
        Measured(name, taken[name], sum(found.values()) / len(found))
        for name, found in reached.items()
        if name in taken
    ]
    best, fastest = front(points), min(one.milliseconds for one in points)
    rows = [
        [f"`{one.name}`", *(f"{reached[one.name][s.name]:.3f}" for s in sets), f"{one.auroc:.3f}",
         f"{one.milliseconds:.1f}", f"{one.milliseconds / fastest:.1f} x", "yes" if one in best else ""]
        for one in sorted(points, key=lambda one: -one.auroc)
    ]  # fmt: skip
    header = [
        "detector",
        *(s.name for s in sets),
        "mean image AUROC",
        "ms a photograph",
        "of the fastest",
        "on the front",
    ]
    shown = f"{table(header, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_text(CHART, chart(points))
        write_block(PAGE, "pareto", shown)


if __name__ == "__main__":
    main()
