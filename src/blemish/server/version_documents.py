"""The documents of an inspector's versions: what each is made of, what it promises, and how it fared."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from blemish.core.types import Verdict
from blemish.line.decision import Decision
from blemish.line.precision_choice import PrecisionChoice

Kind = Literal["fitted", "corrections", "regions", "decision", "same"]
"""How a version differs from another: fitted anew, it has learnt other corrections, looks at other regions, decides
otherwise, or in nothing."""


class ChangesDocument(BaseModel):
    """How a version differs from another one."""

    against: int = Field(description="The other version.")
    kind: Kind
    sentences: list[str]


class PeriodDocument(BaseModel):
    """A time in which the version judged; `until` is null while it does."""

    since: datetime
    until: datetime | None


class LearntDocument(BaseModel):
    """What a version learnt from, and how."""

    detector: str
    parameters: dict[str, Any]
    chosen: dict[str, Any] = Field(description="What parameters that were left to the fit came to mean.")
    metric: str = Field(description="What its score measures.")
    types: list[str] = Field(description="Defect types that it tells apart.")
    input: str = Field(description="What the network is given of a photograph, in words.")
    looks_at: str | None = Field(
        description="Which part of photographs counts, in words; null where all does."
    )
    checked: str | None = Field(description="What photographs are checked for; null where for nothing.")
    category: str = Field(description="What the photographs were called where it was fitted.")
    n_images: int
    n_labelled: int = Field(description="Labelled test photographs among them.")
    seed: int
    seconds: float
    created: datetime
    calibration_n: int = Field(description="Independent good scores that every promise rests on.")
    calibration_method: str
    parity: float = Field(description="Largest relative difference between laboratory and line, as fitted.")
    libraries: dict[str, str]
    precisions: list[PrecisionChoice] = Field(
        description="What it is run in on which processor, chosen by blemish bench; elsewhere in f32."
    )


class CountsDocument(BaseModel):
    """What the history holds of a version."""

    n: int
    passed: int
    reviewed: int
    rejected: int
    not_judged: int
    judged: int
    reject_rate: float | None
    corrected: int = Field(description="Of which a person has said what they are.")
    false_rejects: int = Field(description="Rejected, but found good.")
    missed: int = Field(description="Passed, but found bad.")
    first: datetime | None
    last: datetime | None


class EvaluationDocument(BaseModel):
    """An evaluation of a version on labelled photographs, by a job; GET /v1/jobs/{job} has all its figures."""

    job: str
    time: datetime
    by: str
    data: str = Field(description="Name of the folder of photographs.")
    report: bool
    n_normal: int
    n_anomalous: int
    image_auroc: float | None
    image_auroc_interval: list[float | None]
    image_ap: float | None
    image_f1: float | None = Field(description="The highest F1 over all thresholds.")
    false_reject: float | None = Field(description="Share of good photographs rejected at the threshold.")
    escape: float | None = Field(description="Share of defective photographs not rejected at the threshold.")
    pixel_auroc: float | None
    aupro: float | None
    milliseconds: float | None = Field(description="Median time of an inspection.")


class VersionFactsDocument(BaseModel):
    """A version: what it is, where it is from, what it promises, when it judged, and how it fared.

    `learnt`, `decision` and `changes` are null where the file is gone or damaged; `trouble` says so then.
    """

    name: str
    version: int
    digest: str
    bytes: int | None
    added: datetime
    by: str = Field(description="Who added it: name of the key, or local.")
    note: str | None = Field(description="Why, in the words of whoever decided.")
    active: bool
    periods: list[PeriodDocument]
    learnt: LearntDocument | None
    decision: Decision | None
    changes: ChangesDocument | None = Field(description="Null of the first version.")
    counts: CountsDocument
    evaluations: list[EvaluationDocument] = Field(description="Newest first.")
    trouble: str | None


class ReinspectionDocument(BaseModel):
    """What a version says of a photograph that is kept; nothing of it is logged."""

    inspection: int
    version: int
    verdict: Verdict
    score: float
    threshold: float
    p_value: float
