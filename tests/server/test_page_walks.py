"""An engineer, a student and an integrator walk the page behind proxies with TLS and a prefix, by keyboard alone.

Each walk goes through the four areas of a part. Of the 108 walks that person, size, theme, role and proxy allow those
are taken in which every pair of them occurs, which is nine; a test counts that. Wherever a walk stops, axe-core, width
and the size of targets are looked at; at its end nothing was said on the console, refused, or asked of anyone else.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched, serving
from page_walker import Walker, faults
from proxy_process import caddy, nginx, snippets

from blemish.server.authentication import KEY_SECONDS

pytestmark = pytest.mark.browser

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1280, 800), "desk at 200 %": (640, 400)}
ROLES = ("viewer", "operator", "admin")
BESIDES = (
    "/",
    "/parts/washer/history?queue=review",
    "/parts/washer/insight",
    "/train",
    "/explore",
    "/benchmark",
    "/settings",
    "/parts/gasket",
)
"""Addresses that no walk stops at."""

WALKS = (
    ("engineer", "phone", "viewer", "light", "caddy"),
    ("engineer", "tablet", "operator", "dark", "nginx"),
    ("engineer", "desk", "admin", "light", "nginx"),
    ("student", "phone", "operator", "dark", "nginx"),
    ("student", "tablet", "admin", "light", "caddy"),
    ("student", "desk", "viewer", "dark", "caddy"),
    ("integrator", "phone", "admin", "dark", "caddy"),
    ("integrator", "tablet", "viewer", "light", "nginx"),
    ("integrator", "desk", "operator", "light", "caddy"),
)


def test_every_pair_of_choices_is_walked() -> None:
    for first, second in itertools.combinations(range(5), 2):
        taken = {(walk[first], walk[second]) for walk in WALKS}
        assert taken == set(itertools.product(*({walk[at] for walk in WALKS} for at in (first, second))))


@dataclass(frozen=True)
class Line:
    """A server behind two proxies: their addresses, a key of each role, and photographs that are rejected."""

    addresses: dict[str, str]
    keys: dict[str, str]
    rejects: list[Path]

    def client(self, role: str, proxy: str = "caddy") -> httpx.Client:
        """A program that comes as people do."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        address = f"{self.addresses[proxy]}/"
        return httpx.Client(base_url=address, headers=headers, verify=False, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def line(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("walks")
    keys = {
        role: blemish("key", "create", role, "--role", role, "--home", folder / "home", "--json").document[
            "key"
        ]
        for role in ROLES
    }
    options = ("--keep", "all", "--root-path", "/blemish", "--trusted-proxy", "127.0.0.1")
    ports = {}
    for name in ("nginx", "caddy"):
        (folder / name).mkdir()
    root, prefixed = snippets("nginx")
    location = re.search(r"    location.*?\n    }\n", prefixed, re.DOTALL)
    assert location is not None
    below = re.sub(r"    location.*?\n    }\n", location[0], root, flags=re.DOTALL)  # the prefix, and TLS
    with serving(folder / "home", [fitted], *options, laboratory=True) as address:
        backend = int(address.rpartition(":")[2])
        with (
            nginx(below, backend, folder / "nginx") as ports["nginx"],
            caddy(snippets("caddyfile")[0], backend, folder / "caddy") as ports["caddy"],
        ):
            addresses = {name: f"https://localhost:{port}/blemish" for name, port in ports.items()}
            found = Line(addresses, keys, [])
            with found.client("operator") as client:
                for path in sorted(washers.glob("test/*/*.png"))[::2]:
                    form = {"inspector": "washer", "serial_number": f"SN-{path.stem}"}
                    answer = client.post("v1/inspect", data=form, files={"images": path.read_bytes()})
                    if answer.json()["inspections"][0]["verdict"] == "reject":
                        found.rejects.append(path)
            yield found


@dataclass(frozen=True)
class Walk:
    """A person on their way, with a role."""

    line: Line
    walker: Walker
    role: str
    proxy: str
    wrong: list[str]

    @property
    def judges(self) -> bool:
        return self.role != "viewer"

    def look(self) -> None:
        """Note what is wrong with the page as it is."""
        self.wrong.extend(faults(self.walker.watched))

    def area(self, name: str) -> None:
        """Go to an area of the part."""
        self.walker.enter(name, f"/parts/washer/{name.lower()}")


@pytest.mark.parametrize(("person", "size", "role", "look", "proxy"), WALKS)
def test_a_person_walks_the_four_areas_by_keyboard_alone(
    browser: Any, line: Line, person: str, size: str, role: str, look: str, proxy: str
) -> None:
    # Colours that are still on their way to another state have any contrast.
    options: dict[str, Any] = {"ignore_https_errors": True, "reduced_motion": "reduce", "color_scheme": look}
    watched = Watched(browser, line.addresses[proxy], "/", **options)
    watched.page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    walk = Walk(line, Walker(watched), role, proxy, [])
    walk.look()
    walk.walker.sign_in(line.keys[role])
    {"engineer": engineer, "student": student, "integrator": integrator}[person](walk)
    assert walk.wrong == []
    assert watched.troubles == []
    watched.context.close()


def engineer(walk: Walk) -> None:
    """Has a part judged, moves the threshold, looks at what was judged before, and at what changed."""
    walker = walk.walker
    walker.enter("washer", "/parts/washer")
    judge(walk)
    if walk.judges:
        walker.press("d")
        walker.sees("#feedback-note", "Kept: defective")
    walk.area("Decide")
    walker.sees("#sentences[aria-busy=false]", "of 1,000 good parts")
    before = walk.walker.watched.text("#sentences")
    walker.tab_to("Threshold")
    walker.press(*["PageDown"] * 5)
    walker.page.wait_for_url(re.compile("threshold="))  # what is considered can be sent to a colleague
    walker.sees("#sentences[aria-busy=false]")
    assert walker.watched.text("#sentences") != before
    walk.look()
    if walk.judges:
        walker.type("Why", "as the line is now")
        walker.enter("Judge by this from now on")
        walker.sees("#saved", re.compile(r"Version \d+ judges from now on"))
    open_inspection(walk)
    walk.area("Versions")
    versions = walker.page.locator(".version-list > li").count()
    assert versions >= 1 + walk.judges and "Version 1" in walker.sees("main")
    walk.look()


def judge(walk: Walk) -> None:
    """Choose a photograph and see its verdict without scrolling; a viewer is told that this needs another key."""
    walker = walk.walker
    if walk.judges:
        walker.choose("Choose photographs", str(walk.line.rejects[0]))
        walker.sees("#counts", "1 of 1 judged")
        box = walker.page.locator("#word").bounding_box()
        assert box["y"] + box["height"] <= walker.page.viewport_size["height"]
        walker.page.locator("#reasons img").first.wait_for()
    else:
        assert "Your key is for a viewer" in walker.sees("main")
    walk.look()


def open_inspection(walk: Walk) -> None:
    """Open the newest but one in the history, which the address keeps, and set the newest beside it."""
    walker = walk.walker
    walk.area("History")
    first = walker.page.locator("#rows a.open").first
    first.wait_for()
    walker.tab_to(first.inner_text())
    walker.press("Enter", "j")
    number = walker.page.locator("#rows tr").nth(1).get_attribute("data-number")
    walker.sees("#title", f"Inspection {number}")
    walker.page.reload(wait_until="networkidle")
    walker.sees("#title", f"Inspection {number}")
    assert f"inspection={number}" in walker.page.url
    walk.look()
    assert walker.page.locator("#feedback").count() == walk.judges
    walker.press("c")
    walker.sees("#compare-sides", "Choose the other in the list")
    walker.enter(first.inner_text())
    walker.sees("#compare-title", f"Inspections {number} and ")
    walker.page.locator(".side img:visible").nth(3).wait_for()
    walk.look()
    walker.press("Escape")


def student(walk: Walk) -> None:
    """Looks closely at a defect, at what is promised and how it went; then at all detectors in the laboratory."""
    walker = walk.walker
    walker.enter("washer", "/parts/washer")
    judge(walk)
    if walk.judges:
        before = walker.page.locator(".stage").bounding_box()["width"]
        walker.tab_to("Photograph: + and - zoom")
        walker.press("+", "+", "ArrowLeft")
        assert walker.page.locator(".stage").bounding_box()["width"] > 2 * before
        walker.tab_to("Opacity of the heatmap")
        walker.press("End")
    walk.area("Decide")
    assert "of 1,000 good parts" in walker.sees("#sentences[aria-busy=false]")
    assert walker.page.locator("#save").count() == walk.judges
    walk.look()
    walk.area("History")
    if not walker.page.locator("#charts[open]").count():
        walker.tab_to("Charts")
        walker.press("Enter")
    walker.page.locator("#chart-rate svg").wait_for()
    walk.look()
    walk.area("Versions")
    walk.look()
    if walk.role == "admin":
        walker.enter("Benchmark", "/benchmark")
        walker.tab_to("patchcore")
        walker.press("Space")
    laboratory(walker)


def laboratory(walker: Walker) -> None:
    """Go to the laboratory, whose stream of events never rests, and from its first detector to the next."""
    walker.enter("Laboratory")
    walker.page.wait_for_url(re.compile(r"/laboratory/"))
    tab = walker.page.get_by_role("tab", selected=True).first
    tab.wait_for()
    walker.tab_to(tab.inner_text())
    walker.press("ArrowRight")
    walker.page.wait_for_load_state("load")


def integrator(walk: Walk) -> None:
    """Makes a key where that is allowed, lets a program judge, and finds what it sent by its serial number."""
    walker, line = walk.walker, walk.line
    with line.client(walk.role, walk.proxy) as program:
        path = line.rejects[1]
        serial = f"LINE-{walk.role}"
        sent = {
            "data": {"inspector": "washer", "serial_number": serial},
            "files": {"images": path.read_bytes()},
        }
        answer = program.post("v1/inspect", **sent)
        assert answer.status_code == (200 if walk.judges else 403)
    if walk.role == "admin":
        make_a_key(walk)
        walker.enter("Parts", "/blemish/")
    walker.enter("washer", "/parts/washer")
    walk.look()
    walk.area("Decide")
    walker.sees("#sentences[aria-busy=false]")
    walk.area("History")
    walker.type("Search", serial)
    number = answer.json()["inspections"][0]["id"] if walk.judges else None
    walker.sees("#matching", re.compile("^1 inspection matches" if number else "^0 inspections match"))
    with walker.page.expect_download() as download:
        walker.enter("CSV")
    rows = download.value.path().read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == ([number] if number else [])
    walk.look()
    walk.area("Versions")
    if walk.role == "admin":
        with walker.page.expect_download() as artifact:
            walker.enter("Download")
        assert artifact.value.path().read_bytes()[:2] == b"PK"
    walk.look()
    walker.enter("API", "/docs")


def make_a_key(walk: Walk) -> None:
    """A key for a program opens the API, but not what its role may not; once revoked it opens nothing."""
    walker, address = walk.walker, walk.line.addresses[walk.proxy]
    walker.enter("Settings", "/settings")
    walker.type("Name of the person or program", "line-3")
    walker.enter("Make key")
    walker.page.locator("#key-made:visible").wait_for()
    headers = {"Authorization": f"Bearer {walker.page.input_value('#token')}"}
    with httpx.Client(verify=False, trust_env=False, headers=headers) as program:
        assert program.get(f"{address}/v1/inspectors").status_code == 200
        assert program.post(f"{address}/v1/keys", json={}).status_code in (403, 422)
        walk.look()
        walker.enter("Revoke line-3")
        walker.enter("Revoke")
        walker.page.locator("#keys-rows tr", has_text="line-3").wait_for(state="detached")
        time.sleep(KEY_SECONDS)
        assert program.get(f"{address}/v1/inspectors").status_code == 401


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_other_address_fits_every_size_and_is_accessible(browser: Any, line: Line, look: str) -> None:
    options: dict[str, Any] = {"ignore_https_errors": True, "reduced_motion": "reduce", "color_scheme": look}
    headers = {"Authorization": f"Bearer {line.keys['admin']}"}
    watched, wrong = Watched(browser, line.addresses["nginx"], "/", extra_http_headers=headers, **options), []
    for path in BESIDES:
        watched.go(path)
        wrong += faults(watched)
        for width, height in SIZES.values():
            watched.page.set_viewport_size({"width": width, "height": height})
            if (over := watched.overflow()) > 0:
                wrong.append(f"{path} at {width}: {over} pixels too wide")
    assert wrong == []
    assert [one for one in watched.troubles if "/parts/gasket" not in one and "404" not in one] == []
    watched.context.close()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_what_it_may_press(browser: Any, line: Line, role: str) -> None:
    headers = {"Authorization": f"Bearer {line.keys[role]}"}
    watched = Watched(
        browser, line.addresses["caddy"], "/", extra_http_headers=headers, ignore_https_errors=True
    ).go("/")
    links = {one.strip() for one in watched.page.locator("a").all_inner_texts()}
    learning = {"Train", "Explore", "Benchmark", "Learn a new part"}
    assert links >= {"Parts", "Settings"} and links & learning == (learning if role == "admin" else set())
    watched.go("/parts/washer")
    assert watched.page.locator("#choose").count() == (0 if role == "viewer" else 1)
    watched.go("/parts/washer/decide")
    assert watched.page.locator("#save").count() == (0 if role == "viewer" else 1)
    watched.go("/parts/washer/versions")
    assert (watched.page.locator("a[download]").count() > 0) == (role == "admin")
    assert watched.troubles == []
    watched.context.close()
