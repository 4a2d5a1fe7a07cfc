"""A person who has a keyboard alone, and what is wrong with the page that they see."""

from __future__ import annotations

from typing import Any

from page_browser import Watched

SMALL_TARGETS = """
() => [...document.querySelectorAll("button, summary, select, input:not([type=hidden]), nav a")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}))
  .map((one) => [one, (one.closest("label") || one).getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24))
  .map(([one, box]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${one.outerHTML.slice(0, 120)}`)
"""

FOCUSED = """
() => {
  const one = document.activeElement;
  const label = one.labels && one.labels.length ? one.labels[0].innerText : "";
  return (one.getAttribute("aria-label") || label || one.innerText || "").trim();
}
"""


def faults(watched: Watched) -> list[str]:
    """What is hard to bear on the page as it is: axe-core's serious findings, scrolling sideways, small targets."""
    found = watched.violations()
    if (over := watched.overflow()) > 0:
        found.append(f"{over} pixels too wide")
    found += [f"a target of {one}" for one in watched.page.evaluate(SMALL_TARGETS)]
    return [f"{watched.page.url}: {one}" for one in found]


class Walker:
    """A person at a page, who presses keys and nothing else."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.page: Any = watched.page

    def tab_to(self, words: str, most: int = 120) -> None:
        """Press Tab until what has the focus is called so."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if str(self.page.evaluate(FOCUSED)).startswith(words):
                return
        raise AssertionError(f"{most} times Tab did not lead to {words} at {self.page.url}")

    def enter(self, words: str, path: str = "") -> None:
        """Go to what is called so and press Enter; `path` is where that leads, as the end of an address."""
        self.tab_to(words)
        self.page.keyboard.press("Enter")
        if path:
            self.page.wait_for_url(lambda url: url.partition("?")[0].endswith(path))
            self.page.wait_for_load_state("networkidle")

    def type(self, words: str, text: str) -> None:
        """Go to the field that is called so, and write into it."""
        self.tab_to(words)
        self.page.keyboard.insert_text(text)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, words: str, *files: str) -> None:
        """Press the button that is called so, and choose files in the window that the browser opens."""
        with self.page.expect_file_chooser() as opened:
            self.enter(words)
        opened.value.set_files(list(files))

    def sign_in(self, key: str) -> None:
        """Show a key where the page asks for it; the field has the focus."""
        self.page.locator("input[name=key]:focus").wait_for()
        self.page.keyboard.insert_text(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)
        self.page.wait_for_load_state("networkidle")

    def sees(self, selector: str, words: Any = None) -> str:
        """What stands at a place once it is there and, where words are given, says them."""
        place = self.page.locator(selector, has_text=words) if words else self.page.locator(selector)
        place.first.wait_for()
        return str(place.first.inner_text())
