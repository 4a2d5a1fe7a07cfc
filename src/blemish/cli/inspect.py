"""`blemish inspect`: a verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.workflows import inspect as workflow
from blemish.workflows.inspect import InspectRequest, InspectResult

if TYPE_CHECKING:
    from blemish.line.results import Result


@verb(InspectRequest)
def inspect(request: InspectRequest) -> InspectResult:
    """Pass or reject photographs, and show where.

    Folders are searched for images, sub-folders too. A file that cannot be inspected is named, and the others
    go on. Exit status 1 if anything was rejected or failed.

    \b
    blemish inspect part.blemish photo.png new/ --out verdicts/
    """
    found = workflow.inspect(request, _tell)
    counts = Counter(str(result.verdict or "failed") for result in found.results)
    said = ", ".join(
        f"{counts[name]} {name}" for name in ("pass", "review", "reject", "failed") if counts[name]
    )
    console.print(f"{len(found.results)} photographs: {said}", style="bold")
    if request.out is not None:
        console.print(f"Overlays and results: {request.out}")
    return found


def _tell(result: Result) -> None:
    """One line: `REJECT  score 3.1 / 2.4  p 0.003  2 regions  photo.png`."""
    inspection = result.inspection
    if inspection is None:
        messages.print(f"ERROR   {result.error}", style="red")
        return
    count = len(inspection.regions)
    regions = f"  {count} region{'s' if count != 1 else ''}" if count else ""
    if not inspection.gives_map:
        regions = "  (shows no place)"
    parts = ", ".join(f"{name} p {p_value:.2g}" for name, p_value in inspection.parts.items())
    said = f"  ({parts})" if parts else ""
    kind = f"  {named}" if (named := inspection.type_in_words()) else ""
    if inspection.mask_probability is not None:
        said = f"  mask probability {inspection.mask_probability:.3g}{said}"
    style = {"pass": "green", "review": "yellow", "reject": "bold red"}[inspection.verdict]
    console.print(
        f"{inspection.verdict.upper():<7} score {inspection.score:.4g} / {inspection.threshold:.4g}  "
        f"p {inspection.p_value:.3f}{kind}  {result.path}{regions}{said}",
        style=style,
    )
