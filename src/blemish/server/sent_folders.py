"""What the folders of photographs that were sent say: where the part begins, and what contradicts its sender."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from blemish.data.class_words import class_of
from blemish.data.entries import ANOMALOUS, TEST, TRAIN, named
from blemish.data.layouts.doubts import is_named_like_annotations
from blemish.server.errors import FieldError
from blemish.server.uploads import UploadError


def innermost(folder: Path) -> Path:
    """The folder that the photographs of a zip are in: most zips hold one folder, and all else in that."""
    inside = list(folder.iterdir())
    if len(inside) != 1 or not inside[0].is_dir():
        return folder
    name = inside[0].name
    says_more = class_of(name) is not None or name.lower() in (TRAIN, TEST)
    return folder if says_more else innermost(inside[0])


def refuse_defective(data: Path, good: Sequence[str]) -> None:
    """Refuse what was sent as good parts, and has folders in it whose names say otherwise.

    Raises:
        FieldError: there is such a folder.
    """
    for folder in good:
        for path in sorted((data / folder).rglob("*")):
            if path.is_dir() and (class_of(path.name) == ANOMALOUS or path.name.lower() == TEST):
                raise FieldError(
                    "good",
                    f"Among what was sent as good parts is a folder {path.name}, whose name says otherwise: send it "
                    "apart, or all of it as a data set with folders of its own.",
                )


def refuse_annotations(data: Path, left_out: Sequence[str]) -> None:
    """Refuse photographs of which files that are not unpacked may say that they are defective.

    Raises:
        UploadError: there are such files, and no folder says what is good.
    """
    found = [name for name in left_out if is_named_like_annotations(PurePosixPath(name))]
    if found and not any(class_of(path.name) for path in data.rglob("*") if path.is_dir()):
        raise UploadError(
            f"The zip holds annotations ({named(found, 3)}), which are not read from a zip, so nothing says which "
            "photographs are good: send those alone, name their folder in the field good, or a folder on the server."
        )
