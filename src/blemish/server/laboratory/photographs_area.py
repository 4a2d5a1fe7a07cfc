"""The head of the laboratory: which photographs are learnt from, and which one is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.core.images import read_mask
from blemish.core.types import BoolArray
from blemish.server.laboratory.access import PRIVATE, QUIET, Access, plainly, refused
from blemish.server.laboratory.catalogs import Catalogs, Opened
from blemish.server.laboratory.fragments import escaped, note
from blemish.station.keys import Role
from blemish.station.photograph import Photograph

WELCOME = note("Choose photographs to learn from: the generated parts are there at once, or open your own.")


class PhotographsArea:
    """What others need: `catalog`, `photograph` and `own`, whose values `chosen` reads.

    Attributes:
        catalog: the choice of photographs to learn from; its value is a key of `Catalogs`.
        photograph: the choice of one of the test split; its value is its name.
        own: a photograph of one's own, which comes before that.
        wanted: name of the photograph that is looked at first, where the catalog has it.
        more: what only an admin may do, hidden at first.
    """

    def __init__(self, catalogs: Catalogs, access: Access) -> None:
        self._catalogs, self._access = catalogs, access
        self.wanted = gr.State("")
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=280):
                self.catalog = gr.Dropdown(
                    catalogs.choices(), value=None, label="Photographs to learn from", elem_id="catalog"
                )
            with gr.Column(scale=2, min_width=280):
                self.photograph = gr.Dropdown(
                    [], value=None, label="Photograph to look at, of the test split", elem_id="photograph"
                )
            with gr.Column(scale=1, min_width=220):
                self.own = gr.Image(
                    label="Or one of your own",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard"],
                    height=110,
                    buttons=[],
                    elem_id="own",
                )
        self.said = gr.HTML(elem_id="catalog-said")
        self.more = gr.Accordion("Other photographs", open=False, visible=False, elem_id="more")
        with self.more, gr.Row(equal_height=False):
            with gr.Column(min_width=280):
                name = gr.Textbox(label="Name of the part", max_length=80, elem_id="upload-name")
                archive = gr.File(
                    label="Its photographs, as a zip",
                    file_types=[".zip"],
                    type="filepath",
                    height=130,
                    elem_id="upload-zip",
                )
                upload = gr.Button("Upload", elem_id="upload-button")
            with gr.Column(min_width=280):
                folder = gr.Textbox(label="Folder on the server", placeholder="/data/screw", elem_id="folder")
                open_folder = gr.Button("Open the folder", elem_id="folder-button")
                remove = gr.Button("Remove the uploaded photographs chosen above", elem_id="remove")
        opened = [self.said, self.photograph, self.own]
        self.catalog.change(self._open, [self.catalog, self.wanted], opened, **PRIVATE)
        upload.click(self._upload, [name, archive], [self.catalog, archive], **PRIVATE)
        open_folder.click(self._open_folder, folder, self.catalog, **PRIVATE)
        remove.click(self._remove, self.catalog, self.catalog, **QUIET)

    def refreshed(self, wanted: str | None) -> Any:
        """The choice of catalogs as things are now; `wanted` is chosen where it is one of them."""
        choices = self._catalogs.choices()
        known = wanted in [key for _, key in choices]
        return gr.update(choices=choices, value=wanted if known else None)

    def opened(self, key: str | None) -> Opened:
        """The catalog that is chosen.

        Raises:
            gr.Error: none is, or it cannot be used.
        """
        if not key:
            raise refused("Choose photographs to learn from first, at the top.")
        with plainly():
            return self._catalogs.open(key)

    def chosen(
        self, key: str | None, name: str | None, own: str | None
    ) -> tuple[Photograph, BoolArray | None] | None:
        """The photograph that is looked at, and where a person has marked its defect; None where none is chosen."""
        if own:
            return Photograph(Path(own).read_bytes(), Path(own).name), None
        if not key or not name:
            return None
        found = self.opened(key).test.get(name)
        if found is None:
            return None
        with plainly():
            try:
                content = found.path.read_bytes()
            except OSError as error:
                raise refused(f"{found.name} cannot be read any more: choose another.") from error
            return Photograph(content, found.path.name), _marked(found.mask)

    def _open(self, key: str | None, wanted: str, request: gr.Request) -> tuple[str, Any, Any]:
        self._access.require(request, Role.VIEWER)
        if not key:
            return WELCOME, _none(), None
        try:
            opened = self._catalogs.open(key)
        except BlemishError as error:
            return note(str(error), bad=True), _none(), None
        choices = [
            (f"{one.defect_type.replace('_', ' ')}: {one.name}", one.name) for one in opened.test.values()
        ]
        defective = [one.name for one in opened.test.values() if one.defect_type != "good"]
        first = wanted if wanted in opened.test else next(iter([*defective, *opened.test]), None)
        return f"<p>{escaped(opened.sentence)}</p>", gr.update(choices=choices, value=first), None

    def _upload(self, name: str, archive: str | None, request: gr.Request) -> tuple[Any, Any]:
        self._access.require(request, Role.ADMIN)
        if not archive:
            raise refused("Choose a zip of photographs first.")
        with plainly():
            key = self._catalogs.add_zip(name, Path(archive))
        Path(archive).unlink(missing_ok=True)
        return self.refreshed(key), None

    def _open_folder(self, folder: str, request: gr.Request) -> Any:
        self._access.require(request, Role.ADMIN)
        with plainly():
            return self.refreshed(self._catalogs.add_folder(folder))

    def _remove(self, key: str | None, request: gr.Request) -> Any:
        self._access.require(request, Role.ADMIN)
        with plainly():
            self._catalogs.remove(key or "")
        return self.refreshed(None)


def _marked(mask: Path | None) -> BoolArray | None:
    """A mask as bool H x W; None where there is none, or nothing is marked on it."""
    if mask is None:
        return None
    try:
        found = read_mask(mask)
    except BlemishError:  # the photograph is judged all the same
        return None
    return found if found.any() else None


def _none() -> Any:
    return gr.update(choices=[], value=None)
