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
    """
    result = workflow.sample(request)
    test = f"{request.good} good and {result.n_defective} defective to test"
    for folder in result.folders:
        console.print(f"{folder}: {request.train} to learn from, {test}")
    first = result.folders[0]
    console.print(f"Next: blemish fit {first} --out {first.name}.blemish")
    return result
