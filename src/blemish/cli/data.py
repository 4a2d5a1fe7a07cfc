"""`blemish data`: real data sets that others publish."""

from __future__ import annotations

import typer

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows.data import GetDataRequest, GetDataResult, get_data

app = typer.Typer(
    help="Get real data sets that others publish, in the MVTec AD layout.", no_args_is_help=True
)


@app.callback()
def data() -> None:
    """Get real data sets that others publish, in the MVTec AD layout."""


@app.command()
@verb(GetDataRequest)
def get(request: GetDataRequest) -> GetDataResult:
    """Get a published data set."""
    result = get_data(request)
    console.print(result.licence)
    for one in result.counts():
        console.print(f"{one['folder']}: {one['train']} to learn from, {one['test']} to test")
    first = result.folders[0]
    console.print(f"Next: blemish fit {first} --out {first.name}.blemish")
    return result
