"""Uploaded zips: ordinary ones come out whole, hostile ones are refused and leave nothing behind."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from blemish.server.uploads import UploadError, UploadLimits, unpack_images

PNG = cv2.imencode(".png", np.full((16, 16, 3), 90, np.uint8))[1].tobytes()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def linked() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("good/a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return stream.getvalue()


def encrypted() -> bytes:
    """A zip whose members claim to be encrypted, in both headers."""
    content = bytearray(zipped({"a.png": PNG}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + place
        content[at] |= 1
    return bytes(content)


def lying_about_size() -> bytes:
    """A bomb that claims to be small in its table of contents."""
    content = bytearray(zipped({"a.png": PNG + bytes(2_000_000)}))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<L", 100)
    return bytes(content)


def claiming_many() -> bytes:
    content = bytearray(zipped({"a.png": PNG}))
    at = content.index(b"PK\x05\x06") + 8
    content[at : at + 4] = struct.pack("<HH", 60_000, 60_000)
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "slip": lambda: zipped({"a.png": PNG, "../../evil.png": PNG}),
    "slip with backslashes": lambda: zipped({"..\\..\\evil.png": PNG}),
    "absolute": lambda: zipped({"/tmp/evil.png": PNG}),
    "drive": lambda: zipped({"C:evil.png": PNG}),
    "inner dots": lambda: zipped({"good/../../evil.png": PNG}),
    "zero byte": lambda: zipped({"axb.png": PNG}).replace(b"axb.png", b"a\x00b.png"),
    "line feed": lambda: zipped({"a\nb.png": PNG}),
    "link": linked,
    "encrypted": encrypted,
    "bomb": lambda: zipped({"a.png": PNG + bytes(50_000_000)}),
    "many bombs": lambda: zipped({f"{i}.png": PNG + bytes(1_000_000) for i in range(20)}),
    "lies about its size": lying_about_size,
    "lies about its count": claiming_many,
    "absurd count": lambda: zipped({f"{i}.png": b"" for i in range(20_001)}, zipfile.ZIP_STORED),
    "nested": lambda: zipped({"a.png": PNG, "more.zip": zipped({"b.png": PNG})}),
    "deep": lambda: zipped({"d/" * 40 + "a.png": PNG}),
    "long name": lambda: zipped({"n" * 250 + ".png": PNG}),
    "same name twice": lambda: zipped({"a.png": PNG, "A.PNG": PNG}),
    "unusual compression": lambda: zipped({"a.png": PNG}, zipfile.ZIP_LZMA),
    "no photograph": lambda: zipped({"readme.txt": b"none", "a.png": b"#!/bin/sh"}),
    "empty zip": lambda: zipped({}),
    "cut short": lambda: zipped({"a.png": PNG})[:-30],
    "damaged": lambda: (
        zipped({"a.png": PNG * 20}).replace(PNG[:8], b"\x89PNG\r\n\x1a\n", 1)[:60] + bytes(400)
    ),
    "wrong checksum": lambda: zipped({"a.png": PNG}, zipfile.ZIP_STORED).replace(PNG, PNG[:-1] + b"x"),
    "not a zip": lambda: PNG,
    "zeros": lambda: bytes(10_000_000),
    "nothing": lambda: b"",
    "polyglot": lambda: b"#!/bin/sh\n" + zipped({"a.png": PNG}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_is_refused_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "in" / "upload.zip"
    archive.parent.mkdir()
    archive.write_bytes(HOSTILE[name]())
    inside = tmp_path / "home" / "jobs" / "one"
    inside.mkdir(parents=True)
    with pytest.raises(UploadError) as refused:
        unpack_images(archive, inside / "photographs")
    assert 400 <= refused.value.status < 500
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [archive] and not list(inside.iterdir())


def test_an_ordinary_zip_comes_out_whole(tmp_path: Path) -> None:
    archive = tmp_path / "upload.zip"
    members = {"washer/train/good/a.png": PNG, "washer/train/good/Ä 1.PNG": PNG}
    others = {
        "washer/readme.txt": b"hello",
        "__MACOSX/._a.png": b"x",
        ".DS_Store": b"x",
        "washer/b.png": b"text",
    }
    archive.write_bytes(zipped({**members, **others}))
    unpacked = unpack_images(archive, tmp_path / "out")
    assert unpacked.images == 2 and set(unpacked.left_out) == set(others)
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*.*")
    }
    assert found == members
    assert not any(path.stat().st_mode & 0o111 for path in (tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize(
    "limits",
    [
        UploadLimits(archive_bytes=100),
        UploadLimits(entries=1),
        UploadLimits(file_bytes=50),
        UploadLimits(total_bytes=100),
    ],
)
def test_each_limit_holds(limits: UploadLimits, tmp_path: Path) -> None:
    archive = tmp_path / "upload.zip"
    archive.write_bytes(zipped({"a.png": PNG, "b.png": PNG}, zipfile.ZIP_STORED))
    with pytest.raises(UploadError) as refused:
        unpack_images(archive, tmp_path / "out", limits)
    assert refused.value.status == 413 and not (tmp_path / "out").exists()
