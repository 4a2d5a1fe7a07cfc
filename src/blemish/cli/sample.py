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
    from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
    from blemish.data.synthetic import DEFECT_PAINTERS

    folders = write_sample_line(
        out, tuple(category or SAMPLE_CATEGORIES), train, good, per_defect_type, size, seed
    )
    document = {
        "folders": [str(folder) for folder in folders],
        "train": train,
        "test_good": good,
        "test_defective": per_defect_type * len(DEFECT_PAINTERS),
        "defect_types": list(DEFECT_PAINTERS),
        "size": size,
        "seed": seed,
    }

    def human() -> None:
        for folder in folders:
            console.print(
                f"{folder}: {train} to learn from, {good} good and {document['test_defective']} "
                "defective to test"
            )
        console.print(f"Next: blemish fit {folders[0]} --out {folders[0].name}.blemish")

    emit(document, json_output, human)
