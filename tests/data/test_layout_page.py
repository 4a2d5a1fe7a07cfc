"""The page on layouts knows every layout, in the order in which a folder is taken for one."""

from __future__ import annotations

import re
from pathlib import Path

from blemish.data.layouts.registry import LAYOUTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "layouts.md"


def test_the_page_lists_every_layout_as_the_registry_has_it() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    expected = [(one.name, one.summary) for one in LAYOUTS]
    table = "\n".join(f"| `{name}` | {summary} |" for name, summary in expected)
    assert rows == expected, f"the table of {PAGE.name} should be:\n{table}"


def test_names_are_for_an_option() -> None:
    names = [one.name for one in LAYOUTS]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z0-9-]{1,40}", name) for name in names)
    assert not any(one.summary.endswith(".") for one in LAYOUTS)
