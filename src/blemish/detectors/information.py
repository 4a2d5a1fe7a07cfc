"""What is known of a detector before it is made: read without torch."""

from __future__ import annotations

import dataclasses
import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from blemish.core.errors import UsageError

if TYPE_CHECKING:
    from blemish.detectors.base import Detector


LEARNING_RATES = [0.001, 0.003]
TOPS = [0.001, 0.003, 0.01, 0.03, 0.1]
"""Values of `learning_rate` and `top` that a search tries by default."""


@dataclasses.dataclass(frozen=True)
class DetectorInfo:
    """What a user wants to know before choosing a detector.

    Attributes:
        name: as in `--detector NAME`.
        where: its class, or "module:Class", which is imported only when the detector or its parameters are asked for.
        summary: what it is for, in one sentence.
        learns_from: "normal images", "masks" or "labels".
        gives_maps: whether it shows where the defect is; where not, its map is its score everywhere.
        trains: whether it trains a network, epoch by epoch.
        reference: the paper or page it follows.
        presets: named settings, each a part of the parameters.
        space: values that a search tries by default, by parameter: a few of what matters most; empty for none.
    """

    name: str
    where: str | type[Detector]
    summary: str
    learns_from: str = "normal images"
    gives_maps: bool = True
    trains: bool = False
    reference: str = ""
    presets: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    space: dict[str, list[Any]] = dataclasses.field(default_factory=dict)

    @cached_property
    def detector_class(self) -> type[Detector]:
        """The class, imported.

        Raises:
            UsageError: it cannot be imported, or is no detector.
        """
        return self.where if isinstance(self.where, type) else import_class(self.where)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Default value of each parameter."""
        fields = dataclasses.fields(self.detector_class)
        return {field.name: field.default for field in fields if field.init}


def import_class(where: str) -> type[Detector]:
    """The detector's class at "module:Class".

    Raises:
        UsageError: the module cannot be imported, or holds no such detector.
    """
    from blemish.detectors.base import Detector

    module, _, name = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UsageError(
            f"The detector {where} cannot be imported ({error}): install its package, or name its folder in PYTHONPATH."
        ) from error
    if not isinstance(found, type) or not issubclass(found, Detector):
        raise UsageError(
            f"{where} is no detector: name a class that derives from blemish.detectors.base.Detector."
        )
    return found
