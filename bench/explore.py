"""Measure `blemish explore` on a root of several categories.

    python bench/explore.py [--images 1000] [--size 512] [--write]

The photographs are drawn anew (`blemish sample`), five categories of equal size; nothing is cached before.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, origin, table, write_block

CATEGORIES = ("brick", "grass", "washer", "label", "board")
HEADER = ("photographs", "categories", "side, pixels", "seconds", "peak MiB", "report, MB")
_GOOD, _PER_DEFECT_TYPE = 30, 5
_TEST = _GOOD + 6 * _PER_DEFECT_TYPE


def main() -> None:
    """Measure, print, and with --write put the table into docs/measurements.md."""
    parser = argparse.ArgumentParser(description="Time and memory of blemish explore, as a Markdown table.")
    parser.add_argument("--images", type=int, default=1000, help="photographs in all")
    parser.add_argument("--size", type=int, default=512, help="their side in pixels")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    train = options.images // len(CATEGORIES) - _TEST
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        chosen = [word for category in CATEGORIES for word in ("--category", category)]
        run_blemish(
            "sample", work / "line", *chosen, "--train", train, "--good", _GOOD,
            "--per-defect-type", _PER_DEFECT_TYPE, "--size", options.size, "--json", cache=work,
        )  # fmt: skip
        explored = run_blemish(
            "explore", work / "line", "--out", work / "out", "--json", cache=work / "cache"
        )
        megabytes = sum(page.stat().st_size for page in (work / "out").glob("*.html")) / 1e6
    count = len(CATEGORIES) * (train + _TEST)
    row = [
        str(count),
        str(len(CATEGORIES)),
        str(options.size),
        f"{explored.seconds:.0f}",
        f"{explored.peak_mib:.0f}",
    ]
    shown = f"{table(HEADER, [[*row, f'{megabytes:.1f}']])}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(MEASUREMENTS, "explore", shown)


if __name__ == "__main__":
    main()
