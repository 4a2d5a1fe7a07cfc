"""What every request that opens a folder of photographs has: what the user says of the folder."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from blemish.data.told import Told
from blemish.view.shapes import require_no_shape
from blemish.workflows.request import Option, Request

_Folders = Annotated[tuple[str, ...], Option(metavar="FOLDER", repeated=True)]


class DataRequest(Request):
    """What a folder is to be taken for, where its names alone do not tell."""

    layout: str | None = Field(
        None, description="Name of the folder's layout, as coco; recognised if absent. See docs/layouts.md."
    )
    good: _Folders = Field(
        (),
        description="Folder of good parts in DATA, or a pattern as camera*; repeat for more. Decides alone.",
    )
    defective: _Folders = Field((), description="Folder of defective parts, as --good.")
    ignore: Annotated[tuple[str, ...], Option(metavar="GLOB", repeated=True)] = Field(
        (), description="Leave out files and folders of DATA that fit, as '*_GT.png' or old; repeat for more."
    )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Patterns of what is left out of the folder.

        Raises:
            UsageError: a region of photographs stands among them, which only what makes inspectors can ignore.
        """
        require_no_shape(self.ignore)
        return self.ignore

    @property
    def told(self) -> Told:
        """These, as a catalog is opened with."""
        return Told(self.layout, self.good, self.defective, self.left_out)

    @property
    def told_again(self) -> str:
        """The options as typed once more, each with a space before it."""
        named = [("layout", (self.layout,) if self.layout else ()), ("good", self.good)]
        named += [("defective", self.defective), ("ignore", self.left_out)]
        return "".join(f" --{name} {shlex.quote(value)}" for name, values in named for value in values)


class GroupedRequest(DataRequest):
    """And which photographs belong together, where some are to be judged by others."""

    group_by: str | None = Field(
        None,
        description="Keep photographs of one part together when good ones are scored as if unseen: folder, seconds as "
        "5s, numbers as number:100, or a regular expression of their names.",
    )

    @property
    def told(self) -> Told:
        """These, as a catalog is opened with."""
        return replace(super().told, group_by=self.group_by)
