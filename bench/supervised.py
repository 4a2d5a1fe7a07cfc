"""What the supervised detectors reach on held-out labelled parts: overlap of masks, accuracy, the pointing game.

    python bench/supervised.py                        both on the sample line
    python bench/supervised.py --categories washer    on one category of it
    python bench/supervised.py --elpv                 the classifier on solar cells too (pip install elpv-dataset)

Half of the labelled test photographs, stratified by defect type, are learnt from; all figures are of the other half.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import blemish  # noqa: F401  (before torch: it says how its threads wait)
from blemish.core.images import read_mask
from blemish.core.types import BoolArray, FloatArray
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.elpv import get_elpv
from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
from blemish.data.splits import supervised_split
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector
from blemish.detectors.training.segmentation_examples import shrunken_mask


def defective(catalog: Catalog) -> list[tuple[Path, Path]]:
    """Photograph and mask of every defective test image."""
    test = catalog.test()
    rows = test[test["label"] == "anomalous"]
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


def accuracy(detector: Detector, catalog: Catalog) -> float:
    """Share of the test images told rightly: defective where that is likelier than not."""
    test = catalog.test()
    scores = np.array([one.score for one in detector.predict([Path(path) for path in test["path"]])])
    return float(((scores > 0) == (test["label"] == "anomalous").to_numpy()).mean())


def fitted(name: str, catalog: Catalog, **parameters: object) -> tuple[Detector, float]:
    """A detector fitted on the catalog, and the seconds that took."""
    started = time.perf_counter()
    detector = create_detector(name, **parameters).fit(catalog)
    return detector, time.perf_counter() - started


def measure_sample_line(folder: Path, categories: list[str], per_type: int, detectors: list[str]) -> None:
    """Print the figures of every category."""
    for category in write_sample_line(folder, categories, train=60, good=120, per_defect_type=per_type):
        catalog = supervised_split(open_catalog(category), 0.5)
        held_out = len(catalog.test())
        if "unet" in detectors:
            unet, seconds = fitted("unet", catalog)
            print(
                f"{category.name:8} unet        IoU {overlap(unet, catalog):.3f}  fit {seconds:.0f} s",
                flush=True,
            )
        if "classifier" in detectors:
            classifier, seconds = fitted("classifier", catalog)
            hits, chance = pointing_game(classifier, catalog)
            print(
                f"{category.name:8} classifier  accuracy {accuracy(classifier, catalog):.3f} of {held_out}  "
                f"pointing game {hits:.3f} (chance {chance:.3f})  fit {seconds:.0f} s",
                flush=True,
            )


def measure_elpv(folder: Path) -> None:
    """Print the classifier's accuracy on solar cells, probability of a defect 0 against 1."""
    for category in get_elpv(folder):
        catalog = open_catalog(category)
        certain = catalog.subset(catalog.table["defect_type"].isin(["good", "defective"]).to_numpy())
        split = supervised_split(certain, 0.5)
        classifier, seconds = fitted("classifier", split)
        reached = accuracy(classifier, split)
        print(
            f"{category.name:9} classifier  accuracy {reached:.3f} of {len(split.test())}  fit {seconds:.0f} s",
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--categories", default=",".join(SAMPLE_CATEGORIES), help="of the sample line")
    parser.add_argument(
        "--per-type", type=int, default=40, help="photographs of each defect type, half of them learnt"
    )
    parser.add_argument("--detectors", default="unet,classifier")
    parser.add_argument("--elpv", action="store_true", help="solar cells too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        categories = [one for one in arguments.categories.split(",") if one]
        if categories:
            chosen = arguments.detectors.split(",")
            measure_sample_line(Path(folder) / "line", categories, arguments.per_type, chosen)
        if arguments.elpv:
            measure_elpv(Path(folder) / "elpv")


if __name__ == "__main__":
    main()
