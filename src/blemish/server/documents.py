"""The documents that the API takes and gives; the OpenAPI page is made from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, create_model

from blemish.core.types import Verdict
from blemish.server.job_requests import RegionShapes
from blemish.server.problems import image_status
from blemish.station.drift_report import Drift
from blemish.station.image_store import Held, ImageStore
from blemish.station.inspection_queue import Refused
from blemish.station.records import (
    LINE_PATTERN,
    MOST_NOTE_CHARACTERS,
    MOST_TYPE_CHARACTERS,
    NOTE_PATTERN,
    InspectionRecord,
)
from blemish.station.shelf import InspectorVersion


def _in_range(moment: datetime) -> datetime:
    if not 1970 <= moment.year <= 2200:
        raise ValueError("the year must be from 1970 to 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
DefectType = Annotated[str, Field(min_length=1, max_length=MOST_TYPE_CHARACTERS, pattern=LINE_PATTERN)]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Given(BaseModel):
    @classmethod
    def of(cls, value: object) -> Self:
        """The document of a value: its fields by their names, null for what is no number, as JSON has none."""
        found = {name: getattr(value, name) for name in cls.model_fields}
        absent = [name for name, one in found.items() if isinstance(one, float) and not math.isfinite(one)]
        return cls(**found | dict.fromkeys(absent))


class RegionDocument(BaseModel):
    """An anomalous area of the photograph; null for what its inspector, or an older version, did not know."""

    x: int
    y: int
    width: int
    height: int
    score: float = Field(description="Its highest map value.")
    area: float | None = Field(default=None, description="Pixels of the photograph that it covers.")
    share: float | None = Field(default=None, description="Share of the map that it covers.")
    peak: tuple[int, int] | None = Field(
        default=None, description="x and y of its highest map value, in pixels of the photograph."
    )
    mean: float | None = Field(default=None, description="Mean of its map values.")
    contour: tuple[tuple[float, float], ...] = Field(
        default=(), description="Corners of a polygon around it, at most 32, in pixels of the photograph."
    )
    p_value: float | None = Field(
        default=None, description="Share of unseen good parts expected to show an area at least as large."
    )
    verdict: Verdict | None = Field(
        default=None, description="What is to be done with a part that shows this region alone."
    )
    square_millimetres: float | None = Field(
        default=None, description="Its area, where the scale of the photographs was given."
    )


def fields_of(record: type) -> dict[str, Any]:
    """Fields of the document of a record, as `create_model` takes them: its number first.

    The suffix is left out: the document has the photograph's address.
    """
    hints = {**get_type_hints(record), "regions": list[RegionDocument]}
    said = {one.name: Field(description=one.metadata.get("description")) for one in fields(record)}
    names = ["id", *(name for name in said if name not in ("id", "image_suffix"))]
    return {name: (hints[name], said[name]) for name in names}


_Recorded: Any = create_model("_Recorded", **fields_of(InspectionRecord))


class InspectionDocument(_Recorded):
    """One inspection, as it is in the log."""

    image: str | None = Field(description="Address of the photograph; null if it is not kept.")
    heatmap: str | None = Field(description="Address of the heatmap, or the PNG itself as a data URI.")
    thumbnail: str | None = Field(description="Address of the photograph as a JPEG of at most 160 pixels.")
    photograph: Held | None = Field(
        description="`kept` by the policy, or `buffered` among the latest passes until newer ones need the room; null "
        "if it is not there."
    )
    sentence: str | None = Field(default=None, description="Why, in words; null in lists.")
    map_scale: tuple[float, float] | None = Field(
        default=None,
        description="Map values of the heatmap's coldest and warmest colour, in answers that bring it.",
    )

    @classmethod
    def of(
        cls,
        record: InspectionRecord,
        images: ImageStore,
        heatmap: str | None = None,
        prefix: str = "",
        sentence: str | None = None,
        map_scale: tuple[float, float] | None = None,
    ) -> InspectionDocument:
        """The document of a record whose photograph may be among `images`, with addresses below `prefix`.

        A given heatmap stands there in place of its own.
        """
        address = f"{prefix}/v1/inspections/{record.id}"
        held = images.where(record.image_digest, record.image_suffix)
        kept = held is not None
        values = vars(record) | {
            "regions": [RegionDocument.model_construct(**vars(region)) for region in record.regions],
            "milliseconds": {step: round(value, 3) for step, value in record.milliseconds.items()},
            "image": f"{address}/image" if kept else None,
            "heatmap": heatmap or (f"{address}/heatmap" if kept and record.gives_map else None),
            "thumbnail": f"{address}/thumbnail" if kept else None,
            "photograph": held,
            "sentence": sentence,
            "map_scale": map_scale,
        }
        return cls.model_construct(**{name: values[name] for name in cls.model_fields})


class RefusedDocument(_Given):
    """A photograph that was not judged, beside others that were."""

    file_name: str
    kind: str
    detail: str
    status: int

    @classmethod
    def of_refusal(cls, value: Refused) -> Self:
        """The document of a refusal, with the HTTP status that it has where it stands alone."""
        return cls(**vars(value), status=image_status(value.kind))


class InspectedDocument(BaseModel):
    """The answer to an inspection: all that was judged is in the log."""

    inspections: list[InspectionDocument]
    refused: list[RefusedDocument]


class PageDocument(BaseModel):
    """Some inspections, newest first."""

    inspections: list[InspectionDocument]
    next_cursor: str | None = Field(description="Asks for those that follow; null at the end.")


class FeedbackRequest(_Taken):
    """What a person says of an inspected part."""

    truth: Literal["good", "bad"]
    defect_type: DefectType | None = None
    note: Annotated[str, Field(max_length=MOST_NOTE_CHARACTERS, pattern=NOTE_PATTERN)] = ""


class FeedbackDocument(_Given):
    """Feedback as it is in the log."""

    id: int
    inspection_id: int
    time: datetime
    truth: Literal["good", "bad"]
    defect_type: str | None
    note: str
    by: str


class VersionDocument(_Given):
    """One version of an inspector on the shelf."""

    name: str
    version: int
    digest: str
    detector: str
    category: str
    created: datetime
    added: datetime
    active: bool


class InspectorDocument(BaseModel):
    """An inspector: the number of the version that judges, and all versions."""

    name: str
    active: int | None
    versions: list[VersionDocument]

    @classmethod
    def of(cls, name: str, versions: Sequence[InspectorVersion]) -> InspectorDocument:
        """The document of an inspector's versions."""
        active = next((version.version for version in versions if version.active), None)
        return cls(name=name, active=active, versions=[VersionDocument.of(one) for one in versions])


