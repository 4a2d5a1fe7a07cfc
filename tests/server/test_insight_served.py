"""Insight through its doors: API, page, command line, Python; all say the same."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched

import blemish as bl
from blemish.core.types import Region, Verdict
from blemish.station.records import NewInspection

DAYS = 10


def inspections(n: int = 1200) -> list[NewInspection]:
    """An even history but for the late shift of the last days, which makes worse parts."""
    end = datetime.now(UTC) - timedelta(minutes=5)
    found = []
    for number in range(n):
        time = end - timedelta(days=DAYS) * (1 - number / n)
        late = number % 2 == 1
        rejected = number % (5 if late and number > 0.7 * n else 50) == (
            4 if late and number > 0.7 * n else 9
        )
        found.append(
            NewInspection(
                time=time, inspector="washer", version=1, verdict=Verdict.REJECT if rejected else Verdict.PASS,
                score=3.0 if rejected else 1.0, threshold=2.0, p_value=0.5, percentile=50.0,
                regions=(Region(10, 10, 5, 5, 3.0, peak=(12, 12)),) if rejected else (), width=100, height=100,
                image_digest=f"{number:064x}", image_suffix=None, file_name=f"{number}.png",
                shift="late" if late else "early", batch=f"<L{number // 300}>",
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def station(served: Callable[..., Any]) -> Iterator[Any]:
    with served(page=True) as server:
        server.service.log.add(inspections())
        yield server


@pytest.fixture(scope="module")
def client(station: Any) -> Iterator[httpx.Client]:
    with station.client() as session:
        yield session


def test_the_api_tells_the_numbers_of_the_log(client: httpx.Client) -> None:
    found = client.get("/v1/insight", params={"inspector": "washer", "since": "2000-01-01T00:00:00Z"}).json()
    counted = client.get("/v1/stats", params={"inspector": "washer"}).json()
    assert found["n"] == counted["summary"]["n"] == 1200
    assert found["rejected"] == counted["summary"]["rejected"]
    assert found["first_pass"] == counted["first_pass"]
    assert [one["name"] for one in found["groups"]["shift"] if one["differs"]] == ["early", "late"]
    assert any(one["kind"] == "version" for one in found["changes"])
    late = client.get(
        "/v1/insight", params={"inspector": "washer", "shift": "late", "time_zone": "Asia/Tokyo"}
    ).json()
    assert late["filter"]["shift"] == "late" and "shift" not in late["groups"]
    assert 0 < late["n"] < 600  # of the last seven days


def test_what_cannot_be_asked_is_said(client: httpx.Client) -> None:
    for asked, status in (
        ({"inspector": "nobody"}, 404),
        ({}, 422),
        ({"inspector": "washer", "time_zone": "Moon/Sea"}, 422),
        ({"inspector": "washer", "since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, 422),
    ):
        assert client.get("/v1/insight", params=asked).status_code == status, asked


def test_table_and_report_are_files(client: httpx.Client) -> None:
    sent = client.get("/v1/insight", params={"inspector": "washer", "format": "csv"})
    assert "attachment" in sent.headers["content-disposition"]
    rows = list(csv.DictReader(sent.text.splitlines()))
    assert {"span", "rate by day", "shift", "finding"} <= {row["section"] for row in rows}
    report = client.get("/v1/insight", params={"inspector": "washer", "format": "html"}).text
    assert report.startswith("<!doctype html>") and "&lt;L1&gt;" in report and "<L1>" not in report


def test_the_command_line_and_python_say_the_same(
    station: Any, client: httpx.Client, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    home = station.service.home.path
    span = ("--since", "2000-01-01", "--time-zone", "UTC")
    out, rows = tmp_path / "week.html", tmp_path / "week.csv"
    said = blemish(
        "insight", "--home", home, *span, "--by", "shift", "--out", out, "--csv", rows, "--json"
    ).document
    served = client.get("/v1/insight", params={"inspector": "washer", "since": "2000-01-01T00:00:00Z"}).json()
    assert said["groups"]["shift"] == served["groups"]["shift"] and list(said["groups"]) == ["shift"]
    assert [(one["n"], one["rejected"], one["upper"]) for one in said["points"]] == [
        (one["n"], one["rejected"], one["upper"]) for one in served["points"]
    ]
    assert out.read_text("utf-8").count("<svg") >= 4 and rows.read_text().startswith("section,name,")
    text = blemish("insight", "washer", "--home", home, *span)
    assert text.status == 0 and "Shift late" in text.stdout and "differs" in text.stdout
    found = bl.insight("washer", home, since="2000-01-01", time_zone="UTC")
    assert found.insight.n == 1200 and "Shift late" in " ".join(found.findings)
    assert "<svg" in found._repr_html_()
    assert blemish("insight", "nut", "--home", home).status == 1
    assert blemish("insight", "--home", home, "--since", "soon").status == 2


@pytest.mark.browser
def test_the_page_shows_it_and_leads_back(browser: Any, station: Any) -> None:
    watched = Watched(browser, station.address)
    page = watched.go("/parts/washer/history").page
    page.get_by_role("link", name="Insight").click()
    page.wait_for_selector(".insight-chart")
    page.get_by_label("Span").select_option("4w")
    page.get_by_role("textbox", name="Shift").fill("late")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**since=4w**shift=late**")
    assert "600 parts judged" in watched.text(".insight-headline")
    page.get_by_text("Values").first.click()
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        assert watched.violations() == []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert watched.overflow() <= 0
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "600" in download.value.path().read_text().splitlines()[1]
    watched.go("/parts/washer/insight?until=never")
    assert "is no time" in watched.text("[role=alert]")
    assert watched.troubles == []
    watched.context.close()
