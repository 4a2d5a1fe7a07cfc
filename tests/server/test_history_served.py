"""The history through the API: search, scope and filter, void, repeats, held passes, thumbnails, what waits."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from blemish.station.keys import Role


@pytest.fixture(scope="module")
def station(served: Callable[..., Any]) -> Iterator[Any]:
    """A server that keeps what it keeps by default."""
    with served() as server:
        yield server


@pytest.fixture(scope="module")
def client(station: Any) -> Iterator[httpx.Client]:
    with station.client() as session:
        yield session


def inspect(client: httpx.Client, content: bytes, name: str, **form: str) -> dict[str, Any]:
    sent = client.post(
        "/v1/inspect", data={"inspector": "washer", **form}, files={"images": (name, content, "image/png")}
    )
    assert sent.status_code == 200, sent.text
    document: dict[str, Any] = sent.json()["inspections"][0]
    return document


def another(content: bytes, number: int) -> bytes:
    """The same photograph with other bytes."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    pixels[0, 0] = number % 256, number // 256, 7
    return bytes(cv2.imencode(".png", pixels)[1])


@pytest.fixture(scope="module")
def passed(client: httpx.Client, good: bytes) -> dict[str, Any]:
    found = inspect(client, another(good, 1), "ring-left.png", serial_number="SN-0042")
    assert found["verdict"] == "pass"
    return found


@pytest.fixture(scope="module")
def reject(client: httpx.Client, defective: list[bytes]) -> dict[str, Any]:
    return next(
        found
        for number, content in enumerate(defective)
        if (found := inspect(client, content, f"bad-{number}.png"))["verdict"] == "reject"
    )


def test_filters_do_not_falsify_the_statistics(
    client: httpx.Client, passed: dict[str, Any], reject: dict[str, Any]
) -> None:
    whole = client.get("/v1/stats", params={"inspector": "washer"}).json()
    only = {"inspector": "washer", "verdict": "reject", "search": "bad-", "reviewed": "false"}
    filtered = client.get("/v1/stats", params=only).json()
    for name in ("scope", "summary", "first_pass", "reject_rates", "score_trend", "pareto"):
        assert filtered[name] == whole[name], name
    assert whole["summary"]["reject_rate"] < 1
    listed = client.get("/v1/inspections", params={**only, "limit": 200}).json()["inspections"]
    assert filtered["matching"] == len(listed) < whole["matching"]
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv", params=only).text)))
    assert [int(row["id"]) for row in rows] == [one["id"] for one in listed][::-1]
    assert list(rows[0])[:3] == ["id", "time", "inspector"]
    assert {"serial_number", "repeat_of", "voided", "void_reason"} <= set(rows[0])


def test_a_search_finds_serial_numbers_and_numbers(client: httpx.Client, passed: dict[str, Any]) -> None:
    assert passed["serial_number"] == "SN-0042"
    for text in ("sn-0042", "RING-left", f"#{passed['id']}"):
        found = client.get("/v1/inspections", params={"search": text}).json()["inspections"]
        assert passed["id"] in [one["id"] for one in found]
    assert client.get("/v1/inspections", params={"search": ""}).status_code == 422
    assert client.get("/v1/inspections", params={"void": "perhaps"}).status_code == 422


def test_parts_are_found_and_counted_by_batch_shift_and_camera(
    served: Callable[..., Any], good: bytes, defective: list[bytes]
) -> None:
    with served() as server, server.client() as client:
        for number in range(6):
            inspect(
                client, (good, defective[0])[number % 2], f"{number}.png", serial_number=f"S{number}",
                batch=f"L{number // 3}", shift="early" if number < 4 else "late", camera="top",
            )  # fmt: skip
        for asked, n in (
            ({"batch": "L1"}, 3),
            ({"shift": "early", "camera": "top"}, 4),
            ({"serial_number": "S5"}, 1),
        ):
            page = client.get("/v1/inspections", params=asked).json()["inspections"]
            assert len(page) == n
            assert all(one[name] == value for one in page for name, value in asked.items())
            stats = client.get("/v1/stats", params=asked | {"verdict": "pass"}).json()
            assert stats["summary"]["n"] == n >= stats["matching"]
            assert {name: stats["scope"][name] for name in asked} == asked
            rows = client.get("/v1/inspections.csv", params=asked).text.splitlines()
            assert len(rows) == n + 1
        assert client.get("/v1/inspections", params={"batch": "a" * 81}).status_code == 422


