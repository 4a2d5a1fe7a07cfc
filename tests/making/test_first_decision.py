"""Rates asked for before anything is learnt: kept, refused where they never can be, or said to have given way."""

from __future__ import annotations

import numpy as np
import pytest

from blemish.core.conformal import Calibration
from blemish.line.decision import PixelDecision
from blemish.making.first_decision import Rates, first_decision

PIXELS = PixelDecision(threshold=1.0)


def test_rates_that_are_carried_are_kept() -> None:
    calibration = Calibration(np.arange(1.0, 100.0))
    decision = first_decision(calibration, PIXELS, Rates(0.02, 0.1))
    assert (decision.threshold, decision.review_threshold, decision.gave_way) == (98.0, 90.0, None)
    assert first_decision(calibration, PIXELS, Rates(0.02, 0)).review_threshold == 98.0


def test_a_rate_that_fewer_scores_cannot_carry_gives_way_and_says_so() -> None:
    calibration = Calibration(np.arange(1.0, 20.0))
    decision = first_decision(calibration, PIXELS, Rates(0.01))
    assert (decision.threshold, decision.false_reject_rate) == (19.0, pytest.approx(0.05))
    assert decision.gave_way == (
        "The false-reject rate of 0.01 gave way to what 19 good parts scored as if unseen can promise: it becomes "
        "0.0500, and takes 80 more."
    )
