"""What a layout is: how one recognises it, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blemish.data.entries import Reading
from blemish.data.layouts.tree import FolderTree

BY_NAMES_ALONE = ("images", "folders", "mvtec", "btad", "told")
"""Layouts whose folders' names alone say what is good: masks may lie among the photographs, and annotations by them."""


@dataclass(frozen=True)
class Layout:
    """One way in which the images of a category lie in folders.

    Attributes:
        name: as `--layout` takes it.
        summary: what lies where, one line for the documentation and for errors, without a full stop.
        recognise: why a folder is taken for it, a clause such as "it has train/good and test/"; None if it is not.
            Nothing is decoded.
        read: the entries and problems of a folder. What a user has to decide first stands in `Reading.unclear`.
    """

    name: str
    summary: str
    recognise: Callable[[FolderTree], str | None]
    read: Callable[[FolderTree], Reading]
