"""Photographs as a table of numbers, for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.progress import say
from blemish.core.storage import atomic_file
from blemish.workflows.fields import BitDepth, CategoryName, Images, WeightsFiles
from blemish.workflows.request import Outcome, Request

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog
    from blemish.features.pooled import PooledVectors

_SUFFIXES = (".parquet", ".csv")


class FeaturesRequest(Request):
    """Write features of whole photographs as a table."""

    data: Images
    out: Path = Field(description="The table to write, NAME.parquet or NAME.csv.")
    raw_pixels: bool = Field(False, description="Add the 150,528 values of the image at 224 x 224.")
    deep: Literal["last", "mid"] | None = Field(
        None,
        description="Add a backbone's features, averaged over space: last stage, or strides 8 and 16.",
    )
    backbone: str = Field("efficientnet_lite0", description="Pretrained network for --deep.")
    weights: WeightsFiles = Field({})
    size: int = Field(352, description="Side in pixels at which the backbone reads.")
    category: CategoryName = None
    bit_depth: BitDepth = 16


@dataclass(frozen=True)
class FeaturesResult(Outcome):
    """What was written.

    Attributes:
        out: the table.
        images, columns: its rows and columns.
        skipped: photographs that cannot be read, each with path and detail.
    """

    out: Path
    images: int
    columns: int
    skipped: list[dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {**vars(self), "out": str(self.out)}


def features(request: FeaturesRequest) -> FeaturesResult:
    """Measure every photograph and write the table, whole or not at all.

    Raises:
        UsageError: the table's name, the size or the backbone is not possible.
        CatalogError: there are no photographs.
        BlemishError: the file cannot be written.
    """
    import pandas as pd

    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category

    data, out = request.data, request.out
    if out.suffix not in _SUFFIXES:
        raise UsageError(
            f"{out} ends in neither .parquet nor .csv: name the table, as --out features.parquet."
        )
    catalogs = [open_category(data, request.category)] if request.category else open_catalogs(data)
    pooled = _pooled_vectors(request)
    tables = [_table(catalog, request, pooled) for catalog in catalogs]
    skipped = [one for table in tables for one in table.attrs.pop("skipped")]
    table = pd.concat(tables, ignore_index=True)
    with atomic_file(out) as stream:
        if out.suffix == ".csv":
            table.to_csv(stream, index=False)
        else:  # dictionaries and statistics of 150,000 columns would double time and memory
            table.to_parquet(stream, index=False, use_dictionary=False, write_statistics=False)
    for one in skipped:
        say(f"Skipped {one['path']}: {one['detail']}")
    return FeaturesResult(out, *table.shape, skipped)


def _pooled_vectors(request: FeaturesRequest) -> PooledVectors | None:
    """What reads the backbone, where it is asked for."""
    from blemish.detectors.chosen import check_weights, file_of

    check_weights(request.weights, [request.backbone] if request.deep else [])
    if request.deep is None:
        return None
    from blemish.features.backbones import load_backbone
    from blemish.features.extraction import FeatureExtractor
    from blemish.features.pooled import PooledVectors, depth_taps

    size = request.size
    if size % 32 or not 64 <= size <= 2048:
        raise UsageError(f"--size {size} is not possible: choose a multiple of 32 from 64 to 2048.")
    weights = file_of(request.weights, request.backbone)
    network = load_backbone(request.backbone, depth_taps(request.deep, request.backbone), weights)
    return PooledVectors(FeatureExtractor(network, network.preprocessing(size, size, request.bit_depth)))


def _table(catalog: Catalog, request: FeaturesRequest, pooled: PooledVectors | None) -> pd.DataFrame:
    """Features of one category; `attrs["skipped"]` lists what could not be read."""
    from blemish.features.handcrafted import handcrafted_table
    from blemish.features.pooled import pooled_table

    table = handcrafted_table(catalog, request.raw_pixels, request.bit_depth)
    if pooled is None:
        return table
    skipped = table.attrs["skipped"]
    deep = pooled_table(catalog, pooled)
    joined = table.merge(deep.drop_duplicates("path"), on="path")
    joined.attrs["skipped"] = skipped
    return joined
