"""`blemish features`: images as a table of numbers, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr


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
        str | None, typer.Option(help="Of several categories in DATA, only this one; of one, its name.")
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
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.features import FeaturesRequest
    from blemish.workflows.features import features as write_features

    request = FeaturesRequest(
        data=data,
        out=out,
        raw_pixels=raw,
        deep=deep.value if deep else None,
        backbone=backbone,
        weights=weights,
        size=size,
        category=category,
        bit_depth=bit_depth,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        result = write_features(request)
    for one in result.skipped:
        messages.print(f"Skipped {one['path']}: {one['detail']}", style="yellow")
    text = f"{out}: {result.images} images, {result.columns} columns"
    emit(result.to_json(), json_output, lambda: console.print(text))
