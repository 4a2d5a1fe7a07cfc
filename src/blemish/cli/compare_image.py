"""`blemish compare-image`: one photograph through several inspectors. Imports only what runs on the line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.core.errors import UsageError
from blemish.workflows import compare_image as workflow
from blemish.workflows.compare_image import CompareImageRequest, CompareImageResult
from blemish.workflows.request import Argument, Option, Request

if TYPE_CHECKING:
    from blemish.line.comparison import ImageComparison


class _Typed(Request):
    """What is typed: an option takes one value, so further inspectors arrive beside the photograph."""

    image: Annotated[tuple[Path, ...], Argument("IMAGE")] = Field(description="The photograph.")
    inspectors: Annotated[tuple[Path, ...], Option(metavar="A.blemish B.blemish ...", repeated=True)] = Field(
        description="Two or more inspectors, one after the other."
    )
    out: Path = Field(description="Folder for compare.html, compare.json and PNG files.")


@verb(_Typed)
def compare_image(request: _Typed) -> CompareImageResult:
    """Compare inspectors on one photograph.

    Each one's score and map are shown on scales that can be compared, with what the pattern means.

    \b
    blemish compare-image photo.png --inspectors a.blemish b.blemish --out compared/
    """
    result = workflow.compare_image(_told_apart(request))
    _print(result.comparison)
    console.print(f"Page: {result.page}")
    return result


def _told_apart(request: _Typed) -> CompareImageRequest:
    """The photograph and the inspectors.

    Raises:
        UsageError: there is not exactly one photograph.
    """
    given = request.image
    images = [path for path in given if path.suffix.lower() != ".blemish"]
    if len(images) != 1:
        named = ", ".join(map(str, images)) or "none"
        raise UsageError(
            f"One photograph is compared at a time, and here are {len(images)} ({named}): name one."
        )
    inspectors = (*request.inspectors, *(path for path in given if path not in images))
    return CompareImageRequest(image=images[0], inspectors=inspectors, out=request.out)


def _print(comparison: ImageComparison) -> None:
    """A line for each inspector, most sensitive first, then why, and what it means."""
    from blemish.line.sensitivity import ranked
    from blemish.line.sensitivity_words import extremes

    answers = comparison.answers
    head = ("inspector", "metric", "sensitivity", "value", "verdict", "score", "threshold")
    rows = [
        (*head, "percentile", "level", "peak", "area"),
        *(
            (
                one.name,
                one.metric,
                one.sensitivity,
                f"{one.value:.4g}",
                comparison.verdicts[view.name].partition(":")[0],
                f"{view.score:.4g}",
                f"{view.threshold:.4g}",
                f"{view.percentile:.1f}",
                f"{view.level:.2f}",
                f"{view.peak:.2f}",
                f"{view.area:.2%}",
            )
            for view, one in zip(ranked(comparison.views), answers, strict=True)
        ),
    ]
    print_table(rows, names=3)
    for one in answers:
        console.print(f"{one.name}: {one.sentence}")
        if one.name in comparison.types:
            console.print(f"{one.name} names the defect: {comparison.types[one.name]}.")
    console.print(extremes(comparison.views))
    found = comparison.pattern
    console.print(f"{found.name}: {found.sentence}")
