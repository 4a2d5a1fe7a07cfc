"""The report of an exploration: small for any number of photographs, whole, and drawn in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from blemish.core.types import ByteArray, FloatArray
from blemish.data.catalog import Catalog, open_catalogs
from blemish.data.sample_line import write_sample_line
from blemish.explore.defects import DefectMap, measure_mask
from blemish.explore.exploration import Exploration, digest, explore_catalogs
from blemish.explore.findings import FINDING_KINDS, Finding
from blemish.explore.looking import Threads
from blemish.explore.measures import Measures
from blemish.explore.report import write_report
from blemish.explore.survey import MOST_EMBEDDED, ClassHistogram, Survey
from blemish.explore.thumbnails import Thumbnails, thumbnail


def coarse(image: ByteArray) -> FloatArray:
    small = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.ascontiguousarray(small.transpose(2, 0, 1))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two categories; one with a black frame, a copy across the splits and a broken file."""
    out = tmp_path_factory.mktemp("lines")
    write_sample_line(out, ("washer", "brick"), train=14, good=6, per_defect_type=2, size=96)
    washer = out / "washer"
    cv2.imwrite(str(washer / "train/good/003.png"), np.zeros((96, 96, 3), np.uint8))
    (washer / "test/good/001.png").write_bytes((washer / "train/good/005.png").read_bytes())
    (washer / "test/good/002.png").write_bytes(b"broken")
    return out


@pytest.fixture(scope="module")
def report(lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    with explore_catalogs(open_catalogs(lines), Threads(coarse)) as exploration:
        write_report(exploration, out, "Two lines")
    return out


def test_the_page_tells_what_there_is_and_asks_for_nothing(report: Path) -> None:
    page = report.read_text("utf-8")
    assert page.count("plotly.js v") == 1
    assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?!data:)', page)
    for said in (
        "Two lines",
        "washer",
        "brick",
        "duplicate-across-splits",
        "not-an-image",
        "dark",
        "test/good/001.png",
    ):
        assert said in page
    assert "No problem found" in page.partition('id="category-2"')[0]  # brick is the first of the two
    assert "1 file could not be read" in page.partition('id="category-2"')[2]
    assert not re.search(r"\bnan\b", page.partition("plotly.js v")[0])


def missing_in(report: Path, words: list[str]) -> list[str]:
    """Those of the words that a report lacks; a failing assertion on the page itself would print all of it."""
    page = report.read_text("utf-8")
    return [word for word in words if word not in page]


def huge_survey(folder: Path, n: int, name: str = "huge") -> Survey:
    """Measurements of `n` photographs as a pass would have made them, with the least compressible pictures."""
    random = np.random.default_rng(0)
    path = folder / f"{name}.png"
    image = random.integers(0, 256, (400, 400, 3)).astype(np.uint8)
    cv2.imwrite(str(path), image)
    mask_path = folder / f"{name}_mask.png"
    mask = np.zeros((400, 400), np.uint8)
    mask[100:140, 200:230] = 255
    cv2.imwrite(str(mask_path), mask)
    anomalous = np.arange(n) % 4 == 0
    types = np.where(anomalous, np.char.add("type-", (np.arange(n) // 4 % 30).astype(str)), "good")
    columns: dict[str, Any] = {
        "path": [str(path)] * n,
        "split": np.where(anomalous | (np.arange(n) % 3 == 0), "test", "train"),
        "label": np.where(anomalous, "anomalous", "normal"),
        "defect_type": types,
        "mask": pd.Series([str(mask_path) if bad else None for bad in anomalous], dtype=object),
        "width": 400.0, "height": 400.0, "channels": 3.0, "bits": 8.0,
    }  # fmt: skip
    columns |= {measure: random.gamma(5, 20, n) for measure in Measures._fields}
    table = pd.DataFrame(columns)
    catalog = Catalog(name, folder, "mvtec", table[["path", "split", "label", "defect_type", "mask"]])
    thumbnails, defects = Thumbnails(), DefectMap()
    embedded = np.linspace(0, n - 1, min(n, MOST_EMBEDDED)).round().astype(np.intp)
    small, signature = thumbnail(image), np.zeros((48, 48), np.uint8)
    for index in embedded:
        thumbnails.add(int(index), small, signature)
    measured = measure_mask(mask > 0)
    for index in np.flatnonzero(anomalous):
        defects.add(types[index], f"{index}.png", measured)
    findings = [
        Finding(
            FINDING_KINDS[i % len(FINDING_KINDS)], str(path), "it is wrong." * 6, value=1.0, other=str(path)
        )
        for i in range(n)
    ]
    histograms = {label: ClassHistogram() for label in ("normal", "anomalous")}
    for histogram in histograms.values():
        histogram.add(random.random((3, 64)).astype(np.float32))
    vectors = random.normal(size=(len(embedded), 24)).astype(np.float32)
    return Survey(catalog, table, findings, histograms, defects, embedded, vectors, thumbnails)


@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_however_many_photographs_stay_under_fifteen_megabytes(tmp_path: Path, count: int) -> None:
    with Exploration((digest(huge_survey(tmp_path, count)),)) as exploration:
        write_report(exploration, tmp_path / "report.html", "Huge")
    assert (tmp_path / "report.html").stat().st_size < 15e6
    assert missing_in(tmp_path / "report.html", [f"{count:,}"]) == []


def test_many_categories_share_the_room(tmp_path: Path) -> None:
    surveys = [huge_survey(tmp_path, 400, f"line-{index}") for index in range(5)]
    with Exploration(tuple(digest(survey) for survey in surveys)) as exploration:
        write_report(exploration, tmp_path / "report.html", "Many")
    assert (tmp_path / "report.html").stat().st_size < 15e6
    assert missing_in(tmp_path / "report.html", [f"line-{index}" for index in range(5)]) == []


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)>"
    survey = huge_survey(tmp_path, 40)
    survey.table["defect_type"] = survey.table["defect_type"].where(survey.table["label"] == "normal", attack)
    hostile = Catalog(attack, tmp_path, "mvtec", survey.table)
    survey = Survey(
        hostile, survey.table, [Finding("dark", f"/x/{attack}", attack)], survey.histograms, survey.defects,
        survey.embedded, survey.vectors, survey.thumbnails,
    )  # fmt: skip
    with Exploration((digest(survey),)) as exploration:
        write_report(exploration, tmp_path / "report.html", attack)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


@pytest.mark.browser
def test_every_chart_is_drawn_without_a_word_on_the_console(report: Path, report_page: Any) -> None:
    with report_page(report) as page:
        charts = page.locator(".chart")
        assert charts.count() == int(page.get_attribute("html", "data-drawn")) == 29
        for index in range(charts.count()):
            marks = ".bars .point, .scatterlayer .trace, .heatmaplayer image"
            assert charts.nth(index).locator(marks).count() > 0, charts.nth(index).get_attribute("aria-label")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")

        point = page.locator(".map .scatterlayer .point").first
        point.scroll_into_view_if_needed()
        assert not page.locator("#thumbnail").is_visible()
        point.hover(force=True)
        page.wait_for_selector("#thumbnail", state="visible")

        page.locator(".pictures").first.click()
        assert page.locator("#viewer .picture img").count() == 4
        page.keyboard.press("Escape")
