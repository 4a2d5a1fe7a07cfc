"""Zips as programs make them, forms as clients send them: what was right stays right, and the rarer ones are too."""

from __future__ import annotations

import io
import shutil
import socket
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from blemish.server.uploads import UploadError, UploadLimits, unpack_images

IMAGE = np.full((16, 16, 3), 90, np.uint8)
PNG, JPEG, BMP, TIFF, WEBP = (
    cv2.imencode(suffix, IMAGE)[1].tobytes() for suffix in (".png", ".jpg", ".bmp", ".tif", ".webp")
)


class _Pipe(io.RawIOBase):
    """A stream that cannot seek: sizes follow the content, as when a zip is written to a pipe."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self.content += bytes(piece)
        return len(piece)


def zipped(
    *names: str,
    content: bytes = PNG,
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    streamed: bool = False,
    large: bool = False,
    **attributes: Any,
) -> bytes:
    stream: Any = _Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else method
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            with archive.open(info, "w", force_zip64=large) as member:
                member.write(b"" if name.endswith("/") else content)
        archive.comment = comment
    return bytes(stream.content) if streamed else bytes(stream.getvalue())


def renamed(packed: bytes, old: bytes, new: bytes) -> bytes:
    """The zip with another name of the same length, in both places, that does not claim to be UTF-8."""
    assert len(old) == len(new) and packed.count(old) == 2
    return packed.replace(old, new)


def beside(*others: tuple[str, bytes], **options: Any) -> bytes:
    """A zip with a photograph and other files."""
    stream = io.BytesIO(zipped("good/a.png", **options))
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in others:
            archive.writestr(name, content)
    return stream.getvalue()


def large_end(packed: bytes, entries: int) -> bytes:
    """The zip with the end records of the large format, as some writers make them for a small one too."""
    place = packed.rindex(b"PK\x05\x06")
    _, _, _, _, _, size, offset, comment = struct.unpack("<4s4H2LH", packed[place : place + 22])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, comment)
    return packed[:place] + record + locator + end + packed[place + 22 :]


def with_unicode_name(name: str) -> bytes:
    """As Info-ZIP writes it: a name in a code page, and beside it the true one."""
    old = b"good/stra\xe1e.png"
    extra = struct.pack("<HHBL", 0x7075, 5 + len(name.encode()), 1, zlib.crc32(old)) + name.encode()
    return renamed(zipped("good/straxe.png", extra=extra), b"good/straxe.png", old)


RIGHT: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "deflated": (lambda: zipped("good/a.png", "good/b.png"), {"good/a.png", "good/b.png"}),
    "stored": (lambda: zipped("a.png", method=zipfile.ZIP_STORED), {"a.png"}),
    "to a pipe": (lambda: zipped("good/a.png", streamed=True), {"good/a.png"}),
    "comment": (lambda: zipped("a.png", comment=b"x" * 60_000), {"a.png"}),
    "junk at the end": (lambda: zipped("a.png") + b"\r\n" * 40, {"a.png"}),
    "folders of their own": (lambda: zipped("good/", "empty/", "good/a.png"), {"good/a.png"}),
    "oddly sorted": (lambda: zipped("z/a.png", "a.png", "z/", "b/c.png"), {"z/a.png", "a.png", "b/c.png"}),
    "seven folders": (lambda: zipped("a/b/c/d/e/f/g/h.png"), {"a/b/c/d/e/f/g/h.png"}),
    "from Windows": (lambda: zipped("good\\a.png", create_system=0), {"good/a.png"}),
    "UTF-8": (lambda: zipped("gut/Größe 日本.png"), {"gut/Größe 日本.png"}),
    "code page": (lambda: renamed(zipped("xx.png"), b"xx.png", b"\x84\x94.png"), {"äö.png"}),
    "dot": (lambda: zipped("./good/a.png"), {"good/a.png"}),
    "upper case": (lambda: zipped("GOOD/A.PNG"), {"GOOD/A.PNG"}),
    "percent": (lambda: zipped("100% a+b #1.png"), {"100% a+b #1.png"}),
    "JPEG": (lambda: zipped("a.jpeg", content=JPEG), {"a.jpeg"}),
    "BMP": (lambda: zipped("a.bmp", content=BMP), {"a.bmp"}),
    "TIFF": (lambda: zipped("a.tiff", content=TIFF), {"a.tiff"}),
    "WebP": (lambda: zipped("a.webp", content=WEBP), {"a.webp"}),
    "another format than named": (lambda: zipped("a.png", content=JPEG), {"a.png"}),
    "macOS": (lambda: beside(("__MACOSX/good/._a.png", b"x"), ("good/.DS_Store", b"x")), {"good/a.png"}),
    "text beside": (
        lambda: beside(("readme.txt", b"x"), ("b.png", b"no image"), ("c.png", b"")),
        {"good/a.png"},
    ),
    "rights and owners": (lambda: zipped("a.png", external_attr=0o100644 << 16), {"a.png"}),
}
"""What was right before this was tested."""

RARER: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "time": (lambda: zipped("2024-05-01 12:30:01.jpg"), {"2024-05-01 12:30:01.jpg"}),
    "times in folders": (lambda: zipped("12:30/a.png", "12:31/a.png"), {"12:30/a.png", "12:31/a.png"}),
    "large members": (lambda: zipped("a.png", large=True), {"a.png"}),
    "large, to a pipe": (lambda: zipped("a.png", large=True, streamed=True), {"a.png"}),
    "large end": (lambda: large_end(zipped("a.png", "b.png"), 2), {"a.png", "b.png"}),
    "large end and comment": (lambda: large_end(zipped("a.png", comment=b"made by"), 1), {"a.png"}),
    "bzip2": (lambda: zipped("a.png", method=zipfile.ZIP_BZIP2), {"a.png"}),
    "one of several volumes": (lambda: b"PK\x07\x08" + zipped("a.png"), {"a.png"}),
    "UTF-8 without saying so": (lambda: renamed(zipped("Grxx.png"), b"Grxx.png", "Grö.png".encode()), {"Grö.png"}),
    "Shift-JIS": (lambda: renamed(zipped("xxxx.png"), b"xxxx.png", "良品.png".encode("cp932")), {"ù╟òi.png"}),
    "Unicode beside a code page": (lambda: with_unicode_name("good/straße.png"), {"good/straße.png"}),
    "other suffix": (lambda: zipped("a.jfif", "b.jpg.1", content=JPEG), {"a.jfif", "b.jpg.1"}),
    "no suffix": (lambda: zipped("good/IMG_0001", "-"), {"good/IMG_0001", "-"}),
    "litter of network storage": (lambda: beside(("good/@eaDir/a.png", PNG), ("Thumbs.db", PNG)), {"good/a.png"}),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RIGHT, *RARER])
def test_a_zip_comes_out_whole(name: str, tmp_path: Path) -> None:
    made, expected = (RIGHT | RARER)[name]
    (tmp_path / "x.zip").write_bytes(made())
    unpacked = unpack_images(tmp_path / "x.zip", tmp_path / "out")
    files = {
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert files == expected
    assert unpacked.images == len(expected)


@pytest.mark.skipif(shutil.which("zip") is None, reason="there is no zip")
def test_zips_of_info_zip_come_out_whole(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "12:30 ä.png").write_bytes(PNG)
    for number, options in enumerate((["-r"], ["-r", "-Z", "bzip2"], ["-0r"])):
        piped = subprocess.run(["zip", *options, "-", "good"], cwd=tmp_path, capture_output=True, check=True)
        (tmp_path / "x.zip").write_bytes(piped.stdout)
        unpack_images(tmp_path / "x.zip", tmp_path / str(number))
        assert (tmp_path / str(number) / "good" / "12:30 ä.png").read_bytes() == PNG


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (lambda: large_end(zipped("a.png"), 30_000), "lists 30,000 files"),
        (lambda: large_end(zipped("a.png"), 1).replace(b"PK\x06\x06", b"PK\x00\x00"), "large zip is damaged"),
        (lambda: zipped("a.png", method=zipfile.ZIP_LZMA), r"LZMA\): make an ordinary one"),
        (
            lambda: zipped("a.png").replace(b"\x08\x00\x00\x00\x21", b"\x09\x00\x00\x00\x21"),
            "Deflate64, as Windows",
        ),
        (lambda: zipped("A/b.png", "a/B.png"), r"same name \(A/b\.png and a/B\.png\): rename one"),
        (lambda: zipped("D:/a.png"), "outside its folder"),
        (lambda: zipped("notes.txt", content=b"x"), "None of the 1 files"),
    ],
)
def test_what_cannot_be_unpacked_says_why(packed: Callable[[], bytes], said: str, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(packed())
    with pytest.raises(UploadError, match=said):
        unpack_images(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bomb_of_bzip2_is_refused_without_being_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(
        zipped("a.png", content=PNG + bytes(40_000_000), method=zipfile.ZIP_BZIP2)
    )
    with pytest.raises(UploadError, match="times its size"):
        unpack_images(tmp_path / "x.zip", tmp_path / "out")
    unpacked = unpack_images(tmp_path / "x.zip", tmp_path / "out", UploadLimits(ratio=10**6))
    assert unpacked.images == 1 and (tmp_path / "out" / "a.png").stat().st_size == len(PNG) + 40_000_000


def part(disposition: str | bytes, content: bytes, *headers: str) -> bytes:
    """A part of a form; the disposition begins after `form-data`."""
    said = disposition if isinstance(disposition, bytes) else disposition.encode()
    lines = [b"Content-Disposition: form-data" + said, *(one.encode() for one in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


INSPECTOR = part('; name="inspector"', b"washer")


def body(*parts: bytes, boundary: str = "b", before: bytes = b"", after: bytes = b"\r\n") -> bytes:
    line = b"--" + boundary.encode()
    return before + b"".join(line + b"\r\n" + one + b"\r\n" for one in parts) + line + b"--" + after


def alone(said: str | bytes, *headers: str) -> Callable[[bytes], bytes]:
    """A form with the inspector's name and one photograph with this disposition."""
    return lambda photograph: body(INSPECTOR, part(said, photograph, *headers))


