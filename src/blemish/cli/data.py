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
    from blemish.core.errors import UsageError
    from blemish.data import elpv, mvtec_ad

    if name == "mvtec-ad":
        licence, folders = mvtec_ad.LICENCE, mvtec_ad.get_mvtec_ad(out, category, mirror, accept_licence)
    elif name == "elpv":
        if category or mirror:
            raise UsageError("elpv comes whole from its pip package: leave out --category and --mirror.")
        licence, folders = elpv.LICENCE, elpv.get_elpv(out)
    else:
        raise UsageError(f"There is no data set {name!r}: choose elpv or mvtec-ad.")

    def human() -> None:
        console.print(licence)
        for folder in folders:
            console.print(
                f"{folder}: {_count(folder / 'train')} to learn from, {_count(folder / 'test')} to test"
            )
        console.print(f"Next: blemish fit {folders[0]} --out {folders[0].name}.blemish")

    counts = [{"folder": str(f), "train": _count(f / "train"), "test": _count(f / "test")} for f in folders]
    emit({"name": name, "licence": licence, "categories": counts}, json_output, human)


def _count(folder: Path) -> int:
    return sum(1 for path in folder.glob("*/*") if path.is_file())
