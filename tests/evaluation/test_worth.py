"""What is said of a ranking and its decision: neither alone, whatever the figures are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.evaluation.intervals import auroc_interval, binomial_interval, mean_interval
from blemish.evaluation.rate import Rate
from blemish.evaluation.worth import Worth, decision_in_words, ranked_and_decided, ranking_in_words

SHARES = st.floats(0, 1)
RATES = st.integers(1, 500).flatmap(lambda n: st.integers(0, n).map(lambda count: Rate(count, n)))


def worths(errors: st.SearchStrategy[Rate] | st.SearchStrategy[float]) -> st.SearchStrategy[Worth]:
    return st.builds(
        lambda auroc, missed, rejected: Worth(auroc, auroc_interval(auroc, 40, 40), missed, rejected),
        SHARES, errors, errors,
    )  # fmt: skip


@given(worths(RATES) | worths(SHARES))
def test_a_ranking_is_never_praised_without_what_is_missed_and_rejected(worth: Worth) -> None:
    said = ranked_and_decided(f"It ranks parts best, with {ranking_in_words(worth)}", worth)
    missed, rejected = (one.value if isinstance(one, Rate) else one for one in (worth.missed, worth.rejected))
    assert f"{100 * missed:.1f} %" in said.partition("misses ")[2]
    assert f"{100 * rejected:.1f} %" in said.partition(" rejects ")[2]
    praised = ", but at its threshold misses" in said
    assert praised == (max(missed, rejected) > 0.05 and not worth.ranks_by_chance)
    assert ("no better than guessing" in said) == worth.ranks_by_chance


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        (
            Worth(0.993, (0.956, 0.999), Rate(25, 119), Rate(0, 41)),
            "It ranks with an image AUROC of 0.993 (95 % interval 0.956 to 0.999), but at its threshold misses 25 of "
            "119 defective parts (21.0 %, 95 % interval 14.1 to 29.4 %) and rejects none of 41 good parts (0.0 %, 95 % "
            "interval 0.0 to 8.6 %)",
        ),
        (
            Worth(1.0, (0.9, 1.0), 0.0, 0.01),
            "It ranks with an image AUROC of 1.000 (95 % interval 0.900 to 1.000), and at its threshold misses 0.0 % "
            "of the defective parts and rejects 1.0 % of the good parts",
        ),
    ],
)
def test_the_sentence_reads_like_this(worth: Worth, said: str) -> None:
    assert ranked_and_decided(f"It ranks with {ranking_in_words(worth)}", worth) == said


def test_what_is_unknown_is_left_out() -> None:
    good_alone = Worth(math.nan, (math.nan, math.nan), Rate(0, 0), Rate(1, 9))
    assert ranking_in_words(good_alone) == ""
    assert ranked_and_decided("", good_alone).startswith("At its threshold it rejects 1 of 9 good parts (")
    assert decision_in_words(Worth(0.9, (0.8, 1.0), math.nan, math.nan)) == ""
    assert ranked_and_decided("It ranks", Worth(0.9, (0.8, 1.0), math.nan, math.nan)) == "It ranks"


def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    rates, n = np.array([0.05, 0.3, 0.9]), 40
    hits = 0
    for counts in random.binomial(n, rates, size=(800, 3)):
        low, high = mean_interval(counts / n, [binomial_interval(count, n) for count in counts])
        hits += low <= rates.mean() <= high
    assert 0.95 <= hits / 800 <= 0.995  # Clopper-Pearson is never too narrow


def test_the_mean_of_one_has_its_own_interval_and_one_unknown_makes_it_unknown() -> None:
    assert mean_interval([0.4], [(0.2, 0.7)]) == pytest.approx((0.2, 0.7))
    assert all(map(math.isnan, mean_interval([0.4, 0.5], [(0.2, 0.7), (math.nan, math.nan)])))
    assert all(map(math.isnan, mean_interval([], [])))
    low, high = mean_interval([0.4, 0.6], [(0.2, 0.7), (0.3, 0.9)])
    assert 0.2 < low < 0.5 < high < 0.9
