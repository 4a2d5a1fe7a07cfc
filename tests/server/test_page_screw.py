"""A real screw through the web page: rejected, shown where, corrected, found again, with what is like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from page_browser import Watched, serving

from blemish.core.images import read_mask
from blemish.line.runtime import Inspector

pytestmark = [pytest.mark.browser, pytest.mark.real]


@pytest.fixture(scope="module")
def screws(real_data: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small inspector of real screws."""
    out = tmp_path_factory.mktemp("screws") / "screw.blemish"
    outcome = blemish("fit", real_data / "screw", "--out", out, "--size", 256, "--set", "coreset_size=500")
    assert outcome.status == 0, outcome.stderr
    return out


def test_a_defective_screw_goes_its_whole_way(
    browser: Any, screws: Path, real_data: Path, tmp_path: Path
) -> None:
    inspector = Inspector.load(screws)
    found = []
    for path in sorted((real_data / "screw" / "test").glob("[!g]*/*.png")):
        inspection = inspector.inspect(path)
        if inspection.verdict == "reject":
            found.append((path, inspection))
        if len(found) == 2:
            break
    (path, inspection), (other, _) = found
    with serving(tmp_path / "home", [screws]) as address:
        before = Watched(browser, address).ready()
        before.upload("inspect-photograph", other)
        before.page.wait_for_selector("#inspect-verdict .bl-word")
        before.context.close()

        watched = Watched(browser, address).ready()
        page = watched.page
        watched.upload("inspect-photograph", path)
        page.wait_for_selector("#inspect-verdict .bl-word")
        assert watched.text("#inspect-verdict .bl-word") == "REJECT"
        assert page.locator("#inspect-pictures .bl-heat:visible").count() == 1
        assert page.locator("#inspect-pictures .bl-boxes rect").count() == len(inspection.regions)
        page.wait_for_timeout(1500)  # the gallery takes parts in while nothing is judged
        page.locator("#inspect-similar").click()
        page.wait_for_selector("#similar-found .bl-card")
        watched.tab("Inspect")
        page.locator("#inspect-defect-type input").fill(path.parent.name)
        page.keyboard.press("Enter")
        page.locator("#inspect-bad").click()
        page.wait_for_selector("#inspect-said .bl-note")
        watched.tab("History")
        watched.choose("history-verdict", "REJECT")
        row = page.locator("#history-table tbody tr", has_text=f"really defective ({path.parent.name})")
        row.first.wait_for()
        assert path.name in row.first.inner_text()
        assert watched.troubles == []
        watched.context.close()


def test_the_regions_of_rejected_screws_lie_on_their_defects(screws: Path, real_data: Path) -> None:
    inspector = Inspector.load(screws)
    hits = []
    for path in sorted((real_data / "screw" / "test").glob("[!g]*/*.png")):
        inspection = inspector.inspect(path)
        if inspection.verdict != "reject":
            continue
        folder = real_data / "screw" / "ground_truth" / path.parent.name
        mask = read_mask(next(folder.glob(f"{path.stem}*")))
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        box = inspection.regions[0]
        hits.append(bool(grown[box.y : box.y + box.height, box.x : box.x + box.width].any()))
    assert len(hits) >= 3 and np.mean(hits) > 0.5
