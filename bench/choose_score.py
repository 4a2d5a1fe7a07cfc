"""Chooses size, smoothing and score of the memory bank, without a single test image.

    python bench/choose_score.py ../shared/data/screw ../shared/data/metal_plate --size 352 --size 448

A quarter of the good training photographs (of `--most`) is held out, and a defect of each of three sizes is painted
into every one of them. A bank of the others gives the distances of all patches; the table says how well each way from
distances to a score tells the painted ones apart, by the defect's size, and how far good scores spread.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from measuring.pages import origin, table
from torch import Tensor

from blemish.core.errors import BlemishError
from blemish.core.folds import held_out_positions
from blemish.core.images import read_image
from blemish.data.categories import open_category
from blemish.data.defect_files import write_image
from blemish.data.painted_images import paint
from blemish.data.patch_defects import PAINTERS
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.layers import PatchScoring
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.metrics import image_auroc
from blemish.view.foreground import estimate_foreground

SIZES = {"small": (0.02, 0.035), "middle": (0.04, 0.07), "large": (0.08, 0.14)}
"""Of painted defects, as shares of the photograph's shorter side."""

WAYS: dict[str, tuple[float | None, float]] = {
    "mean of the highest 1 %": (0.01, 0.0),
    "mean of the highest 0.2 %": (0.002, 0.0),
    "highest distance": (0.0, 0.0),
    "highest of the map, sigma 4": (None, 4.0),
    "highest of the map, sigma 8": (None, 8.0),
    "highest of the map, sigma 12": (None, 12.0),
    "highest of the map, sigma 16": (None, 16.0),
}
"""Share of the distances and smoothing of the map in pixels of the input, as `PatchScoring` takes them."""


def painted(paths: Sequence[Path], folder: Path, seed: int) -> dict[str, list[Path]]:
    """Copies of the photographs, each with a defect of one size; those on which none can be seen are left out."""
    found: dict[str, list[Path]] = {name: [] for name in SIZES}
    for number, path in enumerate(paths):
        image = read_image(path)
        foreground = estimate_foreground(image)
        for kind, (name, size) in enumerate(SIZES.items()):
            rng = np.random.default_rng([seed, number, kind])
            for painter in rng.permutation(list(PAINTERS))[:6]:
                try:
                    damaged, _ = paint(str(painter), image, foreground, rng, size=size)
                except BlemishError:
                    continue
                target = folder / name / f"{number:04d}.png"
                write_image(target, damaged)
                found[name].append(target)
                break
    return found


def distances_of(detector: PatchCore, paths: Sequence[Path]) -> list[Tensor]:
    """Distances of the patches of each photograph, 1 x 1 x h x w."""
    head = detector._fitted_head()
    with torch.inference_mode():
        return [head.local(batch_of_one(maps)) for maps in detector.extractor().stream(paths)]


def rows_of(root: Path, size: int, most: int, seed: int) -> list[list[str]]:
    """A row for each of `WAYS`: AUROC against defects of each size, and the spread of good scores."""
    catalog = open_category(root, None)
    good = np.flatnonzero((catalog.table["split"] == "train").to_numpy())
    drawn = np.random.default_rng(seed).permutation(good)[:most]
    held_out = drawn[held_out_positions(len(drawn), 1 / 4, seed)]
    paths = [Path(path) for path in catalog.table["path"].iloc[held_out]]
    detector = PatchCore(size=size, copies="none", seed=seed)
    detector.fit(catalog.subset(np.setdiff1d(drawn, held_out)))
    with tempfile.TemporaryDirectory() as folder:
        bad = painted(paths, Path(folder), seed)
        of_good = distances_of(detector, paths)
        of_bad = {name: distances_of(detector, found) for name, found in bad.items()}
    rows = []
    for way, (top, sigma) in WAYS.items():
        scoring = PatchScoring(detector.grid_, detector.input_sides, top, sigma)
        scores = np.array([float(scoring(one)[0]) for one in of_good])
        told = []
        for found in of_bad.values():
            others = np.array([float(scoring(one)[0]) for one in found])
            labels = np.repeat([False, True], [len(scores), len(others)])
            told.append(image_auroc(labels, np.concatenate([scores, others])))
        spread = scores.std(ddof=1) / scores.mean()
        rows.append([f"{root.name}, {size}, {way}", *(f"{one:.3f}" for one in told), f"{spread:.3f}"])
    return rows


def main() -> None:
    """Measure what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--size", action="append", type=int)
    parser.add_argument("--most", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    header = ["set, size, score", *(f"{name} defects" for name in SIZES), "spread of good scores"]
    rows = [
        row
        for root in asked.data
        for size in asked.size or [448]
        for row in rows_of(root, size, asked.most, asked.seed)
    ]
    print(table(header, rows))
    print(origin())


if __name__ == "__main__":
    main()
