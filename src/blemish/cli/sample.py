"""`blemish sample`: write the generated sample line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit


def sample(
    out: Annotated[Path, typer.Argument(help="Folder for the categories; each becomes a folder in it.")],
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            help="Only this category (repeat for more): brick, grass, gravel, washer, label, board.",
        ),
    ] = None,
    train: Annotated[int, typer.Option(help="Good images to learn from, per category.")] = 40,
    good: Annotated[int, typer.Option(help="Good images to test with, per category.")] = 16,
    per_defect_type: Annotated[int, typer.Option(help="Test images of each of the six types of defect.")] = 4,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="The same seed gives the same images.")] = 0,
    json_output: JsonOption = False,
) -> None:
    """Generate the sample line: six categories with defects and exact masks, in the MVTec AD layout.

    \b
    blemish sample parts --category washer
    """
    from blemish.workflows.sample import SampleRequest
    from blemish.workflows.sample import sample as write_sample

    request = SampleRequest(
        out=out,
        categories=tuple(category or ()),
        train=train,
        good=good,
        per_defect_type=per_defect_type,
        size=size,
        seed=seed,
    )
    result = write_sample(request)

    def human() -> None:
        for folder in result.folders:
            console.print(
                f"{folder}: {train} to learn from, {good} good and {result.n_defective} defective to test"
            )
        first = result.folders[0]
        console.print(f"Next: blemish fit {first} --out {first.name}.blemish")

    emit(result.to_json(), json_output, human)