Form = tuple[str, Callable[[bytes], bytes], str]
PLAIN = '; name="images"; filename="part.png"'
JAVA = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
GUID = "f8ab3b19-a5c0-4a0b-8f5e-1d2f7c9e7a10"
LONG = "0123456789'()+_,-./:=?" + "x" * 48

FORMS: dict[str, Form] = {
    "plain": ("boundary=b", alone(PLAIN, "Content-Type: image/png"), "part.png"),
    "no content type": ("boundary=b", alone(PLAIN), "part.png"),
    "octets": (
        "boundary=b",
        alone(PLAIN, "Content-Type: application/octet-stream"),
        "part.png",
    ),
    "a browser's": (
        f"boundary={JAVA}",
        lambda p: body(INSPECTOR, part(PLAIN, p, "Content-Type: image/png"), boundary=JAVA),
        "part.png",
    ),
    "quoted boundary": (
        f'boundary="{GUID}"',
        lambda p: body(INSPECTOR, part(PLAIN, p), boundary=GUID),
        "part.png",
    ),
    "long boundary": (
        f'boundary="{LONG}"',
        lambda p: body(INSPECTOR, part(PLAIN, p), boundary=LONG),
        "part.png",
    ),
    "character set first": (
        "charset=utf-8; boundary=b",
        alone(PLAIN),
        "part.png",
    ),
    "file first": ("boundary=b", lambda p: body(part(PLAIN, p), INSPECTOR), "part.png"),
    "text with a type": (
        "boundary=b",
        lambda p: body(
            part('; name="inspector"', b"washer", "Content-Type: text/plain; charset=utf-8"), part(PLAIN, p)
        ),
        "part.png",
    ),
    "Java": (
        "boundary=b",
        lambda p: body(
            part(
                '; name="inspector"', b"washer", "Content-Type: text/plain", "Content-Transfer-Encoding: 8bit"
            ),
            part(PLAIN, p, "Content-Type: image/png", "Content-Transfer-Encoding: binary"),
        ),
        "part.png",
    ),
    ".NET": (
        f'boundary="{GUID}"',
        lambda p: body(
            part("; name=inspector", b"washer", "Content-Type: text/plain; charset=utf-8"),
            part("; name=images; filename=part.png; filename*=utf-8''part.png", p),
            boundary=GUID,
        ),
        "part.png",
    ),
    "aiohttp": (
        "boundary=b",
        lambda p: body(INSPECTOR, part(PLAIN, p, "Content-Type: image/png", f"Content-Length: {len(p)}")),
        "part.png",
    ),
    "another field": (
        "boundary=b",
        lambda p: body(INSPECTOR, part('; name="station"', b"7"), part(PLAIN, p)),
        "part.png",
    ),
    "no spaces": (
        "boundary=b",
        alone(';name="images";filename="part.png"'),
        "part.png",
    ),
    "nothing after the end": ("boundary=b", lambda p: body(INSPECTOR, part(PLAIN, p), after=b""), "part.png"),
    "text after the end": (
        "boundary=b",
        lambda p: body(INSPECTOR, part(PLAIN, p), after=b"\r\nbye\r\n"),
        "part.png",
    ),
    "line before": ("boundary=b", lambda p: body(INSPECTOR, part(PLAIN, p), before=b"\r\n"), "part.png"),
    "file name of Windows": (
        "boundary=b",
        alone('; name="images"; filename="C:\\Fotos\\part.png"'),
        "part.png",
    ),
    "file name in UTF-8": (
        "boundary=b",
        alone('; name="images"; filename="Teil ö 日本.png"'),
        "Teil ö 日本.png",
    ),
    "no file name": ("boundary=b", alone('; name="images"'), "photograph"),
    "empty file name": (
        "boundary=b",
        alone('; name="images"; filename=""'),
        "photograph",
    ),
    "a quotation mark, as browsers do": (
        "boundary=b",
        alone('; name="images"; filename="a%22b.png"'),
        "a%22b.png",
    ),
    "Content-type": (
        "boundary=b",
        lambda p: body(INSPECTOR, part(PLAIN, p)).replace(b"Content-Disposition", b"CONTENT-DISPOSITION"),
        "part.png",
    ),
}
"""Content-Type after `multipart/form-data; `, body, and the name that the photograph gets; right from the first."""

