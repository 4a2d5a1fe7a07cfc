"""Forms with files, read while they stream in, within limits, and never to a file outside the home.

Format: RFC 7578, https://www.rfc-editor.org/rfc/rfc7578.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from blemish.server.problems import ProblemError
from blemish.station.photograph import Photograph

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MOST_HEADER_BYTES = 8192
_MOST_FIELDS = 16
_MOST_FIELD_BYTES = 4096
_MOST_NAME_CHARACTERS = 255
_WRITTEN_AT_ONCE = 2**20
_EXTENDED_NAME = re.compile(rb"""filename\*\s*=\s*"?([A-Za-z0-9-]*)'[^']*'([^;"]*)""", re.IGNORECASE)


def form(required: Sequence[str], **properties: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a route that takes a form with these fields."""
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@dataclass(frozen=True)
class FormLimits:
    """What a form may hold.

    Attributes:
        files: number of files.
        file_bytes: largest one, in bytes.
        files_option, bytes_option: of `blemish serve`, which raise these.
    """

    files: int
    file_bytes: int
    files_option: str = ""
    bytes_option: str = ""


@dataclass
class Form:
    """A form that has arrived: its text fields by name, and its files."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Photograph] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A field that must be there.

        Raises:
            ProblemError: 422 if it is not.
        """
        if name not in self.fields:
            given = (
                f", but {', '.join(ascii(one[:40]) for one in list(self.fields)[:5])}" if self.fields else ""
            )
            raise ProblemError(422, f"The form has no field {name}{given}: add it.")
        return self.fields[name]


