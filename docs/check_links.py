"""Check that every link in the Markdown pages leads somewhere: files, headings, pictures. The network is not asked.

Neither may a page name a file of the source, such as `core/images.py`, that is not there any more.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCED = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)
SOURCE = re.compile(r"`((?:[a-z_]+/)+\w+\.py)`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def pages() -> list[Path]:
    """Every Markdown page of the project."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def prose(page: Path) -> str:
    """A page without its fenced blocks, where brackets are no links and # is no heading."""
    return FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    found: set[str] = set()
    counts: Counter[str] = Counter()
    for heading in HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
        found.add(f"{slug}-{counts[slug]}" if counts[slug] else slug)
        counts[slug] += 1
    return found


def problems(page: Path) -> list[str]:
    """What is wrong with the links of one page and the files that it names, a sentence each."""
    places = (ROOT, ROOT / "src", ROOT / "src" / "blemish")
    wrong = [
        f"{page.relative_to(ROOT)}: {name} is no file: name where it is now."
        for name in SOURCE.findall(prose(page))
        if not any((place / name).is_file() for place in places)
    ]
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        name = page.relative_to(ROOT)
        if not target.exists():
            wrong.append(f"{name}: {link} leads to no file: correct the link.")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            wrong.append(f"{name}: {link} names no heading of that page: correct the anchor.")
    return wrong


def main() -> None:
    """Check all pages; exit status 1 if a link leads nowhere."""
    checked = pages()
    wrong = [problem for page in checked for problem in problems(page)]
    print("\n".join(wrong) or f"{len(checked)} pages, every link leads somewhere.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
