"""Measure whether the memory of a fit grows with the number of images.

    python bench/memory.py [--images 60] [--times 10] [--write]

All photographs are drawn anew (`blemish sample`), none is a copy of another.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from measuring.command import Finished, run_blemish
from measuring.pages import MEASUREMENTS, README, origin, table, write_block

HEADER = ("photographs of good parts", "fit, peak MiB", "fit, s", "size of the inspector, MB")


def measure(images: int, work: Path) -> Finished:
    """Draw so many good parts, and fit on them with all defaults."""
    sample = ("sample", work / f"{images}", "--category", "washer", "--train", images)
    run_blemish(*sample, "--good", 0, "--per-defect-type", 0, "--json", cache=work)
    category, out = work / f"{images}" / "washer", work / f"{images}.blemish"
    return run_blemish("fit", category, "--out", out, "--json", cache=work / f"cache-{images}")


def main() -> None:
    """Measure, print, and with --write put the table into the pages."""
    parser = argparse.ArgumentParser(description="Peak memory of a fit, as a Markdown table.")
    parser.add_argument("--images", type=int, default=60, help="in the smaller fit")
    parser.add_argument("--times", type=int, default=10, help="as many in the larger one")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md and README.md")
    options = parser.parse_args()
    rows, peaks = [], []
    for images in (options.images, options.images * options.times):
        with tempfile.TemporaryDirectory() as work:
            fit = measure(images, Path(work))
        peaks.append(fit.peak_mib)
        megabytes = fit.document["megabytes"]
        rows.append([str(images), f"{fit.peak_mib:.0f}", f"{fit.seconds:.0f}", f"{megabytes:.1f}"])
    growth = (
        f"With {options.times} times the photographs the peak of a fit is {peaks[1] / peaks[0]:.2f} times as high "
        f"({peaks[0]:.0f} and {peaks[1]:.0f} MiB)."
    )
    print(f"{table(HEADER, rows)}\n\n{growth}\n\n{origin()}")
    if options.write:
        write_block(MEASUREMENTS, "memory", f"{table(HEADER, rows)}\n\n{growth}\n\n{origin()}")
        write_block(README, "memory", f"{growth} {origin()}")


if __name__ == "__main__":
    main()
