"""What strangers send: all refused with a 4xx, nothing written outside the home, and the server goes on."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from broken_files import encode, photograph, png_with_header, text_bomb
from server_clients import assert_problem, inspect

from blemish.line.artifact import read_artifact

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (png_with_header(60000, 60000), 413),
        (text_bomb(), 413),
        (bytes(1_000_000), 415),
        (SVG, 415),
        (b"", 422),
        (b"GIF89a" + bytes(100), 415),
        (b"%PDF-1.7" + encode(photograph(), "PNG"), 415),
        (b"PK\x03\x04" + encode(photograph(), "PNG"), 415),
        (encode(photograph(), "PNG")[:300], 422),
    ],
    ids=["bomb", "text-bomb", "zeros", "svg", "empty", "gif", "pdf-polyglot", "zip-polyglot", "cut"],
)
def test_hostile_photographs_are_refused(client: httpx.Client, content: bytes, status: int) -> None:
    assert_problem(inspect(client, ("x.png", content)), status)


def test_a_hundred_megabytes_of_zeros_are_refused_while_they_arrive(client: httpx.Client) -> None:
    assert_problem(inspect(client, ("x.png", bytes(100 * 2**20))), 413)
    assert_problem(client.post("/v1/inspections/1/feedback", content=bytes(5 * 2**20)), 413)


def test_a_body_without_a_length_is_counted_too(client: httpx.Client) -> None:
    def stream() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="images"; filename="x.png"\r\n\r\n'
        for _ in range(200):
            yield bytes(2**20)

    answer = client.post(
        "/v1/inspect", content=stream(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert_problem(answer, 413)


def test_too_many_photographs_are_refused(client: httpx.Client, good: bytes) -> None:
    assert_problem(inspect(client, *[(f"{n}.png", good) for n in range(17)]), 413)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd.png", "/etc/cron.d/x.png", "..\\..\\x.png", "a\0b.png", "x" * 5000]
)
def test_a_path_in_a_name_leads_nowhere(server: Any, client: httpx.Client, good: bytes, name: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="inspector"\r\n\r\nwasher\r\n'
        b'--b\r\nContent-Disposition: form-data; name="images"; filename="' + name.encode() + b'"\r\n\r\n'
        + good + b"\r\n--b--\r\n"
    )  # fmt: skip
    answer = client.post(
        "/v1/inspect", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        given = answer.json()["inspections"][0]["file_name"]
        assert "/" not in given and "\\" not in given and "\0" not in given and len(given) <= 255
    home = server.service.home.path
    assert not list(home.parent.glob("*.png"))


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b\r\n\r\n", b"--b--", b"garbage" * 100, b"--b\r\nContent-Disposition: " + b"x" * 20000],
)
def test_damaged_forms_are_refused(client: httpx.Client, body: bytes) -> None:
    for path in ("/v1/inspect", "/v1/inspectors"):
        answer = client.post(path, content=body, headers={"content-type": "multipart/form-data; boundary=b"})
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def _repacked(artifact: Path, change: Any) -> bytes:
    """The artifact with its members changed, and everything else left as it was."""
    with zipfile.ZipFile(artifact) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
        comment = packed.comment
    change(members)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
        packed.comment = comment
    return stream.getvalue()


class _Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (Path.touch, (Path("/tmp/blemish-pickle-was-run"),))  # type: ignore[return-value]


def test_hostile_artifacts_are_refused_and_leave_nothing(
    server: Any, client: httpx.Client, fitted: Path
) -> None:
    read_artifact(fitted)

    def swap(members: dict[str, bytes]) -> None:
        members["normal_scores.npy"], members["model.onnx"] = (
            members["model.onnx"],
            members["normal_scores.npy"],
        )

    def add_pickle(members: dict[str, bytes]) -> None:
        members["state.pkl"] = pickle.dumps(_Bomb())

    def pickle_inside(members: dict[str, bytes]) -> None:
        members["normal_scores.npy"] = pickle.dumps(_Bomb())

    def slip(members: dict[str, bytes]) -> None:
        members["../../escaped.txt"] = b"x"

    def forge(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["calibration"]["threshold"] = 1e9
        members["manifest.json"] = json.dumps(manifest).encode()

    inspectors = server.service.home.inspectors
    before = sorted(inspectors.rglob("*"))
    hostile = [_repacked(fitted, change) for change in (swap, add_pickle, pickle_inside, slip, forge)]
    hostile += [fitted.read_bytes()[:-100], b"PK\x03\x04" + bytes(1000), pickle.dumps(_Bomb()), b"x"]
    for content in hostile:
        assert_problem(client.post("/v1/inspectors", files={"artifact": ("../../x.blemish", content)}), 422)
    for name in ("../escape", "a/b", "x" * 200, "\0"):
        files = {"artifact": ("x.blemish", fitted.read_bytes())}
        assert_problem(client.post("/v1/inspectors", files=files, data={"name": name}), 422)
    assert sorted(inspectors.rglob("*")) == before
    assert not Path("/tmp/blemish-pickle-was-run").exists()
