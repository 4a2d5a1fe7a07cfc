"""What the supervised detectors reach on held-out labelled parts: overlap of masks, accuracy, the pointing game.

    python bench/supervised.py                        both on the sample line
    python bench/supervised.py --categories washer    on one category of it
    python bench/supervised.py --elpv                 the classifier on solar cells too (pip install elpv-dataset)
    python bench/supervised.py --elpv --write         the table in docs/detectors.md
    python bench/supervised.py --presets default,fine-tuned    the classifier with these presets

Three quarters of the photographs are learnt from, stratified by defect type, good ones too, so that the others are
mixed as all are; all figures are of the others. For the solar cells that is the split of Deitsch et al., "Automatic
classification of defective photovoltaic module cells in electroluminescence images", Solar Energy 2019. Of the sample
line half the photographs are good.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from measuring.pages import ROOT, origin, table, write_block

import blemish  # noqa: F401  (before torch: it says how its threads wait)
from blemish.core.images import read_mask
from blemish.core.types import BoolArray, FloatArray
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.elpv import get_elpv
from blemish.data.entries import NORMAL, TEST, TRAIN
from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
from blemish.data.splits import supervised_split
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.segmentation_examples import shrunken_mask

PAGE = ROOT / "docs" / "detectors.md"
SHARE = 0.75
DEFAULT = "default"
HEADERS = {
    "unet": ("category", "detector", "learnt", "held out", "IoU", "fit, s"),
    "classifier": (
        "category",
        "detector",
        "learnt",
        "held out",
        "accuracy",
        "defects found",
        "good passed",
        "pointing game (chance)",
        "fit, s",
    ),
}
Row = tuple[str, ...]


def defective(catalog: Catalog) -> list[tuple[Path, Path]]:
    """Photograph and mask of every defective test image that has one."""
    test = catalog.test()
    rows = test[(test["label"] != NORMAL) & test["mask"].notna()]
    return [(Path(path), Path(mask)) for path, mask in zip(rows["path"], rows["mask"], strict=True)]


def shown(detector: Detector, catalog: Catalog) -> list[tuple[FloatArray, BoolArray]]:
    """Map of every defective test image with its mask at the map's size."""
    pairs = defective(catalog)
    maps = [prediction.anomaly_map for prediction in detector.predict([path for path, _ in pairs])]
    masks = [shrunken_mask(read_mask(mask), maps[0].shape) for _, mask in pairs]
    return list(zip(maps, masks, strict=True))


def overlap(detector: Detector, catalog: Catalog) -> float:
    """Intersection over union over all pixels of the defective test images, at the threshold chosen in training."""
    probability = detector.metrics_["threshold"]  # type: ignore[attr-defined]
    level = np.log(probability / (1 - probability))
    both = either = 0
    for anomaly_map, mask in shown(detector, catalog):
        found = anomaly_map >= level
        both, either = both + int((found & mask).sum()), either + int((found | mask).sum())
    return both / either


def pointing_game(detector: Detector, catalog: Catalog) -> tuple[float, float]:
    """Share of defective test images whose highest map value lies on the defect, and that of a blind guess."""
    pairs = shown(detector, catalog)
    hits = [bool(mask.flat[anomaly_map.argmax()]) for anomaly_map, mask in pairs]
    return float(np.mean(hits)), float(np.mean([mask.mean() for _, mask in pairs]))


def told_rightly(detector: Detector, catalog: Catalog) -> tuple[float, float, float]:
    """Shares of the test images, of the defective and of the good ones told rightly: by what is likelier.

    The score is the log odds where both are equally likely; Bayes' rule adds how often each was seen in training.
    """
    test, counts = catalog.test(), catalog.table["label"][catalog.table["split"] == TRAIN].value_counts()
    scores = np.array([one.score for one in detector.predict([Path(path) for path in test["path"]])])
    truth = (test["label"] != NORMAL).to_numpy()
    right = (scores > np.log(counts[NORMAL] / (counts.sum() - counts[NORMAL]))) == truth
    return float(right.mean()), float(right[truth].mean()), float(right[~truth].mean())


