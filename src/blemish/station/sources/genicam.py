"""An industrial camera by GenICam: its maker's GenTL producer, through harvesters."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import MissingExtraError, UsageError
from blemish.station.sources.encoding import Pixels
from blemish.station.sources.live import CameraError
from blemish.station.sources.settings import GenicamSource, HardwareLine

_READ_SECONDS = 0.5
_NAMES = ("serial_number", "user_defined_name", "id_", "model")
_SEARCH_PATH = "GENICAM_GENTL64_PATH"
logger = logging.getLogger("blemish.station")


class GenicamCamera:
    """A camera of a GenTL producer."""

    open_seconds = 20.0

    def __init__(self, settings: GenicamSource) -> None:
        try:
            import harvesters.core  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("A GenICam camera", "genicam") from error
        self._settings = settings
        self._producers = producers(settings.producer)
        self.what = f"GenICam camera {settings.device or ''}".rstrip()
        self._harvester: Any = None
        self._acquirer: Any = None

    def open(self) -> None:
        """Connect, set the features, and start.

        Raises:
            CameraError: it is not there, is in use, or does not take a feature.
        """
        logging.getLogger("harvesters").setLevel(logging.ERROR)
        try:
            self._harvester = _LOADED.harvester(self._producers)
            with _LOADED.lock:
                self._harvester.update()
                place = self._place()
                self._acquirer = self._harvester.create(place)
            nodes = self._acquirer.remote_device.node_map
            for name, value in (*_triggered(self._settings, nodes), *self._settings.features.items()):
                self._set(nodes, name, value)
            self._acquirer.num_buffers = max(3, self._acquirer.min_num_buffers)
            self._acquirer.start()
        except CameraError:
            raise
        except Exception as error:  # of the producer, which has errors of its own
            raise CameraError(
                f"{self.what} cannot be opened ({_said(error)}): see that it is connected and used by nobody else."
            ) from error

    def read(self) -> Pixels | None:
        """The next frame.

        Raises:
            CameraError: it is lost, or its pixels are of a format that is not read.
        """
        try:
            buffer = self._acquirer.try_fetch(timeout=_READ_SECONDS)
        except Exception as error:
            raise CameraError(f"{self.what} is lost ({_said(error)}): it is opened anew.") from error
        if buffer is None:
            return None
        with buffer:
            component = buffer.payload.components[0]
            return frame_of(
                component.data,
                component.width,
                component.height,
                str(component.data_format),
                getattr(component, "x_padding", 0) or 0,
            )

    def close(self) -> None:
        """Let it go."""
        if self._acquirer is not None:
            with contextlib.suppress(Exception), _LOADED.lock:
                self._acquirer.destroy()
            self._acquirer = None

    def _place(self) -> int:
        """Which of the cameras that are there is meant."""
        devices = list(self._harvester.device_info_list)
        wanted = self._settings.device
        if not devices:
            raise CameraError(
                f"{self.what} is not there: its producer finds no camera; check cable, power and network."
            )
        if wanted is None:
            return 0
        # What a producer does not know of a camera is None here; asked for by itself it would be an error.
        known = [device.property_dict for device in devices]
        for name in _NAMES:
            for place, device in enumerate(known):
                if wanted == device.get(name):
                    return place
        there = ", ".join(str(device.get("id_")) for device in known)[:200]
        raise CameraError(f"{self.what} is not among those that are there ({there}): name one of them.")

    def _set(self, nodes: Any, name: str, value: object) -> None:
        if not nodes.has_node(name):
            raise CameraError(f"{self.what} has no feature {name}: leave it out.")
        try:
            getattr(nodes, name).value = value
        except Exception as error:
            raise CameraError(f"{self.what} does not take {name} = {value} ({_said(error)}).") from error


class _Producers:
    """Harvesters by their producers: a producer is loaded once in a process, and shared by its cameras."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._harvesters: dict[tuple[Path, ...], Any] = {}

    def harvester(self, files: tuple[Path, ...]) -> Any:
        """The one of these files."""
        from harvesters.core import Harvester

        with self.lock:
            if files not in self._harvesters:
                harvester = Harvester()
                for file in files:
                    harvester.add_file(str(file), check_existence=True, check_validity=True)
                self._harvesters[files] = harvester
            return self._harvesters[files]


