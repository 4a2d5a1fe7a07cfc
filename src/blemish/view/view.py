"""The view: what of a photograph is looked at, and how."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.view.foreground import Foreground
from blemish.view.parts import Parts
from blemish.view.regions import IgnoredLater, Regions
from blemish.view.shapes import outermost, shortened

Side = Annotated[int, Field(ge=1, le=1_000_000)]


class View(BaseModel):
    """What of a photograph is looked at, and how: learnt by `blemish.view_planning`, carried in the artifact.

    Attributes:
        photograph: width and height in pixels of the usual photograph, whose coordinates everything here is in; one of
            another size is stretched to it in thought.
        foreground: how the part is told from a plain ground, where it alone counts.
        parts: how several like parts are cut out; each is then looked at as `of_part` says.
        reasons: what was planned and why, a sentence each.
        regions: which pixels count; None for all. What does not is filled with one colour before anything else sees it.
        ignored_later: what counts no longer since the fit; None for nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    photograph: tuple[Side, Side]
    foreground: Foreground | None = None
    parts: Parts | None = None
    reasons: tuple[str, ...] = Field(default=(), max_length=20)
    regions: Regions | None = None
    ignored_later: IgnoredLater | None = None

    @property
    def all_regions(self) -> tuple[Regions, ...]:
        """All that says which pixels count; a pixel counts when each says so."""
        later = () if self.ignored_later is None else (self.ignored_later.regions,)
        return later if self.regions is None else (self.regions, *later)

    @property
    def key(self) -> str:
        """What the picture depends on besides the photograph, in one string; empty where it is the whole photograph."""
        asked = self.model_dump_json(exclude={"photograph", "reasons"}, exclude_defaults=True)
        return "" if asked == "{}" else f"{self.photograph[0]}x{self.photograph[1]}{asked}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.parts is not None and self.all_regions:
            raise ValueError("parts and regions are not possible together")
        if self.parts is not None and any(
            cut > side for cut, side in zip(self.parts.cut, self.photograph, strict=True)
        ):
            raise ValueError("a part is larger than its photograph")
        for regions in self.all_regions:
            for shape in (*regions.include, *regions.ignore):
                if any(behind > side for behind, side in zip(outermost(shape), self.photograph, strict=True)):
                    raise ValueError(
                        f"{shortened(shape)} reaches out of the photograph of {self.photograph[0]} x "
                        f"{self.photograph[1]} pixels"
                    )
        return self

    @property
    def of_part(self) -> View:
        """How a part that was cut out is looked at: all but the cutting is done with it. The same view where nothing is
        cut."""
        if self.parts is None:
            return self
        return self.model_copy(update={"photograph": self.parts.cut, "parts": None})
