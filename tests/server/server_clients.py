"""What the tests of the server do again and again."""

from __future__ import annotations

from typing import Any

import httpx


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
