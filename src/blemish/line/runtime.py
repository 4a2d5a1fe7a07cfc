"""The runtime: an artifact in, verdicts on photographs out. It needs no torch."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from blemish.core.calibration import percentile
from blemish.core.conformal import Calibration
from blemish.core.errors import ArtifactError, BlemishError
from blemish.core.execution import AUTO, Execution
from blemish.core.image_inputs import ImageInput, pixels_of
from blemish.core.images import DEFAULT_LIMITS, DecodedPhotograph, DecodeLimits, read_content
from blemish.core.types import (
    NONE_OF_THESE,
    ByteArray,
    FloatArray,
    Prediction,
    Region,
    Verdict,
    mean_probability,
)
from blemish.line.artifact import Artifact, read_artifact, write_artifact
from blemish.line.decision import Decision
from blemish.line.defect_scores import score_defects
from blemish.line.explaining import ExplainingNetwork, explanation_by
from blemish.line.explanation import Explanation
from blemish.line.features import BackboneFeatures
from blemish.line.good_patches import GoodPatches
from blemish.line.ignoring import ignoring
from blemish.line.inspection import Inspection
from blemish.line.inspector_network import inspector_network, settled
from blemish.line.manifest import Manifest
from blemish.line.photograph_measures import measures_of
from blemish.line.pixel_policy import PixelPolicy, decided_whole, pixel_policy_of
from blemish.line.policy import policy_of
from blemish.line.region_statistics import region_statistics
from blemish.line.region_verdicts import judged_regions
from blemish.line.regions import find_regions, peak_region
from blemish.line.rows import (
    NetworkInput,
    PartsInput,
    network_input,
    photograph_for,
    photograph_input,
    require_computable,
)
from blemish.line.suitability import CHECKS, OF_THE_FILE, KnownPhotographs


class Inspector:
    """A fitted inspector, ready to judge; several threads may do so at once.

    Attributes:
        manifest: all that the artifact says of itself.
        calibration: scores of good parts as if unseen.
        region_statistics: how large the anomalous areas of these parts are; None where an older Blemish did not keep
            it, and for detectors that show no place.
        map_scale: map values of the heatmap's coldest and warmest colour.
        features: the backbone inside the artifact, compiled when first asked for.
        good_patches: what the artifact keeps of its memory bank, opened when first asked for.
        history: losses of each epoch of the training; empty where there was none.
        execution: device, precision and threads of its network.
    """

    def __init__(self, artifact: Artifact, execution: Execution | None = None) -> None:
        self.path = artifact.path
        self.manifest: Manifest = artifact.manifest
        self._as_read = artifact.manifest
        self._of: Inspector | None = None
        require_computable(self.manifest.features, self.path)
        calibration = self.manifest.calibration
        self.map_scale = (calibration.map_low, calibration.map_high)
        self.history = artifact.history()
        self.execution = settled(self.manifest, execution or Execution())
        self._artifact, threads = artifact, self.execution.threads
        self.features = BackboneFeatures(artifact, threads)
        self.good_patches = GoodPatches(artifact, threads)
        self.calibration = artifact.calibration()
        self.region_statistics = region_statistics(artifact)
        self._areas_at: tuple[float, Calibration] | None = None
        known = artifact.known_photographs()
        self._known_photographs = None if known is None else KnownPhotographs(known)
        self._outputs = self.manifest.detector.outputs
        self._explaining = ExplainingNetwork(artifact, threads)
        self._explains = threading.Lock()  # one at a time: what it needs is opened at the first one
        try:
            # Any: a picture of bytes where it is read in tiles, else planes of float32.
            self._network: Any = inspector_network(artifact, self.execution)
        except RuntimeError as error:
            raise ArtifactError(
                f"{self.path} holds a network that cannot be run here ({str(error).splitlines()[0]}): fit it anew."
            ) from error

    @classmethod
    def load(
        cls,
        path: Path | str,
        threads: int | None = None,
        digest: str | None = None,
        *,
        device: str = "cpu",
        precision: str | None = None,
        streams: int = 1,
    ) -> Self:
        """Open an artifact; all that judges is opened here.

        Args:
            path: a `.blemish` file.
            threads: CPU threads to use; all when None.
            digest: SHA-256 that the file is known by, where it is.
            device: where the network is computed: cpu, gpu, npu, cuda or tensorrt.
            precision: f32, bf16, f16 or int8; when None, or "auto", what the file keeps for this processor, chosen by
                `blemish bench --write`, and f32 where it keeps nothing.
            streams: photographs that are judged at the same time when as many threads call; the CPU threads are shared
                among them. Every score is the same to the bit.

        Raises:
            ArtifactError: the file is damaged, of a newer format, not one at all, or not the one that was meant.
            UsageError: this machine has no such device, or it cannot compute so.
        """
        execution = Execution(device, precision or AUTO, threads, streams)
        return cls(read_artifact(path, digest=digest), execution)

    def __repr__(self) -> str:
        """Name, detector, input and threshold."""
        return f"Inspector({self.name!r}, {', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(self.name)}</b> {escape(', '.join(self._facts()))}</div>"

    def _facts(self) -> list[str]:
        return [
            self.manifest.detector.name,
            self.manifest.input_in_words,
            f"learnt from {self.manifest.training.n_images} photographs",
            f"threshold {self.threshold:.4g}",
        ]

    @property
    def name(self) -> str:
        """The inspector's name."""
        return self.manifest.name

    @property
    def decision(self) -> Decision:
        """What makes verdicts of scores."""
        return self.manifest.decision

    @property
    def threshold(self) -> float:
        """A part is rejected when its anomaly score is above."""
        return self.decision.threshold

    @property
    def pixel_threshold(self) -> float:
        """Map values above it belong to regions."""
        return self.decision.pixels.threshold

    @property
    def normal_scores(self) -> FloatArray:
        """Scores of the good parts that the calibration rests on, sorted upwards."""
        return np.asarray(self.calibration.scores, np.float32)

    @property
    def expected_parts(self) -> tuple[int, int, int] | None:
        """Fewest, usual and most parts of a good photograph; None where each is judged as one."""
        view = self.manifest.preprocessing.view
        return None if view is None or view.parts is None else view.parts.count

    def predict(self, image: ByteArray) -> Prediction:
        """Anomaly score and map of a uint8 RGB photograph, without a decision."""
        return self.predict_input(self.input_of(image))

    def input_of(self, image: ByteArray, name: str = "the photograph") -> NetworkInput | PartsInput:
        """What the network is given of a uint8 RGB photograph.

        Raises:
            ImageError: it shows no part where several like ones are known; `name` is the photograph's.
        """
        return photograph_input(image, self.manifest.preprocessing, self.manifest.features, name)

    def predict_input(self, given: NetworkInput | PartsInput) -> Prediction:
        """Anomaly score and map, stretched over the photograph, of what `input_of` gives."""
        if isinstance(given, PartsInput):
            return given.joined([self._placed(one) for one in given.inputs])
        return self._placed(given)

    def _placed(self, given: NetworkInput) -> Prediction:
        """What the network says of one input, its map stretched over what was looked at."""
        said = self._prediction(given.values)
        return said if given.look is None else given.look.placed(said)

    def _prediction(self, given: FloatArray | ByteArray) -> Prediction:
        """What the network says, its map stretched over its input."""
        outputs = dict(zip(self._outputs, self._network(given), strict=True))
        if not all(np.isfinite(output).all() for output in outputs.values()):
            raise BlemishError(f"{self.path} gave a score that is not a number: fit the inspector anew.")
        detector, parts, types, type_distance = self.manifest.detector, {}, {}, None
        if detector.parts:  # -log10 of each p-value
            p_values = 10.0 ** -np.maximum(outputs["parts"].ravel(), 0)
            parts = dict(zip(detector.parts, p_values.tolist(), strict=True))
        if detector.types:
            types = dict(zip(detector.types, outputs["types"].ravel().tolist(), strict=True))
            type_distance = float(outputs["type_distance"].reshape(-1)[0])
        score = float(outputs["score"].reshape(-1)[0])
        probability = mean_probability(outputs["map"]) if detector.gives_mask_probability else None
        return Prediction(score, outputs["map"], parts, types, type_distance, probability)

    @property
    def lost_device(self) -> str | None:
        """What became of a device that failed while it ran, in one sentence; None while all is well."""
        lost: str | None = self._network.lost
        return lost

    def warm_up(self) -> None:
        """Run the network once on nothing, as its first run takes longer than the others."""
        contract = self.manifest.preprocessing.of_part
        nothing = np.zeros((contract.height, contract.width, 3), np.uint8)
        self.predict_input(network_input(nothing, contract, self.manifest.features))

    def inspect(self, image: ImageInput) -> Inspection:
        """Judge one photograph.

        Args:
            image: a path, the bytes of a file, a PIL image, or uint8 H x W x 3 (RGB) or H x W (grey).

        Returns:
            Verdict, score, regions and more; `overlay()` draws it, and a notebook shows it.

        Raises:
            ImageError: the file, its bytes or the PIL image cannot be used.
            UsageError: it is none of these.
        """
        if isinstance(image, str | Path):
            photograph = self.open_photograph(read_content(image, DEFAULT_LIMITS.max_bytes), str(image))
            return self.inspect_photograph(photograph, str(image))
        if isinstance(image, bytes):
            return self.inspect_photograph(self.open_photograph(image, "the image"))
        pixels = pixels_of(image, bit_depth=self.manifest.preprocessing.bit_depth)
        height, width = pixels.shape[:2]
        return self.inspect_photograph(DecodedPhotograph(pixels, width, height))

    def explain(self, image: ImageInput | Inspection) -> Explanation:
        """Why a photograph is judged as it is: for each region, and by what the network made of the photograph.

        A plain inspection computes nothing of it. The first explanation takes longer, as the network with all outputs
        is compiled then.

        Args:
            image: as of `inspect`; or an inspection that it has made, with its photograph.

        Raises:
            ImageError: as `inspect`.
            UsageError: it is none of these, or the inspection's photograph was not kept.
            ArtifactError: the network cannot explain.
        """
        inspection = image if isinstance(image, Inspection) else self.inspect(image)
        with self._explains:
            return explanation_by(self, self._explaining, inspection)

    def open_photograph(
        self, content: bytes, name: str, limits: DecodeLimits = DEFAULT_LIMITS
    ) -> DecodedPhotograph:
        """A photograph's file, decoded as far as the inspector needs it: at reduced scale where that is enough.

        Raises:
            ImageError: as `blemish.core.images.decode_image`.
        """
        manifest = self.manifest
        return photograph_for(manifest.preprocessing, manifest.features, content, name, limits)

    def inspect_photograph(self, photograph: DecodedPhotograph, name: str = "the photograph") -> Inspection:
        """Judge a photograph that `open_photograph` has decoded."""
        given = self.input_of(photograph.pixels, name)
        reason = self.unlike(photograph, given)
        prediction = self.predict_input(given)
        return self.judge(prediction, photograph.width, photograph.height, photograph.pixels, reason)

    def unlike(self, photograph: DecodedPhotograph, given: NetworkInput | PartsInput) -> str | None:
        """Why a photograph is unlike those learnt from; None where it is like them, or nobody checks.

        Where more is ignored than when the limits were learnt, shape and detail alone are compared. What the network
        sees is measured; of a row of features, and of parts that are cut out, it is the whole photograph.

        Args:
            photograph: as `open_photograph` has decoded it.
            given: what `input_of` gives of it.
        """
        suitability, known = self.manifest.suitability, self._known_photographs
        if suitability is None or known is None:
            return None
        look = given.look if isinstance(given, NetworkInput) else None
        picture, counted = (photograph.pixels, None) if look is None else (look.picture, look.counted)
        view = self.manifest.preprocessing.view
        # A row of features is of the whole photograph, of which what is ignored must have no influence.
        whole = view is None or (view.ignored_later is None and (look is not None or not view.all_regions))
        checks = CHECKS if whole else OF_THE_FILE
        size, part = (photograph.width, photograph.height), suitability.places_part
        return suitability.reason(measures_of(picture, counted, *size, place_part=part), known, checks)

    def with_ignored(
        self, ignore: Sequence[str] = (), *, include: Sequence[str] = (), mask: Path | str | None = None
    ) -> Self:
        """The same inspector when less of photographs counts, without learning anew; `save` writes it.

        What is ignored has no influence any more, and around it, as far as the network sees its edge, nothing is
        judged: a defect that lies there alone is missed. Thresholds and calibration stay as they are.

        Args:
            ignore: shapes that count no longer, as "box:X,Y,WIDTH,HEIGHT" or "polygon:X,Y,X,Y,X,Y" in pixels of
                photographs of the size `manifest.preprocessing.view.photograph`.
            include: shapes that alone go on counting.
            mask: file of an image of which the white alone goes on counting.

        Raises:
            UsageError: more would count than now, or too little; or this inspector's score is not of its map alone.
        """
        changed = copy.copy(self)
        changed._of = self  # whose file may be there only for as long as it is used
        changed.manifest = ignoring(
            self.manifest, tuple(ignore), tuple(include), Path(mask) if mask else None
        )
        return changed

    def decide(
        self,
        *,
        defects: Sequence[ImageInput] = (),
        defect_scores: npt.ArrayLike | None = None,
        by: str = "local",
        note: str | None = None,
        **policy: Any,
    ) -> Self:
        """The same inspector with another decision in effect, without learning anew; `save` writes it.

        What is not asked for stays as it is, and `undo=True` brings the decision before back.

        Args:
            defects: photographs of known defects, as `inspect` takes them, for a recall, costs or the best F1.
            defect_scores: scores of known defects, besides or instead, as `blemish.corrections` gives them.
            by: who decides.
            note: why.
            **policy: what is asked for, as `false_reject_rate=0.01`, `review_rate=0.05`, `threshold=12.5`,
                `recall=0.95`, or `cost_missed=50, cost_false_reject=1`; see `blemish.line.policy.Policy`, and for
                regions, as `pixel_rate=0.05` or `smallest_region="14px"`, `blemish.line.pixel_policy.PixelPolicy`.

        Raises:
            UsageError: it contradicts itself or cannot be promised, or no photograph counts as a known defect.
        """
        of_regions = {name: policy.pop(name) for name in PixelPolicy.model_fields if name in policy}
        asked = policy_of(policy), pixel_policy_of(of_regions)
        maxima = None if self.region_statistics is None else self.region_statistics.calibration
        known = [score_defects(self, defects).scores] if defects else []
        if defect_scores is not None and np.size(defect_scores):
            known.append(np.asarray(defect_scores, np.float32).ravel())
        scores = np.concatenate(known).astype(np.float32) if known else None
        changed = copy.copy(self)
        changed._of = self
        changed.manifest = decided_whole(
            self.manifest, self.calibration, *asked, maxima, scores, by=by, note=note
        )
        return changed

    def save(self, path: Path | str) -> None:
        """Write the inspector as a file, NAME.blemish; it appears whole or not at all.

        Raises:
            ArtifactError: the file that it was opened from is gone or another by now.
            BlemishError: it cannot be written.
        """
        artifact = read_artifact(self.path)
        if artifact.manifest != self._as_read:
            raise ArtifactError(
                f"{self.path} is not the file that was opened: somebody has replaced it; open it anew."
            )
        write_artifact(path, self.manifest, artifact.members)

    def side_by_side(self, streams: int) -> Self:
        """The same inspector with a network that judges so many photographs at the same time when as many threads call.

        The CPU threads are shared among them; every score is the same to the bit.
        """
        changed = copy.copy(self)
        changed._of = self
        changed.execution = replace(self.execution, streams=streams)
        changed._network = inspector_network(self._artifact, changed.execution)
        return changed

    def percentile(self, score: float) -> float:
        """Where a score lies among those of normal images: the share of them below it, 0 to 100, ties counting half."""
        return percentile(self.calibration.scores, score)

    def judge(
        self,
        prediction: Prediction,
        width: int,
        height: int,
        photograph: ByteArray | None = None,
        reason: str | None = None,
    ) -> Inspection:
        """The decision on a prediction for a photograph of `width` x `height` pixels, which is kept where given.

        Where it is unlike those learnt from, for the `reason` given, it is not judged unless it is rejected.
        """
        verdict = self.decision.verdict(prediction.score)
        if reason is not None and verdict is not Verdict.REJECT:
            verdict = Verdict.NOT_JUDGED
        gives_map = self.manifest.detector.gives_maps
        regions: tuple[Region, ...] = ()
        unusual = verdict in (Verdict.REVIEW, Verdict.REJECT)
        if unusual and gives_map:
            regions = self._regions_of(prediction, width, height)
        types = prediction.types if unusual else {}
        return Inspection(
            verdict=verdict,
            score=prediction.score,
            threshold=self.threshold,
            review_threshold=self.decision.review_threshold,
            p_value=self.calibration.p_value(prediction.score),
            anomaly_map=prediction.anomaly_map,
            regions=regions,
            width=width,
            height=height,
            parts=prediction.parts,
            types=types,
            type=self._type_of(prediction) if types else None,
            mask_probability=prediction.mask_probability,
            gives_map=gives_map,
            pixels=self.decision.pixels,
            map_scale=self.map_scale,
            photograph=photograph,
            counted=prediction.counted,
            part_count=prediction.part_count,
            expected_parts=self.expected_parts,
            reason=reason,
        )

    def _regions_of(self, prediction: Prediction, width: int, height: int) -> tuple[Region, ...]:
        """Where a part that is no pass is unusual: at its map's peak, where that is nowhere above the threshold."""
        anomaly_map, counted, manifest = prediction.anomaly_map, prediction.counted, self.manifest
        found = find_regions(
            anomaly_map,
            self.decision.pixels,
            width,
            height,
            counted=counted,
            normal_areas=self._normal_areas(self.decision.pixels.growth),
        ) or (peak_region(anomaly_map, width, height, counted),)
        by_peak = manifest.detector.score_is_maximum
        return judged_regions(found, self.decision, by_peak, manifest.millimetres)

    def _normal_areas(self, level: float) -> Calibration | None:
        """The largest areas of good parts above a level of the map; None where they are not known."""
        if self.region_statistics is None:
            return None
        if self._areas_at is None or self._areas_at[0] != level:
            self._areas_at = level, self.region_statistics.largest_areas(level)
        return self._areas_at[1]

    def _type_of(self, prediction: Prediction) -> str:
        """The likeliest type of a part that does not pass, unless it is like no labelled defect."""
        known = self.manifest.calibration.types
        limit = known.limit if known else None
        if limit is not None and prediction.type_distance is not None and prediction.type_distance > limit:
            return NONE_OF_THESE
        return max(prediction.types, key=lambda name: prediction.types[name])
