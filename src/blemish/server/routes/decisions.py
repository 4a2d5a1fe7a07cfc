"""`/v1/inspectors/{name}/decision`: what makes verdicts of scores, and how that is changed."""

from __future__ import annotations

from fastapi import APIRouter

from blemish.core.errors import NotFoundError
from blemish.line.policy import Policy
from blemish.server.authentication import Operator, Viewer
from blemish.server.calibration_documents import CalibrationScoresDocument
from blemish.server.decision_documents import (
    DecideRequest,
    DecisionDocument,
    PreviewDocument,
    PreviewRequest,
    RejudgedDocument,
    RejudgeRequest,
    UndoRequest,
)
from blemish.server.documents import RegionDocument
from blemish.server.routes.inspections import Number
from blemish.server.routes.inspectors import PathName
from blemish.server.routes.running import Running

router = APIRouter(tags=["decisions"])


@router.get("/v1/inspectors/{name}/decision")
def decision(service: Running, name: PathName, caller: Viewer) -> DecisionDocument:
    """The decision in effect, those before, and what other thresholds would mean."""
    return DecisionDocument.of(service.decisions.state(name))


@router.get("/v1/inspectors/{name}/calibration")
def calibration(service: Running, name: PathName, caller: Viewer) -> CalibrationScoresDocument:
    """The scores that decisions rest on: of good photographs, and of those that people have corrected."""
    return CalibrationScoresDocument.of(service.decisions.state(name))


@router.put("/v1/inspectors/{name}/decision")
def decide(service: Running, name: PathName, wanted: DecideRequest, caller: Operator) -> DecisionDocument:
    """Decide by another policy from now on; a new version of the inspector, made without learning anew, judges."""
    changed = service.decisions.change(
        name,
        wanted.policy,
        caller.name,
        wanted.note,
        wanted.expected_version,
        wanted.regions,
        wanted.defects_of_job,
    )
    return DecisionDocument.of(changed)


@router.post("/v1/inspectors/{name}/decision/undo")
def undo(
    service: Running, name: PathName, caller: Operator, wanted: UndoRequest | None = None
) -> DecisionDocument:
    """Decide as before the last decision; each call goes one step further back."""
    said = wanted or UndoRequest()
    changed = service.decisions.change(name, Policy(undo=True), caller.name, said.note, said.expected_version)
    return DecisionDocument.of(changed)


@router.post("/v1/inspectors/{name}/decision/preview")
def preview(service: Running, name: PathName, wanted: PreviewRequest, caller: Viewer) -> PreviewDocument:
    """What a policy would have made of the latest inspections, and of all corrected ones; nothing is changed."""
    seen = service.decisions.preview(name, wanted.policy, wanted.last, wanted.regions, wanted.defects_of_job)
    return PreviewDocument.of(seen, service.images, service.settings.prefix)


@router.post("/v1/inspectors/{name}/decision/preview/{number}")
def rejudge(
    service: Running, name: PathName, number: Number, wanted: RejudgeRequest, caller: Viewer
) -> RejudgedDocument:
    """What a policy would make of one inspection whose photograph is kept, where the log does not tell its regions."""
    record = service.log.get(number)
    if record.inspector != name:
        raise NotFoundError(f"There is no inspection {number} of {name}.")
    version, decided = service.decisions.considered(
        name, wanted.policy, wanted.regions, wanted.defects_of_job
    )
    found = service.reinspection.under(record, version, decided)
    return RejudgedDocument(
        inspection=number,
        before=record.verdict,
        after=found.verdict,
        regions_before=len(record.regions),
        regions=[RegionDocument.model_construct(**vars(one)) for one in found.regions],
    )
