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


def escaped(text: str) -> str:
    """Text with names in it as JSON writes it: what is no UTF-8 becomes an escape as `\\udcfc`."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


def as_text(name: str) -> str:
    """The name of a folder as a word, as of a category or a defect type: what is no UTF-8 is read as Western European.

    Example:
        >>> as_text("Gr\\udcf6\\udcdfe")
        'Größe'
    """
    return name_bytes(name).decode("cp1252", "replace") if _NO_CHARACTER.search(name) else name


def name_bytes(text: object) -> bytes:
    """A path as the bytes that it is on the disk, for a digest: UTF-8 where it is text."""
    return str(text).encode("utf-8", "surrogateescape")
