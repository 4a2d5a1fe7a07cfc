"""The documents of decisions and of the audit log; the OpenAPI page is made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from blemish.core.conformal import Calibration
from blemish.core.types import Verdict
from blemish.line.decision import Decision
from blemish.line.manifest import Manifest
from blemish.line.pixel_decision import hysteresis_of
from blemish.line.pixel_policy import SAME_REGIONS, PixelPolicy
from blemish.line.policy import Policy
from blemish.server.decisions import DecisionState
from blemish.server.documents import RegionDocument
from blemish.station.audit import Action, AuditPage
from blemish.station.decision_history import MOST_INSPECTIONS, ChangedVerdict
from blemish.station.decision_preview import Previewed, Seen
from blemish.station.image_store import ImageStore
from blemish.station.records import LINE_PATTERN
from blemish.station.region_preview import RegionPreview

_MOST_VERSION = 2**31 - 1

Note = Annotated[str, Field(min_length=1, max_length=200, pattern=LINE_PATTERN)]
JobName = Annotated[str, Field(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$")]
DEFECTS_OF_JOB: Any = Field(
    None,
    description="A job of the kind decide that is done: the known defects that it has scored count too.",
)
Expected = Annotated[int, Field(ge=1, le=_MOST_VERSION)]


class PolicyRequest(Policy):
    """What the decision is to be: at least one thing; what is not asked for stays as it is.

    By rates (false_reject_rate, review_rate), by scores (threshold, review_threshold), or by known defects (recall,
    costs, best_f1), which are the parts that people found bad.
    """

    @property
    def policy(self) -> Policy:
        """The policy alone."""
        return Policy.model_validate(self.model_dump(include=set(Policy.model_fields)))


class DecideRequest(PolicyRequest):
    """A policy, why, and which version it changes."""

    regions: PixelPolicy = Field(
        SAME_REGIONS, description="What is asked of regions; it may be all that is asked."
    )
    defects_of_job: JobName | None = DEFECTS_OF_JOB
    note: Note | None = Field(None, description="Why, for those who look at it later.")
    expected_version: Expected | None = Field(
        None,
        description="Version of the inspector that was looked at; if another is active by now, nothing is changed.",
    )


class PreviewRequest(PolicyRequest):
    """A policy, and how many of the latest inspections it is to be tried on; of none the decision in effect is."""

    last: int = Field(1000, ge=1, le=MOST_INSPECTIONS)
    defects_of_job: JobName | None = DEFECTS_OF_JOB
    regions: PixelPolicy = Field(
        SAME_REGIONS, description="What is asked of regions; it may be all that is asked."
    )


class RejudgeRequest(PolicyRequest):
    """A policy that one kept photograph is to be judged by; of none it is by the decision in effect."""

    defects_of_job: JobName | None = DEFECTS_OF_JOB
    regions: PixelPolicy = Field(
        SAME_REGIONS, description="What is asked of regions; it may be all that is asked."
    )


class RejudgedDocument(BaseModel):
    """A photograph of the history by a decision that is not in effect; nothing of it is logged."""

    inspection: int
    before: Verdict
    after: Verdict
    regions_before: int = Field(description="Regions that are shown by what was logged.")
    regions: list[RegionDocument] = Field(description="Those that would be shown.")


class UndoRequest(BaseModel, extra="forbid"):
    """Why the last decision is undone, and which version has it."""

    note: Note | None = None
    expected_version: Expected | None = None


class ThresholdDocument(BaseModel):
    """What a threshold means for good parts, and for parts that people have corrected."""

    rate: float | None = Field(description="Share of good parts to be rejected; null of the one in effect.")
    threshold: float | None = Field(description="Null where the calibration cannot promise the rate.")
    more_needed: int = Field(description="Good photographs that are missing for the rate.")
    expected: float | None = Field(description="Share of unseen good parts that is rejected.")
    at_most: float | None = Field(description="The same, with 95 % confidence.")
    missed: int | None = Field(description="Known defects that are not rejected.")
    missed_low: float | None = Field(description="Share of such defects that is missed, 95 % interval.")
    missed_high: float | None
    false_rejects: int | None = Field(description="Parts found good that are rejected.")

    @classmethod
    def of(cls, seen: Seen) -> ThresholdDocument:
        """The document of what was seen."""
        known = seen.known
        return cls(
            rate=seen.rate,
            threshold=seen.threshold,
            more_needed=seen.more_needed,
            expected=seen.expected,
            at_most=seen.at_most,
            missed=known.missed if known else None,
            missed_low=known.low if known else None,
            missed_high=known.high if known else None,
            false_rejects=seen.false_rejects,
        )


class CalibrationDocument(BaseModel):
    """What the decision rests on."""

    n: int = Field(
        description="Good images that are independent, or groups of them: the promise rests on these."
    )
    n_scores: int = Field(description="Scores of good images.")
    grouped: bool = Field(description="Whether several images show one part, so that groups count.")
    method: str = Field(description="How they came to be scored as if unseen.")
    smallest_rate: float = Field(description="The smallest false-reject rate that so many can promise.")

    @classmethod
    def of(cls, manifest: Manifest, calibration: Calibration) -> CalibrationDocument:
        """The document of a calibration."""
        return cls(
            n=calibration.n,
            n_scores=len(calibration.scores),
            grouped=calibration.groups is not None,
            method=manifest.calibration.method,
            smallest_rate=calibration.smallest_rate,
        )


class RegionsDecidedDocument(BaseModel):
    """What can be said of the decision on regions besides its numbers."""

    hysteresis: float = Field(
        description="Regions grow down to this share of the way from a good part's usual map value to the threshold; "
        "1 for no growth."
    )
    millimetres: float | None = Field(
        description="For each pixel of the photographs; null where nobody gave a scale."
    )

    @classmethod
    def of(cls, manifest: Manifest) -> RegionsDecidedDocument | None:
        """The document of an inspector's decision; None where its detector shows no place."""
        if not manifest.detector.gives_maps:
            return None
        hysteresis = hysteresis_of(manifest.decision.pixels, manifest.calibration.map_low)
        return cls(hysteresis=hysteresis, millimetres=manifest.millimetres)


