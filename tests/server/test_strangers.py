"""Two parts learnt from folders called `good` are strangers: nothing of one is shown beside the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_clients import inspect, photographs, wait_for_gallery

from blemish.core.types import ByteArray
from blemish.gallery.defect import Defect
from blemish.gallery.gallery import Gallery
from blemish.line.artifact import read_artifact, write_artifact


@pytest.fixture(scope="module")
def nameless(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inspector `washer`, as learnt from a folder called `good`."""
    path, artifact = tmp_path_factory.mktemp("nameless") / "good.blemish", read_artifact(fitted)
    learnt = artifact.manifest.training.model_copy(update={"category": "good"})
    write_artifact(path, artifact.manifest.model_copy(update={"training": learnt}), artifact.members)
    return path


def test_similar_defects_and_clusters_stay_inside_the_part(
    served: Callable[..., Any], nameless: Path, rejected: list[ByteArray]
) -> None:
    with served(keep="all", add=False) as server, server.client() as client:
        numbers = {}
        for place, name in enumerate(("washer", "nut")):
            server.service.inspectors.add(nameless, name)
            server.service.inspectors.activate(name, 1)
            sent = list(photographs(rejected, 4))[2 * place : 2 * place + 2]
            for content in sent:
                answer = inspect(client, ("part.png", content), inspector=name)
                numbers[name] = answer.json()["inspections"][0]["id"]
        wait_for_gallery(client)
        for name, number in numbers.items():
            found = client.get(f"/v1/inspections/{number}/similar", params={"top": 50}).json()["neighbours"]
            assert [(one["category"], one["inspector"]) for one in found] == [(name, name)]
            clusters = client.get("/v1/gallery/clusters", params={"category": name}).json()
            assert {one["category"] for one in clusters["single"]} == {name} and clusters["total"] == 2
        assert client.get("/v1/gallery/clusters", params={"category": "good"}).json()["total"] == 0


def test_what_earlier_versions_called_good_gets_the_name_of_its_inspector(tmp_path: Path) -> None:
    with Gallery(tmp_path / "gallery") as gallery:
        for place, name in enumerate(("washer", "nut", "nut")):
            vector = np.eye(4, dtype=np.float32)[place]
            defect = Defect("good", None, datetime.now(UTC), name, f"{place:064x}", place, "part.png")
            gallery.add(vector, "space", defect)
        gallery.call_by_inspectors()
        gallery.call_by_inspectors()  # a second time does nothing
        assert {group.category: group.total for group in gallery.groups()} == {"nut": 2, "washer": 1}
