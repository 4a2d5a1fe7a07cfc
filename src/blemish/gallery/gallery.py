"""The gallery: vectors of past defects in Qdrant, embedded in a folder or on a server, and what is nearest to one."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from blemish.core.errors import GalleryError
from blemish.core.types import FloatArray
from blemish.gallery.defect import Defect, DescribedDefects, Neighbour
from blemish.gallery.storage import explained, hold, is_server, open_folder, open_server

if TYPE_CHECKING:
    from qdrant_client import models

MOST_DESCRIBED = 2000
"""Defects that `Gallery.groups` gives of a category unless it is asked for others."""

_MOST_CATEGORIES = 1000
_PREFIX = "blemish-defects-"
_NAMESPACE = uuid.UUID("2f0ad3a4-5a0e-4c55-9d6b-5c0b6e1b9d11")

_EQUALS = 64  # more are asked for, as of equally near ones a server gives any


class Gallery:
    """Past defects by their vectors. Safe for the threads of one process; a folder belongs to one process at a time.

    Vectors of each space lie in a collection of their own, so those of different backbones never meet.
    """

    def __init__(self, location: Path | str) -> None:
        """Open a gallery, or make one.

        Args:
            location: a folder for embedded Qdrant, or the http(s) URL of a Qdrant server.

        Raises:
            GalleryError: the folder is in use by another process or cannot be read; no server answers.
        """
        self.location = location
        self._lock = threading.RLock()
        self._on_server = is_server(location)
        self._hold: Any = None
        if self._on_server:
            self._client: Any = open_server(str(location))
            return
        folder = Path(location)
        self._hold = hold(folder)
        try:
            self._client = open_folder(folder)
        except BaseException:
            self._hold.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, vector: FloatArray, space: str, defect: Defect) -> str:
        """Keep a defect; one of the same image and inspector is replaced, but a type that it was given stays.

        Args:
            vector: float32, D values, of `AnomalyEmbedder`.
            space: the vector's space.
            defect: what is known of it.

        Returns:
            The point's id, a UUID.

        Raises:
            GalleryError: it cannot be written.
        """
        from qdrant_client import models

        collection = _collection(space, len(vector))
        point = _point(defect.inspector, defect.image_digest)
        payload = {**defect.to_json(), "timestamp": defect.time.timestamp(), "space": space}
        with self._working() as client:
            if not client.collection_exists(collection):
                self._make(collection, len(vector))
            elif defect.defect_type is None:
                known = client.retrieve(collection, [point], with_payload=["defect_type"])
                payload["defect_type"] = known[0].payload.get("defect_type") if known else None
            client.upsert(collection, [models.PointStruct(id=point, vector=vector.tolist(), payload=payload)])
        return point

    def similar(
        self,
        vector: FloatArray,
        space: str,
        top: int = 5,
        category: str | None = None,
        defect_type: str | None = None,
        since: datetime | None = None,
        exclude_digest: str | None = None,
    ) -> list[Neighbour]:
        """The nearest defects of the same space, nearest first, those equally near in the order of their identifiers.

        Args:
            vector, space: as in `add`.
            top: at most so many.
            category, defect_type: only these.
            since: only those inspected at this aware time or later.
            exclude_digest: SHA-256 of an image to leave out, usually the one asked about.

        Raises:
            GalleryError: it cannot be read.
        """
        collection = _collection(space, len(vector))
        wanted = _filter(category, defect_type, since, exclude_digest)
        with self._working() as client:
            if top < 1 or not client.collection_exists(collection):
                return []
            found = client.query_points(
                collection, query=vector.tolist(), limit=top + _EQUALS, query_filter=wanted
            ).points
            found = sorted(found, key=lambda point: (-round(point.score, 6), str(point.id)))[:top]
            return [
                Neighbour(Defect.of_json(point.payload), min(2.0, max(0.0, 1.0 - float(point.score))))
                for point in found
            ]

    def holds(self, inspector: str, image_digest: str) -> bool:
        """Whether a defect of this image and inspector is in the gallery, in any space.

        Raises:
            GalleryError: it cannot be read.
        """
        point = _point(inspector, image_digest)
        with self._working() as client:
            return any(
                client.retrieve(collection, [point], with_payload=False) for collection in self._collections()
            )

    def groups(self, category: str | None = None, most: int = MOST_DESCRIBED) -> list[DescribedDefects]:
        """The newest defects whose vectors can be compared: of each space and category, by category.

        A photograph counts once, however many inspectors have found its defect.

        Args:
            category: only this one; all when None.
            most: at most so many of each.

        Raises:
            GalleryError: it cannot be read.
        """
        with self._working():
            collections = self._collections()
        found = []
        for collection in collections:
            with self._working() as client:
                facet = client.facet(collection, "category", limit=_MOST_CATEGORIES, exact=True)
            for hit in facet.hits:
                if category in (None, hit.value):
                    found.append(self._newest(collection, str(hit.value), int(hit.count), most))
        return sorted(found, key=lambda group: (group.category, -group.total))

    def _newest(self, collection: str, category: str, total: int, most: int) -> DescribedDefects:
        from qdrant_client import models

        newest = models.OrderBy(key="timestamp", direction=models.Direction.DESC)
        kept: dict[str, tuple[Defect, Any]] = {}
        with self._working() as client:
            records, _ = client.scroll(
                collection,
                _filter(category, None, None, None),
                limit=most,
                order_by=newest,
                with_vectors=True,
            )
            for record in records:
                defect = Defect.of_json(record.payload)
                kept.setdefault(defect.image_digest, (defect, record.vector))
        defects, vectors = zip(*kept.values(), strict=True) if kept else ((), ())
        return DescribedDefects(category, defects, np.asarray(vectors, np.float32), total)

    def set_defect_type(self, image_digest: str, defect_type: str | None) -> None:
        """Say what the defect on an image is, for all its entries; None takes it back. Unknown images do nothing.

        Raises:
            GalleryError: it cannot be written.
        """
        with self._working() as client:
            for collection in self._collections():
                client.set_payload(collection, {"defect_type": defect_type}, points=_of_image(image_digest))

    def remove(self, image_digest: str) -> None:
        """Forget all entries of an image.

        Raises:
            GalleryError: it cannot be written.
        """
        from qdrant_client import models

        with self._working() as client:
            for collection in self._collections():
                client.delete(collection, models.FilterSelector(filter=_of_image(image_digest)))

    def call_by_inspectors(self) -> None:
        """Let the category of every entry be the name of its inspector.

        Entries of earlier versions have what the folder was called that was learnt from: `good`, of several parts.

        Raises:
            GalleryError: it cannot be read or written.
        """
        from qdrant_client import models

        with self._working() as client:
            for collection in self._collections():
                facet = client.facet(collection, "inspector", limit=_MOST_CATEGORIES, exact=True)
                for hit in facet.hits:
                    others = models.Filter(
                        must=[_equal("inspector", str(hit.value))],
                        must_not=[_equal("category", str(hit.value))],
                    )
                    if client.count(collection, count_filter=others, exact=True).count:
                        client.set_payload(collection, {"category": str(hit.value)}, points=others)

    def count(self) -> int:
        """Number of defects, of all spaces.

        Raises:
            GalleryError: it cannot be read.
        """
        with self._working() as client:
            return sum(int(client.count(collection, exact=True).count) for collection in self._collections())

    def close(self) -> None:
        """Close it; a second time does nothing."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                client.close()
            if self._hold is not None:
                self._hold.release()
                self._hold = None

    @contextmanager
    def _working(self) -> Iterator[Any]:
        """The client, for one thread at a time."""
        with self._lock:
            if self._client is None:
                raise GalleryError(f"The gallery {self.location} is closed: open it again.")
            with explained(self.location):
                yield self._client

    def _collections(self) -> list[str]:
        found = self._client.get_collections().collections
        return [collection.name for collection in found if collection.name.startswith(_PREFIX)]

    def _make(self, collection: str, size: int) -> None:
        from qdrant_client import models

        self._client.create_collection(
            collection, vectors_config=models.VectorParams(size=size, distance=models.Distance.COSINE)
        )
        if self._on_server:  # embedded Qdrant has none, and says so each time
            for field in ("category", "defect_type", "image_digest", "inspector"):
                self._client.create_payload_index(collection, field, models.PayloadSchemaType.KEYWORD)
            self._client.create_payload_index(collection, "timestamp", models.PayloadSchemaType.FLOAT)


def _point(inspector: str, image_digest: str) -> str:
    """The id of the defect that an inspector finds on an image."""
    return str(uuid.uuid5(_NAMESPACE, f"{inspector}\n{image_digest}"))


def _collection(space: str, size: int) -> str:
    """The collection of a space; a digest, for names are restricted and may come from an artifact."""
    return _PREFIX + hashlib.sha256(f"{space}\n{size}".encode()).hexdigest()[:16]


def _of_image(digest: str) -> models.Filter:
    from qdrant_client import models

    return models.Filter(must=[_equal("image_digest", digest)])


def _filter(
    category: str | None, defect_type: str | None, since: datetime | None, exclude_digest: str | None
) -> models.Filter | None:
    from qdrant_client import models

    must: list[Any] = [
        _equal(field, value)
        for field, value in (("category", category), ("defect_type", defect_type))
        if value is not None
    ]
    if since is not None:
        must.append(models.FieldCondition(key="timestamp", range=models.Range(gte=since.timestamp())))
    must_not: list[Any] = [_equal("image_digest", exclude_digest)] if exclude_digest is not None else []
    return models.Filter(must=must, must_not=must_not) if must or must_not else None


def _equal(field: str, value: str) -> models.FieldCondition:
    from qdrant_client import models

    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
