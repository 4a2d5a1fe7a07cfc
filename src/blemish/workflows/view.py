"""What an inspector looks at, and a copy of it that ignores more. Imports only what runs on the line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.workflows.fields import InspectorFile
from blemish.workflows.request import Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.manifest import Manifest

_Shapes = Annotated[tuple[str, ...], Option(metavar="SHAPE", repeated=True)]
_PICTURES = (".png", ".jpg", ".jpeg")


class NarrowRequest(Request):
    """What an inspector looks at; with shapes or a mask, less of it from now on."""

    inspector: InspectorFile
    ignore: _Shapes = Field(
        (),
        description="What counts no longer, as box:X,Y,WIDTH,HEIGHT or polygon:X,Y,X,Y,X,Y; repeat for more.",
    )
    include: _Shapes = Field((), description="What alone goes on counting, as --ignore; repeat for more.")
    mask: Path | None = Field(None, description="Black-and-white image of which the white goes on counting.")
    out: Path | None = Field(None, description="The inspector to write with less to look at, NAME.blemish.")
    photograph: Path | None = Field(None, description="A photograph to draw the view over.")
    picture: Path | None = Field(None, description="The drawing to write, as view.png.")


@dataclass(frozen=True)
class NarrowResult(Outcome):
    """What is looked at.

    Attributes:
        manifest: of the inspector, changed where that was asked for.
        out: the inspector that was written, if any.
        picture: the drawing that was written, if any.
    """

    manifest: Manifest
    out: Path | None = None
    picture: Path | None = None

    @property
    def looked_at(self) -> str:
        """Which part of photographs counts, in words."""
        from blemish.view.asked_regions import regions_in_words

        view = self.manifest.preprocessing.view
        return regions_in_words(view) if view and view.all_regions else "the whole photograph"

    @property
    def margin(self) -> int:
        """Pixels of the network's input around what was taken away after the fit that are not judged."""
        view = self.manifest.preprocessing.view
        return view.ignored_later.margin if view and view.ignored_later else 0

    def to_json(self) -> dict[str, Any]:
        """The view as JSON-ready values, as the manifest has it, and its size in pixels."""
        contract = self.manifest.preprocessing
        return {
            "inspector": self.manifest.name,
            "input": [contract.width, contract.height],
            "looks_at": self.looked_at,
            "margin": self.margin,
            "view": None if contract.view is None else contract.view.model_dump(mode="json"),
            "can_ignore_more": self.manifest.detector.score_is_maximum
            and self.manifest.detector.reach is not None,
            "out": self.out and str(self.out),
            "picture": self.picture and str(self.picture),
        }


def narrow(request: NarrowRequest) -> NarrowResult:
    """Say what an inspector looks at; write a copy that looks at less, and a drawing, where they are asked for.

    Raises:
        ArtifactError: the inspector cannot be used.
        ImageError: the photograph cannot be read.
        UsageError: a name is missing or wrong, or the inspector cannot ignore what is asked.
        BlemishError: a file cannot be written.
    """
    from blemish.core.images import read_image
    from blemish.core.storage import write_bytes
    from blemish.line.artifact import read_artifact, write_artifact
    from blemish.line.ignoring import ignoring
    from blemish.line.view_picture import view_picture

    asked = bool(request.ignore or request.include or request.mask)
    _check_names(request, asked)
    artifact = read_artifact(request.inspector)
    manifest = artifact.manifest
    if asked:
        manifest = ignoring(manifest, request.ignore, request.include, request.mask)
    if request.picture is not None and request.photograph is not None:
        contract = manifest.preprocessing
        photograph = read_image(request.photograph, bit_depth=contract.bit_depth)
        write_bytes(request.picture, view_picture(photograph, contract, request.picture.suffix.lower()))
    if asked and request.out is not None:
        write_artifact(request.out, manifest, artifact.members)
    return NarrowResult(manifest, request.out if asked else None, request.picture)


def _check_names(request: NarrowRequest, asked: bool) -> None:
    """Refuse what misses its other half.

    Raises:
        UsageError: it does, or a name has the wrong suffix.
    """
    out, picture = request.out, request.picture
    if asked and out is None and picture is None:
        raise UsageError("What is to be ignored goes into a new inspector: name it, as --out new.blemish.")
    if out is not None and not asked:
        raise UsageError(f"Nothing is changed for {out}: name what to ignore, as --ignore box:0,0,90,60.")
    if out is not None and out.suffix != ".blemish":
        raise UsageError(f"{out} does not end in .blemish: name the file to write, as --out new.blemish.")
    if (picture is None) != (request.photograph is None):
        raise UsageError(
            "A drawing takes two names: --photograph FILE to draw over, and --picture FILE to write."
        )
    if picture is not None and picture.suffix.lower() not in _PICTURES:
        raise UsageError(f"{picture} is no picture: end its name in {', '.join(_PICTURES)}.")
