"""Measure how rightly `classifier` names types of defects, and how often one that it never saw is none of these.

    python bench/defect_types.py [--size 256] [--category magnetic_tile --category screw]

Half of each type's labelled test photographs is learnt from, the other half judged. Then each type in turn is left out
of what is learnt: its judged photographs are of an unknown type. Sets that are absent are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from measuring.pages import ROOT, table

from blemish.data.catalog import Catalog
from blemish.data.categories import open_category
from blemish.detectors.registry import create_detector
from blemish.evaluation.evaluate import evaluate
from blemish.evaluation.rate import Rate
from blemish.evaluation.type_confusion import TypeConfusion
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.making.reading import learning_catalog

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
HEADER = (
    "category",
    "named rightly",
    "calibration error",
    "learnt type called none",
    "unknown type called none",
    "by type left out",
    "good reject called none",
)


def measure(catalog: Catalog, size: int, work: Path, left_out: str | None = None) -> TypeConfusion:
    """Learn from half of the labelled photographs, but for one type; what the other half was called."""
    detector = create_detector("classifier", classes="types", size=size)
    halves = learning_catalog(catalog, detector)
    rows = halves.table
    known = halves.subset(~((rows["split"] == "train") & (rows["defect_type"] == left_out)))
    build_inspector(known, work / "types.blemish", detector)
    inspector = Inspector.load(work / "types.blemish")
    learnt = inspector.manifest.detector.types
    judged = evaluate(
        inspector.inspect, halves, inspector.threshold, time_decoding=False, learnt_types=learnt
    )
    confusion = judged.type_confusion
    assert confusion is not None
    known = inspector.manifest.calibration.types
    print(
        f"{catalog.category} without {left_out}: {known}, {confusion.to_json()}", file=sys.stderr, flush=True
    )
    return confusion


def shown(rate: Rate) -> str:
    """A rate with its counts and interval."""
    low, high = rate.interval
    return f"{rate.value:.2f} ({rate.count} of {rate.n}; {low:.2f} to {high:.2f})" if rate.n else "-"


def row(catalog: Catalog, size: int, work: Path) -> list[str]:
    """One category's cells under `HEADER`."""
    all_known = measure(catalog, size, work)
    unknown = {name: measure(catalog, size, work, name).recognised_as_unknown for name in all_known.learnt}
    together = Rate(sum(one.count for one in unknown.values()), sum(one.n for one in unknown.values()))
    return [
        f"`{catalog.category}`",
        shown(all_known.accuracy),
        f"{all_known.calibration_error:.3f}",
        shown(all_known.doubted),
        shown(together),
        ", ".join(f"{name} {one.count} of {one.n}" for name, one in unknown.items()),
        shown(all_known.good_called_none),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="side of the photographs in pixels")
    parser.add_argument("--category", action="append", help="this one; repeat for more")
    options = parser.parse_args()
    rows = []
    for name in options.category or ("magnetic_tile", "screw"):
        if not (REAL_DATA / name).is_dir():
            print(f"{name} is absent from {REAL_DATA}: left out.")
            continue
        with tempfile.TemporaryDirectory() as work:
            rows.append(row(open_category(REAL_DATA / name, None), options.size, Path(work)))
    print(table(HEADER, rows))


if __name__ == "__main__":
    main()
