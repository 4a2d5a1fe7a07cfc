"""Known defects that a job has scored, as a decision takes them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from blemish.core.errors import ConflictError, UsageError
from blemish.core.records import Finite
from blemish.line.manifest import Manifest
from blemish.server.job import Job, JobState
from blemish.server.job_requests import DefectsRequest


@dataclass(frozen=True)
class ScoredDefects:
    """Photographs of known defects, scored.

    Attributes:
        scores: of each that counts.
        digests: SHA-256 of their files.
    """

    scores: tuple[float, ...]
    digests: tuple[str | None, ...]


class _Score(BaseModel):
    score: Finite
    digest: str | None = None


class _Known(BaseModel):
    scores: list[_Score]


class _Result(BaseModel):
    scoring_digest: str
    known_defects: _Known


def defects_of(job: Job, inspector: str, manifest: Manifest) -> ScoredDefects:
    """What a job has scored for an inspector.

    Args:
        job: which.
        inspector: its name at the station.
        manifest: of the version that judges.

    Raises:
        UsageError: the job is of another kind or another inspector, or is not done.
        ConflictError: a version that scores otherwise judges by now.
    """
    if not isinstance(job.request, DefectsRequest) or job.request.inspector != inspector:
        raise UsageError(
            f"The job {job.id} has scored no known defects of {inspector}: start one of the kind decide for it."
        )
    if job.state is not JobState.DONE:
        raise UsageError(f"The job {job.id} is {job.state}: known defects are there when it is done.")
    try:
        found = _Result.model_validate(job.result)
    except ValidationError as error:
        raise UsageError(f"The job {job.id} holds no scores: start it again.") from error
    if found.scoring_digest != manifest.scoring_digest:
        raise ConflictError(
            f"Another version of {inspector} judges since the job {job.id}, and scores otherwise: start it again."
        )
    scores = found.known_defects.scores
    return ScoredDefects(tuple(one.score for one in scores), tuple(one.digest for one in scores))
