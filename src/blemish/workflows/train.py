"""Learn an inspector, and measure it where there are test photographs: all that a line wants of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from blemish.core.explanation import explained
from blemish.workflows.evaluate import EvaluateRequest, EvaluateResult, evaluate
from blemish.workflows.fit import FitRequest, FitResult, called, fit
from blemish.workflows.request import Outcome


class TrainRequest(FitRequest):
    """Learn an inspector and measure it."""

    evaluation: Path = Field(description="Folder for the evaluation's report and metrics.")


@dataclass(frozen=True)
class TrainResult(Outcome):
    """What was learnt and measured.

    Attributes:
        fitted: what was learnt.
        evaluated: what was measured; None where there are no test photographs, or it failed.
        failure: why it failed, in one sentence.
    """

    fitted: FitResult
    evaluated: EvaluateResult | None = None
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        document = self.fitted.to_json()
        if self.evaluated:
            document["evaluation"] = self.evaluated.to_json()
        if self.failure:
            document["evaluation_error"] = self.failure
        return document


def train(request: TrainRequest) -> TrainResult:
    """Learn an inspector, and measure it; whatever befalls the measuring, the inspector is kept.

    Raises:
        BlemishError: as `fit`.
    """
    from blemish.data.categories import open_category

    catalog = called(open_category(request.data, request.category, told=request.told), request)
    fitted = fit(request, catalog)
    if not fitted.n_test:
        return TrainResult(fitted)
    measuring = EvaluateRequest(inspector=request.out, data=request.data, out=request.evaluation)
    try:
        return TrainResult(fitted, evaluate(measuring, catalog))
    except Exception as error:
        return TrainResult(fitted, failure=explained(error, "The evaluation")[1])
