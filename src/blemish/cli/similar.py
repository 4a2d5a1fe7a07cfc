"""`blemish similar`: the past defects that look like a photograph's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.gallery import GalleryOption, InspectorOption
from blemish.cli.output import JsonOption, console, emit
from blemish.core.errors import UsageError

if TYPE_CHECKING:
    from blemish.workflows.similar import SimilarResult


def similar(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The photograph.")],
    inspector: InspectorOption,
    top: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 5,
    location: GalleryOption = None,
    category: Annotated[str | None, typer.Option(help="Only defects of this category.")] = None,
    defect_type: Annotated[str | None, typer.Option(help="Only defects of this type.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from this time on, such as 2026-03-01 (UTC).")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Show the past defects most similar to a photograph's, and propose a defect type.

    The photograph itself is left out. Distances are cosine distances, 0 for the same.

    \b
    blemish similar photo.png --inspector part.blemish
    """
    from blemish.workflows.similar import SimilarRequest
    from blemish.workflows.similar import similar as find

    request = SimilarRequest(
        image=image,
        inspector=inspector,
        gallery=location,
        top=top,
        category=category,
        defect_type=defect_type,
        since=_time(since),
    )
    result = find(request)
    emit(result.to_json(), json_output, lambda: _print(result))


def _print(result: SimilarResult) -> None:
    """A line for each neighbour, nearest first, and what they vote for."""
    from blemish.cli.text_table import aligned

    found, proposal = result.neighbours, result.proposal
    if not found:
        console.print("The gallery holds no such defect: fill it with blemish gallery index.")
        return
    rows = [
        ("defect type", "category", "photograph", "time", "distance"),
        *(
            (
                neighbour.defect.defect_type or "(not said)",
                neighbour.defect.category,
                neighbour.defect.name,
                f"{neighbour.defect.time.astimezone(UTC):%Y-%m-%d %H:%M}",
                f"{neighbour.distance:.3f}",
            )
            for neighbour in found
        ),
    ]
    for line in aligned(rows, names=4):
        console.print(line)
    if proposal.defect_type is not None:
        console.print(
            f"Proposal: {proposal.defect_type} (confidence {proposal.confidence:.2f})", style="bold"
        )


def _time(text: str | None) -> datetime | None:
    """ISO 8601.

    Raises:
        UsageError: it is no time.
    """
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(
            f"--since {text} is no time: write it like 2026-03-01 or 2026-03-01T14:30."
        ) from error
