"""What an artifact says of itself: `manifest.json`, checked field by field before anything else is used."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    FailFast,
    Field,
    JsonValue,
    model_validator,
)

from blemish.core.calibration import false_reject_rate
from blemish.core.errors import BlemishError, UsageError
from blemish.core.records import Finite, Moment, NotNegative, Record, Sha256, Text
from blemish.line.correction import CorrectionsRecord
from blemish.line.decision import MOST_DECISIONS, Decision
from blemish.line.pixel_decision import PixelDecision
from blemish.line.precision_choice import MOST_CHOICES, PrecisionChoice
from blemish.line.suitability import Suitability
from blemish.view.preprocessing import Preprocessing
from blemish.view.quantities import millimetres_per_pixel

FORMAT_VERSION = 1
MEMBER_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,79}\.(onnx|npy|json)$"
"""A plain lower-case file name: no folders, no dots but the last, the same on every file system."""

TYPE_OUTPUTS = ("types", "type_distance")
"""A network's outputs on defect types: the probability of each, and the distance to the nearest labelled defect."""

RECONSTRUCTION: Final = "reconstruction"
ATTENTION: Final = "attention"
Explains = Literal["reconstruction", "attention"]
"""A network's outputs that only explanations fetch: the input as an autoencoder gives it back, 1 x 3 x H x W in [0, 1];
and what speaks for each defect type, or for any where none is known, K x h x w, 0 and more."""

_MOST_DIGESTS = 10_000


def _finite(parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse NaN and infinity anywhere inside: JSON has no word for them, and null would be stored."""
    try:
        json.dumps(parameters, allow_nan=False)
    except ValueError as error:
        raise ValueError("numbers must be finite") from error
    return parameters


MemberName = Annotated[str, Field(pattern=MEMBER_NAME_PATTERN)]


class DetectorRecord(Record):
    """Which detector was fitted, by its name in the registry, and with which parameters.

    Attributes:
        name, parameters: as above.
        parts: names of the detectors that it is made of, in the order of the network's output `parts`.
        types: names of the defect types that it tells apart, in the order of the network's output `types`.
        gives_maps: whether its map shows a place; where not, the map is the score everywhere.
        metric: what its score measures, in words.
        gives_mask_probability: whether the map holds the logits of a mask, and their mean probability has a meaning.
        chosen: what parameters that were left to the fit came to mean, as {"scoring": "robust"}.
        score_is_maximum: whether the score is the highest value of the map, so that it can be taken of a part of it.
        explains: names of the outputs, behind the others, that only explanations fetch.
        reach: pixels of the network's input from the edge of a filled area beyond which maps of good parts hardly rise;
            None where it was not measured, or is everywhere.
    """

    name: Text
    parts: tuple[Text, ...] = ()
    types: tuple[Text, ...] = ()
    gives_maps: bool = True
    metric: Text = "anomaly score"
    gives_mask_probability: bool = False
    chosen: Annotated[dict[Text, JsonValue], AfterValidator(_finite)] = Field(default_factory=dict)
    score_is_maximum: bool = False
    explains: tuple[Explains, ...] = Field((), max_length=2)
    reach: int | None = Field(None, ge=0, le=16_384)
    parameters: Annotated[dict[str, JsonValue], AfterValidator(_finite)] = Field(default_factory=dict)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs that judge, in order; those that explain follow them."""
        types = TYPE_OUTPUTS if self.types else ()
        return ("score", "map", *(("parts",) if self.parts else ()), *types)


class TypeCalibrationRecord(Record):
    """How far the defect types that a network names can be believed.

    Attributes:
        temperature: what the logits of the types were divided by before they became probabilities.
        limit: a rejected part farther than this from every labelled defect is of none of the types; None where too few
            labelled defects are known to say so.
        rate: share of the defects of known types that are expected to be beyond the limit, in (0, 1).
        n_distances: how many labelled defects, each as if unseen, the limit rests on.
        recognised: share of them that would be beyond the limit had all of their type been left out: how well unknown
            types are told. None where too few are left then.
    """

    temperature: float = Field(gt=0, allow_inf_nan=False)
    limit: Finite | None
    rate: float = Field(gt=0, lt=1)
    n_distances: int = Field(ge=0)
    recognised: float | None = Field(None, ge=0, le=1)


class FeaturesRecord(Record):
    """A row of features that is the network's input instead of the picture, computed by `blemish.line.rows`.

    Attributes:
        name: "direct", the handcrafted features; "pixels", the raw pixels; or "direct-pixels", both.
        version: of what they mean.
        columns: how many they are.
    """

    name: Literal["direct", "pixels", "direct-pixels"]
    version: int = Field(ge=1)
    columns: int = Field(ge=1)


class CalibrationRecord(Record):
    """What decisions rest on.

    The normal scores themselves are the member `normal_scores.npy`, float32, sorted upwards; where groups were given,
    `normal_groups.npy` says which of them are of one, int32.

    Attributes:
        map_low, map_high: map values of the heatmap's coldest and warmest colour, low below high.
        n_scores: how many normal scores the calibration rests on.
        method: how they were obtained, such as "k-fold".
        folds: number of folds; 0 where the method has none.
        n_groups: how many groups the photographs of the scores are of, where it was said which belong together: so many
            scores are independent. None where nobody said.
        digests: what `training_digests` makes of the SHA-256 of photographs that were set aside for it (the method
            "validation"); such photographs judge nothing.
        types: of a detector that tells defect types apart; None of any other.
    """

    map_low: Finite
    map_high: Finite
    n_scores: int = Field(ge=1)
    method: Text
    folds: int = Field(ge=0)
    n_groups: int | None = Field(None, ge=1)
    digests: Annotated[tuple[Sha256, ...], FailFast(), Field(max_length=_MOST_DIGESTS)] = ()
    types: TypeCalibrationRecord | None = None

    @model_validator(mode="after")
    def _check_scale(self) -> CalibrationRecord:
        if not self.map_low < self.map_high:
            raise ValueError("map_low must be below map_high")
        if self.n_groups is not None and self.n_groups > self.n_scores:
            raise ValueError("there are more groups than scores")
        return self


class SupervisionRecord(Record):
    """Labelled test photographs that a supervised detector learnt from; it is to be judged by the others alone.

    Attributes:
        share: share of the test photographs that was taken, by defect type.
        seed: of the choice.
        n_defective: how many of them show defects.
        digests: SHA-256 of each file.
    """

    share: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0, lt=2**64)
    n_defective: int = Field(ge=0)
    digests: Annotated[tuple[Sha256, ...], FailFast(), Field(min_length=1, max_length=_MOST_DIGESTS)]


