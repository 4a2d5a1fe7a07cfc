"""The document of what an inspector looks at."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field

from blemish.core.errors import UsageError
from blemish.line.ignoring import require_ignoring
from blemish.line.manifest import Manifest
from blemish.line.view_picture import shown_size
from blemish.station.shelf import InspectorVersion
from blemish.view.asked_regions import regions_in_words

Size = Annotated[list[int], Field(min_length=2, max_length=2)]


class ViewDocument(BaseModel):
    """What of photographs a version of an inspector looks at, and what it could ignore besides."""

    inspector: str
    version: int
    active: bool = Field(description="Whether this version judges.")
    photograph: Size | None = Field(
        description="Width and height of the usual photograph, whose pixels shapes are named in; null where unknown."
    )
    shown: Size | None = Field(description="Width and height of the pictures of it that are given.")
    looks_at: str = Field(description="What counts, in words.")
    include: list[str] = Field(description="Shapes that alone counted when it was fitted.")
    ignore: list[str] = Field(description="Shapes that it was fitted to ignore.")
    ignored_later: list[str] = Field(description="Shapes that it ignores since.")
    masked: bool = Field(description="Whether a mask says besides what counts.")
    aligned: bool = Field(description="Whether parts are brought to their place, which shapes are those of.")
    margin: int = Field(
        description="Pixels of the network's input around what is ignored since the fit that are not judged."
    )
    can_ignore_more: bool
    why_not: str | None = Field(description="Why it cannot ignore more without learning anew, in a sentence.")

    @classmethod
    def of(cls, version: InspectorVersion, manifest: Manifest) -> Self:
        """The document of a version."""
        view = manifest.preprocessing.view
        try:
            require_ignoring(manifest)
            why_not = None
        except UsageError as error:
            why_not = str(error)
        learnt = None if view is None else view.regions
        later = None if view is None or view.ignored_later is None else view.ignored_later
        return cls(
            inspector=version.name,
            version=version.version,
            active=version.active,
            photograph=None if view is None else view.photograph,
            shown=None if view is None else shown_size(view),
            looks_at=regions_in_words(view) if view and view.all_regions else "the whole photograph",
            include=list(learnt.include) if learnt else [],
            ignore=list(learnt.ignore) if learnt else [],
            ignored_later=list(later.regions.ignore) if later else [],
            masked=view is not None and any(one.mask is not None for one in view.all_regions),
            aligned=view is not None and view.alignment is not None,
            margin=later.margin if later else 0,
            can_ignore_more=why_not is None,
            why_not=why_not,
        )
