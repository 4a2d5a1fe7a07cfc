"""Templates that read metadata out of a text, as `{batch}_{serial_number}_*.png` out of a file's name.

They are no regular expressions: whoever writes one cannot make it slow. The time of a match grows with the square of
the text's length at most, and the length is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Literal

from blemish.core.errors import UsageError
from blemish.station.photograph import PartMetadata

MOST_CHARACTERS = 300
"""Longer texts match nothing."""

_MOST_WILD = 8
_NAMES = {one.name: one.name for one in fields(PartMetadata)} | {"serial": "serial_number"}
_TOKEN = re.compile(r"\{\{|\}\}|\{(\w+)(?::(\w+))?\}|\*|[^{}*]+")

Kind = Literal["any", "digits", "letters"]


@dataclass(frozen=True)
class _Piece:
    """A part of a template: a literal text, or a field (or `*`, without a name) of some kind and length."""

    literal: str = ""
    name: str | None = None
    kind: Kind = "any"
    length: int | None = None
    may_be_empty: bool = False
    barrier: str = "/"

    @property
    def is_open(self) -> bool:
        """Whether it takes as much as it likes, of whatever there is."""
        return not self.literal and self.length is None and self.kind == "any"

    def ends(self, text: str, start: int) -> Iterator[int]:
        """Where it may end in a text, the nearest place first."""
        if self.literal:
            end = start + len(self.literal)
            if text[start:end].casefold() == self.literal.casefold():
                yield end
            return
        if self.length is not None:
            end = start + self.length
            if end <= len(text) and all(map(self._takes, text[start:end])):
                yield end
            return
        if self.may_be_empty:
            yield start
        for place in range(start, len(text)):
            if not self._takes(text[place]):
                return
            yield place + 1

    def _takes(self, character: str) -> bool:
        if self.kind == "digits":
            return character.isascii() and character.isdigit()
        if self.kind == "letters":
            return character.isalpha()
        return character != self.barrier


class TextPattern:
    """A template, ready to read.

    `{serial_number}` (or `{serial}`), `{batch}`, `{shift}` and `{camera}` take one character or more, as few as fit;
    `{batch:6}` takes six, `{batch:digits}` and `{batch:letters}` only such. `*` takes anything, or nothing. Neither
    goes beyond the barrier. What else stands there has to be there, in capital letters or not; `{{` and `}}` are
    braces.

    Args:
        template: as above.
        barrier: a character that no field takes: `/` of paths; empty for none.

    Example:
        >>> TextPattern("{batch}_{serial}_*.png").read("L42_0007_top.png")
        PartMetadata(serial_number='0007', batch='L42', shift=None, camera=None)

    Raises:
        UsageError: it is no template, or leaves open where one field ends and the next begins.
    """

    def __init__(self, template: str, barrier: str = "/") -> None:
        self.template = template
        self._pieces = tuple(_pieces(template, barrier))
        _check(template, self._pieces)

    def read(self, text: str) -> PartMetadata | None:
        """What a text says; None where it does not fit as a whole, or a value cannot be kept."""
        if len(text) > MOST_CHARACTERS:
            return None
        spans = _matched(self._pieces, text, 0, 0, set())
        if spans is None:
            return None
        found = {
            piece.name: text[start:end].strip()
            for piece, (start, end) in zip(self._pieces, spans, strict=True)
            if piece.name is not None
        }
        try:
            return PartMetadata(**found)
        except UsageError:
            return None

    def read_file_name(self, name: str) -> PartMetadata | None:
        """What a file's name says, and the names of as many folders above it as the template has.

        The ending of the name is left out where the template's own name has no dot.
        """
        wanted = self.template.count("/") + 1
        parts = name.replace("\\", "/").split("/")[-wanted:]
        if len(parts) < wanted:
            return None
        if "." not in self.template.rsplit("/", 1)[-1]:
            stem, dot, _ = parts[-1].rpartition(".")
            parts[-1] = stem if dot and stem else parts[-1]
        return self.read("/".join(parts))


def _pieces(template: str, barrier: str) -> Iterator[_Piece]:
    place = 0
    while place < len(template):
        found = _TOKEN.match(template, place)
        if found is None:
            raise UsageError(
                f"The pattern {template[:80]!a} has a brace alone: write fields as {{batch}}, and braces twice."
            )
        yield replace(_piece(template, found), barrier=barrier)
        place = found.end()


def _piece(template: str, found: re.Match[str]) -> _Piece:
    written, name, kind = found[0], found[1], found[2]
    if written in ("{{", "}}"):
        return _Piece(literal=written[0])
    if written == "*":
        return _Piece(may_be_empty=True)
    if name is None:
        return _Piece(literal=written)
    if name not in _NAMES:
        known = ", ".join(f"{{{one}}}" for one in _NAMES)
        raise UsageError(f"The pattern {template[:80]!a} has an unknown field {{{name[:40]}}}: use {known}.")
    if kind is None:
        return _Piece(name=_NAMES[name])
    if kind in ("digits", "letters"):
        return _Piece(name=_NAMES[name], kind="digits" if kind == "digits" else "letters")
    if kind.isascii() and kind.isdigit() and 1 <= int(kind[:4]) <= 80:
        return _Piece(name=_NAMES[name], length=int(kind[:4]))
    raise UsageError(
        f"{{{name}:{kind[:20]}}} is no field of a pattern: say digits, letters or a number of characters from 1 to 80."
    )


def _check(template: str, pieces: tuple[_Piece, ...]) -> None:
    names = [piece.name for piece in pieces if piece.name is not None]
    if not names:
        raise UsageError(f"The pattern {template[:80]!a} reads nothing: name a field, as {{serial_number}}.")
    if len(names) != len(set(names)):
        raise UsageError(f"The pattern {template[:80]!a} has a field twice: name each once.")
    if len(template) > MOST_CHARACTERS or sum(not piece.literal for piece in pieces) > _MOST_WILD:
        raise UsageError(
            f"The pattern {template[:40]!a}... is too long: it may have {MOST_CHARACTERS} characters, {_MOST_WILD} "
            "fields and stars."
        )
    for one, following in pairwise(pieces):
        if one.is_open and following.is_open:
            raise UsageError(
                f"The pattern {template[:80]!a} does not say where one field ends and the next begins: put a character "
                "between them, or say how long one is, as {batch:6}."
            )


def _matched(
    pieces: tuple[_Piece, ...], text: str, number: int, start: int, failed: set[tuple[int, int]]
) -> list[tuple[int, int]] | None:
    """Where the pieces from `number` on lie in the text from `start` on; each way is tried once."""
    if number == len(pieces):
        return [] if start == len(text) else None
    if (number, start) in failed:
        return None
    for end in pieces[number].ends(text, start):
        rest = _matched(pieces, text, number + 1, end, failed)
        if rest is not None:
            return [(start, end), *rest]
    failed.add((number, start))
    return None
