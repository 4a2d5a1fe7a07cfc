"""Scores of known defects, each as the inspector that is to decide sees it; what it learnt from does not count."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_inputs import ImageInput
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.core.progress import track
from blemish.core.types import FloatArray, Verdict
from blemish.line.manifest import Manifest

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector


@dataclass(frozen=True)
class LeftOut:
    """A photograph that does not count as a known defect, and why, in a sentence."""

    name: str
    detail: str


@dataclass(frozen=True, eq=False)
class DefectScores:
    """Known defects.

    Attributes:
        scores: float64 N, of each photograph that counts, in the order given.
        names: of the same.
        left_out: the others.
        digests: SHA-256 of the files that count; None of what is no file.
    """

    scores: FloatArray
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    digests: tuple[str | None, ...]


def score_defects(inspector: Inspector, images: Sequence[ImageInput]) -> DefectScores:
    """Score photographs of defective parts.

    Left out is what cannot be read or judged, the same file again, and what the inspector has learnt from.

    Args:
        inspector: whose decision is to be made.
        images: paths, bytes of files, PIL images, or uint8 arrays (H x W x 3 RGB, or H x W).

    Raises:
        UsageError: none is left that counts.
    """
    learnt = learnt_digests(inspector.manifest)
    scores, names, left_out, known = list[float](), list[str](), list[LeftOut](), set[str]()
    digests: list[str | None] = []
    for number, image in enumerate(track(images, f"Scoring known defects with {inspector.name}"), 1):
        name = str(image) if isinstance(image, str | Path) else f"photograph {number}"
        digest = None
        try:
            if isinstance(image, str | Path):
                image = read_content(image, DEFAULT_LIMITS.max_bytes)
            if isinstance(image, bytes):
                digest = hashlib.sha256(image).hexdigest()
            found = _score(inspector, image, name, digest, learnt, known)
        except ImageError as error:
            found = error.detail
        if isinstance(found, str):
            left_out.append(LeftOut(name, found))
        else:
            scores.append(found)
            names.append(name)
            digests.append(digest)
    if not scores:
        first = f"; the first, {left_out[0].name}: {left_out[0].detail}" if left_out else "."
        raise UsageError(f"None of {len(images)} photographs counts as a known defect{first}")
    return DefectScores(np.asarray(scores, np.float64), tuple(names), tuple(left_out), tuple(digests))


def learnt_digests(manifest: Manifest) -> frozenset[str]:
    """SHA-256 of what an inspector has learnt from or is calibrated on; of over 10,000 photographs none is known."""
    supervision = manifest.training.supervision
    return frozenset(
        {
            *manifest.training.digests,
            *(supervision.digests if supervision else ()),
            *manifest.calibration.digests,
            *manifest.corrected_digests,
        }
    )


def _score(
    inspector: Inspector,
    image: ImageInput,
    name: str,
    digest: str | None,
    learnt: frozenset[str],
    known: set[str],
) -> float | str:
    """The score of one photograph, whose file's digest goes into `known`; or why it does not count, in a sentence.

    Raises:
        ImageError: it cannot be read.
    """
    if isinstance(image, bytes) and digest is not None:
        if digest in learnt:
            return "the inspector has learnt from it, so it says nothing of others."
        if digest in known:
            return "it is the same file as another, and counts once."
        known.add(digest)
        inspection = inspector.inspect_photograph(inspector.open_photograph(image, name), name)
    else:
        inspection = inspector.inspect(image)
    if inspection.verdict is Verdict.NOT_JUDGED:
        return "it is not judged, so its score decides nothing."
    return inspection.score
