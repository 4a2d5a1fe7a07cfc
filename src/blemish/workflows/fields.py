"""Fields that several requests have."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from blemish.core.errors import UsageError
from blemish.core.execution import AskedPrecision, Device
from blemish.core.json_values import with_tuples
from blemish.detectors.chosen import THE_BACKBONE
from blemish.workflows.request import Argument, Option


class Executor(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


ExecutorName = Annotated[
    Executor, Field(description="Where the work is done: on this machine, or on a Ray cluster.")
]
ClusterAddress = Annotated[
    str | None,
    Field(description="HOST:PORT of the head of the Ray cluster, or auto; one on this machine if absent."),
]
ClusterWorkers = Annotated[
    int | None,
    Field(ge=1, description="Workers on the Ray cluster, a processor each; as many as it has if absent."),
]
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
StationHome = Annotated[Path | None, Field(description="Folder of the station; BLEMISH_HOME if absent.")]
DeviceName = Annotated[
    Device,
    Field(
        description="Where networks are computed: cpu, gpu and npu of Intel, cuda and tensorrt with the extra [cuda]."
    ),
]
PrecisionName = Annotated[
    AskedPrecision | None,
    Field(
        description="In which numbers; auto is what the inspector keeps for this processor (blemish bench --write)."
    ),
]
HistoryUrl = Annotated[
    str | None,
    Option(environment="BLEMISH_DATABASE"),
    Field(description="URL of the history, if not in the home."),
]
BitDepth = Annotated[int, Field(ge=8, le=16, description="Bits that 16-bit photographs really use, as 12.")]
Augment = Annotated[
    str | None,
    Field(
        description="Learn from changed copies too: none, auto, or of flips, turns, jitter, brightness, light, with "
        "commas between."
    ),
]
CopiesKinds = Annotated[
    str | None,
    Field(
        description="Copies that fill the memory bank too: none, auto, or of turnN (N angles), mirror, shift, relit, "
        "with commas between."
    ),
]
FalseRejectRate = Annotated[
    float | None,
    Field(
        gt=0,
        lt=1,
        description="Share of good parts that may be rejected, as 0.01; `blemish decide` changes it later.",
    ),
]
ReviewRate = Annotated[
    float | None,
    Field(
        ge=0,
        lt=1,
        description="Share of good parts that may be rejected or shown to a person; 0 for no review.",
    ),
]
LearningDevice = Annotated[
    Literal["cpu", "cuda"] | None,
    Field(
        description="Where to learn: cpu, or cuda for a card; inspectors run anywhere all the same. [default: cpu]"
    ),
]
Preset = Annotated[
    str | None, Field(description="A named set of the detector's parameters, as NAME:PRESET names it too.")
]
Settings = Annotated[dict[str, Annotated[Any, AfterValidator(with_tuples)]], Option("--set", "NAME=VALUE")]
"""Detectors' parameters by name, or by LABEL.NAME of one of several; a list stands for a tuple."""

BackboneName = Annotated[
    str | None, Field(description="Pretrained network of all that have one, as resnet18.")
]


def _by_backbone(given: object) -> object:
    return {THE_BACKBONE: given} if isinstance(given, str | Path) else given or {}


WeightsFiles = Annotated[
    dict[str, Path],
    BeforeValidator(_by_backbone),
    Option("--weights", "NAME=FILE"),
    Field(
        description="File with the weights of the network NAME; repeat for more. FILE alone where one is read."
    ),
]
"""Files of weights by backbone; a file alone is of the one that is read."""


def parsed_setting(setting: str) -> tuple[str, Any]:
    """A detector's parameter from NAME=VALUE: a JSON value (number, true, list), or else the text itself.

    Raises:
        UsageError: there is no name or no equals sign.
    """
    name, equals, text = setting.partition("=")
    if not (name and equals):
        raise UsageError(f"--set {setting} is not NAME=VALUE: write it as --set coreset_size=2000.")
    try:
        return name, with_tuples(json.loads(text))
    except json.JSONDecodeError:
        return name, text


def parsed_weights(written: str) -> tuple[str, Path]:
    """Backbone and file from NAME=FILE, or from FILE alone, whose own name may have an equals sign if it is there."""
    found = re.fullmatch(r"([\w.-]+)=(.+)", written)
    if found is None or Path(written).is_file():
        return THE_BACKBONE, Path(written)
    return found[1], Path(found[2])