class DecisionDocument(BaseModel):
    """The decision in effect, those before, and what others would mean."""

    inspector: str
    version: int = Field(description="Of the inspector: the one that judges, as expected_version.")
    decision: Decision
    earlier: list[Decision] = Field(description="Decisions before it, newest first.")
    calibration: CalibrationDocument
    regions: RegionsDecidedDocument | None = Field(
        description="Of the decision on regions; null where the detector shows no place."
    )
    known_defects: int = Field(
        description="Photographs that people found bad, under versions that score alike."
    )
    known_good: int = Field(description="Photographs that they found good.")
    in_effect: ThresholdDocument
    table: list[ThresholdDocument]

    @classmethod
    def of(cls, state: DecisionState) -> DecisionDocument:
        """The document of a state."""
        manifest, calibration = state.manifest, state.calibration
        return cls(
            inspector=state.version.name,
            version=state.version.version,
            decision=manifest.decision,
            earlier=list(manifest.decisions[-2::-1]),
            calibration=CalibrationDocument.of(manifest, calibration),
            regions=RegionsDecidedDocument.of(manifest),
            known_defects=len(state.corrected.bad),
            known_good=len(state.corrected.good),
            in_effect=ThresholdDocument.of(state.in_effect),
            table=[ThresholdDocument.of(seen) for seen in state.table],
        )


class TurnDocument(BaseModel):
    """How many inspections had one verdict, and would have had another, or the same."""

    before: Verdict
    after: Verdict
    n: int


class ChangedVerdictDocument(BaseModel):
    """An inspection that would have had another verdict."""

    id: int
    before: Verdict
    after: Verdict
    score: float
    thumbnail: str | None = Field(
        description="Address of its photograph as a JPEG of at most 160 pixels; null where it is gone."
    )

    @classmethod
    def of(cls, changed: ChangedVerdict, images: ImageStore, prefix: str) -> ChangedVerdictDocument:
        """The document of an inspection whose photograph may be among `images`, with addresses below `prefix`."""
        there = images.where(changed.image_digest, changed.image_suffix) is not None
        return cls(
            id=changed.id,
            before=changed.before,
            after=changed.after,
            score=changed.score,
            thumbnail=f"{prefix}/v1/inspections/{changed.id}/thumbnail" if there else None,
        )


class CorrectedDocument(BaseModel):
    """What becomes of photographs of which a person has said what they show; the rest of n is to be reviewed."""

    n: int
    rejected_before: int
    rejected_after: int
    passed_before: int
    passed_after: int


