"""All tests for drift of one version of an inspector: what each part is read for, and their state as JSON."""

from __future__ import annotations

import base64
import binascii
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.drift import (
    LEARNT,
    MOST_LEARNT,
    RECENT,
    CalibrationTest,
    Change,
    ChangeTest,
    Evidence,
    chances,
    limit_of,
)
from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM

SCORE, CALIBRATION = "score", "calibration"
NAMES = (SCORE, *STATISTICS, CALIBRATION)
"""What is tested: the anomaly scores of passed parts, all of `STATISTICS`, and the p-values of passed parts."""

_FEWEST_BATCHES = 20


@dataclass(frozen=True)
class InspectedPart:
    """What the tests read of an inspection.

    Attributes:
        number: of the inspection.
        moment: when it was judged.
        verdict, score, p_value, photograph_statistics: as in `InspectionRecord`.
        passes_up_to: the highest score that passed when it was judged; None where nobody says.
        suitable: whether the photograph is like those learnt from.
    """

    number: int
    moment: datetime
    verdict: Verdict
    score: float
    p_value: float
    photograph_statistics: Mapping[str, float]
    passes_up_to: float | None = None
    suitable: bool = True

    def passes(self, up_to: float | None) -> bool:
        """Whether it passes by a decision that lets pass what scores `up_to`; by its own where None."""
        if up_to is None or up_to == self.passes_up_to:
            return self.verdict is Verdict.PASS
        return self.suitable and self.score <= up_to


