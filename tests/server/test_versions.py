"""Which version judges: one whose file is damaged never does, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect

from blemish.line.artifact import read_artifact, write_artifact


@pytest.fixture(scope="module")
def lenient(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inspector `washer` with a threshold that lets everything pass, of a category of the same name."""
    path = tmp_path_factory.mktemp("lenient") / "washer.blemish"
    artifact = read_artifact(fitted)
    lenient = artifact.manifest.decision.model_copy(update={"threshold": 1e9, "review_threshold": 1e9})
    changed = artifact.manifest.decided(lenient).model_copy(update={"members": ()})
    write_artifact(path, changed, artifact.members)
    return path


@pytest.fixture
def two(served: Callable[..., Any], lenient: Path, tmp_path: Path) -> Iterator[Any]:
    """A server with two versions of `washer`, the second active, and the first one's file damaged before it started."""
    with served(home=tmp_path) as server:
        added = server.service.inspectors.add(lenient, "washer")
        server.service.inspectors.activate("washer", added.version)
        server.service.shelf.get("washer", 1).path.write_bytes(b"damaged")
    with served(home=tmp_path, add=False) as server:
        yield server


def _active(client: httpx.Client) -> int:
    (found,) = [one for one in client.get("/v1/inspectors").json() if one["name"] == "washer"]
    return int(found["active"])


def test_a_damaged_version_is_neither_activated_nor_rolled_back_to(two: Any, good: bytes) -> None:
    with two.client() as client:
        assert_problem(client.post("/v1/inspectors/washer/activate", json={"version": 1}), 422)
        assert_problem(client.post("/v1/inspectors/washer/roll-back"), 422)
        assert _active(client) == 2
        (found,) = inspect(client, ("part.png", good)).json()["inspections"]
        assert found["version"] == 2


def test_a_name_that_no_inspector_may_have_is_refused(client: httpx.Client, fitted: Path) -> None:
    files = {"artifact": ("washer.blemish", fitted.read_bytes())}
    for name in ("../x", "a b", "x" * 81):
        problem = assert_problem(client.post("/v1/inspectors", files=files, data={"name": name}), 422)
        assert "cannot be named" in problem["detail"]
