"""Measure the page in a browser: how soon an address can be used, how soon a drop has its verdict, and a hundred.

    python bench/page.py [--inspector NAME.blemish --photographs FOLDER] [--json] [--write]

Server and Chromium share two cores. Every address is opened with an empty cache. Without arguments an inspector of
drawn washers is fitted first, at the default size, on 512 x 512 photographs. Needs [serve,dev] and Chromium.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from latency import fitted_washer
from measuring.pages import ROOT, origin, table, write_block
from measuring.service import ServerProcess
from playwright.sync_api import Browser, Page, sync_playwright

from blemish.core.images import list_images
from blemish.line.runtime import Inspector

CORES = 2
CHROMIUM = "/usr/bin/chromium"
USABLE_WITHIN, BYTES_AT_MOST, VERDICT_WITHIN = 1.0, 250_000, 0.5
"""Seconds, bytes and seconds that were promised."""

# What a person came for, at each address: once it stands there the page can be used.
ADDRESSES = {
    "/": ".part-card",
    "/parts/{name}": "#choose",
    "/parts/{name}/decide": "#sentences[aria-busy=false]",
    "/parts/{name}/history": "#rows tr",
    "/parts/{name}/versions": ".version-list li",
    "/settings": "#storage-rows tr",
}

# Drops files where a person would, and says when each verdict stood on the screen.
DROP = """
async ([files, last]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type: "image/png"}));
  }
  const counts = document.getElementById("counts"), facts = document.getElementById("facts");
  const steps = new Set();
  const began = performance.now();
  let first = null;
  const ended = new Promise((resolve) => {
    const look = () => {
      if (first === null && facts.textContent.includes(files[0][0])) {
        requestAnimationFrame(() => setTimeout(() => { first = performance.now() - began; done(); }));
      }
      steps.add(counts.textContent.split(" judged")[0]);
      done();
    };
    const done = () => {
      if (first === null || !counts.textContent.startsWith(last)) return;
      watching.disconnect();
      resolve(performance.now() - began);
    };
    const watching = new MutationObserver(look);
    for (const place of [counts, facts]) watching.observe(place, {childList: true, characterData: true, subtree: true});
  });
  document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true}));
  return {all: await ended / 1000, first: first / 1000, steps: steps.size};
}
"""


@dataclass(frozen=True)
class View:
    """An address as it was opened: seconds until it can be used, bytes that came for it."""

    path: str
    seconds: float
    slowest: float
    bytes: int


@dataclass(frozen=True)
class Drops:
    """Photographs that were dropped one by one: seconds until the verdict is on the screen."""

    count: int
    seconds: float
    slowest: float


@dataclass(frozen=True)
class Batch:
    """Photographs that were dropped at once."""

    count: int
    judged: int
    recorded: int
    steps_of_progress: int
    first_verdict_seconds: float
    seconds: float


def opened(browser: Browser, address: str, path: str, ready: str, rounds: int) -> View:
    """Open an address with an empty cache, again and again."""
    seconds, weights = [], []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        came: list[float] = []
        session.on(
            "Network.loadingFinished", lambda event, came=came: came.append(event["encodedDataLength"])
        )
        began = time.perf_counter()
        page.goto(address + path, wait_until="commit")
        page.locator(ready).first.wait_for()
        seconds.append(time.perf_counter() - began)
        page.wait_for_load_state("networkidle")  # what comes later is counted too
        weights.append(sum(came))
        context.close()
    return View(path, statistics.median(seconds), max(seconds), int(max(weights)))


def drop(page: Page, files: list[tuple[str, bytes]], done: int) -> dict[str, Any]:
    """Drop photographs and wait until `done` of this page's are judged."""
    given = [(name, base64.b64encode(content).decode()) for name, content in files]
    return dict(page.evaluate(DROP, [given, f"{done} of {done} judged"]))


def dropped(page: Page, contents: list[bytes], rounds: int) -> Drops:
    """Drop one photograph after the other; the first two are a warm-up."""
    seconds = [
        drop(page, [(f"single-{number:03}.png", contents[number % len(contents)])], number + 1)["first"]
        for number in range(rounds + 2)
    ][2:]
    return Drops(rounds, statistics.median(seconds), max(seconds))


