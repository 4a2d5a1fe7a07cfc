"""`blemish view`: what an inspector looks at, and a copy that ignores more. Imports only what runs on the line."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import view as workflow
from blemish.workflows.view import NarrowRequest, NarrowResult


@verb(NarrowRequest)
def view(request: NarrowRequest) -> NarrowResult:
    """Show or narrow what an inspector looks at.

    With --ignore, --include or --mask a copy is written that looks at less, without learning anew.

    \b
    blemish view part.blemish
    blemish view part.blemish --photograph photo.png --picture view.png
    blemish view part.blemish --ignore box:40,10,200,60 --out narrower.blemish
    """
    result = workflow.narrow(request)
    contract = result.manifest.preprocessing
    console.print(f"{result.manifest.name}: {result.manifest.detector.name}", style="bold")
    if contract.view is not None:
        console.print("  photographs usually  {} x {} pixels".format(*contract.view.photograph))
    console.print(f"  network's input      {result.manifest.input_in_words}")
    console.print(f"  looks at             {result.looked_at}")
    if result.margin:
        console.print(
            f"  not judged           {result.margin} pixels of the input around what was taken away"
        )
    for reason in contract.view.reasons if contract.view else ():
        console.print(f"  planned              {reason}")
    if result.picture is not None:
        console.print(f"Drawing: {result.picture}")
    if result.out is not None:
        console.print(
            f"Written: {result.out}, with the thresholds and the calibration of {request.inspector}."
        )
    return result
