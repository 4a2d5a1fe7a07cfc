"""Correcting a verdict: two buttons, a defect type and a note, for the inspection that is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from blemish.server.laboratory.access import QUIET, Access, plainly
from blemish.server.service import Service
from blemish.station.keys import Role
from blemish.station.records import NewFeedback, Truth


def feedback_row(service: Service, access: Access, shown: gr.State, place: str) -> gr.Column:
    """A hidden row that corrects the inspection whose number `shown` holds; to be made visible with it."""
    row = gr.Column(visible=False, elem_id=f"{place}-feedback")
    with row:
        with gr.Row(equal_height=True, elem_classes="bl-right"):
            defect_type = gr.Dropdown(
                label="Defect type",
                choices=known_types(service),
                value=None,
                allow_custom_value=True,
                elem_id=f"{place}-defect-type",
                min_width=130,
            )
            remark = gr.Textbox(label="Note", max_length=500, lines=1, min_width=110)
            good = gr.Button("It is really good", elem_id=f"{place}-good", min_width=120)
            bad = gr.Button("It is really defective", elem_id=f"{place}-bad", min_width=120)
        said = gr.HTML(elem_id=f"{place}-said")
    inputs, outputs = [shown, defect_type, remark], [said, defect_type]
    for button, truth in ((good, "good"), (bad, "bad")):
        button.click(_give(service, access, truth), inputs, outputs, **QUIET)
    shown.change(lambda: "", None, said, **QUIET)
    return row


def known_types(service: Service) -> list[str]:
    """Defect types that were given before, most frequent first."""
    return [share.defect_type for share in service.statistics.pareto()]


def say(service: Service, number: int, truth: Truth, defect_type: str | None, remark: str, by: str) -> str:
    """Keep what a person says of a part; what the page answers."""
    defect_type = (defect_type or "").strip() or None
    service.give_feedback(
        number, NewFeedback(truth, defect_type if truth == "bad" else None, remark.strip(), by)
    )
    word = "good" if truth == "good" else f"defective{f' ({defect_type})' if defect_type else ''}"
    return f"Noted: inspection {number} is really {word}."


def _give(service: Service, access: Access, truth: Any) -> Callable[..., Any]:
    def give(
        number: int | None, defect_type: str | None, remark: str, request: gr.Request
    ) -> tuple[str, Any]:
        by = access.require(request, Role.OPERATOR)
        if number is None:
            return "", gr.skip()
        with plainly():
            said = say(service, number, truth, defect_type, remark, by)
        return (
            f'<p class="bl-note" role="status">{said}</p>',
            gr.update(choices=known_types(service)),
        )

    return give
