"""Drift through the server's doors: statistics, metrics, its log, and a person who takes the new light for normal."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.station.records import NewInspection

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def inspected(n: int, start: int = 0, brightness: float = 100.0) -> list[NewInspection]:
    """Passed parts of `washer`, one a second."""
    rng = np.random.default_rng(start)
    return [
        NewInspection(
            time=NOON + timedelta(seconds=start + number), inspector="washer", version=1, verdict=Verdict.PASS,
            score=float(rng.gamma(4)), threshold=20.0, p_value=float(rng.uniform(0.1, 1)), percentile=50.0,
            regions=(), width=10, height=10, image_digest="0" * 64, image_suffix=None, file_name="part.png",
            photograph_statistics={name: float(rng.normal(1, 0.02)) for name in STATISTICS}
            | {"brightness": float(rng.normal(brightness, 2))},
        )
        for number in range(n)
    ]  # fmt: skip


def drift(client: Any) -> dict[str, Any]:
    (found,) = client.get("/v1/stats").json()["drift"]
    return dict(found)


def drift_of(client: Any, n: int) -> dict[str, Any]:
    """What is said once so many inspections were read."""
    end = time.monotonic() + 30
    while (found := drift(client))["n"] < n and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_dark_lamp_is_told_until_somebody_takes_it_for_normal(
    served: Any, good: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "blemish.server")
    with served() as server, server.client() as client:
        answer = client.post("/v1/inspect", data={"inspector": "washer"}, files={"images": ("x.png", good)})
        (one,) = answer.json()["inspections"]
        assert set(one["photograph_statistics"]) == set(STATISTICS)
        assert 0 < one["photograph_statistics"]["brightness"] < 255
        assert drift(client)["state"] == "learning"
        server.service.log.add(inspected(300))
        steady = drift_of(client, 301)
        assert (steady["state"], steady["n"], steady["moved"]) == ("steady", 301, [])
        server.service.log.add(inspected(60, start=300, brightness=85))
        told = drift_of(client, 361)
        assert told["state"] == "drifted" and told["message"].startswith("The brightness has fallen by 1")
        (moved,) = told["moved"]
        assert (moved["statistic"], moved["rising"]) == ("brightness", False)
        assert moved["since"].startswith("2026-05-04T12:0") and moved["before"] > moved["now"]
        text = client.get("/metrics").text
        assert 'blemish_drift_evidence{inspector="washer",statistic="brightness"} 1.0' in text
        # Whoever watches the server's log need not ask.
        client.post("/v1/inspect", data={"inspector": "washer"}, files={"images": ("x.png", good)})
        end = time.monotonic() + 60
        while not any("brightness has fallen" in said.message for said in caplog.records):
            assert time.monotonic() < end
            time.sleep(0.05)
        anew = client.post("/v1/inspectors/washer/drift/learn-anew", json={"note": "new lamp"}).json()
        assert (anew["state"], anew["n"]) == ("learning", 0)
        entry = client.get("/v1/audit").json()["entries"][0]
        assert (entry["action"], entry["by"], entry["inspector"]) == ("learn-anew", "local", "washer")
        assert entry["detail"]["note"] == "new lamp" and entry["detail"]["before"]["state"] == "drifted"
        server.service.log.add(inspected(300, start=400, brightness=85))
        assert drift_of(client, 300)["state"] == "steady"
        assert client.post("/v1/inspectors/nobody/drift/learn-anew").status_code == 404


def test_a_viewer_may_look_and_not_change(served: Any) -> None:
    with served(require_keys=True, keys=("made below",)) as server:
        keys = {role: server.service.keys.create(role, role) for role in ("viewer", "operator")}
        with server.client(keys["viewer"]) as client:
            assert drift(client)["state"] == "learning"
            assert client.post("/v1/inspectors/washer/drift/learn-anew").status_code == 403
        with server.client(keys["operator"]) as client:
            assert client.post("/v1/inspectors/washer/drift/learn-anew").status_code == 200
