"""Photographs as a table of numbers, for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.file_names import escaped
from blemish.core.progress import say
from blemish.core.storage import atomic_file
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import BitDepth, CategoryName, Images, WeightsFiles
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog
    from blemish.features.pooled import PooledVectors

_SUFFIXES = (".parquet", ".csv")
_USUAL_SIZE = 352


class FeaturesRequest(DataRequest):
    """Write features of whole photographs as a table."""

    data: Images
    out: Path = Field(description="The table to write, NAME.parquet or NAME.csv.")
    features: Literal["direct", "pixels", "direct-pixels"] = Field(
        "direct",
        description="Of the photograph itself: the handcrafted features, its 150,528 raw values at 224 x 224, or both.",
    )
    raw_pixels: bool = Field(False, description="The same as --features direct-pixels.")
    deep: Literal["last", "mid"] | None = Field(
        None,
        description="Add a backbone's features, pooled over space: last stage, or strides 8 and 16; of a vision "
        "transformer the last block, or those at half and three quarters.",
    )
    pooling: Literal["mean", "max", "extremes"] = Field(
        "mean", description="What --deep keeps of a channel; extremes are maximum and minimum."
    )
    backbone: str = Field("efficientnet_lite0", description="Pretrained network for --deep.")
    weights: WeightsFiles = Field({})
    size: int | None = Field(
        None,
        description="Side in pixels at which the backbone reads: 352 if absent; a vision transformer's own.",
    )
    transform: Literal["scaled", "pca"] | None = Field(
        None,
        description="Write the features scaled, or their principal components, as learnt from the good training "
        "images alone.",
    )
    scaling: Literal["standard", "minmax"] = Field(
        "standard", description="Of --transform: to mean 0 and deviation 1, or to 0 to 1."
    )
    explained: float = Field(
        0.95, gt=0, le=1, description="Of --transform pca: share of the variance that the components explain."
    )
    category: CategoryName = None
    bit_depth: BitDepth = 16


@dataclass(frozen=True)
class FeaturesResult(Outcome):
    """What was written.

    Attributes:
        out: the table.
        images, columns: its rows and columns.
        explained: share of the variance that each principal component explains, where there are any.
        skipped: photographs that cannot be read, each with path and detail.
    """

    out: Path
    images: int
    columns: int
    skipped: list[dict[str, str]]
    explained: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        document = {**vars(self), "out": str(self.out)}
        if not self.explained:
            del document["explained"]
        return document


def features(request: FeaturesRequest) -> FeaturesResult:
    """Measure every photograph and write the table, whole or not at all.

    With `transform`, features are read photograph by photograph and never all held, but for scaled ones.

    Raises:
        UsageError: the table's name, the size or the backbone is not possible.
        CatalogError: there are no photographs, or too few good training images to learn a transform from.
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
    told, category = request.told, request.category
    catalogs = [open_category(data, category, told=told)] if category else open_catalogs(data, told)
    if request.raw_pixels and request.features != "direct":
        raise UsageError(
            f"--raw-pixels means --features direct-pixels, not {request.features}: give one of the two."
        )
    pooled = _pooled_vectors(request)
    if request.transform is None:
        tables = [_table(catalog, request, pooled) for catalog in catalogs]
        skipped = [one for table in tables for one in table.attrs.pop("skipped")]
        table = pd.concat(tables, ignore_index=True)
    else:
        table = _transformed(catalogs, request, pooled)
        skipped = table.attrs.pop("skipped")
    explained = table.attrs.pop("explained", [])
    with atomic_file(out) as stream:
        if out.suffix == ".csv":
            table.to_csv(stream, index=False, encoding="utf-8", errors="surrogateescape")
        else:  # dictionaries and statistics of 150,000 columns would double time and memory
            texts = table.select_dtypes(object)
            table = table.assign(**{str(name): texts[name].map(escaped) for name in texts})
            table.to_parquet(stream, index=False, use_dictionary=False, write_statistics=False)
    for one in skipped:
        say(f"Skipped {one['path']}: {one['detail']}")
    return FeaturesResult(out, *table.shape, skipped, explained)


def _pooled_vectors(request: FeaturesRequest) -> PooledVectors | None:
    """What reads the backbone, where it is asked for."""
    from blemish.detectors.chosen import check_weights, file_of

    check_weights(request.weights, [request.backbone] if request.deep else [])
    if request.deep is None:
        return None
    from blemish.features.backbones import load_backbone, transformer_of
    from blemish.features.extraction import FeatureExtractor
    from blemish.features.pooled import PooledVectors, depth_taps

    name, transformer = request.backbone, transformer_of(request.backbone)
    taps, weights = depth_taps(request.deep, name), file_of(request.weights, name)
    if transformer is None:
        size = _USUAL_SIZE if request.size is None else request.size
        if size % 32 or not 64 <= size <= 2048:
            raise UsageError(f"--size {size} is not possible: choose a multiple of 32 from 64 to 2048.")
        network = load_backbone(name, taps, weights)
    else:
        size = transformer.usual_size if request.size is None else request.size
        network = load_backbone(name, taps, weights, size=size)
    extractor = FeatureExtractor(network, network.preprocessing(size, size, request.bit_depth))
    return PooledVectors(extractor, request.pooling)


def _own(request: FeaturesRequest) -> str:
    """Which features of the photograph itself are asked for."""
    return "direct-pixels" if request.raw_pixels else request.features


def _transformed(
    catalogs: Sequence[Catalog], request: FeaturesRequest, pooled: PooledVectors | None
) -> pd.DataFrame:
    """Features of all categories, transformed; `attrs` list what could not be read and what components explain."""
    from blemish.features.handcrafted import row_vectors
    from blemish.features.rows import JoinedVectors
    from blemish.features.transformed import Transform, transformed_table

    own, pca = _own(request), request.transform == "pca"
    vectors = JoinedVectors([row_vectors(own, request.bit_depth), *([] if pooled is None else [pooled])])
    return transformed_table(
        catalogs, vectors, Transform(request.scaling, pca, request.explained, streamed=own != "direct")
    )


def _table(catalog: Catalog, request: FeaturesRequest, pooled: PooledVectors | None) -> pd.DataFrame:
    """Features of one category; `attrs["skipped"]` lists what could not be read."""
    import pandas as pd

    from blemish.features.handcrafted import handcrafted_table
    from blemish.features.pooled import pooled_table

    table = handcrafted_table(catalog, _own(request), request.bit_depth)
    if pooled is None:
        return table
    skipped = table.attrs["skipped"]
    deep = pooled_table(catalog, pooled)
    # Not by pandas' merge, which takes no path that is not UTF-8.
    places = {path: row for row, path in enumerate(deep["path"])}
    known = table[[path in places for path in table["path"]]].reset_index(drop=True)
    rows = [places[path] for path in known["path"]]
    joined = pd.concat([known, deep.drop(columns="path").iloc[rows].reset_index(drop=True)], axis=1)
    joined.attrs["skipped"] = skipped
    return joined
