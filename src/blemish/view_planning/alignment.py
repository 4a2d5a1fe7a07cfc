"""Learning from good photographs whether, and how, parts are brought to their place before they are looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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
_CLEARLY = 0.7
"""What may remain, at most, of the disagreement that parts have as they lie."""
_LEAST_AGREEMENT, _LEAST_OF_NEARLY_ALL = 0.6, 0.5
"""Median, and tenth part from below, under which photographs do not show one part, shift and turn them as one may."""
_SPREAD = 0.9
"""What may remain, at most, of the spread of pixels: a texture that slides until it fits keeps it."""
_TURNS = 0.6
"""What may remain, at most, of the disagreement after a shift: a round part that is turned until it fits keeps more."""

HeldOut = Callable[[Sequence[Path], Alignment | None], npt.NDArray[np.float64]]
"""What good photographs score by the others of them, looked at with an alignment or as they lie: one a photograph."""


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


def learn_alignment(
    paths: Sequence[Path],
    photograph: tuple[int, int],
    asked: str,
    held_out: HeldOut,
    bit_depth: int = 16,
) -> tuple[Alignment | None, tuple[str, ...]]:
    """What brings good parts to their place, and why, in sentences.

    Args:
        paths: good photographs; of many, some are measured.
        photograph: width and height of `View.photograph`.
        asked: "shift", "turn", "auto" or "none".
        held_out: measures what good photographs score.
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        None where nothing is asked, or where "auto" found nothing that helps.

    Raises:
        UsageError: what is asked for by name is unknown, or would not help.
    """
    require_alignment(asked)
    if asked == NONE:
        return None, ()
    chosen, greys = _copies(paths, photograph, bit_depth)
    if len(greys) < _FEWEST:
        said = f"{len(greys)} good photographs are too few to measure whether parts lie shifted or turned"
        return _none(asked, said, f"give {_FEWEST} at least, or leave it at none")
    models: tuple[Model, ...] = ("shift",) if asked == SHIFT else ("shift", "turn")
    with task("Measuring how parts lie", len(models) * (_REFERENCES + len(_METHODS))) as advance:
        measured = {model: _measured(greys, photograph, model, advance) for model in models}
    shift, turn = measured["shift"], measured.get("turn")
    best = shift
    if turn is not None:
        # A turn is worth its name where it does clearly more than a shift.
        better = _is_clearly_better(turn, shift)
        if asked == TURN and not better:
            return _none(
                asked,
                f"{turn.in_words}, and {shift.alignment.agreement:.2f} when they are shifted alone",
                "ask for shift or auto" if shift.helps else "leave it at none",
            )
        best = turn if better else shift
    if not best.helps:
        return _none(asked, best.in_words + _why_not(best), "leave it at none")
    scores = [held_out(chosen, alignment) for alignment in (None, best.alignment)]
    before, after = (float(np.mean(one)) for one in scores)
    rise = f"and held out they score {after:.3g} instead of {before:.3g}"
    if after > before and asked == AUTO:
        return None, (f"Parts are looked at as they lie: {best.in_words}, {rise}.",)
    what = "turned and shifted" if best.alignment.model == "turn" else "shifted"
    return best.alignment, (f"Parts are {what} to one place: {best.in_words}, {rise}.",)


def with_alignment(
    view: View, shape: tuple[int, int], paths: Sequence[Path], asked: str, bit_depth: int = 16
) -> View:
    """The view with what `learn_alignment` finds, and its reasons.

    Args:
        view: without an alignment.
        shape: height and width of the network's input.
        paths: good photographs.
        asked: see `learn_alignment`.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        UsageError: see `learn_alignment`.
    """

    def held_out(chosen: Sequence[Path], alignment: Alignment | None) -> npt.NDArray[np.float64]:
        return scores_held_out(chosen, shape, view.model_copy(update={"alignment": alignment}), bit_depth)

    alignment, reasons = learn_alignment(paths, view.photograph, asked, held_out, bit_depth)
    return view.model_copy(update={"alignment": alignment, "reasons": (*view.reasons, *reasons)})


def require_alignment(asked: str) -> None:
    """Refuse what `align` cannot mean.

    Raises:
        UsageError: it is none of `ALIGNMENTS`.
    """
    if asked not in ALIGNMENTS:
        raise UsageError(
            f"align={asked} is not possible: choose {', '.join(ALIGNMENTS[:-1])} or {ALIGNMENTS[-1]}."
        )


def _none(asked: str, measured: str, way_out: str) -> tuple[None, tuple[str, ...]]:
    """No alignment: a reason where it was to be measured, a refusal where it was asked for by name.

    Raises:
        UsageError: it was.
    """
    if asked == AUTO:
        return None, (f"Parts are looked at as they lie: {measured}.",)
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


def _measured(
    greys: Sequence[ByteArray], photograph: tuple[int, int], model: Model, advance: Callable[[float], None]
) -> Measured:
    """The reference and the method of the best agreement, and what they do to all the photographs."""
    judges = greys[:: max(1, len(greys) // _JUDGES)]
    best: tuple[float, ByteArray] | None = None
    for candidate in greys[:: max(1, len(greys) // _REFERENCES)][:_REFERENCES]:
        alignment = _unmeasured(candidate, model, "correlation")
        others = [grey for grey in judges if grey is not candidate]
        agreement = float(np.median([registered(grey, alignment, photograph)[1] for grey in others]))
        if best is None or agreement > best[0]:
            best = agreement, candidate
        advance(1)
    assert best is not None
    found: list[Measured] = []
    for method in _METHODS:
        found.append(_with_figures(greys, _unmeasured(best[1], model, method), best[1], photograph))
        advance(1)
    # By the photographs that agree least: there methods differ.
    return max(found, key=lambda one: float(np.quantile(one.after, 0.1)))


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
    # Twice as far from full agreement as the least of nearly all good ones is not certain any more.
    least = 1 - 2 * (1 - float(np.quantile(after, 0.1)))
    figures = {
        "certain_from": float(np.clip(least, 0, 1)),
        "agreement_before": float(np.median(before)),
        "agreement": float(np.median(after)),
        "spread_before": _spread(others),
        "spread": _spread(frames),
        "n_photographs": len(greys),
    }
    return Measured(alignment.model_copy(update=figures), before, after, moves)


def _spread(pictures: Sequence[npt.NDArray[np.generic]]) -> float:
    """Mean over the pixels of their deviation over pictures, in grey levels."""
    return float(np.std(np.stack(pictures).astype(np.float32), axis=0).mean())
