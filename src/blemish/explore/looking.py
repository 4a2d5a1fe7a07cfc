"""How photographs are looked at, each by itself: what is seen of one, and who looks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from blemish.core.ahead import look_ahead
from blemish.core.images import DecodeLimits
from blemish.core.same_photograph import signature
from blemish.core.types import ByteArray, FloatArray
from blemish.data.checks import Examined, Row, examine
from blemish.explore.defects import MaskMeasures, measure_mask
from blemish.explore.measures import Measures, handcrafted_measures, histograms, measure
from blemish.explore.thumbnails import thumbnail

Embed = Callable[[ByteArray], FloatArray]
"""From a photograph (uint8 RGB H x W x 3) to its features (float32 C x h x w); called on several threads."""

THREADS = max(1, min(8, os.cpu_count() or 1))
"""Photographs that are looked at at a time."""


@dataclass(frozen=True)
class Seen:
    """What was seen of one photograph: no pixels but the small ones."""

    index: int
    examined: Examined
    measures: Measures | None = None
    more: Mapping[str, float] = field(default_factory=dict)
    histograms: FloatArray | None = None
    signature: ByteArray | None = None
    thumbnail: bytes = b""
    mask: MaskMeasures | None = None
    features: FloatArray | None = None


@dataclass(frozen=True)
class Look:
    """What is looked for in the photographs of a category.

    Attributes:
        rows: the catalog's.
        limits: bytes and pixels allowed.
        embedded: indices of those that are embedded.
        compared: of those with handcrafted features.
    """

    rows: Sequence[Row]
    limits: DecodeLimits
    embedded: frozenset[int]
    compared: frozenset[int]

    def at(self, index: int, embed: Embed | None) -> Seen:
        """Decode and measure one photograph; safe on several threads where `embed` is."""
        examined = examine(self.rows[index], self.limits)
        image, mask = examined.image, examined.mask
        if image is None:
            return Seen(index, examined)
        fits = mask is not None and mask.shape == image.shape[:2]
        return Seen(
            index,
            examined.without_pixels(),
            measure(image),
            handcrafted_measures(image) if index in self.compared else {},
            histograms(image),
            signature(image),
            thumbnail(image),
            measure_mask(mask) if mask is not None and fits else None,
            embed(image) if embed is not None and index in self.embedded else None,
        )


class Lookers(Protocol):
    """Who looks at photographs."""

    @property
    def embeds(self) -> bool:
        """Whether they embed too."""

    def look(self, look: Look, order: Sequence[int]) -> Iterator[Seen]:
        """Each photograph once, in this order."""


@dataclass(frozen=True)
class Threads:
    """Threads of this process, a few photographs ahead."""

    embed: Embed | None = None

    @property
    def embeds(self) -> bool:
        """Whether they embed too."""
        return self.embed is not None

    def look(self, look: Look, order: Sequence[int]) -> Iterator[Seen]:
        """Each photograph once, in this order."""
        return look_ahead(partial(look.at, embed=self.embed), order, THREADS, 2 * THREADS)
