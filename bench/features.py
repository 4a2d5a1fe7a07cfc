"""Measure the handcrafted features: milliseconds a photograph, in all and by group, on one core.

    python bench/features.py [--size 1024] [--repeats 15] [--write]

Photographs of the sample line, drawn anew, and pure noise, the worst that can come: all edges and objects.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything that counts threads is imported

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import MEASUREMENTS, origin, table, write_block

from blemish.core.images import read_image
from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.line.handcrafted import feature_groups, handcrafted_features
from blemish.line.rows import raw_pixels

CATEGORIES = ("washer", "brick", "board")


def photographs(size: int) -> dict[str, ByteArray]:
    """One photograph of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = write_sample_line(Path(folder), CATEGORIES, train=1, good=1, per_defect_type=1, size=size)
        found = {place.name: read_image(open_catalog(place).train_normal()[0]) for place in drawn}
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return {**found, "noise": noise}


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time, after one call to warm up."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times[1:]))


def main() -> None:
    """Measure, print, and with --write put the table into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Time of the handcrafted features, as a Markdown table.")
    parser.add_argument("--size", type=int, default=1024, help="side of the photographs in pixels")
    parser.add_argument("--repeats", type=int, default=15, help="measurements of which the median is shown")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    images = photographs(options.size)
    columns: list[dict[str, float]] = []
    for image in images.values():
        whole = milliseconds(lambda image=image: handcrafted_features(image), options.repeats)
        by_group = {
            name: milliseconds(group, options.repeats) for name, group in feature_groups(image).items()
        }
        raw = milliseconds(lambda image=image: raw_pixels(image), options.repeats)
        columns.append({"all groups": whole, **by_group, "raw pixels, an option": raw})
    rows = [[name, *(f"{column[name]:.1f}" for column in columns)] for name in columns[0]]
    shown = f"{table(('ms a photograph', *images), rows)}\n\n"
    shown += f"Photographs of {options.size} x {options.size} pixels, decoded, on one core.\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(MEASUREMENTS, "features", shown)


if __name__ == "__main__":
    main()
