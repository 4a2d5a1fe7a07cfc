"""Evaluation: an inspector on the labelled test images of a catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from blemish.core.ahead import look_ahead
from blemish.core.errors import BlemishError, CatalogError, ImageError
from blemish.core.images import read_image, read_mask
from blemish.core.progress import track
from blemish.core.types import BoolArray, FloatArray, Region
from blemish.evaluation.detections import Boxes, Detections, boxes_of, measure_detections
from blemish.evaluation.metrics import PixelMetrics, pixel_metrics, saturated_overlap
from blemish.evaluation.pixel_histogram import binned_pixel_metrics
from blemish.evaluation.result import Evaluation, Failure, ScoredImage, image_name
from blemish.line.inspection import Inspection
from blemish.line.pixel_decision import PixelDecision
from blemish.line.regions import find_regions

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog

Inspect = Callable[[Path], Inspection]

# Photographs that are inspected one after another to tell how long one takes, where the others are side by side.
TIMED = 10

# Above this many pixels, maps and masks are thinned to every n-th row and column, to bound memory.
PIXEL_CAP = 64_000_000


def evaluate(
    inspect: Inspect,
    catalog: Catalog,
    threshold: float,
    *,
    pixel_threshold: float | None = None,
    map_scale: tuple[float, float] | None = None,
    pixel_cap: int = PIXEL_CAP,
    time_decoding: bool = True,
    learnt_types: Sequence[str] = (),
    binned: bool = False,
    side_by_side: Inspect | None = None,
    threads: int = 1,
) -> Evaluation:
    """Inspect every test image of `catalog` and measure how right the inspector is.

    Nothing is tuned here: labels and masks are only compared with what `inspect` says. An image that cannot
    be read is recorded as failed, and the others go on.

    Args:
        inspect: called with each test image's path.
        catalog: one category; only its test split is used.
        threshold: decision threshold on the image score.
        pixel_threshold: threshold of the segmentation shown; `threshold` when None.
        map_scale: colour limits of the heatmaps, see `Evaluation`; when None they begin at the median map
            value of the normal test images and end as far above `pixel_threshold` as they begin below it.
        pixel_cap: most pixels that pixel metrics are measured on, see `PIXEL_CAP`.
        time_decoding: whether each photograph is decoded once more for `ScoredImage.decode_ms`, else 0.
        learnt_types: names of the defect types that `inspect` tells apart.
        binned: whether pixel metrics come from a histogram, with the most that they may be off, instead of a sort.
        side_by_side: the same as `inspect`, for several threads at once; then only the first `TIMED` photographs are
            inspected one after another, which tells how long one takes.
        threads: that call `side_by_side`.

    Raises:
        CatalogError: there is no test image, or none could be read.
        BlemishError: a score or a map is not finite.
    """
    table = catalog.test()
    if table.empty:
        raise CatalogError(
            f"{catalog.root} has no test images: add a test folder with good and defective parts."
        )
    pixel_threshold = threshold if pixel_threshold is None else pixel_threshold
    images: list[ScoredImage] = []
    failed: list[Failure] = []
    step = 1
    rows = list(table.itertuples(index=False))

    def alone(row: Any) -> ScoredImage | Failure:
        return _inspect_one(inspect, row, catalog.root, True, time_decoding, pixel_threshold)

    def beside(row: Any) -> ScoredImage | Failure:
        return _inspect_one(side_by_side or inspect, row, catalog.root, False, False, pixel_threshold)

    def come() -> Iterator[ScoredImage | Failure]:
        coming, timed = iter(rows), 0
        for row in coming:
            image = alone(row)
            yield image
            timed += isinstance(image, ScoredImage)
            if side_by_side is not None and timed == TIMED:
                yield from look_ahead(beside, coming, threads, 2 * threads)

    for image in track(come(), f"Inspecting {catalog.category}", len(rows)):
        if isinstance(image, Failure):
            failed.append(image)
            continue
        if not images:
            step = _grid_step(len(rows) * image.anomaly_map.size, pixel_cap)
        images.append(_thinned(image, step))
    if not images:
        raise CatalogError(
            f"None of the {len(rows)} test images of {catalog.root} could be read; the first: "
            f"{failed[0].path}: {failed[0].detail}"
        )
    measured = _measure_pixels(images, step, binned)
    return Evaluation(
        category=catalog.category,
        threshold=float(threshold),
        pixel_threshold=float(pixel_threshold),
        map_scale=map_scale or _usual_scale(images, pixel_threshold),
        images=tuple(images),
        failed=(*failed, *measured.unreadable),
        pixels=measured.pixels,
        pixel_note=measured.note,
        grid_step=step,
        detections=measured.detections,
        saturated_overlap=_measure_saturated(images, catalog) if measured.pixels else None,
        learnt_types=tuple(learnt_types),
    )


def mask_on_grid(mask: BoolArray, height: int, width: int) -> BoolArray:
    """Bring a mask to a map's grid: each pixel takes the nearest mask pixel, so areas stay right on average.

    A mask with anomalous pixels never becomes empty: if all fall between the grid's pixels, the most
    covered stays.
    """
    if mask.shape == (height, width):
        return mask
    pixels = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
    scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).view(np.bool_)
    if mask.any() and not scaled.any():
        cover = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        scaled.flat[int(np.argmax(cover))] = True
    return np.asarray(scaled, dtype=np.bool_)


@dataclass(frozen=True)
class _Measured:
    """Metrics where the truth is known, a note on what was left out, and masks that could not be read."""

    pixels: PixelMetrics | None = None
    detections: Detections | None = None
    note: str = ""
    unreadable: tuple[Failure, ...] = ()


def _inspect_one(
    inspect: Inspect, row: Any, root: Path, timed: bool, decoding: bool, pixel_threshold: float
) -> ScoredImage | Failure:
    """Inspect one row of the catalog's table, with times where it is alone."""
    path = Path(row.path)
    started = time.perf_counter()
    try:
        inspection = inspect(path)
        inspected = time.perf_counter()
        if decoding:
            read_image(path)
    except ImageError as error:
        return Failure(path, error.detail)
    decoded = time.perf_counter()
    if not np.isfinite(inspection.score) or not np.isfinite(inspection.anomaly_map).all():
        raise BlemishError(f"{path}: its anomaly score or map is not finite: fit the inspector again.")
    return ScoredImage(
        path=path,
        name=image_name(path, root),
        anomalous=row.label == "anomalous",
        defect_type=str(row.defect_type),
        score=float(inspection.score),
        anomaly_map=inspection.anomaly_map,
        mask_path=Path(row.mask) if isinstance(row.mask, str) and row.mask else None,
        inspect_ms=(inspected - started) * 1e3 if timed else float("nan"),
        decode_ms=(decoded - inspected) * 1e3 if decoding else 0.0 if timed else float("nan"),
        gives_map=inspection.gives_map,
        regions=_regions(inspection, _pixels(inspection, pixel_threshold)),
        types=inspection.types,
        type=inspection.type,
        counted=inspection.counted,
        pixels=_pixels(inspection, pixel_threshold),
        reason=inspection.reason,
    )


