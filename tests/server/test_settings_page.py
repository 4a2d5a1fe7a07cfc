"""`/settings`, and what it shows and changes: keys, what is kept, what the disk holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched
from server_clients import assert_problem, inspect

from blemish.core.errors import BlemishError
from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.server.storage_used import folder_bytes
from blemish.station.keys import Role

SIZES = ((390, 844), (820, 1180), (1280, 800))


def test_what_is_kept_is_changed_while_it_runs_and_outlives_a_restart(
    served: Any, tmp_path: Path, good: bytes
) -> None:
    with served(home=tmp_path, require_keys=True, keys=("x",), buffer_megabytes=0) as server:
        anna = server.client(server.service.keys.create("anna", Role.ADMIN))
        otto = server.client(server.service.keys.create("otto", Role.OPERATOR))
        first = otto.get("/v1/settings/retention").json()
        assert first == {"keep": "rejects", "days": None, "gigabytes": None, "fixed": []}
        wanted = {"keep": "all", "days": 30, "gigabytes": 2.5}
        assert_problem(otto.put("/v1/settings/retention", json=wanted), 403)
        (before,) = inspect(anna, ("a.png", good)).json()["inspections"]
        assert anna.put("/v1/settings/retention", json=wanted).json() == {**wanted, "fixed": []}
        (after,) = inspect(anna, ("b.png", good)).json()["inspections"]
        assert before["verdict"] == after["verdict"] == "pass"
        assert before["image"] is None and anna.get(after["image"]).content == good
        anna.put("/v1/settings/retention", json=wanted)  # nothing new
        entries = [one for one in anna.get("/v1/audit").json()["entries"] if one["action"] == "set-retention"]
        assert [one["by"] for one in entries] == ["anna"]
        assert entries[0]["detail"]["before"]["keep"] == "rejects" and entries[0]["detail"]["after"] == wanted
    with served(home=tmp_path, add=False) as server, server.client() as client:
        assert client.get("/v1/settings/retention").json() == {**wanted, "fixed": []}
        assert server.service.images.policy.days == 30


def test_what_is_too_much_goes_at_once(served: Any, rejected: list[Any], good: bytes) -> None:
    with served(add=True) as server, server.client() as client:
        client.put("/v1/settings/retention", json={"keep": "all", "days": None, "gigabytes": None})
        (found,) = inspect(client, ("a.png", good)).json()["inspections"]
        assert client.get("/v1/settings/storage").json()["photographs"] == len(good)
        client.put("/v1/settings/retention", json={"keep": "all", "days": None, "gigabytes": 1e-6})
        end = time.monotonic() + 60
        record = f"/v1/inspections/{found['id']}"
        while client.get(record).json()["image"] is not None and time.monotonic() < end:
            time.sleep(0.02)  # the file goes first, and then the record says so
        assert client.get("/v1/settings/storage").json()["photographs"] == 0
        assert client.get(record).json()["image"] is None
        assert_problem(client.get(found["image"]), 404)


def test_an_option_of_the_command_line_wins(served: Any, tmp_path: Path) -> None:
    with served(home=tmp_path, add=False) as server, server.client() as client:
        client.put("/v1/settings/retention", json={"keep": "none", "days": 5, "gigabytes": 1})
    with served(home=tmp_path, add=False, keep="all", keep_days=7) as server, server.client() as client:
        found = client.get("/v1/settings/retention").json()
        assert found == {"keep": "all", "days": 7, "gigabytes": 1, "fixed": ["days", "keep"]}
        problem = assert_problem(
            client.put("/v1/settings/retention", json={"keep": "all", "days": 8, "gigabytes": 1}), 409
        )
        assert "--keep-days 7" in problem["detail"]
        changed = client.put("/v1/settings/retention", json={"keep": "all", "days": 7, "gigabytes": 3})
        assert changed.json()["gigabytes"] == 3
    with served(home=tmp_path, add=False) as server, server.client() as client:
        assert client.get("/v1/settings/retention").json()["gigabytes"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep": "some"},
        {"days": 0},
        {"days": 1.5},
        {"days": -1},
        {"gigabytes": 0},
        {"gigabytes": "much"},
        {"more": 1},
    ],
)
def test_what_cannot_be_kept_by_is_said_of_its_field(client: httpx.Client, wrong: dict[str, Any]) -> None:
    body = {"keep": "all", "days": None, "gigabytes": None, **wrong}
    problem = assert_problem(client.put("/v1/settings/retention", json=body), 422)
    assert problem["errors"][0]["where"] == f"body.{next(iter(wrong))}"


def test_a_damaged_choice_is_not_taken_for_the_default(tmp_path: Path) -> None:
    (tmp_path / "retention.json").write_text('{"keep": "all"')
    with pytest.raises(BlemishError, match="correct it, or remove it"):
        Service(ServerSettings(home=tmp_path))


def test_storage_is_what_lies_on_the_disk(served: Any, good: bytes) -> None:
    with served(keep="all") as server, server.client() as client:
        inspect(client, ("a.png", good))
        home = server.service.home
        found = client.get("/v1/settings/storage").json()
        assert found["photographs"] == sum(path.stat().st_size for path in home.images.rglob("*.png")) > 0
        assert found["inspectors"] == sum(
            path.stat().st_size for path in home.inspectors.rglob("*") if path.is_file()
        )
        assert found["inspectors"] > 10_000 and found["gallery"] >= 0 and found["jobs"] == 0
        assert found["database"] >= (home.path / "blemish.db").stat().st_size > 0
        assert 0 < found["disk_free"] <= found["disk_total"]
    assert folder_bytes(home.path / "nowhere") == 0


@pytest.fixture(scope="module")
def guarded(served: Callable[..., Any]) -> Iterator[Any]:
    with served(page=True, require_keys=True, keys=("x",), keep_days=30) as server:
        yield server


def signed_in(browser: Any, server: Any, name: str, role: Role, **options: Any) -> Watched:
    key = server.service.keys.create(name, role)
    watched = Watched(browser, server.address, **options).go("/settings")
    watched.page.get_by_label("Key", exact=True).fill(key)
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/settings")
    watched.page.wait_for_load_state("networkidle")
    return watched


@pytest.mark.browser
def test_an_admin_makes_and_revokes_keys_and_signs_out(browser: Any, guarded: Any) -> None:
    watched = signed_in(browser, guarded, "anna", Role.ADMIN)
    page = watched.page
    assert "anna" in watched.text("header") and "admin" in watched.text("header")
    page.get_by_label("Name of the person or program").fill("a b")
    page.get_by_role("button", name="Make key").click()
    page.locator("#key-form p.wrong", has_text="cannot be named").wait_for()
    assert page.get_by_label("Name of the person or program").get_attribute("aria-invalid") == "true"
    page.get_by_label("Name of the person or program").fill("line-3")
    page.get_by_label("Role").select_option("viewer")
    page.get_by_label("Role").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_label("The key of line-3, viewer").wait_for()
    token = page.get_by_label("The key of line-3, viewer").input_value()
    assert guarded.service.keys.find(token).role is Role.VIEWER
    assert watched.violations() == []
    page.get_by_role("button", name="Revoke line-3", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Leave it").click()
    assert guarded.service.keys.find(token) is not None
    page.get_by_role("button", name="Revoke line-3", exact=True).click()
    assert "your own key" not in watched.text("dialog")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    page.get_by_text("line-3 is revoked.").wait_for()
    assert guarded.service.keys.find(token) is None
    page.get_by_text("1 revoked key", exact=True).click()
    page.locator("#keys-revoked li", has_text="line-3, viewer").wait_for()

    assert page.get_by_label("Days").is_disabled()
    assert "--keep-days" in watched.text("#days-hint")
    page.get_by_label("Gigabytes").fill("-4")
    page.get_by_role("button", name="Save").click()
    page.locator("#retention-form p.wrong").wait_for()
    page.get_by_label("Gigabytes").fill("4")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved: photographs are kept so").wait_for()
    assert guarded.service.images.policy.gigabytes == 4
    allowed = [one for one in watched.troubles if "422" in one]
    assert len(allowed) == 4 and watched.troubles == allowed  # each as an answer and on the console

    page.get_by_role("button", name="Revoke anna", exact=True).click()
    assert "your own key" in watched.text("dialog") and "last key of an admin" in watched.text("dialog")
    page.keyboard.press("Escape")
    page.locator("header").get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()
    page.goto(f"{watched.address}/settings")
    page.get_by_label("Key", exact=True).wait_for()
    watched.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("look", ["light", "dark"])
def test_both_pages_fit_every_screen_in_both_themes(browser: Any, guarded: Any, look: str) -> None:
    watched = Watched(browser, guarded.address, color_scheme=look).go("/sign-in")
    assert watched.violations() == [] and watched.overflow() <= 0
    watched.page.set_viewport_size({"width": 390, "height": 844})
    assert watched.overflow() <= 0
    watched.context.close()
    watched = signed_in(browser, guarded, f"anna-{look}", Role.ADMIN, color_scheme=look)
    for width, height in SIZES:
        watched.page.set_viewport_size({"width": width, "height": height})
        assert watched.overflow() <= 0, (width, height)
        small = watched.page.evaluate(
            "[...document.querySelectorAll('a, button, input, select, summary')]"
            ".filter((e) => e.checkVisibility() && !e.closest('.skip') && !e.matches('.skip'))"
            ".filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)"
        )
        assert [one for one in small if "/docs" not in one] == []
    assert watched.violations() == []
    assert watched.troubles == []
    watched.context.close()


@pytest.mark.browser
def test_a_viewer_sees_what_is_kept_and_changes_nothing(browser: Any, guarded: Any) -> None:
    watched = signed_in(browser, guarded, "vera", Role.VIEWER)
    page = watched.page
    page.locator("#storage-rows tr").first.wait_for()
    assert "free on the disk" in watched.text("#storage-free")
    assert page.get_by_role("button", name="Save").count() == page.get_by_label("New key").count() == 0
    assert page.get_by_label("Which").is_disabled()
    assert "People and programs" not in page.content()
    links = page.eval_on_selector_all("main a, footer a", "all => all.map((a) => a.href)")
    for link in links:
        answer = watched.context.request.get(link)
        assert answer.status == 200, link
    assert watched.troubles == []
    watched.context.close()
