"""The tab Inspect: a photograph in, the verdict in large, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.core.image_formats import image_format
from blemish.core.pictures import fitted
from blemish.core.types import Verdict
from blemish.server.laboratory.access import PRIVATE, Access, plainly
from blemish.server.laboratory.feedback import feedback_row
from blemish.server.laboratory.fragments import note
from blemish.server.laboratory.pictures import SIDE
from blemish.server.laboratory.shown import detector_tabs, refusal_banner, verdict_banner
from blemish.server.queue import Judged, Photograph
from blemish.server.service import Service
from blemish.station.keys import Role

_MOST_COMPARED = 6
_SHOWN_BY_BROWSERS = frozenset({"PNG", "JPEG", "BMP", "WEBP", "GIF", "AVIF"})


class InspectTab:
    """What others need of the tab.

    Attributes:
        record: number of the inspection that is shown.
        similar: the button that asks for similar defects.
        inspector: the choice of an inspector.
    """

    def __init__(self, service: Service, access: Access) -> None:
        self._service, self._access = service, access
        self.record = gr.State(None)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=270):
                self.photograph = gr.Image(
                    label="Photograph of the part",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "webcam", "clipboard"],
                    height=210,
                    buttons=[],
                    elem_id="inspect-photograph",
                )
                self.inspector = gr.Dropdown(
                    label="Inspector", choices=inspector_names(service), elem_id="inspect-inspector"
                )
                compare = gr.Checkbox(
                    label="Show the other versions of this part", value=True, elem_id="inspect-compare"
                )
                again = gr.Button("Inspect", variant="primary", elem_id="inspect-button")
                self.similar = gr.Button("Similar past defects", visible=False, elem_id="inspect-similar")
                row = feedback_row(service, access, self.record, "inspect")
            with gr.Column(scale=3, min_width=440):
                banner = gr.HTML(_welcome(service), elem_id="inspect-verdict")
                pictures = gr.HTML(elem_id="inspect-pictures")
        sent = gr.State(None)  # the file as it was sent; what the browser shows may be a copy
        inputs = [sent, self.inspector, compare]
        outputs = [banner, pictures, self.record, row, self.similar]
        shown: dict[str, Any] = {"show_progress_on": banner, **PRIVATE}
        arrival = self.photograph.input(
            self._take, self.photograph, [sent, self.photograph], show_progress_on=banner, **PRIVATE
        )
        arrival.success(self._inspect, inputs, outputs, **shown)
        again.click(self._inspect, inputs, outputs, **shown)

    def _take(self, path: str | None, request: gr.Request) -> tuple[str | None, Any]:
        """The file that was sent, and a copy to show where browsers cannot show it."""
        self._access.require(request, Role.OPERATOR)
        if not path:
            return path, gr.skip()
        with Path(path).open("rb") as file:
            if image_format(file.read(64)) in _SHOWN_BY_BROWSERS:
                return path, gr.skip()
        try:
            image = self._service.reinspection.decoded(_photograph(path))
        except BlemishError:  # the inspection will say what is wrong with it
            return path, gr.skip()
        return path, gr.update(value=fitted(image, SIDE))

    def _inspect(
        self, path: str | None, name: str | None, compare: bool, request: gr.Request
    ) -> tuple[str, str, int | None, Any, Any]:
        by = self._access.require(request, Role.OPERATOR)
        hidden = gr.update(visible=False)
        if not path:
            return note("Choose a photograph first."), "", None, hidden, hidden
        if not name:
            return note("There is no inspector yet: train one in the tab Train."), "", None, hidden, hidden
        with plainly():
            (answer,) = self._service.inspect([_photograph(path)], name, by)
        if not isinstance(answer, Judged):
            return refusal_banner(f"{answer.file_name}: {answer.detail}"), "", None, hidden, hidden
        record, judgement = answer.record, answer.judgement
        assert judgement is not None  # `inspect` asks for it
        milliseconds = sum(record.milliseconds.values())
        facts = [
            record.file_name,
            f"inspector {judgement.version.title}",
            f"inspection {record.id}",
            f"{milliseconds:.0f} ms",
        ]
        # The others only look on, and nothing of it is logged.
        others = self._service.reinspection.others(judgement, _MOST_COMPARED - 1) if compare else ()
        defective = record.verdict is not Verdict.PASS and record.gives_map
        findable = defective and record.image_suffix is not None
        return (
            verdict_banner(judgement, facts),
            detector_tabs([judgement, *others]),
            record.id,
            gr.update(visible=True),
            gr.update(visible=findable and self._service.past_defects is not None),
        )


def inspector_names(service: Service) -> list[str]:
    """Names of the inspectors with an active version."""
    return [version.name for version in service.shelf.active_all()]


def refreshed(service: Service, chosen: str | None) -> Any:
    """The choice of an inspector, as things are now."""
    names = inspector_names(service)
    return gr.update(choices=names, value=chosen if chosen in names else (names[0] if names else None))


def _welcome(service: Service) -> str:
    if inspector_names(service):
        return note(
            "Drop a photograph on the left, paste one with Ctrl+V, or take one: it is judged at once."
        )
    return note("There is no inspector yet: train one in the tab Train from photographs of good parts.")


def _photograph(path: str) -> Photograph:
    """What was uploaded, as it was sent."""
    return Photograph(Path(path).read_bytes(), Path(path).name)
