"""What the site of the documentation needs beside the pages in docs/: a hook of MkDocs, see mkdocs.yml.

The pages are written to be read in the repository. For the site, README.md is its first page, the other pages of the
repository's root come beside it, every other file that a page links to is shown on a page of its own, and links lead
to where their targets have gone. The pages of the reference and of the examples are filled from the source, so that
they cannot fall behind it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?\[[^\]]*\]\(\s*<?)([^)\s>]+)")
FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
PUBLIC = re.compile(r"^<!-- public names of (.+?)(, without their methods)? -->$", re.MULTILINE)
EXAMPLES = "<!-- examples -->"
LANGUAGES = {
    "Dockerfile": "docker",
    ".service": "ini",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".py": "python",
    ".txt": "text",
}

log = get_plugin_logger("site_pages")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the pages of the root, and a page for every file outside docs/ that a page links to."""
    for page in ROOT.glob("*.md"):
        files.append(File.generated(config, _site_path(page), content=page.read_text("utf-8")))
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in (_target(page, link) for link in _links(page)):
            if target and target.is_file() and (path := _site_path(target)) not in files.src_uris:
                files.append(File.generated(config, path, content=_shown(target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Fill the page from the source, and mend its links."""
    name = page.file.src_uri
    source = ROOT / ("README.md" if name == "index.md" else name)
    if not source.is_file():
        source = ROOT / "docs" / name
    markdown = PUBLIC.sub(lambda mark: _reference(mark[1].split(), methods=not mark[2]), markdown)
    if EXAMPLES in markdown:
        scripts = sorted(
            (ROOT / "examples").glob("*.py"), key=lambda p: (not p.name.startswith("first_"), p.name)
        )
        markdown = markdown.replace(EXAMPLES, "\n\n".join(map(_example, scripts)))
    return _outside_fences(markdown, lambda text: LINK.sub(lambda link: _moved(link, source, name), text))


def on_env(env: Any, config: MkDocsConfig, **_: Any) -> None:
    """Every public name stands on a page of the reference."""
    texts = [page.read_text("utf-8") for page in (ROOT / "docs" / "api").glob("*.md")]
    floors = " ".join(mark[1] for text in texts for mark in PUBLIC.finditer(text)).split()
    for name, home in public_names().items():
        if not any(_is_below(home, floor) for floor in floors):
            log.warning(f"blemish.{name} of {home} is on no page of docs/api: add its floor to one.")


def public_names() -> dict[str, str]:
    """The names that `blemish` offers, and the module where each is at home, without importing anything."""
    face = ROOT / "src" / "blemish" / "__init__.pyi"
    if not face.is_file():
        return {}
    return {
        alias.asname or alias.name: str(node.module)
        for node in ast.walk(ast.parse(face.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _reference(floors: list[str], methods: bool) -> str:
    """Directives of mkdocstrings for the public names at home on these floors."""
    names = [name for name, home in public_names().items() if any(_is_below(home, floor) for floor in floors)]
    options = "" if methods else "\n    options:\n      members: false"
    return "\n\n".join(f"::: blemish.{name}{options}" for name in names)


def _is_below(home: str, floor: str) -> bool:
    return home == floor or home.startswith(f"{floor}.")


def _example(script: Path) -> str:
    """A script under a heading: the first line of its docstring, up to the colon if there is one."""
    text = script.read_text("utf-8")
    title, _, rest = (ast.get_docstring(ast.parse(text)) or script.name).partition("\n")
    title, _, more = title.partition(": ")
    body = text[text.index('"""', 3) + 3 :].strip() if text.startswith('"""') else text.strip()
    about = f"{more[:1].upper()}{more[1:]}\n{rest.rstrip()}".strip()
    return f'## {title.rstrip(".")}\n\n{about}\n\n```python title="examples/{script.name}"\n{body}\n```'


def _shown(file: Path) -> str:
    """A page that shows a file as it is."""
    language = LANGUAGES.get(file.suffix or file.name, "text")
    return f"# {file.name}\n\n````{language}\n{file.read_text('utf-8').rstrip()}\n````\n"


def _links(page: Path) -> list[str]:
    return [link for _, link in LINK.findall(FENCED.sub("", page.read_text("utf-8")))]


def _target(page: Path, link: str) -> Path | None:
    """The file or folder that a relative link leads to; None for other links."""
    place = link.partition("#")[0]
    return None if not place or re.match(r"[a-z][a-z0-9+.-]*:", link) else (page.parent / place).resolve()


def _site_path(target: Path) -> str:
    """Where a file of the repository stands in the site."""
    path = target.relative_to(ROOT)
    if path.parts[0] == "docs":
        return (
            path.relative_to("docs") / "README.md" if target.is_dir() else path.relative_to("docs")
        ).as_posix()
    if path.name == "README.md":
        return "index.md"
    return path.as_posix() if len(path.parts) == 1 and path.suffix == ".md" else f"files/{path.as_posix()}.md"


def _moved(link: re.Match[str], source: Path, name: str) -> str:
    """A link as it must be in the site."""
    target = _target(source, link[2])
    if target is None or not target.exists() or not target.is_relative_to(ROOT):
        return link[0]
    anchor = link[2].partition("#")[1:]
    return link[1] + posixpath.relpath(_site_path(target), posixpath.dirname(name) or ".") + "".join(anchor)


def _outside_fences(markdown: str, change: Any) -> str:
    """The text with everything changed but what stands between fences."""
    parts, end = [], 0
    for fence in FENCED.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])
