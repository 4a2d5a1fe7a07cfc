"""What an inspector's network made of a photograph, by outputs that a plain inspection neither computes nor holds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from blemish.core.calibration import percentile
from blemish.core.errors import ArtifactError, BlemishError, UsageError
from blemish.core.execution import Execution
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray, Prediction, mean_probability
from blemish.line.artifact import MODEL, Artifact
from blemish.line.explanation import Explanation, RegionReason
from blemish.line.inspection import Inspection
from blemish.line.manifest import ATTENTION, RECONSTRUCTION, DetectorRecord
from blemish.line.nearest_good import NearestGood, explain_regions
from blemish.line.rows import NetworkInput, PartsInput

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector

DEFECTIVE = "defective"
"""What attention is of where no defect types are known."""

_MOST_ATTENTION = 4096
"""Most types, and rows and columns of their attention."""


@dataclass(frozen=True)
class Shown:
    """What the network made of a photograph: of several parts of the worst one, but for the attention.

    Attributes:
        log_odds: whether its score is the log odds of a defect, so that it is a probability too.
        types: probability of each defect type known, if the part is defective, by name.
        looked, reconstruction: what the network saw and gave back, uint8 RGB H x W x 3.
        difference: how far they are apart, float32 H x W, mean over the colours, 0 to 1; 0 where nobody looks.
        attention: what speaks for each type, or for `DEFECTIVE`, float32 H x W over the photograph, 0 and more.
        part: which of several parts, from 1.
    """

    log_odds: bool = False
    types: dict[str, float] = field(default_factory=dict)
    looked: ByteArray | None = None
    reconstruction: ByteArray | None = None
    difference: FloatArray | None = None
    attention: dict[str, FloatArray] = field(default_factory=dict)
    part: int | None = None


class ExplainingNetwork:
    """An inspector's network with its outputs `reconstruction` and `attention`, compiled when first asked for.

    Safe to use from several threads.
    """

    def __init__(self, artifact: Artifact, threads: int | None = None) -> None:
        detector, contract = artifact.manifest.detector, artifact.manifest.preprocessing.of_part
        self._path = artifact.path
        self._detector: DetectorRecord = detector
        self._shape = (contract.height, contract.width)
        # Held as bytes: whoever replaces the file does not change what is explained.
        self._model = artifact.content(MODEL) if detector.explains else b""
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def classes(self) -> tuple[str, ...]:
        """What the attention can be of; empty where there is none."""
        return (self._detector.types or (DEFECTIVE,)) if ATTENTION in self._detector.explains else ()

    def shown(self, given: NetworkInput | PartsInput) -> Shown:
        """What is shown of a photograph; nothing where the network has no such outputs.

        Raises:
            ArtifactError: the network cannot be run, or gives something else.
        """
        if not self._detector.explains:
            return Shown()
        inputs = given.inputs if isinstance(given, PartsInput) else (given,)
        said = [self._outputs(one) for one in inputs]
        worst = int(np.argmax([float(one["score"].reshape(-1)[0]) for one in said]))
        types = said[worst]["types"].ravel().tolist() if self._detector.types else []
        looked, drawn, difference = _given_back(inputs[worst], said[worst].get(RECONSTRUCTION))
        return Shown(
            log_odds=bool(self.classes),  # who has attention is a classifier
            types=dict(zip(self._detector.types, types, strict=True)),
            looked=looked,
            reconstruction=drawn,
            difference=difference,
            attention={name: self._attention(given, said, place) for place, name in enumerate(self.classes)},
            part=worst + 1 if isinstance(given, PartsInput) else None,
        )

    def _attention(
        self, given: NetworkInput | PartsInput, said: Sequence[dict[str, FloatArray]], place: int
    ) -> FloatArray:
        """The attention for one class, stretched over the photograph."""
        fine = [cv2.resize(one[ATTENTION][place], self._shape[::-1]) for one in said]
        predictions = [Prediction(float(one.max()), np.asarray(one, np.float32)) for one in fine]
        inputs = given.inputs if isinstance(given, PartsInput) else (given,)
        placed = [
            one.look.placed(prediction) if one.look is not None else prediction
            for one, prediction in zip(inputs, predictions, strict=True)
        ]
        return (given.joined(placed) if isinstance(given, PartsInput) else placed[0]).anomaly_map

    def _outputs(self, given: NetworkInput) -> dict[str, FloatArray]:
        names = (*self._detector.outputs, *self._detector.explains)
        with self._lock:
            said = dict(zip(names, self._network(np.asarray(given.values, np.float32)[None]), strict=True))
        if not all(np.isfinite(one).all() for one in said.values()):
            raise BlemishError(f"{self._path} gave an explanation that is no number: fit the inspector anew.")
        return said

    @cached_property
    def _network(self) -> CompiledNetwork:
        try:
            names = (*self._detector.outputs, *self._detector.explains)
            network = CompiledNetwork(self._model, Execution(threads=self._threads), names)
            shapes = network.outputs
        except RuntimeError as error:
            raise self._unusable(str(error).splitlines()[0]) from error
        if tuple(shapes) != names:
            raise self._unusable("its outputs are not in the order that its manifest names")
        if shapes.get(RECONSTRUCTION, (1, 3, *self._shape)) != (1, 3, *self._shape):
            raise self._unusable("its reconstruction is not of its input's size")
        if self.classes:
            shape = shapes[ATTENTION]
            sides = 1 <= min(shape, default=0) <= max(shape, default=0) <= _MOST_ATTENTION
            if len(shape) != 3 or shape[0] != len(self.classes) or not sides:
                raise self._unusable("its attention is not a map for each defect type")
        return network

    def _unusable(self, cause: str) -> ArtifactError:
        return ArtifactError(f"{self._path} holds a network that cannot explain here ({cause}): fit it anew.")


def explanation_by(inspector: Inspector, network: ExplainingNetwork, inspection: Inspection) -> Explanation:
    """An inspection explained by the inspector that made it.

    Args:
        inspector: who has judged.
        network: its own, with the outputs that explain.
        inspection: what came of it, with its photograph.

    Raises:
        UsageError: the photograph was not kept.
        ArtifactError: the network cannot explain, or what the artifact keeps of good patches cannot be used.
    """
    if inspection.photograph is None:
        raise UsageError(
            "This inspection has no photograph to explain: inspect it anew with Inspector.inspect."
        )
    shown = network.shown(inspector.input_of(inspection.photograph))
    nearest: tuple[NearestGood, ...] = ()
    if inspection.regions and inspector.good_patches.known:
        said = Prediction(inspection.score, inspection.anomaly_map, counted=inspection.counted)
        nearest = explain_regions(inspector, said, inspection)
    score_is_maximum = inspector.manifest.detector.score_is_maximum
    of = inspection.type if inspection.type in shown.attention else None
    if of is None and shown.attention:
        of = max(shown.types, key=lambda name: shown.types[name], default=DEFECTIVE)
    scores = inspector.calibration.scores
    limit = inspection.pixel_threshold
    regions = tuple(
        RegionReason(
            region=one,
            times=one.score / limit if limit > 0 else None,
            percentile=percentile(scores, one.score) if score_is_maximum else None,
        )
        for one in inspection.regions
    )
    return Explanation(
        inspection=inspection,
        percentile=percentile(scores, inspection.score),
        n_scores=len(scores),
        regions=regions,
        types=shown.types,
        defect_probability=mean_probability(np.array([inspection.score], np.float32))
        if shown.log_odds
        else None,
        nearest=nearest,
        looked=shown.looked,
        reconstruction=shown.reconstruction,
        difference=shown.difference,
        attention=shown.attention[of] if of is not None else None,
        attention_of=of,
        part=shown.part,
    )


def _given_back(
    given: NetworkInput, planes: FloatArray | None
) -> tuple[ByteArray | None, ByteArray | None, FloatArray | None]:
    """What the network saw, what it gave back of it, and how far they are apart; nothing where it gives none back."""
    if planes is None or given.look is None:
        return None, None, None
    difference = np.abs(np.clip(planes[0], 0, 1) - given.values).mean(0).astype(np.float32)
    if given.look.counted is not None:
        difference[~given.look.counted] = 0
    drawn = np.rint(np.clip(planes[0], 0, 1).transpose(1, 2, 0) * 255).astype(np.uint8)
    return given.look.picture, drawn, difference
