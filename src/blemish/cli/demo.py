"""`blemish demo`: the whole way once, on the generated sample line."""

from __future__ import annotations

from blemish.cli.evaluate import metrics_table
from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import demo as workflow
from blemish.workflows.demo import DemoRequest, DemoResult


@verb(DemoRequest)
def demo(request: DemoRequest) -> DemoResult:
    """Go the whole way once, on generated parts.

    Generates the sample line, learns an inspector for each of its six categories, and measures them all.

    \b
    blemish demo --out runs/demo
    """
    result, out = workflow.demo(request), request.out
    category = result.folders[-1].name
    test = out / "sample-line" / category / "test"
    console.print(metrics_table(result.evaluations))
    console.print(f"\nAll done in {result.seconds:.0f} s. Open the report in a browser:")
    console.print(f"  {result.report.resolve()}")
    console.print("Then inspect parts and look at the overlays:")
    console.print(f"  blemish inspect {out / category}.blemish {test} --out {out / 'verdicts'}")
    console.print("With photographs of your own (a folder of good parts is enough):")
    console.print("  blemish fit PHOTOGRAPHS --out part.blemish")
    console.print("  blemish inspect part.blemish NEW_PHOTOGRAPHS --out verdicts")
    return result
