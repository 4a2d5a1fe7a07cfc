"""The tab Inspect: a photograph in, the verdict in large, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from blemish.core.errors import BlemishError
from blemish.core.images import decode_image
from blemish.core.pictures import fitted
from blemish.core.types import ByteArray, Verdict
from blemish.server.page.access import PRIVATE, Access, plainly
from blemish.server.page.feedback import feedback_row
from blemish.server.page.pictures import SIDE
from blemish.server.page.shown import Seen, detector_tabs, refusal_banner, verdict_banner
from blemish.server.page.wording import note
from blemish.server.service import Judged, Photograph, Service
from blemish.station.keys import Role

_MOST_COMPARED = 6
_NOT_SHOWN_BY_BROWSERS = frozenset({".tif", ".tiff"})


class InspectTab:
    """The tab's parts that others need.

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
                    label="Show all inspectors of this category", value=True, elem_id="inspect-compare"
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
        if not path or Path(path).suffix.lower() not in _NOT_SHOWN_BY_BROWSERS:
            return path, gr.skip()
        try:
            image = decode_image(Path(path).read_bytes(), Path(path).name, self._service.limits)
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
            content = Path(path).read_bytes()
            (answer,) = self._service.inspect([Photograph(content, Path(path).name)], name, by)
            if not isinstance(answer, Judged):
                return refusal_banner(f"{answer.file_name}: {answer.detail}"), "", None, hidden, hidden
            version, inspector = self._service.loaded(name)
        seen = [Seen(name, inspector, answer.inspection)]
        record = answer.record
        milliseconds = sum(record.milliseconds.values())
        facts = [
            record.file_name,
            f"inspector {name}, version {record.version}",
            f"inspection {record.id}",
            f"{milliseconds:.0f} ms",
        ]
        if answer.image is None:
            return verdict_banner(seen[0], facts), "", record.id, gr.update(visible=True), hidden
        if compare:
            seen += self._others(name, version.category, answer.image)
        defective = answer.inspection.verdict is not Verdict.PASS and answer.inspection.gives_map
        findable = defective and record.image_suffix is not None
        return (
            verdict_banner(seen[0], facts),
            detector_tabs(answer.image, seen),
            record.id,
            gr.update(visible=True),
            gr.update(visible=findable and self._service.gallery is not None),
        )

    def _others(self, name: str, category: str, image: ByteArray) -> list[Seen]:
        """What the other inspectors of the category say; they only look on, and nothing is logged."""
        others: list[Seen] = []
        for version in self._service.shelf.active_all():
            if version.category != category or version.name == name or len(others) + 1 >= _MOST_COMPARED:
                continue
            try:
                _, inspector = self._service.loaded(version.name)
                others.append(Seen(version.name, inspector, inspector.inspect(image)))
            except BlemishError:  # one that is damaged must not keep the others from showing
                continue
        return others


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