def test_a_serial_number_is_one_short_line(client: httpx.Client, good: bytes) -> None:
    for number in ("x" * 81, "two\nlines", "   "):
        sent = client.post(
            "/v1/inspect",
            data={"inspector": "washer", "serial_number": number},
            files={"images": ("a.png", good)},
        )
        assert sent.status_code == 422 and "serial number" in sent.json()["detail"]


def test_void_and_back(client: httpx.Client, station: Any, reject: dict[str, Any]) -> None:
    address = f"/v1/inspections/{reject['id']}"
    before = client.get("/v1/stats").json()["summary"]
    assert client.post(f"{address}/void", json={"reason": ""}).status_code == 422
    assert client.post(f"{address}/void/undo").status_code == 409
    said = client.post(f"{address}/void", json={"reason": "a hand in the picture"})
    assert said.status_code == 200 and said.json()["void_reason"] == "a hand in the picture"
    assert client.post(f"{address}/void", json={"reason": "again"}).status_code == 409
    after = client.get("/v1/stats").json()["summary"]
    assert (after["n"], after["rejected"]) == (before["n"] - 1, before["rejected"] - 1)
    queue = client.get("/v1/review-queue", params={"inspector": "washer"}).json()
    assert reject["id"] not in [one["inspection"]["id"] for one in queue["waiting"]]
    only = client.get("/v1/inspections", params={"void": "only"}).json()["inspections"]
    assert [one["id"] for one in only] == [reject["id"]]
    entry = client.get("/v1/audit").json()["entries"][0]
    assert (entry["action"], entry["detail"]["inspection"]) == ("void", reject["id"])
    assert client.post(f"{address}/void/undo").json()["voided"] is None
    assert client.get("/v1/stats").json()["summary"] == before
    assert client.post("/v1/inspections/999999/void", json={"reason": "x"}).status_code == 404


def test_a_void_inspection_leaves_the_gallery_and_comes_back(
    station: Any, client: httpx.Client, reject: dict[str, Any]
) -> None:
    defects = station.service.past_defects
    record = station.service.log.get(reject["id"])
    defects.follow(record, may_judge=True)
    assert defects.gallery.holds("washer", record.image_digest)
    client.post(f"/v1/inspections/{record.id}/void", json={"reason": "trial"})
    defects.follow(station.service.log.get(record.id), may_judge=True)
    assert not defects.gallery.holds("washer", record.image_digest)
    client.post(f"/v1/inspections/{record.id}/void/undo")
    defects.follow(station.service.log.get(record.id), may_judge=True)
    assert defects.gallery.holds("washer", record.image_digest)


def test_repeats_are_told_at_once(client: httpx.Client, good: bytes) -> None:
    content = another(good, 2)
    first = inspect(client, content, "first.png")
    assert first["repeat_of"] is None
    assert inspect(client, content, "second.png")["repeat_of"] == first["id"]
    whole = client.get("/v1/stats").json()
    without = client.get("/v1/stats", params={"repeats": "leave-out"}).json()
    assert without["summary"]["n"] == whole["summary"]["n"] - 1
    assert (whole["scope"]["repeats"], without["scope"]["repeats"]) == (True, False)


