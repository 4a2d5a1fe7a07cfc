"""Measure learned detectors on the real sets: `blemish fit` and `blemish evaluate`, all defaults.

    python bench/learned.py [--keep FOLDER] [--write]

With --keep what was measured before is not measured again. Sets that are absent are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, ROOT, origin, table, write_block

from blemish.core.storage import write_json

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
CASES = (
    *(
        (detector, name, ())
        for detector in ("knn", "padim", "student-teacher", "feature-autoencoder")
        for name in ("screw", "metal_plate")
    ),
    ("unet", "magnetic_tile", ("--synthetic",)),
    ("supersimplenet", "magnetic_tile", ()),
)
HEADER = (
    "detector",
    "category",
    "image AUROC (95 % interval)",
    "pixel AUROC",
    "AUPRO",
    "fit, s",
    "fit, peak MiB",
)


def measure(detector: str, category: Path, options: tuple[str, ...], work: Path) -> dict[str, Any]:
    """What fitting and evaluating a detector said, with time and memory of the fit."""
    inspector = work / f"{detector}.blemish"
    fit = run_blemish(
        "fit", category, "--out", inspector, "--detector", detector, *options, "--json", cache=work / "cache"
    )
    evaluated = run_blemish("evaluate", inspector, category, "--json", cache=work / "cache", allowed=(0, 1))
    return {"seconds": fit.seconds, "peak_mib": fit.peak_mib, "evaluation": evaluated.document}


def row(detector: str, options: tuple[str, ...], measured: dict[str, Any]) -> list[str]:
    """One case's cells under `HEADER`."""
    evaluation = measured["evaluation"]
    low, high = evaluation["image_auroc_interval"]
    return [
        " ".join((f"`{detector}`", *options)),
        evaluation["category"],
        f"{evaluation['image_auroc']:.3f} ({low:.3f} to {high:.3f})",
        f"{evaluation['pixel_auroc']:.3f}",
        f"{evaluation['aupro']:.3f}",
        f"{measured['seconds']:.0f}",
        f"{measured['peak_mib']:.0f}",
    ]


def main() -> None:
    """Measure, print, and with --write put the table into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Learned detectors on real sets, as a Markdown table.")
    parser.add_argument("--keep", type=Path, help="folder of what was measured before")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    rows = []
    for detector, name, extra in CASES:
        if not (REAL_DATA / name).is_dir():
            print(f"{name} is absent from {REAL_DATA}: left out.")
            continue
        kept = options.keep and options.keep / f"{detector}-{name}.json"
        if kept and kept.exists():
            measured = json.loads(kept.read_text("utf-8"))
        else:
            with tempfile.TemporaryDirectory() as work:
                measured = measure(detector, REAL_DATA / name, extra, Path(work))
            if kept:
                write_json(kept, measured)
        rows.append(row(detector, extra, measured))
        print(*rows[-1], sep="  ", flush=True)
    shown = f"{table(HEADER, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(MEASUREMENTS, "learned", shown)


if __name__ == "__main__":
    main()