class DriftTests:
    """The tests of the versions that score alike.

    Ranks are uniform as long as the same parts are selected. So which of them passed is said by the decision with which
    the tests began: where another lets more or fewer pass, the scores of these are others, and nothing has changed.

    Attributes:
        changes: a test of each of `SCORE` and `STATISTICS`, by name.
        calibration: of the p-values.
        n, n_passed: parts that were read, and that passed.
        learnt: parts that are only learnt from.
        passes_up_to: the highest score that passed when they began; None before the first part, or where nobody says.

    Args:
        n_calibration: independent scores of the version's calibration.
        parts_per_false_alarm: mean number of photographs to a false alarm.
        batch: consecutive parts that are more alike than others, as those of one pallet: the tests read the mean of so
            many, and take one batch for exchangeable with another.
    """

    def __init__(
        self,
        n_calibration: int,
        parts_per_false_alarm: float = PARTS_PER_FALSE_ALARM,
        batch: int = 1,
    ) -> None:
        self.parts_per_false_alarm, self.batch = parts_per_false_alarm, batch
        limit, learnt = (
            limit_of(parts_per_false_alarm, len(NAMES), batch),
            max(_FEWEST_BATCHES, LEARNT // batch),
        )
        self.learnt = learnt * batch
        self.changes = {name: ChangeTest(limit, learnt) for name in (SCORE, *STATISTICS)}
        self.calibration = CalibrationTest(limit, n_calibration)
        self.n = self.n_passed = 0
        self.passes_up_to: float | None = None
        self._waiting: dict[str, list[float]] = {name: [] for name in NAMES}

    def observe(self, part: InspectedPart) -> bool:
        """Read one more part; True where a change is told by it, or ends with it.

        Of a photograph all counts whatever the verdict is: where the lamp fails no part passes any more. Scores count
        of passed parts alone, as defects belong to the others.
        """
        self.n += 1
        if self.passes_up_to is None:
            self.passes_up_to = part.passes_up_to
        values = dict(part.photograph_statistics)
        if part.passes(self.passes_up_to):
            self.n_passed += 1
            values[SCORE] = part.score
            values[CALIBRATION] = part.p_value
        said = False
        for name, chance in zip(NAMES, chances(part.number, len(NAMES)), strict=True):
            if name not in values or not math.isfinite(values[name]):
                continue
            waiting = self._waiting[name]
            waiting.append(_as_kept(values[name]))
            if len(waiting) == self.batch:
                mean = _as_kept(sum(waiting) / self.batch)
                waiting.clear()
                if name == CALIBRATION:
                    said |= self.calibration.observe(mean, part.moment)
                else:
                    said |= self.changes[name].observe(mean, part.moment, chance)
        return said

    def to_json(self) -> dict[str, Any]:
        """All that they know."""
        calibration = self.calibration
        return {
            "n": [self.n, self.n_passed],
            "batch": self.batch,
            "parts_per_false_alarm": self.parts_per_false_alarm,
            "passes_up_to": self.passes_up_to,
            "waiting": {name: _written(values) for name, values in self._waiting.items()},
            "calibration": _evidence_json(calibration.evidence, calibration.change)
            | {"recent": _written(calibration.recent), "seen": calibration.seen},
            **{
                name: _evidence_json(test.evidence, test.change)
                | {
                    "reference": _written(test.reference.values),
                    "recent": _written(test.recent),
                    "ranks": _written(test.ranks),
                }
                for name, test in self.changes.items()
            },
        }

    def read(self, state: Mapping[str, Any]) -> bool:
        """Go on from what `to_json` gave; False, and nothing changed, where it is not of this version of Blemish."""
        fresh = DriftTests(self.calibration.n, self.parts_per_false_alarm, self.batch)
        try:
            fresh._read(state)
        except (KeyError, TypeError, ValueError, binascii.Error):
            return False
        vars(self).update(vars(fresh))
        return True

    def _read(self, state: Mapping[str, Any]) -> None:
        if state["batch"] != self.batch:
            raise ValueError("the batches are of another size")
        self.n, self.n_passed = map(int, state["n"])
        up_to = state.get("passes_up_to")  # an earlier Blemish did not keep it
        self.passes_up_to = None if up_to is None else float(up_to)
        self._waiting = {name: _read_values(state["waiting"][name], self.batch - 1) for name in NAMES}
        calibration, said = self.calibration, state["calibration"]
        calibration.change = _read_evidence(calibration.evidence, said)
        calibration.recent = deque(_read_values(said["recent"], 2 * RECENT), 2 * RECENT)
        calibration.seen = int(said["seen"])
        for name, test in self.changes.items():
            said = state[name]
            test.change = _read_evidence(test.evidence, said)
            for value in _read_values(said["reference"], MOST_LEARNT):
                test.reference.values.append(value)
            test.reference.cut(MOST_LEARNT)
            test.recent = deque(_read_values(said["recent"], RECENT), RECENT)
            test.ranks.extend(_read_values(said["ranks"], test.learnt))


def kept_settings(state: Mapping[str, Any] | None) -> tuple[float, int]:
    """Parts to a false alarm and parts of a batch, as what `DriftTests.to_json` gave says; else those of a `DriftTests`
    that is told nothing."""
    kept = state or {}
    try:
        rate, batch = float(kept["parts_per_false_alarm"]), int(kept["batch"])
    except (KeyError, TypeError, ValueError):
        return PARTS_PER_FALSE_ALARM, 1
    return (rate, batch) if rate >= 1 and batch >= 1 else (PARTS_PER_FALSE_ALARM, 1)


def _as_kept(value: float) -> float:
    """A number in the precision of the kept state, so that the same are ties after a restart."""
    return float(np.float32(value))


def _evidence_json(evidence: Evidence, change: Change | None) -> dict[str, Any]:
    since = [None if one is None else [one[0], one[1].isoformat()] for one in evidence.since]
    told = change and [change.since.isoformat(), change.told.isoformat(), change.rising]
    return {
        "shiryaev_roberts": evidence.shiryaev_roberts.tolist(),
        "cusum": evidence.cusum.tolist(),
        "lengths": evidence.lengths.tolist(),
        "since": since,
        "change": told,
    }


def _read_evidence(evidence: Evidence, state: Mapping[str, Any]) -> Change | None:
    bets = len(evidence.slopes)
    numbers = np.array([state["shiryaev_roberts"], state["cusum"], state["lengths"]], np.float64)
    if numbers.shape != (3, bets) or not np.isfinite(numbers).all() or len(state["since"]) != bets:
        raise ValueError("the evidence is of other bets")
    evidence.shiryaev_roberts, evidence.cusum, lengths = numbers
    evidence.lengths = lengths.astype(np.int64)
    evidence.since = [
        None if one is None else (int(one[0]), datetime.fromisoformat(one[1])) for one in state["since"]
    ]
    if state["change"] is None:
        return None
    since, told, rising = state["change"]
    return Change(datetime.fromisoformat(since), datetime.fromisoformat(told), bool(rising))


def _written(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _read_values(text: str, most: int) -> list[float]:
    found: npt.NDArray[np.float32] = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    if len(found) > most or not np.isfinite(found).all():
        raise ValueError("the numbers are not those of a test")
    return [float(value) for value in found]
