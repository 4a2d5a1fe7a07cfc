"""`blemish similar`: the past defects that look like a photograph's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.gallery import GalleryOption, InspectorOption, gallery_location
from blemish.cli.output import JsonOption, console, emit
from blemish.core.errors import UsageError

if TYPE_CHECKING:
    from blemish.gallery.defect import Neighbour
    from blemish.gallery.proposal import Proposal


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
    from blemish.core.images import read_image
    from blemish.core.storage import file_digest
    from blemish.gallery.embedding import AnomalyEmbedder
    from blemish.gallery.gallery import Gallery
    from blemish.gallery.proposal import propose
    from blemish.line.runtime import Inspector

    earliest = _time(since)
    loaded = Inspector.load(inspector)
    photograph = read_image(image, bit_depth=loaded.manifest.preprocessing.bit_depth)
    embedder = AnomalyEmbedder(loaded)
    inspection = loaded.inspect(photograph)
    vector = embedder.vector_of(photograph, inspection)
    with Gallery(_existing(gallery_location(location))) as opened:
        found = opened.similar(
            vector, embedder.space, top, category, defect_type, earliest, exclude_digest=file_digest(image)
        )
    proposal = propose(found)
    document: dict[str, Any] = {
        "image": str(image),
        "verdict": str(inspection.verdict),
        "score": inspection.score,
        "threshold": inspection.threshold,
        "neighbours": [neighbour.to_json() for neighbour in found],
        "proposal": proposal.to_json(),
    }
    emit(document, json_output, lambda: _print(found, proposal))


def _print(found: list[Neighbour], proposal: Proposal) -> None:
    """A line for each neighbour, nearest first, and what they vote for."""
    from blemish.cli.text_table import aligned

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


def _existing(location: str) -> str:
    """The location; looking for what is similar makes no folder.

    Raises:
        UsageError: there is no such folder.
    """
    if not location.startswith(("http://", "https://")) and not Path(location).is_dir():
        raise UsageError(
            f"There is no gallery at {location}: make it with blemish gallery index, or name another."
        )
    return location


def _time(text: str | None) -> datetime | None:
    """ISO 8601; without an offset it is UTC.

    Raises:
        UsageError: it is no time.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--since {text} is no time: write it like 2026-03-01 or 2026-03-01T14:30."
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
