"""Handcrafted features: one photograph as a row of named numbers that a person can read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import DEFAULT_LIMITS, decode_image, read_content, read_image
from blemish.core.preprocessing import Preprocessing, resize
from blemish.core.progress import track
from blemish.core.types import ByteArray, FloatArray
from blemish.features import pixel_statistics, shape_statistics
from blemish.features.cache import FeatureCache

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog

RAW_SIDE = 224
"""Side in pixels at which raw pixels are taken."""

METADATA = ("path", "category", "subclass", "set_type", "anomaly_status", "anomaly_type")
"""Columns of a table that say what an image is; all others are features."""

_RAW = Preprocessing(height=RAW_SIDE, width=RAW_SIDE, mean=(0, 0, 0), std=(1, 1, 1))
_VERSION = (
    1  # of what the features mean: raise it when a definition changes, or old values are read from the cache
)


def handcrafted_features(image: ByteArray) -> dict[str, float]:
    """Features of a whole photograph by name, in the order of `feature_names`; all are finite.

    Each group is described where it is computed, in `blemish.features.pixel_statistics` and `shape_statistics`.

    Args:
        image: uint8 RGB, H x W x 3, of any size from 1 x 1.

    Raises:
        UsageError: it is no such array.

    Example:
        >>> handcrafted_features(np.zeros((2, 4, 3), np.uint8))["aspect_ratio"]
        2.0
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.dtype != np.uint8:
        raise UsageError(
            f"An array of shape {image.shape} and type {image.dtype} has no handcrafted features: "
            "give uint8 RGB, H x W x 3."
        )
    found: dict[str, float] = {}
    for group in feature_groups(image).values():
        found |= {name: float(value) for name, value in group().items()}
    return found


def feature_groups(image: ByteArray) -> dict[str, Callable[[], Mapping[str, float]]]:
    """What computes each group of a photograph's features, by the group's name."""
    image = np.ascontiguousarray(image)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    small, scale = shape_statistics.reduced(grey)
    return {
        "size": lambda: pixel_statistics.size_features(image),
        "colour": lambda: pixel_statistics.colour_features(image),
        "edges": lambda: pixel_statistics.edge_features(grey),
        "symmetry": lambda: pixel_statistics.symmetry_features(grey),
        "gradients": lambda: pixel_statistics.gradient_features(grey),
        "objects": lambda: shape_statistics.object_features(grey),
        "intensity": lambda: pixel_statistics.intensity_features(grey),
        "spectrum": lambda: pixel_statistics.spectrum_features(grey),
        "lines": lambda: shape_statistics.line_features(small, scale),
        "blobs": lambda: shape_statistics.blob_features(small),
        "regions": lambda: shape_statistics.region_features(small),
        "noise": lambda: pixel_statistics.noise_features(grey),
    }


@cache
def feature_names() -> tuple[str, ...]:
    """Names of the handcrafted features, in order."""
    return tuple(handcrafted_features(np.zeros((1, 1, 3), np.uint8)))


def raw_pixels(image: ByteArray) -> ByteArray:
    """The photograph (uint8 RGB, H x W x 3) stretched to 224 x 224, its 150,528 values in the order of `raw_names`."""
    return np.ascontiguousarray(resize(image, _RAW)).ravel()


@cache
def raw_names() -> tuple[str, ...]:
    """Names of the raw pixels: `pixel_ROW_COLUMN_CHANNEL`, row by row, channels red, green, blue."""
    places = range(RAW_SIDE)
    return tuple(
        f"pixel_{row:03d}_{column:03d}_{channel}" for row in places for column in places for channel in "rgb"
    )


class HandcraftedVectors:
    """Handcrafted features of files as vectors, through the feature cache.

    Attributes:
        names: of the columns.
        bit_depth: bits that 16-bit photographs really use.
    """

    def __init__(self, bit_depth: int = 16, cache: FeatureCache | None = None) -> None:
        self.names = feature_names()
        self.bit_depth = bit_depth
        self._cache = FeatureCache() if cache is None else cache

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order.

        Raises:
            ImageError: a file cannot be read.
        """
        for path in paths:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            key = f"{hashlib.sha256(content).hexdigest()}|handcrafted {_VERSION}|{self.bit_depth}"
            vector = self._cache.get(key, len(self.names))
            if vector is None:
                image = decode_image(content, str(path), bit_depth=self.bit_depth)
                vector = np.array(list(handcrafted_features(image).values()), np.float32)
                self._cache.put(key, vector)
            yield vector


def handcrafted_table(catalog: Catalog, raw: bool = False, bit_depth: int = 16) -> pd.DataFrame:
    """Handcrafted features of all images of a catalog as a table, a row an image, in the catalog's order.

    One photograph is held at a time: memory grows by the table's own half kilobyte an image, with raw pixels by 150.
    Images that cannot be read are left out; `table.attrs["skipped"]` lists each with path and detail.

    Args:
        catalog: one category.
        raw: adds the columns `raw_names`, uint8.
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        The columns `METADATA` and `feature_names`. `category` is the catalog's name; `subclass` is the catalog's, or
        where it has none the name of the folder that the image lies in; `set_type` is its split, `anomaly_status` its
        label, `anomaly_type` its defect type.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    pixels: list[ByteArray] = []
    skipped: list[dict[str, str]] = []
    images = list(catalog.table.itertuples(index=False))
    for image in track(images, f"Measuring {catalog.category}"):
        try:
            photograph = read_image(Path(str(image.path)), bit_depth=bit_depth)
        except ImageError as error:
            skipped.append({"path": str(image.path), "detail": error.detail})
            continue
        rows.append(_metadata(catalog, image) | handcrafted_features(photograph))
        if raw:
            pixels.append(raw_pixels(photograph))
    table = pd.DataFrame(rows, columns=[*METADATA, *feature_names()])
    if raw:
        values = np.stack(pixels) if pixels else np.empty((0, len(raw_names())), np.uint8)
        table = pd.concat([table, pd.DataFrame(values, columns=list(raw_names()))], axis=1)
    table.attrs["skipped"] = skipped
    return table


def _metadata(catalog: Catalog, image: Any) -> dict[str, Any]:
    """What the catalog knows of an image."""
    path = Path(str(image.path))
    subclass = catalog.subclass or path.parent.name
    values = (path, catalog.category, subclass, image.split, image.label, image.defect_type)
    return dict(zip(METADATA, map(str, values), strict=True))
