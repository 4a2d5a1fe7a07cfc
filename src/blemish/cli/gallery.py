"""`blemish gallery`: past defects are kept, to find similar ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages

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
    from blemish.gallery.gallery import Gallery
    from blemish.line.runtime import Inspector
    from blemish.workflows.index_defects import index_catalog

    loaded = Inspector.load(inspector)
    with use_reporter(reporter_for(json_output)), Gallery(gallery_location(location)) as opened:
        indexed = index_catalog(data, loaded, opened)
        count = opened.count()
    for path, detail in indexed.skipped:
        messages.print(f"ERROR   {path}: {detail}", style="red")

    def human() -> None:
        console.print(
            f"{sum(indexed.types.values())} defects of {indexed.category} kept; the gallery holds {count}."
        )
        for name, number in sorted(indexed.types.items()):
            console.print(f"  {name}: {number}")

    emit({**indexed.to_json(), "count": count}, json_output, human)
    if indexed.skipped:
        raise typer.Exit(1)


def gallery_location(given: str | None) -> str:
    """Where the gallery is: as given, or the folder `gallery` of BLEMISH_HOME."""
    import os

    from platformdirs import user_data_path

    if given:
        return given
    home = os.environ.get("BLEMISH_HOME") or user_data_path("blemish", appauthor=False)
    return str(Path(home) / "gallery")
