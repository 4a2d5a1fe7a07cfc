"""The plan in numbers: what 100 lines, and an archive of 10^8 photographs, need; from figures that were measured here.

    python bench/capacity.py [--write]

Run bench/scale_out.py, bench/large_history.py and bench/large_gallery.py with --write first. Seconds, no measurement.
"""

from __future__ import annotations

import argparse
import math
import sys

from measuring.pages import ROOT, origin, table, write_block
from measuring.scale_figures import recalled

LINES, PARTS_A_SECOND = 100, 10
ARCHIVE = 10**8
PROCESSORS_A_NODE = 16
BUSY = 0.6
"""Share of a processor that is planned for: queues grow without bound towards 1."""

DEFECTS = 0.01
"""Share of parts that the gallery takes in."""

DAY = 86_400
LARGEST_HISTORY, LARGEST_COLLECTION = 10**7, 10**6
"""Rows and vectors that were measured on one node, and that a plan relies on."""


def count(value: float) -> str:
    """A whole number, rounded up, with separators."""
    return f"{math.ceil(value):,}"


def size(value: float) -> str:
    """Bytes as a person says them."""
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    power = min(len(units) - 1, int(math.log10(max(1.0, value)) // 3))
    return f"{value / 1000**power:.3g} {units[power]}"


def of_lines(ray: dict[str, float], history: dict[str, float], gallery: dict[str, float]) -> list[list[str]]:
    """Rows of the table of lines that run day and night."""
    rate = LINES * PARTS_A_SECOND
    processors = rate / (BUSY * ray["photographs_a_second"])
    a_day = rate * DAY
    row = history["row_bytes"] + history["index_bytes"]
    vectors = DEFECTS * a_day * 30
    return [
        ["photographs a second, in all", count(rate)],
        [f"processors, {BUSY:.0%} busy, and nodes of {PROCESSORS_A_NODE}",
         f"{count(processors)}, {count(processors / PROCESSORS_A_NODE)}"],
        ["processors of one line's own PC", count(PARTS_A_SECOND / (BUSY * ray["photographs_a_second"]))],
        ["rows of one line a day; days until 10^7",
         f"{count(PARTS_A_SECOND * DAY)}; {LARGEST_HISTORY / (PARTS_A_SECOND * DAY):.1f}"],
        ["bytes of PostgreSQL a day, one line; all", f"{size(PARTS_A_SECOND * DAY * row)}; {size(a_day * row)}"],
        ["rows a second into one PostgreSQL, eight a commit, measured", count(history["rows_a_second"])],
        [f"of such PostgreSQLs, {BUSY:.0%} busy; lines on each",
         f"{count(rate / (BUSY * history['rows_a_second']))}; "
         f"{BUSY * history['rows_a_second'] / PARTS_A_SECOND:.0f}"],
        ["histories if none holds more than 10^7 rows of 30 days", count(30 * a_day / LARGEST_HISTORY)],
        [f"vectors of 30 days at {DEFECTS:.0%} defects; collections of 10^6",
         f"{count(vectors)}; {count(vectors / LARGEST_COLLECTION)}"],
        ["memory; disk of these vectors (Qdrant Edge)",
         f"{size(vectors * gallery['memory_bytes'])}; {size(vectors * gallery['disk_bytes'])}"],
    ]  # fmt: skip


def of_archive(ray: dict[str, float], gallery: dict[str, float]) -> list[list[str]]:
    """Rows of the table of an archive that is judged once."""
    rate = ray["photographs_a_second"]
    vectors = DEFECTS * ARCHIVE
    rows = [
        [f"hours on {nodes} x {PROCESSORS_A_NODE} processors",
         f"{ARCHIVE / (nodes * PROCESSORS_A_NODE * rate) / 3600:.3g}"]
        for nodes in (1, 10, 100)
    ]  # fmt: skip
    return [
        *rows,
        ["photographs in the store, each as those measured", size(ARCHIVE * ray["photograph_bytes"])],
        ["read from the store by 10 nodes, a second",
         size(10 * PROCESSORS_A_NODE * rate * ray["photograph_bytes"])],
        ["results in Parquet", size(ARCHIVE * ray["parquet_bytes"])],
        ["runs, of 10^6 photographs each", count(ARCHIVE / 10**6)],
        [f"vectors at {DEFECTS:.0%} defects; their memory; disk",
         f"{count(vectors)}; {size(vectors * gallery['memory_bytes'])}; {size(vectors * gallery['disk_bytes'])}"],
    ]  # fmt: skip


def main() -> None:
    """Compute, print, and with --write put the tables into docs/scale.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    known = recalled()
    missing = {"ray", "history", "gallery"} - known.keys()
    if missing:
        sys.exit(f"Not measured yet: {', '.join(sorted(missing))}. Run their scripts with --write first.")
    lines = table(
        (f"{LINES} lines, {PARTS_A_SECOND} parts a second each", ""),
        of_lines(known["ray"], known["history"], known["gallery"]),
    )
    archive = table(
        (f"an archive of {ARCHIVE:,} photographs", ""), of_archive(known["ray"], known["gallery"])
    )
    measured = ", ".join(
        f"{name} {key.replace('_', ' ')} {value:g}" for name, of in known.items() for key, value in of.items()
    )
    text = "\n\n".join((lines, archive, f"Computed from: {measured}.", origin()))
    print(text)
    if given.write:
        write_block(ROOT / "docs" / "scale.md", "capacity", text)


if __name__ == "__main__":
    main()
