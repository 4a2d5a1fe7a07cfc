"""All parts in one answer: verdicts of today, what a person has to see to, and a picture of each."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image
from server_clients import assert_problem, inspect, inspected, photographs

from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.station.keys import Role
from blemish.station.records import NewInspection


def made(n: int, verdict: Verdict, ago: timedelta, part: str = "washer") -> list[NewInspection]:
    """So many inspections, so long ago."""
    return [
        NewInspection(
            time=datetime.now(UTC) - ago, inspector=part, version=1, verdict=verdict, score=1.0, threshold=2.0,
            p_value=0.5, percentile=50.0, regions=(), width=10, height=10, image_digest="0" * 64,
            image_suffix=None, file_name="part.png",
            photograph_statistics=dict.fromkeys(STATISTICS, 1.0),
        )
        for _ in range(n)
    ]  # fmt: skip


def parts(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/v1/parts")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["parts"]}


def test_a_part_at_a_glance(served: Any, good: bytes, rejected: list[Any]) -> None:
    with served(keep="all") as server, server.client() as client:
        new = parts(client)["washer"]
        assert (new["version"], new["versions"], new["detector"]) == (1, 1, "patchcore")
        assert new["picture"] is None and new["last_inspection"] is None and new["needs"] == []
        assert new["today"]["judged"] == 0 and new["today"]["reject_rate"] is None
        assert_problem(client.get("/v1/inspectors/washer/picture"), 404)

        inspected(client, next(photographs(rejected, 1)))
        assert inspect(client, ("part.png", good)).status_code == 200
        found = parts(client)["washer"]
        today = found["today"]
        assert (today["rejected"], today["judged"]) == (1, 2)
        assert today["passed"] + today["reviewed"] == 1 and today["reject_rate"] == 0.5
        assert found["usual"]["state"] == "unknown"
        picture = client.get(found["picture"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.headers["cache-control"] == "private, max-age=86400"
        assert Image.open(io.BytesIO(picture.content)).size == (128, 128)
        small = client.get(found["picture"], params={"of": found["picture"][-16:], "side": 64})
        assert Image.open(io.BytesIO(small.content)).size == (64, 64)
        again = client.get(
            "/v1/inspectors/washer/picture", headers={"If-None-Match": picture.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        for side in (31, 481):
            assert_problem(client.get("/v1/inspectors/washer/picture", params={"side": side}), 422)


def test_what_needs_a_person_comes_first_and_says_why(served: Any, fitted: Any) -> None:
    with served() as server, server.client() as client:
        service = server.service
        for name in ("a-quiet", "b-waiting", "c-none"):
            service.inspectors.add(fitted, name)
            if name != "c-none":
                service.inspectors.activate(name, 1)
        day, none = timedelta(days=2), timedelta()
        service.log.add(made(980, Verdict.PASS, day) + made(20, Verdict.REJECT, day))
        service.log.add(made(20, Verdict.PASS, none) + made(12, Verdict.REJECT, none))
        service.log.add(made(9, Verdict.NOT_JUDGED, none))
        service.log.add(made(2, Verdict.REVIEW, day, "b-waiting"))
        answer = client.get("/v1/parts").json()
        queue = client.get("/v1/review-queue", params={"inspector": "b-waiting"}).json()
        assert [one["name"] for one in answer["parts"]] == ["c-none", "washer", "b-waiting", "a-quiet"]
        none_judges, washer, waiting, quiet = answer["parts"]
        assert [need["kind"] for need in none_judges["needs"]] == ["no-version"]
        assert none_judges["version"] is None and none_judges["drift"] is None
        assert [need["kind"] for need in washer["needs"]] == ["reject-rate", "not-judged"]
        assert washer["usual"]["state"] == "above" and washer["usual"]["judged"] == 1000
        assert "38 % rejected today, above the control limit" in washer["needs"][0]["message"]
        assert "9 of 41 photographs today" in washer["needs"][1]["message"]
        assert (waiting["waiting"], waiting["needs"][0]["message"]) == (
            2,
            "2 parts with the verdict review wait for a person.",
        )
        assert queue["counts"]["review"] == waiting["waiting"]
        assert quiet["needs"] == []
        assert answer["troubles"] == []
        end = time.monotonic() + 20
        while parts(client)["washer"]["drift"]["message"] != "Nothing has changed in 1,041 parts.":
            assert time.monotonic() < end, parts(client)["washer"]["drift"]
            time.sleep(0.1)


def test_a_rolled_back_version_judges_since_then(served: Any, fitted: Any, tmp_path: Any) -> None:
    with served() as server, server.client() as client:
        before = parts(client)["washer"]["active_since"]
        changed = client.put("/v1/inspectors/washer/decision", json={"false_reject_rate": 0.2})
        assert changed.status_code == 200, changed.text
        second = parts(client)["washer"]
        assert (second["version"], second["versions"]) == (2, 2) and second["active_since"] > before
        assert client.post("/v1/inspectors/washer/roll-back").status_code == 200
        third = parts(client)["washer"]
        assert third["version"] == 1 and third["active_since"] > second["active_since"]


def test_what_the_server_does_without_is_said_and_a_key_is_needed(served: Any) -> None:
    with served(require_keys=True, keys=("x",)) as server:
        token = server.service.keys.create("viewer", Role.VIEWER)
        server.service.images.trouble = "Images are not kept in /secret (no space left): free some."
        with server.client() as stranger, server.client(token) as viewer:
            assert_problem(stranger.get("/v1/parts"), 401)
            assert_problem(stranger.get("/v1/inspectors/washer/picture"), 401)
            assert viewer.get("/v1/parts").json()["troubles"] == [
                "Images are not kept at present: see the log."
            ]


@pytest.mark.parametrize("name", ["no-such", "..", "a%2Fb"])
def test_a_picture_of_no_part_is_refused(client: httpx.Client, name: str) -> None:
    assert client.get(f"/v1/inspectors/{name}/picture").status_code in (404, 422)
