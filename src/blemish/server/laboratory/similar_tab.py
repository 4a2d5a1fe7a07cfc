"""The tab Similar: the past defects that look most like this one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blemish.gallery.proposal import is_good
from blemish.server.laboratory.access import PRIVATE, Access, plainly
from blemish.server.laboratory.fragments import escaped, note
from blemish.server.laboratory.pictures import thumbnail
from blemish.server.laboratory.shown import chip
from blemish.server.past_defects import Similar
from blemish.server.service import Service
from blemish.server.wording import moment, number
from blemish.station.defect_pictures import close_picture
from blemish.station.keys import Role

if TYPE_CHECKING:
    from blemish.gallery.defect import Neighbour


class SimilarTab:
    """What others need of the tab: `inspector`, the choice of one."""

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=270):
                photograph = gr.Image(
                    label="Photograph of a defective part",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard"],
                    height=230,
                    buttons=[],
                    elem_id="similar-photograph",
                )
                self.inspector = gr.Dropdown(
                    label="Inspector", choices=inspector_names(service), elem_id="similar-inspector"
                )
                self.defect_type = gr.Dropdown(
                    ["All", *_known_types(service)], value="All", label="Defect type", elem_id="similar-type"
                )
                top = gr.Slider(1, 20, value=6, step=1, label="How many", elem_id="similar-top")
                go = gr.Button("Find similar defects", variant="primary", elem_id="similar-button")
            with gr.Column(scale=3, min_width=440):
                self._found = gr.HTML(
                    note(
                        service.gallery_trouble
                        or "Choose a photograph of a defective part, and the inspector that says where the defect is."
                    ),
                    elem_id="similar-found",
                )
        inputs = [photograph, self.inspector, self.defect_type, top]
        go.click(self._of_file, inputs, self._found, **PRIVATE)

    def _of_file(
        self, path: str | None, name: str | None, defect_type: str, top: float, request: gr.Request
    ) -> str:
        self._access.require(request, Role.VIEWER)
        if not path or not name:
            return note("Choose a photograph and an inspector first.")
        with plainly():
            found = self._service.gallery.similar(
                Path(path).read_bytes(),
                name,
                top=int(top),
                defect_type=None if defect_type == "All" else defect_type,
            )
        return self._cards(found)

    def _cards(self, found: Similar) -> str:
        head = f"<p>{chip(found.verdict)} Score {number(found.score)} / {number(found.threshold)}</p>"
        if not found.neighbours:
            return head + note("No similar defect is known yet: rejected parts are remembered as they come.")
        cards = "".join(self._card(neighbour) for neighbour in found.neighbours)
        return f'{head}{note(_proposed(found))}<div class="bl-cards">{cards}</div>'

    def _card(self, neighbour: Neighbour) -> str:
        defect = neighbour.defect
        picture = '<span class="bl-none">not kept</span>'
        if (image := close_picture(defect, self._service.images)) is not None:
            picture = thumbnail(image, f"Defect of {defect.name}", 320)
        defect_type = escaped(defect.defect_type or "type not given")
        where = f"inspection {defect.inspection_id}" if defect.inspection_id is not None else defect.name
        return (
            f'<article class="bl-card">{picture}<div class="bl-text"><strong>{defect_type}</strong><br>'
            f"distance {neighbour.distance:.3f}<br>{escaped(moment(defect.time))}<br>{escaped(where)}</div></article>"
        )


def inspector_names(service: Service) -> list[str]:
    """Names of the inspectors with an active version."""
    return [version.name for version in service.shelf.active_all()]


def refreshed(service: Service, chosen: str | None) -> Any:
    """The choice of an inspector, as things are now; none is chosen for a person."""
    names = inspector_names(service)
    return gr.update(choices=names, value=chosen if chosen in names else None)


def _known_types(service: Service) -> list[str]:
    """Defect types that were given before, most frequent first."""
    return [share.defect_type for share in service.statistics.pareto()]


def _proposed(found: Similar) -> str:
    """The proposed defect type, or why there is none."""
    if found.truth == "good":
        return "No defect type is proposed: a person found the part good."
    if is_good(found.verdict, found.truth):
        return "No defect type is proposed: the photograph passes. These are the past defects nearest to it."
    proposal = found.proposal
    if proposal.defect_type is None:
        return "No defect type can be proposed: none of these has one yet."
    return f"Proposed defect type: {proposal.defect_type}, {proposal.confidence:.0%} sure by their vote."
