"""`blemish gallery`: past defects are kept, to find similar ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit

app = typer.Typer(rich_markup_mode=None, help="Keep defects, to find similar ones.", no_args_is_help=True)

InspectorOption = Annotated[
    Path, typer.Option("--inspector", metavar="NAME.blemish", help="The inspector that says where to look.")
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        "--gallery",
        metavar="DIR|URL",
        help="Folder of the gallery, or URL of a Qdrant server. [default: gallery in BLEMISH_HOME]",
    ),
]


@app.callback()
def gallery() -> None:
    """Keep defects, to find similar ones."""


@app.command()
def index(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of one category, or a manifest.")],
    inspector: InspectorOption,
    location: GalleryOption = None,
    json_output: JsonOption = False,
) -> None:
    """Put the defective photographs of a category into the gallery.

    All that are labelled as defective are kept with their defect type. A photograph that cannot be read is named,
    and the others go on; then the exit status is 1. What is in the gallery already is replaced, not doubled.

    \b
    blemish gallery index photographs/ --inspector part.blemish
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.index_defects import IndexDefectsRequest, index_defects

    request = IndexDefectsRequest(data=data, inspector=inspector, gallery=location)
    with use_reporter(reporter_for(json_output)):
        result = index_defects(request)

    def human() -> None:
        kept = sum(result.types.values())
        console.print(f"{kept} defects of {result.category} kept; the gallery holds {result.count}.")
        for name, number in result.types.items():
            console.print(f"  {name}: {number}")

    emit(result.to_json(), json_output, human)
    if not result.complete:
        raise typer.Exit(1)
