"""A category's defective photographs into the gallery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blemish.core.errors import CatalogError, ImageError, UsageError
from blemish.core.progress import say, track
from blemish.line.inspector_title import kept_version
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import Beholder, GalleryLocation
from blemish.workflows.request import Argument, Outcome


class IndexDefectsRequest(DataRequest):
    """Keep the defects of a category."""

    data: Annotated[Path, Argument("DATA")] = Field(description="Folder of one category, or a manifest.")
    inspector: Beholder
    gallery: GalleryLocation = None


@dataclass(frozen=True)
class IndexDefectsResult(Outcome):
    """What went into a gallery.

    Attributes:
        category: the part, by the name of its inspector.
        types: defects kept, by type, sorted.
        skipped: path and cause of each photograph that could not be read.
        count: defects that the gallery holds now.
    """

    category: str
    types: dict[str, int]
    skipped: tuple[tuple[str, str], ...]
    count: int

    @property
    def complete(self) -> bool:
        """Whether every photograph could be read."""
        return not self.skipped

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        skipped = [{"path": path, "detail": detail} for path, detail in self.skipped]
        return {"category": self.category, "types": self.types, "skipped": skipped, "count": self.count}


def index_defects(request: IndexDefectsRequest) -> IndexDefectsResult:
    """Keep every photograph that is labelled as defective; its time is that of its file.

    What is in the gallery already is replaced, not doubled.

    Raises:
        CatalogError: the folder is no catalog, or holds no defective photograph.
        ArtifactError: the inspector cannot be used, or its file holds no backbone.
        GalleryError: the gallery cannot be written.
    """
    from blemish.core.images import read_image
    from blemish.core.storage import file_digest
    from blemish.data.catalog import open_catalog
    from blemish.gallery.defect import Defect
    from blemish.gallery.embedding import AnomalyEmbedder, close_view
    from blemish.gallery.gallery import Gallery
    from blemish.line.runtime import Inspector

    inspector = Inspector.load(request.inspector)
    catalog = open_catalog(request.data, told=request.told)
    rows = catalog.table[catalog.table["label"] == "anomalous"]
    if rows.empty:
        raise CatalogError(f"{request.data} holds no defective photographs: there is nothing to index.")
    embedder, part = AnomalyEmbedder(inspector), part_of(request.inspector, inspector.name)
    types: Counter[str] = Counter()
    skipped: list[tuple[str, str]] = []
    with Gallery(gallery_location(request.gallery)) as gallery:
        pairs = list(zip(rows["path"], rows["defect_type"], strict=True))
        for name, defect_type in track(pairs, f"Indexing {part}"):
            path = Path(name)
            try:
                image = read_image(path, bit_depth=inspector.manifest.preprocessing.bit_depth)
                inspection = inspector.inspect(path)
            except ImageError as error:
                say(str(error))
                skipped.append((str(path), error.detail))
                continue
            defect = Defect(
                category=part,
                defect_type=str(defect_type),
                time=datetime.fromtimestamp(path.stat().st_mtime, UTC),
                inspector=part,
                image_digest=file_digest(path),
                name=path.name,
                path=str(path.absolute()),
                view=close_view(image, inspection),
            )
            gallery.add(embedder.vector_of(image, inspection), embedder.space, defect)
            types[str(defect_type)] += 1
        count = gallery.count()
    return IndexDefectsResult(part, dict(sorted(types.items())), tuple(skipped), count)


def part_of(inspector: Path, name: str) -> str:
    """What a gallery calls the part of an inspector: its name, that on the shelf where the file is of one."""
    kept = kept_version(inspector)
    return kept[0] if kept else name


def gallery_location(given: str | None) -> str:
    """Where the gallery is: as given, or the station's own."""
    from blemish.station.home import default_home

    return given or str(default_home() / "gallery")


def existing_gallery(given: str | None) -> str:
    """As `gallery_location`; to look into a gallery makes no folder.

    Raises:
        UsageError: there is no such folder.
    """
    location = gallery_location(given)
    if not location.startswith(("http://", "https://")) and not Path(location).is_dir():
        raise UsageError(
            f"There is no gallery at {location}: make it with blemish gallery index, or name another."
        )
    return location
