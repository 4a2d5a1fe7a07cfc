"""A history of before defect types were told is brought up to date, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from sqlalchemy import insert

from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection
from blemish.station.schema import INSPECTIONS

ADDED = (
    "type", "types", "mask_probability", "review_threshold", "reason", "photograph_statistics", "serial_number",
    "batch", "shift", "camera",
)  # fmt: skip


def test_inspections_of_before_have_no_type(
    database_url: str, inspection: Callable[..., NewInspection], monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def to_the_first(config: Any, revision: str) -> None:
        upgrade(config, "0001")

    opened = Database(database_url)
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", to_the_first)
        opened.upgrade()
    before = inspection(2)
    with opened.transaction() as session:
        known = {name: value for name, value in vars(before).items() if name not in ADDED}
        session.execute(insert(INSPECTIONS).values(known))
    opened.upgrade()
    log = InspectionLog(opened)
    (old,) = log.page().records
    assert (old.file_name, old.regions, old.parts) == (before.file_name, before.regions, before.parts)
    assert old.type is None and old.types == {} and old.mask_probability is None
    assert old.review_threshold is None and old.reason is None
    told = "much darker than the photographs learnt from: mean brightness 21, learnt 88 to 131"
    said = {"types": {"scratch": 0.75, "hole": 0.25}, "review_threshold": 1.5, "reason": told}
    (number,) = log.add([inspection(3, type="scratch", **said)])
    new = log.get(number)
    assert new.type == "scratch" and new.types == {"scratch": 0.75, "hole": 0.25}
    assert new.review_threshold == 1.5 and new.reason == told
    assert opened.check_integrity() == []
    opened.close()
