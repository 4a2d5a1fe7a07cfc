"""Jobs over HTTP: a training from a zip, and a zip that is refused."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / "blemish"


@pytest.fixture(scope="module")
def client(served: Callable[..., Any], home: Path) -> Iterator[httpx.Client]:
    with served(home=home) as server, server.client() as client:
        yield client


def test_a_training_over_http_ends_in_an_active_inspector_and_a_report(
    client: httpx.Client, washers: Path
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for path in sorted(washers.rglob("*.png")):
            packed.write(path, path.relative_to(washers).as_posix())
    form = {"name": "round", "quick": "true"}
    begun = client.post("/v1/jobs/train", data=form, files={"photographs": ("a.zip", content.getvalue())})
    assert begun.status_code == 202, begun.text
    identity = begun.json()["id"]
    deadline = time.monotonic() + 90
    while (job := client.get(f"/v1/jobs/{identity}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert job["state"] == "done", job
    report = client.get(f"/v1/jobs/{identity}/report")
    assert (
        report.headers["content-type"].startswith("text/html")
        and "sandbox" in report.headers["content-security-policy"]
    )
    assert client.post(f"/v1/jobs/{identity}/activate").json()["name"] == "round"
    assert "round" in [one["name"] for one in client.get("/v1/inspectors").json()]
    assert client.get("/v1/jobs").json()[0]["id"] == identity
    assert client.delete(f"/v1/jobs/{identity}").status_code == 200
    assert client.get(f"/v1/jobs/{identity}").status_code == 404


def test_a_hostile_zip_over_http_is_refused_and_leaves_nothing(client: httpx.Client, home: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("../../evil.png", PNG)
    before = {path for path in home.parent.rglob("*") if "jobs" in path.parts}
    for body, status in ((content.getvalue(), 422), (PNG, 415), (b"", 415)):
        answer = client.post(
            "/v1/jobs/train", data={"name": "x"}, files={"photographs": ("../../x.zip", body)}
        )
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    answer = client.post(
        "/v1/jobs/train", data={"name": "../x"}, files={"photographs": ("x.zip", content.getvalue())}
    )
    assert answer.status_code == 422
    assert {path for path in home.parent.rglob("*") if "jobs" in path.parts} == before
    assert not list(home.parent.rglob("evil.png"))
    for document in (
        {"kind": "explore", "folder": "/no/such"},
        {"kind": "shell"},
        {"kind": "evaluate", "folder": "/tmp"},
    ):
        assert client.post("/v1/jobs", json=document).status_code == 422
