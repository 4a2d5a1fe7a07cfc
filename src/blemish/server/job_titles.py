"""Jobs in a few words."""

from __future__ import annotations

from pathlib import Path

from blemish.server.job_requests import (
    BenchmarkRequest,
    DefectsRequest,
    EvaluateRequest,
    JobRequest,
    StressRequest,
    TrainRequest,
)
from blemish.server.learning_request import CorrectionsRequest


def title(request: JobRequest) -> str:
    """The job in a few words."""
    if isinstance(request, CorrectionsRequest):
        return f"Learn corrections of {request.inspector}"
    where = Path(request.folder).name
    if isinstance(request, TrainRequest):
        return f"Train {request.name} with {request.detector}"
    if isinstance(request, EvaluateRequest):
        return f"Evaluate {_measured(request)} on {where}"
    if isinstance(request, StressRequest):
        return f"Stress {_measured(request)} on {where}"
    if isinstance(request, DefectsRequest):
        return f"Score known defects of {_measured(request)} in {where}"
    if isinstance(request, BenchmarkRequest):
        return f"Benchmark {', '.join(request.detectors)} on {where}"
    return f"Explore {where}"


def _measured(request: EvaluateRequest | StressRequest | DefectsRequest) -> str:
    return (
        request.inspector if request.version is None else f"{request.inspector}, version {request.version},"
    )
