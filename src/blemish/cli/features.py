"""`blemish features`: images as a table of numbers, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr
from blemish.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog
    from blemish.features.pooled import PooledVectors

_SUFFIXES = (".parquet", ".csv")


class Deep(StrEnum):
    """Where a backbone is read, as in `blemish.features.pooled.DEPTHS`."""

    LAST = "last"
    MID = "mid"


def features(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of images in any layout, or a manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The table to write, NAME.parquet or NAME.csv.")],
    raw: Annotated[
        bool,
        typer.Option("--raw-pixels", help="Add the 150,528 values of the image at 224 x 224."),
    ] = False,
    deep: Annotated[
        Deep | None,
        typer.Option(help="Add a backbone's features, averaged over space: last stage, or strides 8 and 16."),
    ] = None,
    backbone: Annotated[str, typer.Option(help="Pretrained network for --deep.")] = "efficientnet_lite0",
    weights: Annotated[Path | None, typer.Option(help="File with the backbone's weights.")] = None,
    size: Annotated[int, typer.Option(help="Side in pixels at which the backbone reads.")] = 352,
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, only this one.")
    ] = None,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    json_output: JsonOption = False,
) -> None:
    """Write features of whole images as a table, a row an image.

    Images that cannot be read are named and left out; exit status 0.

    \b
    blemish features photographs/ --out features.parquet
    blemish features photographs/ --out features.csv --deep mid
    """
    import pandas as pd

    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category

    if out.suffix not in _SUFFIXES:
        raise UsageError(
            f"{out} ends in neither .parquet nor .csv: name the table, as --out features.parquet."
        )
    catalogs = [open_category(data, category)] if category else open_catalogs(data)
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        pooled = _pooled_vectors(deep, backbone, weights, size, bit_depth) if deep else None
        tables = [_table(catalog, raw, pooled, bit_depth) for catalog in catalogs]
        skipped = [one for table in tables for one in table.attrs.pop("skipped")]
        table = pd.concat(tables, ignore_index=True)
        _write(table, out)
    for one in skipped:
        messages.print(f"Skipped {one['path']}: {one['detail']}", style="yellow")
    rows, columns = table.shape
    document = {"out": str(out), "images": rows, "columns": columns, "skipped": skipped}
    emit(document, json_output, lambda: console.print(f"{out}: {rows} images, {columns} columns"))


def _pooled_vectors(
    deep: Deep, backbone: str, weights: Path | None, size: int, bit_depth: int
) -> PooledVectors:
    from blemish.features.backbones import load_backbone
    from blemish.features.extraction import FeatureExtractor
    from blemish.features.pooled import PooledVectors, depth_taps

    if size % 32 or not 64 <= size <= 2048:
        raise UsageError(f"--size {size} is not possible: choose a multiple of 32 from 64 to 2048.")
    network = load_backbone(backbone, depth_taps(deep, backbone), weights)
    return PooledVectors(FeatureExtractor(network, network.preprocessing(size, size, bit_depth)))


def _table(catalog: Catalog, raw: bool, pooled: PooledVectors | None, bit_depth: int) -> pd.DataFrame:
    """Features of one category; `attrs["skipped"]` lists what could not be read."""
    from blemish.features.handcrafted import handcrafted_table
    from blemish.features.pooled import pooled_table

    table = handcrafted_table(catalog, raw, bit_depth)
    if pooled is None:
        return table
    skipped = table.attrs["skipped"]
    deep = pooled_table(catalog, pooled)
    joined = table.merge(deep.drop_duplicates("path"), on="path")
    joined.attrs["skipped"] = skipped
    return joined


def _write(table: pd.DataFrame, out: Path) -> None:
    """Write the table as its suffix says, whole or not at all."""
    from blemish.core.storage import atomic_file

    with atomic_file(out) as stream:
        if out.suffix == ".csv":
            table.to_csv(stream, index=False)
        else:  # dictionaries and statistics of 150,000 columns would double time and memory
            table.to_parquet(stream, index=False, use_dictionary=False, write_statistics=False)
