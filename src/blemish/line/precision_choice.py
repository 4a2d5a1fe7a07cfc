"""Which precision an inspector is run in on a processor, chosen there by evidence, and the 8-bit network for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import Field

from blemish.core.devices import processor_name
from blemish.core.execution import Device, Precision
from blemish.core.records import Moment, NotNegative, Record, Text

INT8_MODEL: Final = "model_int8.onnx"
"""The artifact's network with 8-bit weights and activations, where one was made: `blemish.making.quantisation`."""

MOST_CHOICES: Final = 32
"""Processors that an inspector remembers; the oldest makes room."""


class PrecisionChoice(Record):
    """A precision chosen on one processor, and the error measured there against float32.

    Attributes:
        processor: as `blemish.core.devices.processor_name` calls it.
        device, precision: what was chosen for it.
        n_good, n_painted: photographs of good parts, and with painted defects, that it was compared on.
        rank_correlation: of their scores in both precisions, Spearman's, -1 to 1.
        max_relative_error: largest difference of a score, relative to it in float32.
        speed_up: how many times as fast the network is as in float32.
        library: what computed, as `OpenVINO 2026.4`.
        made: when, in UTC.
    """

    processor: Text
    device: Device
    precision: Precision
    n_good: int = Field(ge=1)
    n_painted: int = Field(ge=0)
    rank_correlation: float = Field(ge=-1, le=1)
    max_relative_error: NotNegative
    speed_up: float = Field(gt=0, allow_inf_nan=False)
    library: Text
    made: Moment


def choice_for(choices: Sequence[PrecisionChoice], device: str) -> PrecisionChoice | None:
    """What was chosen for this machine's device; None where nothing was.

    Raises:
        UsageError: this machine has no such device.
    """
    if not choices:  # whoever has none need not start OpenVINO to learn it
        return None
    processor = processor_name(device)
    found = [one for one in choices if (one.processor, one.device) == (processor, device)]
    return found[-1] if found else None


def choice_in_words(name: str, choices: Sequence[PrecisionChoice], device: str) -> str:
    """What an inspector of a name is run in on this machine's device when it is asked for what it keeps.

    Raises:
        UsageError: this machine has no such device.
    """
    found = choice_for(choices, device)
    if found is None:
        return (
            f"{name} keeps no precision for {processor_name(device)}, so it is run in f32: blemish bench --photographs "
            "FOLDER --write chooses one."
        )
    return f"{name} is run in {found.precision}, as chosen for {found.processor} on {found.made:%Y-%m-%d}."


def with_choice(choices: Sequence[PrecisionChoice], made: PrecisionChoice) -> tuple[PrecisionChoice, ...]:
    """The choices with another one, in place of an earlier one for the same processor and device."""
    key = (made.processor, made.device)
    return (*(one for one in choices if (one.processor, one.device) != key), made)[-MOST_CHOICES:]
