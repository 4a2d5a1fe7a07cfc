"""A history of four weeks of a part that never was, with a bad shift, a lamp that fails, and a new kind of defect.

For trying `blemish insight`, and for its tests: it is known what is in it.

python bench/simulated_history.py HOME INSPECTOR.blemish [--days 28] [--per-hour 40] [--seed 0]
blemish insight --home HOME --since 4w --out report.html
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import update

from blemish.core.types import Region, Verdict
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.station.schema import AuditRow
from blemish.station.shelf import InspectorShelf

USUAL = 0.012
SHIFTS = ("night", "early", "late")
"""From midnight on, eight hours each."""


@dataclass(frozen=True)
class Story:
    """What happens in a simulated history, as shares of its length.

    Attributes:
        start, end: of the history.
    """

    start: datetime
    end: datetime

    def at(self, share: float) -> datetime:
        """The hour after a share of the time."""
        time = self.start + share * (self.end - self.start)
        return time.replace(minute=0, second=0, microsecond=0)

    @property
    def lamp(self) -> datetime:
        """When the lamp loses a fifth of its light."""
        return self.at(0.4)

    @property
    def answer(self) -> datetime:
        """When somebody answered the lamp with another decision."""
        return self.at(0.5)

    @property
    def new_kind(self) -> datetime:
        """When a new kind of defect begins, at the top right, that nobody names."""
        return self.at(0.78)

    def is_bad_shift(self, time: datetime) -> bool:
        """Whether it is a night of the days in which the night shift makes worse parts."""
        return self.at(0.12) <= time < self.at(0.22) and SHIFTS[time.hour // 8] == "night"

    def rates(self, time: datetime) -> dict[str, float]:
        """Probability of each kind of defect at a time."""
        usual = USUAL * (6 if self.is_bad_shift(time) else 1)
        if self.lamp <= time < self.answer:
            usual *= 2.5  # in the dark good parts are rejected, too
        return {
            "scratch": 0.6 * usual,
            "dent": 0.3 * usual,
            "stain": 0.1 * usual,
            "new": 0.02 if time >= self.new_kind else 0.0,
        }


def inspections(
    story: Story, inspector: str, per_hour: int, seed: int
) -> Iterator[tuple[NewInspection, str]]:
    """Inspections in order, each with the kind of its defect; empty for a good part."""
    chance = np.random.default_rng(seed)
    number, time = 0, story.start
    while time < story.end:
        rates = story.rates(time)
        kind = str(chance.choice(["", *rates], p=[1 - sum(rates.values()), *rates.values()]))
        yield _inspection(story, inspector, time, number, kind, chance), kind
        number += 1
        time += timedelta(hours=float(chance.exponential(1 / per_hour)))


def _inspection(
    story: Story, inspector: str, time: datetime, number: int, kind: str, chance: np.random.Generator
) -> NewInspection:
    light = 0.8 if time >= story.lamp else 1.0
    across, down = (0.85, 0.15) if kind == "new" else (0.5, 0.5)
    spread = 0.03 if kind == "new" else 0.18
    x, y = (int(np.clip(1000 * chance.normal(one, spread), 0, 999)) for one in (across, down))
    region = Region(max(0, x - 20), max(0, y - 20), 40, 40, 3.0, peak=(x, y))
    return NewInspection(
        time=time,
        inspector=inspector,
        version=1,
        verdict=Verdict.REJECT if kind else Verdict.PASS,
        score=float(chance.normal(3.0 if kind else 1.0, 0.15)),
        threshold=2.0,
        p_value=0.001 if kind else float(chance.uniform(0.01, 1)),
        percentile=50.0,
        regions=(region,) if kind else (),
        width=1000,
        height=1000,
        image_digest=hashlib.sha256(f"{inspector} {number}".encode()).hexdigest(),
        image_suffix=None,
        file_name=f"{number:08d}.png",
        photograph_statistics={
            "brightness": light * float(chance.normal(120, 1.5)),
            "contrast": float(chance.normal(30, 1)),
            "focus": float(chance.normal(8, 0.3)),
        },
        serial_number=f"SN-{number:08d}",
        batch=f"LOT-{number // 700:04d}",
        shift=SHIFTS[time.hour // 8],
        camera=f"camera-{1 + number % 2}",
    )


def simulate(log: InspectionLog, inspector: str, story: Story, per_hour: int = 40, seed: int = 0) -> int:
    """Log a history, and let people name half of the defects and find a tenth of the rejects good."""
    chance = np.random.default_rng((seed, 1))
    made = list(inspections(story, inspector, per_hour, seed))
    for start in range(0, len(made), 1000):
        piece = made[start : start + 1000]
        numbers = log.add([one for one, _ in piece])
        for inspection_id, (_, kind) in zip(numbers, piece, strict=True):
            if kind and kind != "new" and (said := chance.random()) < 0.6:
                feedback = NewFeedback("good") if said < 0.1 else NewFeedback("bad", kind)
                log.give_feedback(inspection_id, feedback)
    return len(made)


def main() -> None:
    """Make a history as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("inspector", type=Path)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--per-hour", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    home = Home(asked.home)
    database = Database(home.database_url)
    database.upgrade()
    shelf = InspectorShelf(home, database)
    version = shelf.add(asked.inspector)
    shelf.activate(version.name, version.version)
    end = datetime.now(UTC)
    story = Story(end - timedelta(days=asked.days), end)
    count = simulate(InspectionLog(database), version.name, story, asked.per_hour, asked.seed)
    with database.transaction() as session:  # made now, but told of then
        note_change(session, Change(action=Action.DECIDE, by="anna", inspector=version.name, version_after=1))
    with database.transaction() as session:
        session.execute(update(AuditRow).where(AuditRow.action == "decide").values(time=story.answer))
        session.execute(update(AuditRow).where(AuditRow.action == "activate").values(time=story.start))
    database.close()
    print(f"{count} inspections of {version.name} in {home.path}")


if __name__ == "__main__":
    main()
