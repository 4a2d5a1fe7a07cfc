"""Odd names of photographs go through form, history and CSV without a crash, and nothing is lost."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

NAMES = {
    b"caf\xe9.png": "caf\ufffd.png",
    "ü".encode() * 150 + b".png": "ü" * 150 + ".png",
    b"a\x00\x07\x1b[31mb.png": "a[31mb.png",
    b"../../../etc/x.png": "x.png",
    b"..": "..",
    b"=1+1.png": "=1+1.png",
    "\u202egnp.exe".encode(): "gnp.exe",
    b"a,b;c'd.png": "a,b;c'd.png",
    "日本 😀.png".encode(): "日本 😀.png",
}


@pytest.mark.parametrize(("sent", "kept"), NAMES.items(), ids=ascii)
def test_an_odd_name_is_kept(client: httpx.Client, good: bytes, sent: bytes, kept: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="inspector"\r\n\r\nwasher\r\n'
        b'--b\r\nContent-Disposition: form-data; name="images"; filename="' + sent + b'"\r\n\r\n'
        + good + b"\r\n--b--\r\n"
    )  # fmt: skip
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/inspect", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["inspections"]
    assert found["file_name"] == kept
    assert client.get(f"/v1/inspections/{found['id']}").json()["file_name"] == kept
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text))}
    assert rows[str(found["id"])]["file_name"].lstrip("'") == kept
