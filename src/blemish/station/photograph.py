"""A photograph on its way to a verdict, and what is known of the part that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from blemish.station.records import check_line


@dataclass(frozen=True)
class PartMetadata:
    """What the sender knows of a part; None where it says nothing.

    Attributes:
        serial_number: of the part.
        batch: that it belongs to: a lot, an order, a coil.
        shift: that made it.
        camera: that took the photograph.

    Raises:
        UsageError: a value is not one line of 1 to 80 characters.
    """

    serial_number: str | None = None
    batch: str | None = None
    shift: str | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None:
                check_line(value, name.replace("_", " "))

    def or_else(self, other: PartMetadata) -> PartMetadata:
        """These values, and those of `other` where there are none."""
        return PartMetadata(**{name: value or getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was sent: bytes of the file, the sender's name for it, and what is known of the part."""

    content: bytes = field(repr=False)
    file_name: str
    metadata: PartMetadata = PartMetadata()
