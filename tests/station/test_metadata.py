"""Metadata of parts: out of names, codes on photographs, and the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray
from blemish.station.metadata.payload import metadata_of
from blemish.station.metadata.reader import MetadataReader
from blemish.station.metadata.settings import MetadataSettings
from blemish.station.metadata.shifts import Shifts
from blemish.station.metadata.text_pattern import MOST_CHARACTERS, TextPattern
from blemish.station.photograph import PartMetadata, Photograph

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WORDS = st.text("abcXYZ019-", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("{batch}_{serial}_{camera}.png", "L42_0007_top.PNG", ("0007", "L42", None, "top")),
        ("{batch}_{serial}", "L42_0007_b.jpeg", ("0007_b", "L42", None, None)),
        ("{batch}/{camera}/{serial:digits}.*", "in/L42/cam 1/0815.tiff", ("0815", "L42", None, "cam 1")),
        ("{batch}/{serial}", "C:\\line\\L42\\7.a.png", ("7.a", "L42", None, None)),
        ("{batch:letters}{serial:digits}", "LOT0042.bmp", ("0042", "LOT", None, None)),
        ("{shift:1}{serial_number:4}*", "E0042-rest.png", ("0042", None, "E", None)),
        ("{{{batch}}}-*", "{7}-x.png", (None, "7", None, None)),
        ("{batch}_{serial:digits}", "L42_x.png", None),
        ("{batch}/{serial}", "alone.png", None),
        ("{serial}", "   .png", None),
        ("{serial}", "x" * 81 + ".png", None),
        ("{serial}", "x" * (MOST_CHARACTERS + 1), None),
        ("{serial}", "line\nbreak.png", None),
    ],
)
def test_a_template_reads_a_name(template: str, name: str, expected: tuple[str, ...] | None) -> None:
    found = TextPattern(template).read_file_name(name)
    assert found == (None if expected is None else PartMetadata(*expected))


@given(batch=WORDS, serial=WORDS, camera=WORDS)
def test_what_was_written_is_read(batch: str, serial: str, camera: str) -> None:
    found = TextPattern("{batch}_{serial}_{camera}.png").read_file_name(f"{batch}_{serial}_{camera}.png")
    assert found == PartMetadata(serial, batch, None, camera)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "no field",
        "{batch}{serial}",
        "{batch}_{batch}",
        "{lot}",
        "{batch:0}",
        "{batch",
        "{batch}*",
        "{serial:x}",
    ],
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="pattern"):
        TextPattern(template)


def test_no_name_takes_long() -> None:
    pattern = TextPattern("*a{batch}a*a{serial}a*a{camera}a*b")
    started = time.perf_counter()
    assert pattern.read_file_name("a" * MOST_CHARACTERS) is None
    assert time.perf_counter() - started < 2


def test_shifts_go_by_the_clock_on_the_wall_over_midnight_and_over_a_change_of_it() -> None:
    shifts = Shifts({"early": "06:00-14:00", "late": "14:00-22:00", "night": "22:00-6:00"}, "Europe/Berlin")
    zone = ZoneInfo("Europe/Berlin")
    for day in (datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 12, 31)):
        for hour, name in (
            (5, "night"),
            (6, "early"),
            (13, "early"),
            (14, "late"),
            (22, "night"),
            (0, "night"),
        ):
            assert shifts.of(day.replace(hour=hour, minute=59, tzinfo=zone).astimezone(UTC)) == name
    gaps = Shifts({"one": "08:00-12:00, 13:00-17:00"}, "UTC")
    assert [gaps.of(NOON + timedelta(hours=hours)) for hours in (-1, 0, 1, 5)] == ["one", None, "one", None]
    assert Shifts({"all": "00:00-24:00"}, "UTC").of(NOON) == "all"
    assert Shifts({}).of(NOON) is None


@pytest.mark.parametrize(
    ("spans", "zone"),
    [
        ({"a": "06:00-14:00", "b": "13:59-15:00"}, None),
        ({"a": "22:00-06:00", "b": "05:00-06:00"}, None),
        ({"a": "6-14"}, None),
        ({"a": "06:00-06:00"}, None),
        ({"a": "06:00-25:00"}, None),
        ({"a": "06:60-07:00"}, None),
        ({"a": "06:00-07:00"}, "Europe/Nowhere"),
        ({"": "06:00-07:00"}, None),
    ],
)
def test_what_is_no_shift_is_refused(spans: dict[str, str], zone: str | None) -> None:
    with pytest.raises(UsageError):
        Shifts(spans, zone)
    with pytest.raises(ValidationError):
        MetadataSettings(shifts=spans, time_zone=zone)


def surface(height: int, width: int) -> ByteArray:
    """A rough surface, grey."""
    noise = np.random.default_rng(3).normal(128, 40, (height, width))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def qr_code(text: str, pixels: int) -> ByteArray:
    modules = cv2.QRCodeEncoder.create().encode(text)
    return np.pad(np.kron(modules, np.ones((pixels, pixels), np.uint8)), 4 * pixels, constant_values=255)


def ean_13(digits: str, pixels: int) -> ByteArray:
    """An EAN-13 barcode, drawn by the standard's table: twelve digits and the check digit."""
    left = [
        "0001101",
        "0011001",
        "0010011",
        "0111101",
        "0100011",
        "0110001",
        "0101111",
        "0111011",
        "0110111",
        "0001011",
    ]
    right = ["".join("10"[int(bit)] for bit in code) for code in left]
    even = [code[::-1] for code in right]
    parity = [
        "LLLLLL",
        "LLGLGG",
        "LLGGLG",
        "LLGGGL",
        "LGLLGG",
        "LGGLLG",
        "LGGGLL",
        "LGLGLG",
        "LGLGGL",
        "LGGLGL",
    ]
    first, *rest = map(int, digits)
    codes = [
        (left if kind == "L" else even)[digit] for kind, digit in zip(parity[first], rest[:6], strict=True)
    ]
    bars = "101" + "".join(codes) + "01010" + "".join(right[digit] for digit in rest[6:]) + "101"
    row = np.repeat([0 if bit == "1" else 255 for bit in bars], pixels)
    return np.pad(np.tile(row, (40 * pixels, 1)), 12 * pixels, constant_values=255).astype(np.uint8)


