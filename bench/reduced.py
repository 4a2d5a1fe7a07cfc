"""Measure what decoding at reduced scale does to scores, by how many pixels are kept for each of the input's.

    python bench/reduced.py board gravel

Photographs of the sample line, 2048 x 2048 pixels, as JPEG files. PatchCore learns from some decoded whole, and scores
others decoded whole and reduced. Differences are in spreads (standard deviations) of the good scores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measuring.pages import origin, table

from blemish.core.images import DEFAULT_LIMITS, decode_photograph, read_content
from blemish.core.pictures import encoded
from blemish.data.sample_line import sample_images
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.timing import compiled
from blemish.view.preprocessing import preprocess

SIDE, QUALITY, TRAIN, TEST = 2048, 92, 12, 10
SIZES, TIMES = (256, 448), (1.0, 1.3, 2.0, 3.0)


def photographs(category: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of good photographs to learn from and to score."""
    files: dict[str, list[Path]] = {"train": [], "test": []}
    for sample in sample_images(category, TRAIN, TEST, 0, SIDE, seed=5):
        path = folder / f"{sample.split}-{sample.index:03d}.jpg"
        path.write_bytes(encoded(sample.image, ".jpg", QUALITY))
        files[sample.split].append(path)
    return files["train"], files["test"]


def rows_of(category: str, train: Sequence[Path], test: Sequence[Path], size: int) -> list[list[str]]:
    """A row for each number of times."""
    detector = PatchCore(size=size)
    planned = detector.plan_view(train)
    assert planned.view is not None
    whole_view = planned.view.model_copy(update={"reduced": False})
    detector.look_as(type(planned)(planned.height, planned.width, whole_view)).fit(list(train))
    run, contract = compiled(detector), detector.preprocessing()

    def scores(least: tuple[int, int] | None) -> tuple[np.ndarray, int]:
        found, side = [], 0
        for path in test:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            pixels = decode_photograph(content, str(path), least=least).pixels
            found.append(float(np.asarray(run(preprocess(pixels, contract))[0]).flat[0]))  # type: ignore[index]
            side = pixels.shape[0]
        return np.array(found), side

    whole, _ = scores(None)
    rows = []
    for times in TIMES:
        reduced, side = scores((round(times * planned.width), round(times * planned.height)))
        apart = np.abs(reduced - whole) / whole.std()
        rows.append(
            [f"{category}, {size}", f"{times:g} x", str(side), f"{apart.mean():.2f}", f"{apart.max():.2f}"]
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("categories", nargs="+")
    given = parser.parse_args()
    rows = []
    for category in given.categories:
        with tempfile.TemporaryDirectory() as folder:
            train, test = photographs(category, Path(folder))
            for size in SIZES:
                rows += rows_of(category, train, test, size)
    print(table(["category, size", "at least", "decoded at", "mean", "most"], rows))
    print(origin())


if __name__ == "__main__":
    main()
