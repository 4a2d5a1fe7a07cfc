"""A USB camera, or whatever the system shows as one, through OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blemish.station.sources.encoding import Pixels
from blemish.station.sources.live import CameraError
from blemish.station.sources.quiet_opencv import quiet_opencv
from blemish.station.sources.settings import CameraSource

_MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL
_MOST_EMPTY = 10  # reads in a row


class UsbCamera:
    """A camera of this machine."""

    open_seconds = 10.0

    def __init__(self, settings: CameraSource) -> None:
        self.what = f"Camera {settings.device}"
        self._settings = settings
        self._capture: Any = None
        self._empty = 0

    def open(self) -> None:
        """Open it, with the settings.

        Raises:
            CameraError: it is not there, or does not take a setting.
        """
        cv2, settings = quiet_opencv(), self._settings
        device = settings.device
        if isinstance(device, Path) and not device.exists():
            raise CameraError(f"{self.what} is not there: plug it in, or name another device.")
        # A link as /dev/v4l/by-id/... leads to the device of the moment.
        capture = cv2.VideoCapture(str(device.resolve()) if isinstance(device, Path) else device)
        self._capture = capture
        if not capture.isOpened():
            raise CameraError(
                f"{self.what} cannot be opened: plug it in, close what else uses it, and let this user read it (group "
                "video)."
            )
        if settings.pixel_format is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.pixel_format))
        for name, code in (("width", cv2.CAP_PROP_FRAME_WIDTH), ("height", cv2.CAP_PROP_FRAME_HEIGHT)):
            wanted = getattr(settings, name)
            if wanted is not None:
                capture.set(code, wanted)
                got = round(capture.get(code))
                if got != wanted:
                    raise CameraError(f"{self.what} has no {name} of {wanted}: it offers {got}.")
        if settings.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, settings.fps)
        if settings.exposure is not None:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE)
            capture.set(cv2.CAP_PROP_EXPOSURE, settings.exposure)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> Pixels | None:
        """The next frame.

        Raises:
            CameraError: several reads in a row gave none.
        """
        there, pixels = self._capture.read()
        self._empty = 0 if there else self._empty + 1
        if self._empty >= _MOST_EMPTY:
            raise CameraError(f"{self.what} delivers nothing any more: look at its cable; it is opened anew.")
        return pixels if there else None

    def close(self) -> None:
        """Let it go."""
        if self._capture is not None:
            self._capture.release()