async def read_form(
    request: Request,
    limits: FormLimits,
    file_field: str,
    what: str = "photographs",
    texts: Collection[str] = ("inspector",),
    count: Callable[[int], None] = lambda size: None,
    sink: IO[bytes] | None = None,
) -> Form:
    """Read a form.

    Args:
        request: whose body it is.
        limits: what it may hold.
        file_field: name of the field with files.
        what: goes there, in a word for a person.
        texts: names of the fields with text.
        count: called with the bytes of each piece that arrives; may raise.
        sink: where the content of files goes (only sensible for one); the form then holds names alone.

    Raises:
        ProblemError: 413 too large, 415 not a form, 422 not as it should be.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind.lower() != b"multipart/form-data" or not 0 < len(boundary) <= 200:
        given = ascii(kind.decode("latin-1"))[1:-1][:60] or "none"
        raise ProblemError(
            415,
            f"The body is not a form (its Content-Type is {given}): send multipart/form-data with the files as "
            f"{file_field}, as curl -F {file_field}=@FILE does.",
        )
    reading = _Reading(limits, file_field, what, texts, sink is not None)
    try:
        parser = MultipartParser(boundary, cast("MultipartCallbacks", reading.callbacks()))
        preamble = _Preamble(boundary)
        async for piece in request.stream():
            count(len(piece))
            if form_bytes := preamble.after(piece):
                parser.write(form_bytes)
            if sink is not None and reading.pending_bytes >= _WRITTEN_AT_ONCE:
                await run_in_threadpool(sink.write, reading.take_pending())
        parser.finalize()
    except FormParserError as error:
        raise ProblemError(422, "The form cannot be read: it is damaged or cut short.") from error
    if not reading.ended:
        raise ProblemError(422, "The form cannot be read: it is damaged or cut short.")
    reading.check_places()
    if sink is not None:
        await run_in_threadpool(sink.write, reading.take_pending())
    return reading.form


class _Reading:
    """The callbacks of the parser, and what they have gathered."""

    def __init__(
        self, limits: FormLimits, file_field: str, what: str, texts: Collection[str], streams: bool
    ) -> None:
        self._what, self._texts = what, texts
        self.form = Form()
        self.ended = False
        self.misplaced = ""
        self._limits, self._file_field, self._streams = limits, file_field, streams
        self._header_name, self._header_value = bytearray(), bytearray()
        self._disposition = b""
        self._name = ""
        self._file_name: str | None = None
        self._content = bytearray()
        self._size = self._parts = 0

    @property
    def pending_bytes(self) -> int:
        return len(self._content)

    def take_pending(self) -> bytes:
        taken = bytes(self._content)
        self._content.clear()
        return taken

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow(self._header_name, data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(self._header_value, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all_ended,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.files + _MOST_FIELDS:
            raise self._too_many()
        self._disposition, self._size = b"", 0
        if not self._streams:
            self._content = bytearray()

    def _too_many(self) -> ProblemError:
        most, option = self._limits.files, self._limits.files_option
        return ProblemError(
            413, f"The form has more than {most} files: send fewer at once{_or_raise(option)}."
        )

    def _grow(self, text: bytearray, more: bytes) -> None:
        text += more
        if len(text) > _MOST_HEADER_BYTES:
            raise ProblemError(422, "The form cannot be read: a header in it is too long.")

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        given = options.get(b"filename")
        if self._name != self._file_field:
            if given and self._name not in self._texts:
                self.misplaced = self._name
            # A file in a field for text is text.
            self._file_name = None
            return
        self._file_name = plain_name(
            _extended_name(self._disposition) or (given or b"").decode("utf-8", "replace")
        )
        if len(self.form.files) >= self._limits.files:
            raise self._too_many()

    def check_places(self) -> None:
        """Refuse a form whose file is in another field.

        Raises:
            ProblemError: 422.
        """
        if self.misplaced and not self.form.files:
            said = f"The form has the field {self.misplaced[:40]!a}, but {self._what} go into {self._file_field}."
            raise ProblemError(422, said)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        most = _MOST_FIELD_BYTES if self._file_name is None else self._limits.file_bytes
        if self._size > most:
            if self._name == self.misplaced:
                self.check_places()
            what = ascii(self._file_name or self._name)
            option = _or_raise("" if self._file_name is None else self._limits.bytes_option)
            raise ProblemError(
                413, f"{what} in the form has more than {most:,} bytes: send less{option}.", kind="too-large"
            )
        self._content += memoryview(data)[start:end]

    def _end(self) -> None:
        if self._file_name is not None:
            content = b"" if self._streams else bytes(self._content)
            self.form.files.append(Photograph(content, self._file_name))
        else:
            # Fields are small; a streamed file before one has been passed on with `pending`.
            start = len(self._content) - self._size
            self.form.fields[self._name] = self._content[start:].decode("utf-8", "replace")
            del self._content[start:]

    def _all_ended(self) -> None:
        self.ended = True


def _or_raise(option: str) -> str:
    return f", or start the server with a larger {option}" if option else ""


def _extended_name(disposition: bytes) -> str:
    """The file's name in the form of RFC 5987, which beats the plain one; empty without."""
    found = _EXTENDED_NAME.search(disposition)
    if found is None:
        return ""
    charset = "latin-1" if found[1].lower() == b"iso-8859-1" else "utf-8"
    return unquote_to_bytes(found[2]).decode(charset, "replace")


class _Preamble:
    """Drops what stands before the first boundary, which means nothing: RFC 2046, 5.1.1."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter, self._held = b"--" + boundary, b""
        self._passed = False

    def after(self, piece: bytes) -> bytes:
        """What of a piece, and of what was held back before it, is for the parser."""
        if self._passed:
            return piece
        self._held += piece
        at = 0 if self._held.startswith(self._delimiter) else self._held.find(b"\r\n" + self._delimiter)
        if at < 0:
            if len(self._held) > _MOST_HEADER_BYTES:
                raise ProblemError(422, "The form cannot be read: it does not begin with its boundary.")
            return b""
        self._passed = True
        return self._held[at:].lstrip(b"\r\n")


def plain_name(name: str) -> str:
    """The last part of a file's name as a client sent it, without control characters; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(letter for letter in last if letter.isprintable())
    return printable[-_MOST_NAME_CHARACTERS:].strip() or "photograph"
