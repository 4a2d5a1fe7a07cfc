"""Settings of every source and trigger, as they stand in a station's file; checked, and light to import."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from blemish.core.addresses import is_loopback
from blemish.station.photograph import PartMetadata
from blemish.station.records import LINE_PATTERN, MOST_TYPE_CHARACTERS
from blemish.station.signals.settings import MqttBroker

Seconds = Annotated[float, Field(gt=0, le=86400)]
Share = Annotated[float, Field(gt=0, lt=1)]
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("write something, or leave it out")
    return text


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EveryFrame(_Settings):
    """Every frame, or every n-th."""

    kind: Literal["every"] = "every"
    nth: int = Field(1, ge=1, le=1_000_000, description="Take every frame (1), every second (2), ...")


class AtMostEvery(_Settings):
    """A frame at most every so many seconds."""

    kind: Literal["interval"] = "interval"
    seconds: Seconds = Field(1.0, description="Between two photographs, at least.")


class StillnessAfterMotion(_Settings):
    """One frame when what had moved lies still: a part that is put down, a belt that steps."""

    kind: Literal["stillness"] = "stillness"
    still_seconds: Seconds = Field(0.2, description="How long nothing moves before the frame is taken.")
    grey_levels: float = Field(
        12, gt=0, le=255, description="How much a place changes between frames to count."
    )
    share: Share = Field(0.01, description="Share of the picture that changes while something moves.")


class MqttMessage(MqttBroker):
    """The first frame that is read after a message; its payload may say which part it is. The broker as for a sink."""

    kind: Literal["mqtt"] = "mqtt"
    topic: str = Field(min_length=1, max_length=1000)
    qos: Literal[0, 1, 2] = 1
    within: Seconds = Field(1.0, description="A message that no frame follows within is counted as dropped.")


class HardwareLine(_Settings):
    """A frame for each edge at an input of the camera itself; GenICam cameras only."""

    kind: Literal["line"] = "line"
    line: str = Field("Line1", pattern=r"^[A-Za-z0-9_]+$", description="TriggerSource of the camera.")
    edge: Literal["RisingEdge", "FallingEdge", "AnyEdge", "LevelHigh", "LevelLow"] = "RisingEdge"


FrameTrigger = Annotated[
    EveryFrame | AtMostEvery | StillnessAfterMotion | MqttMessage, Field(discriminator="kind")
]
CameraTrigger = Annotated[
    EveryFrame | AtMostEvery | StillnessAfterMotion | MqttMessage | HardwareLine, Field(discriminator="kind")
]


Line = Annotated[str, Field(pattern=LINE_PATTERN, max_length=MOST_TYPE_CHARACTERS), AfterValidator(_said)]


class FixedMetadata(_Settings):
    """What is true of every photograph of a source."""

    batch: Line | None = None
    shift: Line | None = None
    camera: Line | None = None

    def of_part(self) -> PartMetadata:
        """As the metadata of a part."""
        return PartMetadata(batch=self.batch, shift=self.shift, camera=self.camera)


class _SourceSettings(_Settings):
    name: SourceName
    metadata: FixedMetadata = FixedMetadata()
    max_bytes: int = Field(
        256 * 2**20, ge=1024, le=4 * 2**30, description="Largest photograph that is taken."
    )


class _Frames(_SourceSettings):
    encoding: Literal["png", "jpeg"] = Field(
        "png", description="How frames are kept: png loses nothing, jpeg is smaller and quicker."
    )
    quality: int = Field(95, ge=50, le=100, description="Of jpeg.")


class _Live(_Frames):
    trigger: FrameTrigger = EveryFrame()
    stall_seconds: Seconds = Field(
        5.0, description="Without a frame for so long, the camera is closed and opened anew."
    )

    @property
    def patience(self) -> float:
        """Seconds without a frame after which the camera is opened anew."""
        return self.stall_seconds


class FolderSource(_SourceSettings):
    """Photographs that others write into a folder, on this machine or on a network share."""

    kind: Literal["folder"] = "folder"
    path: Path
    subfolders: bool = Field(False, description="Look into the folders in it, too.")
    ignore: tuple[str, ...] = Field((), description="Leave out what has such a name, as *.bak or passed/*.")
    existing: bool = Field(True, description="Judge also what lies there at the start and was never judged.")
    interval: Annotated[float, Field(ge=0.005, le=3600)] = Field(
        0.05, description="Seconds between two looks; 1 or more spares a slow share."
    )
    settle_seconds: Seconds = Field(
        0.2,
        description="How long a file whose format cannot tell that it is whole stays as it is before it is read.",
    )
    patience_seconds: Seconds = Field(
        5.0, description="How long a file that is not whole stays as it is before it is given up."
    )
    aside: Path | None = Field(
        None, description="Folder that files which cannot be read are moved into; they stay if absent."
    )


class VideoSource(_Frames):
    """Frames of a video file, to its end."""

    kind: Literal["video"] = "video"
    path: Path
    trigger: Annotated[EveryFrame | AtMostEvery | StillnessAfterMotion, Field(discriminator="kind")] = (
        EveryFrame()
    )


class CameraSource(_Live):
    """A USB camera, or what the system shows as one."""

    kind: Literal["camera"] = "camera"
    device: int | Path = Field(0, description="Number of the camera, or its path, as /dev/v4l/by-id/...")
    width: int | None = Field(None, ge=16, le=65535)
    height: int | None = Field(None, ge=16, le=65535)
    fps: float | None = Field(None, gt=0, le=10_000)
    exposure: float | None = Field(None, description="In the camera's own unit; automatic if absent.")
    pixel_format: str | None = Field(None, pattern=r"^[A-Za-z0-9 ]{4}$", description="As MJPG or YUYV.")


class StreamSource(_Live):
    """A network camera by RTSP, or MJPEG over HTTP."""

    kind: Literal["stream"] = "stream"
    url: str = Field(max_length=2000, description="rtsp://... or http://...; without the password.")
    password_env: EnvironmentVariable | None = Field(
        None, description="Environment variable that holds the password of the user in the URL."
    )
    password_file: Path | None = Field(None, description="Or the file that holds it.")
    transport: Literal["tcp", "udp"] = Field("tcp", description="Of RTSP.")
    open_seconds: Seconds = 10.0

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        try:
            split = urlsplit(url)
            host, _ = split.hostname, split.port
        except ValueError:
            host = None
        if not host or split.scheme not in ("rtsp", "rtsps", "http", "https"):
            raise ValueError("write rtsp://HOST/... or http://HOST/...")
        return url

    @model_validator(mode="after")
    def _with_user(self) -> StreamSource:
        if (self.password_env or self.password_file) and not urlsplit(self.url).username:
            raise ValueError("a password needs its user: write the URL as rtsp://USER@HOST/...")
        return self


class GenicamSource(_Live):
    """An industrial camera by GenICam (GigE Vision, USB3 Vision), through its maker's GenTL producer."""

    kind: Literal["genicam"] = "genicam"
    producer: Path | None = Field(
        None, description="The producer, NAME.cti; those of GENICAM_GENTL64_PATH if absent."
    )
    device: str | None = Field(
        None,
        max_length=200,
        description="Serial number, user-defined name, id or model; the first if absent.",
    )
    trigger: CameraTrigger = EveryFrame()  # type: ignore[assignment]
    features: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], bool | int | float | str] = Field(
        {}, max_length=200, description="Features to set, in this order, as ExposureTime = 2000."
    )

    @property
    def patience(self) -> float:
        """A line that stands still sends no frames, which is no fault of the camera's."""
        waits = isinstance(self.trigger, HardwareLine) and "stall_seconds" not in self.model_fields_set
        return math.inf if waits else self.stall_seconds


class StandardInputSource(_SourceSettings):
    """Photographs one after another, as `ffmpeg -f image2pipe` writes them, or names of files, one a line."""

    kind: Literal["standard-input"] = "standard-input"
    content: Literal["auto", "images", "names"] = "auto"


class HttpSource(_SourceSettings):
    """Photographs that programs send to an address of the station's own."""

    kind: Literal["http"] = "http"
    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8770, ge=0, le=65535, description="0 takes a free one, which is said.")
    token_env: EnvironmentVariable | None = Field(
        None, description="Environment variable that holds the token that senders show."
    )
    token_file: Path | None = Field(None, description="Or the file that holds it.")
    waiting: int = Field(16, ge=1, le=10_000, description="Photographs that wait for the station at most.")
    wait_seconds: Seconds = Field(30.0, description="How long a sender who wants the verdict waits for it.")
    max_bytes: int = Field(64 * 2**20, ge=1024, le=2**30)

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine reaches the address."""
        return is_loopback(self.host)


SourceSettings = Annotated[
    FolderSource
    | VideoSource
    | CameraSource
    | StreamSource
    | GenicamSource
    | StandardInputSource
    | HttpSource,
    Field(discriminator="kind"),
]
