"""Measure how often the neighbours of a defect are of its type, and how fast the gallery answers.

    python bench/gallery.py [--data FOLDER] [--inspectors FOLDER] [--write]

Each defective photograph is looked up among all others of its set (leave one out), through the gallery itself;
precision@5 is the mean share of its five neighbours that have its defect type. Inspectors are fitted first, with
the default settings, unless `--inspectors` holds NAME.blemish of each set.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.images import read_image
from blemish.core.storage import file_digest
from blemish.core.types import FloatArray
from blemish.data.catalog import open_catalog
from blemish.gallery.defect import Defect
from blemish.gallery.embedding import AnomalyEmbedder
from blemish.gallery.gallery import Gallery
from blemish.gallery.proposal import propose
from blemish.line.artifact import FEATURES, read_artifact
from blemish.line.runtime import Inspector

SETS = ("screw", "magnetic_tile")
NEIGHBOURS = 5
MANY = 10_000
LOOK_UPS = 20
SURE = 0.8


def chance(types: Sequence[str]) -> float:
    """Expected precision of neighbours drawn at random from the others."""
    counts = Counter(types)
    return float(np.mean([(counts[one] - 1) / (len(types) - 1) for one in types]))


def plain(embedder: AnomalyEmbedder, path: Path) -> FloatArray:
    """The vector to compare with: the same backbone's features of the whole photograph, averaged over space."""
    maps = embedder.inspector.features.maps(read_image(path))
    return np.concatenate([features.mean(axis=(1, 2)) for features in maps])


@dataclass(frozen=True)
class Found:
    """What the neighbours of all defects of a set say, each left out of its own look-up.

    Attributes:
        precision: mean share of the five neighbours that have the defect's type.
        right: share of the proposals that are right.
        sure: share of the proposals with a confidence of at least `SURE`.
        right_if_sure: share of those that are right.
    """

    precision: float
    right: float
    sure: float
    right_if_sure: float


def look_up(vectors: Sequence[FloatArray], defects: Sequence[Defect], folder: Path) -> Found:
    """Look each defect up among the others, in a gallery of their own."""
    shares, right, sure = [], [], []
    with Gallery(folder) as gallery:
        for vector, defect in zip(vectors, defects, strict=True):
            gallery.add(vector, "measured", defect)
        for vector, defect in zip(vectors, defects, strict=True):
            found = gallery.similar(vector, "measured", NEIGHBOURS, exclude_digest=defect.image_digest)
            proposal = propose(found)
            shares.append(sum(one.defect.defect_type == defect.defect_type for one in found) / NEIGHBOURS)
            right.append(proposal.defect_type == defect.defect_type)
            sure.append(proposal.confidence >= SURE)
    rights, sures = np.array(right), np.array(sure)
    if_sure = float(rights[sures].mean()) if sures.any() else float("nan")
    return Found(float(np.mean(shares)), float(rights.mean()), float(sures.mean()), if_sure)


def measure_set(data: Path, inspector: Path, work: Path) -> list[str]:
    """A row of the table of precision."""
    embedder = AnomalyEmbedder(Inspector.load(inspector))
    catalog = open_catalog(data)
    rows = catalog.table[catalog.table["label"] == "anomalous"]
    vectors, plains, defects, seconds = [], [], [], []
    for name, defect_type in zip(rows["path"], rows["defect_type"], strict=True):
        path = Path(name)
        image = read_image(path)
        inspection = embedder.inspector.inspect(image)
        started = time.perf_counter()
        vectors.append(embedder.vector_of(image, inspection))
        seconds.append(time.perf_counter() - started)
        plains.append(plain(embedder, path))
        now = datetime.now(UTC)
        defects.append(
            Defect(catalog.category, defect_type, now, "measured", file_digest(path), None, path.name)
        )
    types = [str(defect.defect_type) for defect in defects]
    found = look_up(vectors, defects, work / "map")
    precisions = (chance(types), look_up(plains, defects, work / "plain").precision, found.precision)
    shares = (found.right, found.sure, found.right_if_sure)
    return [
        catalog.category,
        str(len(types)),
        str(len(set(types))),
        *(f"{figure:.3f}" for figure in precisions),
        *(f"{share:.0%}" for share in shares),
        f"{1e3 * float(np.median(seconds)):.0f} ms",
    ]


def measure_speed(folder: Path, values: int) -> list[list[str]]:
    """Rows of the table of times, with 10,000 vectors of `values` numbers in an embedded gallery."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(MANY, values)).astype(np.float32)
    now, rows = datetime.now(UTC), []
    with Gallery(folder) as gallery:
        started = time.perf_counter()
        for number, vector in enumerate(vectors):
            gallery.add(vector, "speed", Defect("part", f"type {number % 5}", now, "one", f"{number:064x}"))
        rows.append(["add one, on the disk", f"{1e3 * (time.perf_counter() - started) / MANY:.1f} ms"])
    started = time.perf_counter()
    with Gallery(folder) as gallery:
        rows.append(["open", f"{time.perf_counter() - started:.1f} s"])
        ways = {
            "look up": {},
            "look up, one image left out": {"exclude_digest": f"{0:064x}"},
            "look up within category, type and time": {
                "category": "part",
                "defect_type": "type 1",
                "since": now,
            },
        }
        for name, options in ways.items():
            started = time.perf_counter()
            for vector in vectors[:LOOK_UPS]:
                gallery.similar(vector, "speed", NEIGHBOURS, **options)
            rows.append([name, f"{1e3 * (time.perf_counter() - started) / LOOK_UPS:.0f} ms"])
    return rows


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
            rows.append(measure_set(given.data / name, inspector, work / name))
        members = read_artifact(inspector).members
        values = 2 * (40 + 112)
        times = measure_speed(work / "many", values)
    head = (
        "set", "defects", "types", "precision@5 by chance", "of the plain vector", "of the vector under the map",
        "proposals right", f"confidence {SURE} or more", "of these right", "time of a vector",
    )  # fmt: skip
    text = "\n\n".join(
        (
            table(head, rows),
            table((f"{MANY:,} vectors of {values} values, embedded", ""), times),
            f"The backbone takes {len(members[FEATURES]) / 1e6:.1f} MB of each inspector.",
            origin(),
        )
    )
    print(text)
    if given.write:
        write_block(ROOT / "docs" / "gallery.md", "gallery", text)


if __name__ == "__main__":
    main()
