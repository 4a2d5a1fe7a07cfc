"""A kind of defect that nobody has named, and that begins in the span, is told by name of the day it began."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("qdrant_client")
pytest.importorskip("sklearn")

from blemish.core.types import Verdict
from blemish.gallery.defect import Defect
from blemish.gallery.gallery import Gallery
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.image_store import ImageStore
from blemish.station.shelf import InspectorShelf
from blemish.workflows.insight import InsightRequest, insight


@pytest.fixture
def home(fitted: Path, tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    database = Database(home.database_url)
    database.upgrade()
    shelf = InspectorShelf(home, database)
    version = shelf.add(fitted, "washer")
    shelf.activate(version.name, version.version)
    database.close()
    return home


def fill(home: Home, now: datetime, name_of_new: str | None) -> list[str]:
    """Old defects that are named, some of before that are not, and ten alike of since three days ago."""
    chance = np.random.default_rng(1)
    old, older, new = np.eye(3, 64, dtype=np.float32)
    images, kept = ImageStore(home.images), []
    with Gallery(home.gallery) as gallery:
        for number in range(30):
            middle = (old, older, new)[number // 10]
            age = timedelta(days=20 - number % 10 if number < 20 else 3, hours=-number)
            picture = cv2.imencode(".png", chance.integers(0, 255, (40, 40, 3), dtype=np.uint8))[1].tobytes()
            images.keep(picture, ".png", Verdict.REJECT)
            kept.append(hashlib.sha256(picture).hexdigest())
            kind = ("scratch", None, name_of_new)[number // 10]
            vector = middle + 0.05 * chance.normal(size=64).astype(np.float32)
            defect = Defect("washer", kind, now - age, "washer", kept[-1], inspection_id=number + 1)
            gallery.add((vector / np.linalg.norm(vector)).astype(np.float32), "space", defect)
    return kept


def test_a_new_kind_is_told_with_its_pictures(home: Home, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    fill(home, now, None)
    out = tmp_path / "week.html"
    found = insight(InsightRequest(part="washer", home=home.path, out=out))
    kinds = found.insight.kinds
    assert kinds is not None and found.insight.kinds_trouble is None
    assert [one.count for one in kinds] == [10] and set(kinds[0].inspections) == set(range(21, 31))
    assert any("A new kind of defect appears since" in said for said in found.findings)
    assert out.read_text("utf-8").count('src="data:image/jpeg;base64,') == 10
    assert found.to_json()["new_kinds"][0]["count"] == 10


def test_what_somebody_has_named_is_no_new_kind(home: Home) -> None:
    fill(home, datetime.now(UTC), "dent")
    assert insight(InsightRequest(home=home.path)).insight.kinds == ()


def test_where_nobody_can_look_that_is_said(home: Home, tmp_path: Path) -> None:
    found = insight(InsightRequest(home=home.path, gallery=str(tmp_path / "none")))
    assert found.insight.kinds is None and "no gallery" in str(found.insight.kinds_trouble)
