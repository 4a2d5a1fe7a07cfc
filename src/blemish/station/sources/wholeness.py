"""Whether the bytes of a file are a whole photograph, as far as its format tells."""

from __future__ import annotations

from enum import Enum

from blemish.core.errors import ImageError
from blemish.core.image_formats import image_format
from blemish.core.images import decode_photograph
from blemish.core.whole import damage_in, is_cut_short


class Wholeness(Enum):
    """What the bytes say.

    WHOLE: nothing can be missing, by sums or by the end that the format has. UNTOLD: nothing is missing as far as the
    format tells, which would tell not all. BROKEN: something is missing, or it is no photograph.
    """

    WHOLE = "whole"
    UNTOLD = "untold"
    BROKEN = "broken"


_SMALLEST = (1, 1)


def wholeness(content: bytes, name: str) -> tuple[Wholeness, str | None]:
    """What the bytes of a file say, and what is wrong where they are broken.

    A PNG has a sum for each of its pieces and JPEG an end that its decoder must meet, so both are known to be whole at
    first sight; JPEG is decoded at an eighth of its scale for that. Rows of plain samples, as in BMP and TIFF, look
    alike whether they were written or not.
    """
    kind = image_format(content)
    if kind is None:
        return Wholeness.BROKEN, "it is no photograph that can be read; write PNG, JPEG, TIFF, BMP or WebP."
    if kind == "JPEG":
        try:
            decode_photograph(content, name, least=_SMALLEST)
        except ImageError as error:
            lost = error.kind in ("truncated", "damaged", "unreadable", "empty")
            # What is whole and refused for another reason is for the inspection to refuse, with its own limits.
            return (Wholeness.BROKEN, error.detail) if lost else (Wholeness.WHOLE, None)
        return Wholeness.WHOLE, None
    if is_cut_short(content, kind):
        return Wholeness.BROKEN, "the file ends before its image does; write it again."
    if (damage := damage_in(content, kind)) is not None:
        return Wholeness.BROKEN, f"{damage}; write it again."
    return (Wholeness.WHOLE if kind == "PNG" else Wholeness.UNTOLD), None
