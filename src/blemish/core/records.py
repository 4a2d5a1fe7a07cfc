"""What records of an artifact are made of: immutable, and refused when a field is unknown or out of range."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _utc(moment: AwareDatetime) -> AwareDatetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError("the time must be in UTC")
    return moment


Text = Annotated[str, Field(pattern=r"^[^\p{Cc}]{1,200}$")]
"""One line for people, without control characters, which could repaint a terminal."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""In UTC."""


class Record(BaseModel):
    """Immutable values with nothing besides."""

    model_config = ConfigDict(frozen=True, extra="forbid")
