"""What the tests of the server do again and again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import cv2
import httpx

from blemish.core.types import ByteArray

GOOD, SAID_NOTHING = "good", None


def inspect(
    client: httpx.Client, *files: tuple[str, bytes], inspector: str = "washer", **query: Any
) -> httpx.Response:
    """Send photographs to be inspected."""
    return client.post(
        "/v1/inspect",
        data={"inspector": inspector},
        files=[("images", (name, content, "application/octet-stream")) for name, content in files],
        params=query,
    )


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem that an answer must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["detail"].endswith(".") and "Traceback" not in problem["detail"]
    return problem


def photographs(images: list[ByteArray], count: int) -> Iterator[bytes]:
    """So many photographs of defective parts, each another file."""
    for number in range(count):
        image = images[number % len(images)][..., ::-1].copy()
        image[0, 0] = number % 256, number // 256, 0
        yield cv2.imencode(".png", image)[1].tobytes()


def say(client: httpx.Client, number: int, word: str | None) -> None:
    """GOOD, a defect type, or nothing."""
    if word is SAID_NOTHING:
        return
    said = {"truth": "good"} if word == GOOD else {"truth": "bad", "defect_type": word}
    assert client.post(f"/v1/inspections/{number}/feedback", json=said).status_code == 201


def inspected(client: httpx.Client, photograph: bytes) -> int:
    """The number of a photograph's inspection, which rejects it."""
    answer = inspect(client, ("part.png", photograph))
    while answer.status_code == 503:  # the queue is full: as a client of a line does
        time.sleep(0.05)
        answer = inspect(client, ("part.png", photograph))
    (found,) = answer.json()["inspections"]
    assert found["verdict"] == "reject"
    return int(found["id"])


def wait_for_gallery(client: httpx.Client, seconds: float = 240) -> None:
    """Until nothing waits to enter the gallery."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (waiting,) = re.findall(r"^blemish_gallery_waiting (\S+)", client.get("/metrics").text, re.MULTILINE)
        if float(waiting) == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the gallery has not come to rest")
