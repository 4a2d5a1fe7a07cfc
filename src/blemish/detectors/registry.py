"""The registry: every detector by name, with what it learns from and where it comes from."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from blemish.core.errors import UsageError
from blemish.detectors.base import Detector

# Modules that register detectors; each is imported when the registry is first asked.
_MODULES = (
    "blemish.detectors.reconstruction.cae",
    "blemish.detectors.combined.ensemble",
    "blemish.detectors.supervised.classifier",
    "blemish.detectors.distilled.efficientad",
    "blemish.detectors.classical.elliptic_envelope",
    "blemish.detectors.reconstruction.feature_autoencoder",
    "blemish.detectors.memory.few_shot",
    "blemish.detectors.classical.isolation_forest",
    "blemish.detectors.memory.knn",
    "blemish.detectors.classical.local_outlier_factor",
    "blemish.detectors.classical.one_class_svm",
    "blemish.detectors.memory.padim",
    "blemish.detectors.memory.patchcore",
    "blemish.detectors.reconstruction.residual_autoencoder",
    "blemish.detectors.reconstruction.ssim_autoencoder",
    "blemish.detectors.distilled.student_teacher",
    "blemish.detectors.supervised.supersimplenet",
    "blemish.detectors.supervised.unet",
    "blemish.detectors.reconstruction.vae",
)

QUICK_SIZE, QUICK_EPOCHS = 128, 5
"""Of a small first run."""

DetectorClass = TypeVar("DetectorClass", bound=type[Detector])


@dataclasses.dataclass(frozen=True)
class DetectorInfo:
    """What a user wants to know before choosing a detector.

    Attributes:
        name: as in `--detector NAME`.
        summary: what it is for, in one sentence.
        learns_from: "normal images", "masks" or "labels".
        gives_maps: whether it shows where the defect is; where not, its map is its score everywhere.
        reference: the paper or page it follows.
        parameters: default value of each parameter.
        presets: named settings, each a part of the parameters.
    """

    name: str
    summary: str
    learns_from: str
    gives_maps: bool
    reference: str
    parameters: dict[str, Any]
    presets: dict[str, dict[str, Any]]


_registered: dict[str, tuple[type[Detector], DetectorInfo]] = {}


def register(
    name: str,
    *,
    summary: str,
    learns_from: str,
    gives_maps: bool,
    reference: str,
    presets: Mapping[str, dict[str, Any]] | None = None,
) -> Callable[[DetectorClass], DetectorClass]:
    """Class decorator that makes a detector known under `name`."""

    def add(detector: DetectorClass) -> DetectorClass:
        defaults = {field.name: field.default for field in dataclasses.fields(detector) if field.init}
        detector.name, detector.gives_maps = name, gives_maps
        _registered[name] = (
            detector,
            DetectorInfo(name, summary, learns_from, gives_maps, reference, defaults, dict(presets or {})),
        )
        return detector

    return add


def detector_names() -> list[str]:
    """Names of all detectors, sorted."""
    for module in _MODULES:
        importlib.import_module(module)
    return sorted(_registered)


def detector_info(name: str) -> DetectorInfo:
    """What is known of a detector.

    Raises:
        UsageError: there is none of that name.
    """
    names = detector_names()
    if name not in _registered:
        raise UsageError(f"There is no detector {name}: choose one of {', '.join(names)}.")
    return _registered[name][1]


def create_detector(name: str, preset: str | None = None, **parameters: Any) -> Detector:
    """Make an unfitted detector from its defaults, then a preset, then the parameters given.

    Raises:
        UsageError: no such detector, preset or parameter.
    """
    info = detector_info(name)
    if preset is not None and preset not in info.presets:
        known = ", ".join(info.presets) or "none"
        raise UsageError(f"The detector {name} has no preset {preset}: choose one of {known}.")
    unknown = sorted(set(parameters) - set(info.parameters))
    if unknown:
        raise UsageError(
            f"The detector {name} has no parameter {unknown[0]}: choose among {', '.join(info.parameters)}."
        )
    chosen = {**(info.presets[preset] if preset else {}), **parameters}
    return _registered[name][0](**chosen)


def quick_parameters(name: str, preset: str | None = None) -> dict[str, Any]:
    """Parameters of a small first run: 128 pixels, and at most 5 epochs where it trains.

    A crop shrinks with the size, and a distillation that comes first with the epochs.

    Raises:
        UsageError: there is no detector of that name.
    """
    info = detector_info(name)
    chosen = {**info.parameters, **info.presets.get(preset or "", {})}
    small: dict[str, Any] = {"size": QUICK_SIZE}
    if "epochs" in chosen:
        small["epochs"] = min(chosen["epochs"], QUICK_EPOCHS)
    if chosen.get("crop"):
        small["crop"] = chosen["crop"] * QUICK_SIZE // chosen["size"] // 32 * 32
    if chosen.get("distillation_steps"):
        small["distillation_steps"] = 0  # half as many as the student's
    return small
