"""Files in which programs write down what people marked: read within limits, for they may be anyone's.

An annotation that cannot be meant ends in one sentence with the file and the value: a photograph whose annotation
is broken must not count as good.
"""

from __future__ import annotations

import json
import math
import mmap
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from blemish.core.errors import CatalogError
from blemish.data.entries import split_of
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Polygon

LARGEST_BYTES = 1 << 29
"""Bytes of a file of annotations that is read."""
MOST_ELEMENTS = 2_000_000
"""Elements of an XML file that is read."""
MOST_LISTS = 20_000_000
"""Lists and objects of a JSON file that is read; COCO's own largest has about five million."""
DEEPEST = 100
"""Elements inside each other in an XML file that is read."""
FARTHEST = 1e6
"""Largest coordinate, in pixels; photographs have at most 100 million pixels."""
ANNOTATION_FOLDERS = frozenset(
    {"annotations", "annotation", "ann", "labels", "label", "json", "xml", "xmls", "lable"}
)
"""Folders of annotations, in lower case; `lable` is GC10-DET's own."""
_SHARED_FOLDERS = ANNOTATION_FOLDERS | {
    *("images", "image", "img", "imgs", "jpegimages", "photos", "photographs", "data", "dataset", "default"),
    *("obj_train_data", "obj_valid_data", "obj_test_data"),
}
_LINE = ":line"
"""The attribute that says on which line an XML element begins, in place of a file's own of this name."""


def content_of(path: Path, largest: int = LARGEST_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        CatalogError: it is too large, or cannot be read.
    """
    try:
        if path.stat().st_size > largest:
            raise CatalogError(f"{path} is larger than {largest >> 20} MiB: split it into several files.")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CatalogError(f"{path} cannot be read ({reason}): allow it, or export it anew.") from error


def lines_of(path: Path, largest: int = 1 << 26) -> list[str]:
    """The lines of a text file in UTF-8; what is not UTF-8 is replaced.

    Raises:
        CatalogError: as `content_of`.
    """
    return content_of(path, largest).decode("utf-8-sig", "replace").splitlines()


def json_of(path: Path) -> Any:
    """The document in a JSON file.

    Raises:
        CatalogError: it is none, or as `content_of`.
    """
    content = content_of(path)
    if content.count(b"[") + content.count(b"{") > MOST_LISTS:
        raise CatalogError(f"{path} has more than {MOST_LISTS:,} lists: split it into several files.")
    try:
        document = json.loads(content)
        if re.search(rb"\\u[dD][89a-fA-F]", content):
            # Half of a character, as \\ud83d alone, can neither be shown nor written.
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError, MemoryError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise CatalogError(f"{path}{where}: it is not whole JSON: export or copy it anew.") from error


def says(path: Path, *words: bytes, among: int = LARGEST_BYTES) -> bool:
    """Whether the first bytes of a file hold all these words; nothing is parsed."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(word, 0, among) >= 0 for word in words)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def xml_of(path: Path) -> Element:
    """The root of an XML file; `line_of` says where an element stands.

    Raises:
        CatalogError: it is none, declares a document type (so that no entity is ever expanded), or is too large.
    """
    content, builder, parser = content_of(path), TreeBuilder(), expat.ParserCreate()
    depth = count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise CatalogError(f"{path}: it has too many elements: split the annotations into several files.")
        builder.start(name, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: Any) -> None:
        raise CatalogError(f"{path}: it declares a document type, which is not read: export it anew.")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        raise CatalogError(f"{path}, line {line}: it is not whole XML: export or copy it anew.") from error
    return builder.close()


def line_of(path: Path, element: Element) -> str:
    """Where an element stands, for an error."""
    return f"{path}, line {element.get(_LINE)}"


def text_of(element: Element, name: str) -> str:
    """The text of an element's child; "" where there is none."""
    return (element.findtext(name) or "").strip()


def numbers_of(values: Iterable[Any]) -> list[float] | None:
    """Coordinates as finite floats; None where one is none, or too far away to be meant."""
    found = []
    for value in values:
        try:
            number = float(value) if isinstance(value, int | float | str) and value is not True else math.nan
        except (ValueError, OverflowError):
            return None
        if not -FARTHEST <= number <= FARTHEST:
            return None
        found.append(number)
    return found


def whole_number(value: Any, most: int = 10**9) -> int | None:
    """A whole number from 0 that a file gives as a number or as text; None where it gives none."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def type_name(value: Any, otherwise: str = "defect") -> str:
    """What a defect is called: one line, not endless."""
    text = " ".join(str(value).split())[:100] if isinstance(value, str | int) else ""
    return text or otherwise


def corners_of(flat: Sequence[float]) -> Polygon:
    """Corners from x and y in turn."""
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def box_around(corners: Polygon) -> tuple[float, float, float, float]:
    """The box that holds the corners: x, y, width and height."""
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    return (left, top, max(x for x, _ in corners) - left, max(y for _, y in corners) - top)


def split_of_folders(tree: FolderTree, path: Path) -> str | None:
    """The split that the folders between the root and a file speak of, the innermost first."""
    names = path.relative_to(tree.root).parts[:-1] if path.is_relative_to(tree.root) else ()
    return next((split for name in reversed(names) if (split := split_of(name))), None)


def is_of_whole(tree: FolderTree, path: Path, also: Collection[str] = ()) -> bool:
    """Whether the folders between the root and a file are those that one export has, as `train` and `images`.

    `also` are others that it may have. Any other one may be a part of its own, or a class, so that the root is not one
    export.
    """
    names = [name.lower() for name in path.relative_to(tree.root).parts[:-1]]
    if names and names[0] in ANNOTATION_FOLDERS:
        return True
    return all(name in _SHARED_FOLDERS or name in also or split_of(name) for name in names)


class Photographs:
    """The photographs of a tree by the names that annotations give them: nothing outside the tree is ever found.

    Annotations name photographs as they lay on another machine, so that only the end of a path can be trusted.
    """

    def __init__(self, tree: FolderTree) -> None:
        self._tree = tree
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in tree.images():
            self._by_name[path.name.lower()].append(path)
            self._by_stem[path.stem.lower()].append(path)

    def named(self, name: str, near: Path, split: str | None = None) -> Path | None:
        """The photograph of a name: that with most folders as in the name, then below `near`, then of the split."""
        parts = [part.lower() for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        found = self._by_name.get(parts[-1], []) if parts else []
        return self._best(found, parts, near, split)

    def of_stem(self, stem: str, near: Path, split: str | None = None) -> Path | None:
        """The photograph of a name without suffix, as `named`."""
        parts = [part.lower() for part in stem.replace("\\", "/").split("/") if part not in ("", ".")]
        found = self._by_stem.get(parts[-1], []) if parts else []
        return self._best(found, parts, near, split)

    def _best(self, found: list[Path], parts: list[str], near: Path, split: str | None) -> Path | None:
        def rank(path: Path) -> tuple[int, bool, bool, bool, int, Path]:
            folders = [part.lower() for part in path.relative_to(self._tree.root).parts[:-1]]
            same = 0
            for mine, named in zip(reversed(folders), reversed(parts[:-1]), strict=False):
                if mine != named:
                    break
                same += 1
            of_split = split is not None and split_of_folders(self._tree, path) == split
            in_images = any(part in ("images", "jpegimages") for part in folders)
            return (
                -same,
                not path.is_relative_to(near) or near == self._tree.root,
                not of_split,
                not in_images,
                len(folders),
                path,
            )

        return min(found, key=rank, default=None) if len(found) != 1 else found[0]
