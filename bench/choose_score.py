"""Chooses how patch distances become an image score, without a single test image.

A quarter of the good training images is held out; every one of them is scored as it is, and again with a synthetic
defect painted in. The table is the AUROC between the two, for several shares of the highest distances, over seeds.

    .venv/bin/python bench/choose_score.py ../shared/data/screw ../shared/data/magnetic_tile ../shared/data/metal_plate
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from blemish.core.folds import fold_positions
from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.metrics import image_auroc

SHARES = (0.0, 0.003, 0.01, 0.02, 0.05)
MOST_IMAGES = 240
SEEDS = (0, 1)


def painted(path: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A copy of the photograph with one synthetic defect of a random type."""
    names = sorted(DEFECT_PAINTERS)
    image, _ = DEFECT_PAINTERS[names[rng.integers(len(names))]](read_image(path), None, rng)
    target = folder / f"{path.stem}.png"
    Image.fromarray(image).save(target)
    return target


def measure(root: Path, seed: int) -> list[float]:
    """AUROC of held-out good images against their painted copies, for each share."""
    paths = open_catalog(root).train_normal()
    rng = np.random.default_rng(seed)
    paths = [paths[i] for i in sorted(rng.permutation(len(paths))[:MOST_IMAGES])]
    detector = PatchCore(seed=seed, copies="none")
    pool = detector._pool_of(paths)
    held_out = fold_positions(len(paths), 4, seed)[0]
    head = detector._head(detector._bank_of(pool, ~torch.isin(pool.owners, torch.from_numpy(held_out))))
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        good = [paths[i] for i in held_out]
        bad = [painted(path, Path(folder), rng) for path in good]
        distances = [
            np.sort(head.nearest(head.embedding(batch_of_one(maps))).numpy().ravel())[::-1]
            for maps in detector.extractor().stream(good + bad)
        ]
    labels = np.repeat([False, True], len(good))
    return [
        image_auroc(labels, np.array([d[: max(1, round(share * len(d)))].mean() for d in distances]))
        for share in SHARES
    ]


def main() -> None:
    """Print the table."""
    print("| set | seed |" + "".join(f" top {share:.1%} |" for share in SHARES))
    print("|---|---|" + "---|" * len(SHARES))
    for root in map(Path, sys.argv[1:]):
        for seed in SEEDS:
            row = "".join(f" {value:.3f} |" for value in measure(root, seed))
            print(f"| {root.name} | {seed} |{row}", flush=True)


if __name__ == "__main__":
    main()
