"""`blemish distil`: make a teacher for EfficientAD out of a frozen backbone and any photographs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, stray_prints_on_stderr


class ModelSize(StrEnum):
    """Sizes of the teacher."""

    tiny = "tiny"
    small = "small"
    medium = "medium"


def distil(
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGES", help="Folder of photographs of anything; the more, the better."),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The teacher to write, NAME.safetensors; replaced whole.")
    ],
    backbone: Annotated[
        str, typer.Option(help="Frozen network to learn from, as wide_resnet50_2.")
    ] = "efficientnet_lite0",
    weights: Annotated[Path | None, typer.Option(help="File with the backbone's weights.")] = None,
    model_size: Annotated[ModelSize, typer.Option(help="Published are small and medium.")] = ModelSize.tiny,
    channels: Annotated[
        int, typer.Option(min=1, max=4096, help="Numbers that describe a patch; published are 384.")
    ] = 64,
    size: Annotated[int, typer.Option(help="Side in pixels at which the teacher reads.")] = 256,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training; published are 60000.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs a step; published are 16.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed learns the same.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted distillation.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Distil a teacher for the detector efficientad.

    A small network learns to say what the backbone says of the photographs: no labels are needed, and they need not
    show the part. A checkpoint is written every 100 steps to NAME.training beside the teacher, until it is done.

    \b
    blemish distil photographs/ --out teacher.safetensors
    blemish fit parts/ --detector efficientad --set teacher=teacher.safetensors --out part.blemish
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.distil import DistilRequest
    from blemish.workflows.distil import distil as distil_teacher

    request = DistilRequest(
        images=images,
        out=out,
        backbone=backbone,
        weights=weights,
        model_size=model_size.value,
        channels=channels,
        size=size,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        resume=resume,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        result = distil_teacher(request)

    def human() -> None:
        console.print(f"{out}: a {model_size.value} teacher with {channels} channels", style="bold")
        console.print(f"  learnt from  {result.images} photographs, by {backbone}")
        console.print(f"  loss         {result.loss:.3f} (1 is a teacher that has learnt nothing)")
        extra = (
            ""
            if (model_size, channels) == (ModelSize.tiny, 64)
            else (f" --set model_size={model_size.value} --set channels={channels}")
        )
        console.print(
            f"Next: blemish fit PHOTOGRAPHS --detector efficientad --set teacher={out}{extra} --out part.blemish"
        )

    emit(result.to_json(), json_output, human)