RARER_FORMS: dict[str, Form] = {
    "preamble": (
        "boundary=b",
        lambda p: body(INSPECTOR, part(PLAIN, p), before=b"This is MIME.\r\n"),
        "part.png",
    ),
    "RFC 5987": (
        "boundary=b",
        alone("; name=\"images\"; filename*=UTF-8''Teil%20%C3%B6.png"),
        "Teil ö.png",
    ),
    "RFC 5987 beside a plain name": (
        "boundary=b",
        lambda p: body(
            INSPECTOR, part('; name="images"; filename="Teil_.png"; filename*=UTF-8\'\'Teil%20%C3%B6.png', p)
        ),
        "Teil ö.png",
    ),
    "not UTF-8": (
        "boundary=b",
        alone(b'; name="images"; filename="caf\xe9.png"'),
        "caf\ufffd.png",
    ),
    "a quotation mark, as curl does": (
        "boundary=b",
        alone('; name="images"; filename="a\\"b.png"'),
        'a"b.png',
    ),
    "300 bytes": (
        "boundary=b",
        alone(f'; name="images"; filename="{"ü" * 150}.png"'),
        "ü" * 150 + ".png",
    ),
    "line feed": (
        "boundary=b",
        alone('; name="images"; filename="a\x07\x1b[31mb.png"'),
        "a[31mb.png",
    ),
}


