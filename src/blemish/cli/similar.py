"""`blemish similar`: the past defects that look like a photograph's."""

from __future__ import annotations

from datetime import UTC

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.workflows import similar as workflow
from blemish.workflows.similar import SimilarRequest, SimilarResult


@verb(SimilarRequest)
def similar(request: SimilarRequest) -> SimilarResult:
    """Show the past defects most similar to a photograph's, and propose a defect type.

    The photograph itself is left out. Distances are cosine distances, 0 for the same. For a photograph that passes no
    type is proposed.

    \b
    blemish similar photo.png --inspector part.blemish
    """
    result = workflow.similar(request)
    _print(result)
    return result


def _print(result: SimilarResult) -> None:
    """The verdict, a line for each neighbour, nearest first, and what they vote for."""
    from blemish.gallery.proposal import is_good

    found, proposal, inspection = result.neighbours, result.proposal, result.inspection
    console.print(
        f"{inspection.verdict.upper()}  score {inspection.score:.4g} / {inspection.threshold:.4g}",
        style="bold",
    )
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
    print_table(rows, names=4)
    if is_good(inspection.verdict):
        console.print("No defect type is proposed: the photograph passes.")
    elif proposal.defect_type is not None:
        console.print(
            f"Proposal: {proposal.defect_type} (confidence {proposal.confidence:.2f})", style="bold"
        )
