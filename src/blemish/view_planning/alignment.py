"""Learning from good photographs whether, and how, parts are brought to their place before they are looked at."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.ahead import look_ahead
from blemish.core.errors import ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.progress import task
from blemish.core.types import ByteArray
from blemish.view.motion import Matrix, in_frame
from blemish.view.registration import (
    Alignment,
    Method,
    Model,
    correlation,
    encoded_reference,
    reference_size,
    registered,
    small_grey,
)
from blemish.view.view import View
from blemish.view_planning.held_out import scores_held_out

NONE, SHIFT, TURN, AUTO = "none", "shift", "turn", "auto"
ALIGNMENTS = (NONE, SHIFT, TURN, AUTO)

_PHOTOGRAPHS, _REFERENCES, _JUDGES = 24, 4, 8
"""Most photographs that are measured, references among them that are tried, and photographs that judge these."""
_FEWEST = 4
_METHODS: tuple[Method, ...] = ("correlation", "phase", "features")
"""The quickest first."""
_ALIKE = 0.02
"""Agreement by which methods may differ and count as alike."""
_LARGEST = 512 * 512
"""Pixels of the pictures that held-out scores are measured on, at most: more cost more and say no more of places."""
_CLEARLY = 0.7
"""What may remain, at most, of the disagreement that parts have as they lie."""
_LEAST_AGREEMENT, _LEAST_OF_NEARLY_ALL = 0.6, 0.5
"""Median, and tenth part from below, under which photographs do not show one part, shift and turn them as one may."""
_SPREAD = 0.9
"""What may remain, at most, of the spread of pixels: a texture that slides until it fits keeps it."""
_TURNS = 0.5
"""What may remain, at most, of the disagreement after a shift: a round part that is turned until it fits keeps more."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """An alignment, and what it does to the good photographs that it was learnt from.

    Attributes:
        alignment: with its figures.
        before, after: agreement of each with the reference.
        moves: where each lies, float64 3 x 3.
    """

    alignment: Alignment
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    moves: Sequence[Matrix]

    @property
    def helps(self) -> bool:
        """Whether photographs agree clearly better than as they lie, and show one part at all."""
        found = self.alignment
        return (
            found.agreement >= _LEAST_AGREEMENT
            and 1 - found.agreement <= _CLEARLY * (1 - found.agreement_before)
            and float(np.quantile(self.after, 0.1)) >= _LEAST_OF_NEARLY_ALL
            and found.spread <= _SPREAD * found.spread_before
        )

    @property
    def in_words(self) -> str:
        """The figures, as part of a sentence."""
        found = self.alignment
        return (
            f"{found.n_photographs} good photographs agree with the best of them by {found.agreement:.2f} "
            f"instead of {found.agreement_before:.2f}"
        )


def with_alignment(
    view: View, shape: tuple[int, int], paths: Sequence[Path], asked: str, bit_depth: int = 16
) -> View:
    """The view with what brings good parts to their place, and with the reason why, a sentence.

    Args:
        view: without an alignment.
        shape: height and width of the network's input.
        paths: good photographs; of many, some are measured.
        asked: "shift", "turn", "auto" or "none".
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        The view itself where nothing is asked; without an alignment where "auto" found nothing that helps.

    Raises:
        UsageError: what is asked for by name is unknown, or would not help.
    """
    require_alignment(asked)
    if asked == NONE:
        return view
    chosen, greys = _copies(paths, view.photograph, bit_depth)
    alignment, reason = _learnt(
        view, shape, tuple(chosen), tuple(grey.tobytes() for grey in greys), asked, bit_depth
    )
    return view.model_copy(update={"alignment": alignment, "reasons": (*view.reasons, reason)})


@functools.lru_cache(maxsize=8)
def _learnt(
    view: View,
    shape: tuple[int, int],
    paths: tuple[Path, ...],
    contents: tuple[bytes, ...],
    asked: str,
    bit_depth: int,
) -> tuple[Alignment | None, str]:
    """An alignment and its reason, learnt once for all detectors that look at the same photographs in one shape.

    Args:
        view: without an alignment.
        shape: height and width of the network's input.
        paths: good photographs.
        contents: their small grey copies' bytes.
        asked: what is asked, but for nothing.
        bit_depth: bits that 16-bit photographs really use.
    """
    if len(contents) < _FEWEST:
        said = f"{len(contents)} good photographs are too few to measure whether parts lie shifted or turned"
        return _none(asked, said, f"give {_FEWEST} at least, or leave it at none")
    shift = best = _measured(contents, view.photograph, "shift")
    turn = None if asked == SHIFT else _measured(contents, view.photograph, "turn")
    if turn is not None:
        # A turn is worth its name where it does clearly more than a shift.
        better = _is_clearly_better(turn, shift)
        if asked == TURN and not better:
            said = f"{turn.in_words}, and by {shift.alignment.agreement:.2f} when they are shifted alone"
            return _none(asked, said, "ask for shift or auto" if shift.helps else "leave it at none")
        best = turn if better else shift
    if not best.helps:
        return _none(asked, best.in_words + _why_not(best), "leave it at none")
    smaller = _in_one_piece(shape)
    views = (view.model_copy(update={"tile": 0, "alignment": one}) for one in (None, best.alignment))
    before, after = (float(scores_held_out(paths, smaller, one, bit_depth).mean()) for one in views)
    rise = f"and held out they score {after:.3g} instead of {before:.3g}"
    if after > before and asked == AUTO:
        return _none(asked, f"{best.in_words}, {rise}", "")
    what = "turned and shifted" if best.alignment.model == "turn" else "shifted"
    return best.alignment, f"Parts are {what} to one place: {best.in_words}, {rise}."


def _in_one_piece(shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which photographs are compared: of the input, or smaller where that is read in tiles."""
    scale = min(1.0, math.sqrt(_LARGEST / (shape[0] * shape[1])))
    height, width = (max(2, round(scale * side / 32)) * 32 if scale < 1 else side for side in shape)
    return height, width


