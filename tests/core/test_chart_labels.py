"""Names of points on a chart: none covers another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blemish.core.chart_labels import label_places

POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=25)


@given(POINTS)
def test_every_point_is_answered_and_a_lone_one_is_named(points: list[tuple[float, float]]) -> None:
    names = [f"detector-{number}" for number in range(len(points))]
    places = label_places(points, names, 600, 300)
    assert len(places) == len(points)
    assert places[0] is not None or len(points) > 1


def test_names_that_would_cover_each_other_move_apart_or_are_left_out() -> None:
    beside = [(0.5, 0.5), (0.53, 0.5)]
    assert label_places([beside[0]], ["patchcore"], 250, 165) == ["top center"]
    first, second = label_places(beside, ["patchcore", "padim"], 250, 165)
    assert first is not None and second not in (None, first)
    crowd = label_places([(0.5, 0.5)] * 20, ["patchcore"] * 20, 250, 165)
    assert crowd.count(None) >= 12


def test_a_name_stays_on_the_chart() -> None:
    left, right = label_places([(0.0, 0.5), (1.0, 0.5)], ["local-outlier-factor"] * 2, 400, 165)
    assert left is not None and left.endswith("right")
    assert right is not None and right.endswith("left")
