"""Trays of washers, judged whole and one by one: figures and the picture of docs/view-parts.md.

    python bench/parts.py [--write]

20 drawn photographs of four to six good washers are learnt from; 10 of good ones, and 24 of six washers one of which is
damaged, are judged. Threshold and scores are per photograph in every row; times are the processor's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.pictures import encoded
from blemish.core.storage import write_bytes
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.defect_files import write_image, write_mask
from blemish.data.drawn_trays import render_tray
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.detectors.registry import create_detector
from blemish.evaluation.evaluate import evaluate
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector

PAGE, PICTURE = ROOT / "docs" / "view-parts.md", ROOT / "docs" / "images" / "view-parts.jpg"
ROWS, COLUMNS, CELL, SIZE = 2, 3, 128, 160
LEARNT, GOOD, OF_TYPE = 20, 10, 4
SHOWN = ("missing_piece", 0)


def write_trays(root: Path) -> Catalog:
    """Photographs of trays, drawn from fixed seeds."""
    for number in range(LEARNT):
        rng = np.random.default_rng([1, number])
        taken = sorted(rng.permutation(ROWS * COLUMNS)[: rng.integers(4, 7)].tolist())
        write_image(
            root / "train" / "good" / f"{number:03d}.png", render_tray(rng, ROWS, COLUMNS, CELL, taken).image
        )
    for number in range(GOOD):
        tray = render_tray(np.random.default_rng([2, number]), ROWS, COLUMNS, CELL)
        write_image(root / "test" / "good" / f"{number:03d}.png", tray.image)
    for kind, defect in enumerate(DEFECT_PAINTERS):
        for number in range(OF_TYPE):
            tray = render_tray(np.random.default_rng([3, kind, number]), ROWS, COLUMNS, CELL, defect=defect)
            write_image(root / "test" / defect / f"{number:03d}.png", tray.image)
            write_mask(root / "ground_truth" / defect / f"{number:03d}_mask.png", tray.mask)
    return open_catalog(root)


def measured(catalog: Catalog, detector: str, size: int, parts: str, path: Path) -> list[str]:
    """A row of the table; the inspector is left at `path`."""
    started = time.process_time()
    build_inspector(catalog, path, create_detector(detector, size=size, parts=parts))
    fitted = time.process_time() - started
    inspector = Inspector.load(path)
    inspector.warm_up()
    started = time.process_time()
    found = evaluate(
        inspector.inspect,
        catalog,
        inspector.threshold,
        pixel_threshold=inspector.pixel_threshold,
        time_decoding=False,
    )
    milliseconds = 1e3 * (time.process_time() - started) / len(found.images)
    said = found.to_json()
    figures = [f"{said[name]:.3f}" for name in ("image_auroc", "recall", "pixel_auroc", "aupro")]
    return [f"{detector}, {size} px, `{parts}`", *figures, f"{milliseconds:.0f}", f"{fitted:.0f}"]


def main() -> None:
    """Draw, fit, judge, and show."""
    parser = argparse.ArgumentParser(description="Several parts in one photograph.")
    parser.add_argument(
        "--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} and its picture"
    )
    parser.add_argument(
        "--detector", action="append", help="of which to measure; padim and patchcore if absent"
    )
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        catalog = write_trays(work / "trays")
        for detector in asked.detector or ("padim", "patchcore"):
            for parts in ("one", "auto", f"grid:{ROWS}x{COLUMNS}"):
                rows.append(
                    measured(catalog, detector, SIZE, parts, work / f"{detector}-{parts[:4]}.blemish")
                )
                print(rows[-1], flush=True)
        kind, number = SHOWN
        shown = work / "trays" / "test" / kind / f"{number:03d}.png"
        overlays = [
            Inspector.load(work / f"{detector}-{parts}.blemish").inspect(shown).overlay_pixels()
            for parts in ("one", "auto")
        ]
    picture = np.concatenate(
        [overlays[0], np.full((24, overlays[0].shape[1], 3), 255, np.uint8), overlays[1]]
    )
    out = PICTURE if asked.write else ROOT / "runs" / PICTURE.name
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, encoded(np.ascontiguousarray(picture), ".jpg", 88))
    header = ("detector, size, `parts`", "AUROC", "recall", "pixel AUROC", "AUPRO", "CPU ms", "fit CPU s")
    text = f"{table(header, rows)}\n\n{origin()}"
    print(text)
    if asked.write:
        write_block(PAGE, "parts", text)


if __name__ == "__main__":
    main()
