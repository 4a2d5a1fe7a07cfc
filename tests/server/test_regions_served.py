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


def test_what_is_ignored_is_shown_and_tried_before_it_is_made(
    served: Callable[..., Any], padim: Path, washers: Path
) -> None:
    content = _first(washers).read_bytes()
    address = "/v1/inspectors/ring/view"
    with served(keep="all") as server, server.client() as client:
        server.service.inspectors.add(padim, "ring")
        server.service.inspectors.activate("ring", 1)
        found = client.get(address).json()
        assert (found["version"], found["photograph"], found["shown"]) == (1, [128, 128], [128, 128])
        assert found["looks_at"] == "the whole photograph" and found["can_ignore_more"]
        assert not _layer(client.get(f"{address}/unseen.png"))[..., 3].any()
        tried = _layer(client.get(f"{address}/unseen.png", params={"ignore": "box:0,0,30,20", "side": 64}))
        assert tried.shape == (64, 64, 4) and tried[:10, :15, 3].all() and not tried[40:, 40:, 3].any()
        outside = client.get(f"{address}/unseen.png", params={"ignore": "box:100,0,60,10"})
        assert "reaches to 160, 10" in assert_problem(outside, 422)["detail"]
        assert (
            client.post("/v1/inspectors/ring/regions", json={"ignore": ["box:0,0,30,20"]}).status_code == 201
        )
        made = client.get(address, params={"version": 2}).json()
        assert made["ignored_later"] == ["box:0,0,30,20"] and made["margin"] > 0 and not made["active"]
        whole = _layer(client.get(f"{address}/unseen.png", params={"version": 2}))
        edge = whole[20:, :, 3] > 0
        assert whole[:20, :30, 3].all() and 0 < edge.sum() < edge.size  # beside it is what is not judged

        (record,) = inspect(client, ("a.png", content), inspector="ring").json()["inspections"]
        kept = client.get(f"{address}/photograph.jpg", params={"inspection": record["id"]})
        sent = client.post(f"{address}/photograph", files={"image": ("a.png", content)})
        for answer in (kept, sent):
            assert answer.headers["content-type"] == "image/jpeg"
            shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert np.abs(shown[..., ::-1].astype(int) - read_image(_first(washers))).mean() < 4
        other = client.get("/v1/inspectors/washer/view/photograph.jpg", params={"inspection": record["id"]})
        assert "is one of ring, not of washer" in assert_problem(other, 404)["detail"]
        assert_problem(client.post(f"{address}/photograph", files={"image": ("a.png", b"nothing")}), 415)
        assert_problem(client.post(f"{address}/photograph", files={"other": ("a.png", content)}), 422)
        assert_problem(client.get("/v1/inspectors/nobody/view"), 404)


def _first(washers: Path) -> Path:
    return sorted((washers / "test").rglob("*.png"))[0]


def _layer(answer: Any) -> Any:
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


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
        found = client.get("/v1/inspectors/ring/view").json()
        assert not found["can_ignore_more"] and "fit it anew with these regions" in found["why_not"]


def test_a_training_is_asked_to_look_at_less(tmp_path: Path) -> None:
    shapes = {"include": ("polygon:0,0,9,0,9,9",), "ignore": ("box:1,2,3,4", "*.bak")}
    asked = TrainRequest(name="part", folder=str(tmp_path), mask="/data/mask.png", align="shift", **shapes)
    _, request = workflow(asked, tmp_path)
    assert request.include == shapes["include"] and request.ignored == ("box:1,2,3,4",)
    assert request.left_out == ("*.bak",) and request.mask == "/data/mask.png" and request.align == "shift"
    with pytest.raises(ValidationError):
        TrainRequest(name="part", folder=str(tmp_path), include=("box:1;2",))
