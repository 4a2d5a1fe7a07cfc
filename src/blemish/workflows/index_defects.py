"""A category's defective photographs into the gallery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import read_image
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.catalog import open_catalog
from blemish.gallery.defect import Defect
from blemish.gallery.embedding import AnomalyEmbedder
from blemish.gallery.gallery import Gallery
from blemish.line.runtime import Inspector


@dataclass(frozen=True)
class Indexed:
    """What went into a gallery.

    Attributes:
        category: of the photographs.
        types: defects kept, by type.
        skipped: path and cause of each photograph that could not be read.
    """

    category: str
    types: dict[str, int]
    skipped: list[tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return {
            "category": self.category,
            "types": self.types,
            "skipped": [{"path": path, "detail": detail} for path, detail in self.skipped],
        }


def index_catalog(data: Path, inspector: Inspector, gallery: Gallery) -> Indexed:
    """Keep every photograph of a catalog that is labelled as defective; its time is that of its file.

    Raises:
        CatalogError: the folder is no catalog, or holds no defective photograph.
        ArtifactError: the inspector's file holds no backbone.
        GalleryError: the gallery cannot be written.
    """
    catalog = open_catalog(data)
    rows = catalog.table[catalog.table["label"] == "anomalous"]
    if rows.empty:
        raise CatalogError(f"{data} holds no defective photographs: there is nothing to index.")
    embedder = AnomalyEmbedder(inspector)
    types: Counter[str] = Counter()
    skipped: list[tuple[str, str]] = []
    pairs = list(zip(rows["path"], rows["defect_type"], strict=True))
    for name, defect_type in track(pairs, f"Indexing {catalog.category}"):
        path = Path(name)
        try:
            image = read_image(path, bit_depth=inspector.manifest.preprocessing.bit_depth)
        except ImageError as error:
            skipped.append((str(path), error.detail))
            continue
        defect = Defect(
            category=catalog.category,
            defect_type=str(defect_type),
            time=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            inspector=inspector.name,
            image_digest=file_digest(path),
            name=path.name,
        )
        gallery.add(embedder.vector(image), embedder.space, defect)
        types[str(defect_type)] += 1
    return Indexed(catalog.category, dict(sorted(types.items())), skipped)
