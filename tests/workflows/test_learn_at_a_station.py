"""A station learns from its corrections: replayed, activated only where nothing gets worse, audited, and taken back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import pytest

pytest.importorskip("torch", reason="the extra [train] is not installed")

import blemish as bl
from blemish.core.images import read_image
from blemish.core.pictures import encoded
from blemish.core.types import Verdict
from blemish.line.artifact import read_artifact, write_artifact
from blemish.station.audit import AuditLog
from blemish.station.corrections import StationCorrections
from blemish.station.home import Home
from blemish.station.image_store import ImageStore, KeepPolicy
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.workflows.station import opened_station

Blemish = Callable[..., Any]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def stamped(path: Path, place: int) -> bytes:
    """A good part with a stamp that the inspector has never seen."""
    image = read_image(path).copy()
    cv2.circle(image, (52 + 6 * place, 30), 5, (20,) * 3, -1)
    return encoded(image, ".png")


class Line:
    """A station whose photographs are all kept, and what people say of them."""

    def __init__(self, home: Path, fitted: Path) -> None:
        self.home, self.inspector = home, bl.load(fitted)
        self.images = ImageStore(Home(home).images, KeepPolicy(keep="all", reserve_gigabytes=0))
        with opened_station(home, None) as station:
            station.shelf.add(fitted, "washer")
            station.shelf.activate("washer", 1)

    def judge(self, contents: list[bytes]) -> list[int]:
        with opened_station(self.home, None) as station:
            return InspectionLog(station.database).add([
                NewInspection.of(
                    self.inspector.inspect(one), time=NOON + timedelta(seconds=k), inspector="washer", version=1,
                    percentile=50.0, image_digest=sha256(one).hexdigest(),
                    image_suffix=self.images.keep(one, ".png", Verdict.PASS), file_name=f"{k}.png",
                )
                for k, one in enumerate(contents)
            ])  # fmt: skip

    def say(self, numbers: list[int], truth: str, by: str = "anna") -> None:
        with opened_station(self.home, None) as station:
            for number in numbers:
                InspectionLog(station.database).give_feedback(number, NewFeedback(truth, by=by))  # type: ignore[arg-type]

    def audited(self) -> list[Any]:
        with opened_station(self.home, None) as station:
            return list(AuditLog(station.database).page("washer").entries)

    def active(self) -> int:
        with opened_station(self.home, None) as station:
            return station.shelf.active("washer").version


@pytest.fixture
def line(fitted: Path, tmp_path: Path) -> Line:
    return Line(tmp_path / "home", fitted)


def test_the_whole_way_there_and_back(line: Line, washers: Path, blemish: Blemish) -> None:
    marked = [stamped(path, k) for k, path in enumerate(sorted(washers.glob("train/good/*.png"))[:4])]
    good = [path.read_bytes() for path in sorted(washers.glob("test/good/*.png"))]
    bad = [path.read_bytes() for path in sorted(washers.glob("test/*/*.png")) if path.parent.name != "good"][
        :5
    ]
    numbers = line.judge([*marked, *good, *bad])
    line.say(numbers[:4], "good")
    line.say(numbers[:4], "good", by="ben")  # a second person says so too
    line.say(numbers[-5:], "bad")
    outcome = blemish("learn", "washer", "--from-history", "--home", line.home, "--by", "anna", "--json")
    said = outcome.document
    assert outcome.status == 0, outcome.stderr
    assert (said["version_before"], said["version_after"], said["activated"]) == (1, 2, True)
    assert said["good"] == 4 and said["defects"] == 5 and said["waiting"] == []
    replayed = said["replay"]
    assert replayed["safe"] and replayed["good"]["n"] == 4 and replayed["bad"]["n"] == 5
    assert replayed["good"]["rejected_after"] < replayed["good"]["rejected_before"]
    assert replayed["recent"]["n"] == len(numbers)
    learnt = line.audited()[0]
    assert (learnt.action, learnt.by, learnt.version_before, learnt.version_after) == ("learn", "anna", 1, 2)
    assert learnt.detail["good"] == 4 and learnt.detail["activated"] is True
    # What was learnt is no proof of what is known, and the same again is nothing new.
    with opened_station(line.home, None) as station:
        manifest = read_artifact(station.shelf.active("washer").path).manifest
    assert {sha256(one).hexdigest() for one in [*marked, *bad]} <= manifest.corrected_digests
    again = blemish("learn", "washer", "--from-history", "--home", line.home)
    assert again.status == 2 and "nothing new to learn from" in again.stderr
    back = blemish("learn", "washer", "--roll-back", "--home", line.home)
    assert back.status == 0 and "Version 1 judges again" in back.stdout
    assert line.active() == 1 and line.audited()[0].action == "roll-back"


def test_a_second_person_is_asked_and_confirms(line: Line, washers: Path, blemish: Blemish) -> None:
    (far,) = line.judge([stamped(sorted(washers.glob("train/good/*.png"))[0], 0)])
    line.say([far], "good")
    alone = blemish("learn", "washer", "--from-history", "--home", line.home)
    assert alone.status == 2 and "a second person has to say so too" in alone.stderr and line.active() == 1
    confirmed = blemish("learn", "washer", "--from-history", "--confirm", far, "--home", line.home, "--json")
    assert confirmed.status == 0 and confirmed.document["good"] == 1 and confirmed.document["waiting"] == []
    assert [one.action for one in line.audited()][:2] == ["learn", "confirm"]
    unknown = blemish("learn", "washer", "--from-history", "--confirm", 999, "--home", line.home)
    assert unknown.status == 1 and "no inspection 999" in unknown.stderr


def test_what_gets_an_earlier_correction_wrong_does_not_take_over(
    line: Line, washers: Path, fitted: Path, blemish: Blemish, tmp_path: Path
) -> None:
    marked = [stamped(path, k) for k, path in enumerate(sorted(washers.glob("train/good/*.png"))[:3])]
    bad = [path.read_bytes() for path in sorted(washers.glob("test/*/*.png")) if path.parent.name != "good"]
    inspector = line.inspector
    # A defect that is rejected by a hair: any higher threshold lets it escape.
    nearest = min((one for one in bad if inspector.inspect(one).verdict is Verdict.REJECT),
                  key=lambda one: inspector.inspect(one).score)  # fmt: skip
    manifest = read_artifact(fitted).manifest
    tight = tmp_path / "tight.blemish"
    score = inspector.inspect(nearest).score
    decision = manifest.decision.model_copy(
        update={"threshold": score - 1e-3, "review_threshold": score - 1e-3}
    )
    write_artifact(
        tight, manifest.model_copy(update={"decisions": (decision,)}), read_artifact(fitted).members
    )
    with opened_station(line.home, None) as station:
        version = station.shelf.add(tight, "washer")
        station.shelf.activate("washer", version.version)
    line.inspector = bl.load(tight)
    numbers = line.judge([*marked, nearest])
    line.say(numbers[:3], "good")
    line.say(numbers[:3], "good", by="ben")
    line.say(numbers[3:], "bad")
    outcome = blemish("learn", "washer", "--from-history", "--home", line.home, "--json")
    said = outcome.document
    assert outcome.status == 1 and not said["activated"] and said["replay"]["n_worse"] == 1
    assert said["replay"]["worse"][0]["id"] == numbers[3]
    assert line.active() == version.version  # the new one is on the shelf alone
    assert said["version_after"] == version.version + 1
    anyway = blemish("learn", "washer", "--from-history", "--activate-anyway", "--home", line.home, "--json")
    assert anyway.status == 0 and anyway.document["activated"]
    assert line.active() == anyway.document["version_after"] > said["version_before"]
    assert line.audited()[0].detail["by_a_persons_word"] is True


def test_a_changed_mind_is_learnt_from_the_version_before(line: Line, washers: Path) -> None:
    contents = [path.read_bytes() for path in sorted(washers.glob("test/good/*.png"))[:3]]
    numbers = line.judge(contents)
    line.say(numbers, "good")
    first = bl.learn("washer", from_history=True, home=line.home, by="anna")
    assert first.activated and first.calibrated == 3
    line.say(numbers[:1], "bad")
    second = bl.learn("washer", from_history=True, home=line.home, by="anna", keep_only=True)
    assert (second.calibrated, second.defects) == (2, 1)  # not 3 and 1: what was wrong is gone
    with opened_station(line.home, None) as station:
        assert second.version_after is not None
        record = read_artifact(station.shelf.get("washer", second.version_after).path).manifest.corrections
    assert record is not None and sha256(contents[0]).hexdigest() in record.defects
    assert sha256(contents[0]).hexdigest() not in record.calibrated


def test_as_large_a_share_of_passes_counts_as_of_rejects_has_a_word(line: Line, washers: Path) -> None:
    good = [path.read_bytes() for path in sorted(washers.glob("t*/good/*.png"))]
    bad = [path.read_bytes() for path in sorted(washers.glob("test/*/*.png")) if path.parent.name != "good"]
    numbers = line.judge([*good, *bad])
    passed = [k for k, one in enumerate([*good, *bad]) if line.inspector.inspect(one).verdict is Verdict.PASS]
    unusual = [numbers[k] for k in range(len(numbers)) if k not in passed]
    line.say(unusual[: len(unusual) // 2], "bad")
    with opened_station(line.home, None) as station:
        log = StationCorrections(station.database, Home(line.home), "washer")
        found = log.passes([1], 100)
        share = (len(unusual) // 2) / len(unusual)
        assert len(found) == int(len(passed) * share)
        assert len(log.passes([1], 3)) == 3 and log.passes([2], 100) == []
        counts = log.counts(frozenset())
        assert (counts.bad, counts.good, counts.new) == (len(unusual) // 2, 0, len(unusual) // 2)


def test_what_does_not_go_together_is_refused(
    line: Line, fitted: Path, blemish: Blemish, tmp_path: Path
) -> None:
    file = Path(shutil.copy(fitted, tmp_path / "part.blemish"))
    for arguments, words in (
        (("washer", "--home", line.home), "Nothing to learn from is named"),
        (("washer", "--from-history", "--out", "x.blemish", "--home", line.home), "--out is of a file"),
        ((file, "--from-history"), "name an inspector of the station"),
        (("nobody", "--from-history", "--home", line.home), "no active inspector"),
        (("washer", "--from-history", "--confirm", "one", "--home", line.home), "no number of an inspection"),
        (("washer", "--roll-back", "--home", line.home), "No version of washer was active before"),
    ):
        outcome = blemish("learn", *arguments)
        assert outcome.status in (1, 2) and words in outcome.stderr, outcome.stderr
