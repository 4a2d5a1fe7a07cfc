"""`blemish distil`: make a teacher for EfficientAD out of a frozen backbone and any photographs."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import distil as workflow
from blemish.workflows.distil import DistilRequest, DistilResult


@verb(DistilRequest)
def distil(request: DistilRequest) -> DistilResult:
    """Distil a teacher for the detector efficientad.

    A small network learns to say what the backbone says of the photographs: no labels are needed, and they need not
    show the part. A checkpoint is written every 100 steps to NAME.training beside the teacher, until it is done.

    \b
    blemish distil photographs/ --out teacher.safetensors
    blemish fit parts/ --detector efficientad --set teacher=teacher.safetensors --out part.blemish
    """
    result = workflow.distil(request)
    size, channels = request.model_size, request.channels
    console.print(f"{request.out}: a {size} teacher with {channels} channels", style="bold")
    console.print(f"  learnt from  {result.images} photographs, by {request.backbone}")
    console.print(f"  loss         {result.loss:.3f} (1 is a teacher that has learnt nothing)")
    settings = f"--set teacher={request.out}"
    if (size, channels) != ("tiny", 64):  # what the detector expects by itself
        settings += f" --set model_size={size} --set channels={channels}"
    console.print(f"Next: blemish fit PHOTOGRAPHS --detector efficientad {settings} --out part.blemish")
    return result
