"""How regions should grow, and what is one region: measured on defects painted into good photographs.

    python bench/region_decisions.py [--detectors padim:24,padim:40] [--categories washer] [--real screw] [--write]

Of each category N good photographs are learnt from; N others are scored as they are, and once more with a defect
painted into each. The threshold of maps is the highest value of these good photographs, as in a fit. A row
is a hysteresis h: regions grow down to usual + h (threshold - usual). No test image is looked at. Over the painted
photographs whose map reaches above the threshold:

- IoU: of the reported regions' pixels with the painted mask, mean;
- box: of the boxes around both, mean;
- covered: share of the mask that regions cover; outside: share of the regions' pixels that lie outside of it;
- pieces: regions that touch the mask, mean; "joined" the same where regions closer than 1/50 of the photograph's longer
  side are one.

The second table is of sizes without growth, as shares of the map: of the largest region of painted photographs, and
of those that good photographs show where one in ten may show any. Beside them stands the IoU without growth, and with
each region narrowed to what stands above 0.6 of its own height over the usual value.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.images import read_mask
from blemish.core.types import BoolArray, FloatArray
from blemish.data.catalog import open_catalog
from blemish.data.painted_images import painted_images
from blemish.data.sample_line import write_sample_line
from blemish.detectors.registry import create_detector
from blemish.evaluation.detections import boxes_of, overlaps
from blemish.evaluation.evaluate import mask_on_grid
from blemish.line.pixel_decision import PixelDecision, grown_from
from blemish.line.regions import anomalous_pixels, find_regions

PAGE = ROOT / "docs" / "decisions" / "0054-regions.md"
DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
MOST = 40
GROWTHS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
LOOSE, NARROWED = 0.9, 0.6
FIGURES = ("iou", "box", "covered", "outside", "pieces", "joined")
Maps = list[FloatArray]


def good_photographs(name: str, real: bool, n: int, folder: Path) -> tuple[list[Path], list[Path]]:
    """Good training photographs of a category: those learnt from, and others."""
    if real:
        good = open_catalog(DATA / name).train_normal()
    else:
        (root,) = write_sample_line(folder / "line", [name], train=2 * MOST, good=2, per_defect_type=1)
        good = open_catalog(root).train_normal()
    order = np.random.default_rng(0).permutation(len(good))[: 2 * n]
    drawn = [good[place] for place in order]
    half = len(drawn) // 2
    return drawn[:half], drawn[half:]


def measured(detector_name: str, n: int, name: str, real: bool, folder: Path) -> dict[str, Any]:
    """Figures by hysteresis, and sizes, of one detector on one category."""
    learnt, held = good_photographs(name, real, n, folder)
    painted = painted_images(held, folder / "painted" / name)
    detector = create_detector(detector_name).fit(learnt)
    good = [np.array(one.anomaly_map) for one in detector.predict(held)]
    maps = [np.array(one.anomaly_map) for one in detector.predict([one.path for one in painted])]
    masks = [
        mask_on_grid(read_mask(one.mask), *found.shape) for one, found in zip(painted, maps, strict=True)
    ]
    usual = float(np.median([np.median(one) for one in good]))
    maxima = np.sort([float(one.max()) for one in good])
    threshold, loose = float(maxima[-1]), float(maxima[int(LOOSE * len(maxima))])
    rows = {}
    for growth in GROWTHS:
        pixels = PixelDecision(threshold=threshold, low=grown_from(threshold, usual, growth))
        found = [
            one
            for anomaly_map, mask in zip(maps, masks, strict=True)
            for one in figures(anomaly_map, mask, pixels)
        ]
        rows[f"{growth:g}"] = np.mean(found, axis=0).tolist()
    sizes = {
        "painted": list(largest(maps, threshold)),
        "good": list(largest(good, loose)),
    }
    reached = sum(bool(one.max() > threshold) for one in maps)
    narrow = float(np.mean(list(narrowed(maps, masks, threshold, usual))))
    return {"rows": rows, "sizes": sizes, "narrowed": narrow, "found": reached, "painted": len(maps)}


def narrowed(maps: Maps, masks: list[BoolArray], threshold: float, usual: float) -> Iterator[float]:
    """IoU where each region is what stands above a share of its own height, of each map that has one."""
    for anomaly_map, mask in zip(maps, masks, strict=True):
        number, labels = cv2.connectedComponents((anomaly_map > threshold).astype(np.uint8), connectivity=8)
        if number == 1:
            continue
        peaks = np.full(number, -np.inf)
        np.maximum.at(peaks, labels.ravel(), anomaly_map.ravel())
        levels = usual + NARROWED * (peaks - usual)
        inside = (labels > 0) & (anomaly_map > levels[labels])
        yield float((inside & mask).sum() / (inside | mask).sum())


def figures(anomaly_map: FloatArray, mask: BoolArray, pixels: PixelDecision) -> Iterator[tuple[float, ...]]:
    """`FIGURES` of one painted photograph; nothing where no region is found."""
    height, width = anomaly_map.shape
    inside = anomalous_pixels(anomaly_map, pixels)
    if not inside.any():
        return
    shared, either = float((inside & mask).sum()), float((inside | mask).sum())
    regions = find_regions(anomaly_map, pixels, width, height)
    boxes = boxes_of(mask)
    corners = np.concatenate([boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)])
    whole = np.array([[*corners[:2], *(corners[2:] - corners[:2])]])
    joined = find_regions(anomaly_map, replace_distance(pixels, max(height, width) / 50), width, height)
    touching = [sum(bool((overlaps(one, boxes) > 0).any()) for one in some) for some in (regions, joined)]
    best = max(float(overlaps(one, whole)[0]) for one in regions)
    yield shared / either, best, shared / mask.sum(), 1 - shared / inside.sum(), *map(float, touching)


def replace_distance(pixels: PixelDecision, distance: float) -> PixelDecision:
    """The same where regions closer than a distance are one."""
    return pixels.model_copy(update={"merge_distance": distance})


def largest(maps: Maps, threshold: float) -> Iterator[float]:
    """Share of the map that the largest region covers, of each map that has one."""
    pixels = PixelDecision(threshold=threshold)
    for anomaly_map in maps:
        regions = find_regions(anomaly_map, pixels, anomaly_map.shape[1], anomaly_map.shape[0], min_area=1)
        if regions:
            yield max(one.share or 0.0 for one in regions)


def growth_rows(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """A row for each detector and hysteresis: means over the categories."""
    for detector in dict.fromkeys(key.split("|")[0] for key in found):
        of_it = [one["rows"] for key, one in found.items() if key.startswith(f"{detector}|")]
        for growth in (f"{one:g}" for one in GROWTHS):
            means = np.mean([rows[growth] for rows in of_it], axis=0)
            each = " ".join(f"{rows[growth][0]:.2f}" for rows in of_it)
            yield detector, growth, *(f"{value:.2f}" for value in means), each


def size_rows(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """A row for each detector and category: how many were found, and quantiles of sizes."""
    for key, one in found.items():
        detector, name = key.split("|")
        painted, good = (np.array(one["sizes"][kind]) for kind in ("painted", "good"))
        small = (
            [f"{100 * np.quantile(painted, share):.2f} %" for share in (0.05, 0.5)]
            if len(painted)
            else ["", ""]
        )
        false = [f"{100 * np.quantile(good, share):.2f} %" for share in (0.5, 1.0)] if len(good) else ["", ""]
        ious = [f"{one['rows']['1'][0]:.2f}", f"{one['narrowed']:.2f}"]
        yield detector, name, f"{one['found']} of {one['painted']}", *small, *false, *ious


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with --write put the tables onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--detectors", default="patchcore:24,padim:24,padim:40", help="that show places, as NAME:N"
    )
    parser.add_argument("--categories", default="washer,label,brick", help="of the sample line")
    parser.add_argument("--real", default="screw,metal_plate,magnetic_tile", help="folders of real sets")
    parser.add_argument("--store", type=Path, help="file of what is measured already, to go on from")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args(arguments)
    known = json.loads(options.store.read_text()) if options.store and options.store.is_file() else {}
    names = [(name, False) for name in options.categories.split(",") if name]
    names += [(name, True) for name in options.real.split(",") if name]
    found = {}
    for detector in options.detectors.split(","):
        for name, real in names:
            key = f"{detector}|{name}"
            if key not in known:
                with tempfile.TemporaryDirectory() as folder:
                    kind, _, n = detector.partition(":")
                    known[key] = measured(kind, int(n), name, real, Path(folder))
                if options.store:
                    options.store.write_text(json.dumps(known))
            found[key] = known[key]
            print(key, {growth: round(row[0], 2) for growth, row in found[key]["rows"].items()}, flush=True)
    header = (
        "detector:N",
        "h",
        "IoU",
        "box",
        "covered",
        "outside",
        "pieces",
        "joined",
        "IoU of each category",
    )
    sizes = (
        "detector:N",
        "category",
        "found",
        "painted: 5 %",
        "median",
        "good: median",
        "largest",
        "IoU",
        "narrowed",
    )
    shown = (
        f"{table(header, list(growth_rows(found)))}\n\n{table(sizes, list(size_rows(found)))}\n\n{origin()}"
    )
    print(shown)
    if options.write:
        write_block(PAGE, "regions", shown)


if __name__ == "__main__":
    main()
