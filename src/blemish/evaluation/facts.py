"""What a reader of a report must know of an inspector to trust the figures, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blemish.line.manifest import Manifest


def inspector_facts(manifest: Manifest) -> dict[str, str]:
    """Label and value of each fact, in the order to be shown."""
    supervision = manifest.training.supervision
    labelled = len(supervision.digests) if supervision else 0
    measured = measured_in_words(manifest.training.measured)
    return {
        "Inspector": manifest.name,
        "Detector": manifest.detector.name,
        "Backbone": "none"
        if manifest.features
        else str(manifest.detector.parameters.get("backbone", "none")),
        "Input": manifest.input_in_words,
        "Learnt from": learnt_from(manifest.training.n_images, labelled),
        **({"On images held out from training": measured} if measured else {}),
        "Threshold": f"{manifest.calibration.threshold:.4g}",
        "Fitted": f"{manifest.training.created:%Y-%m-%d %H:%M} UTC",
    }


def learnt_from(images: int, labelled: int) -> str:
    """What was learnt from, in words."""
    if not labelled:
        return f"{images} photographs of good parts"
    return f"{images} photographs, {labelled} of them labelled test photographs, which are left out of evaluations"


def measured_in_words(measured: Mapping[str, float]) -> str:
    """What a supervised detector reached on the images held out from training, in words."""
    names = {"iou": "IoU", "threshold": "at the probability", "soft_iou": "IoU without a threshold"}
    names |= {"mask_probability": "mean probability in the masks", "other_probability": "elsewhere"}
    return ", ".join(
        f"{names.get(name, name.replace('_', ' '))} {value:.3f}" for name, value in measured.items()
    )
