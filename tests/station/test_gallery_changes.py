"""What a gallery has still to learn of the log: noted with it, kept until it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from blemish.core.errors import NotFoundError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.gallery_changes import GalleryChanges
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection

MakeInspection = Callable[..., NewInspection]


def test_defects_and_words_are_noted_oldest_first(database: Database, inspection: MakeInspection) -> None:
    log, changes = InspectionLog(database, "here"), GalleryChanges(database, "here")
    defect = replace(inspection(), verdict=Verdict.REJECT, image_suffix=".png", gives_map=True)
    passed, first, not_kept, no_place, second, unsure = log.add(
        [
            replace(defect, verdict=Verdict.PASS),
            defect,
            replace(defect, image_suffix=None),
            replace(defect, gives_map=False),
            defect,
            replace(defect, verdict=Verdict.REVIEW),
        ]
    )
    assert list(changes.oldest(10)) == [first, second]
    assert list(changes.oldest(1)) == [first]
    log.give_feedback(passed, NewFeedback("bad"))
    log.give_feedback(first, NewFeedback("good"))
    notes = changes.oldest(10)
    assert list(notes) == [first, second, passed] and len(notes[first]) == 2
    assert changes.count() == 3
    log.give_feedback(first, NewFeedback("bad"))
    changes.forget(notes[first])
    assert list(changes.oldest(10)) == [second, passed, first]  # what was said after they were read
    for numbers in changes.oldest(10).values():
        changes.forget(numbers)
    assert changes.count() == 0 and changes.oldest(10) == {}
    assert not_kept and no_place and unsure


def test_stations_that_share_a_database_have_notes_of_their_own(
    database: Database, inspection: MakeInspection
) -> None:
    defect = replace(inspection(), verdict=Verdict.REJECT, image_suffix=".png")
    InspectionLog(database, "here").add([defect])
    InspectionLog(database).add([defect])
    (there,) = InspectionLog(database, "there").add([defect])
    assert list(GalleryChanges(database, "there").oldest(10)) == [there]
    assert GalleryChanges(database, "elsewhere").count() == 0


def test_what_is_not_logged_is_not_noted(database: Database, inspection: MakeInspection) -> None:
    log = InspectionLog(database, "here")
    with pytest.raises(NotFoundError):
        log.give_feedback(7, NewFeedback("bad"))
    assert GalleryChanges(database, "here").count() == 0


def test_the_latest_word_on_a_photograph_is_that_of_any_inspection(
    log: InspectionLog, inspection: MakeInspection
) -> None:
    mine = inspection()
    first, second = log.add([mine, mine])
    (other,) = log.add([replace(mine, image_digest="0" * 64)])
    assert log.latest_feedback(mine.image_digest) is None
    log.give_feedback(second, NewFeedback("good"))
    said = log.give_feedback(first, NewFeedback("bad", "hole"))
    log.give_feedback(other, NewFeedback("good"))
    assert log.latest_feedback(mine.image_digest) == said


def _station(path: Path) -> str:
    return Home(path).station


def test_a_station_has_one_name_for_ever(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as processes:
        names = set(processes.map(_station, [tmp_path / "a"] * 8))
    assert names == {Home(tmp_path / "a").station}
    assert Home(tmp_path / "b").station not in names
    names_in_home = {path.name for path in (tmp_path / "a").iterdir()}
    assert names_in_home == {"gallery", "images", "inspectors", "jobs", "laboratory", "station", "uploads"}
