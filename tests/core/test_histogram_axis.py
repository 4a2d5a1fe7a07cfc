"""The axis of a histogram: every score is counted, every mark lies on it, and no outlier squeezes the others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.histogram_axis import histogram_axis
from blemish.evaluation.figures import score_figure

SCORES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60).map(np.array)


@given(SCORES, st.floats(-1e6, 1e6))
def test_every_score_is_counted_and_the_mark_lies_on_the_axis(scores: np.ndarray, mark: float) -> None:
    axis = histogram_axis(scores, [mark], 30)
    assert axis.counts(scores).sum() == scores.size
    assert axis.edges[0] <= mark <= axis.edges[-1]
    assert (np.diff(axis.edges) > 0).all()
    assert axis.below == np.count_nonzero(scores < axis.edges[0]) or axis.below == 0
    assert ("(end bar" in axis.title("Score")) == (axis.below + axis.above > 0)


def squeezed_into(axis: object, scores: np.ndarray) -> int:
    """Bars that hold the middle nine tenths of the scores."""
    middle = np.sort(scores)[len(scores) // 20 : -len(scores) // 20]
    return int(np.count_nonzero(axis.counts(middle)))


def test_one_outlier_does_not_leave_one_bar_of_all_others() -> None:
    usual = np.random.default_rng(1).normal(20, 1, 200)
    plain = histogram_axis(usual, [23.0], 36)
    assert (plain.title("Score"), plain.logarithmic) == ("Score", False)
    for outlier, n in ((400.0, 200), (1e5, 200), (4000.0, 12)):
        scores = np.append(usual[:n], outlier)
        axis = histogram_axis(scores, [23.0], 36)
        assert axis.title("Score") == f"Score (end bar: 1 over {axis.edges[-1]:.3g})"
        assert squeezed_into(axis, scores) >= min(6, n // 3), outlier
        assert axis.counts(scores)[-1] == 1


def test_scores_of_many_sizes_are_spread_by_their_ratio() -> None:
    scores = np.random.default_rng(2).lognormal(0, 1.5, 300)
    axis = histogram_axis(np.append(scores, 900.0), [20.0], 36)
    assert axis.logarithmic
    assert axis.title("Score") == "Score (logarithmic)"
    assert squeezed_into(axis, scores) >= 15


def test_the_threshold_is_named_on_every_kind_of_axis() -> None:
    random = np.random.default_rng(3)
    kinds = {
        "plain": random.normal(5, 1, 60),
        "end bar": np.append(random.normal(5, 0.2, 60), 300.0),
        "logarithmic": np.append(random.lognormal(1, 1.5, 60), 3000.0),
    }
    for kind, scores in kinds.items():
        figure = score_figure(scores > 6, scores, 6.0, review=5.5)
        assert (kind == "plain") or kind in figure.layout.xaxis.title.text, kind
        assert [one.text for one in figure.layout.annotations] == ["threshold 6", "review 5.5"]
        assert [shape.x0 for shape in figure.layout.shapes] == [6.0, 5.5]
        place = np.log10(6.0) if kind == "logarithmic" else 6.0
        assert figure.layout.annotations[0].x == place
        assert {bar.marker.pattern.shape or "" for bar in figure.data} == {"", "/"}
        assert sum(int(np.sum(bar.y)) for bar in figure.data) == scores.size
