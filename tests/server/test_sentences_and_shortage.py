"""What is wrong with a request is said with the way out, and a full disk or short memory is no unexpected error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect

from blemish.core.errors import BlemishError
from blemish.line import runtime
from blemish.server.errors import shortage


def test_a_wrong_field_says_the_right_one(client: httpx.Client, good: bytes) -> None:
    def said(path: str, status: int = 422, **options: Any) -> str:
        return str(assert_problem(client.post(path, **options), status)["detail"])

    photograph = ("a.png", good)
    assert "go into images" in said("/v1/inspect", data={"inspector": "washer"}, files={"file": photograph})
    assert "inspecto" in said("/v1/inspect", data={"inspecto": "washer"}, files={"images": photograph})
    assert "go into artifact" in said("/v1/inspectors", files={"file": photograph})
    assert "go into photographs" in said("/v1/jobs/train", data={"name": "a"}, files={"zip": photograph})
    wrong = {"data": {"name": "a", "detectors": "x"}, "files": {"photographs": photograph}}
    assert "is detector meant" in said("/v1/jobs/train", **wrong)
    headers = {"content-type": "image/png"}
    assert "curl -F images=@" in said("/v1/inspect", 415, content=good, headers=headers)
    job = {"kind": "train", "folder": "/x", "name": "a", "detectr": "padim"}
    assert "detectr cannot be used: it is not known here, is detector meant" in said("/v1/jobs", json=job)
    assert "application/json" in said("/v1/inspections/1/feedback", data={"truth": "bad"})
    assert "use POST" in assert_problem(client.get("/v1/inspect"), 405)["detail"]


def test_a_limit_names_the_option_that_raises_it(served: Callable[..., Any], good: bytes) -> None:
    with (
        served(max_images=1, max_bytes=len(good), max_request_bytes=50 * len(good)) as server,
        server.client() as client,
    ):
        for files, option in (
            ([good, good], "--max-images"),
            ([good + b"x"], "--max-bytes"),
            ([bytes(60 * len(good))], "--max-request-bytes"),
        ):
            answer = inspect(client, *[("a.png", content) for content in files])
            assert option in assert_problem(answer, 413)["detail"]
    with served(max_pixels=10) as server, server.client() as client:
        detail = assert_problem(inspect(client, ("a.png", good)), 413)["detail"]
        assert "--max-pixels" in detail and "raise the limit" not in detail


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_a_507_and_nothing_is_left(
    served: Callable[..., Any], small_disk: Path, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(small_disk / "temporary"))
    with (
        served(home=small_disk / "home", page=True, laboratory=True, keep="all") as server,
        server.client() as client,
    ):
        filling = small_disk / "filling"
        with filling.open("wb", buffering=0) as stream:
            while shutil.disk_usage(small_disk).free > 3_000_000:
                stream.write(bytes(100_000))
        before = {path for path in small_disk.rglob("*") if path.is_file() and "blemish.db" not in path.name}
        content = bytes(6_000_000)
        refused = [
            client.post("/v1/inspectors", files={"artifact": ("x.blemish", content)}),
            client.post("/v1/jobs/train", data={"name": "a"}, files={"photographs": ("x.zip", content)}),
            client.post("/laboratory/gradio_api/upload", files={"files": ("x.png", content)}),
        ]
        for answer in refused:
            assert "disk" in assert_problem(answer, 507)["detail"]
        found = {path for path in small_disk.rglob("*") if path.is_file() and "blemish.db" not in path.name}
        assert found == before
        with pytest.raises(OSError, match="No space"), filling.open("ab", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        statuses = {inspect(client, ("a.png", good)).status_code for _ in range(40)}
        assert 507 in statuses and statuses <= {200, 507}
        filling.unlink()
        assert inspect(client, ("a.png", good)).status_code == 200


def test_short_memory_is_said(client: httpx.Client, good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(runtime, "photograph_for", fails)
    answer = inspect(client, ("a.png", good))
    assert "too little memory" in assert_problem(answer, 503)["detail"] and answer.headers["retry-after"]


def test_what_is_no_shortage_is_none() -> None:
    assert shortage(ValueError("x")) is None and shortage(BlemishError("x.")) is None
    assert shortage(OSError(13, "denied")) is None