def with_label(photograph: ByteArray, label: ByteArray, left: int, top: int) -> ByteArray:
    found = photograph.copy()
    found[top : top + label.shape[0], left : left + label.shape[1]] = label
    return found


def sent(pixels: ByteArray, name: str = "part.png", metadata: PartMetadata = PartMetadata()) -> Photograph:  # noqa: B008
    return Photograph(cv2.imencode(".png", pixels)[1].tobytes(), name, metadata)


def test_codes_are_read_off_the_photograph_and_fit_their_templates() -> None:
    photograph = with_label(surface(1400, 2000), qr_code("LOT-42;SN/0007", 4), 300, 900)
    photograph = with_label(photograph, ean_13("4006381333931", 3), 1200, 200)
    settings = MetadataSettings(
        codes={"pattern": ["LOT-{batch};{serial}", "{camera:13}"], "seconds": 10},
        shifts={"all": "00:00-24:00"},
    )
    reader = MetadataReader(settings)
    found = reader.read(sent(photograph), NOON)
    assert found == PartMetadata("SN/0007", "42", "all", "4006381333931")
    assert reader.read(sent(photograph), NOON, cv2.cvtColor(photograph, cv2.COLOR_GRAY2RGB)) == found
    assert reader.read(sent(surface(300, 300)), NOON) == PartMetadata(shift="all")
    assert reader.read(Photograph(b"no photograph", "x.png"), NOON) == PartMetadata(shift="all")
    state = reader.state()
    assert (state.read, state.without_code, state.late) == (4, 1, 0)
    reader.stop()


def test_a_region_bounds_where_codes_are_looked_for() -> None:
    photograph = with_label(surface(700, 900), qr_code("7", 5), 600, 400)
    for region, serial in (((550, 350, 350, 350), "7"), ((0, 0, 500, 700), None)):
        reader = MetadataReader(MetadataSettings(codes={"region": region, "seconds": 10}))
        assert reader.read(sent(photograph), NOON).serial_number == serial
        reader.stop()


def test_reading_codes_never_holds_up_the_line() -> None:
    large = surface(3000, 4000)
    reader = MetadataReader(MetadataSettings(codes={"seconds": 0.02}))
    photograph = Photograph(b"", "large.png")
    waited = []
    for _ in range(5):
        started = time.perf_counter()
        assert reader.read(photograph, NOON, large) == PartMetadata()
        waited.append(time.perf_counter() - started)
    assert max(waited) < 0.5
    assert reader.state().late == 5
    reader.stop()


def test_what_the_sender_says_comes_before_what_is_read() -> None:
    settings = MetadataSettings(
        file_name="{batch}_{serial}_{shift}", codes=True, shifts={"late": "00:00-24:00"}
    )
    reader = MetadataReader(settings)
    photograph = sent(with_label(surface(400, 400), qr_code("code", 6), 100, 100), "B1_name_early.png")
    assert reader.read(photograph, NOON) == PartMetadata("code", "B1", "early", None)
    told = sent(surface(50, 50), "B1_name.png", PartMetadata(batch="B9", camera="top"))
    assert reader.read(told, NOON) == PartMetadata(None, "B9", "late", "top")
    assert reader.state().names_unlike == 1
    reader.stop()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"batch": " L1 ", "order": {"number": 12}, "camera": true}', PartMetadata("12", "L1")),
        (b'{"batch": "L1\\nL2", "order": {"number": "7"}}', PartMetadata("7")),
        (b'{"order": 3}', None),
        (b"[1, 2]", None),
        (b"\xff\xfe", None),
        (b"[" * 60_000, None),
        (b'{"batch": "' + b"x" * 70_000 + b'"}', None),
    ],
)
def test_a_message_is_read_or_passed_over(payload: bytes, expected: PartMetadata | None) -> None:
    assert metadata_of(payload, {"serial_number": "order.number"}) == expected


def test_minutes_of_a_day_belong_to_one_shift_at_most() -> None:
    shifts = Shifts({"a": "00:00-08:00", "b": "08:00-16:00", "c": "16:00-24:00"}, "UTC")
    names = [shifts.of(NOON.replace(hour=0) + timedelta(minutes=minute)) for minute in range(1440)]
    assert None not in names and sum(one != other for one, other in pairwise(names)) == 2
