"""`blemish synthesize`: a data set with painted defects, from photographs of good parts."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import synthesize as workflow
from blemish.workflows.synthesize import SynthesizeRequest, SynthesizeResult


@verb(SynthesizeRequest)
def synthesize(request: SynthesizeRequest) -> SynthesizeResult:
    """Paint defects into good photographs.

    60 % of them become train/good; of the others a share gets a defect, with an exact mask. A contact sheet
    shows every type of defect in three strengths.

    \b
    blemish synthesize photographs/ --out painted/ --defects scratch,cutpaste,perlin
    """
    result = workflow.synthesize(request)
    made = result.made
    held = ", ".join(f"{name} {count}" for name, count in made.test.items())
    console.print(f"{made.folder}: {made.n_train} good to learn from; to test: {held}")
    console.print(f"Contact sheet: {made.sheet}")
    console.print(f"Next: blemish fit {made.folder} --out {made.folder.name}.blemish")
    return result
