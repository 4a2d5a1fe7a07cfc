"""`blemish export`: all that an inspector does as one graph for other runtimes."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import export as workflow
from blemish.workflows.export import ExportRequest, ExportResult


@verb(ExportRequest)
def export(request: ExportRequest) -> ExportResult:
    """Write an inspector as one graph for ONNX Runtime, OpenVINO or libtorch, or as C.

    The pixels of a photograph go in, uint8 RGB, height x width x 3; score, map, p-value and verdict come out. View,
    preprocessing and decision are inside. A JSON file beside it says how it is used.

    \b
    blemish export part.blemish --check photographs/
    blemish export part.blemish --to c --out part.c
    """
    result = workflow.export(request)
    console.print(f"{result.graph}: {result.bytes / 1e6:.1f} MB; {result.description} says how it is used.")
    if result.check:
        check = result.check
        console.print(
            f"{check.runtime} says the same of {check.photographs} photographs: within {check.largest_error:.0e} of "
            f"the score, {check.other_verdicts} other verdicts."
        )
    else:
        console.print("Not compared with the inspector: --check PHOTOGRAPHS does.", style="dim")
    return result
