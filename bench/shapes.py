"""Measure how photographs of differing shapes are best brought to one input: stretched, letterboxed, or at one scale.

    python bench/shapes.py MAGNETIC_TILE [--train 80] [--held 30] [--size 448]

Only good photographs are used: some to learn from, others held out, and defects painted on these. Each way is tried
on the same photographs; what it adds around them repeats their edge.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import origin, table
from sklearn.metrics import roc_auc_score

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.detectors.memory.patchcore import PatchCore

KINDS = ("scratch", "stain", "hole", "foreign_body")
Shaped = Callable[[ByteArray], ByteArray]


def padded(image: ByteArray, width: int, height: int) -> ByteArray:
    """The photograph in the middle of a larger one, its edge repeated around it."""
    right, below = max(0, width - image.shape[1]), max(0, height - image.shape[0])
    left, above = right // 2, below // 2
    return np.asarray(
        cv2.copyMakeBorder(image, above, below - above, left, right - left, cv2.BORDER_REPLICATE), np.uint8
    )


def ways(photographs: Sequence[ByteArray]) -> dict[str, Shaped]:
    """Each way to one shape, by its name; the network's input stretches what is left."""
    sides = np.array([image.shape[1::-1] for image in photographs])
    width, height = np.median(sides, axis=0)
    widest, highest = (int(side) for side in np.quantile(sides, 0.95, axis=0))
    aspect = float(width / height)

    def letterboxed(image: ByteArray) -> ByteArray:
        across, down = image.shape[1], image.shape[0]
        return padded(image, max(across, round(down * aspect)), max(down, round(across / aspect)))

    return {
        "stretched to the median shape": lambda image: image,
        "letterboxed into the median shape": letterboxed,
        "at one scale": lambda image: padded(image, widest, highest),
    }


def painted(image: ByteArray, name: str) -> list[ByteArray]:
    """The photograph with a defect of each kind that can be seen on it."""
    found = []
    for kind in KINDS:
        rng = np.random.default_rng(zlib.crc32(f"{kind}/{name}".encode()))
        try:
            found.append(DEFECT_PAINTERS[kind](image, None, rng)[0])
        except BlemishError:
            continue
    return found


def measure(
    shaped: Shaped, train: Sequence[ByteArray], good: Sequence[ByteArray], bad: Sequence[ByteArray], size: int
) -> tuple[float, float]:
    """AUROC of painted defects against good photographs held out, and the spread of the latter's scores."""
    with tempfile.TemporaryDirectory() as folder:
        files: list[list[Path]] = []
        for part, images in enumerate((train, good, bad)):
            files.append([Path(folder) / f"{part}-{number:04d}.png" for number in range(len(images))])
            for path, image in zip(files[-1], images, strict=True):
                cv2.imwrite(str(path), shaped(image)[..., ::-1])
        detector = PatchCore(size=size, copies="none").fit(files[0])
        scores = [np.array([prediction.score for prediction in detector.predict(few)]) for few in files[1:]]
    labels = np.repeat([0, 1], [len(good), len(bad)])
    return float(roc_auc_score(labels, np.concatenate(scores))), float(scores[0].std() / scores[0].mean())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", type=int, default=80)
    parser.add_argument("--held", type=int, default=30)
    parser.add_argument("--size", type=int, default=448)
    given = parser.parse_args()
    paths = open_catalog(given.data).train_normal()
    random.Random(0).shuffle(paths)
    photographs = [read_image(path) for path in paths[: given.train + given.held]]
    train, good = photographs[: given.train], photographs[given.train :]
    bad = [one for number, image in enumerate(good) for one in painted(image, str(number))]
    rows = []
    for name, shaped in ways(train).items():
        auroc, spread = measure(shaped, train, good, bad, given.size)
        rows.append([name, f"{auroc:.3f}", f"{spread:.3f}"])
        print(" | ".join(rows[-1]), flush=True)
    print(table(["way", "AUROC of painted defects", "spread of good scores"], rows))
    print(origin())


if __name__ == "__main__":
    main()
