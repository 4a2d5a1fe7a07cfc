"""Blemish beside anomalib in one run: fit, memory, file to verdict, AUROC, start and size, on the same everything.

    python bench/peers/compare.py [--sets metal_plate,screw] [--resume] [--write]
    python bench/peers/compare.py --sets magnetic_tile --quick [--resume] [--write] --block peers-of-tiles

anomalib runs in an environment of its own, which is made first (bench/peers/environment.py). Both sides take turns.
What is done is kept below the user's cache, and `--resume` goes on from there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from environment import CACHE, peer_python
from measuring.pages import ROOT, origin, write_block
from report import report
from steps import Comparison

PAGE = ROOT / "docs" / "performance.md"
REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
LARGE = (("resnet18", 8), ("wide_resnet50_2", 20))
"""Backbones with random weights, and photographs whose patches, 1,024 each, are the bank, all of them."""


def categories(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The sets that are there; one that is absent is said."""
    for name in options.sets.split(","):
        if (options.data / name / "train").is_dir():
            yield name, options.data / name
        else:
            print(f"{name} is absent from {options.data}: skipped.", file=sys.stderr)


def measured_set(comparison: Comparison, name: str, data: Path, known: dict[str, Any]) -> dict[str, Any]:
    """All that is compared on one set."""
    fits = comparison.finished_fits(name, data)
    found: dict[str, Any] = {"known": known, "fits": fits}
    if "failed" in fits:
        return found
    listed, inspectors = known["list"], fits["inspectors"]
    found["lots"] = comparison.kept(
        f"{name}-lots",
        lambda: comparison.latency(inspectors["equal"], fits["anomalib"][-1]["model"], name, known),
    )
    found["auroc"] = comparison.kept(f"{name}-auroc", lambda: comparison.aurocs(name, data, fits, listed))
    found["direct"] = {
        which: comparison.kept(f"{name}-direct-{which}", lambda of=of: comparison.direct(of, listed))
        for which, of in inspectors.items()
    }
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All that is compared."""
    comparison = Comparison(options, peer_python(options.environment))
    found: dict[str, Any] = {"sets": {}, "banks": {}, "sizes": {}, "starts": {}}
    if not options.quick:
        found["sizes"] = comparison.kept("sizes", comparison.sizes)
        found["starts"] = comparison.kept("starts", comparison.starts)
    for name, data in categories(options):
        known = comparison.prepared(name, data)
        found["sets"][name] = measured_set(comparison, name, data, known)
        if options.quick or found["banks"]:
            continue
        for backbone, count in LARGE:  # on the first set alone: what is in the bank does not matter
            found["banks"][backbone] = comparison.kept(
                f"bank-{backbone}",
                lambda one=(backbone, count, data, known): comparison.whole_bank(*one),
            )
    return found


def main() -> None:
    """Measure, print, and with --write put the tables into the page."""
    parser = argparse.ArgumentParser(description="Blemish beside anomalib, as Markdown tables.")
    parser.add_argument(
        "--sets", default="metal_plate", help="names in the data's folder, with commas between"
    )
    parser.add_argument("--data", type=Path, default=REAL_DATA, help="folder of sets in the MVTec AD layout")
    parser.add_argument(
        "--environment", type=Path, default=CACHE / "anomalib", help="folder of the peer's environment"
    )
    parser.add_argument("--runs", type=int, default=1, help="fits of each side, of which the median counts")
    parser.add_argument(
        "--shares", default="0.1,0.01", help="of the coreset; the next where one does not end in time"
    )
    parser.add_argument("--turns", type=int, default=5, help="lots of 8 photographs by each runtime")
    parser.add_argument(
        "--limit", type=float, default=1800, help="seconds of one step, after which it is given up"
    )
    parser.add_argument(
        "--quick", action="store_true", help="the sets alone: no large backbones, starts or sizes"
    )
    parser.add_argument("--resume", action="store_true", help="take what an earlier run has measured")
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    parser.add_argument("--block", default="peers", help="place in docs/performance.md that --write fills")
    options = parser.parse_args()
    shown = f"{report(measure(options))}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, options.block, shown)


if __name__ == "__main__":
    main()
