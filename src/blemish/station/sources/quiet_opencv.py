"""OpenCV and the FFmpeg in it without their own lines on standard error: a source says what is wrong itself."""

from __future__ import annotations

import functools
import os
from typing import Any


@functools.cache
def quiet_opencv() -> Any:
    """The module `cv2`, told to be silent."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
