"""Measure how pure the clusters of a gallery are, beside chance, and how long they take.

    python bench/clusters.py [--data FOLDER] [--inspectors FOLDER] [--write]

The defects of each set are clustered as `blemish gallery clusters` does it, without their types. Purity is the share of
those in a cluster that have its most frequent type; chance is the same after the types were shuffled among them, 1,000
times. Inspectors are fitted first, with the default settings, unless `--inspectors` holds NAME.blemish of each set.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block
from qdrant_client import models
from sklearn.metrics import adjusted_mutual_info_score

from blemish.core.types import FloatArray
from blemish.explore.clusters import cluster_vectors
from blemish.gallery.defect import Defect, DescribedDefects
from blemish.gallery.gallery import Gallery

SETS = ("screw", "magnetic_tile")
SHUFFLES = 1000
FEWEST = 20
"""Photographs of a lighting that is measured; a seventh has only three."""

MANY = 100_000
VALUES = 304
SIZES = (2000, 5000, 10_000)


def purity(labels: Any, types: Any) -> float:
    """Share of the members of clusters that have their cluster's most frequent type."""
    best = [Counter(types[labels == label]).most_common(1)[0][1] for label in np.unique(labels)]
    return sum(best) / len(labels) if len(labels) else float("nan")


def measure(vectors: FloatArray, given: Sequence[str]) -> list[float]:
    """Defects, types, clusters, share in one, purity, by chance on average and at its 99 % point, and AMI."""
    types, labels = np.array(given), cluster_vectors(vectors)
    inside = labels >= 0
    random = np.random.default_rng(0)
    shuffled = [purity(labels[inside], random.permutation(types[inside])) for _ in range(SHUFFLES)]
    alone = np.where(inside, labels, len(labels) + np.arange(len(labels)))
    return [
        len(types),
        len(set(given)),
        labels.max() + 1,
        inside.mean(),
        purity(labels[inside], types[inside]),
        float(np.mean(shuffled)),
        float(np.quantile(shuffled, 0.99)),
        adjusted_mutual_info_score(types, alone),
    ]


def row(name: str, figures: Sequence[float]) -> list[str]:
    """Figures of a set as text."""
    defects, types, clusters, share, *others = figures
    counts = (f"{count:.0f}" for count in (defects, types, clusters))
    return [name, *counts, f"{share:.0%}", *(f"{one:.3f}" for one in others)]


def lightings(described: DescribedDefects) -> dict[str, list[int]]:
    """Places of the photographs of each lighting of magnetic_tile, which its file names begin with."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, defect in enumerate(described.defects):
        found[defect.name.split("_")[0]].append(place)
    return found


def measure_set(name: str, gallery: Path) -> list[list[str]]:
    """Rows of a set: all defects, and of magnetic_tile each lighting for itself, on average."""
    with Gallery(gallery) as opened:
        (described,) = opened.groups(name)
    types = [str(defect.defect_type) for defect in described.defects]
    rows = [row(name, measure(described.vectors, types))]
    if name == "magnetic_tile":
        each = [
            measure(described.vectors[places], [types[place] for place in places])
            for places in lightings(described).values()
            if len(places) >= FEWEST
        ]
        rows.append(row(f"{name}, one lighting, mean of {len(each)}", np.mean(each, axis=0).tolist()))
    return rows


def time_clusters(count: int) -> list[str]:
    """Seconds and memory of clustering so many vectors, in a process of its own."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, VALUES))
    vectors = centres[random.integers(0, 40, count)] + random.normal(size=(count, VALUES))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    cluster_vectors(vectors[:100])
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    cluster_vectors(vectors)
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return [f"cluster {count:,}", f"{seconds:.1f} s", f"{grown / 1e3:,.0f} MB"]


def time_reading(folder: Path) -> list[str]:
    """Seconds until the newest 2,000 of 100,000 defects of an embedded gallery are read."""
    random = np.random.default_rng(0)
    now = datetime.now(UTC)
    with Gallery(folder) as gallery:
        gallery.add(
            random.normal(size=VALUES).astype(np.float32), "measured", Defect("part", None, now, "one", "0")
        )
        client: Any = gallery._client  # a batch at a time: one by one they take twenty minutes
        (collection,) = gallery._collections()
        for start in range(1, MANY, 1000):
            points = []
            for number in range(start, min(start + 1000, MANY)):
                time_of = now + timedelta(seconds=number)
                known = Defect("part", None, time_of, "one", f"{number:064x}").to_json()
                payload = {**known, "timestamp": time_of.timestamp(), "space": "measured"}
                vector = random.normal(size=VALUES).astype(np.float32).tolist()
                points.append(models.PointStruct(id=number, vector=vector, payload=payload))
            client.upsert(collection, points)
        started = time.perf_counter()
        (described,) = gallery.groups()
        seconds = time.perf_counter() - started
    return [
        f"read the newest {len(described.defects):,} of {described.total:,}, embedded",
        f"{seconds:.1f} s",
        "",
    ]


def main() -> None:
    """Measure, print, and with --write put the tables into docs/gallery.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--inspectors", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in SETS:
            inspector = (given.inspectors or work) / f"{name}.blemish"
            if not inspector.exists():
                run_blemish("fit", given.data / name, "--out", inspector, "--json", cache=work / "cache")
            indexed = ("gallery", "index", given.data / name, "--inspector", inspector)
            run_blemish(*indexed, "--gallery", work / name, "--json", cache=work / "cache")
            rows += measure_set(name, work / name)
        times = [time_reading(work / "many")]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as one:
        times += [one.submit(time_clusters, count).result() for count in SIZES]
    head = (
        "set", "defects", "types", "clusters", "in a cluster", "purity", "purity by chance", "99 % of chance", "AMI",
    )  # fmt: skip
    text = "\n\n".join(
        (table(head, rows), table((f"vectors of {VALUES} values", "time", "memory"), times), origin())
    )
    print(text)
    if given.write:
        write_block(ROOT / "docs" / "gallery.md", "clusters", text)


if __name__ == "__main__":
    main()
