"""Fields that several requests have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from blemish.core.json_values import with_tuples
from blemish.workflows.request import Argument, Option

Images = Annotated[
    Path, Argument("DATA"), Field(description="Folder of images in any layout, or a manifest.")
]
GoodParts = Annotated[
    Path, Argument("DATA"), Field(description="Photographs of good parts: a folder in any layout.")
]
Categories = Annotated[
    tuple[Path, ...],
    Argument("DATA..."),
    Field(description="Folders of one or several categories, with test photographs."),
]
CategoryName = Annotated[
    str | None, Field(description="Of several categories in DATA, only this one; of one, its name.")
]
InspectorFile = Annotated[Path, Argument("INSPECTOR"), Field(description="The inspector, NAME.blemish.")]
Beholder = Annotated[
    Path, Option(metavar="NAME.blemish"), Field(description="The inspector that says where to look.")
]
GalleryLocation = Annotated[
    str | None,
    Option(metavar="DIR|URL"),
    Field(description="Folder of the gallery, or URL of a Qdrant server. [default: gallery in BLEMISH_HOME]"),
]
BitDepth = Annotated[int, Field(ge=8, le=16, description="Bits that 16-bit photographs really use, as 12.")]
Preset = Annotated[str | None, Field(description="A named set of the detector's parameters.")]
Augment = Annotated[
    str | None,
    Field(
        description="Learn from changed copies too: none, auto, or of flips, turns, jitter, brightness, with commas "
        "between."
    ),
]
Settings = Annotated[dict[str, Annotated[Any, AfterValidator(with_tuples)]], Option("--set", "NAME=VALUE")]
"""A detector's parameters by name; a list stands for a tuple."""
