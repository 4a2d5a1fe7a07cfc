"""The view: what of a photograph is looked at, and how."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.view.regions import IgnoredLater, Regions
from blemish.view.registration import Alignment
from blemish.view.shapes import outermost, shortened

Side = Annotated[int, Field(ge=1, le=1_000_000)]

_LARGEST = 2**28
"""Most pixels of a reference frame."""


class View(BaseModel):
    """What of a photograph is looked at, and how: learnt by `blemish.view_planning`, carried in the artifact.

    Attributes:
        photograph: width and height in pixels of the usual photograph, whose coordinates everything here is in; one of
            another size is stretched to it in thought.
        reasons: what was planned and why, a sentence each.
        regions: which pixels count; None for all. What does not is filled with one colour before anything else sees it.
        ignored_later: what counts no longer since the fit; None for nothing.
        alignment: how parts are brought to their place before anything else; None where they are looked at as they lie.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    photograph: tuple[Side, Side]
    reasons: tuple[str, ...] = Field(default=(), max_length=20)
    regions: Regions | None = None
    ignored_later: IgnoredLater | None = None
    alignment: Alignment | None = None

    @property
    def all_regions(self) -> tuple[Regions, ...]:
        """All that says which pixels count; a pixel counts when each says so."""
        later = () if self.ignored_later is None else (self.ignored_later.regions,)
        return later if self.regions is None else (self.regions, *later)

    @property
    def key(self) -> str:
        """What the picture depends on besides the photograph, in one string; empty where it is the whole photograph."""
        asked = self.model_dump_json(exclude={"photograph", "reasons", "alignment"}, exclude_defaults=True)
        asked = "" if asked == "{}" else asked
        aligned = "" if self.alignment is None else f"|aligned {self.alignment.key}"
        return f"{self.photograph[0]}x{self.photograph[1]}{asked}{aligned}" if asked or aligned else ""

    @model_validator(mode="after")
    def _check_alignment(self) -> Self:
        if self.alignment is not None and self.photograph[0] * self.photograph[1] > _LARGEST:
            raise ValueError("photographs of this size are not aligned")
        return self

    @model_validator(mode="after")
    def _check_regions(self) -> Self:
        for regions in self.all_regions:
            for shape in (*regions.include, *regions.ignore):
                if any(behind > side for behind, side in zip(outermost(shape), self.photograph, strict=True)):
                    raise ValueError(
                        f"{shortened(shape)} reaches out of the photograph of {self.photograph[0]} x "
                        f"{self.photograph[1]} pixels"
                    )
        return self
