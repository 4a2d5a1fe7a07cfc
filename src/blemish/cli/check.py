"""`blemish check`: what a folder of images holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog, Problem


def check(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of images in any layout, or a manifest.")
    ],
    json_output: JsonOption = False,
) -> None:
    """Find what is wrong with a folder of images.

    Every image and mask is decoded once. Exit status 1 if anything is wrong.

    \b
    blemish check photographs/
    """
    from blemish.workflows.check import CheckRequest
    from blemish.workflows.check import check as look

    result = look(CheckRequest(data=data))

    def human() -> None:
        for catalog, problems in result.found:
            _print_catalog(catalog, problems)

    emit(result.to_json(), json_output, human)
    if not result.clean:
        raise typer.Exit(1)


def _print_catalog(catalog: Catalog, problems: Sequence[Problem]) -> None:
    console.print(f"{catalog.category}: {len(catalog)} images, layout {catalog.layout}", style="bold")
    for split, counts in catalog.counts().items():
        held = ", ".join(f"{defect_type} {count}" for defect_type, count in counts.items())
        console.print(f"  {split}: {held or 'none'}")
    for problem in problems:
        console.print(f"  {problem.kind}: {problem.path}: {problem.detail}")
    kinds = Counter(problem.kind for problem in problems)
    summary = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    console.print(f"  problems: {summary}" if kinds else "  no problems found")
