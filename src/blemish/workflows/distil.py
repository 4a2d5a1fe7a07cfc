"""A teacher for EfficientAD out of a frozen backbone and any photographs."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.workflows.fields import WeightsFiles
from blemish.workflows.request import Argument, Outcome, Request


class DistilRequest(Request):
    """Distil a teacher; checkpoints lie in NAME.training until it is done."""

    images: Annotated[Path, Argument("IMAGES")] = Field(
        description="Folder of photographs of anything; the more, the better."
    )
    out: Path = Field(description="The teacher to write, NAME.safetensors; replaced whole.")
    backbone: str = Field(
        "efficientnet_lite0", description="Frozen network to learn from, as wide_resnet50_2."
    )
    weights: WeightsFiles = Field({})
    model_size: Literal["tiny", "small", "medium"] = Field(
        "tiny", description="Published are small and medium."
    )
    channels: int = Field(64, ge=1, le=4096, description="Numbers that describe a patch; published are 384.")
    size: int = Field(256, description="Side in pixels at which the teacher reads.")
    steps: int = Field(2000, ge=1, description="Steps of training; published are 60000.")
    batch_size: int = Field(4, ge=1, description="Photographs a step; published are 16.")
    seed: int = Field(0, description="The same seed learns the same.")
    resume: bool = Field(False, description="Go on with an interrupted distillation.")


@dataclass(frozen=True)
class DistilResult(Outcome):
    """What was asked for, photographs learnt from, the last loss (1 has learnt nothing), and the time taken."""

    request: DistilRequest
    images: int
    loss: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "path": str(self.request.out),
            "backbone": self.request.backbone,
            "model_size": self.request.model_size,
            "channels": self.request.channels,
            "images": self.images,
            "steps": self.request.steps,
            "loss": self.loss,
            "seconds": self.seconds,
        }


def distil(request: DistilRequest) -> DistilResult:
    """Train a teacher and write it.

    Raises:
        UsageError: a name or a setting is not possible, or there are no photographs.
        ImageError: a photograph cannot be read.
        BlemishError: weights cannot be had, or a file cannot be written.
    """
    from blemish.core.image_files import list_images
    from blemish.detectors.chosen import check_weights, file_of
    from blemish.detectors.distilled import distillation
    from blemish.detectors.training.session import TrainingSession, training_session

    if request.out.suffix != ".safetensors":
        raise UsageError(
            f"{request.out} does not end in .safetensors: name the file to write, as --out teacher.safetensors."
        )
    if not request.images.is_dir():
        raise UsageError(f"{request.images} is no folder: give one with photographs.")
    check_weights(request.weights, [request.backbone])
    paths = list_images(request.images)
    settings = distillation.Distillation(
        request.model_size,
        request.channels,
        request.size,
        request.steps,
        request.batch_size,
        seed=request.seed,
    )
    started = time.perf_counter()
    checkpoints = request.out.with_suffix(".training")
    with training_session(TrainingSession(checkpoints, request.resume)):
        file = file_of(request.weights, request.backbone)
        network = distillation.backbone_for_distillation(
            request.backbone, None if file is None else str(file)
        )
        teacher, history = distillation.distil(paths, network, settings)
        distillation.write_teacher(request.out, teacher, settings, request.backbone)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return DistilResult(request, len(paths), history[-1]["training_loss"], time.perf_counter() - started)
