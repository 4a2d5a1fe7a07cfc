"""`blemish data`: real data sets that others publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit

app = typer.Typer(
    help="Get real data sets that others publish, in the MVTec AD layout.", no_args_is_help=True
)


@app.callback()
def data() -> None:
    """Get real data sets that others publish, in the MVTec AD layout."""


@app.command()
def get(
    name: Annotated[
        str, typer.Argument(help="elpv (solar cells, from pip) or mvtec-ad (from its publisher).")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the categories; each becomes a folder in it.")
    ],
    category: Annotated[
        str | None, typer.Option("--category", help="mvtec-ad: only this category, as screw.")
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", help="mvtec-ad: address of a folder with the archives, as on your server."),
    ] = None,
    accept_licence: Annotated[
        bool,
        typer.Option(
            "--accept-licence", help="I have read the data set's licence (CC BY-NC-SA 4.0) and agree."
        ),
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Get a published data set."""
    from blemish.workflows.data import GetDataRequest, get_data

    request = GetDataRequest(
        name=name, out=out, category=category, mirror=mirror, accept_licence=accept_licence
    )
    result = get_data(request)

    def human() -> None:
        console.print(result.licence)
        for one in result.counts():
            console.print(f"{one['folder']}: {one['train']} to learn from, {one['test']} to test")
        first = result.folders[0]
        console.print(f"Next: blemish fit {first} --out {first.name}.blemish")

    emit(result.to_json(), json_output, human)