@pytest.mark.parametrize("name", [*FORMS, *RARER_FORMS])
def test_a_form_is_read_as_clients_send_it(name: str, client: httpx.Client, good: bytes) -> None:
    options, made, expected = (FORMS | RARER_FORMS)[name]
    headers = {"content-type": f"multipart/form-data; {options}"}
    answer = client.post("/v1/inspect", content=made(good), headers=headers)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["inspections"]
    assert found["file_name"] == expected


def test_a_form_in_pieces_and_in_chunks_is_read(server: Any, client: httpx.Client, good: bytes) -> None:
    made = body(INSPECTOR, part(PLAIN, good))
    pieces = (made[place : place + 7] for place in range(0, len(made), 7))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/v1/inspect", content=pieces, headers=headers).status_code == 200
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = f"POST /v1/inspect HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(made)}\r\n"
        line.sendall(head.encode() + b"Content-Type: MULTIPART/FORM-DATA; boundary=b\r\n\r\n" + made)
        assert line.makefile("rb").readline().split()[1] == b"200"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize(
    "options", [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["--http1.0"]]
)
def test_curl_is_understood(options: list[str], server: Any, good: bytes, tmp_path: Path) -> None:
    (tmp_path / 'a "b" ö.png').write_bytes(good)
    escaped = f'images=@"{tmp_path}/a \\"b\\" ö.png"'
    command = [
        "curl",
        "-s",
        "--noproxy",
        "*",
        *options,
        "-F",
        "inspector=washer",
        "-F",
        escaped,
        f"{server.address}/v1/inspect",
    ]
    answer = subprocess.run(command, capture_output=True, check=True).stdout
    assert b'"verdict"' in answer, answer
