"""The view: what of a photograph is looked at, and how."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.view.foreground import Foreground
from blemish.view.parts import Parts
from blemish.view.regions import IgnoredLater, Regions
from blemish.view.registration import Alignment
from blemish.view.shapes import outermost, shortened

Side = Annotated[int, Field(ge=1, le=1_000_000)]

_NOT_OF_THE_PICTURE = {
    "photograph",
    "reasons",
    "scale",
    "stride",
    "smallest_defect",
    "tile",
    "halo",
    "alignment",
}
"""What changes no pixel of the network's input."""
_LARGEST = 2**28
"""Most pixels of a reference frame."""


class View(BaseModel):
    """What of a photograph is looked at, and how: learnt by `blemish.view_planning`, carried in the artifact.

    Attributes:
        photograph: width and height in pixels of the usual photograph, whose coordinates everything here is in; one of
            another size is stretched to it in thought.
        tile: side in pixels of the square tiles in which the network's input is read, see `blemish.view.tiles`; 0 for
            one piece.
        halo: pixels around each place that a tile must show for the network to see it as in one piece; the detector's
            backbone says how many, 0 before.
        foreground: how the part is told from a plain ground, where it alone counts.
        parts: how several like parts are cut out; each is then looked at as `of_part` says.
        reasons: what was planned and why, a sentence each.
        scale: pixels of the photograph for each pixel of the network's input, on the coarser axis; 0 where unknown.
        stride: of the finest feature map, in pixels of the input; 0 where unknown.
        smallest_defect: side in pixels of the photograph of the smallest defect that covers two patches of the finest
            feature map, and so is surely seen; 0 where unknown.
        reduced: whether photographs much larger than the input are decoded at reduced scale where their format can.
        regions: which pixels count; None for all. What does not is filled with one colour before anything else sees it.
        ignored_later: what counts no longer since the fit; None for nothing.
        alignment: how parts are brought to their place before anything else; None where they are looked at as they lie.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    photograph: tuple[Side, Side]
    tile: int = Field(default=0, ge=0, le=16384, multiple_of=32)
    halo: int = Field(default=0, ge=0, le=4096, multiple_of=32)
    foreground: Foreground | None = None
    parts: Parts | None = None
    reasons: tuple[str, ...] = Field(default=(), max_length=20)
    scale: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    stride: int = Field(default=0, ge=0)
    smallest_defect: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    reduced: bool = False
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
        asked = self.model_dump_json(exclude=_NOT_OF_THE_PICTURE, exclude_defaults=True)
        asked = "" if asked == "{}" else asked
        aligned = "" if self.alignment is None else f"|aligned {self.alignment.key}"
        return f"{self.photograph[0]}x{self.photograph[1]}{asked}{aligned}" if asked or aligned else ""

    @model_validator(mode="after")
    def _check_alignment(self) -> Self:
        if self.alignment is not None and self.photograph[0] * self.photograph[1] > _LARGEST:
            raise ValueError("photographs of this size are not aligned")
        return self

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
