"""The report in a browser: every chart drawn, nothing asked of the network, nothing injected."""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from blemish.core.errors import UsageError
from blemish.evaluation.evaluate import evaluate
from blemish.evaluation.figures import gallery
from blemish.evaluation.report import headline, write_report
from blemish.evaluation.result import Evaluation, Failure, ScoredImage

THRESHOLD = 1.0


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return some_evaluation(tmp_path_factory.mktemp("parts"))


def some_evaluation(folder: Path, good: int = 9, bad: int = 14) -> Evaluation:
    """Photographs with bright squares; maps that find most of them, miss some, and see some on good parts."""
    random, images = np.random.default_rng(1), []
    for index in range(good + bad):
        anomalous = index >= good
        photograph = np.repeat(random.normal(110, 8, (90, 120, 1)), 3, axis=2)
        mask = np.zeros((90, 120), np.uint8)
        mask[30:55, 20 + 2 * index : 45 + 2 * index] = 255 * anomalous
        photograph[mask > 0] += 60
        path, mask_path = folder / f"part-{index:02}.png", folder / f"part-{index:02}_mask.png"
        cv2.imwrite(str(path), photograph.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(mask_path), mask)
        strength = 0.6 + 0.1 * (index - good) if anomalous else 0.4 + 0.08 * index
        anomaly_map = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 3) * strength + 0.3
        score = max(float(anomaly_map.max()), strength)
        defect_type = ("good", "chip", "dent")[anomalous + (index % 2) * anomalous]
        images.append(
            ScoredImage(
                path,
                path.name,
                anomalous,
                defect_type,
                score,
                anomaly_map,
                mask_path if anomalous else None,
                20.0,
                4.0,
            )
        )
    return Evaluation("plates", THRESHOLD, THRESHOLD, (0.3, 1.7), tuple(images), (), None, "no masks", 1)


def page_of(evaluations: list[Evaluation], folder: Path, **texts: Any) -> str:
    out = folder / "report.html"
    write_report(evaluations, out, texts.get("title", "Plates"), texts.get("facts", {"Detector": "squares"}))
    return out.read_text("utf-8")


def pictures_in(page: str) -> list[bytes]:
    return [base64.b64decode(text) for text in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)]


def test_headline_states_both_errors_with_their_intervals(evaluation: Evaluation) -> None:
    scores, labels = evaluation.scores, evaluation.labels
    rejected, missed = int((scores[~labels] > 1).sum()), int((scores[labels] <= 1).sum())
    assert rejected > 0
    assert missed > 0
    sentence = headline(evaluation)
    assert sentence.startswith(
        f"It ranks defective parts above good ones with an image AUROC of {evaluation.ranking.auroc():.3f} (95 % "
    )
    assert (
        f"but at its threshold misses {missed} of 14 defective parts ({100 * missed / 14:.1f} %, 95 %"
        in sentence
    )
    assert f" and rejects {rejected} of 9 good parts ({100 * rejected / 9:.1f} %, 95 % interval " in sentence
    good_only = replace(evaluation, images=evaluation.images[:1], threshold=100.0)
    assert headline(good_only) == (
        "At its threshold it rejects none of 1 good part (0.0 %, 95 % interval 0.0 to 97.5 %)."
    )


def test_gallery_shows_the_worst_misses_first(evaluation: Evaluation) -> None:
    groups = gallery(evaluation, 16)
    assert [group.title for group in groups] == [
        "Missed defects", "False rejects", "Defects found", "Good parts passed",
    ]  # fmt: skip
    missed, rejected = [[exhibit.score for exhibit in group.exhibits] for group in groups[:2]]
    assert missed == sorted(evaluation.scores[evaluation.labels & (evaluation.scores <= 1)])
    assert rejected == sorted(evaluation.scores[~evaluation.labels & (evaluation.scores > 1)], reverse=True)
    assert sum(group.total for group in groups) == len(evaluation.images)
    assert sum(len(group.exhibits) for group in groups) <= 16
    captions = [picture.caption for picture in groups[2].exhibits[0].pictures]
    assert captions == ["Photograph", "Heatmap", "Segmentation", "Ground truth"]
    assert [p.caption for p in groups[3].exhibits[0].pictures] == [*captions[:2], "Segmentation: nothing"]


