"""What a client of the API sees."""

from __future__ import annotations

import csv
import hashlib
import io
import threading
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from server_clients import assert_problem, inspect

from blemish.core.images import decode_image
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector


def test_an_inspection_says_what_the_runtime_says_and_is_in_the_log(
    client: httpx.Client, fitted: Any, defective: list[bytes]
) -> None:
    alone = Inspector.load(fitted).inspect(decode_image(defective[0], "x"))
    response = inspect(client, ("part 1.png", defective[0]))
    assert response.status_code == 200, response.text
    (found,) = response.json()["inspections"]
    assert found["verdict"] == alone.verdict
    assert found["score"] == pytest.approx(alone.score, rel=1e-4)
    assert found["threshold"] == alone.threshold
    assert 0 <= found["percentile"] <= 100
    assert [region["x"] for region in found["regions"]] == [region.x for region in alone.regions]
    assert found["file_name"] == "part 1.png"
    assert found["image_digest"] == hashlib.sha256(defective[0]).hexdigest()
    assert client.get(f"/v1/inspections/{found['id']}").json() == found


def test_several_photographs_are_answered_in_order_and_bad_ones_are_named(
    client: httpx.Client, good: bytes, defective: list[bytes]
) -> None:
    files = [("a.png", good), ("b.txt", b"no image at all"), ("c.png", defective[1]), ("d.png", good[:200])]
    answer = inspect(client, *files).json()
    assert [one["file_name"] for one in answer["inspections"]] == ["a.png", "c.png"]
    assert [(one["file_name"], one["status"]) for one in answer["refused"]] == [
        ("b.txt", 415),
        ("d.png", 422),
    ]


def test_a_photograph_that_browsers_cannot_show_is_kept_as_it_came(
    client: httpx.Client, defective: list[bytes]
) -> None:
    content = io.BytesIO()
    Image.fromarray(decode_image(defective[0], "x")).save(content, "JPEG2000")
    (plain,) = inspect(client, ("x.png", defective[0])).json()["inspections"]
    (found,) = inspect(client, ("x", content.getvalue()), heatmap="inline").json()["inspections"]
    assert found["score"] == pytest.approx(plain["score"], rel=1e-4)
    image = client.get(found["image"])
    assert image.content == content.getvalue() and image.headers["content-type"] == "image/jp2"
    assert client.get(f"/v1/inspections/{found['id']}/heatmap").headers["content-type"] == "image/png"


def test_image_and_heatmap_come_by_link_and_inline(client: httpx.Client, defective: list[bytes]) -> None:
    (found,) = inspect(client, ("x.png", defective[0]), heatmap="inline").json()["inspections"]
    assert found["heatmap"].startswith("data:image/png;base64,")
    image = client.get(found["image"])
    assert image.content == defective[0]
    assert image.headers["content-type"] == "image/png"
    heatmap = client.get(f"/v1/inspections/{found['id']}/heatmap")
    assert heatmap.headers["content-type"] == "image/png"
    drawn = cv2.imdecode(np.frombuffer(heatmap.content, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (found["height"], found["width"], 3)


def test_history_can_be_filtered_paged_corrected_and_counted(
    client: httpx.Client, defective: list[bytes], good: bytes
) -> None:
    for content in (*defective[:3], good):
        inspect(client, ("x.png", content))
    pages, cursor = [], None
    while True:
        page = client.get(
            "/v1/inspections", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        pages += [one["id"] for one in page["inspections"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == sorted(set(pages), reverse=True)
    number = pages[0]
    said = {"truth": "bad", "defect_type": "scratch", "note": "seen at the line"}
    given = client.post(f"/v1/inspections/{number}/feedback", json=said)
    assert given.status_code == 201
    assert client.get(f"/v1/inspections/{number}").json()["defect_type"] == "scratch"
    assert client.get(f"/v1/inspections/{number}/feedback").json() == [given.json()]
    chosen = client.get("/v1/inspections", params={"defect_type": "scratch"}).json()["inspections"]
    assert [one["id"] for one in chosen] == [number]
    stats = client.get("/v1/stats").json()
    assert stats["summary"]["n"] == len(pages)
    assert stats["pareto"][0]["defect_type"] == "scratch"
    assert stats["reject_rates"][-1]["n"] >= 1
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text)))
    assert [int(row["id"]) for row in rows] == pages[::-1]


def test_a_formula_in_a_name_stays_text_in_the_csv(client: httpx.Client, good: bytes) -> None:
    inspect(client, ("=cmd.png", good))
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text)))
    assert rows[-1]["file_name"] == "'=cmd.png"