class TrainingRecord(Record):
    """What the detector learnt from.

    Attributes:
        category: the part or surface.
        n_images: number of training images.
        supervision: test photographs among them; None where there are none.
        digests: what `training_digests` makes of the SHA-256 of their files.
        seed: seed of everything random in the fit.
        created: when the fit ended, in UTC; written as ISO 8601.
        seconds: how long the fit took.
        measured: what a supervised detector reached on the images held out from training, by name; empty for others.
    """

    category: Text
    n_images: int = Field(ge=1)
    # Without FailFast a forged list of a million wrong items would be described item by item.
    digests: Annotated[tuple[Sha256, ...], FailFast(), Field(min_length=1, max_length=_MOST_DIGESTS)]
    seed: int = Field(ge=0, lt=2**64)
    created: Moment
    seconds: NotNegative
    supervision: SupervisionRecord | None = None
    measured: dict[Text, Finite] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_digests(self) -> TrainingRecord:
        if len(self.digests) > self.n_images:
            raise ValueError("there are more digests than images")
        return self


class ParityRecord(Record):
    """How far the runtime's scores were from the training path's when the artifact was written.

    Attributes:
        n_images: images scored on both paths.
        max_relative_error: largest difference among them, relative to the score.
    """

    n_images: int = Field(ge=1)
    max_relative_error: NotNegative


class Member(Record):
    """A file inside the artifact: its name, the SHA-256 of its content, and its size in bytes."""

    name: MemberName
    sha256: Sha256
    size: int = Field(ge=0)


