"""Damage is told: what was lost, zeroed, spliced or ended early is refused, and what is whole is read as before."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from broken_files import encode, photograph, png_chunk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from blemish.core.errors import ImageError
from blemish.core.images import READING, decode_image
from blemish.data.catalog import open_catalog
from blemish.data.checks import check_catalog
from blemish.data.readable import readable_paths
from blemish.features.cache import FeatureCache

Pixels = npt.NDArray[Any]
ENCODINGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "restart": {"restart_marker_rows": 1},
    "444": {"subsampling": 0},
}


@pytest.fixture(autouse=True)
def room_for_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own buffer is too small to write some small progressive files of high quality."""
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1 << 22)


def large(seed: int = 0, side: int = 320) -> Pixels:
    """A textured RGB image, side x side."""
    noise = np.random.default_rng(seed).normal(128, 40, (side, side, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5) * 3 - 256, 0, 255).astype(np.uint8)


def kind_of(content: bytes) -> str | None:
    """The kind of problem that a file is refused with; None if it is read."""
    try:
        decode_image(content, "photograph")
    except ImageError as error:
        assert error.kind != "damaged" or "damaged" in error.detail
        return error.kind
    return None


def as_pillow_reads(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def hurt(content: bytes, damage: str, at: int, size: int, other: bytes) -> bytes:
    before, piece, after = content[:at], content[at : at + size], content[at + size :]
    if damage == "ended":
        return before + b"\xff\xd9"
    replaced = {
        "lost": b"",
        "zeroed": bytes(size),
        "erased": b"\xff" * size,
        "spliced": other[at : at + size],
        "repeated": piece * 2,
    }
    return before + replaced[damage] + after


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("damage", ["lost", "zeroed", "erased", "spliced", "repeated", "ended"])
def test_a_jpeg_with_a_block_of_a_disk_lost_in_the_middle_is_damaged(damage: str, encoding: str) -> None:
    content, other = (encode(large(seed), "JPEG", quality=95, **ENCODINGS[encoding]) for seed in (1, 2))
    assert kind_of(content) is None
    for share in (0.3, 0.5, 0.7):
        assert kind_of(hurt(content, damage, int(len(content) * share), 4096, other)) == "damaged"


@settings(max_examples=60, deadline=None)
@given(
    place=st.floats(0.1, 0.85),
    size=st.sampled_from([1024, 2048, 4096]),
    damage=st.sampled_from(["lost", "zeroed", "erased", "ended"]),
    grey=st.booleans(),
    quality=st.sampled_from([75, 92, 98]),
)
def test_damage_anywhere_in_a_jpeg_is_told(
    place: float, size: int, damage: str, grey: bool, quality: int
) -> None:
    image = Image.fromarray(large(3)).convert("L" if grey else "RGB")
    content = encode(image, "JPEG", quality=quality)
    at = int(len(content) * place)
    if at + size < len(content):
        assert kind_of(hurt(content, damage, at, size, content)) == "damaged"


@pytest.mark.parametrize("cut", [1, 2, 3, 100])
def test_a_jpeg_without_its_end_is_truncated(cut: int) -> None:
    assert kind_of(encode(large(), "JPEG")[:-cut]) == "truncated"


def test_a_progressive_jpeg_without_its_last_scans_and_one_that_lost_a_restart_are_damaged() -> None:
    progressive = encode(large(), "JPEG", progressive=True)
    last = progressive.rindex(b"\xff\xda")
    assert kind_of(progressive[:last] + b"\xff\xd9") == "damaged"
    restarts = encode(large(), "JPEG", restart_marker_rows=1)
    first, second = (restarts.index(bytes([0xFF, 0xD0 + number])) for number in (2, 3))
    assert kind_of(restarts[:first] + restarts[second:]) == "damaged"


def flat_and_patterned() -> dict[str, Image.Image]:
    """Pictures whose optimised codes hold long runs of zero bits."""
    half = large().copy()
    half[100:] = 0
    ramp = np.tile((255 - np.arange(512) // 2).astype(np.uint8), (200, 1))
    dots = np.full((256, 256), 128, np.uint8)
    dots[::8, ::8] = 100
    return {
        "black": Image.new("RGB", (640, 480)),
        "flat": Image.new("RGB", (301, 201), (7, 90, 200)),
        "half": Image.fromarray(half),
        "ramp": Image.fromarray(ramp),
        "ramp down": Image.fromarray(ramp.T.copy()),
        "dots": Image.fromarray(dots),
        "texture": Image.fromarray(large()),
    }


@pytest.mark.parametrize("name", flat_and_patterned())
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_no_whole_jpeg_is_called_damaged_and_its_pixels_are_pillows(name: str, mode: str) -> None:
    image = flat_and_patterned()[name].convert(mode)
    for quality in (50, 95, 100):
        for options in (*ENCODINGS.values(), {"progressive": True, "optimize": True, "subsampling": 1}):
            content = encode(image, "JPEG", quality=quality, **options)
            np.testing.assert_array_equal(decode_image(content, "photograph"), as_pillow_reads(content))


@pytest.mark.parametrize("sampling", [0x411111, 0x121111, 0x211111, 0x221111, 0x111111])
@pytest.mark.parametrize("progressive", [0, 1])
def test_every_subsampling_and_odd_sizes_are_read_as_pillow_reads_them(
    sampling: int, progressive: int
) -> None:
    for rows, columns in ((97, 131), (8, 9), (64, 33)):
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
        content = bytes(cv2.imencode(".jpg", large()[:rows, :columns], options)[1])
        np.testing.assert_array_equal(decode_image(content, "photograph"), as_pillow_reads(content))


def segments(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Header up to the scan's, the scan's header with its data, and the end marker."""
    start = content.index(b"\xff\xda")
    return content[:start], content[start:-2], content[-2:]


def non_interleaved(across: int, down: int) -> bytes:
    """A baseline JPEG of three scans, chroma `across` times narrower and `down` times lower than luma."""
    planes = [large()[:64, :64, 0], *(large()[: 64 // down, : 64 // across, one] for one in (1, 2))]
    files = [encode(np.ascontiguousarray(plane), "JPEG") for plane in planes]
    header = bytearray(segments(files[0])[0])
    frame = header.index(b"\xff\xc0")
    components = b"".join(bytes([n + 1, (across << 4 | down) if n == 0 else 0x11, 0]) for n in range(3))
    header[frame : frame + 13] = b"\xff\xc0\0\x11" + bytes(header[frame + 4 : frame + 9]) + b"\3" + components
    scans = b""
    for number, file in enumerate(files):
        scan = bytearray(segments(file)[1])
        scan[5] = number + 1
        scans += scan
    return bytes(header) + scans + b"\xff\xd9"


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 2), (4, 1), (4, 2), (1, 4)])
def test_scans_of_one_component_are_read_and_a_missing_one_is_damage(across: int, down: int) -> None:
    content = non_interleaved(across, down)
    np.testing.assert_array_equal(decode_image(content, "photograph"), as_pillow_reads(content))
    assert kind_of(content[: content.rindex(b"\xff\xda")] + b"\xff\xd9") == "damaged"


def with_exif(content: bytes) -> bytes:
    thumbnail = encode(photograph(), "JPEG")
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]


def without_tables(content: bytes) -> bytes:
    """As the frames of Motion JPEG are: the standard Huffman tables are not in the file."""
    while (at := content.find(b"\xff\xc4")) >= 0:
        content = content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]
    return content


def unset_limits(content: bytes) -> bytes:
    head, scan, end = segments(content)
    return head + scan[:11] + bytes(3) + scan[14:] + end


def later_revision(content: bytes) -> bytes:
    at = content.index(b"JFIF") + 5
    return content[:at] + b"\x02" + content[at + 1 :]


def odd_adobe(content: bytes) -> bytes:
    return content[:20] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x07" + content[20:]


ODDITIES: dict[str, Callable[[bytes], bytes]] = {
    "video after the end": lambda c: c + b"\0\0\0\x18ftypmp42" + bytes(9000),
    "another photograph after the end": lambda c: c + encode(large(5), "JPEG"),
    "zeros before the end": lambda c: c[:-2] + bytes(30) + c[-2:],
    "a sector of zeros before the end": lambda c: c[:-2] + bytes(512) + c[-2:],
    "fill bytes before the end": lambda c: c[:-2] + b"\xff" * 17 + c[-2:],
    "stray zeros between segments": lambda c: c[:20] + b"\0\0" + c[20:],
    "a thumbnail inside": with_exif,
    "no Huffman tables": without_tables,
    "a scan without limits": unset_limits,
    "a later JFIF": later_revision,
    "an unknown Adobe colour code": odd_adobe,
    "several oddities": lambda c: unset_limits(later_revision(with_exif(c)[:-2] + bytes(20) + b"\xff\xd9")),
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_cameras_write_oddly_is_no_damage_and_hides_none(oddity: str) -> None:
    content = encode(large(), "JPEG", quality=92)
    odd = ODDITIES[oddity](content)
    np.testing.assert_array_equal(decode_image(odd, "photograph"), as_pillow_reads(odd))
    middle = odd.rindex(b"\xff\xda", 0, odd.index(b"\xff\xd9", 9000)) + 9000
    assert kind_of(odd[:middle] + bytes(4096) + odd[middle + 4096 :]) == "damaged"


def test_a_multi_picture_file_and_colours_without_a_transform_are_read() -> None:
    first, second = Image.fromarray(large()), Image.fromarray(large(2))
    stream = io.BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[second])
    for content in (stream.getvalue(), encode(first, "JPEG", keep_rgb=True)):
        np.testing.assert_array_equal(decode_image(content, "photograph"), as_pillow_reads(content))


def test_a_zeroed_end_is_damage_and_not_padding() -> None:
    content = encode(large(), "JPEG", quality=92)
    for size in (300, 4096):
        assert kind_of(content[: -2 - size] + bytes(size) + content[-2:]) == "damaged"


@settings(max_examples=60, deadline=None)
@given(
    place=st.floats(0.05, 0.95),
    size=st.integers(1, 3000),
    damage=st.sampled_from(["lost", "zeroed", "erased"]),
)
def test_any_damage_in_the_pixels_of_a_png_is_told(place: float, size: int, damage: str) -> None:
    content = encode(large(side=96), "PNG")
    at = 60 + int(place * (len(content) - 60 - size - 40))
    damaged = hurt(content, damage, max(60, at), size, content)
    if damaged != content:
        assert kind_of(damaged) in ("damaged", "truncated")


def test_a_wrong_sum_in_a_critical_chunk_is_damage_though_the_pixels_decode() -> None:
    rows = b"".join(b"\0" + bytes(range(64)) for _ in range(64))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    stored = bytearray(png_chunk(b"IDAT", zlib.compress(rows, 0)))
    whole = b"\x89PNG\r\n\x1a\n" + header + bytes(stored) + png_chunk(b"IEND", b"")
    assert kind_of(whole) is None
    stored[-1] ^= 1
    assert kind_of(b"\x89PNG\r\n\x1a\n" + header + bytes(stored) + png_chunk(b"IEND", b"")) == "damaged"
    text = bytearray(png_chunk(b"tEXt", b"Comment\0a note"))
    text[-1] ^= 1  # after the pixels, a note says nothing about them
    assert kind_of(whole[:-12] + bytes(text) + whole[-12:]) is None


def tiff(pixels: Pixels, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def tiff_with(content: bytes, tag: int, place: int, value: int) -> bytes:
    """`content` with one of the values of a tag replaced."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        found = file.pages[0].tags[tag]  # type: ignore[union-attr]
        width = 2 if found.dtype == tifffile.DATATYPE.SHORT else 4
        at = found.valueoffset + place * width
    return content[:at] + value.to_bytes(width, "little") + content[at + width :]


def test_a_tiff_tells_pieces_that_are_missing_beyond_the_end_or_upon_one_another() -> None:
    content = tiff(large(), photometric="rgb", rowsperstrip=32)
    assert kind_of(content) is None
    assert kind_of(content[:-5]) == "truncated"
    assert kind_of(tiff_with(content, 273, 3, 0)) == "damaged"
    assert kind_of(tiff_with(content, 273, 3, len(content) - 10)) == "truncated"
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        offsets = file.pages[0].dataoffsets  # type: ignore[union-attr]
    assert kind_of(tiff_with(content, 273, 3, offsets[2] + 100)) == "damaged"
    tiled = tiff(large(), photometric="rgb", tile=(64, 64))
    assert kind_of(tiled) is None and kind_of(tiff_with(tiled, 324, 3, 0)) == "damaged"


@pytest.mark.parametrize("damage", ["zeroed", "erased", "spliced"])
@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_deflate", "jpeg"])
def test_damage_in_packed_strips_of_a_tiff_is_told(compression: str, damage: str) -> None:
    content, other = (encode(large(seed), "TIFF", compression=compression) for seed in (1, 2))
    np.testing.assert_array_equal(decode_image(content, "photograph"), as_pillow_reads(content))
    for share in (0.3, 0.5, 0.7):
        at = int(len(content) * share)
        assert kind_of(hurt(content, damage, at, 1500, other)) is not None


@pytest.mark.parametrize("width", [320, 319])
def test_a_bitmap_with_fewer_bytes_than_its_header_says_is_truncated(width: int) -> None:
    content = encode(large()[:, :width], "BMP")
    assert kind_of(content) is None and kind_of(content + b"notes") is None
    assert kind_of(content[:2000] + content[2001:]) == "truncated"


@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 40, "method": 0}, {"lossless": True}])
def test_damage_in_a_webp_is_told(options: dict[str, Any]) -> None:
    for name, image in flat_and_patterned().items():
        content = encode(image.convert("RGB"), "WEBP", **options)
        assert kind_of(content) is None, name
    content = encode(large(), "WEBP", **options)
    for share in (0.3, 0.5):
        at = int(len(content) * share)
        assert kind_of(hurt(content, "zeroed", at, 1024, content)) is not None
        assert kind_of(content[:at] + content[at + 100 :] + bytes(100)) is not None


def test_the_seed_of_the_kind(tmp_path: Path) -> None:
    """Two of many photographs with 4 KiB zeroed: `check` names these two, and `fit` would leave them out."""
    for number in range(6):
        content = encode(large(number), "JPEG", quality=95)
        third = len(content) // 3
        (tmp_path / f"{number}.jpg").write_bytes(content)
        if number < 2:
            (tmp_path / f"damaged_{number}.jpg").write_bytes(
                content[:third] + bytes(4096) + content[third + 4096 :]
            )
    problems = [one for one in check_catalog(open_catalog(tmp_path)) if one.kind == "damaged"]
    assert {Path(one.path).name for one in problems} == {"damaged_0.jpg", "damaged_1.jpg"}
    kept, skipped = readable_paths(sorted(tmp_path.iterdir()))
    assert len(kept) == 6 and {one["kind"] for one in skipped} == {"damaged"}


def test_features_kept_before_decoding_changed_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path)
    cache.put("a photograph", np.ones(3, np.float32))
    assert cache.get("a photograph", 3) is not None
    monkeypatch.setattr("blemish.features.cache.READING", READING + 1)
    assert cache.get("a photograph", 3) is None


def test_a_height_that_a_tiff_only_claims_takes_no_memory() -> None:
    content = bytearray(encode(Image.new("RGB", (32, 24)), "TIFF"))
    (count,) = struct.unpack_from("<H", content, struct.unpack_from("<I", content, 4)[0])
    start = struct.unpack_from("<I", content, 4)[0] + 2
    (entry,) = (
        at for at in range(start, start + 12 * count, 12) if struct.unpack_from("<H", content, at)[0] == 257
    )
    struct.pack_into("<HHII", content, entry, 257, 4, 1, 2**31 - 1)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="pixels, more than the limit"):
            decode_image(bytes(content), "tall.tif")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
