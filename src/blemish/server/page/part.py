"""What the four areas of a part share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from blemish.core.errors import NotFoundError
from blemish.server.routes.running import Running
from blemish.station.records import NAME_PATTERN
from blemish.station.shelf import InspectorVersion

PartName = Annotated[str, Path(pattern=NAME_PATTERN)]


@dataclass(frozen=True)
class Part:
    """A part: its name, all versions of its inspector, newest last, and the one that judges, if any does."""

    name: str
    versions: tuple[InspectorVersion, ...]
    active: InspectorVersion | None


def part(service: Running, name: PartName) -> Part:
    """The part at an address.

    Raises:
        NotFoundError: there is none of this name.
    """
    versions = tuple(service.shelf.versions(name))
    if not versions:
        raise NotFoundError(f"There is no part {name}: go to the parts, or learn it first.")
    return Part(name, versions, next((one for one in versions if one.active), None))


Chosen = Annotated[Part, Depends(part)]
