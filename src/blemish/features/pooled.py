"""Deep features for tables: a frozen backbone's feature maps pooled over space, one row of numbers an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.progress import track
from blemish.core.types import FloatArray
from blemish.features.backbones import backbone_strides, transformer_of
from blemish.features.extraction import FeatureExtractor, FeatureMaps

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog

DEPTHS = ("last", "mid")
"""Where a backbone is read: after its last stage, or after the stages of strides 8 and 16; a vision transformer after
its last block, or after those at half and three quarters of its depth."""


POOLINGS: dict[str, tuple[Callable[..., Any], ...]] = {
    "mean": (np.mean,),
    "max": (np.max,),
    "extremes": (np.max, np.min),
}
"""What is kept of a channel over the whole image: a small defect moves its extremes, and hardly its mean."""


def depth_taps(depth: str, backbone: str) -> tuple[int, ...]:
    """Taps at which a backbone is read for `depth`: of resnet50 stride 32 (2048 channels), or 8 and 16 (512 + 1024).

    Raises:
        UsageError: no such depth or backbone.
    """
    if depth not in DEPTHS:
        raise UsageError(f"There are no deep features {depth}: choose one of {', '.join(DEPTHS)}.")
    transformer = transformer_of(backbone)
    if transformer is not None:
        return transformer.usual_taps() if depth == "last" else transformer.usual_taps(4)[1:3]
    return (max(backbone_strides(backbone)),) if depth == "last" else (8, 16)


def pooled(maps: FeatureMaps, pooling: str = "mean") -> FloatArray:
    """Feature maps, float32 channels x height x width each, pooled over space as `POOLINGS` says: one float32 vector.

    It is ordered by map, then by what is kept of a channel, then by channel.
    """
    parts = [pool(features.astype(np.float64), (1, 2)) for features in maps for pool in POOLINGS[pooling]]
    return np.concatenate(parts).astype(np.float32)


class PooledVectors:
    """Pooled features of files as vectors, through the extractor and its cache.

    Attributes:
        names: of the columns, `TAP_CHANNEL` as in `stride8_012` or `block12_012`.
        extractor: what reads the backbone.
        pooling: one of `POOLINGS`.
    """

    def __init__(self, extractor: FeatureExtractor, pooling: str = "mean") -> None:
        self.extractor, self.pooling = extractor, pooling
        endings = {"mean": ("",), "max": ("_max",), "extremes": ("_max", "_min")}[pooling]
        taps = zip(extractor.backbone.taps, extractor.backbone.channels, strict=True)
        self.names = tuple(
            f"{extractor.backbone.tap_name(tap)}_{channel:0{len(str(channels - 1))}d}{ending}"
            for tap, channels in taps
            for ending in endings
            for channel in range(channels)
        )

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        """One float32 vector a photograph, in order.

        Raises:
            ImageError: a file cannot be read.
        """
        return (pooled(maps, self.pooling) for maps in self.extractor.stream(paths))


def pooled_table(catalog: Catalog, vectors: PooledVectors) -> pd.DataFrame:
    """Pooled features of all images of a catalog: `path` and a float32 column a channel, a row an image.

    Images that cannot be read are left out; `table.attrs["skipped"]` lists each with path and detail.
    """
    import pandas as pd

    rows: list[FloatArray] = []
    paths: list[str] = []
    skipped: list[dict[str, str]] = []
    for path in track(catalog.table["path"].tolist(), f"Reading {catalog.category}"):
        try:
            rows.append(pooled(vectors.extractor.extract(Path(path)), vectors.pooling))
            paths.append(path)
        except ImageError as error:
            skipped.append({"path": path, "detail": error.detail})
    values = np.stack(rows) if rows else np.empty((0, len(vectors.names)), np.float32)
    table = pd.DataFrame(values, columns=list(vectors.names))
    table.insert(0, "path", pd.Series(paths, dtype=object))
    table.attrs["skipped"] = skipped
    return table
