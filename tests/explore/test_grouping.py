"""What explore proposes where photographs look like several of one part."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from blemish.data.catalog import open_catalog
from blemish.explore.exploration import explore_catalogs

TEXTURE = 96


def surface(seed: int, view: int) -> np.ndarray:
    """A part with a grain of its own, under another light and with other noise in each view."""
    grain = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(TEXTURE, TEXTURE)), (0, 0), 2.0) * 120
    noise = np.random.default_rng((seed, view)).normal(size=(TEXTURE, TEXTURE))
    return np.clip((grain + 128 + noise) * (0.75 + 0.06 * view), 0, 255).astype(np.uint8)


def write(folder: Path, names: list[str], views: int) -> Path:
    (folder / "train/good").mkdir(parents=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / "train/good" / name), surface(number // views, number % views))
    return folder


NAMES = {
    "^(.*)_": [f"part{part}_{view}.png" for part in range(9) for view in range(3)],
    "number:20": [
        f"exp{view}_num_{part * 900 + 17 * view + part}.png" for part in range(9) for view in range(3)
    ],
}


@pytest.mark.parametrize("by", sorted(NAMES))
def test_the_option_that_puts_a_part_together_is_proposed(by: str, tmp_path: Path) -> None:
    root = write(tmp_path / "grain", NAMES[by], 3)
    with explore_catalogs([open_catalog(root)]) as exploration:
        (insight,) = [one for one in exploration.insights if one.kind == "group-by"]
    assert insight.numbers["by"] == by
    assert insight.numbers["n_groups"] == 9
    assert f"--group-by '{by}'" in insight.sentence or f"--group-by {by}" in insight.sentence


def test_nothing_is_proposed_where_no_two_look_alike_or_no_name_tells(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", [f"{number:03d}.png" for number in range(20)], 1)
    order = np.random.default_rng(0).permutation(27).tolist()
    shuffled = write(tmp_path / "shuffled", [f"{1000 + 7 * number}.png" for number in order], 3)
    with explore_catalogs([open_catalog(alone), open_catalog(shuffled)]) as exploration:
        assert "group-by" not in {insight.kind for insight in exploration.insights}
