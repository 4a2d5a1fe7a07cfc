"""What a backup of a station's home holds: its own list of files with their digests, and what may stand in that."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from blemish.core.errors import UsageError

CONTENTS = "backup.json"
HISTORY = "blemish.db"
SETTINGS = ("station", "retention.json")
"""Small files of a home that a backup holds. Secrets stay where they are: new ones are made where it is restored."""

MOST_CONTENTS_BYTES = 2**30
_STEP = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}"
_MEMBER = re.compile(
    rf"blemish\.db|station|retention\.json|inspectors/{_STEP}/{_STEP}\.blemish|images/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.[a-z0-9]{{1,5}}"
    rf"|gallery/(?:{_STEP}/){{0,4}}{_STEP}|jobs/{_STEP}/{_STEP}"
)


def _member(name: str) -> str:
    if not _MEMBER.fullmatch(name):
        raise ValueError(f"{name[:80]!a} is no file of a home")
    return name


Member = Annotated[str, AfterValidator(_member)]


class HeldFile(BaseModel):
    """A file of a backup: its size, and SHA-256 as 64 hexadecimal digits."""

    model_config = ConfigDict(frozen=True)

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Contents(BaseModel):
    """What a backup holds.

    Attributes:
        format: version of this list.
        blemish: version that made it.
        made: when, in UTC.
        tables: version of the history's tables; None without a history.
        inspections: in the history; None without one.
        photographs, gallery: whether they are in it.
        files: by their place in the home.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    blemish: str
    made: AwareDatetime
    tables: str | None
    inspections: int | None
    photographs: bool
    gallery: bool
    files: dict[Member, HeldFile]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(one.bytes for one in self.files.values())


def read_contents(text: bytes, shown: object) -> Contents:
    """The list of a backup.

    Raises:
        UsageError: it is none, or of a newer Blemish.
    """
    if re.search(rb'"format":\s*(?!1\b)\d+', text[:1000]):
        raise UsageError(f"{shown} was made by a newer Blemish: update with pip install --upgrade blemish.")
    try:
        return Contents.model_validate_json(text)
    except ValueError as error:
        raise UsageError(f"{shown} is no backup of a station, or damaged: name another one.") from error


def stamp(moment: datetime) -> str:
    """A time as it stands in names of files."""
    return f"{moment:%Y%m%d-%H%M%S}"
