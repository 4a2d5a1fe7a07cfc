"""When a photograph was taken: by what the camera wrote into the file, or else by the file's own time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from blemish.core.quiet_pillow import quiet_pillow

_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP")
_EXIF, _DATE_TIME, _ORIGINAL, _FRACTION = 0x8769, 0x0132, 0x9003, 0x9291


def taken_at(path: Path) -> float:
    """Seconds since 1970 on the camera's clock by EXIF, to the fraction it gives, or else of the file's last change.

    Nothing is decoded. What cannot be read, or says no time that can be meant, has the file's time; a file that is not
    there has 0.
    """
    try:
        with quiet_pillow(), Image.open(path, formats=_FORMATS) as image:
            # Not the PNG plugin's own `getexif`, which decodes every image that has no EXIF.
            exif = Image.Image.getexif(image)
        details = exif.get_ifd(_EXIF)
        text = str(details.get(_ORIGINAL) or exif.get(_DATE_TIME)).rstrip("\0 ")
        moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
        fraction = str(details.get(_FRACTION) or "").rstrip("\0 ")
        return moment + (float(f"0.{fraction}") if fraction.isascii() and fraction.isdigit() else 0.0)
    except Exception:  # damaged metadata says nothing
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0
