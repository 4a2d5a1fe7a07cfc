"""What the gallery knows of a defect, and how it leaves and enters a Qdrant payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Defect:
    """A rejected or labelled part.

    Attributes:
        category: the product or surface.
        defect_type: what a person or a data set calls it; None while nobody has said.
        time: when it was inspected, aware.
        inspector: name of the inspector whose map says where it is.
        image_digest: SHA-256 of the photograph's file.
        inspection_id: of the history's record, if there is one.
        name: the photograph's file name, for people.
    """

    category: str
    defect_type: str | None
    time: datetime
    inspector: str
    image_digest: str
    inspection_id: int | None = None
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """The defect as JSON-ready values; the time in ISO 8601, UTC."""
        return vars(self) | {"time": self.time.astimezone(UTC).isoformat()}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Defect:
        """The defect whose `to_json` this is; other keys are left out.

        Raises:
            KeyError, ValueError, TypeError: it is not one's.
        """
        number = values["inspection_id"]
        return cls(
            category=str(values["category"]),
            defect_type=None if values["defect_type"] is None else str(values["defect_type"]),
            time=datetime.fromisoformat(values["time"]),
            inspector=str(values["inspector"]),
            image_digest=str(values["image_digest"]),
            inspection_id=None if number is None else int(number),
            name=str(values["name"]),
        )


@dataclass(frozen=True)
class Neighbour:
    """A defect of the gallery and its cosine distance, 0 (the same) to 2 (the opposite)."""

    defect: Defect
    distance: float

    def to_json(self) -> dict[str, Any]:
        """The neighbour as JSON-ready values."""
        return {**self.defect.to_json(), "distance": self.distance}
