"""What augmentation is worth, without a single test image.

    python bench/augmentation.py ../shared/data/metal_plate ../shared/data/screw [--detectors knn,padim] [--write]

Of at most 60 good training photographs a quarter is held out; into each of these three defects are painted. A detector
learns from the others with each value of `augment`; the table is the AUROC of painted defects against the photographs
held out, of which "auto" has seen none either: it chooses among those that are learnt from.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.folds import held_out_positions
from blemish.data.catalog import Catalog
from blemish.data.categories import open_category
from blemish.data.entries import NORMAL, TRAIN
from blemish.data.painted_images import painted_images
from blemish.data.sample_line import write_sample_line
from blemish.detectors.augmentation import AUTO, NONE, TRIED
from blemish.detectors.registry import create_detector
from blemish.evaluation.metrics import image_auroc

PAGE = ROOT / "docs" / "decisions" / "0027-augmentation-is-off.md"
MOST, SHARE, PAINTED, SEED = 60, 0.25, 3, 11


def parted(catalog: Catalog) -> tuple[Catalog, list[Path]]:
    """What is learnt from, and the good photographs held out."""
    table = catalog.table
    good = np.flatnonzero(((table["split"] == TRAIN) & (table["label"] == NORMAL)).to_numpy())
    drawn = np.random.default_rng(SEED).permutation(good)[:MOST]
    held_out = drawn[held_out_positions(len(drawn), SHARE, SEED)]
    paths = [Path(path) for path in table["path"].iloc[held_out]]
    return catalog.subset(np.setdiff1d(drawn, held_out)), paths


def measure(name: str, size: int, learnt: Catalog, good: list[Path], painted: list[Path]) -> list[str]:
    """A row: the AUROC with each value of `augment`, and what was chosen."""
    labels, cells, chosen = np.repeat([False, True], [len(good), len(painted)]), [], {}
    for augment in (NONE, *TRIED, AUTO):
        detector = create_detector(name, size=size, augment=augment).fit(learnt)
        scores = [prediction.score for prediction in detector.predict([*good, *painted])]
        cells.append(f"{image_auroc(labels, np.array(scores)):.3f}")
        chosen = detector.chosen()
    return [*cells[:-1], f"{cells[-1]} ({chosen['augment']})"]


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="folders of one category each")
    parser.add_argument("--sample", default="", help="categories of the sample line, with commas between")
    parser.add_argument("--detectors", default="knn,padim")
    parser.add_argument("--size", type=int, default=256, help="side in pixels at which photographs are read")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        line = []
        if options.sample:
            names = options.sample.split(",")
            line = write_sample_line(
                Path(folder) / "line", names, train=MOST, good=1, per_defect_type=1, seed=SEED
            )
        for root in (*options.data, *line):
            learnt, good = parted(open_category(root, None))
            painted = [
                one.path
                for number in range(PAINTED)
                for one in painted_images(good, Path(folder) / root.name / str(number), seed=SEED + number)
            ]
            for name in options.detectors.split(","):
                rows.append((root.name, f"`{name}`", *measure(name, options.size, learnt, good, painted)))
                print(*rows[-1], sep="  ", flush=True)
    shown = f"{table(('category', 'detector', NONE, *TRIED, AUTO), rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "augmentation", shown)


if __name__ == "__main__":
    main()
