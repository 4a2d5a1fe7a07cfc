"""`blemish sample`: write the generated sample line."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import sample as workflow
from blemish.workflows.sample import SampleRequest, SampleResult


@verb(SampleRequest)
def sample(request: SampleRequest) -> SampleResult:
    """Generate the sample line: six categories with defects and exact masks, in the MVTec AD layout.

    \b
    blemish sample parts --category washer
    blemish sample parts --large
    """
    from blemish.data.large_sample import SMALLEST

    result = workflow.sample(request)
    test = f"{result.good} good and {result.n_defective} defective to test"
    for folder in result.folders:
        console.print(f"{folder}: {result.train} to learn from, {test}")
    first = result.folders[0]
    smallest = f" --smallest-defect {SMALLEST}px" if request.large else ""
    console.print(f"Next: blemish fit {first} --out {first.name}.blemish{smallest}")
    return result