class Manifest(Record):
    """All that an artifact says of itself; immutable, and refused when any field is unknown or out of range.

    `members` is filled in by `blemish.line.artifact.write_artifact`. The last of the `decisions` is in effect. Without
    `suitability`, as in older artifacts, every photograph is judged. `corrections` says what was learnt since the fit,
    `precisions` what was chosen on processors since.
    Where the network reads `features`, of `preprocessing` only the bit depth counts for its input; height and width are
    those of its map.
    """

    format_version: int = Field(default=FORMAT_VERSION, ge=1, le=FORMAT_VERSION)
    name: Text
    detector: DetectorRecord
    preprocessing: Preprocessing
    features: FeaturesRecord | None = None
    calibration: CalibrationRecord
    decisions: Annotated[tuple[Decision, ...], FailFast(), Field(min_length=1, max_length=MOST_DECISIONS)]
    suitability: Suitability | None = None
    training: TrainingRecord
    libraries: dict[Text, Text]
    parity: ParityRecord
    corrections: CorrectionsRecord | None = None
    precisions: Annotated[tuple[PrecisionChoice, ...], FailFast(), Field(max_length=MOST_CHOICES)] = ()
    members: Annotated[tuple[Member, ...], FailFast()] = ()

    @property
    def decision(self) -> Decision:
        """What makes verdicts of scores."""
        return self.decisions[-1]

    @property
    def corrected_digests(self) -> frozenset[str]:
        """SHA-256 of the photographs that it has learnt from since the fit."""
        return frozenset() if self.corrections is None else self.corrections.digests

    def decided(self, decision: Decision) -> Manifest:
        """The same with another decision in effect; those before are remembered."""
        return self.model_copy(update={"decisions": (*self.decisions, decision)[-MOST_DECISIONS:]})

    @property
    def millimetres(self) -> float | None:
        """Millimetres for each pixel of the photographs; None where no scale was given."""
        scale = self.detector.parameters.get("scale")
        try:
            return millimetres_per_pixel(scale) if isinstance(scale, str) else None
        except UsageError:  # somebody's own detector means another thing by it
            return None

    @model_validator(mode="before")
    @classmethod
    def _decide_as_before(cls, given: Any) -> Any:
        """Inspectors up to 0.2 hold their thresholds in the calibration."""
        return _with_decision(given) if isinstance(given, dict) and "decisions" not in given else given

    @property
    def input_in_words(self) -> str:
        """What the network is given of a photograph: `352 x 352 pixels`, or `43 direct features`.

        Of a large one `9984 x 9984 pixels in tiles of 1024`.
        """
        if self.features is not None:
            return f"{self.features.columns} {self.features.name} features"
        size = f"{self.preprocessing.width} x {self.preprocessing.height} pixels"
        view = self.preprocessing.view
        return f"{size} in tiles of {view.tile}" if view is not None and self.preprocessing.tiled else size

    @property
    def goes_by(self) -> str:
        """What the detector goes by: "examples" of defects, the photograph's own "pixels", or a network's "features".

        Who learns from examples is measured on those held out; who reads no backbone, itself or by its parts, has the
        pixels alone.
        """
        if self.training.measured:
            return "examples"
        if self.features is not None:
            return "pixels"
        return "features" if self.detector.parts or "backbone" in self.detector.parameters else "pixels"

    @property
    def scoring_digest(self) -> str:
        """SHA-256 of all but the decisions: inspectors that agree in it give the same scores and maps."""
        # Without defaults, so that a field of a newer Blemish changes no older digest.
        text = self.model_dump_json(exclude={"decisions"}, exclude_defaults=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @model_validator(mode="after")
    def _check_types(self) -> Manifest:
        if bool(self.detector.types) != (self.calibration.types is not None):
            raise ValueError("defect types and their calibration belong together")
        return self

    @model_validator(mode="after")
    def _check_members(self) -> Manifest:
        for name, count in Counter(member.name for member in self.members).items():
            if count > 1:
                raise ValueError(f"{name} is listed {count} times")
        return self


_DECIDED = ("threshold", "pixel_threshold", "quantile", "other_thresholds")


def _with_decision(given: dict[str, Any]) -> dict[str, Any]:
    """A manifest whose calibration decides, with a decision instead; as it is where it has none to tell."""
    calibration, training = given.get("calibration"), given.get("training")
    if not isinstance(calibration, dict) or not isinstance(training, dict):
        return given
    old = {name: calibration.get(name) for name in _DECIDED}
    kept = {name: value for name, value in calibration.items() if name not in _DECIDED}
    try:
        rates = false_reject_rate(
            kept["n_scores"], float(str(old["quantile"])), n_groups=kept.get("n_groups")
        )
        pixels = PixelDecision(threshold=old["pixel_threshold"])
        decision = {
            "rule": "quantile",
            "threshold": old["threshold"],
            "review_threshold": old["threshold"],
            "expected": rates[0],
            "at_most": rates[1],
            "review_expected": rates[0],
            "pixels": pixels,
            "made": training["created"],
        }
    except (BlemishError, KeyError, TypeError, ValueError):
        return given  # the fields are then named one by one
    return given | {"calibration": kept, "decisions": (decision,)}


class FormatVersion(BaseModel):
    """The one field that every future manifest keeps, read before the others are understood."""

    format_version: int = Field(ge=1, le=1_000_000)


def training_digests(digests: Sequence[str]) -> tuple[str, ...]:
    """Digests of training images as a manifest keeps them.

    Args:
        digests: SHA-256 of each file, 64 hexadecimal digits, in any order.

    Returns:
        The digests sorted; for more than 10,000 images a single one, the SHA-256 of the sorted digests joined
        by line feeds, so that a manifest stays small.
    """
    ordered = tuple(sorted(digests))
    if len(ordered) <= _MOST_DIGESTS:
        return ordered
    return (hashlib.sha256("\n".join(ordered).encode("ascii")).hexdigest(),)
