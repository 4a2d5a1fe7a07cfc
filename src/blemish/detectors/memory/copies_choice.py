"""Which copies a memory bank is filled from: chosen on good photographs held out and on defects painted on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from blemish.core.errors import BlemishError
from blemish.core.progress import task
from blemish.core.types import BoolArray, ByteArray
from blemish.data.painted_images import paint
from blemish.data.patch_defects import PAINTERS
from blemish.detectors.augmentation_choice import shares_below
from blemish.detectors.copies import TURN, Copies
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.memory.patch_pool import PatchPool, choose_bank, gather_copies
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.features.pixels import PixelCache
from blemish.view.foreground import estimate_foreground

FEWEST = 6
"""Good photographs below which nothing can be chosen."""

KINDS = (
    Copies(turns=8),
    Copies(turns=24),
    Copies(mirror=True),
    Copies(shift=True),
)
"""What is tried, in this order, each beside what helped before it; more turns in place of fewer, where those helped."""

ALWAYS = Copies(relit=True)
"""What is made besides: good photographs held out stand in the same light, and cannot say what another one brings."""

MORE = 10
"""Photographs of which it is said what they would bring."""

MARGIN = 0.04
"""Share by which painted defects have to stand out more for a kind to be used."""

_HELD_OUT, _SHARE = 16, 1 / 3
_SIZES = (0.5, 1.0)  # of painted defects, in the usual size of each type
_CANDIDATES = 12_000  # of the photographs themselves
_CHANGED = 1 / 8  # of the patches: those that a painted defect changes most
_TRIES = 6

Scores = npt.NDArray[np.float64]
Distances = Callable[[Tensor], Callable[[Tensor], Tensor]]
ScoreOf = Callable[[Tensor], float]


@dataclasses.dataclass(frozen=True)
class Judged:
    """Scores of good photographs held out (N) and of defects painted on them (M)."""

    good: Scores
    painted: Scores

    @property
    def upper(self) -> float:
        """Mean of the highest quarter of the good scores."""
        return float(np.sort(self.good)[-math.ceil(len(self.good) / 4) :].mean())

    @property
    def clearance(self) -> float:
        """How far painted defects stand above good photographs: their median in upper good scores."""
        return float(np.median(self.painted)) / max(self.upper, 1e-12)

    @property
    def auroc(self) -> float:
        """How well painted defects are told from good photographs."""
        return float(np.mean(shares_below(self.good, self.painted)))

    @property
    def recall(self) -> float:
        """Share of painted defects above the upper good scores."""
        return float((self.painted > self.upper).mean())


@dataclasses.dataclass(frozen=True)
class MorePhotographs:
    """A learning curve of two points: what is learnt from the photographs, and from half of them.

    Attributes:
        photographs: how many were learnt from, of each score one fold less.
        upper, upper_of_half: mean of the highest quarter of the scores of good photographs held out.
        recall, recall_of_half: share of painted defects above these.
        falls: by which share the upper scores would fall with `MORE` photographs more.
    """

    photographs: int
    upper: float
    upper_of_half: float
    recall: float
    recall_of_half: float
    falls: float

    def __str__(self) -> str:
        return (
            f"from {self.photographs} photographs good parts score up to about {self.upper:.3g}, from half of them "
            f"{self.upper_of_half:.3g}; painted defects above that: {self.recall:.0%}, from half "
            f"{self.recall_of_half:.0%}; {MORE} more photographs would lower the upper scores by about {self.falls:.1%}"
        )

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON-ready values, with the sentence."""
        return {**dataclasses.asdict(self), "in_words": str(self)}


