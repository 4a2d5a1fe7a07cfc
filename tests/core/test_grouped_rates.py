"""What a threshold promises where scores come in groups: simulated parts hold it."""

from __future__ import annotations

import numpy as np
import pytest

from blemish.core.calibration import false_reject_rate, quantile_threshold
from blemish.core.errors import UsageError


@pytest.mark.parametrize(("groups", "each"), [(30, 4), (60, 3), (250, 2)])
@pytest.mark.parametrize("alike", [True, False])
def test_parts_are_rejected_no_oftener_than_promised(groups: int, each: int, alike: bool) -> None:
    rng = np.random.default_rng(groups)
    expected, bound = false_reject_rate(groups * each, n_groups=groups)
    shares = []
    for _ in range(1500):
        scores = np.repeat(rng.random(groups), each) if alike else rng.random(groups * each)
        below = quantile_threshold(scores)  # of uniform scores: the chance that one is below
        shares.append(1 - below if alike else 1 - below**each)  # that some photograph of a new part is above
    assert np.mean(shares) <= expected * 1.05
    assert np.mean(np.array(shares) > bound) <= 0.06
    if alike:  # nothing is given away where all photographs of a part are equal and the highest decides
        assert groups * each > 201 or np.mean(shares) >= expected * 0.9


def test_each_its_own_group_is_no_groups_and_few_groups_promise_nothing() -> None:
    assert false_reject_rate(320, n_groups=320) == false_reject_rate(320)
    assert false_reject_rate(2000, n_groups=5) == (1.0, 1.0)
    for wrong in (0, 11):
        with pytest.raises(UsageError, match=f"10 scores cannot be of {wrong} groups"):
            false_reject_rate(10, n_groups=wrong)