class ActivateRequest(_Taken):
    """Which version is to judge."""

    version: int = Field(ge=1, le=2**31 - 1)


class RegionsRequest(_Taken):
    """What of photographs is to count no longer, in pixels of the size that the inspector knows.

    Boxes as "box:X,Y,WIDTH,HEIGHT", polygons as "polygon:X,Y,X,Y,X,Y". Where `include` names any, all else counts no
    longer.
    """

    ignore: RegionShapes = ()
    include: RegionShapes = ()
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Of the inspector; the active one if absent."
    )


class SummaryDocument(_Given):
    """Counts by verdict and by what people said."""

    n: int
    passed: int
    reviewed: int
    rejected: int
    reject_rate: float | None
    confirmed: int
    false_rejects: int
    missed: int
    without_feedback: int
    without_defect_type: int
    not_judged: int = Field(description="Photographs unlike those learnt from; in no rate.")


class RateDocument(_Given):
    """One point of the control chart of the reject rate (p chart, three standard errors)."""

    start: datetime
    n: int
    rejected: int
    rate: float
    lower: float
    upper: float
    out_of_control: bool


class DefectShareDocument(_Given):
    """One bar of the Pareto chart of defect types; shares are from 0 to 1."""

    defect_type: str
    count: int
    share: float
    cumulative_share: float


class MovedDocument(_Given):
    """A number of the parts that has changed, from when on, and when that was told."""

    statistic: str
    since: datetime
    told: datetime
    rising: bool
    before: float | None
    now: float | None


class StatisticDriftDocument(_Given):
    """A number that is tested; `evidence` is 1 where it has changed."""

    statistic: str
    evidence: float = Field(ge=0, le=1)
    before: float | None
    now: float | None


class DriftDocument(BaseModel):
    """Whether light, lens or parts have changed at the active version of an inspector, and what moved first."""

    inspector: str
    version: int
    n: int = Field(description="Parts that were read, without those found bad.")
    n_passed: int = Field(description="That passed, by the decision with which the tests began.")
    state: Literal["learning", "steady", "drifted"]
    message: str
    parts_per_false_alarm: float = Field(description="Mean number of parts to a false alarm, at least.")
    moved: list[MovedDocument] = Field(description="What has changed, in the order in which it was told.")
    statistics: list[StatisticDriftDocument]

    @classmethod
    def of(cls, drift: Drift) -> Self:
        """The document of what the tests say."""
        values = {name: getattr(drift, name) for name in cls.model_fields}
        moved = [MovedDocument.of(one) for one in drift.moved]
        statistics = [StatisticDriftDocument.of(one) for one in drift.statistics]
        return cls(**values | {"moved": moved, "statistics": statistics})


class LearnAnewRequest(_Taken):
    """Why what is inspected from now on is normal."""

    note: Annotated[str, Field(min_length=1, max_length=200, pattern=LINE_PATTERN)] | None = None


class ScoreBucketDocument(_Given):
    """Scores of an hour or a day: their 5 %, 50 % and 95 % points, and the highest threshold of that time."""

    start: datetime
    n: int
    low: float
    median: float
    high: float
    threshold: float


class FirstPassDocument(_Given):
    """Parts at their first inspection: those of one serial number are one part, else those of one and the same file."""

    n: int
    passed: int
    reviewed: int
    rejected: int
    not_judged: int


class ScopeDocument(_Given):
    """What the statistics are of: who judged, when, which parts, and whether repeats of one file count.

    What is void never does.
    """

    inspector: str | None
    version: int | None
    since: datetime | None
    until: datetime | None
    repeats: bool
    serial_number: str | None
    batch: str | None
    shift: str | None
    camera: str | None


class StatisticsDocument(BaseModel):
    """What the history says in numbers: all of them of the scope; `matching` alone is of the filter."""

    scope: ScopeDocument
    matching: int = Field(
        description="Inspections that the filter leaves (verdict, truth, type, search text, reviewed, void), void ones "
        "among them unless they are left out: as many as `/v1/inspections` lists."
    )
    summary: SummaryDocument
    first_pass: FirstPassDocument
    reject_rates: list[RateDocument]
    score_trend: list[ScoreBucketDocument]
    pareto: list[DefectShareDocument]
    drift: list[DriftDocument]


class HealthDocument(BaseModel):
    """How the server is."""

    status: Literal["ok"]
    version: str


class ReadyDocument(BaseModel):
    """That the server takes photographs, and what it does without."""

    status: Literal["ready"]
    inspectors: list[str]
    troubles: list[str]