def test_a_missed_defect_is_kept(client: httpx.Client, station: Any, good: bytes) -> None:
    content = another(good, 3)
    found = inspect(client, content, "missed.png")
    assert (found["verdict"], found["photograph"]) == ("pass", "buffered")
    assert client.get(found["image"]).content == content
    assert client.get(found["heatmap"]).headers["content-type"] == "image/png"
    said = client.post(
        f"/v1/inspections/{found['id']}/feedback", json={"truth": "bad", "defect_type": "dent"}
    )
    assert said.status_code == 201
    now = client.get(f"/v1/inspections/{found['id']}").json()
    assert now["photograph"] == "kept" and client.get(now["image"]).content == content
    assert station.service.images.bytes_used >= len(content)


def test_held_passes_outlive_a_restart(served: Callable[..., Any], good: bytes, tmp_path: Path) -> None:
    with served(home=tmp_path) as server, server.client() as client:
        found = inspect(client, another(good, 4), "held.png")
    with served(home=tmp_path, add=False) as server, server.client() as client:
        assert client.get(f"/v1/inspections/{found['id']}").json()["photograph"] == "buffered"
        client.post(f"/v1/inspections/{found['id']}/feedback", json={"truth": "bad"})
        assert client.get(f"/v1/inspections/{found['id']}").json()["photograph"] == "kept"


def test_none_means_none(served: Callable[..., Any], good: bytes, tmp_path: Path) -> None:
    with served(home=tmp_path, keep="none") as server, server.client() as client:
        found = inspect(client, good, "gone.png")
        assert (found["photograph"], found["image"], found["thumbnail"]) == (None, None, None)
        assert client.get(f"/v1/inspections/{found['id']}/thumbnail").status_code == 404
        assert not (tmp_path / "buffer").exists()


def test_thumbnails_are_small_and_made_once(
    client: httpx.Client, station: Any, passed: dict[str, Any]
) -> None:
    answers = [client.get(passed["thumbnail"]) for _ in range(2)]
    assert answers[0].content == answers[1].content and answers[0].headers["content-type"] == "image/jpeg"
    pixels = cv2.imdecode(np.frombuffer(answers[0].content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None and max(pixels.shape) <= 160
    record = station.service.log.get(passed["id"])
    file = station.service.home.thumbnails / record.image_digest[:2] / f"{record.image_digest}.jpg"
    assert file.read_bytes() == answers[0].content


def test_what_waits_is_gone_once_somebody_has_judged(client: httpx.Client, reject: dict[str, Any]) -> None:
    queue = client.get("/v1/review-queue", params={"inspector": "washer"}).json()
    waiting = {one["inspection"]["id"]: one for one in queue["waiting"]}
    assert waiting[reject["id"]]["kind"] == "reject" and "nobody has said" in waiting[reject["id"]]["reason"]
    client.post(f"/v1/inspections/{reject['id']}/feedback", json={"truth": "bad"})
    after = client.get("/v1/review-queue", params={"inspector": "washer"}).json()
    assert reject["id"] not in [one["inspection"]["id"] for one in after["waiting"]]
    assert after["counts"]["reject"] == queue["counts"]["reject"] - 1
    assert client.get("/v1/review-queue", params={"inspector": "nobody"}).status_code == 404


def test_viewers_look_and_change_nothing(served: Callable[..., Any], good: bytes) -> None:
    with served(require_keys=True, keys=("made below",)) as server:
        key = server.service.keys.create("eve", Role.VIEWER)
        operator = server.service.keys.create("olga", Role.OPERATOR)
        with server.client(operator) as olga, server.client(key) as eve:
            number = inspect(olga, good, "a.png")["id"]
            assert eve.post(f"/v1/inspections/{number}/void", json={"reason": "x"}).status_code == 403
            assert (
                olga.post(f"/v1/inspections/{number}/void", json={"reason": "x"}).json()["void_by"] == "olga"
            )
            assert eve.post(f"/v1/inspections/{number}/void/undo").status_code == 403
            assert eve.get("/v1/review-queue", params={"inspector": "washer"}).status_code == 200
