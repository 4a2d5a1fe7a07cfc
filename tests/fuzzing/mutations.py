"""Files as failing disks, bad copies and strangers make them: seeds with damage of many kinds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator

_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """The content with one to four kinds of damage, at most twice as long and a little."""
    for _ in range(int(random.integers(1, 5))):
        damage = _DAMAGES[random.integers(len(_DAMAGES))]
        content = damage(content, others[random.integers(len(others))], random)[: 2 * len(content) + 4096]
    return content


def odd_name(random: Random) -> bytes:
    """A file's name of 1 to 255 bytes, anything but a slash and zero."""
    length = int(random.choice([1, 3, 8, 20, 200, 241, 250, 255]))
    letters = random.integers(1, 256, length, dtype=np.uint8)
    if random.random() < 0.5:
        letters = random.choice(np.frombuffer(b"ab.:%?#[]{} \\'\"\n\t\xe9\xfc\xff", np.uint8), length)
    letters[letters == ord("/")] = ord("_")
    name = letters.tobytes()
    if random.random() < 0.6:
        name = name[:250] + bytes(random.choice([b".png", b".jpg", b".JPG", b".tif", b".txt"]))
    return b"_" if name in (b".", b"..") else name


def _flip(content: bytes, _: bytes, random: Random) -> bytes:
    pixels = np.frombuffer(content, np.uint8).copy()
    if len(pixels):
        places = random.integers(len(pixels), size=int(random.integers(1, 9)))
        pixels[places] ^= random.integers(1, 256, len(places), dtype=np.uint8)
    return pixels.tobytes()


def _flip_in_header(content: bytes, other: bytes, random: Random) -> bytes:
    return _flip(content[:256], other, random) + content[256:]


def _number(content: bytes, _: bytes, random: Random) -> bytes:
    order, kind = random.choice(["<", ">"]), random.choice(["B", "H", "I"])
    size = struct.calcsize(kind)
    number = int(random.choice(_NUMBERS)) & (256**size - 1)
    place = int(random.integers(max(1, min(len(content), int(random.choice([64, 512, 1 << 20]))))))
    return content[:place] + struct.pack(f"{order}{kind}", number) + content[place + size :]


def _end_early(content: bytes, _: bytes, random: Random) -> bytes:
    return content[: int(random.integers(len(content) + 1))]


def _lose(content: bytes, _: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:start] + content[stop:]


def _zero(content: bytes, _: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:start] + bytes(stop - start) + content[stop:]


def _repeat(content: bytes, _: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:stop] + content[start:stop] * int(random.integers(1, 4)) + content[stop:]


def _splice(content: bytes, other: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return (
        content[:start] + other[int(random.integers(len(other) + 1)) :][: stop - start + 64] + content[stop:]
    )


def _insert(content: bytes, _: bytes, random: Random) -> bytes:
    place = int(random.integers(len(content) + 1))
    return content[:place] + random.bytes(int(random.integers(1, 33))) + content[place:]


def _span(content: bytes, random: Random) -> tuple[int, int]:
    start, stop = sorted(int(place) for place in random.integers(len(content) + 1, size=2))
    return start, min(stop, start + int(random.choice([1, 4, 16, 256, 1 << 20])))


_DAMAGES: tuple[Callable[[bytes, bytes, Random], bytes], ...] = (
    _flip,
    _flip_in_header,
    _number,
    _number,
    _end_early,
    _lose,
    _zero,
    _repeat,
    _splice,
    _insert,
)