def _pixels(inspection: Inspection, pixel_threshold: float) -> PixelDecision:
    """Where a region is: as the inspector reports them at its own threshold, and all above any other."""
    own = inspection.pixels
    return own if own.threshold == pixel_threshold else PixelDecision(threshold=pixel_threshold)


def _regions(inspection: Inspection, pixels: PixelDecision) -> tuple[Region, ...]:
    """Where the map is above its threshold, whatever the verdict: a detection is ranked, not decided."""
    if not inspection.gives_map:
        return ()
    size = inspection.width, inspection.height
    return find_regions(inspection.anomaly_map, pixels, *size, counted=inspection.counted)


def _grid_step(n_pixels: int, cap: int) -> int:
    """Smallest step that brings `n_pixels` under `cap` when every step-th row and column is kept."""
    return int(np.ceil(np.sqrt(n_pixels / cap))) if n_pixels > cap else 1


def _thinned(image: ScoredImage, step: int) -> ScoredImage:
    """The image with its map on the coarser grid, each coarse pixel read at its middle."""
    coarse = image.anomaly_map[step // 2 :: step, step // 2 :: step]
    return replace(image, anomaly_map=np.array(coarse, dtype=np.float32))


def _measure_pixels(images: Sequence[ScoredImage], step: int, binned: bool) -> _Measured:
    """Metrics of places.

    An anomalous image with no mask, or an empty one, says nothing of where its defect is, so it is left out. Where
    nobody looks, pixels are neither found nor missed: they are left out of the images, and of the masks.
    """
    if not all(image.gives_map for image in images):
        return _Measured(note="This detector shows no place, so there is nothing to compare with masks.")
    if not any(image.mask_path for image in images):
        return _Measured(note="There are no masks to compare the anomaly maps with.")
    known: list[ScoredImage] = []
    masks: list[BoolArray] = []
    counted: list[BoolArray | None] = []
    boxes: list[Boxes] = []
    unreadable: list[Failure] = []
    hidden = 0
    for image in track(images, "Comparing maps with masks"):
        mask: BoolArray = np.zeros(image.anomaly_map.shape, np.bool_)
        if image.mask_path is not None:
            try:
                mask = read_mask(image.mask_path)
            except ImageError as error:
                unreadable.append(Failure(image.mask_path, error.detail))
        seen = _seen_of(mask, image)
        hidden += bool(mask.any() and not seen.any())
        if image.anomalous and not seen.any():
            continue
        known.append(image)
        masks.append(mask_on_grid(seen, *image.anomaly_map.shape))
        counted.append(image.counted_on(image.anomaly_map.shape))
        boxes.append(boxes_of(seen))
    notes = []
    if unknown := len(images) - len(known) - hidden:
        n_anomalous = sum(image.anomalous for image in images)
        notes.append(f"{unknown} of {n_anomalous} defective images have no usable mask and are left out.")
    if step > 1:
        notes.append(f"Measured on the maps at 1/{step} of their width and height, to bound memory.")
    if hidden:
        notes.append(
            f"The defects of {hidden} defective image{'' if hidden == 1 else 's'} lie where nothing is looked at, and "
            "are left out of these figures; as images they count."
        )
    looked = [one for one in counted if one is not None]
    if unseen := sum(int(one.size - np.count_nonzero(one)) for one in looked):
        total = sum(image.anomaly_map.size for image in known)
        notes.append(
            f"{unseen:,} of {total:,} pixels ({unseen / total:.1%}) are not looked at: they are left out, neither "
            "found nor missed."
        )
    measure = binned_pixel_metrics if binned else pixel_metrics
    pixels = measure(masks, [image.anomaly_map for image in known], counted=counted)
    found = measure_detections(boxes, [image.regions for image in known])
    return _Measured(pixels if pixels.n_regions else None, found, " ".join(notes), tuple(unreadable))


def _seen_of(mask: BoolArray, image: ScoredImage) -> BoolArray:
    """A mask, bool H x W, where its photograph was looked at."""
    seen = image.counted_on(mask.shape)
    return mask if seen is None else mask & seen


def _measure_saturated(images: Sequence[ScoredImage], catalog: Catalog) -> float | None:
    """Area under the saturated overlap; None where the catalog does not say what saturates a defect.

    Defective images of which a mask cannot be read say nothing of where their defects are, so they are left out.
    """
    from blemish.data.saturation import saturated_defects  # what only a laboratory has

    defects = saturated_defects(catalog)
    if defects is None:
        return None
    known: list[tuple[list[tuple[BoolArray, float]], FloatArray]] = []
    counted: list[BoolArray | None] = []
    for image in track(images, "Comparing maps with defects"):
        try:
            read = [(_seen_of(read_mask(one.mask), image), one) for one in defects.get(image.path, [])]
        except ImageError:
            continue
        if image.anomalous and not any(mask.any() for mask, _ in read):
            continue
        on_grid = []
        for mask, defect in read:
            coarse = mask_on_grid(mask, *image.anomaly_map.shape)
            if area := int(coarse.sum()):
                saturation = defect.saturation(int(mask.sum())) * coarse.size / mask.size
                on_grid.append((coarse, min(saturation, area)))
        known.append((on_grid, image.anomaly_map))
        counted.append(image.counted_on(image.anomaly_map.shape))
    return saturated_overlap([on_grid for on_grid, _ in known], [one for _, one in known], counted=counted)


def _usual_scale(images: Sequence[ScoredImage], pixel_threshold: float) -> tuple[float, float]:
    """Colour limits from what good parts usually show, with the pixel threshold in the middle."""
    normal = [image for image in images if not image.anomalous] or list(images)
    low = float(np.median([np.median(image.anomaly_map) for image in normal]))
    if low < pixel_threshold:
        return low, 2 * pixel_threshold - low
    highest = max(float(image.anomaly_map.max()) for image in images)
    return low, max(highest, float(np.nextafter(low, np.inf)))