class RegionTurnDocument(BaseModel):
    """How many regions had one verdict, and would have another, or the same; "not shown", or "no verdict"."""

    before: str
    after: str
    n: int


class NeedsPhotographDocument(BaseModel):
    """Parts whose regions the log does not tell, why, and of how many the photograph is kept."""

    reason: str
    in_words: str
    n: int
    kept: int


class RegionPreviewDocument(BaseModel):
    """What becomes of the regions of the latest inspections; of those that the log tells exactly."""

    parts: int = Field(description="Parts that show regions, before or after.")
    known: int = Field(
        description="Those whose regions follow exactly from the log; the rest needs photographs."
    )
    before: int = Field(description="Regions of the known ones that are shown.")
    after: int
    peak_alone: int = Field(
        description="Parts that show the place of the highest map value alone, as nothing is above the threshold."
    )
    turns: list[RegionTurnDocument]
    needs_photograph: list[NeedsPhotographDocument]
    photographs: list[int] = Field(
        description="Numbers of the newest 100 of these whose photographs are kept: each can be judged anew."
    )
    in_words: str

    @classmethod
    def of(cls, preview: RegionPreview) -> RegionPreviewDocument:
        """The document of a preview of regions."""
        return cls.model_validate(preview.to_json())


class PreviewDocument(BaseModel):
    """What a policy would have made of past inspections; nothing is changed by asking."""

    decision: Decision = Field(description="What the policy would become.")
    rejects: ThresholdDocument = Field(description="What the threshold of rejects means.")
    reviews: ThresholdDocument | None = Field(
        description="What the threshold of reviews means: those rejected are among them. Null where none are."
    )
    model: str | None = Field(
        description="Of a rate extrapolated by a model: what it is and how far it can be trusted, as a sentence."
    )
    n: int = Field(description="The latest inspections that were looked at.")
    turns: list[TurnDocument]
    changed: int = Field(description="How many would have had another verdict.")
    changed_ids: list[int] = Field(description="Numbers of the newest 100 of them.")
    newest_changed: list[ChangedVerdictDocument] = Field(description="The newest 100 of them.")
    known_good: CorrectedDocument = Field(description="Parts found good: rejected ones are false rejects.")
    known_defects: CorrectedDocument = Field(description="Parts found bad: passed ones are missed.")
    defects_elsewhere: CorrectedDocument | None = Field(
        description="Known defects of defects_of_job that no person has found here; null without such a job."
    )
    regions: RegionPreviewDocument | None = Field(
        description="Of their regions, as far as the log tells it; null where nothing is asked of regions."
    )

    @classmethod
    def of(cls, previewed: Previewed, images: ImageStore, prefix: str = "") -> PreviewDocument:
        """The document of a preview; arguments as of `ChangedVerdictDocument`."""
        decision, preview, reviews = previewed.decision, previewed.history, previewed.reviews
        elsewhere = previewed.elsewhere
        return cls(
            decision=decision,
            rejects=ThresholdDocument.of(previewed.rejects),
            reviews=None if reviews is None else ThresholdDocument.of(reviews),
            model=None if decision.tail is None else decision.tail.sentence(),
            n=preview.n,
            turns=[TurnDocument(**vars(turn)) for turn in preview.turns],
            changed=preview.changed,
            changed_ids=list(preview.changed_ids),
            newest_changed=[ChangedVerdictDocument.of(one, images, prefix) for one in preview.newest],
            known_good=CorrectedDocument(**vars(preview.good)),
            known_defects=CorrectedDocument(**vars(preview.bad)),
            defects_elsewhere=None if elsewhere is None else CorrectedDocument(**vars(elsewhere)),
            regions=None if previewed.regions is None else RegionPreviewDocument.of(previewed.regions),
        )


class AuditEntryDocument(BaseModel):
    """Something that somebody changed."""

    id: int
    time: datetime
    action: Action
    by: str = Field(description="Name of the key, or local.")
    inspector: str | None
    version_before: int | None
    version_after: int | None
    detail: dict[str, Any]


class AuditDocument(BaseModel):
    """Some entries of the audit log, newest first."""

    entries: list[AuditEntryDocument]
    next_cursor: str | None = Field(description="Asks for those that follow; null at the end.")

    @classmethod
    def of(cls, page: AuditPage) -> AuditDocument:
        """The document of a page."""
        entries = [AuditEntryDocument(**vars(one)) for one in page.entries]
        return cls(entries=entries, next_cursor=page.next_cursor)
