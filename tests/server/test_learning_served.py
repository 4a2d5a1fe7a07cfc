"""Corrections learnt through the API: how many wait, the job and its replay, the new version, and who may."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from server_clients import inspect

pytest.importorskip("torch", reason="the extra [train] is not installed")


def test_a_job_learns_and_the_new_version_judges(
    served: Callable[..., Any], good: bytes, defective: list[bytes]
) -> None:
    with served(keep="all", page=True) as server, server.client() as client:
        ids = [
            inspect(client, ("a.png", one)).json()["inspections"][0]["id"] for one in (good, *defective[:3])
        ]
        for number, truth in zip(ids, ("good", "bad", "bad", "bad"), strict=True):
            client.post(f"/v1/inspections/{number}/feedback", json={"truth": truth}).raise_for_status()
        waiting = client.get("/v1/inspectors/washer/corrections").json()
        assert waiting == {"good": 1, "bad": 3, "learnt": 0, "new": 4}
        begun = client.post("/v1/inspectors/washer/learn", json={"recent": 5})
        assert begun.status_code == 202 and begun.json()["request"]["kind"] == "learn"
        job = ended(client, begun.json()["id"])
        assert job["state"] == "done", job["says"]
        result = job["result"]
        assert result["activated"] and result["replay"]["safe"] and result["version_after"] == 2
        assert str(server.service.home.path) not in str(job)
        assert client.get("/v1/inspectors/washer/corrections").json()["new"] == 0
        newest = client.get("/v1/inspectors/washer/versions").json()[0]
        assert newest["active"] and newest["changes"]["kind"] == "corrections"
        assert "3 known defects remembered instead of 0." in newest["changes"]["sentences"]
        assert client.post(f"/v1/inspectors/washer/corrections/{ids[0]}/confirm").status_code == 204
        assert client.post(f"/v1/inspectors/washer/corrections/{ids[1]}/confirm").status_code == 409
        assert client.post("/v1/inspectors/nobody/learn", json={}).status_code == 404
        page = client.get("/parts/washer/versions").text
        assert "Learn from corrections" in page and "with corrections learnt" in page


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
        if found["state"] not in ("waiting", "running"):
            return found
        time.sleep(0.2)
    raise AssertionError("the job has not ended")