def test_versions_are_added_activated_and_rolled_back(client: httpx.Client, fitted: Any, good: bytes) -> None:
    files = {"artifact": ("washer.blemish", fitted.read_bytes())}
    first = client.post("/v1/inspectors", files=files, data={"name": "second"})
    assert first.status_code == 201, first.text
    assert first.json()["version"] == 1 and not first.json()["active"]
    assert_problem(inspect(client, ("x.png", good), inspector="second"), 404)
    assert client.post("/v1/inspectors/second/activate", json={"version": 1}).json()["active"]
    assert inspect(client, ("x.png", good), inspector="second").status_code == 200
    assert_problem(client.post("/v1/inspectors/second/activate", json={"version": 7}), 404)
    assert_problem(client.post("/v1/inspectors/second/roll-back"), 404)
    listed = {one["name"]: one["active"] for one in client.get("/v1/inspectors").json()}
    assert listed == {"second": 1, "washer": 1}


def test_an_inspector_that_reads_features_judges_too(
    served: Any, washers: Path, good: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "direct.blemish"
    build_inspector(open_catalog(washers), out, create_detector("one-class-svm", features="direct"))
    with served(add=False) as server, server.client() as client:
        files = {"artifact": ("direct.blemish", out.read_bytes())}
        assert client.post("/v1/inspectors", files=files, data={"name": "direct"}).status_code == 201
        assert client.post("/v1/inspectors/direct/activate", json={"version": 1}).json()["active"]
        (found,) = inspect(client, ("x.png", good), inspector="direct").json()["inspections"]
    assert found["score"] == pytest.approx(Inspector.load(out).inspect(good).score)


def test_errors_are_problems(client: httpx.Client, good: bytes) -> None:
    assert_problem(client.get("/nothing/here"), 404)
    assert_problem(client.delete("/v1/inspect"), 405)
    assert_problem(client.get("/v1/inspections", params={"limit": "many"}), 422)
    assert_problem(client.get("/v1/inspections", params={"cursor": "forged"}), 422)
    assert_problem(client.get("/v1/inspections/999999999"), 404)
    assert_problem(
        client.post("/v1/inspect", content=b"{}", headers={"content-type": "application/json"}), 415
    )
    assert_problem(client.post("/v1/inspect", files={"images": ("x.png", good)}), 422)
    assert_problem(client.post("/v1/inspect", data={"inspector": "washer"}, files={"other": b""}), 422)
    assert_problem(inspect(client, ("x.png", good), inspector="unknown"), 404)


def test_health_readiness_and_metrics(client: httpx.Client, good: bytes) -> None:
    inspect(client, ("x.png", good))
    assert client.get("/healthz").json()["status"] == "ok"
    assert "washer" in client.get("/readyz").json()["inspectors"]
    text = client.get("/metrics").text
    for name in (
        'blemish_requests_total{method="POST",route="/v1/inspect",status="200"}',
        'blemish_inspection_seconds_bucket{inspector="washer"', 'blemish_verdicts_total{inspector="washer"',
        "blemish_queue_photographs 0.0", 'blemish_drift_evidence{inspector="washer",statistic="brightness"}',
    ):  # fmt: skip
        assert name in text


def test_the_page_of_the_api_needs_no_internet(client: httpx.Client) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    assert "<script" not in page and "https://" not in page
    for path in document["paths"]:
        assert path in page


def test_a_full_queue_answers_503_and_what_is_answered_is_in_the_log(served: Any, good: bytes) -> None:
    with served(queue_size=2, workers=1) as server:
        answers: list[httpx.Response] = []

        def send(number: int) -> None:
            with server.client() as client:
                answers.append(inspect(client, (f"{number}.png", good)))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert accepted and refused and len(accepted) + len(refused) == 24
        for answer in refused:
            assert_problem(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
        with server.client() as client:
            logged = {one["id"] for one in client.get("/v1/inspections").json()["inspections"]}
        assert {answer.json()["inspections"][0]["id"] for answer in accepted} == logged


def test_more_photographs_than_the_queue_takes_are_refused_as_one(served: Any, good: bytes) -> None:
    with served(queue_size=2, workers=1) as server, server.client() as client:
        assert_problem(inspect(client, *[(f"{n}.png", good) for n in range(3)]), 503)
        assert client.get("/v1/inspections").json()["inspections"] == []