_LOADED = _Producers()


def producers(named: Path | None) -> tuple[Path, ...]:
    """The GenTL producers: the one that is named, or all in the folders of GENICAM_GENTL64_PATH.

    Raises:
        UsageError: there is none.
    """
    if named is not None:
        if not named.is_file():
            raise UsageError(f"{named} is not there: name the camera maker's producer, NAME.cti.")
        return (named.absolute(),)
    folders = [Path(one) for one in os.environ.get(_SEARCH_PATH, "").split(os.pathsep) if one]
    found = tuple(sorted(file.absolute() for folder in folders for file in folder.glob("*.cti")))
    if not found:
        raise UsageError(
            f"No GenTL producer is named, and {_SEARCH_PATH} leads to none: install the software of the camera's "
            'maker, or set producer = "NAME.cti".'
        )
    return found


def _triggered(settings: GenicamSource, nodes: Any) -> list[tuple[str, object]]:
    """The features by which the camera waits for a line, or for nothing."""
    if isinstance(settings.trigger, HardwareLine):
        line = settings.trigger
        selector: list[tuple[str, object]] = (
            [("TriggerSelector", "FrameStart")] if nodes.has_node("TriggerSelector") else []
        )
        return [
            *selector,
            ("TriggerSource", line.line),
            ("TriggerActivation", line.edge),
            ("TriggerMode", "On"),
        ]
    return [("TriggerMode", "Off")] if nodes.has_node("TriggerMode") else []


_BAYER = {"RG": "BG", "GR": "GB", "GB": "GR", "BG": "RG"}
"""OpenCV names a pattern by its second row's second and third pixels, GenICam by its first two."""


def frame_of(data: Any, width: int, height: int, kind: str, x_padding: int = 0) -> Pixels:
    """Pixels of a buffer as H x W (grey) or H x W x 3 (blue, green, red).

    Args:
        data: the samples, uint8 or uint16; harvesters has unpacked them.
        width, height: in pixels.
        kind: name of the pixel format in the PFNC, as Mono8, BayerRG8, RGB8, Mono12.
        x_padding: samples after each row that are no pixels.

    Raises:
        CameraError: the format is not read, or the buffer is too short.
    """
    import cv2

    channels = 4 if kind.startswith(("RGBa", "BGRa")) else 3 if kind.startswith(("RGB", "BGR")) else 1
    known = kind.startswith(("Mono", "Bayer", "RGB", "BGR"))
    if not known or data.dtype not in (np.uint8, np.uint16):
        raise CameraError(
            f"The camera sends pixels as {kind}, which is not read: set features.PixelFormat to Mono8, BayerRG8, RGB8, "
            "BGR8 or their like of 10, 12 or 16 bits."
        )
    row = width * channels + x_padding
    if data.size < row * height:
        raise CameraError(
            f"The camera has sent {data.size:,} of {row * height:,} samples: it is opened anew."
        )
    rows = data[: row * height].reshape(height, row)[:, : width * channels]
    if channels == 1 and kind.startswith("Bayer"):
        code = getattr(cv2, f"COLOR_Bayer{_BAYER[kind[5:7]]}2BGR")
        coloured: Pixels = cv2.cvtColor(np.ascontiguousarray(rows), code)  # type: ignore[assignment]
        return coloured
    if channels == 1:
        grey: Pixels = rows.copy()  # the buffer is the camera's again after this
        return grey
    pixels = rows.reshape(height, width, channels)[:, :, :3]
    copied: Pixels = (pixels[:, :, ::-1] if kind.startswith("RGB") else pixels).copy()
    return copied


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
