"""What it costs to understand a folder before anything is learnt: listing, opening, a glance, and a check.

    python bench/folders.py [../shared/data/metal_plate ../shared/data/screw] [--write]

Best of five each. The sets of 3,000 and 20,000 photographs are drawn: small pictures in the layout that is named.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.pictures import encoded
from blemish.data.catalog import open_catalog
from blemish.data.checks import check_catalog, glance_at_catalog
from blemish.line.photographs import find_photographs

PAGE = ROOT / "docs" / "decisions" / "0032-a-guess-is-no-answer.md"
TIMES = 5


def seconds(act: Callable[[], object], times: int = TIMES) -> str:
    """The shortest of several times."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        found.append(time.perf_counter() - started)
    return f"{min(found):.2f} s"


def draw_many(folder: Path, count: int, folders: int) -> None:
    """Photographs in several folders: links to a few files, as only their names and first bytes are looked at."""
    drawn = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    (folder / "0").mkdir(parents=True)
    first = folder / "0" / "0.png"
    first.write_bytes(encoded(drawn, ".png"))
    for number in range(1, count):
        place = folder / str(number % folders)
        place.mkdir(exist_ok=True)
        (place / f"{number}.png").hardlink_to(first)


def draw_with_masks(folder: Path, count: int) -> None:
    """Photographs of KolektorSDD2's size with their masks beside them, one in ten defective."""
    random = np.random.default_rng(0)
    photograph = cv2.GaussianBlur(random.integers(0, 255, (630, 230, 3), np.uint8), (0, 0), 3)
    mask = np.zeros((630, 230, 3), np.uint8)
    marked = mask.copy()
    marked[300:340, 60:120] = 255
    files = [encoded(one, ".png") for one in (photograph, mask, marked)]
    for number in range(count):
        place = folder / ("train" if number < 0.7 * count else "test")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{20000 + number}.png").write_bytes(files[0])
        (place / f"{20000 + number}_GT.png").write_bytes(files[2 if number % 10 == 9 else 1])


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="folders of one category each")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    rows = []
    for root in options.data:
        catalog = open_catalog(root)
        held = f"{root.name}, {len(catalog):,} photographs"
        rows.append((held, "opened", seconds(lambda root=root: open_catalog(root))))
        rows.append((held, "glance of `fit`", seconds(lambda one=catalog: glance_at_catalog(one))))
        rows.append((held, "`blemish check`", seconds(lambda one=catalog: check_catalog(one), 2)))
    with tempfile.TemporaryDirectory() as work:
        many, masks = Path(work) / "many", Path(work) / "masks"
        draw_many(many, 20_000, 20)
        rows.append(
            ("20,000 in 20 folders", "listed by `inspect`", seconds(lambda: find_photographs([many])))
        )
        shutil.rmtree(many)
        draw_with_masks(masks, 3000)
        held = "3,000 with masks, as KolektorSDD2"
        rows.append((held, "opened, each mask decoded", seconds(lambda: open_catalog(masks))))
    shown = f"{table(('folder', 'what', 'time'), rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "folders", shown)


if __name__ == "__main__":
    main()
