"""Netpbm's images (PBM, PGM, PPM and PAM): headers told from text, samples at their own depth.

Pillow stretches 16-bit grey, drops the low byte of 16-bit colour and reads no PAM, hence this reader.
See https://netpbm.sourceforge.net/doc/pnm.html and pam.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.errors import ImageError
from blemish.core.image_samples import Samples, over_black

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER = re.compile(_GAP + rb"(\d{1,9})(?=[\s#])")
_LONG_COMMENT = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*#[^\r\n]*\Z")
_PAM = re.compile(rb"P7\n(?:#[^\n]*\n)*(?:(?:WIDTH|HEIGHT|DEPTH|MAXVAL) \d|TUPLTYPE [A-Z]|#[^\n]{40,}\Z)")
_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3}
_PLAIN = (b"P1", b"P2", b"P3")
_BITMAPS = (b"P1", b"P4")
_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class Anymap:
    """What a header says.

    Attributes:
        magic: P1 to P7.
        size: width and height, in pixels.
        channels: 1 grey, 3 RGB; 2 and 4 with alpha.
        largest: the value that stands for white.
        start: where the samples begin, in bytes.
        orientation: always 1, as nothing says another.
    """

    magic: bytes
    size: tuple[int, int]
    channels: int
    largest: int
    start: int
    orientation: int = 1

    @property
    def bits(self) -> int:
        """Of each sample, as `samples` gives them."""
        if self.largest < 256:
            return 1 if self.largest == 1 else 8
        bits = self.largest.bit_length()
        return bits if self.largest == 2**bits - 1 else 16

    def samples(self, content: bytes, name: str, least: tuple[int, int] | None = None) -> Samples:
        """uint8 or uint16, H x W or H x W x 3; values are scaled only where the largest is no power of two less one.

        Raises:
            ImageError: another image follows in the file.
            ValueError: the file is truncated, or holds something else than numbers.
        """
        self._require_one_image(content, name)
        width, height = self.size
        shape = (height, width) if self.channels == 1 else (height, width, self.channels)
        if self.magic == b"P4":
            values = self._packed_bits(content)
        elif self.magic in _PLAIN:
            values = self._numbers(content, height * width * self.channels).reshape(shape)
        else:
            values = self._raw(content, height * width * self.channels).reshape(shape)
        if self.magic in _BITMAPS:
            values = 1 - values  # 1 is black
        values = self._scaled(values)
        if self.channels in (2, 4):
            return over_black(values, (2**self.bits - 1) if self.bits > 8 else 255)
        return values

    def _require_one_image(self, content: bytes, name: str) -> None:
        width, height = self.size
        row = (width + 7) // 8 if self.magic == b"P4" else width * self.channels * (1 + (self.largest > 255))
        end = self.start + row * height
        if self.magic not in _PLAIN and begins_like_anymap(content[end : end + 64]):
            detail = "it has several images; save the one that counts as a file."
            raise ImageError(name, "animated", detail)

    def _packed_bits(self, content: bytes) -> Samples:
        width, height = self.size
        row = (width + 7) // 8
        packed = self._bytes(content, row * height).reshape(height, row)
        return np.unpackbits(packed, axis=1)[:, :width]

    def _numbers(self, content: bytes, count: int) -> Samples:
        text = re.sub(rb"#[^\r\n]*", b"", content[self.start :])
        if self.magic == b"P1":  # digits need no space between them
            digits = np.frombuffer(text, np.uint8)
            values = (digits[(digits == ord("0")) | (digits == ord("1"))] - ord("0")).astype(np.uint8)
        else:
            if re.search(rb"[^\d\s]", text):
                raise ValueError("something else than numbers")
            # Not with a count: then NumPy invents what is missing.
            values = np.fromstring(text, np.int32, sep=" ")
        if len(values) < count:
            raise ValueError("truncated")
        values = np.clip(values[:count], 0, self.largest)
        return np.asarray(values.astype(np.uint16 if self.largest > 255 else np.uint8))

    def _raw(self, content: bytes, count: int) -> Samples:
        if self.largest < 256:
            return np.asarray(np.minimum(self._bytes(content, count), self.largest))
        values = np.minimum(self._bytes(content, 2 * count).view(">u2"), self.largest)
        return np.asarray(values.astype(np.uint16))

    def _bytes(self, content: bytes, count: int) -> npt.NDArray[np.uint8]:
        if len(content) < self.start + count:
            raise ValueError("truncated")
        return np.frombuffer(content, np.uint8, count, self.start)

    def _scaled(self, values: Samples) -> Samples:
        target = 2**self.bits - 1 if self.bits > 8 else 255
        if self.largest == target:
            return values
        scaled = (values.astype(np.uint32) * target + self.largest // 2) // self.largest
        return scaled.astype(values.dtype)


def begins_like_anymap(start: bytes) -> bool:
    """Whether a file's first bytes are a header, or as much of one as 64 bytes can hold, and not text."""
    if start[:2] == b"P7":
        return _PAM.match(start) is not None
    magic, start = start[:2], start[:_LONGEST_HEADER]
    if magic not in _CHANNELS:
        return False
    at = 2
    for _ in range(2 if magic in _BITMAPS else 3):
        number = _NUMBER.match(start, at)
        if number is None:
            return len(start) >= 64 and _LONG_COMMENT.match(start, at) is not None and start[2:3].isspace()
        at = number.end()
    return True


def read_anymap(content: bytes) -> Anymap:
    """The header of a file of which at least the first 4096 bytes are at hand.

    Raises:
        ValueError: there is none, or it says what no image can be.
    """
    header = _pam(content) if content[:2] == b"P7" else _pnm(content)
    width, height = header.size
    if not (width and height and 0 < header.largest < 65536 and 1 <= header.channels <= 4):
        raise ValueError("a header that no image has")
    return header


def _pnm(content: bytes) -> Anymap:
    magic, at, numbers = content[:2], 2, []
    for _ in range(2 if magic in _BITMAPS else 3):
        number = _NUMBER.match(content, at, _LONGEST_HEADER)
        if number is None:
            raise ValueError("no header")
        numbers.append(int(number[1]))
        at = number.end()
    largest = 1 if magic in _BITMAPS else numbers[2]
    return Anymap(magic, (numbers[0], numbers[1]), _CHANNELS[magic], largest, at + 1)


def _pam(content: bytes) -> Anymap:
    end = content.index(b"ENDHDR\n", 0, _LONGEST_HEADER)
    lines = (
        line.split(None, 1) for line in content[3:end].split(b"\n") if line and not line.startswith(b"#")
    )
    said = {words[0]: words[1].strip() for words in lines if len(words) == 2}
    if said.get(b"TUPLTYPE", b"").startswith(b"CMYK"):
        raise ValueError("inks, as no camera writes them")
    width, height, depth, largest = (int(said[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    return Anymap(b"P7", (width, height), depth, largest, end + len(b"ENDHDR\n"))
