"""`blemish gallery`: past defects are kept, to find similar ones."""

from __future__ import annotations

import typer

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows.index_defects import IndexDefectsRequest, IndexDefectsResult, index_defects

app = typer.Typer(rich_markup_mode=None, help="Keep defects, to find similar ones.", no_args_is_help=True)


@app.callback()
def gallery() -> None:
    """Keep defects, to find similar ones."""


@app.command()
@verb(IndexDefectsRequest)
def index(request: IndexDefectsRequest) -> IndexDefectsResult:
    """Put the defective photographs of a category into the gallery.

    All that are labelled as defective are kept with their defect type. A photograph that cannot be read is named,
    and the others go on; then the exit status is 1. What is in the gallery already is replaced, not doubled.

    \b
    blemish gallery index photographs/ --inspector part.blemish
    """
    result = index_defects(request)
    kept = sum(result.types.values())
    console.print(f"{kept} defects of {result.category} kept; the gallery holds {result.count}.")
    for name, number in result.types.items():
        console.print(f"  {name}: {number}")
    return result
