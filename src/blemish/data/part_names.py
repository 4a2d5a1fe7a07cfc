"""Which names of folders name a part: not those of classes, of splits, nor of what holds photographs of anything."""

from __future__ import annotations

from blemish.data.class_words import is_class_alone, words_of
from blemish.data.entries import SPLIT_NAMES

UNNAMED = "part"
"""What a part is called of which nothing says a name."""

_HOLDER_WORDS = """
image images img imgs photo photos photograph photographs picture pictures pic pics foto fotos bild bilder frame
frames file files data dataset datasets raw input inputs upload uploads uploaded download downloads desktop
documents camera cam dcim new neu old sample samples example examples part parts set tmp temp home users mnt media
"""
_HOLDERS = frozenset(_HOLDER_WORDS.split())


def names_part(name: str) -> bool:
    """Whether a name may be that of a part: strangers that are both called `good` or `images` are not one part.

    Example:
        >>> [name for name in ("screw", "good", "train_images", "IMG_2024", "4711", "") if names_part(name)]
        ['screw', '4711']
    """
    if not name.strip() or name.lower() in SPLIT_NAMES or is_class_alone(name):
        return False
    words = words_of(name)
    return not words or any(
        word not in _HOLDERS and word not in SPLIT_NAMES and not is_class_alone(word) for word in words
    )
