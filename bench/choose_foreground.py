"""Whether it helps that the part alone counts, and what of it was chosen: on good photographs and painted defects.

    python bench/choose_foreground.py [NAME ...]

First how well the part is found in drawn photographs, whose outline is known, by where between ground and Otsu's
threshold it begins. Then, for each category of the sample line that shows a part and for the real sets: PatchCore
learns from 40 good photographs, and tells 16 others from copies of them with small painted defects (three each), with
all of the photograph and with the part alone. Test photographs are not touched.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import ROOT

from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.data.defect_files import write_image
from blemish.data.drawn_parts import PARTS
from blemish.data.sample_line import render_good, write_sample_line
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.metrics import image_auroc
from blemish.view.foreground import estimate_foreground, ground_of, ground_threshold, part_mask

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
REAL = ("screw", "metal_plate", "magnetic_tile")
LEARNT, HELD_OUT, COPIES, OF_SAMPLE, SMALL = 40, 16, 3, 70, 0.5
BEGINNINGS = (0.4, 0.5, 0.6, 0.8, 1.0)


def overlap(name: str) -> dict[float, float]:
    """Mean intersection over union of the part that is found with the part that was drawn, by where it begins."""
    found: dict[float, list[float]] = {begin: [] for begin in BEGINNINGS}
    for seed in range(20):
        image, drawn = render_good(name, np.random.default_rng(seed), 256)
        ground = ground_of(image)
        threshold = ground_threshold(ground)
        if threshold is None or drawn is None:
            continue
        size = ground.difference.shape[::-1]
        truth = part_mask(np.asarray(cv2.resize(drawn.astype(np.float32) * 200, size), np.float32), 100) > 0
        for begin, values in found.items():
            part = part_mask(ground.difference, begin * threshold) > 0
            values.append(float((part & truth).sum() / (part | truth).sum()))
    return {begin: float(np.mean(values)) for begin, values in found.items()}


def small_defects(paths: list[Path], folder: Path) -> list[Path]:
    """Copies of photographs, each with one small and weak defect on the part, where it can be seen."""
    made = []
    names = list(DEFECT_PAINTERS)
    for number, path in enumerate(paths):
        image = read_image(path)
        part = estimate_foreground(image)
        for copy in range(COPIES):
            painter = DEFECT_PAINTERS[names[(number + copy * len(paths)) % len(names)]]
            rng = np.random.default_rng([7, number, copy])
            size, strength = ((low * SMALL, high * SMALL) for low, high in (painter.size, painter.strength))
            damaged, mask = painter(image, part, rng, size=size, strength=strength)
            if mask.any():
                made.append(folder / f"{number:03d}-{copy}.png")
                write_image(made[-1], damaged)
    return made


def aurocs(paths: list[Path], folder: Path) -> dict[str, float | str]:
    """AUROC by what counts: painted defects against good photographs, none of them learnt from."""
    order = np.random.default_rng(0).permutation(len(paths)).tolist()
    held = min(HELD_OUT, len(paths) // 3)
    good = [paths[place] for place in order[:held]]
    learnt = [paths[place] for place in order[held : held + LEARNT]]
    painted = small_defects(good, folder / "painted")
    found: dict[str, float | str] = {}
    for name, foreground in (("whole", False), ("the part alone", True)):
        try:
            detector = PatchCore(foreground=foreground).fit(learnt)
        except UsageError as error:
            found[name] = str(error)
            continue
        scores = [one.score for one in detector.predict([*good, *painted])]
        found[name] = image_auroc(np.array([0] * len(good) + [1] * len(painted)), np.array(scores))
        found[f"{name}, spread"] = float(np.std(scores[: len(good)]) / np.mean(scores[: len(good)]))
    return found


def main() -> None:
    """Measure, and print."""
    wanted = sys.argv[1:] or [*PARTS, *REAL]
    for name in PARTS:
        if name in wanted:
            print(
                f"{name}: overlap {', '.join(f'{at:g}: {value:.3f}' for at, value in overlap(name).items())}"
            )
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            root = Path(folder) / name
            if name in PARTS:
                (place,) = write_sample_line(root, (name,), train=OF_SAMPLE, good=1, per_defect_type=1)
            else:
                place = REAL_DATA / name
            found = aurocs(open_catalog(place).train_normal(), root)
            said = (
                f"{key} {value:.4f}" if isinstance(value, float) else f"{key}: {value}"
                for key, value in found.items()
            )
            print(f"{name}: {'; '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
