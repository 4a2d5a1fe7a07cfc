"""Three people walk the page, as viewer, operator and admin, at three sizes and in both themes, by keyboard too."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched, serving

from blemish.server.authentication import KEY_SECONDS

pytestmark = pytest.mark.browser

SIZES = ((390, 844), (820, 1180), (1280, 800), (640, 400))
"""A phone, a tablet, a desk, and that desk at 200 % zoom."""

ADDRESSES = (
    "/", "/parts/washer", "/parts/washer/decide", "/parts/washer/history", "/parts/washer/history?queue=review",
    "/parts/washer/insight", "/parts/washer/versions", "/train", "/explore", "/benchmark", "/settings", "/parts/gasket",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(fitted: Path, washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("walks") / "home"
    with serving(home, [fitted], "--keep", "all", laboratory=True) as address:
        with httpx.Client(base_url=address, timeout=60) as client:
            for path in sorted(washers.glob("test/*/*.png")):
                files = {"images": (path.name, path.read_bytes(), "image/png")}
                client.post("/v1/inspect", data={"inspector": "washer"}, files=files).raise_for_status()
        yield address


@pytest.fixture(scope="module")
def keyed(
    fitted: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that asks for keys, and a key of each role."""
    home = tmp_path_factory.mktemp("keyed") / "home"
    keys = {
        role: blemish("key", "create", role, "--role", role, "--home", home, "--json").document["key"]
        for role in ("viewer", "operator", "admin")
    }
    with serving(home, [fitted], "--require-keys") as address:
        yield address, keys


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_address_fits_every_size_and_is_accessible(browser: Any, address: str, look: str) -> None:
    watched, wrong = Watched(browser, address, color_scheme=look), []
    for path in ADDRESSES:
        watched.go(path)
        wrong += [f"{path}: {one}" for one in watched.violations()]
        for width, height in SIZES:
            watched.page.set_viewport_size({"width": width, "height": height})
            if (over := watched.overflow()) > 0:
                wrong.append(f"{path} at {width}: {over} pixels too wide")
        small = watched.page.evaluate(SMALL_TARGETS)
        wrong += [f"{path}: a target of {one}" for one in small]
    assert wrong == []
    assert [one for one in watched.troubles if "/parts/gasket" not in one and "404" not in one] == []
    watched.context.close()


SMALL_TARGETS = """
() => [...document.querySelectorAll("button, summary, select, input:not([type=hidden]), nav a")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}))
  .map((one) => [one, (one.closest("label") || one).getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24))
  .map(([one, box]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${one.outerHTML.slice(0, 120)}`)
"""


def tab_to(watched: Watched, words: str, most: int = 60) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(most):
        watched.page.keyboard.press("Tab")
        name = watched.page.evaluate(
            "() => (document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || '').trim()"
        )
        if name.startswith(words):
            return
    raise AssertionError(f"{most} times Tab did not lead to {words}")


def test_the_engineer_decides_by_keyboard_alone(browser: Any, address: str) -> None:
    watched = Watched(browser, address).go("/")
    page = watched.page
    tab_to(watched, "washer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/parts/washer")
    tab_to(watched, "Decide")
    page.keyboard.press("Enter")
    page.wait_for_url("**/decide")
    page.locator("#sentences", has_text="of 1,000 good parts").wait_for()
    before = watched.text("#sentences")
    page.locator("[role=slider]").first.focus()
    for _ in range(5):
        page.keyboard.press("PageDown")
    page.wait_for_timeout(1500)
    assert watched.text("#sentences") != before
    shown = page.url
    assert "?" in shown  # what is considered can be sent to a colleague
    page.locator("#save:enabled").wait_for()
    page.locator("#save").focus()
    page.keyboard.press("Enter")
    page.locator("#saved", has_text=re.compile("version", re.I)).wait_for()
    versions = httpx.get(f"{address}/v1/inspectors").json()[0]["versions"]
    assert len(versions) == 2
    watched.go("/parts/washer/versions")
    assert "Version 2" in watched.text("main")
    assert watched.troubles == []
    watched.context.close()


def test_the_student_finds_the_laboratory_and_the_detectors(browser: Any, address: str) -> None:
    watched = Watched(browser, address).go("/benchmark")
    assert watched.page.locator("input[name=detectors]").count() > 15
    watched.page.locator("header a", has_text="Laboratory").click()
    watched.page.wait_for_url("**/laboratory/**")
    watched.page.locator("button", has_text="patchcore").first.wait_for()
    assert [one for one in watched.troubles if one.startswith("foreign")] == []
    watched.context.close()


def test_the_integrator_makes_a_key_uses_it_and_revokes_it(
    browser: Any, keyed: tuple[str, dict[str, str]]
) -> None:
    address, keys = keyed
    watched = Watched(browser, address).go("/settings")
    sign_in(watched, keys["admin"])
    page = watched.page
    page.fill("#name", "line-3")
    page.locator("#key-make").click()
    page.locator("#key-made:visible").wait_for()
    token = page.input_value("#token")
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{address}/v1/inspectors", headers=headers).status_code == 200
    assert httpx.post(f"{address}/v1/keys", headers=headers, json={}).status_code in (403, 422)
    page.locator("#keys-rows tr", has_text="line-3").locator("button").click()
    page.locator("#revoke-do").click()
    page.locator("#keys-rows tr", has_text="line-3").wait_for(state="detached")
    time.sleep(KEY_SECONDS)
    assert httpx.get(f"{address}/v1/inspectors", headers=headers).status_code == 401
    watched.context.close()


def sign_in(watched: Watched, key: str) -> None:
    """Show a key where the page asks for it."""
    watched.page.locator("input[name=key]").fill(key)
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(lambda url: "/sign-in" not in url)
    watched.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(
    ("role", "seen", "unseen"),
    [
        ("viewer", ("Parts", "Settings"), ("Train", "Learn a new part")),
        ("operator", ("Parts", "Settings"), ("Train", "Learn a new part")),
        ("admin", ("Parts", "Train", "Learn a new part"), ()),
    ],
)
def test_each_role_sees_what_it_may_press(
    browser: Any, keyed: tuple[str, dict[str, str]], role: str, seen: tuple[str, ...], unseen: tuple[str, ...]
) -> None:
    address, keys = keyed
    watched = Watched(browser, address).go("/")
    assert "/sign-in" in watched.page.url
    sign_in(watched, keys[role])
    links = [one.strip() for one in watched.page.locator("a").all_inner_texts()]
    assert all(one in links for one in seen) and not any(one in links for one in unseen), links
    watched.go("/parts/washer")
    assert watched.page.locator("#choose").count() == (0 if role == "viewer" else 1)
    watched.go("/parts/washer/decide")
    assert watched.page.locator("#save").count() == (0 if role == "viewer" else 1)
    watched.go("/parts/washer/versions")
    assert watched.page.locator("a[download]").count() == (1 if role == "admin" else 0)
    assert [one for one in watched.troubles if "401" not in one and "console" not in one] == []
    watched.context.close()
