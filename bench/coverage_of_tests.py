"""Say how much of each floor the tests run, from what `make coverage` has measured.

python bench/coverage_of_tests.py [--write]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from measuring.pages import MEASUREMENTS, ROOT, origin, table, write_block

MEASURED = ROOT / "build" / "coverage" / "coverage.json"
HEADER = ("floor", "lines", "run by tests", "share")


def by_floor() -> list[list[str]]:
    """A row a floor, the whole package last.

    Raises:
        SystemExit: nothing has been measured.
    """
    if not MEASURED.is_file():
        sys.exit(f"{MEASURED} is not there: run `make coverage` first.")
    lines: Counter[str] = Counter()
    run: Counter[str] = Counter()
    for name, of_file in json.loads(MEASURED.read_text("utf-8"))["files"].items():
        below = name.replace("\\", "/").rpartition("src/blemish/")[2].split("/")
        for floor in (below[0] if len(below) > 1 else "the public face", "all"):
            lines[floor] += of_file["summary"]["num_statements"]
            run[floor] += of_file["summary"]["covered_lines"]
    floors = sorted((floor for floor in lines if lines[floor]), key=lambda floor: (floor == "all", floor))
    return [
        [floor, f"{lines[floor]}", f"{run[floor]}", f"{100 * run[floor] / lines[floor]:.1f} %"]
        for floor in floors
    ]


def main() -> None:
    """Print the table, and with --write put it into the page."""
    parser = argparse.ArgumentParser(description="Coverage of the tests, floor by floor.")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md")
    options = parser.parse_args()
    text = f"{table(HEADER, by_floor())}\n\n`make coverage`, then {origin()}"
    print(text)
    if options.write:
        write_block(MEASUREMENTS, "coverage", text)


if __name__ == "__main__":
    main()