@dataclasses.dataclass(frozen=True)
class CopiesChoice:
    """What `copies=auto` came to mean.

    Attributes:
        copies: the kinds that are used.
        why: in a sentence.
        judged: of each value that was tried, what was measured.
        more: what more photographs would bring; None where nothing was measured.
    """

    copies: Copies
    why: str
    judged: Mapping[str, Judged] = dataclasses.field(default_factory=dict)
    more: MorePhotographs | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The choice as JSON-ready values."""
        tried: dict[str, JsonValue] = {
            name: {"upper": one.upper, "clearance": one.clearance, "auroc": one.auroc}
            for name, one in self.judged.items()
        }
        return {"copies": str(self.copies), "copies because": self.why} | (
            {"copies tried": tried} if tried else {}
        )

    def with_always(self) -> CopiesChoice:
        """With the kinds that are made whatever was chosen."""
        return dataclasses.replace(self, copies=self.copies | ALWAYS, why=f"{self.why}; {ALWAYS} ones always")


@dataclasses.dataclass(frozen=True)
class _Painted:
    """A painted defect on a photograph held out: where it changes patches (K), and these (K x D)."""

    places: Tensor
    patches: Tensor


@dataclasses.dataclass(frozen=True)
class _HeldOut:
    """A good photograph held out: its position, its patches (h * w x D), and defects painted on it."""

    position: int
    patches: Tensor
    painted: list[_Painted]


class Trial:
    """Memory banks with and without copies, judged on some of the photographs, each by a bank of the others.

    Args:
        extractor, embedding: from photographs to patches.
        paths: good photographs.
        own: candidates from the photographs as they are.
        distances: from a bank, N x D, to what gives the distances, 1 x 1 x h x w, of patches, 1 x D x h x w.
        score_of: the score of a photograph with such distances.
        bank: vectors in a memory bank, as many as the detector's: a smaller one sees less of what copies bring.
        each: most candidates of a copy.
        seed: of everything drawn.

    Raises:
        ImageError: a file cannot be read.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        embedding: nn.Module,
        paths: Sequence[Path],
        own: PatchPool,
        distances: Distances,
        score_of: ScoreOf,
        bank: int,
        each: int,
        seed: int,
    ) -> None:
        self._extractor, self._embedding, self._paths = extractor, embedding, paths
        self._distances, self._score_of = distances, score_of
        self._bank, self._each, self._seed = bank, each, seed
        self._own = own.thinned(max(1, _CANDIDATES // len(paths)), seed)
        drawn = np.random.default_rng(seed).permutation(len(paths))[:_HELD_OUT]
        parts = math.ceil(len(drawn) / max(1, int(_SHARE * len(paths))))
        with task("Painting defects to choose copies", len(drawn)) as advance:
            self._folds: list[list[_HeldOut]] = [[] for _ in range(parts)]
            for number, position in enumerate(drawn.tolist()):
                self._folds[number % parts].append(self._held_out(position))
                advance(1)

    @property
    def photographs(self) -> int:
        """How many there are."""
        return len(self._paths)

    @property
    def painted(self) -> int:
        """How many defects could be painted."""
        return sum(len(one.painted) for part in self._folds for one in part)

    @property
    def held_out(self) -> int:
        """How many photographs are scored."""
        return sum(len(part) for part in self._folds)

    def copies(self, kind: Copies) -> PatchPool:
        """Candidates from copies of all the photographs."""
        return gather_copies(self._extractor, self._embedding, self._paths, kind, self._each, self._seed)

    def judge(self, copies: Iterable[PatchPool], share: float = 1.0) -> Judged:
        """What is scored with these copies beside the photographs, of which a share is learnt from."""
        pools = [self._own, *copies]
        vectors = torch.cat([pool.vectors for pool in pools])
        owners = torch.cat([pool.owners for pool in pools])
        good, painted = [], []
        for part in self._folds:
            others = np.setdiff1d(np.arange(self.photographs), [one.position for one in part])
            learnt = np.random.default_rng(self._seed).permutation(others)[: round(share * len(others))]
            rows = vectors[torch.isin(owners, torch.from_numpy(learnt))]
            nearest = self._distances(choose_bank(rows, self._bank, self._seed))
            with torch.inference_mode():
                for one in part:
                    distances = self._to(nearest, one.patches)
                    good.append(self._scored(distances))
                    for defect in one.painted:
                        changed = distances.clone()
                        changed[defect.places] = self._to(nearest, defect.patches)
                        painted.append(self._scored(changed))
        return Judged(np.array(good), np.array(painted))

    def _held_out(self, position: int) -> _HeldOut:
        """A photograph with a small and a larger defect, each of the first type that can be seen on it."""
        path = self._paths[position]
        patches = self._rows(self._extractor.extract(path))
        picture = PixelCache().read(path, self._extractor.contract)
        foreground = estimate_foreground(picture)
        painted = []
        for number, scale in enumerate(_SIZES):
            rng = np.random.default_rng([self._seed, position, number])
            damaged = _painted(picture, foreground, scale, rng)
            if damaged is not None:
                rows = self._rows(self._extractor.extract_once(damaged))
                change = ((rows - patches) ** 2).sum(1)
                places = change.topk(math.ceil(_CHANGED * len(rows))).indices
                painted.append(_Painted(places, rows[places]))
        return _HeldOut(position, patches, painted)

    def _rows(self, maps: FeatureMaps) -> Tensor:
        """Patches h * w x D of feature maps."""
        rows: Tensor = self._embedding(batch_of_one(maps))[0].flatten(1).T.contiguous()
        return rows

    def _to(self, nearest: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """Distances (K) of patches (K x D)."""
        distances: Tensor = nearest(rows.T[None, :, :, None])[0, 0, :, 0]
        return distances

    def _scored(self, distances: Tensor) -> float:
        return self._score_of(distances.reshape(1, 1, *self._own.grid))


def choose_copies(trial: Trial) -> tuple[CopiesChoice, list[PatchPool]]:
    """Try each of `KINDS` beside what helped before it, keep what helps (see `helps`), and its candidates."""
    if not trial.painted:
        return CopiesChoice(Copies(), "no painted defect could be seen on the good photographs"), []
    kept = Copies()
    pools: dict[str, PatchPool] = {}
    judged = {str(kept): trial.judge([])}
    nothing_to_gain = judged[str(kept)].auroc == judged[str(kept)].recall == 1
    kinds = () if nothing_to_gain else KINDS  # reading copies is what takes time
    with task("Choosing copies", len(kinds)) as advance:
        for kind in kinds:
            if not (kind.turns > KINDS[0].turns and kept.turns == 1):
                tried = {name: pool for name, pool in pools.items() if not (kind.turns > 1 and name == TURN)}
                tried[TURN if kind.turns > 1 else str(kind)] = trial.copies(kind)
                together = kept | kind
                judged[str(together)] = trial.judge(tried.values())
                known = kind.turns > 1 and kept.turns > 1
                if helps(judged[str(kept)], judged[str(together)], known):
                    kept, pools = together, tried
            advance(1)
    half = trial.judge(pools.values(), share=0.5)
    more = _more(trial.photographs, half, judged[str(kept)])
    return CopiesChoice(kept, _why(trial, kept, judged), judged, more), list(pools.values())


def helps(before: Judged, after: Judged, known: bool = False) -> bool:
    """Whether copies lower the upper good scores, painted defects are told from good photographs no worse than before,
    and stand out more: by a share of `MARGIN`, which is not asked of more copies of a kind known to help."""
    clearer = known or after.clearance > (1 + MARGIN) * before.clearance
    return after.upper < before.upper and clearer and after.auroc >= before.auroc


def _more(photographs: int, half: Judged, whole: Judged) -> MorePhotographs:
    """What more photographs would bring if the upper scores go on falling with the same power of their number."""
    power = max(0.0, math.log2(max(half.upper, 1e-12) / max(whole.upper, 1e-12)))
    falls = 1 - (photographs / (photographs + MORE)) ** power
    return MorePhotographs(photographs, whole.upper, half.upper, whole.recall, half.recall, falls)


def _why(trial: Trial, kept: Copies, judged: Mapping[str, Judged]) -> str:
    """What was measured, in a sentence."""
    on = f"on {trial.held_out} good photographs held out and {trial.painted} defects painted on them"
    without, chosen = judged[str(Copies())], judged[str(kept)]
    if kept != Copies():
        lower = 1 - chosen.upper / max(without.upper, 1e-12)
        return (
            f"with {kept} good parts score {lower:.0%} lower, and defects stand out {chosen.clearance:.2f} times "
            f"instead of {without.clearance:.2f}, {on}"
        )
    if len(judged) == 1:
        return f"every defect was told without, {on}"
    others = ", ".join(name for name in judged if name != str(Copies()))
    return f"{others} did not help {on}"


def _painted(
    picture: ByteArray, foreground: BoolArray | None, scale: float, rng: np.random.Generator
) -> ByteArray | None:
    """The picture with a defect of a type drawn, `scale` times its usual size; None where none can be seen."""
    for name in rng.permutation(list(PAINTERS))[:_TRIES]:
        low, high = PAINTERS[str(name)].size
        try:
            return paint(str(name), picture, foreground, rng, size=(scale * low, scale * high))[0]
        except BlemishError:
            continue
    return None
