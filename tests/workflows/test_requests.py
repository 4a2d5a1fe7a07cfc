"""What workflows are asked with: checked, and JSON in and out, without the laboratory."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from blemish.workflows.compare_image import CompareImageRequest
from blemish.workflows.data import GetDataRequest
from blemish.workflows.distil import DistilRequest
from blemish.workflows.drift import DriftRequest
from blemish.workflows.evaluate import EvaluateRequest
from blemish.workflows.explore import ExploreRequest
from blemish.workflows.features import FeaturesRequest
from blemish.workflows.fit import FitRequest
from blemish.workflows.inspect import InspectRequest, Save
from blemish.workflows.request import Request
from blemish.workflows.sample import SampleRequest
from blemish.workflows.shadow import ShadowRequest
from blemish.workflows.similar import SimilarRequest
from blemish.workflows.stress import StressRequest
from blemish.workflows.synthesize import SynthesizeRequest
from blemish.workflows.train import TrainRequest
from blemish.workflows.view import NarrowRequest

DATA, OUT = Path("photographs"), Path("part.blemish")

REQUESTS = [
    FitRequest(data=DATA, out=OUT, size=384, weights=Path("w.pth"), parameters={"taps": [8, 16], "k": 0.5}),
    TrainRequest(data=DATA, out=OUT, quick=True, report=Path("report.html"), evaluation=Path("out")),
    EvaluateRequest(inspector=OUT, data=DATA, title="part, version 2", digest="0" * 64),
    NarrowRequest(inspector=OUT, ignore=("box:1,2,3,4",), mask=Path("white.png"), out=Path("new.blemish")),
    StressRequest(inspector=OUT, data=DATA, of=("blur", "shift"), limit=20),
    InspectRequest(inspector=OUT, paths=(DATA, Path("new.png")), save=Save.REJECTS),
    CompareImageRequest(image=Path("a.png"), inspectors=(OUT, Path("b.blemish")), out=Path("out")),
    ExploreRequest(data=DATA, out=Path("out"), backbone="none", handcrafted=False),
    FeaturesRequest(data=DATA, out=Path("x.csv"), deep="mid", weights=Path("w.pth")),
    SynthesizeRequest(data=DATA, out=Path("out"), defects=("scratch", "perlin"), share=0.5),
    SampleRequest(out=Path("out"), categories=("washer",), size=128),
    GetDataRequest(name="mvtec-ad", out=Path("out"), category="screw", accept_licence=True),
    DistilRequest(images=DATA, out=Path("t.safetensors"), model_size="small", channels=384),
    SimilarRequest(image=Path("a.png"), inspector=OUT, since=datetime(2026, 3, 1, tzinfo=UTC)),
    DriftRequest(inspector="screw", home=Path("home"), learn_anew=True, by="anna", note="new lamp"),
    ShadowRequest(inspector="screw", version=4, parts=200, most_differences=2, home=Path("home"), by="anna"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_a_request_is_the_same_after_its_journey_as_json(request_: Request) -> None:
    assert type(request_).model_validate_json(request_.model_dump_json()) == request_


def test_a_list_is_the_tuple_that_a_parameter_wants() -> None:
    assert REQUESTS[0].parameters == {"taps": (8, 16), "k": 0.5}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "document",
    [
        {"data": "photographs"},
        {"data": "photographs", "out": "x.blemish", "colour": "red"},
        {"data": "photographs", "out": "x.blemish", "size": "large"},
        {"data": "photographs", "out": "x.blemish", "bit_depth": 20},
    ],
)
def test_what_is_missing_unknown_or_out_of_range_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FitRequest.model_validate(document)


def test_a_time_without_an_offset_is_utc() -> None:
    asked = SimilarRequest(image=Path("a.png"), inspector=OUT, since="2026-03-01")  # type: ignore[arg-type]
    assert asked.since == datetime(2026, 3, 1, tzinfo=UTC)


def test_asking_loads_nothing_of_the_laboratory() -> None:
    modules = "fit evaluate stress train inspect compare_image similar index_defects check explore benchmark process"
    modules += " cluster_defects features synthesize sample data distil view drift station decide"
    code = (
        "import importlib, sys\n"
        f"for name in {modules.split()!r}: importlib.import_module('blemish.workflows.' + name)\n"
        "print([name for name in ('torch', 'pandas', 'cv2', 'openvino', 'rich', 'typer') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
