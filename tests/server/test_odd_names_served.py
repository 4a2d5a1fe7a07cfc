"""Names of photographs as clients send them: any bytes, any length, control characters; in history and CSV too."""

from __future__ import annotations

import csv
import io

import httpx
import pytest


@pytest.mark.parametrize(
    "name",
    [
        b"Pr\xfcfling.png",
        b"\xff\xfe\xfd",
        b"\xed\xb3\xbc.png",
        b"x" * 255 + b".png",
        "ü".encode() * 130 + b".png",
        b"line\tend\x1b[31m.png",
        b'quo\\"te.png',
        "‮gnp.exe".encode(),
        b"=cmd()|'x'!A1.png",
        b"no suffix",
    ],
    ids=[
        "latin-1",
        "no-text",
        "surrogate",
        "long",
        "long-utf-8",
        "control",
        "quote",
        "turned",
        "formula",
        "bare",
    ],
)
def test_a_name_of_any_bytes_is_judged_kept_and_exported(
    client: httpx.Client, good: bytes, name: bytes
) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="inspector"\r\n\r\nwasher\r\n'
        b'--b\r\nContent-Disposition: form-data; name="images"; filename="' + name + b'"\r\n\r\n'
        + good + b"\r\n--b--\r\n"
    )  # fmt: skip
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/inspect", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    (record,) = answer.json()["inspections"]
    given = record["file_name"]
    given.encode("utf-8")
    assert given and len(given) <= 255 and given.isprintable(), ascii(given)
    assert client.get(f"/v1/inspections/{record['id']}").json()["file_name"] == given
    assert given in [one["file_name"] for one in client.get("/v1/inspections").json()["inspections"]]
    exported = client.get("/v1/inspections.csv")
    assert exported.status_code == 200
    names = [row["file_name"] for row in csv.DictReader(io.StringIO(exported.text))]
    assert any(one.lstrip("'") == given for one in names)
