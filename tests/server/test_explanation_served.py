"""`GET /v1/inspections/{number}/explanation`: why, made anew from the kept photograph."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.line.runtime import Inspector
from blemish.server.laboratory.pictures import pictures
from blemish.station.judgement import Judgement


def judged(client: Any, name: str, photograph: bytes) -> dict[str, Any]:
    files = {"images": ("part.png", photograph)}
    answer = client.post("/v1/inspect", data={"inspector": name}, files=files)
    return answer.json()["inspections"][0]


def test_an_inspection_is_explained_as_the_line_explains_it(
    served: Callable[..., Any], drawn_back: Path, painted: Path
) -> None:
    with served(add=False, keep="all") as server, server.client() as client:
        version = server.service.inspectors.add(drawn_back, "rings")
        server.service.inspectors.activate(version.name, version.version)
        found = judged(client, "rings", painted.read_bytes())
        address = f"/v1/inspections/{found['id']}/explanation"
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        document, alone = answer.json(), Inspector.load(drawn_back).explain(painted).to_json()
        assert document["verdict"] == found["verdict"] == "reject"
        assert (document["id"], document["inspector"], document["version"]) == (found["id"], "rings", 1)
        assert document["sentence"] == alone["sentence"] and document["regions"] == alone["regions"]
        assert document["reconstruction"] == pytest.approx(alone["reconstruction"], rel=1e-4)
        assert document["attention"] is None and document["types"] == {} and document["nearest"] == []
        assert document["picture"] == f"{address}.png"
        picture = client.get(document["picture"])
        assert picture.headers["content-type"] == "image/png"
        inline = client.get(address, params={"picture": "inline"}).json()["picture"]
        assert base64.b64decode(inline.removeprefix("data:image/png;base64,")) == picture.content
        pixels = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape[0] > 800 and pixels.shape[1] > 800
        # A correction of the inspector later does not change what is explained: the version that judged does.
        assert client.get("/v1/inspections/999/explanation").status_code == 404
        assert client.get(address, params={"picture": "no"}).status_code == 422


def test_without_its_photograph_nothing_is_explained(
    served: Callable[..., Any], drawn_back: Path, painted: Path
) -> None:
    with served(add=False, keep="none") as server, server.client() as client:
        version = server.service.inspectors.add(drawn_back, "rings")
        server.service.inspectors.activate(version.name, version.version)
        found = judged(client, "rings", painted.read_bytes())
        for suffix in ("", ".png"):
            answer = client.get(f"/v1/inspections/{found['id']}/explanation{suffix}")
            assert answer.status_code == 404 and "not kept" in answer.json()["detail"]


def test_the_laboratory_shows_what_the_network_made_of_a_photograph(
    drawn_back: Path, painted: Path, washers: Path
) -> None:
    inspector = Inspector.load(drawn_back)

    def shown(path: Path) -> str:
        inspection = inspector.inspect(path)
        assert inspection.photograph is not None
        return pictures(Judgement(None, inspector, inspection.photograph, inspection))  # type: ignore[arg-type]

    for path in (
        painted,
        sorted((washers / "test" / "good").glob("*.png"))[0],
    ):  # a reject, and a pass as well
        for word in ("What the network made of it", "Reconstruction", "Difference", "Scale of the colours"):
            assert word in shown(path)
