"""The scans of a JPEG file as its markers lay them out, and what in them no encoder would have written.

A decoder says where codes stop making sense. It says nothing of what it can read as codes and still is no
picture: zero bytes from a failing disk, a scan that is missing. Follows ITU-T T.81, annexes B, F and G.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

_EOI, _SOS, _DHT, _APP0, _APP14 = 0xD9, 0xDA, 0xC4, 0xE0, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE, _ARITHMETIC = (0xC0, 0xC1), (0xC2, 0xC6), frozenset(range(0xC9, 0xD0))
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # not a stuffed zero, a restart or a fill byte
_FILL_IN_DATA = re.compile(rb"\xff\xff+\x00")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_LONGEST_GAP = 64  # bytes between two segments of a header that are an encoder's slip and lose nothing
_ZEROS = bytes(32)
_LARGEST_STEP = 2047  # between the DC values of two blocks of 8-bit samples
_NARROW_BAND = 6  # coefficients; fewer may all be alike in block after block of a pattern

_ZeroCode: TypeAlias = tuple[int, int]
"""Length in bits and symbol of a Huffman table's code of zero bits only."""

# T.81 tables K.3 to K.6, which files without tables of their own use (frames of Motion JPEG).
_STANDARD: dict[int, _ZeroCode] = {0x00: (2, 0), 0x01: (2, 0), 0x10: (2, 1), 0x11: (2, 0)}


@dataclass(frozen=True)
class Component:
    """A component of the frame: its id, and the blocks across and down that it has in each unit of the scan."""

    id: int
    across: int
    down: int


@dataclass(frozen=True)
class Scan:
    """One scan.

    Attributes:
        components: what it codes; several are interleaved.
        first, last: coefficients coded, 0 (DC) to 63, in zigzag order.
        refines: whether it adds a bit to coefficients that earlier scans began (progressive only).
        shift: bits of these coefficients that later scans add.
        start, end: of its entropy-coded data in the file, in bytes.
        dc, ac: code of zero bits of each component's tables.
    """

    components: tuple[Component, ...]
    first: int
    last: int
    refines: bool
    shift: int
    start: int
    end: int
    dc: tuple[_ZeroCode, ...]
    ac: tuple[_ZeroCode, ...]


@dataclass(frozen=True)
class _Segment:
    """A marker at `start`, and the bytes of its segment from `body` to `end`."""

    marker: int
    start: int
    body: int
    end: int


def _segments(content: bytes) -> Iterator[_Segment]:
    """Every marker up to the end of the image, entropy-coded data left out; ends early where the file does."""
    at = 2
    while (found := _NEXT_MARKER.search(content, at)) is not None:
        marker, body = content[found.end() - 1], found.end()
        end = body
        if marker not in _ALONE and marker != _EOI:
            end = body + max(2, int.from_bytes(content[body : body + 2], "big"))
            if end > len(content):
                return
            body += 2
        yield _Segment(marker, found.start(), body, end)
        if marker == _EOI:
            return
        at = end


def without_padding(content: bytes, most: int) -> bytes:
    """The same image without up to `most` zero bytes before its end marker; as it is if there are more, or none.

    Cameras fill their last packet so. A decoder that found more zeros than it left over took some for picture.
    """
    end = next((one.start for one in _segments(content) if one.marker == _EOI), len(content))
    whole = content[:end].rstrip(b"\0")
    return whole + content[end:] if end - len(whole) <= most else content


def without_oddities(content: bytes) -> bytes:
    """The same image without what decoders warn of and nobody misses.

    An unknown revision in JFIF's header or an unknown colour code in Adobe's, a few stray bytes between two segments
    of the header, and the limits of a sequential scan, which some cameras leave unset.
    """
    parts: list[bytes] = [content[:2]]
    at, sequential = 2, False
    for one in _segments(content):
        gap = one.start - at
        if gap > _LONGEST_GAP:
            break
        segment = bytearray(content[one.start : one.end])
        if one.marker == _APP0 and segment[4:9] == b"JFIF\0" and len(segment) > 9:
            segment[9] = 1
        if one.marker == _APP14 and segment[4:9] == b"Adobe" and len(segment) > 15 and segment[15] > 2:
            segment[15] = 1
        sequential = sequential or one.marker in _SEQUENTIAL
        if one.marker == _SOS:
            if sequential:
                segment[-3:] = b"\0\x3f\0"
            parts.append(bytes(segment))
            at = one.end
            break
        parts.append(bytes(segment))
        at = one.end
    return b"".join((*parts, content[at:]))


@dataclass(frozen=True)
class Structure:
    """The frame and the scans of a JPEG file, as far as its markers can be followed.

    Attributes:
        frame: marker of the frame header, 0xC0 (baseline) to 0xCF; 0 if there is none.
        components: of the frame.
        scans: in the file's order.
        strays: markers met after the first scan that have no place there.
    """

    frame: int
    components: tuple[Component, ...]
    scans: tuple[Scan, ...]
    strays: tuple[int, ...]


