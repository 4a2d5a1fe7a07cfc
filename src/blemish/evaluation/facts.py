"""What a reader of a report must know of an inspector to trust the figures, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blemish.view.asked_regions import regions_in_words

if TYPE_CHECKING:
    from blemish.line.manifest import Manifest


def inspector_facts(manifest: Manifest) -> dict[str, str]:
    """Label and value of each fact, in the order to be shown."""
    supervision = manifest.training.supervision
    labelled = len(supervision.digests) if supervision else 0
    measured = measured_in_words(manifest.training.measured)
    chosen = chosen_in_words(manifest.detector.chosen)
    return {
        "Inspector": manifest.name,
        "Detector": manifest.detector.name,
        "Backbone": "none"
        if manifest.features
        else str(manifest.detector.parameters.get("backbone", "none")),
        "Input": manifest.input_in_words,
        **({"Looks at": looked} if (looked := looked_at(manifest)) else {}),
        "Learnt from": learnt_from(manifest.training.n_images, labelled),
        **({"Defect types": types} if (types := types_in_words(manifest)) else {}),
        **({"Chosen by the fit": chosen} if chosen else {}),
        **({"On images held out from training": measured} if measured else {}),
        "Threshold": f"{manifest.decision.threshold:.4g}",
        "Fitted": f"{manifest.training.created:%Y-%m-%d %H:%M} UTC",
    }


def looked_at(manifest: Manifest) -> str:
    """Which part of photographs counts, in words; empty where all does."""
    view = manifest.preprocessing.view
    if view is None or not view.all_regions:
        return ""
    said = regions_in_words(view)
    if view.ignored_later is None:
        return said
    return f"{said}; without {view.ignored_later.margin} pixels of the input around what was taken away after the fit"


def learnt_from(images: int, labelled: int) -> str:
    """What was learnt from, in words."""
    if not labelled:
        return f"{images} photographs of good parts"
    return f"{images} photographs, {labelled} of them labelled test photographs, which are left out of evaluations"


def measured_in_words(measured: Mapping[str, float]) -> str:
    """What a supervised detector reached on the images held out from training, in words."""
    forms = {
        "cross_iou": "IoU {} at thresholds chosen on other images than those measured",
        "iou": "IoU {} at a threshold chosen on the same images",
        "threshold": "the probability {}",
        "soft_iou": "IoU {} without a threshold",
        "mask_probability": "mean probability {} in the masks",
        "other_probability": "{} elsewhere",
    }
    return ", ".join(
        forms.get(name, f"{name.replace('_', ' ')} {{}}").format(_figure(value))
        for name, value in measured.items()
    )


def types_in_words(manifest: Manifest) -> str:
    """Which defect types are told apart, and what is called none of these; empty where no types are."""
    known = manifest.calibration.types
    if known is None:
        return ""
    names = ", ".join(manifest.detector.types)
    if known.limit is None:
        return (
            f"{names}; never none of these: that takes {round(1 / known.rate) - 1} labelled defects with others of "
            f"their type, and there are {known.n_distances}"
        )
    said = (
        f"{names}; none of these beyond a distance of {known.limit:.3f} from {known.n_distances} labelled defects "
        f"({known.rate:.0%} of known defects expected)"
    )
    if known.recognised is None:
        return said
    return f"{said}; a type left out of what is known would be recognised in {known.recognised:.0%}"


def chosen_in_words(chosen: Mapping[str, Any]) -> str:
    """What parameters that were left to the fit came to mean, in words: `scoring robust, gamma 0.0021`."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in chosen.items()
        if not isinstance(value, Mapping)
    )


def _figure(value: float) -> str:
    """Three decimals, and as many as tell it from 1: a threshold may be a probability of 0.99998."""
    return f"{value:.3f}" if value < 0.9995 or value >= 1 else f"{value:.6f}"
