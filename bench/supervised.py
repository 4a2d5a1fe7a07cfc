"""What the supervised detectors reach on held-out labelled parts: overlap of masks, accuracy, the pointing game.

    python bench/supervised.py                        both on the sample line
    python bench/supervised.py --categories washer    on one category of it
    python bench/supervised.py --elpv                 the classifier on solar cells too (pip install elpv-dataset)
    python bench/supervised.py --elpv --write         the table in docs/detectors.md
    python bench/supervised.py --presets default,fine-tuned    the classifier with these presets

Half of the labelled test photographs of the sample line, stratified by defect type, are learnt from, and three quarters
of the solar cells, as in Deitsch et al., "Automatic classification of defective photovoltaic module cells in
electroluminescence images", Solar Energy 2019; all figures are of the others.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

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

PAGE = ROOT / "docs" / "detectors.md"
ELPV_SHARE = 0.75
DEFAULT = "default"
HEADER = ("category", "detector", "held out", "IoU", "accuracy", "pointing game (chance)", "fit, s")
Row = tuple[str, ...]


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


def fitted(name: str, catalog: Catalog, preset: str = DEFAULT) -> tuple[Detector, float]:
    """A detector fitted on the catalog, and the seconds that took."""
    started = time.perf_counter()
    detector = create_detector(name, None if preset == DEFAULT else preset).fit(catalog)
    return detector, time.perf_counter() - started


def shown_name(name: str, preset: str) -> str:
    """A detector with its preset, for the table."""
    return f"`{name}`" if preset == DEFAULT else f"`{name}:{preset}`"


def measure_sample_line(
    folder: Path, categories: list[str], per_type: int, detectors: list[str], presets: list[str]
) -> Iterator[Row]:
    """A row for every category and detector."""
    for category in write_sample_line(folder, categories, train=60, good=120, per_defect_type=per_type):
        catalog = supervised_split(open_catalog(category), 0.5)
        held_out = len(catalog.test())
        if "unet" in detectors:
            unet, seconds = fitted("unet", catalog)
            yield (
                category.name,
                "`unet`",
                str(held_out),
                f"{overlap(unet, catalog):.3f}",
                "",
                "",
                f"{seconds:.0f}",
            )
        for preset in presets if "classifier" in detectors else ():
            classifier, seconds = fitted("classifier", catalog, preset)
            hits, chance = pointing_game(classifier, catalog)
            name, right = shown_name("classifier", preset), f"{accuracy(classifier, catalog):.3f}"
            pointed = f"{hits:.3f} ({chance:.3f})"
            yield category.name, name, str(held_out), "", right, pointed, f"{seconds:.0f}"


def measure_elpv(folder: Path, presets: list[str]) -> Iterator[Row]:
    """The classifier on solar cells, probability of a defect 0 against 1."""
    for category in get_elpv(folder):
        catalog = open_catalog(category)
        certain = catalog.subset(catalog.table["defect_type"].isin(["good", "defective"]).to_numpy())
        split = supervised_split(certain, ELPV_SHARE)
        for preset in presets:
            classifier, seconds = fitted("classifier", split, preset)
            name, right = shown_name("classifier", preset), f"{accuracy(classifier, split):.3f}"
            yield category.name, name, str(len(split.test())), "", right, "", f"{seconds:.0f}"


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
    parser.add_argument("--presets", default=DEFAULT, help="of the classifier")
    parser.add_argument("--elpv", action="store_true", help="solar cells too")
    parser.add_argument("--write", action="store_true", help="write into docs/detectors.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    presets = arguments.presets.split(",")
    with tempfile.TemporaryDirectory() as folder:
        categories = [one for one in arguments.categories.split(",") if one]
        measured: list[Iterator[Row]] = []
        if categories:
            chosen = arguments.detectors.split(",")
            line = Path(folder) / "line"
            measured.append(measure_sample_line(line, categories, arguments.per_type, chosen, presets))
        if arguments.elpv:
            measured.append(measure_elpv(Path(folder) / "elpv", presets))
        for row in itertools.chain(*measured):
            print(*row, sep="  ", flush=True)
            rows.append(row)
    shown = f"{table(HEADER, rows)}\n\n{origin()}"
    print(shown)
    if arguments.write:
        write_block(PAGE, "supervised", shown)


if __name__ == "__main__":
    main()