def structure(content: bytes) -> Structure:
    """Follow the markers of a JPEG file.

    Raises:
        IndexError, KeyError: a segment is shorter than it must be, or names what is not there.
    """
    frame = 0
    components: tuple[Component, ...] = ()
    tables = dict(_STANDARD)
    scans: list[Scan] = []
    strays: list[int] = []
    for one in _segments(content):
        if scans and scans[-1].end < 0:
            scans[-1] = replace(scans[-1], end=one.start)
        body = content[one.body : one.end]
        if one.marker in _FRAMES:
            if frame:
                strays.append(one.marker)
                continue
            frame = one.marker
            components = tuple(
                Component(body[6 + 3 * i], body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(body[5])
            )
        elif one.marker == _DHT:
            tables.update(_zero_codes(body))
        elif one.marker == _SOS:
            scans.append(_scan(body, one.end, components, tables))
        elif scans and one.marker in _ALONE:
            strays.append(one.marker)
    if scans and scans[-1].end < 0:
        scans[-1] = replace(scans[-1], end=len(content))
    return Structure(frame, components, tuple(scans), tuple(strays))


def _scan(body: bytes, start: int, components: tuple[Component, ...], tables: dict[int, _ZeroCode]) -> Scan:
    """The scan that a header announces; its end is not known yet (-1)."""
    known = {component.id: component for component in components}
    count = body[0]
    chosen = [(known[body[1 + 2 * i]], body[2 + 2 * i]) for i in range(count)]
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    return Scan(
        tuple(component for component, _ in chosen),
        first,
        min(last, 63),
        bits >> 4 > 0,
        bits & 15,
        start,
        -1,
        tuple(tables[selector >> 4] for _, selector in chosen),
        tuple(tables[0x10 | (selector & 15)] for _, selector in chosen),
    )


def _zero_codes(body: bytes) -> dict[int, _ZeroCode]:
    """Of each Huffman table in a segment (by class and number, as it stands there) the code of zero bits only."""
    codes: dict[int, _ZeroCode] = {}
    at = 0
    while at + 17 < len(body):
        counts = body[at + 1 : at + 17]
        length = next((bits for bits, count in enumerate(counts, 1) if count), 16)
        codes[body[at]] = (length, body[at + 17])
        at += 17 + sum(counts)
    return codes


def loss_in_scans(content: bytes, decoded: bool) -> str | None:
    """What is wrong with the scans of a JPEG file that a decoder reads without a word; None if nothing is.

    Args:
        content: the whole file.
        decoded: whether a strict decoder has read it; if not, its markers are checked here too.

    Returns:
        A clause, such as "one of its scans is missing".
    """
    if decoded and not _suspicious(content):
        return None
    try:
        found = structure(content)
    except (IndexError, KeyError, ValueError):
        return "its parts do not fit together" if decoded else None
    if not decoded and (found.strays or not all(_restarts_in_order(content, scan) for scan in found.scans)):
        return "some of its data are missing or doubled"
    for scan in found.scans if found.frame not in _ARITHMETIC else ():
        if _FILL_IN_DATA.search(content, scan.start, scan.end):
            return "bytes of it were overwritten"
        zeros = _zeros(content, scan)
        if zeros and not _may_hold_zeros(scan, zeros):
            return f"{zeros:,} bytes of it are zero"
    return None if _complete(found) else "one of its scans is missing"


def _suspicious(content: bytes) -> bool:
    """Whether there is anything to look into: several scans, long runs of zeros, fill bytes. Most files have none."""
    start = content.find(b"\xff\xda")
    return (
        content.find(b"\xff\xda", start + 2) >= 0
        or content.find(_ZEROS, start) >= 0
        or content.find(b"\xff\xff", start) >= 0
    )


def _restarts_in_order(content: bytes, scan: Scan) -> bool:
    """Whether the restart markers of a scan count from 0 to 7 over and over."""
    markers = b"".join(_RESTART.findall(content, scan.start, scan.end))
    return markers == (bytes(range(0xD0, 0xD8)) * (len(markers) // 8 + 1))[: len(markers)]


def _zeros(content: bytes, scan: Scan) -> int:
    """Length of the first long run of zero bytes in a scan's data; 0: none."""
    at = content.find(_ZEROS, scan.start, scan.end)
    if at < 0:
        return 0
    rest = content[at : scan.end]
    return len(rest) - len(rest.lstrip(b"\0"))


def _may_hold_zeros(scan: Scan, length: int) -> bool:
    """Whether an encoder may write `length` zero bytes: for blocks that hold nothing but a DC value.

    A block ends in the code "end of block" unless its last coefficient counts. With tables made for the picture that
    code may be all zeros, and then flat regions are, or ramps whose steps in DC are all the same.
    """
    if scan.refines or (scan.first and scan.last - scan.first + 1 < _NARROW_BAND):
        return True
    if scan.last and any(symbol & 15 or symbol == 0xF0 for _, symbol in scan.ac):
        return False
    if scan.first:
        return True
    # One of several components is coded as many times a unit as it has blocks in it, a single one once.
    together = len(scan.components) > 1
    blocks = [one.across * one.down if together else 1 for one in scan.components]
    ac = scan.ac if scan.last else ((0, 0),) * len(blocks)
    unit = sum(n * (dc[0] + dc[1] + end[0]) for n, dc, end in zip(blocks, scan.dc, ac, strict=True))
    units = 8 * length / max(unit, 1)
    return all(
        n * units * (2**size - 1) <= _LARGEST_STEP for n, (_, size) in zip(blocks, scan.dc, strict=True)
    )


def _complete(layout: Structure) -> bool:
    """Whether the scans give every coefficient of every component to its last bit."""
    missing = {(component.id, k) for component in layout.components for k in range(64)}
    for scan in layout.scans:
        whole = layout.frame not in _PROGRESSIVE
        if whole or not scan.shift:
            ks = range(64) if whole else range(scan.first, scan.last + 1)
            missing -= {(component.id, k) for component in scan.components for k in ks}
    return not missing
