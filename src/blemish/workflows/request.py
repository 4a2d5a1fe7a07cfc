"""What every workflow is asked with, and what one that runs as a job gives."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A use case's arguments: checked, frozen, and JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(Protocol):
    """The result of a workflow that runs as a job."""

    @property
    def complete(self) -> bool:
        """Whether everything was used that was given: no photograph was left out, no cell failed."""

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
