"""`blemish synthesize`: a data set with painted defects, from photographs of good parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages


def synthesize(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Photographs of good parts: a folder in any layout.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the data set, in the MVTec AD layout.")],
    defects: Annotated[
        str | None, typer.Option(help="Types with commas between, as scratch,perlin; all if absent.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the test images that get a defect.")] = 0.75,
    seed: Annotated[int, typer.Option(min=0, help="The same seed paints the same.")] = 0,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Paint only on the part, where it lies on an even ground.")
    ] = False,
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, this one; of one, its name.")
    ] = None,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    json_output: JsonOption = False,
) -> None:
    """Paint defects into good photographs.

    60 % of them become train/good; of the others a share gets a defect, with an exact mask. A contact sheet
    shows every type of defect in three strengths.

    \b
    blemish synthesize photographs/ --out painted/ --defects scratch,cutpaste,perlin
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.synthesize import SynthesizeRequest
    from blemish.workflows.synthesize import synthesize as paint

    request = SynthesizeRequest(
        data=data,
        out=out,
        defects=tuple(name.strip() for name in (defects or "").split(",") if name.strip()),
        share=share,
        seed=seed,
        foreground=foreground,
        category=category,
        bit_depth=bit_depth,
    )
    with use_reporter(reporter_for(json_output)):
        result = paint(request)
    made = result.made
    for skipped in made.skipped:
        messages.print(f"Skipped {skipped['path']}: {skipped['detail']}", style="yellow")

    def human() -> None:
        held = ", ".join(f"{name} {count}" for name, count in made.test.items())
        console.print(f"{made.folder}: {made.n_train} good to learn from; to test: {held}")
        console.print(f"Contact sheet: {made.sheet}")
        console.print(f"Next: blemish fit {made.folder} --out {made.folder.name}.blemish")

    emit(result.to_json(), json_output, human)
