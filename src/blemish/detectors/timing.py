"""How long a detector takes for a photograph on this machine, from its file to its score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.core.network import CompiledNetwork
from blemish.core.progress import task
from blemish.detectors.tiled import exported_tiles
from blemish.features.onnx_export import to_onnx
from blemish.line.manifest import FeaturesRecord
from blemish.line.rows import PartsInput, features_record, photograph_for, photograph_input
from blemish.line.tiled import TiledNetwork
from blemish.view_planning.budget import median_seconds
from blemish.view_planning.plan import PlannedView

if TYPE_CHECKING:
    from blemish.detectors.base import Detector

_PHOTOGRAPHS, _TILED_PHOTOGRAPHS = 8, 2
"""To fit on for the measurement: time depends on sizes, not on what was learnt, and large ones have patches enough."""

_OUTPUTS = ("score", "map")


def measured_seconds(detector: Detector, paths: Sequence[Path], planned: PlannedView) -> float:
    """Median seconds of a clone, fitted on a few of the photographs, run as the line runs it.

    Args:
        detector: unfitted; its parameters count, but for epochs.
        paths: photographs of good parts; one is read again and again.
        planned: how they are looked at.
    """
    most = _TILED_PHOTOGRAPHS if planned.tiled else _PHOTOGRAPHS
    few = [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, most).astype(int))]
    with task(f"Measuring {planned.width} x {planned.height} pixels"):
        clone = detector.clone().set_params(**_shorter(detector)).look_as(planned)
        clone.fit(few)
        run, features, contract = compiled(clone), features_of(clone), clone.photograph_preprocessing()
        path = _readable(few)

        def judge() -> None:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            photograph = photograph_for(contract, features, content, str(path))
            given = photograph_input(photograph.pixels, contract, features, str(path))
            for one in given.inputs if isinstance(given, PartsInput) else (given,):
                run(one.values)

        return median_seconds(judge)


def compiled(detector: Detector) -> Callable[[Any], object]:
    """A fitted detector as the line runs it: from `blemish.line.rows.NetworkInput.values` to score and map."""
    contract, features = detector.preprocessing(), features_of(detector)
    if contract.tiled:
        model, scoring = exported_tiles(detector.tile_networks(), contract, _OUTPUTS)
        return TiledNetwork(model, scoring, contract, Path("the measured detector"))
    shape = (3, contract.height, contract.width) if features is None else (features.columns,)
    whole = CompiledNetwork(to_onnx(detector.network(), torch.zeros(1, *shape), _OUTPUTS))
    return lambda given: whole(given[None])


def features_of(detector: Detector) -> FeaturesRecord | None:
    """Which row of features a detector reads instead of the picture; usually none."""
    return None if detector.row_features is None else features_record(detector.row_features)


def _shorter(detector: Detector) -> dict[str, object]:
    """What is changed so that the measurement is soon over, and nothing is planned again."""
    quick = {
        name: value for name, value in detector.quick_parameters().items() if name not in ("size", "crop")
    }
    return {"budget": "", "smallest_defect": "", "augment": "none"} | quick


def _readable(paths: Sequence[Path]) -> Path:
    """The first photograph that can be read; the first where none can, so that reading it says why."""
    for path in paths:
        try:
            read_content(path, DEFAULT_LIMITS.max_bytes)
        except ImageError:
            continue
        return path
    return paths[0]
