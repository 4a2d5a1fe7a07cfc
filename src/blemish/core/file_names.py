"""Names of files as text: they are bytes, and need not be UTF-8 nor printable."""

from __future__ import annotations

import re

_NO_CHARACTER = re.compile("[\ud800-\udfff]")


def shown(text: object) -> str:
    """A path, or text with paths in it, for people: bytes that are no UTF-8 become the replacement character.

    Example:
        >>> shown("Pr\\udcfcfling.png")
        'Pr\ufffdfling.png'
    """
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", str(text))


def name_bytes(text: object) -> bytes:
    """A path as the bytes that it is on the disk, for a digest: UTF-8 where it is text."""
    return str(text).encode("utf-8", "surrogateescape")
