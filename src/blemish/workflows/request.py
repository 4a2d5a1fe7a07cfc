"""What every workflow is asked with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A use case's arguments: checked, frozen, and JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
