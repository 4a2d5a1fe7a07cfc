"""Handcrafted features and raw pixels of many photographs, through the caches: rows to learn from, and tables."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, decode_image, read_content, read_image
from blemish.core.progress import track
from blemish.core.types import ByteArray, FloatArray
from blemish.features.cache import FeatureCache
from blemish.features.pixels import PixelCache
from blemish.line.handcrafted import VERSION, feature_names, handcrafted_features
from blemish.line.rows import (
    DIRECT,
    PIXELS,
    handcrafted_row,
    raw_contract,
    raw_names,
    raw_pixels,
    row_names,
)
from blemish.view.view import View

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog

METADATA = ("path", "category", "subclass", "set_type", "anomaly_status", "anomaly_type")
"""Columns of a table that say what an image is; all others are features."""


class HandcraftedVectors:
    """Handcrafted features of files as vectors, through the feature cache.

    Attributes:
        names: of the columns.
        bit_depth: bits that 16-bit photographs really use.
        view: what of them is looked at; all when None.
    """

    def __init__(
        self, bit_depth: int = 16, cache: FeatureCache | None = None, view: View | None = None
    ) -> None:
        self.names = feature_names()
        self.bit_depth = bit_depth
        self.view = view
        self._cache = FeatureCache() if cache is None else cache

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order.

        Raises:
            ImageError: a file cannot be read.
        """
        view = f"|{self.view.key}" if self.view is not None and self.view.key else ""
        for path in paths:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            key = f"{hashlib.sha256(content).hexdigest()}|handcrafted {VERSION}|{self.bit_depth}{view}"
            vector = self._cache.get(key, len(self.names))
            if vector is None:
                image = decode_image(content, str(path), bit_depth=self.bit_depth)
                vector = handcrafted_row(image, self.view)
                self._cache.put(key, vector)
            yield vector


class PixelVectors:
    """Raw pixels of files as vectors, through the cache of pixels, alone or behind the handcrafted features.

    Attributes:
        names: of the columns.
        contract: how photographs are stretched.
    """

    def __init__(self, features: str = PIXELS, bit_depth: int = 16, view: View | None = None) -> None:
        self.names = row_names(features)
        self.contract = raw_contract(bit_depth, view)
        self._before = None if features == PIXELS else HandcraftedVectors(bit_depth, view=view)
        self._pixels = PixelCache()

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order.

        Raises:
            ImageError: a file cannot be read.
        """
        for path in paths:
            row = self._pixels.read(path, self.contract).ravel().astype(np.float32)
            yield row if self._before is None else np.concatenate([*self._before.stream([path]), row])


def row_vectors(
    features: str, bit_depth: int = 16, view: View | None = None
) -> HandcraftedVectors | PixelVectors:
    """What turns files into the rows that `blemish.line.rows.feature_row` makes of their photographs."""
    if features == DIRECT:
        return HandcraftedVectors(bit_depth, view=view)
    return PixelVectors(features, bit_depth, view)


def handcrafted_table(catalog: Catalog, features: str = DIRECT, bit_depth: int = 16) -> pd.DataFrame:
    """Features that need no network of all photographs of a catalog: a row an image, in the catalog's order.

    One photograph is held at a time: memory grows by the table's own half kilobyte an image, with raw pixels by 150.
    Images that cannot be read are left out; `table.attrs["skipped"]` lists each with path and detail.

    Args:
        catalog: one category.
        features: "direct" for the columns `feature_names`, "pixels" for `raw_names`, uint8, or "direct-pixels".
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        The columns `METADATA` and `feature_names`. `category` is the catalog's name; `subclass` is the catalog's, or
        where it has none the name of the folder that the image lies in; `set_type` is its split, `anomaly_status` its
        label, `anomaly_type` its defect type.
    """
    import pandas as pd

    measured: list[dict[str, float]] = []
    pixels: list[ByteArray] = []

    def look(path: Path) -> None:
        photograph = read_image(path, bit_depth=bit_depth)
        measured.append({} if features == PIXELS else handcrafted_features(photograph))
        if features != DIRECT:
            pixels.append(raw_pixels(photograph))

    table = metadata_table(catalog, look)
    parts = [table]
    if features != PIXELS:
        parts.append(pd.DataFrame(measured, columns=list(feature_names())))
    if features != DIRECT:
        values = np.stack(pixels) if pixels else np.empty((0, len(raw_names())), np.uint8)
        parts.append(pd.DataFrame(values, columns=list(raw_names())))
    joined = pd.concat(parts, axis=1)
    joined.attrs["skipped"] = table.attrs["skipped"]
    return joined


def metadata_table(catalog: Catalog, look: Callable[[Path], object]) -> pd.DataFrame:
    """The columns `METADATA` of all images of a catalog that can be read, in its order.

    Args:
        catalog: one category.
        look: reads a photograph; where it raises an ImageError, `table.attrs["skipped"]` says so of that image.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    images = list(catalog.table.itertuples(index=False))
    for image in track(images, f"Measuring {catalog.category}"):
        try:
            look(Path(str(image.path)))
        except ImageError as error:
            skipped.append({"path": str(image.path), "detail": error.detail})
        else:
            rows.append(_metadata(catalog, image))
    table = pd.DataFrame(rows, columns=list(METADATA), dtype=object)  # names need not be UTF-8
    table.attrs["skipped"] = skipped
    return table


def _metadata(catalog: Catalog, image: Any) -> dict[str, Any]:
    """What the catalog knows of an image."""
    path = Path(str(image.path))
    subclass = catalog.subclass or path.parent.name
    values = (path, catalog.category, subclass, image.split, image.label, image.defect_type)
    return dict(zip(METADATA, map(str, values), strict=True))
