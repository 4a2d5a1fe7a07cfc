"""A large gallery of defects: adding, opening, looking up, and the memory that it takes.

    python bench/large_gallery.py [--vectors 1000000] [--embedded 20000] [--asked 20] [--server URL] [--write]

Vectors are of the default backbone's dimension, 2 x (40 + 112), and lie in 1000 clusters, as defects of a kind do. The
embedded Qdrant that `Gallery` uses compares with each of them, in Python, so `--embedded` are enough to see by what it
grows. Qdrant Edge, the server's engine in a process (pip install qdrant-edge-py), gets `--vectors`; so does `--server`,
if there is one. About three quarters of an hour, nearly all of it for the index.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from measuring.pages import ROOT, origin, table, write_block
from measuring.scale_figures import remember

from blemish.core.types import FloatArray
from blemish.gallery.defect import Defect
from blemish.gallery.gallery import Gallery

VALUES, CLUSTERS, PIECE = 2 * (40 + 112), 1000, 10_000
SPACE, TYPES, PARTS = "measured", 20, 50
BUDGET_SECONDS = 60.0


def vectors(count: int, seed: int = 0) -> Iterator[FloatArray]:
    """Vectors in pieces, float32 N x VALUES, around so many centres."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(CLUSTERS, VALUES)).astype(np.float32)
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        noise = random.normal(scale=0.4, size=(size, VALUES)).astype(np.float32)
        yield centres[random.integers(0, CLUSTERS, size)] + noise


def defect(number: int, start: datetime) -> Defect:
    """What is known of a defect: of 50 parts and 20 types in turn, one a minute."""
    return Defect(
        f"part-{number % PARTS}",
        f"type {number % TYPES}",
        start + timedelta(minutes=number),
        f"part-{number % PARTS}",
        f"{number:064x}",
        number,
        f"{number}.png",
    )


def fill(gallery: Gallery, count: int, start: datetime) -> None:
    """Put in so many, in pieces; the first by the gallery itself, which makes the collection."""
    from qdrant_client import models

    client: Any = gallery._client
    number = 0
    for piece in vectors(count):
        points = []
        for vector in piece:
            one = defect(number, start)
            if number == 0:
                gallery.add(vector, SPACE, one)
            payload = {**one.to_json(), "timestamp": one.time.timestamp(), "space": SPACE}
            identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
            points.append(models.PointStruct(id=identifier, vector=vector.tolist(), payload=payload))
            number += 1
        client.upsert(gallery._collections()[0], points)
        if number % 100_000 == 0:
            print(f"{number:,} vectors", flush=True)