def test_pictures_show_the_part_its_defect_and_its_mask(evaluation: Evaluation) -> None:
    found = gallery(evaluation, 16)[2].exhibits[-1]
    decoded = []
    for picture in found.pictures:
        content = np.frombuffer(base64.b64decode(picture.uri.partition(",")[2]), np.uint8)
        decoded.append(cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1].astype(int))
        assert decoded[-1].shape[:2] == (picture.height, picture.width) == (90, 120)
    photograph, heatmap, segmented, truth = decoded
    image = next(image for image in evaluation.images if image.name == found.name)
    assert np.abs(photograph - cv2.imread(str(image.path))[..., ::-1]).mean() < 6
    mask = cv2.imread(str(image.mask_path), cv2.IMREAD_GRAYSCALE) > 0
    inside = cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0
    outside = cv2.dilate(mask.astype(np.uint8), np.ones((31, 31))) == 0
    assert np.abs(heatmap - photograph)[inside].mean() > 5 * np.abs(heatmap - photograph)[outside].mean()
    for outlined in (segmented, truth):
        changed = np.abs(outlined - photograph).sum(axis=2) > 90
        assert changed.any()
        assert not changed[outside].any()


def test_a_photograph_that_is_gone_is_left_out(evaluation: Evaluation, tmp_path: Path) -> None:
    moved = replace(evaluation.images[-1], path=tmp_path / "gone.png", name="gone.png")
    page = page_of([replace(evaluation, images=(*evaluation.images[:-1], moved))], tmp_path)
    assert "gone.png" not in page
    assert len(pictures_in(page)) > 20


def test_the_file_is_whole_small_and_embeds_the_script_once(evaluation: Evaluation, tmp_path: Path) -> None:
    several = [replace(evaluation, category=f"line {index}") for index in range(6)]
    page = page_of(several, tmp_path)
    assert page.count("plotly.js v") == 1
    assert len(page) < 16e6
    assert sum(len(picture) for picture in pictures_in(page)) < 10e6
    assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?!data:)', page)
    assert [name in page for name in ("line 0", "line 5", "All categories", "Mean")] == [True] * 4


def test_the_mean_row_is_the_mean_of_the_categories(evaluation: Evaluation, tmp_path: Path) -> None:
    other = replace(evaluation, category="others", threshold=0.8, images=evaluation.images[2:-2])
    page = page_of([evaluation, other], tmp_path)
    foot = re.findall(r"<td[^>]*>([^<]*)</td>", page.partition("<tfoot>")[2].partition("</tfoot>")[0])
    expected = (evaluation.ranking.auroc() + other.ranking.auroc()) / 2
    assert foot[0] == f"{expected:.3f}"
    assert foot[5] == "–"  # no masks in either


def test_hostile_names_stay_text(evaluation: Evaluation, tmp_path: Path) -> None:
    attack = "</script><img src=x onerror=alert(1)>"
    images = tuple(replace(image, name=attack, defect_type=attack) for image in evaluation.images)
    hostile = replace(
        evaluation,
        category=attack,
        images=images,
        failed=(Failure(Path("broken.png"), attack),),
        pixel_note=attack,
    )
    page = page_of([hostile, hostile], tmp_path, title=attack, facts={attack: attack})
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_one_class_and_undefined_figures_are_shown_as_such(evaluation: Evaluation, tmp_path: Path) -> None:
    good = tuple(image for image in evaluation.images if not image.anomalous)
    page = page_of([replace(evaluation, images=good)], tmp_path)
    assert "ROC curve" not in page
    assert re.search(r"Image AUROC</span><span class=\"value\">–<", page)
    assert not re.search(r"\bnan\b", page.partition("plotly.js v")[0])


def test_nothing_to_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no evaluation"):
        write_report([], tmp_path / "report.html", "Nothing", {})


@pytest.mark.browser
def test_the_report_works_in_a_browser_without_a_network(
    evaluation: Evaluation, tmp_path: Path, report_page: Any
) -> None:
    page_of([evaluation, replace(evaluation, category="others")], tmp_path)
    with report_page(tmp_path / "report.html") as page:
        page.wait_for_selector("html[data-drawn='6']")
        assert page.locator(".chart .main-svg .cartesianlayer .subplot").count() == 6
        assert page.locator(".chart .scatterlayer path.js-line").count() >= 4
        assert page.locator(".chart .barlayer .point").count() > 20

        page.locator(".pictures").nth(1).focus()
        page.keyboard.press("Enter")
        first = page.locator("#viewer .name").inner_text()
        assert page.locator("#viewer .picture img").count() == 4
        page.keyboard.press("ArrowRight")
        assert page.locator("#viewer .name").inner_text() != first
        page.keyboard.press("Escape")
        assert not page.locator("#viewer").is_visible()

        title = page.locator(".chart .xtitle").first
        ink = title.evaluate("(e) => getComputedStyle(e).fill")
        page.emulate_media(color_scheme="dark")
        expect(title).not_to_have_css("fill", ink, timeout=120_000)


