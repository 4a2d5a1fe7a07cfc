"""Clusters of a gallery's defects: what is compared, how clusters are named, and their report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qdrant_client")
from qdrant_stand_in import qdrant_server

from blemish.core.pictures import encoded
from blemish.core.types import FloatArray
from blemish.gallery.clusters import find_clusters
from blemish.gallery.defect import Defect, DescribedDefects
from blemish.gallery.gallery import Gallery
from blemish.station.defect_pictures import close_picture
from blemish.station.image_store import ImageStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def defect(number: int, defect_type: str | None = None, category: str = "washer") -> Defect:
    time = NOON + timedelta(hours=number)
    return Defect(category, defect_type, time, "first", f"{number:064x}", number, f"{number}.png")


def vector(number: int) -> FloatArray:
    """Defects whose numbers have the same tens look alike."""
    random = np.random.default_rng(number)
    found = np.eye(16, dtype=np.float32)[number // 10] + 0.05 * random.normal(size=16).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found), np.float32)


@pytest.fixture(params=["folder", "server"])
def gallery(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gallery]:
    if request.param == "folder":
        with Gallery(tmp_path / "gallery") as opened:
            yield opened
        return
    monkeypatch.setenv("BLEMISH_QDRANT_KEY", "key")
    with qdrant_server("key") as address, Gallery(address) as opened:
        yield opened


def test_the_newest_of_each_category_are_compared(gallery: Gallery) -> None:
    assert gallery.groups() == []
    for number in range(12):
        gallery.add(vector(number), "one", defect(number, category=("board", "washer")[number % 2]))
    board, washer = gallery.groups(most=4)
    assert (board.category, board.total, washer.category) == ("board", 6, "washer")
    assert [one.inspection_id for one in board.defects] == [10, 8, 6, 4]
    assert board.vectors == pytest.approx(np.stack([vector(number) for number in (10, 8, 6, 4)]), abs=1e-6)
    assert [group.category for group in gallery.groups("washer")] == ["washer"]
    assert gallery.groups("nothing") == []


def test_a_photograph_counts_once_and_spaces_stay_apart(gallery: Gallery) -> None:
    gallery.add(vector(1), "one", defect(1))
    gallery.add(vector(1), "one", replace(defect(1), inspector="second"))
    gallery.add(vector(1), "two", defect(1))
    groups = gallery.groups()
    assert [(len(group.defects), group.total) for group in groups] == [(1, 2), (1, 1)]


def tens(vectors: FloatArray) -> Any:
    """The cluster of each vector: the largest value's place; the last place is none."""
    places = vectors.argmax(axis=1)
    return np.where(places == 3, -1, places)


def group(*defects: Defect) -> DescribedDefects:
    vectors = np.stack([vector(one.inspection_id or 0) for one in defects])
    return DescribedDefects(defects[0].category, defects, vectors, len(defects) + 5)


def test_clusters_are_named_by_most_of_their_named_members() -> None:
    named = ["hole", "scratch", "scratch", None, None, None, "hole", "scratch"]
    washers = [defect(number, kind) for number, kind in enumerate(named)]
    washers += [defect(number) for number in range(10, 15)]
    washers += [defect(31), defect(30)]
    boards = [defect(number, "short", "board") for number in range(20, 23)]
    found = find_clusters([group(*washers), group(*boards)], lambda vectors: dense(tens(vectors)))
    assert [(one.number, one.category, len(one.defects)) for one in found.clusters] == [
        (1, "washer", 5), (2, "washer", 8), (3, "board", 3),
    ]  # fmt: skip
    new, mixed, _ = found.clusters
    assert new.is_new and new.defect_type is None and new.headline.startswith("New: 5 alike")
    assert (mixed.defect_type, mixed.types) == ("scratch", {"scratch": 3, "hole": 2})
    assert mixed.headline == "scratch: 3 of 8 are called so"
    assert [one.inspection_id for one in found.single] == [31, 30]
    assert (found.count, found.total) == (18, 28)
    assert "3 clusters, 1 of them new, and 2 defects in none." in found.sentence
    assert "newest of 28" in found.sentence


def dense(labels: Any) -> Any:
    """Labels without gaps."""
    used = sorted(set(labels[labels >= 0].tolist()))
    return np.array([used.index(one) if one >= 0 else -1 for one in labels.tolist()])


def test_the_most_typical_stand_first() -> None:
    vectors = np.array([[0.8, 0.6], [1, 0], [0.6, -0.8], [0.96, 0.28]], np.float32)
    described = DescribedDefects("washer", tuple(defect(number) for number in range(4)), vectors, 4)
    found = find_clusters([described], lambda vectors: np.zeros(len(vectors), np.int64))
    assert [one.inspection_id for one in found.clusters[0].defects] == [1, 3, 0, 2]


def test_a_picture_is_the_close_view_of_the_photograph_that_was_meant(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    path = tmp_path / "part.png"
    path.write_bytes(encoded(image, ".png"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = replace(defect(1), image_digest=digest, path=str(path), view=(10, 5, 20))
    images = ImageStore(tmp_path / "images")
    shown = close_picture(known, images)
    assert shown is not None and (shown == image[5:25, 10:30]).all()
    whole = close_picture(replace(known, view=None), images)
    assert whole is not None and (whole == image).all()
    assert Defect.of_json(known.to_json()) == known
    assert close_picture(replace(known, path=None), images) is None
    path.write_bytes(encoded(255 - image, ".png"))  # another photograph under the same name
    assert close_picture(known, images) is None
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    assert close_picture(replace(known, path=str(secret)), images) is None


def test_defects_of_an_earlier_blemish_are_read() -> None:
    old = {name: value for name, value in defect(1).to_json().items() if name not in ("path", "view")}
    assert Defect.of_json(old) == defect(1)


@pytest.mark.browser
def test_clusters_of_an_indexed_folder_with_their_report(
    fitted: Path,
    washers: Path,
    blemish: Callable[..., Any],
    tmp_path: Path,
    report_page: Callable[[Path], AbstractContextManager[Any]],
) -> None:
    place = ("--gallery", tmp_path / "gallery")
    assert blemish("gallery", "index", washers, "--inspector", fitted, *place).status == 0
    report = tmp_path / "clusters.html"
    asked = ("gallery", "clusters", *place, "--min-cluster-size", 2, "--report", report)
    outcome = blemish(*asked, "--json")
    assert outcome.status == 0, outcome.stderr
    found = outcome.document
    members = sum(len(cluster["defects"]) for cluster in found["clusters"])
    assert members + len(found["single"]) == found["count"] == found["total"] == 12
    assert found["clusters"] and all(cluster["defect_type"] for cluster in found["clusters"])
    with report_page(report) as page:
        assert page.locator(".cluster").count() == len(found["clusters"])
        assert page.locator(".exhibit img").count() == 12
        assert page.locator(".missing").count() == 0
    assert f"1. washer, {found['clusters'][0]['defect_type']}: " in blemish(*asked).stdout
    nothing = blemish("gallery", "clusters", "--gallery", tmp_path / "absent")
    assert nothing.status == 2 and "There is no gallery at" in nothing.stderr
