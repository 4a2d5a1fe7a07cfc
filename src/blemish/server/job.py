"""A job as it stands: what was asked for, how far it is, what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from blemish.server.job_requests import JobRequest


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.WAITING, JobState.RUNNING)


class Job(BaseModel):
    """A job as it stands.

    Attributes:
        id: its name, which sorts by time.
        title: what it does, in a few words.
        request: what was asked for.
        state: how far it is.
        by: who asked.
        created, started, ended: in UTC.
        progress: share of the present step that is done, 0 to 1; None where that is not known.
        says: the present step, or how it ended, in one sentence.
        result: the verb's document when it is done.
        report: whether there is a report.
        photographs, left_out, left_out_count: of an upload: how many are used, the first files that were left out, and
            how many these are.
        version: of the inspector called so, that a training has become; None before.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    request: Annotated[JobRequest, Field()]
    state: JobState
    by: str
    created: AwareDatetime
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    progress: float | None = None
    says: str = ""
    result: dict[str, JsonValue] | None = None
    report: bool = False
    photographs: int | None = None
    left_out: tuple[str, ...] = ()
    left_out_count: int = 0
    version: int | None = None

    @property
    def shown(self) -> Job:
        """As whoever asks sees it: where the server keeps uploaded photographs is its own affair."""
        if self.photographs is None:
            return self
        return self.model_copy(update={"request": self.request.model_copy(update={"folder": "uploaded"})})
