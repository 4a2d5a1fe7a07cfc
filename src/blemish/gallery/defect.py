"""What the gallery knows of a defect, and how it leaves and enters a Qdrant payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from blemish.core.types import FloatArray


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
        path: of the photograph, where it was indexed from a folder.
        view: left, top and side, in pixels of the photograph, of the square around what is most anomalous on it.
    """

    category: str
    defect_type: str | None
    time: datetime
    inspector: str
    image_digest: str
    inspection_id: int | None = None
    name: str = ""
    path: str | None = None
    view: tuple[int, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """The defect as JSON-ready values; the time in ISO 8601, UTC."""
        view = None if self.view is None else list(self.view)
        return vars(self) | {"time": self.time.astimezone(UTC).isoformat(), "view": view}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Defect:
        """The defect whose `to_json` this is, of an earlier Blemish too; other keys are left out.

        Raises:
            KeyError, ValueError, TypeError: it is not one's.
        """
        defect_type = values.get("defect_type")  # embedded Qdrant forgets what was set to None
        number, path, view = values["inspection_id"], values.get("path"), values.get("view")
        return cls(
            category=str(values["category"]),
            defect_type=None if defect_type is None else str(defect_type),
            time=datetime.fromisoformat(values["time"]),
            inspector=str(values["inspector"]),
            image_digest=str(values["image_digest"]),
            inspection_id=None if number is None else int(number),
            name=str(values["name"]),
            path=None if path is None else str(path),
            view=None if view is None else _square(*view),
        )


def _square(left: Any, top: Any, side: Any) -> tuple[int, int, int]:
    return int(left), int(top), int(side)


@dataclass(frozen=True)
class Neighbour:
    """A defect of the gallery and its cosine distance, 0 (the same) to 2 (the opposite)."""

    defect: Defect
    distance: float

    def to_json(self) -> dict[str, Any]:
        """The neighbour as JSON-ready values."""
        return {**self.defect.to_json(), "distance": self.distance}


@dataclass(frozen=True)
class DescribedDefects:
    """Defects of one category with vectors of one space.

    Attributes:
        category: of all of them.
        defects: newest first.
        vectors: of each, N x D float32, of length 1.
        total: how many entries the gallery holds of the category in this space; more where `defects` was limited.
    """

    category: str
    defects: tuple[Defect, ...]
    vectors: FloatArray
    total: int