def saved(page: Any, name: str) -> tuple[str, bytes]:
    """Name and content of the file that a button hands out."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).first.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.browser
def test_charts_and_tables_are_saved_as_they_are_shown(
    evaluation: Evaluation, tmp_path: Path, report_page: Any
) -> None:
    page_of([evaluation, replace(evaluation, category="=others")], tmp_path)
    with report_page(tmp_path / "report.html") as page:
        name, content = saved(page, "Save Anomaly scores as CSV")
        rows = list(csv.reader(io.StringIO(content.decode())))
        assert (name, rows[0]) == ("plates-anomaly-scores.csv", ["series", "Anomaly score", "Parts"])
        counts = {
            kind: sum(int(row[2]) for row in rows[1:] if row[0] == kind) for kind in ("good", "defective")
        }
        assert counts == {"good": 9, "defective": 14}

        page.get_by_role("button", name="good", exact=True).first.click()  # in the legend: hidden now
        _, content = saved(page, "Save Anomaly scores as CSV")
        assert {row[0] for row in csv.reader(io.StringIO(content.decode()))} == {"series", "defective"}

        name, content = saved(page, "Save ROC curve as SVG")
        assert name == "plates-roc-curve.svg"
        assert "Good parts rejected" in "".join(ElementTree.fromstring(content.decode()).itertext())
        name, content = saved(page, "Save ROC curve as PNG")
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (1200, 1920, 3)
        assert (picture[5, 5] == 255).all()  # on white, whatever the page is

        table = page.locator("table").first
        assert table.locator("tbody th").all_inner_texts() == ["plates", "=others"]
        heading = table.get_by_role("button", name="Category")
        heading.click()
        assert table.locator("tbody th").all_inner_texts() == ["=others", "plates"]
        assert table.locator("th").first.get_attribute("aria-sort") == "ascending"
        _, content = saved(page, "Save Figures of every category as CSV")
        rows = list(csv.reader(io.StringIO(content.decode())))
        assert [row[0] for row in rows] == ["Category", "'=others", "plates", "Mean"]
        assert float(rows[1][1]) == pytest.approx(evaluation.ranking.auroc(), abs=5e-4)

        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.browser
def test_the_printed_report_keeps_its_charts(evaluation: Evaluation, tmp_path: Path, browser: Any) -> None:
    page_of([evaluation], tmp_path)
    page = browser.new_page(color_scheme="dark")
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector("html[data-drawn]")
    with_charts = len(page.pdf(prefer_css_page_size=True))
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".tools").first.is_hidden()
    dark = page.evaluate(
        """() => [...document.querySelectorAll(".chart text, .series")].filter((text) => {
          const style = getComputedStyle(text);
          return (text.closest("svg") ? style.fill : style.color) !== "rgb(0, 0, 0)";
        }).length"""
    )
    assert dark == 0
    page.evaluate("document.querySelectorAll('.chart').forEach((chart) => chart.remove())")
    assert with_charts - len(page.pdf(prefer_css_page_size=True)) > 4_000  # what three charts of lines take
    page.close()


@pytest.mark.browser
def test_an_injected_script_does_not_run(evaluation: Evaluation, tmp_path: Path, browser: Any) -> None:
    attack = "<img src=x onerror='window.attacked=1'><script>window.attacked=1</script>"
    named = tuple(replace(image, name=attack) for image in evaluation.images)
    page_of([replace(evaluation, images=named, category=attack)], tmp_path, title=attack)
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector("html[data-drawn]")
    assert page.evaluate("window.attacked") is None
    page.close()


@pytest.mark.real
def test_a_report_on_real_photographs_stays_small(real_data: Path, tmp_path: Path) -> None:
    from blemish.core.images import read_image
    from blemish.core.types import Verdict
    from blemish.data.catalog import open_catalog
    from blemish.line.inspection import Inspection

    usual = np.mean(
        [
            cv2.resize(read_image(p), (224, 224))
            for p in sorted((real_data / "metal_plate/train/good").iterdir())[:8]
        ],
        axis=0,
    )

    def inspect(path: Path) -> Inspection:
        image = read_image(path)
        difference = np.abs(cv2.resize(image, (224, 224)) - usual).mean(axis=2).astype(np.float32)
        anomaly_map = cv2.GaussianBlur(difference, (0, 0), 6)
        score = float(anomaly_map.max())
        return Inspection(Verdict.REVIEW, score, 70.0, 0.5, anomaly_map, (), image.shape[1], image.shape[0])

    catalog = open_catalog(real_data / "metal_plate")
    measured = evaluate(inspect, catalog, 70.0)
    page = page_of([measured], tmp_path)
    shown = pictures_in(page)
    assert len(shown) > 60
    assert sum(len(picture) for picture in shown) < 6e6
