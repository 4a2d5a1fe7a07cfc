"""`/v1/stations` and its page: files, checks, starting and stopping, and what the station says of itself."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched
from server_clients import assert_problem

from blemish.station.keys import Role

FILE = """[station]
name = "line-1"
inspector = "washer"
workers = 1

[[source]]
kind = "folder"
name = "camera-1"
path = "{incoming}"

[[sink]]
kind = "json-lines"
name = "verdicts"
file = "verdicts.jsonl"
"""
ROLES = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)
PATH = "/v1/stations/line-1"


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.05)
    return answer


def status(client: httpx.Client) -> dict[str, Any]:
    return client.get(PATH).json()["status"] or {"state": None, "pid": None, "verdicts": {}}


def test_a_station_is_written_started_watched_and_stopped(
    served: Any, tmp_path: Path, washers: Path, browser: Any
) -> None:
    incoming = tmp_path / "incoming"
    with served(page=True) as server, server.client() as client:
        assert client.get("/v1/stations").json() == {"stations": []}
        assert_problem(client.get(PATH), 404)
        text = FILE.format(incoming=incoming)
        wrong = client.put(f"{PATH}/settings", json={"text": text.replace("path =", "folder =")})
        assert "line 6, source[1].path: this key is missing" in assert_problem(wrong, 422)["detail"]
        kept = client.put(f"{PATH}/settings", json={"text": text}).json()
        assert len(kept["problems"]) == 1 and str(incoming) in kept["problems"][0]
        assert_problem(client.post(f"{PATH}/start"), 422)
        incoming.mkdir()
        assert client.put(f"{PATH}/settings", json={"text": text}).json() == {"problems": []}
        assert client.post(f"{PATH}/start").status_code == 202
        assert_problem(client.post(f"{PATH}/start"), 409)
        for path in sorted((washers / "test" / "good").glob("*.png"))[:3]:
            shutil.copy(path, incoming)
        until(lambda: sum(status(client)["verdicts"].values()) == 3)
        assert 'blemish_station_up{station="line-1"} 1.0' in client.get("/metrics").text
        shows_itself(browser, server.address)
        # What ends unasked runs again, and goes on where it was.
        killed = status(client)["pid"]
        os.kill(killed, signal.SIGKILL)
        until(lambda: status(client)["pid"] != killed and status(client)["state"] == "running")
        stopped = client.post(f"{PATH}/stop").json()
        assert stopped["status"]["state"] == "stopped" and not stopped["supervised"]
        assert_problem(client.post(f"{PATH}/stop"), 409)
        entries = client.get("/v1/audit").json()["entries"]
        done = [one["action"] for one in entries if one["detail"].get("station") == "line-1"]
        assert done == ["stop-station", "start-station", "change-station", "change-station"]
        found = client.get("/v1/inspections").json()["inspections"]
        assert len(found) == 3 and {one["by"] for one in found} == {"line-1"}


def shows_itself(browser: Any, address: str) -> None:
    """The pages of the list and of the station."""
    watched = Watched(browser, address, "/stations")
    page = watched.page
    page.locator("[data-station='line-1'] .state.running").wait_for()
    page.get_by_role("link", name="line-1").click()
    page.locator("#station .state.running").wait_for()
    page.locator("#last li").nth(2).wait_for()
    page.locator("#stop:not([hidden])").wait_for()
    area = page.locator("#text")
    area.fill(area.input_value() + "\nspeed = 1\n")
    page.locator("#check").click()
    page.locator("#problems li", has_text="speed: this key is not known").wait_for()
    assert watched.violations() == []
    for size in ((390, 844), (1280, 800)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert watched.overflow() <= 0, size
    assert [one for one in watched.troubles if "422" not in one] == []
    watched.context.close()


def test_only_an_admin_changes_stations(served: Any) -> None:
    with served(require_keys=True, keys=("x",), add=False) as server:
        keys = server.service.keys
        admin, operator, viewer = (server.client(keys.create(str(role), role)) for role in ROLES)
        body = {"text": FILE.format(incoming="incoming")}
        for client in (operator, viewer):
            assert_problem(client.put(f"{PATH}/settings", json=body), 403)
        assert admin.put(f"{PATH}/settings", json=body).status_code == 200
        for client in (operator, viewer):
            assert client.get("/v1/stations").json()["stations"][0]["has_settings"] is True
            for path in ("start", "stop"):
                assert_problem(client.post(f"{PATH}/{path}"), 403)
            assert_problem(client.get(f"{PATH}/settings"), 403)
        for client in (admin, operator, viewer):
            client.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FILE.format(incoming="/etc"), "/etc is not below a folder that this server may use"),
        (FILE.format(incoming="in").replace("verdicts.jsonl", "/var/x.jsonl"), "/var/x.jsonl is not below"),
        (FILE.format(incoming="in").replace("line-1", "line-2"), 'write "line-1"'),
        ("no", "no TOML"),
    ],
)
def test_a_file_that_goes_too_far_is_refused(served: Any, tmp_path: Path, text: str, said: str) -> None:
    with served(photographs_below=(tmp_path,), add=False) as server, server.client() as client:
        problem = assert_problem(client.put(f"{PATH}/settings", json={"text": text}), 422)
        assert said in problem["detail"]
        assert client.get("/v1/stations").json() == {"stations": []}