def require_alignment(asked: str) -> None:
    """Refuse what `align` cannot mean.

    Raises:
        UsageError: it is none of `ALIGNMENTS`.
    """
    if asked not in ALIGNMENTS:
        raise UsageError(
            f"align={asked} is not possible: choose {', '.join(ALIGNMENTS[:-1])} or {ALIGNMENTS[-1]}."
        )


def _none(asked: str, measured: str, way_out: str) -> tuple[None, str]:
    """No alignment: a reason where it was to be measured, a refusal where it was asked for by name.

    Raises:
        UsageError: it was.
    """
    if asked == AUTO:
        return None, f"Parts are looked at as they lie: {measured}."
    raise UsageError(f"align={asked} would not help here: {measured}; {way_out}.")


def _why_not(measured: Measured) -> str:
    found = measured.alignment
    if found.agreement < _LEAST_AGREEMENT:
        return f", where {_LEAST_AGREEMENT} is the least that photographs of one part have"
    return ", which is no clear rise"


def _is_clearly_better(turn: Measured, shift: Measured) -> bool:
    return 1 - turn.alignment.agreement <= _TURNS * (1 - shift.alignment.agreement)


def _copies(
    paths: Sequence[Path], photograph: tuple[int, int], bit_depth: int
) -> tuple[list[Path], list[ByteArray]]:
    """Some of the photographs that can be read, evenly over all, and their small grey copies."""
    size = reference_size(photograph)

    def copy(path: Path) -> ByteArray | None:
        try:
            return small_grey(read_image(path, bit_depth=bit_depth), size)
        except ImageError:
            return None

    places = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _PHOTOGRAPHS)).astype(int))
    chosen = [paths[place] for place in places]
    found = [
        (path, grey) for path, grey in zip(chosen, look_ahead(copy, chosen), strict=True) if grey is not None
    ]
    return [path for path, _ in found], [grey for _, grey in found]


@functools.lru_cache(maxsize=16)
def _measured(contents: tuple[bytes, ...], photograph: tuple[int, int], model: Model) -> Measured:
    """The reference and the method of the best agreement, and what they do to all the photographs.

    Args:
        contents: bytes of small grey copies.
        photograph: width and height of `View.photograph`.
        model: what parts do.
    """
    width, height = reference_size(photograph)
    greys = [np.frombuffer(content, np.uint8).reshape(height, width) for content in contents]
    judges = greys[:: max(1, len(greys) // _JUDGES)]
    best: tuple[float, ByteArray] | None = None
    found: list[Measured] = []
    with task(f"Measuring how parts lie, {model}", _REFERENCES + len(_METHODS)) as advance:
        for candidate in greys[:: max(1, len(greys) // _REFERENCES)][:_REFERENCES]:
            alignment = _unmeasured(candidate, model, "correlation")
            others = [grey for grey in judges if grey is not candidate]
            agreement = float(np.median([registered(grey, alignment, photograph)[1] for grey in others]))
            if best is None or agreement > best[0]:
                best = agreement, candidate
            advance(1)
        assert best is not None
        for method in _METHODS:
            found.append(_with_figures(greys, _unmeasured(best[1], model, method), best[1], photograph))
            advance(1)
    # By the photographs that agree least, where methods differ; the quicker one of those that are alike.
    least = [float(np.quantile(one.after, 0.1)) for one in found]
    return next(one for one, agreement in zip(found, least, strict=True) if agreement >= max(least) - _ALIKE)


def _unmeasured(reference: ByteArray, model: Model, method: Method) -> Alignment:
    return Alignment(
        reference=encoded_reference(reference),
        model=model,
        method=method,
        certain_from=-1,
        agreement_before=0,
        agreement=0,
        spread_before=0,
        spread=0,
        n_photographs=1,
    )


def _with_figures(
    greys: Sequence[ByteArray], alignment: Alignment, reference: ByteArray, photograph: tuple[int, int]
) -> Measured:
    """An alignment with what it does to photographs; the reference itself counts for nothing."""
    others = [grey for grey in greys if grey is not reference]
    before = np.array([correlation(grey, reference) for grey in others])
    found = [registered(grey, alignment, photograph) for grey in others]
    after = np.array([agreement for _, agreement in found])
    moves = [matrix for matrix, _ in found]
    frames = [in_frame(grey, matrix, photograph) for grey, matrix in zip(others, moves, strict=True)]
    figures = {
        "certain_from": _certain_from(float(np.quantile(after, 0.1)), float(np.median(before))),
        "agreement_before": float(np.median(before)),
        "agreement": float(np.median(after)),
        "spread_before": _spread(others),
        "spread": _spread(frames),
        "n_photographs": len(greys),
    }
    return Measured(alignment.model_copy(update=figures), before, after, moves)


def _certain_from(nearly_all: float, as_they_lie: float) -> float:
    """Agreement from which a registration is believed, by what nearly all good photographs have at least.

    A defect costs agreement, and must not cost the place: what is allowed is twice the disagreement of good ones, or
    half of the way to photographs as they lie where that is more.
    """
    return float(np.clip(min(1 - 2 * (1 - nearly_all), (nearly_all + as_they_lie) / 2), 0, 1))


def _spread(pictures: Sequence[npt.NDArray[np.generic]]) -> float:
    """Mean over the pixels of their deviation over pictures, in grey levels."""
    return float(np.std(np.stack(pictures).astype(np.float32), axis=0).mean())
