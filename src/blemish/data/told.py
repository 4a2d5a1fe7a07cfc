"""What a user says of a folder, where its names alone do not tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """What a folder is to be taken for.

    Attributes:
        layout: name of a layout (see `blemish.data.layouts.registry`); None to recognise it.
        good: folders of good parts, relative to the root, or patterns of them as `camera*`; given any, the folders
            decide and no layout does.
        defective: folders of defective parts, as `good`.
        ignore: patterns of paths relative to the root that are left out, as `*.bak` or `old/*`.
        group_by: what photographs of one part have in common (see `blemish.data.groups.groups_by`); None for nothing.
    """

    layout: str | None = None
    good: tuple[str, ...] = ()
    defective: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    group_by: str | None = None


NOTHING_TOLD = Told()
