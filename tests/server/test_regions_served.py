"""Regions through the service: trainings are asked for them, and versions are made that look at less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from server_clients import assert_problem, inspect

from blemish.core.images import read_image
from blemish.data.categories import open_category
from blemish.detectors.chosen import choose_detectors
from blemish.line.artifact import read_artifact, write_artifact
from blemish.making.build import build_inspector
from blemish.server.job_requests import TrainRequest, workflow


@pytest.fixture(scope="module")
def padim(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inspector whose score is the highest value of its map."""
    (chosen,) = choose_detectors(("padim",), {"size": 128})
    out = tmp_path_factory.mktemp("padim") / "ring.blemish"
    build_inspector(open_category(washers, None), out, chosen.make(), folds=2)
    return out


def test_a_version_that_looks_at_less_is_made_and_judges_batches(
    served: Callable[..., Any], padim: Path, washers: Path
) -> None:
    image = read_image(sorted((washers / "test").rglob("*.png"))[0])
    other = image.copy()
    other[:20, :30] = np.random.default_rng(0).integers(0, 256, (20, 30, 3))
    files = [
        (f"{n}.png", cv2.imencode(".png", one[..., ::-1])[1].tobytes())
        for n, one in enumerate((image, other))
    ]
    with served(add=False) as server, server.client() as client:
        server.service.inspectors.add(padim, "ring")
        server.service.inspectors.activate("ring", 1)
        made = client.post("/v1/inspectors/ring/regions", json={"ignore": ["box:0,0,30,20"]})
        assert made.status_code == 201, made.text
        assert made.json()["version"] == 2
        before = inspect(client, *files, inspector="ring").json()["inspections"]
        assert client.post("/v1/inspectors/ring/activate", json={"version": 2}).status_code == 200
        after = inspect(client, *files, inspector="ring").json()["inspections"]
        assert before[0]["score"] != before[1]["score"]
        assert after[0]["score"] == after[1]["score"] and {one["version"] for one in after} == {2}
        again = client.post("/v1/inspectors/ring/regions", json={"ignore": ["box:0,0,30,20"]})
        assert "Nothing would change" in assert_problem(again, 422)["detail"]
        outside = client.post("/v1/inspectors/ring/regions", json={"ignore": ["box:100,0,60,10"]})
        assert "reaches to 160, 10" in assert_problem(outside, 422)["detail"]
        assert_problem(client.post("/v1/inspectors/ring/regions", json={"ignore": ["../x"]}), 422)
        assert_problem(client.post("/v1/inspectors/none/regions", json={"ignore": ["box:1,1,2,2"]}), 404)


def test_an_inspector_that_has_to_be_fitted_anew_says_so(
    served: Callable[..., Any], padim: Path, tmp_path: Path
) -> None:
    artifact = read_artifact(padim)
    detector = artifact.manifest.detector.model_copy(update={"score_is_maximum": False})
    changed = artifact.manifest.model_copy(update={"detector": detector, "members": ()})
    write_artifact(tmp_path / "ring.blemish", changed, artifact.members)
    with served(add=False) as server, server.client() as client:
        server.service.inspectors.add(tmp_path / "ring.blemish", "ring")
        server.service.inspectors.activate("ring", 1)
        refused = client.post("/v1/inspectors/ring/regions", json={"ignore": ["box:0,0,30,20"]})
        assert "fit it anew with these regions" in assert_problem(refused, 422)["detail"]


def test_a_training_is_asked_to_look_at_less(tmp_path: Path) -> None:
    shapes = {"include": ("polygon:0,0,9,0,9,9",), "ignore": ("box:1,2,3,4", "*.bak")}
    asked = TrainRequest(name="part", folder=str(tmp_path), mask="/data/mask.png", align="shift", **shapes)
    _, request = workflow(asked, tmp_path)
    assert request.include == shapes["include"] and request.ignored == ("box:1,2,3,4",)
    assert request.left_out == ("*.bak",) and request.mask == "/data/mask.png" and request.align == "shift"
    with pytest.raises(ValidationError):
        TrainRequest(name="part", folder=str(tmp_path), include=("box:1;2",))