def batch(page: Page, address: str, name: str, contents: list[bytes], count: int) -> Batch:
    """Drop many at once, on a page that has judged nothing yet."""
    before = _recorded(address, name)
    found = drop(page, [(f"many-{n:03}.png", contents[n % len(contents)]) for n in range(count)], count)
    judged = page.locator("#list .verdict:not(.not-judged)").count()
    return Batch(
        count, judged, _recorded(address, name) - before, found["steps"], found["first"], found["all"]
    )


def _recorded(address: str, name: str) -> int:
    with urllib.request.urlopen(f"{address}/v1/stats?inspector={name}") as answer:
        return int(json.load(answer)["summary"]["n"])


def measured(inspector: Path, contents: list[bytes], rounds: int, count: int) -> dict[str, Any]:
    """All of it, on a server in an empty home."""
    name = Inspector.load(inspector).name
    with tempfile.TemporaryDirectory() as home, sync_playwright() as running:
        options = ("--no-laboratory", "--keep", "all", "--rate-per-minute", "0")
        with ServerProcess(Path(home), inspector, *options, page=True) as server:
            browser = running.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{server.address}/parts/{name}", wait_until="networkidle")
            single = dropped(page, contents, rounds)
            page.goto(f"{server.address}/parts/{name}", wait_until="networkidle")
            many = batch(page, server.address, name, contents, count)
            page.close()
            server.wait_until_idle()  # the gallery takes rejected parts in when nothing else is to be done
            views = [
                opened(browser, server.address, path.format(name=name), ready, rounds)
                for path, ready in ADDRESSES.items()
            ]
            browser.close()
    return {"views": views, "drops": single, "batch": many}


def tables(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    views, single, many = found["views"], found["drops"], found["batch"]
    rows = [
        [f"`{one.path}`", f"{one.seconds:.2f}", f"{one.slowest:.2f}", f"{one.bytes / 1000:.0f}"]
        for one in views
    ]
    held = all(one.seconds <= USABLE_WITHIN and one.bytes < BYTES_AT_MOST for one in views)
    said = (
        f"A dropped photograph has its verdict on the screen after {single.seconds:.2f} s (the slowest of "
        f"{single.count} after {single.slowest:.2f} s). Of {many.count} dropped at once {many.judged} have a verdict "
        f"and {many.recorded} stand in the history after {many.seconds:.1f} s; the first after "
        f"{many.first_verdict_seconds:.2f} s, and progress was told {many.steps_of_progress} times."
    )
    kept = held and single.seconds <= VERDICT_WITHIN and many.judged == many.recorded == many.count
    promise = (
        f"Usable within {USABLE_WITHIN:g} s, under {BYTES_AT_MOST // 1000} kB, a verdict within {VERDICT_WITHIN} s of "
        f"the drop, none lost: {'held' if kept else 'not held'}."
    )
    header = ("address", "usable after, s", "slowest, s", "transferred, kB")
    return "\n\n".join([table(header, rows), said, promise, origin()])


def main() -> None:
    """Measure, print, and with --write put the figures into docs/page.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inspector", type=Path, help="fitted already; needs --photographs")
    parser.add_argument("--photographs", type=Path, help="folder of photographs of that part")
    parser.add_argument("--rounds", type=int, default=7, help="times that each is measured")
    parser.add_argument("--count", type=int, default=100, help="photographs that are dropped at once")
    parser.add_argument("--json", action="store_true", help="one JSON document in place of the table")
    parser.add_argument("--write", action="store_true", help="write into docs/page.md")
    options = parser.parse_args()
    if (options.inspector is None) != (options.photographs is None):
        parser.error("--inspector and --photographs belong together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as temporary:
        inspector, folder = options.inspector, options.photographs
        if inspector is None:
            inspector, folder = fitted_washer(Path(temporary))
        contents = [path.read_bytes() for path in list_images(folder)]
        found = measured(inspector, contents, options.rounds, options.count)
    if options.json:
        views = [asdict(one) for one in found["views"]]
        print(json.dumps({"views": views, "drops": asdict(found["drops"]), "batch": asdict(found["batch"])}))
    else:
        print(text := tables(found))
        if options.write:
            write_block(ROOT / "docs" / "page.md", "page", text)


if __name__ == "__main__":
    main()
