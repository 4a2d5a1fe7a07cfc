"""The document of what decisions rest on, to be drawn: scores of good photographs, and of corrected ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from blemish.server.decision_documents import CalibrationDocument
from blemish.server.decisions import DecisionState

MOST_SCORES = 2000
"""Of one kind; of more as many quantiles are given."""


class ScoresDocument(BaseModel):
    """Scores of one kind of photographs."""

    n: int = Field(description="How many photographs these are.")
    scores: list[float] = Field(
        description=f"Their scores, rising; of more than {MOST_SCORES:,} as many quantiles, evenly spaced."
    )

    @classmethod
    def of(cls, scores: npt.NDArray[np.floating]) -> ScoresDocument:
        """The document of scores, sorted upwards."""
        return cls(n=len(scores), scores=thinned(scores))


class CalibrationScoresDocument(BaseModel):
    """What decisions on an inspector's scores rest on."""

    inspector: str
    version: int
    calibration: CalibrationDocument
    good: ScoresDocument = Field(
        description="Good photographs not learnt from: every promise rests on these."
    )
    known_good: ScoresDocument = Field(description="Photographs that people found good.")
    known_defects: ScoresDocument = Field(
        description="Photographs that people found bad, under versions that score alike, as the known good ones."
    )

    @classmethod
    def of(cls, state: DecisionState) -> CalibrationScoresDocument:
        """The document of a state."""
        return cls(
            inspector=state.version.name,
            version=state.version.version,
            calibration=CalibrationDocument.of(state.manifest, state.calibration),
            good=ScoresDocument.of(state.calibration.scores),
            known_good=ScoresDocument.of(state.corrected.good),
            known_defects=ScoresDocument.of(state.corrected.bad),
        )


def thinned(scores: npt.NDArray[np.floating], most: int = MOST_SCORES) -> list[float]:
    """Scores, sorted upwards, or as many quantiles of them, lowest and highest among them."""
    if len(scores) > most:
        scores = np.quantile(scores, np.linspace(0, 1, most))
    return [float(score) for score in scores]
