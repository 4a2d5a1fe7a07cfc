"""Photographs sent file by file: kept whole, told by their names where they are not used, and none lost."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from broken_files import make_broken_files
from server_clients import assert_problem

from blemish.core.images import DecodeLimits
from blemish.server.uploaded_sets import KEPT_SECONDS, UploadedSets
from blemish.server.uploads import UploadError, UploadLimits


def png(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "plant" / "home"


@pytest.fixture
def client(served: Callable[..., Any], home: Path) -> Iterator[httpx.Client]:
    home.parent.mkdir()
    with served(home=home, add=False) as server, server.client() as session:
        yield session


def begun(client: httpx.Client) -> str:
    answer = client.post("/v1/uploads")
    assert answer.status_code == 201
    return str(answer.json()["id"])


def sent(client: httpx.Client, upload: str, name: str, content: bytes) -> dict[str, Any]:
    answer = client.put(f"/v1/uploads/{upload}/files/{name}", content=content)
    assert answer.status_code == 200, answer.text
    received: dict[str, Any] = answer.json()
    return received


def test_hundreds_of_files_at_once_and_none_is_lost(client: httpx.Client, home: Path) -> None:
    upload = begun(client)
    names = [f"good/camera {number % 3}/{number}.png" for number in range(300)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: sent(client, upload, one[1], png(one[0])), enumerate(names)))
    found = client.get(f"/v1/uploads/{upload}").json()
    assert (found["photographs"], found["folders"], found["left_out"]) == (300, {"good": 300}, [])
    kept = {path.read_bytes() for path in (home / "uploads").rglob("*.png")}
    assert kept == {png(number) for number in range(300)}
    assert client.delete(f"/v1/uploads/{upload}").status_code == 204
    assert_problem(client.get(f"/v1/uploads/{upload}"), 404)
    assert list((home / "uploads").iterdir()) == []


def test_each_broken_file_is_told_by_its_name_and_the_others_are_used(
    client: httpx.Client, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    expected = make_broken_files(folder)
    upload = begun(client)
    for name, file in expected.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size > 2**26:
            continue  # a program cannot send these
        received = sent(client, upload, name, path.read_bytes())
        assert bool(received["left_out"]) == file.refused, (name, received)
        for one in received["left_out"]:
            assert one["name"] == name and one["reason"].endswith("."), one
            assert str(home) not in one["reason"] and "Traceback" not in one["reason"]
            assert str(folder) not in one["reason"] and "incoming" not in one["reason"], one
    found = client.get(f"/v1/uploads/{upload}").json()
    assert found["left_out_count"] > 10 and found["photographs"] > 5


def test_a_name_that_is_taken_gets_a_number_and_the_same_file_again_changes_nothing(
    client: httpx.Client,
) -> None:
    upload = begun(client)
    assert [sent(client, upload, "a.png", png(seed))["name"] for seed in (1, 2, 1, 3)] == [
        "a.png",
        "a (2).png",
        "a.png",
        "a (3).png",
    ]
    long = "good/" + "x" * 300
    names = {sent(client, upload, f"{long}{seed}.png", png(10 + seed))["name"] for seed in range(2)}
    assert len(names) == 2 and all(name.endswith(".png") and len(name) < 255 for name in names), names
    assert sent(client, upload, "A.PNG", png(4))["name"] == "A (4).PNG", "one file where disks ignore case"
    assert client.get(f"/v1/uploads/{upload}").json()["photographs"] == 6


def test_a_zip_in_an_upload_is_unpacked_file_by_file(client: httpx.Client) -> None:
    upload, content = begun(client), io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("monday/1.png", png(1))
        packed.writestr("monday/2.png", png(2)[:60])
        packed.writestr("monday/notes.txt", "none")
    received = sent(client, upload, "good/all.zip", content.getvalue())
    assert received["photographs"] == 1
    assert {one["name"] for one in received["left_out"]} == {"good/monday/2.png", "good/monday/notes.txt"}
    damaged = sent(client, upload, "good/more.zip", png())
    assert damaged["photographs"] == 0 and "not a zip" in damaged["left_out"][0]["reason"]
    found = client.get(f"/v1/uploads/{upload}").json()
    assert found["folders"] == {"good": 1} and found["left_out_count"] == 3


@pytest.mark.parametrize(
    "name", ["%2e%2e/x.png", "a/%2e%2e/%2e%2e/x.png", "C:x.png", "..%5Cx.png", "a%00b.png"]
)
def test_a_name_that_leads_elsewhere_is_refused(client: httpx.Client, home: Path, name: str) -> None:
    upload = begun(client)
    answer = client.put(f"/v1/uploads/{upload}/files/{name}", content=png())
    assert answer.status_code in (404, 422), answer.text
    assert str(home) not in answer.text
    assert not list(home.parent.parent.rglob("*.png"))


def test_a_file_that_is_too_large_is_refused_while_it_arrives(served: Callable[..., Any]) -> None:
    with served(add=False, max_bytes=1000, max_pixels=100) as server, server.client() as client:
        upload = begun(client)
        answer = client.put(f"/v1/uploads/{upload}/files/a.png", content=bytes(2000))
        assert "--max-bytes" in assert_problem(answer, 413)["detail"]
        (refused,) = sent(client, upload, "b.png", png())["left_out"]
        assert "16 x 16" in refused["reason"], "its pixels are counted before they are decoded"
        assert not list((server.service.home.uploads / upload).rglob("*.png"))


def test_uploads_leave_room_on_the_disk(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begun(client)
    monkeypatch.setattr("blemish.server.uploaded_sets.RESERVED_BYTES", 2**60)
    problem = assert_problem(client.put(f"/v1/uploads/{upload}/files/a.png", content=png()), 507)
    assert "disk is full" in problem["detail"]
    assert client.get(f"/v1/uploads/{upload}").json()["photographs"] == 0


def test_limits_hold_and_left_overs_are_removed(tmp_path: Path) -> None:
    sets = UploadedSets(tmp_path / "sets", DecodeLimits(), UploadLimits(entries=2))
    first, second = sets.create("anna"), sets.create()

    def add(identity: str, name: str, seed: int) -> None:
        with sets.incoming(identity) as file:
            file.write(png(seed))
            file.close()
            sets.add(identity, name, Path(file.name))

    add(first.id, "a.png", 1)
    add(first.id, "b.png", 2)
    with pytest.raises(UploadError) as refused:
        add(first.id, "c.png", 3)
    assert refused.value.status == 413
    add(second.id, "a.txt.png", 1)
    again = UploadedSets(tmp_path / "sets", DecodeLimits())
    assert (again.get(first.id).photographs, again.get(first.id).by) == (2, "anna"), "it outlives a restart"
    old = time.time() - KEPT_SECONDS - 60
    os.utime(tmp_path / "sets" / first.id, (old, old))
    again.prune()
    assert [path.name for path in (tmp_path / "sets").iterdir()] == [second.id]


def test_jobs_are_started_with_an_upload_and_say_no_path_of_the_server(
    client: httpx.Client, home: Path, washers: Path
) -> None:
    upload = begun(client)
    for path in sorted((washers / "train" / "good").glob("*.png"))[:4]:
        sent(client, upload, f"ok/{path.name}", path.read_bytes())
    sent(client, upload, "ok/notes.txt", b"none")
    asked = {"kind": "explore", "upload": upload, "good": ["ok"], "backbone": "none"}
    job = client.post("/v1/jobs", json=asked).json()
    assert (job["photographs"], job["left_out_count"]) == (4, 1) and "ok/notes.txt" in job["left_out"][0]
    assert client.get(f"/v1/uploads/{upload}").status_code == 200, "it serves several jobs"
    deadline = time.monotonic() + 90
    while (job := client.get(f"/v1/jobs/{job['id']}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert job["state"] == "done", job
    log = client.get(f"/v1/jobs/{job['id']}/log").text
    report = client.get(f"/v1/jobs/{job['id']}/report").text
    for said in (str(job), log, report):
        assert str(home) not in said
    assert client.post(f"/v1/jobs/{job['id']}/stop").json()["state"] == "done", "stopping removes nothing"


@pytest.mark.parametrize("folder", ["part/test/x", "defective", "Kratzer"])
def test_defective_parts_are_not_learnt_as_good(client: httpx.Client, folder: str) -> None:
    upload = begun(client)
    sent(client, upload, "good/1.png", png(1))
    sent(client, upload, f"good/{folder}/2.png", png(2))
    asked = {"kind": "train", "name": "part", "upload": upload, "good": ["good"]}
    problem = assert_problem(client.post("/v1/jobs", json=asked), 422)
    assert problem["errors"][0]["where"] == "body.good" and "send it apart" in problem["detail"]
    assert client.get("/v1/jobs").json() == []
    assert client.get(f"/v1/uploads/{upload}").json()["photographs"] == 2, "nothing has to be sent again"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"kind": "train", "name": "a/b", "folder": "/"}, "name"),
        ({"kind": "train", "name": "a"}, "folder"),
        ({"kind": "train", "name": "a", "folder": "/", "upload": "20260101-000000-000000000000"}, "folder"),
        ({"kind": "train", "name": "a", "folder": "/no/such"}, "folder"),
        ({"kind": "train", "name": "a", "folder": "/", "detector": "patchcor"}, "detector"),
        ({"kind": "train", "name": "a", "folder": "/", "detector": "patchcore:none"}, "detector"),
        ({"kind": "train", "name": "a", "folder": "/", "smallest_defect": "12"}, "smallest_defect"),
        ({"kind": "train", "name": "a", "folder": "/", "scale": "12"}, "scale"),
        ({"kind": "benchmark", "folder": "/", "detectors": ["x"]}, "detectors"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(client: httpx.Client, document: Any, field: str) -> None:
    problem = assert_problem(client.post("/v1/jobs", json=document), 422)
    assert field in problem["errors"][0]["where"].split("."), problem
    assert "Value error" not in str(problem) and "pattern" not in str(problem)


def test_jobs_read_only_below_the_folders_that_are_allowed(
    served: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path)
    with served(add=False, photographs_below=(tmp_path / "allowed",)) as server, server.client() as client:
        for folder in (tmp_path, tmp_path / "allowed" / "link", tmp_path / "allowed" / ".."):
            asked = {"kind": "explore", "folder": str(folder)}
            problem = assert_problem(client.post("/v1/jobs", json=asked), 422)
            assert str(tmp_path / "allowed") in problem["errors"][0]["reason"]
        asked = {"kind": "explore", "folder": str(tmp_path / "allowed")}
        assert client.post("/v1/jobs", json=asked).status_code == 202


def test_without_the_laboratory_the_api_says_what_is_missing(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.server.training.find_spec", lambda name: None)
    for path, sent_with in (
        ("/v1/jobs", {"json": {"kind": "explore", "folder": "/"}}),
        ("/v1/jobs/train", {"data": {"name": "a"}, "files": {"photographs": ("a.zip", png())}}),
    ):
        problem = assert_problem(client.post(path, **sent_with), 501)
        assert "pip install 'blemish[train]'" in problem["detail"]
