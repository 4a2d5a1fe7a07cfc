"""Feedback and similar defects: whatever the load and the order, the gallery holds what the log says."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from server_clients import (
    GOOD,
    SAID_NOTHING,
    inspect,
    inspected,
    photographs,
    say,
    wait_for_gallery,
)
from server_process import start_server

from blemish.core.errors import GalleryError
from blemish.core.types import ByteArray
from blemish.gallery.embedding import AnomalyEmbedder
from blemish.gallery.gallery import Gallery
from blemish.line.runtime import Inspector
from blemish.server import past_defects


def held(folder: Path, fitted: Path) -> dict[int | None, str | None]:
    """Defect types in a gallery by the numbers of inspections."""
    embedder = AnomalyEmbedder(Inspector.load(fitted))
    vector = embedder.vector(np.zeros((64, 64, 3), np.uint8))
    with Gallery(folder) as gallery:
        found = gallery.similar(vector, embedder.space, 100_000)
    types = {one.defect.inspection_id: one.defect.defect_type for one in found}
    assert len(types) == len(found)
    return types


@pytest.mark.parametrize("pairs", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_feedback_at_once_reaches_the_gallery_under_load(
    served: Callable[..., Any], rejected: list[ByteArray], fitted: Path, tmp_path: Path, pairs: int
) -> None:
    words = [(GOOD, "scratch", SAID_NOTHING, GOOD, "hole")[number % 5] for number in range(pairs)]
    with served(home=tmp_path, queue_size=16) as server, server.client() as client:

        def pair(photograph: bytes, word: str | None) -> tuple[int, str | None]:
            number = inspected(client, photograph)
            say(client, number, word)
            return number, word

        with ThreadPoolExecutor(8) as senders:
            said = dict(senders.map(pair, photographs(rejected, pairs), words))
        wait_for_gallery(client)
    assert held(tmp_path / "gallery", fitted) == {
        number: word for number, word in said.items() if word != GOOD
    }


def test_what_waits_at_kill_9_is_found_again(rejected: list[ByteArray], fitted: Path, tmp_path: Path) -> None:
    said: dict[int, str | None] = {}
    for turn, options in enumerate((("--inspector", fitted), ())):
        process, address = start_server(tmp_path, *options)
        with process, httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
            for number, content in enumerate(photographs(rejected, 8 * (turn + 1))):
                if number >= 8 * turn:
                    word = (GOOD, "scratch", "hole", SAID_NOTHING)[number % 4]
                    said[found := inspected(client, content)] = word
                    say(client, found, word)
            if turn == 0:
                process.send_signal(signal.SIGKILL)
            else:
                wait_for_gallery(client)
                process.send_signal(signal.SIGTERM)
    assert held(tmp_path / "gallery", fitted) == {
        number: word for number, word in said.items() if word != GOOD
    }


def test_a_gallery_in_trouble_follows_when_it_can(
    served: Callable[..., Any],
    rejected: list[ByteArray],
    fitted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past_defects, "_TRY_AGAIN_SECONDS", 0.05)
    with served(home=tmp_path) as server, server.client() as client:
        with monkeypatch.context() as broken:
            for name in ("add", "remove", "set_defect_type", "holds"):
                broken.setattr(Gallery, name, _unusable)
            numbers = [inspected(client, content) for content in photographs(rejected, 3)]
            for number, word in zip(numbers, (GOOD, "hole", SAID_NOTHING), strict=True):
                say(client, number, word)
            time.sleep(0.3)
        wait_for_gallery(client)
    assert held(tmp_path / "gallery", fitted) == {numbers[1]: "hole", numbers[2]: None}


def _unusable(*_: object) -> None:
    raise GalleryError("The disk is full: free some space.")


def test_the_last_word_on_a_photograph_counts(
    served: Callable[..., Any], rejected: list[ByteArray], fitted: Path, tmp_path: Path
) -> None:
    (photograph,) = photographs(rejected, 1)
    with served(home=tmp_path) as server, server.client() as client:
        first = inspected(client, photograph)
        say(client, first, GOOD)
        again = inspected(client, photograph)  # a person has said that this is no defect
        wait_for_gallery(client)
        gallery = server.service.past_defects.gallery
        assert gallery.count() == 0
        say(client, again, "hole")
        wait_for_gallery(client)
        assert gallery.count() == 1
        say(client, first, "scratch")
        wait_for_gallery(client)
    assert held(tmp_path / "gallery", fitted) == {again: "scratch"}


def test_no_type_is_proposed_for_a_good_part(
    served: Callable[..., Any], rejected: list[ByteArray], good: bytes, tmp_path: Path
) -> None:
    with served(home=tmp_path, keep="all") as server, server.client() as client:
        for content in photographs(rejected, 2):
            say(client, number := inspected(client, content), "hole")
        wait_for_gallery(client)
        (passed,) = inspect(client, ("good.png", good)).json()["inspections"]
        assert passed["verdict"] == "pass"

        def similar(number: int) -> Any:
            return client.get(f"/v1/inspections/{number}/similar").json()

        found = similar(passed["id"])
        assert found["verdict"] == "pass" and found["score"] == pytest.approx(passed["score"])
        assert len(found["neighbours"]) == 2 and found["proposal"]["defect_type"] is None
        say(client, passed["id"], "scratch")  # a missed defect
        assert similar(passed["id"])["proposal"]["defect_type"] == "hole"
        assert similar(number)["proposal"]["defect_type"] is not None
        say(client, number, GOOD)
        assert similar(number)["truth"] == "good" and similar(number)["proposal"]["defect_type"] is None
