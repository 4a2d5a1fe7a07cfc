"""What of a detector may be set in the laboratory: its preset, the parameters that matter most, and any other."""

from __future__ import annotations

import json
import re
from typing import Any

import gradio as gr
from pydantic import ValidationError

from blemish.core.errors import UsageError
from blemish.detectors.chosen import THE_BACKBONE
from blemish.detectors.registry import detector_info, detector_names
from blemish.server.job_requests import TrainRequest
from blemish.server.laboratory.catalogs import SAMPLE, UPLOADED, Opened
from blemish.server.laboratory.fragments import escaped
from blemish.workflows.fields import parsed_setting, parsed_weights

USUAL = "as usual"
"""What a field holds whose parameter is left as the preset, or the detector, has it."""


def detector_choices() -> list[str]:
    """Every detector, and each with each of its presets, as NAME:PRESET."""
    return [
        label
        for name in detector_names()
        for label in (name, *(f"{name}:{preset}" for preset in detector_info(name).presets))
    ]


class DetectorFields:
    """The fields of one detector and the button that learns it.

    Attributes:
        group: all of them, to be hidden from those who may not learn.
        learn: the button.
        inputs: of an event of it; `request` reads what they give.
    """

    def __init__(self, name: str) -> None:
        self._name, info = name, detector_info(name)
        self._space = tuple(info.space)
        gr.HTML(_about(name))
        with gr.Column(visible=False, elem_id=f"{name}-fields") as self.group:
            with gr.Row():
                presets = [USUAL, *info.presets]
                preset = gr.Dropdown(
                    presets, value=USUAL, label="Preset", elem_id=f"{name}-preset", min_width=130
                )
                values = [
                    gr.Dropdown(
                        [USUAL, *map(_written, choices)],
                        value=USUAL,
                        label=parameter.replace("_", " ").capitalize(),
                        allow_custom_value=True,
                        elem_id=f"{name}-{parameter.replace('_', '-')}",
                        min_width=130,
                    )
                    for parameter, choices in info.space.items()
                ]
            with gr.Row(equal_height=True, elem_classes="bl-right"):
                quick = gr.Checkbox(
                    label="Quick: 128 pixels, few epochs", value=True, elem_id=f"{name}-quick", min_width=220
                )
                self.learn = gr.Button(
                    f"Learn {name}", variant="primary", elem_id=f"{name}-learn", min_width=220
                )
            self._options = OptionFields(name)
        self.inputs = [preset, quick, *values, *self._options.inputs]

    def request(self, opened: Opened, preset: str | None, quick: bool, *given: str | None) -> TrainRequest:
        """The training that the fields ask for.

        Raises:
            UsageError: a field cannot be read.
        """
        chosen, options = given[: len(self._space)], self._options.read(*given[len(self._space) :])
        set_here = dict(
            parsed_setting(f"{name}={value}")
            for name, value in zip(self._space, chosen, strict=True)
            if value not in (None, "", USUAL)
        )
        parameters = {name: _listed(value) for name, value in set_here.items()} | options.pop("parameters")
        detector = self._name if preset in (None, USUAL) else f"{self._name}:{preset}"
        named = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{opened.name}-{self._name}").lstrip("-_.")[:80]
        try:
            return TrainRequest(
                name=named,
                folder=str(opened.folder),
                # A folder that people named may say more than one category; those made here are one each.
                category=opened.name if opened.key.startswith((SAMPLE, UPLOADED)) else None,
                detector=detector,
                quick=quick,
                parameters=parameters,
                **options,
            )
        except ValidationError as error:
            field = ".".join(str(one) for one in error.errors()[0]["loc"][:2])
            raise UsageError(f"The field {field} cannot be used: choose what it offers.") from error


class OptionFields:
    """Fields under a heading that is closed at first; `inputs` are for an event, `read` reads what they give.

    Args:
        place: prefix of the elements' names.
        several: whether there are several detectors, of which one may be named.
    """

    def __init__(self, place: str, several: bool = False) -> None:
        with gr.Accordion("Further options", open=False, elem_id=f"{place}-options"):
            parameters = gr.Textbox(
                label="Parameters, one a line",
                placeholder="patchcore.size=448" if several else "size=448",
                info="NAME=VALUE" + (", or DETECTOR.NAME=VALUE for one of them" if several else ""),
                lines=2,
                max_length=10_000,
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
        found = map(parsed_setting, _lines(parameters))
        return {
            "backbone": (backbone or "").strip() or None,
            "weights": {name: str(file) for name, file in files.items()},
            "parameters": {name: _listed(value) for name, value in found},
        }


def _about(name: str) -> str:
    """What a detector is for, what it learns from, and whose it is."""
    info = detector_info(name)
    reference = f' <span class="bl-facts">{escaped(info.reference)}</span>' if info.reference else ""
    shows = "" if info.gives_maps else " Says whether, not where."
    return f"<p>{escaped(info.summary)} Learns from {escaped(info.learns_from)}.{shows}{reference}</p>"


def _written(value: Any) -> str:
    """A parameter's value as `parsed_setting` reads it."""
    return value if isinstance(value, str) else json.dumps(value)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
