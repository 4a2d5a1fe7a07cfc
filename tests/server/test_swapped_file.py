"""A file that somebody swaps under a running service: what was added judges, or nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from server_clients import inspect

from blemish.core.errors import ArtifactError
from blemish.line.artifact import read_artifact, write_artifact


@contextmanager
def swapped(path: Path) -> Iterator[None]:
    """Another sound inspector in the file's place: the same but for a threshold that lets everything pass."""
    original = path.read_bytes()
    artifact = read_artifact(path)
    lenient = artifact.manifest.decision.model_copy(update={"threshold": 1e9, "review_threshold": 1e9})
    changed = artifact.manifest.decided(lenient).model_copy(update={"members": ()})
    write_artifact(path, changed, artifact.members)
    try:
        yield
    finally:
        path.write_bytes(original)


def test_what_was_compiled_goes_on_and_the_swapped_file_is_opened_by_nobody(
    served: Callable[..., Any], defective: list[bytes]
) -> None:
    with served(keep="all") as server, server.client() as client:
        first = inspect(client, ("part.png", defective[0])).json()["inspections"][0]
        version = server.service.inspectors.active("washer")
        with swapped(version.path):
            # The queue has it in memory; the page's own networks have not been compiled yet.
            again = inspect(client, ("part.png", defective[0])).json()["inspections"][0]
            assert (again["score"], again["threshold"]) == (first["score"], first["threshold"])
            record = server.service.log.get(again["id"])
            for use in (server.service.reinspection.of_record, server.service.reinspection.for_gallery):
                with pytest.raises(ArtifactError, match="is not the file that was added"):
                    use(record)
        judgement = server.service.reinspection.of_record(record)
        assert judgement.inspection.threshold == first["threshold"]


def test_a_service_that_starts_with_a_swapped_file_refuses_to_judge_by_it(
    served: Callable[..., Any], defective: list[bytes], tmp_path: Path
) -> None:
    with served(home=tmp_path) as server:
        path = server.service.inspectors.active("washer").path
    with swapped(path), served(home=tmp_path, add=False) as server, server.client() as client:
        answer = inspect(client, ("part.png", defective[0]))
        assert "is not the file that was added" in answer.text
        assert "verdict" not in answer.text
        assert "inspectors/washer/" in answer.text and str(tmp_path) not in answer.text
