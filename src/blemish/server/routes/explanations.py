"""`/v1/inspections/{number}/explanation`: why a part was judged as it was, made anew from its kept photograph."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from blemish.core.errors import NotFoundError
from blemish.core.pictures import data_uri, encoded
from blemish.core.types import Verdict
from blemish.line.explanation import Explanation
from blemish.line.nearest_good_picture import pair_picture
from blemish.server.authentication import Viewer
from blemish.server.documents import RegionDocument
from blemish.server.routes.running import Running
from blemish.station.records import InspectionRecord

router = APIRouter(tags=["history"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the inspection.")]

_KEPT_A_DAY = {"Cache-Control": "private, max-age=86400"}


class RegionReasonDocument(RegionDocument):
    """Why a region is one."""

    times_threshold: float | None = Field(description="Its highest map value over the pixel threshold.")
    percentile: float | None = Field(
        description="Share of the good parts' scores below it, 0 to 100; null where the two cannot be compared."
    )
    sentence: str


class ReconstructionDocument(BaseModel):
    """How far an autoencoder's reconstruction is from what it saw, 0 to 1."""

    mean_difference: float
    highest_difference: float


class AttentionDocument(BaseModel):
    """What the attention of a classifier is of, and its highest value."""

    of: str
    highest: float


class ExplanationDocument(BaseModel):
    """Why an inspection came out as it did; what an inspector cannot show is null, or empty."""

    id: int
    inspector: str
    version: int
    verdict: Verdict
    sentence: str
    percentile: float = Field(description="Share of the good parts' scores below this score, 0 to 100.")
    n_scores: int = Field(description="How many good parts' scores these are.")
    regions: list[RegionReasonDocument]
    types: dict[str, float] = Field(
        default_factory=dict, description="Probability of each defect type known, if the part is defective."
    )
    defect_probability: float | None = Field(
        None,
        description="Of a classifier, that the part is defective if as many are as are good; null of others.",
    )
    nearest: list[dict[str, Any]] = Field(
        default_factory=list, description="For each region the most similar good patch."
    )
    reconstruction: ReconstructionDocument | None = None
    attention: AttentionDocument | None = None
    part: int | None = Field(None, description="Which of several parts was the worst, from 1.")
    map_scale: tuple[float, float] | None = Field(
        None, description="Map values of the heatmap's coldest and warmest colour; null where there is none."
    )
    picture: str = Field(description="Address of the picture, or the PNG itself as a data URI.")

    @classmethod
    def of(cls, record: InspectionRecord, explanation: Explanation, picture: str) -> ExplanationDocument:
        """The document of a record's explanation."""
        named = {"id": record.id, "inspector": record.inspector, "version": record.version}
        said = explanation.inspection
        scale = said.map_scale if said.gives_map else None
        shown = {"verdict": said.verdict, "picture": picture, "map_scale": scale}
        return cls.model_validate(explanation.to_json() | named | shown)


@router.get("/v1/inspections/{number}/explanation")
def explanation(
    service: Running,
    caller: Viewer,
    number: Number,
    picture: Annotated[
        Literal["link", "inline"], Query(description="The picture by its address, or in the answer.")
    ] = "link",
) -> ExplanationDocument:
    """Why a part was judged as it was, by the version that judged it; only if the photograph is kept."""
    record = service.log.get(number)
    found = service.reinspection.explained(record)
    address = f"{service.settings.prefix}/v1/inspections/{record.id}/explanation.png"
    shown = data_uri(found.picture_pixels(), ".png") if picture == "inline" else address
    return ExplanationDocument.of(record, found, shown)


@router.get(
    "/v1/inspections/{number}/explanation.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def explanation_picture(service: Running, caller: Viewer, number: Number) -> Response:
    """The explanation as one picture: photograph and heatmap, what the network made of it, each region close up."""
    found = service.reinspection.explained(service.log.get(number))
    return Response(encoded(found.picture_pixels(), ".png"), media_type="image/png", headers=_KEPT_A_DAY)


@router.get(
    "/v1/inspections/{number}/explanation/{region}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def nearest_picture(
    service: Running,
    caller: Viewer,
    number: Number,
    region: Annotated[int, Path(ge=0, le=99, description="Which region, from 0.")],
) -> Response:
    """A region close up beside the good patch that is nearest to it."""
    found = service.reinspection.explained(service.log.get(number))
    nearest = next((one for one in found.nearest if one.region == region), None)
    photograph = found.inspection.photograph
    if nearest is None or photograph is None:
        raise NotFoundError(
            f"Inspection {number} has no nearest good patch for region {region}: see its explanation."
        )
    drawn = pair_picture(photograph, found.inspection.regions[region], nearest)
    return Response(encoded(drawn, ".png"), media_type="image/png", headers=_KEPT_A_DAY)