def fitted(name: str, catalog: Catalog, preset: str = DEFAULT) -> tuple[Detector, float]:
    """A detector fitted on the catalog, and the seconds that took."""
    started = time.perf_counter()
    detector = create_detector(name, None if preset == DEFAULT else preset).fit(catalog)
    return detector, time.perf_counter() - started


def mixture(catalog: Catalog, split: str) -> str:
    """How many good and defective photographs a split has, in words."""
    labels = catalog.table["label"][catalog.table["split"] == split]
    return f"{(labels == NORMAL).sum()} good, {(labels != NORMAL).sum()} defective"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One row of the table: a detector on a data set, whose photographs stand in one folder or several."""

    name: str
    roots: tuple[Path, ...]
    detector: str
    preset: str


def shared_out(cell: Cell) -> Catalog:
    """All photographs of a data set, a share of them to learn from: good and defective ones alike."""
    catalogs = [open_catalog(root) for root in cell.roots]
    table = pd.concat([catalog.table for catalog in catalogs])
    # Of solar cells those with a probability of a defect of 0 or 1.
    table = table[~table["defect_type"].isin(["possibly_defective", "likely_defective"])]
    table = table.sort_values("path", ignore_index=True).assign(split=TEST)
    return supervised_split(dataclasses.replace(catalogs[0], category=cell.name, table=table), SHARE)


def measured(cell: Cell) -> Row:
    """Fit, and judge on what is held out."""
    catalog = shared_out(cell)
    detector, seconds = fitted(cell.detector, catalog, cell.preset)
    name = f"`{cell.detector}`" if cell.preset == DEFAULT else f"`{cell.detector}:{cell.preset}`"
    if cell.detector == "unet":
        reached = [f"{overlap(detector, catalog):.3f}"]
    else:
        pointed = (
            "{:.3f} ({:.3f})".format(*pointing_game(detector, catalog)) if defective(catalog) else "no masks"
        )
        reached = [*(f"{share:.3f}" for share in told_rightly(detector, catalog)), pointed]
    return cell.name, name, mixture(catalog, TRAIN), mixture(catalog, TEST), *reached, f"{seconds:.0f}"


def drawn(out: Path, categories: list[str], per_type: int) -> list[Path]:
    """Categories of the sample line with as many good as defective photographs."""
    good = per_type * len(DEFECT_PAINTERS)
    return write_sample_line(out, categories, train=1, good=good - 1, per_defect_type=per_type)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--categories", default=",".join(SAMPLE_CATEGORIES), help='of the sample line, or none: ""'
    )
    parser.add_argument("--per-type", type=int, default=60, help="photographs of each defect type")
    parser.add_argument("--detectors", default="unet,classifier")
    parser.add_argument("--presets", default=DEFAULT, help="of the classifier")
    parser.add_argument("--elpv", action="store_true", help="solar cells too")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="fits at the same time")
    parser.add_argument("--write", action="store_true", help="write into docs/detectors.md")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # a second core makes a fit of photographs no faster
    detectors = [
        (name, preset)
        for name in arguments.detectors.split(",")
        for preset in (arguments.presets.split(",") if name == "classifier" else [DEFAULT])
    ]
    with tempfile.TemporaryDirectory() as folder:
        categories = [one for one in arguments.categories.split(",") if one]
        line = drawn(Path(folder) / "line", categories, arguments.per_type) if categories else []
        cells = [Cell(root.name, (root,), *chosen) for root in line for chosen in detectors]
        if arguments.elpv:
            solar = tuple(get_elpv(Path(folder) / "elpv"))
            cells += [Cell("elpv", solar, *chosen) for chosen in detectors if chosen[0] == "classifier"]
        rows: dict[str, list[Row]] = {}
        with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as fits:
            for cell, row in zip(cells, fits.map(measured, cells), strict=True):
                print(*row, sep="  ", flush=True)
                rows.setdefault(cell.detector, []).append(row)
    for detector, found in rows.items():
        shown = f"{table(HEADERS[detector], found)}\n\n{origin()}"
        print(shown)
        if arguments.write:
            write_block(PAGE, f"supervised-{detector}", shown)


if __name__ == "__main__":
    main()
