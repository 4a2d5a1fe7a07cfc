"""`blemish compare-image`: one photograph through several inspectors. Imports only what runs on the line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit
from blemish.cli.text_table import aligned
from blemish.core.errors import UsageError

if TYPE_CHECKING:
    from blemish.line.comparison import ImageComparison


def compare_image(
    image: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="The photograph.")],
    inspectors: Annotated[
        list[Path],
        typer.Option(
            "--inspectors",
            metavar="A.blemish B.blemish ...",
            help="Two or more inspectors, one after the other.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.html, compare.json and PNG files.")],
    json_output: JsonOption = False,
) -> None:
    """Compare inspectors on one photograph.

    Each one's score and map are shown on scales that can be compared, with what the pattern means.

    \b
    blemish compare-image photo.png --inspectors a.blemish b.blemish --out compared/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.compare_image import CompareImageRequest
    from blemish.workflows.compare_image import compare_image as compare

    photograph, chosen = _told_apart(image, inspectors)
    with use_reporter(reporter_for(json_output)):
        result = compare(CompareImageRequest(image=photograph, inspectors=chosen, out=out))

    def human() -> None:
        _print(result.comparison)
        console.print(f"Page: {result.page}")

    emit(result.to_json(), json_output, human)


def _told_apart(given: list[Path], inspectors: list[Path]) -> tuple[Path, tuple[Path, ...]]:
    """The photograph and the inspectors: an option takes one value, so further inspectors arrive as arguments.

    Raises:
        UsageError: there is not exactly one photograph.
    """
    images = [path for path in given if path.suffix.lower() != ".blemish"]
    if len(images) != 1:
        named = ", ".join(map(str, images)) or "none"
        raise UsageError(
            f"One photograph is compared at a time, and here are {len(images)} ({named}): name one."
        )
    return images[0], (*inspectors, *(path for path in given if path.suffix.lower() == ".blemish"))


def _print(comparison: ImageComparison) -> None:
    """A line for each inspector, most sensitive first, and what it means."""
    from blemish.line.sensitivity import ranked

    rows = [
        ("inspector", "detector", "verdict", "score", "threshold", "percentile", "level", "peak", "area"),
        *(
            (
                view.name,
                view.detector,
                "reject" if view.rejected else "pass",
                f"{view.score:.4g}",
                f"{view.threshold:.4g}",
                f"{view.percentile:.1f}",
                f"{view.level:.2f}",
                f"{view.peak:.2f}",
                f"{view.area:.2%}",
            )
            for view in ranked(comparison.views)
        ),
    ]
    for line in aligned(rows, names=3):
        console.print(line)
    for view in comparison.views:
        if view.learnt:
            console.print(f"{view.name} has learnt from this photograph: its word counts for less.")
    found = comparison.pattern
    console.print(f"{found.name}: {found.sentence}")
