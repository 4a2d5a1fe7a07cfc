"""The past defects that look like a photograph's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from blemish.core.errors import UsageError
from blemish.workflows.fields import Beholder, GalleryLocation
from blemish.workflows.index_defects import existing_gallery, part_of
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.gallery.defect import Neighbour
    from blemish.gallery.proposal import Proposal
    from blemish.line.inspection import Inspection

_ALL = "all"


def _time(given: datetime | str | None) -> datetime | None:
    """ISO 8601; without an offset it is UTC.

    Raises:
        UsageError: it is no time.
    """
    try:
        time = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        raise UsageError(
            f"--since {given} is no time: write it like 2026-03-01 or 2026-03-01T14:30."
        ) from error
    return time.replace(tzinfo=UTC) if time and not time.tzinfo else time


class SimilarRequest(Request):
    """Find similar defects; the photograph itself is left out."""

    image: Annotated[Path, Argument("IMAGE")] = Field(description="The photograph.")
    inspector: Beholder
    top: int = Field(5, ge=1, le=1000, description="At most so many.")
    gallery: GalleryLocation = None
    category: str | None = Field(
        None, description="Only defects of this part; of the inspector's own if absent, of all with all."
    )
    defect_type: str | None = Field(None, description="Only defects of this type.")
    since: Annotated[datetime | None, BeforeValidator(_time), Option(metavar="TIME")] = Field(
        None, description="Only from this time on, such as 2026-03-01 (UTC)."
    )


@dataclass(frozen=True)
class SimilarResult(Outcome):
    """What the inspector says of the photograph, the defects like it, nearest first, and what they vote for.

    A photograph that passes shows a good part: then no type is proposed.
    """

    image: Path
    inspection: Inspection
    neighbours: tuple[Neighbour, ...]
    proposal: Proposal

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "image": str(self.image),
            "verdict": str(self.inspection.verdict),
            "score": self.inspection.score,
            "threshold": self.inspection.threshold,
            "neighbours": [neighbour.to_json() for neighbour in self.neighbours],
            "proposal": self.proposal.to_json(),
        }


def similar(request: SimilarRequest) -> SimilarResult:
    """Inspect a photograph, and look where the gallery holds its like; distances are cosine distances.

    Raises:
        UsageError: there is no gallery there.
        ArtifactError: the inspector cannot be used.
        ImageError: the photograph cannot be read.
        GalleryError: the gallery cannot be opened or read.
    """
    from blemish.core.images import read_image
    from blemish.core.storage import file_digest
    from blemish.core.types import Verdict
    from blemish.gallery.embedding import AnomalyEmbedder
    from blemish.gallery.gallery import Gallery
    from blemish.gallery.proposal import NO_PROPOSAL, is_good, propose
    from blemish.line.runtime import Inspector

    inspector = Inspector.load(request.inspector)
    photograph = read_image(request.image, bit_depth=inspector.manifest.preprocessing.bit_depth)
    embedder = AnomalyEmbedder(inspector)
    inspection = inspector.inspect(request.image)
    vector = embedder.vector_of(photograph, inspection)
    with Gallery(existing_gallery(request.gallery)) as gallery:
        found = gallery.similar(
            vector,
            embedder.space,
            request.top,
            _only(request, inspector.name),
            request.defect_type,
            request.since,
            exclude_digest=file_digest(request.image),
        )
    nothing = is_good(inspection.verdict) or inspection.verdict is Verdict.NOT_JUDGED
    proposal = NO_PROPOSAL if nothing else propose(found)
    return SimilarResult(request.image, inspection, tuple(found), proposal)


def _only(request: SimilarRequest, name: str) -> str | None:
    """The part whose defects are looked at; None for all parts."""
    if request.category == _ALL:
        return None
    return request.category or part_of(request.inspector, name)
