"""`blemish stress`: how an inspector bears other light, blur, noise and position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.workflows import stress as workflow
from blemish.workflows.stress import StressRequest, StressResult

if TYPE_CHECKING:
    from blemish.evaluation.stress_result import Stress


@verb(StressRequest)
def stress(request: StressRequest) -> StressResult:
    """Measure an inspector on disturbed photographs.

    Test photographs get another light, blur, noise, JPEG, place, turn and size, a little more at each step, and are
    judged at the inspector's own decision. Writes a report with curves. The same command goes on after Ctrl-C.

    \b
    blemish stress part.blemish photographs/ --of brightness,blur
    """
    from blemish.evaluation.stress_result import headline

    result = workflow.stress(request)
    measured = result.stress
    for curve in measured.curves:
        console.print(curve.in_words(measured.promise))
    for sentence in measured.left_out:
        console.print(f"Left out: {sentence}")
    console.print(headline(measured))
    console.print(_work_in_words(measured))
    if measured.learnt:
        console.print(f"{measured.learnt} photographs that it has learnt from were left out.")
    if measured.stopped:
        done = sum(measured.types.values()) + len(measured.failed)
        messages.print(f"Stopped after {done} of {measured.wanted} photographs: go on with the same command.")
    console.print(f"Report: {result.report}")
    return result


def _work_in_words(measured: Stress) -> str:
    trials = sum(len(curve.points) for curve in measured.curves)
    known = sum(measured.types.values()) - measured.judged
    reused = f", {known} known from an earlier run" if known else ""
    return f"{sum(measured.types.values())} photographs, {trials} judgements each, in {measured.seconds:.0f} s{reused}."
