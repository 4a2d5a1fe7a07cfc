"""What every request has that makes inspectors: how photographs are looked at."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from blemish.workflows.request import Option, Request

_Shapes = Annotated[tuple[str, ...], Option(metavar="SHAPE", repeated=True)]


class ViewRequest(Request):
    """How photographs are looked at; what is absent is the detector's default."""

    smallest_defect: str | None = Field(
        None, description="Side of the smallest defect to see, as 12px or 0.4mm: plans size and tiles."
    )
    scale: str | None = Field(None, description="Scale of the photographs, as 0.05mm/px.")
    budget: str | None = Field(None, description="Most time a photograph may take on this machine, as 60ms.")
    include: _Shapes = Field(
        (), description="What alone counts, as box:X,Y,WIDTH,HEIGHT or polygon:X,Y,X,Y,X,Y; repeat for more."
    )
    mask: str | None = Field(None, description="Black-and-white image of which the white counts.")
    foreground: bool = Field(False, description="Only the part counts, before a plain background.")
    align: str | None = Field(None, description="Bring parts to their place: none, shift, turn or auto.")
    parts: str | None = Field(None, description="Like parts in a photograph: one, auto, or as grid:2x3.")

    @property
    def view_options(self) -> dict[str, Any]:
        """These as parameters of a detector, without those that are absent."""
        names = ViewRequest.model_fields
        return {name: value for name in names if (value := getattr(self, name)) not in (None, (), False)}