def asked(ask: Callable[[FloatArray], object], times: int) -> tuple[float, float, int]:
    """Median and 99th percentile of calls in milliseconds, and how many there were within a minute."""
    found: list[float] = []
    queries = next(vectors(times + 1, seed=1))
    ask(queries[0])
    started = time.perf_counter()
    for query in queries[1:]:
        begun = time.perf_counter()
        ask(query)
        found.append(1000 * (time.perf_counter() - begun))
        if len(found) >= 3 and time.perf_counter() - started > BUDGET_SECONDS:
            break
    found.sort()
    return found[len(found) // 2], found[min(len(found) - 1, int(0.99 * len(found)))], len(found)


class Edge:
    """Qdrant Edge with what a gallery asks of its storage: the same fields indexed, the same filters."""

    def __init__(self, folder: Path) -> None:
        import qdrant_edge

        self._edge = qdrant_edge
        if (folder / "segments").exists():
            self.shard = qdrant_edge.EdgeShard.load(str(folder))
            return
        folder.mkdir(parents=True)
        of = qdrant_edge.EdgeVectorParams(VALUES, qdrant_edge.Distance.Cosine)
        self.shard = qdrant_edge.EdgeShard.create(str(folder), qdrant_edge.EdgeConfig(vectors=of))
        kinds = qdrant_edge.PayloadSchemaType
        fields = dict.fromkeys(("category", "defect_type", "image_digest", "inspector"), kinds.Keyword)
        for field, kind in (fields | {"timestamp": kinds.Float}).items():
            self.shard.update(qdrant_edge.UpdateOperation.create_field_index(field, kind))

    def put(self, found: list[tuple[str, FloatArray, dict[str, Any]]]) -> None:
        """Insert points, and put them on the disk."""
        points = [self._edge.Point(name, vector.tolist(), payload) for name, vector, payload in found]
        self.shard.update(self._edge.UpdateOperation.upsert_points(points))
        self.shard.flush()

    def similar(self, vector: FloatArray, since: float | None = None, **equal: str) -> list[Any]:
        """The nearest five, of those with such fields."""
        edge = self._edge
        must = [edge.FieldCondition(key, match=edge.MatchValue(value)) for key, value in equal.items()]
        if since is not None:
            must.append(edge.FieldCondition("timestamp", range=edge.RangeFloat(gte=since)))
        asked = edge.QueryRequest(
            5 + 64,
            query=edge.Query.Nearest(vector.tolist()),
            filter=edge.Filter(must=must) if must else None,
            with_payload=True,
        )
        return list(self.shard.query(asked))


def points(
    count: int, start: datetime, seed: int = 0
) -> Iterator[list[tuple[str, FloatArray, dict[str, Any]]]]:
    """Identifiers, vectors and payloads in pieces, as `Gallery.add` makes them."""
    number = 0
    for piece in vectors(count, seed):
        made = []
        for vector in piece:
            one = defect(number, start)
            payload = {**one.to_json(), "timestamp": one.time.timestamp(), "space": SPACE}
            made.append((str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {number}")), vector, payload))
            number += 1
        yield made


def measured_edge(folder: Path, count: int, times: int) -> list[list[str]]:
    """Rows of the table of Qdrant Edge; how many of the true nearest five it finds is the last."""
    start = datetime.now(UTC) - timedelta(minutes=count)
    begun = time.perf_counter()
    edge = Edge(folder)
    for piece in points(count, start):
        edge.put(piece)
    rows = [["fill, in pieces", f"{1e3 * (time.perf_counter() - begun) / count:.2f} each", "", ""]]
    begun = time.perf_counter()
    edge.shard.optimize()
    rows.append(["make the index (HNSW)", f"{1e3 * (time.perf_counter() - begun) / count:.2f} each", "", "1"])
    edge.shard.close()
    begun = time.perf_counter()
    edge = Edge(folder)
    rows.append(["open", f"{1e3 * (time.perf_counter() - begun):.0f}", "", "1"])
    week = (datetime.now(UTC) - timedelta(days=7)).timestamp()
    fresh = iter(next(points(PIECE, start, seed=2)))
    ways: dict[str, Callable[[FloatArray], object]] = {
        "look up": edge.similar,
        "look up within a part": lambda vector: edge.similar(vector, category="part-7"),
        "look up within part, type and a week": lambda vector: edge.similar(
            vector, week, category="part-7", defect_type="type 7"
        ),
        "add one, on the disk": lambda vector: edge.put([next(fresh)]),
    }
    rows += [_row(name, *asked(ask, times)) for name, ask in ways.items()]
    edge.shard.close()
    return rows


def _row(name: str, median: float, p99: float, times: int) -> list[str]:
    print(name, median, p99, times, flush=True)
    return [name, f"{median:.1f}", f"{p99:.1f}", str(times)]


def measured_gallery(location: Path | str, count: int, times: int) -> list[list[str]]:
    """Rows of the table of the gallery itself, embedded or on a server."""
    start = datetime.now(UTC) - timedelta(minutes=count)
    begun = time.perf_counter()
    with Gallery(location) as gallery:
        fill(gallery, count, start)
    rows = [["fill, in pieces", f"{1e3 * (time.perf_counter() - begun) / count:.2f} each", "", ""]]
    begun = time.perf_counter()
    with Gallery(location) as gallery:
        rows.append(["open", f"{1e3 * (time.perf_counter() - begun):.0f}", "", "1"])
        fresh = iter(range(count, 2 * count))
        week = datetime.now(UTC) - timedelta(days=7)
        ways: dict[str, Callable[[FloatArray], object]] = {
            "look up": lambda vector: gallery.similar(vector, SPACE),
            "look up within a part": lambda vector: gallery.similar(vector, SPACE, category="part-7"),
            "look up within part, type and a week": lambda vector: gallery.similar(
                vector, SPACE, category="part-7", defect_type="type 7", since=week
            ),
            "add one, on the disk": lambda vector: gallery.add(vector, SPACE, defect(next(fresh), start)),
        }
        rows += [_row(name, *asked(ask, times)) for name, ask in ways.items()]
    return rows


def _used(folder: Path, count: int, before: int) -> dict[str, float]:
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"disk_bytes": disk / count, "memory_bytes": max(0, resident() - before) / count}


def resident() -> int:
    """Bytes of memory that this process holds, without pages of files that the system may take back."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def main() -> None:
    """Fill, open anew, ask, print, and with --write put the table into docs/scale.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--embedded", type=int, default=20_000)
    parser.add_argument("--asked", type=int, default=20)
    parser.add_argument("--server")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    head = ("median, ms", "p99, ms", "asked")
    pieces, used = [], dict[str, dict[str, float]]()
    with tempfile.TemporaryDirectory() as temporary:
        plans: list[tuple[str, int, Callable[..., list[list[str]]], Any]] = [
            ("Qdrant Edge", given.vectors, measured_edge, Path(temporary, "edge")),
            ("embedded, as it is used", given.embedded, measured_gallery, Path(temporary, "embedded")),
        ]
        if given.server:
            plans.append(("a Qdrant server", given.vectors, measured_gallery, given.server))
        for name, count, measure, location in plans:
            before = resident()
            try:
                rows = measure(location, count, given.asked)
            except ModuleNotFoundError as error:
                print(f"{name}: {error.name} is not installed.")
                continue
            pieces.append(table((f"{count:,} vectors of {VALUES} values, {name}", *head), rows))
            if isinstance(location, Path):
                used[name] = _used(location, count, before)
                pieces.append(
                    "{disk_bytes:.0f} bytes of disk and {memory_bytes:.0f} of memory each.".format(
                        **used[name]
                    )
                )
    text = "\n\n".join((*pieces, origin()))
    print(text)
    if given.write:
        write_block(ROOT / "docs" / "scale.md", "large-gallery", text)
        if edge := used.get("Qdrant Edge"):
            remember("gallery", **edge)


if __name__ == "__main__":
    main()
