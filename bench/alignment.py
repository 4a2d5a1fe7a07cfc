"""Measure what bringing parts to their place is worth: AUROC with and without, and what it costs.

    python bench/alignment.py SET [SET ...] [--detectors patchcore,padim] [--align none,auto] [--turned]

A set is a folder in the MVTec AD layout. Test labels measure here, and nothing is chosen by them. With --turned every
photograph and mask is first turned by any angle and shifted by up to a twentieth, on a larger ground, as parts come
that were thrown on a belt.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import table

from blemish.core.errors import UsageError
from blemish.core.images import read_image, read_mask
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.defect_files import write_image, write_mask
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector
from blemish.evaluation.evaluate import mask_on_grid
from blemish.evaluation.metrics import image_auroc, pixel_metrics
from blemish.view.preprocessing import look

_LARGER, _SHIFT = 1.4, 0.05
_TIMED = 15
_SHOWN, _SIDE = 6, 150


def turned_set(root: Path, out: Path) -> Path:
    """The set with every photograph and its mask turned and shifted alike, at random, in the same layout."""
    rng = np.random.default_rng(0)
    catalog = open_catalog(root)
    for row in catalog.table.itertuples(index=False):
        image = read_image(str(row.path))
        target = out / root.name / Path(str(row.path)).relative_to(catalog.root)
        angle, shifts = rng.uniform(0, 360), rng.uniform(-_SHIFT, _SHIFT, 2)
        write_image(target.with_suffix(".png"), turned(image, angle, shifts))
        if row.mask:
            mask = np.uint8(255) * read_mask(str(row.mask))[..., None].repeat(3, 2)
            place = out / root.name / Path(str(row.mask)).relative_to(catalog.root)
            write_mask(place.with_suffix(".png"), turned(mask, angle, shifts)[..., 0] > 127)
    return out / root.name


def turned(image: ByteArray, angle: float, shifts: np.ndarray) -> ByteArray:
    """One photograph on a larger ground, turned by degrees and shifted by shares of its side."""
    height, width = image.shape[:2]
    size = round(width * _LARGER), round(height * _LARGER)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += (size[0] - width) / 2 + shifts[0] * width, (size[1] - height) / 2 + shifts[1] * height
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border), np.uint8)


def measured(name: str, align: str, catalog: Catalog) -> list[str]:
    """A row of the table: image and pixel AUROC and AUPRO, agreement, and milliseconds of a look."""
    detector = create_detector(name, align=align)
    try:
        detector.look_as(detector.plan_view(catalog.train_normal()))
    except UsageError as error:
        return [name, align, "refused: " + str(error), "", "", ""]
    detector.fit(catalog)
    test = catalog.test()
    paths = [Path(path) for path in test["path"]]
    said = list(detector.predict(paths))
    labels = (test["label"] == "anomalous").to_numpy()
    scores = np.array([one.score for one in said])
    maps, masks = [one.anomaly_map for one in said], []
    for path, anomaly_map in zip(test["mask"], maps, strict=True):
        shape = anomaly_map.shape
        masks.append(mask_on_grid(read_mask(path), *shape) if path else np.zeros(shape, np.bool_))
    pixels = pixel_metrics(masks, maps)
    view = detector.planned_view().view
    found = None if view is None else view.alignment
    said_of = "as they lie" if found is None else f"{found.model}, {found.method}"
    return [
        name,
        f"{align}: {said_of}",
        f"{image_auroc(labels, scores):.3f}",
        f"{pixels.auroc:.3f}",
        f"{pixels.aupro:.3f}",
        f"{milliseconds(detector, paths):.1f}",
    ]


def milliseconds(detector: Detector, paths: list[Path]) -> float:
    """Median time of a processor for a look at a decoded photograph: other programs may run beside."""
    images = [read_image(path) for path in paths[:_TIMED]]
    contract = detector.preprocessing()

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    look(images[0], contract)
    return 1000 * float(np.median([seconds(lambda image=image: look(image, contract)) for image in images]))


def picture(catalog: Catalog, out: Path) -> None:
    """Some good photographs as they lie, and below them as they are looked at."""
    paths = catalog.train_normal()
    detector = create_detector("patchcore", align="auto")
    detector.look_as(detector.plan_view(paths))
    images = [read_image(paths[place]) for place in np.linspace(0, len(paths) - 1, _SHOWN).astype(int)]
    seen = [look(image, detector.preprocessing()).picture for image in images]
    rows = [
        np.hstack([cv2.resize(one, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for one in row])
        for row in (images, seen)
    ]
    cv2.imwrite(str(out), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    """Print a table for every set."""
    parser = argparse.ArgumentParser(description="What alignment is worth.")
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--detectors", default="patchcore,padim")
    parser.add_argument("--align", default="none,auto")
    parser.add_argument("--turned", action="store_true", help="turn and shift every photograph first")
    parser.add_argument(
        "--picture", type=Path, help="draw what is seen of the first set instead, as this JPEG"
    )
    options = parser.parse_args()
    if options.picture:
        with tempfile.TemporaryDirectory() as folder:
            root = options.sets[0]
            picture(open_catalog(turned_set(root, Path(folder)) if options.turned else root), options.picture)
        return
    for root in options.sets:
        with tempfile.TemporaryDirectory() as folder:
            catalog = open_catalog(turned_set(root, Path(folder)) if options.turned else root)
            rows = [
                measured(name, align, catalog)
                for name in options.detectors.split(",")
                for align in options.align.split(",")
            ]
        print(f"\n{root.name}{', turned' if options.turned else ''}\n")
        heads = ["detector", "align", "image AUROC", "pixel AUROC", "AUPRO", "look, ms"]
        print(table(heads, rows), flush=True)


if __name__ == "__main__":
    main()
