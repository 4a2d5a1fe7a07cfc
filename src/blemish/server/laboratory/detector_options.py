"""What of a detector may be set in a form of the page, as after `--set`, `--backbone` and `--weights`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from blemish.core.errors import UsageError
from blemish.detectors.chosen import THE_BACKBONE
from blemish.detectors.registry import detector_info, detector_names
from blemish.workflows.fields import parsed_setting, parsed_weights


def detector_choices() -> list[str]:
    """Every detector, and each with each of its presets, as NAME:PRESET."""
    return [
        label
        for name in detector_names()
        for label in (name, *(f"{name}:{preset}" for preset in detector_info(name).presets))
    ]


class OptionFields:
    """Fields under a heading that is closed at first; `inputs` are for an event, `read` reads what they give.

    Args:
        place: prefix of the elements' names.
        several: whether there are several detectors, of which one may be named.
        detectors: whether there are any; else the network alone can be chosen.
    """

    def __init__(self, place: str, several: bool = False, detectors: bool = True) -> None:
        self._detectors = detectors
        with gr.Accordion("Further options", open=False, elem_id=f"{place}-options"):
            parameters = gr.Textbox(
                label="Parameters, one a line",
                placeholder="patchcore.size=448" if several else "size=448",
                info="NAME=VALUE" + (", or DETECTOR.NAME=VALUE for one of them" if several else ""),
                lines=2,
                max_length=10_000,
                visible=detectors,
                elem_id=f"{place}-parameters",
            )
            backbone = gr.Textbox(
                label="Pretrained network",
                placeholder="wide_resnet50_2",
                max_length=80,
                elem_id=f"{place}-backbone",
            )
            weights = gr.Textbox(
                label="Files of weights on the server, one a line",
                placeholder="wide_resnet50_2=/data/wide_resnet50_2.safetensors",
                lines=2,
                max_length=10_000,
                elem_id=f"{place}-weights",
            )
        self.inputs = [parameters, backbone, weights]

    def read(self, parameters: str | None, backbone: str | None, weights: str | None) -> dict[str, Any]:
        """The options as a job's request takes them; a field that was never shown gives None.

        Raises:
            UsageError: a line is not NAME=VALUE, or names no network.
        """
        files = dict(map(parsed_weights, _lines(weights)))
        if THE_BACKBONE in files:
            raise UsageError("Write each file of weights as NETWORK=FILE, a line each.")
        options: dict[str, Any] = {
            "backbone": (backbone or "").strip() or None,
            "weights": {name: str(file) for name, file in files.items()},
        }
        return options | ({"parameters": _parameters(parameters)} if self._detectors else {})


def _parameters(text: str | None) -> dict[str, Any]:
    found = map(parsed_setting, _lines(text))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found}


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
