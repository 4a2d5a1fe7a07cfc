"""Over the API: known defects of an upload or a folder, scored by a job, decide; regions of the past are previewed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from server_clients import assert_problem, inspect, photographs, say

import blemish as bl
from blemish.core.types import ByteArray

DECISION = "/v1/inspectors/washer/decision"


def _ended(client: httpx.Client, asked: dict[str, Any]) -> dict[str, Any]:
    """The job that was asked for, when it has ended."""
    answer = client.post("/v1/jobs", json=asked)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    end = time.monotonic() + 120
    while job["state"] in ("waiting", "running") and time.monotonic() < end:
        time.sleep(0.1)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    return job


def test_known_defects_of_a_folder_or_an_upload_decide_beside_those_that_people_found(
    served: Callable[..., Any], fitted: Path, washers: Path, defective: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "defects"
    folder.mkdir()
    for number, content in enumerate(defective):
        (folder / f"{number}.png").write_bytes(content)
    inspector = bl.load(fitted)
    scores = np.array([inspector.inspect(content).score for content in defective])
    home = tmp_path / "home"
    with served(home=home) as server, server.client() as client:
        (known,) = inspect(client, ("0.png", defective[0])).json()["inspections"]
        say(client, known["id"], "scratch")
        job = _ended(client, {"kind": "decide", "inspector": "washer", "folder": str(folder)})
        assert job["state"] == "done", job
        assert job["title"] == "Score known defects of washer, version 1, in defects" and job["report"]
        found = job["result"]["known_defects"]["scores"]
        assert sorted(one["score"] for one in found) == pytest.approx(sorted(scores), rel=1e-5)
        wanted = {"recall": 1.0, "defects_of_job": job["id"]}
        seen = client.post(f"{DECISION}/preview", json=wanted).json()
        # The one that was inspected, and found bad, counts once.
        assert seen["decision"]["seen"]["n"] == len(defective) == seen["decision"]["seen"]["n"]
        elsewhere = seen["defects_elsewhere"]
        assert (seen["known_defects"]["n"], elsewhere["n"]) == (1, len(defective) - 1)
        threshold = client.get(DECISION).json()["decision"]["threshold"]
        others = np.delete(scores, 0)
        assert elsewhere["rejected_before"] == np.count_nonzero(others > threshold)
        assert (elsewhere["rejected_after"], elsewhere["passed_after"]) == (len(others), 0)
        changed = client.put(DECISION, json=wanted).json()["decision"]
        assert (changed["rule"], changed["seen"]["n"], changed["seen"]["missed"]) == (
            "recall",
            len(defective),
            0,
        )
        by_hand = inspector.decide(recall=1.0, defect_scores=scores).decision
        assert changed["threshold"] == pytest.approx(by_hand.threshold)
        entry = client.get("/v1/audit").json()["entries"][0]
        assert entry["detail"]["policy"] == wanted
        # In the command line and in Python of the same home.
        assert bl.preview_decision("washer", home, threshold=1.0).previewed.history.n == 1
        upload = client.post("/v1/uploads").json()["id"]
        for number, content in enumerate(defective[:3]):
            assert client.put(f"/v1/uploads/{upload}/files/{number}.png", content=content).status_code == 200
        sent = _ended(client, {"kind": "decide", "inspector": "washer", "upload": upload})
        assert sent["state"] == "done" and sent["result"]["known_defects"]["n"] == 3
        for wrong, status in (
            ({"defects_of_job": "20260101-000000-abcdef"}, 404),
            ({"defects_of_job": "x"}, 422),
        ):
            assert_problem(client.put(DECISION, json={"recall": 1.0} | wrong), status)
        other = shutil.copy(fitted, tmp_path / "other.blemish")
        bl.load(other).with_ignored(("box:0,0,8,8",)).save(other)
        version = server.service.inspectors.add(Path(other), "washer")
        server.service.inspectors.activate("washer", version.version)
        problem = assert_problem(client.put(DECISION, json=wanted), 409)
        assert "scores otherwise" in problem["detail"]


def test_regions_of_the_past_are_previewed_with_those_of_the_page(
    served: Callable[..., Any], fitted: Path, defective: list[bytes], good: bytes, tmp_path: Path
) -> None:
    with served(home=tmp_path) as server, server.client() as client:
        for number, content in enumerate([*defective, good]):
            inspect(client, (f"{number}.png", content))
        wanted = {"regions": {"smallest_region": "14px"}}
        seen = client.post(f"{DECISION}/preview", json=wanted).json()
        changed = bl.load(fitted).decide(smallest_region="14px")
        found = [changed.inspect(content) for content in [*defective, good]]
        shown = [len(one.regions) for one in found if one.verdict in ("review", "reject")]
        assert seen["decision"]["pixels"]["smallest_side"] == 14 and seen["changed"] == 0
        assert (seen["regions"]["known"], seen["regions"]["after"]) == (len(shown), sum(shown))
        of_python = bl.preview_decision("washer", tmp_path, smallest_region="14px").to_json()
        assert {name: of_python[name] for name in seen if name != "decision"} == {
            name: value for name, value in seen.items() if name != "decision"
        }
        assert client.post(f"{DECISION}/preview", json={}).json()["regions"] is None
        assert client.get(DECISION).json()["version"] == 1


def test_a_kept_photograph_is_judged_anew_by_what_is_considered(
    served: Any, fitted: Path, rejected: list[ByteArray]
) -> None:
    with served(keep="all") as server, server.client() as client:
        files = [(f"{place}.png", one) for place, one in enumerate(photographs(rejected, 3))]
        records = inspect(client, *files).json()["inspections"]
        wanted = {"regions": {"pixel_rate": 0.9, "hysteresis": 0.5}}
        seen = client.post(f"{DECISION}/preview", json=wanted).json()["regions"]
        assert seen["known"] == 0 and sorted(seen["photographs"]) == sorted(one["id"] for one in records)
        by_hand = bl.load(fitted).decide(pixel_rate=0.9, hysteresis=0.5)
        for record, (_, content) in zip(records, files, strict=True):
            found = client.post(f"{DECISION}/preview/{record['id']}", json=wanted).json()
            regions = by_hand.inspect(content).regions
            assert [(one["x"], one["y"], one["area"]) for one in found["regions"]] == [
                (one.x, one.y, pytest.approx(one.area)) for one in regions
            ]
            assert (found["before"], found["regions_before"]) == ("reject", len(record["regions"]))
        before = client.post(f"{DECISION}/preview/{records[0]['id']}", json={}).json()
        assert len(before["regions"]) == before["regions_before"]
        passed = client.post(f"{DECISION}/preview/{records[0]['id']}", json={"threshold": 1e6}).json()
        assert (passed["after"], passed["regions"]) in (("review", passed["regions"]), ("pass", []))
        assert_problem(client.post(f"{DECISION}/preview/999", json={}), 404)
        assert client.get(DECISION).json()["version"] == 1
