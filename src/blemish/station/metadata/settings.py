"""What a station is told of where metadata come from: the table `[metadata]` of its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from blemish.core.errors import UsageError
from blemish.station.metadata.codes import CodeKind
from blemish.station.metadata.shifts import Shifts
from blemish.station.metadata.text_pattern import TextPattern
from blemish.station.signals.settings import MqttBroker

MetadataField = Literal["serial_number", "batch", "shift", "camera"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_tuple(given: object) -> object:
    return (given,) if isinstance(given, str) else given


class CodeSettings(_Settings):
    """Barcodes and QR codes on the photograph.

    Attributes:
        pattern: templates that a code's text has to fit, one or several; see `TextPattern`.
        kinds: of codes that are looked for.
        seconds: that reading a photograph may take; then it goes on without.
        region: left, top, width and height in pixels of where codes can be.
    """

    pattern: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ("{serial_number}",)
    kinds: tuple[CodeKind, ...] = Field(("barcode", "qr"), min_length=1)
    seconds: float = Field(0.5, gt=0, le=10)
    region: tuple[int, int, int, int] | None = None

    @model_validator(mode="after")
    def _can_be_meant(self) -> CodeSettings:
        _checked(lambda: [TextPattern(one, barrier="") for one in self.pattern])
        if self.region is not None and (min(self.region) < 0 or min(self.region[2:]) == 0):
            raise ValueError("a region has left and top from 0 and a width and height from 1")
        return self


class PayloadSettings(MqttBroker):
    """Messages of an MQTT broker, as of a controller that says what it makes. The broker as for a sink.

    Attributes:
        topic: to listen to; `+` and `#` as MQTT has them.
        fields: where a value stands in the JSON of a message, as `order.number`; each under its own name if absent.
        within: seconds before the photograph that a message may have come; None for a message that holds until the
            next.
    """

    topic: str = Field(min_length=1, max_length=1000)
    fields: dict[MetadataField, str] = Field(default_factory=dict)
    within: float | None = Field(None, gt=0, le=86400 * 31)


def _codes(given: object) -> object:
    if isinstance(given, bool):
        return {} if given else None
    return given


class MetadataSettings(_Settings):
    """Where metadata come from.

    Attributes:
        file_name: template of the file's name, as `{batch}_{serial_number}.png`; see `TextPattern`.
        codes: what to read off the photograph; True for a serial number in any code.
        mqtt: messages that say what is made.
        shifts: by name, as `{"early": "06:00-14:00"}`; see `Shifts`.
        time_zone: of the shifts; this machine's where None.
    """

    file_name: str | None = None
    codes: Annotated[CodeSettings | None, BeforeValidator(_codes)] = None
    mqtt: PayloadSettings | None = None
    shifts: dict[str, str] = Field(default_factory=dict)
    time_zone: str | None = None

    @model_validator(mode="after")
    def _can_be_meant(self) -> MetadataSettings:
        _checked(lambda: self.file_name is None or TextPattern(self.file_name))
        _checked(lambda: Shifts(self.shifts, self.time_zone))
        return self


def _checked(make: Callable[[], object]) -> None:
    """Let pydantic say what cannot be meant."""
    try:
        make()
    except UsageError as error:
        raise ValueError(str(error)) from error
