"""Past defects as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from blemish.core.types import Verdict


class DefectDocument(BaseModel):
    """A past defect, as the gallery knows it."""

    category: str
    defect_type: str | None
    time: datetime
    inspector: str
    image_digest: str
    inspection_id: int | None
    name: str


class NeighbourDocument(DefectDocument):
    """A past defect and its cosine distance, 0 (the same) to 2."""

    distance: float


class ProposalDocument(BaseModel):
    """The defect type that the neighbours vote for, and its share of the weight."""

    defect_type: str | None
    confidence: float
    votes: dict[str, int]


class SimilarDocument(BaseModel):
    """The most similar past defects, nearest first; `proposal.defect_type` is null for a good part."""

    verdict: Verdict
    score: float
    threshold: float
    truth: Literal["good", "bad"] | None = Field(description="What a person found the part to be.")
    neighbours: list[NeighbourDocument]
    proposal: ProposalDocument


class ClusterDocument(BaseModel):
    """Past defects of one category that look alike, the most typical first."""

    number: int
    category: str
    defect_type: str | None = Field(
        description="What most of those that have a type are called; null for a new one."
    )
    types: dict[str, int] = Field(description="Members of each type that was given, most frequent first.")
    is_new: bool = Field(description="Whether nobody has named any member yet.")
    defects: list[DefectDocument]


class ClustersDocument(BaseModel):
    """Clusters of past defects: the new ones first, then the largest; `single` are in none, newest first."""

    count: int = Field(description="Defects that were looked at, the newest of each category.")
    total: int = Field(description="Entries that the gallery holds of these categories.")
    clusters: list[ClusterDocument]
    single: list[DefectDocument]
