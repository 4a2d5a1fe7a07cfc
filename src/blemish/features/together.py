"""Reading together: many detectors want the same photographs, and each is decoded once for all of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from blemish.core.ahead import look_ahead
from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, decode_photograph, read_content
from blemish.core.progress import track
from blemish.core.types import ByteArray, FloatArray
from blemish.features.digests import digest_of
from blemish.features.extraction import DECODING, FeatureExtractor
from blemish.features.learning_device import learning_device
from blemish.features.pixels import PixelCache
from blemish.features.torch_network import BATCH
from blemish.line.photograph_measures import measures_of
from blemish.view.look import Look
from blemish.view.preprocessing import Preprocessing, look, standardise
from blemish.view.reading import enough_for


@dataclasses.dataclass(frozen=True)
class Reads:
    """What a detector reads of every photograph: feature maps by its extractors, pixels as contracts resize them."""

    extractors: tuple[FeatureExtractor, ...] = ()
    contracts: tuple[Preprocessing, ...] = ()


@dataclasses.dataclass
class Together:
    """What reading photographs together found.

    Attributes:
        digests: SHA-256 of each file that can be read, by path.
        contents: `pixel_digest` of each of these: files that show the same pixels have the same.
        problems: why each of the others cannot.
        decoded: photographs that were decoded; of the others everything was in the caches.
        measures: of those that can be read, by path, float32 `COLUMNS`; empty where nobody asked.
        seconds: for each extractor, the network's mean time on a photograph; None if it never had to run.
    """

    digests: dict[Path, str]
    contents: dict[Path, str]
    problems: dict[Path, ImageError]
    decoded: int
    seconds: list[float | None]
    measures: dict[Path, FloatArray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is measured of every photograph, see `blemish.line.photograph_measures`.

    Attributes:
        contract: how it is looked at; where it is cut into parts, all of it is measured.
        rows: whether a row of features is made of it, of all its pixels, which are then measured.
    """

    contract: Preprocessing
    rows: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of a photograph is measured, and not the picture that a network sees."""
        return self.rows or (self.contract.view is not None and self.contract.view.parts is not None)

    @property
    def least(self) -> tuple[int, int] | None:
        """Pixels that the line decodes of a photograph at least."""
        return None if self.rows else enough_for(self.contract)

    @property
    def key(self) -> str:
        """What the picture that is measured depends on besides the photograph, in one string."""
        return f"whole|{self.least}|{self.contract.bit_depth}" if self.whole else self.contract.picture_key


@dataclasses.dataclass
class _Wanted:
    """What is not yet in the caches of one photograph: inputs by extractor's position."""

    path: Path
    digest: str = ""
    content: str = ""
    decoded: bool = False
    inputs: dict[int, FloatArray] = dataclasses.field(default_factory=dict)
    measures: FloatArray | None = None
    problem: ImageError | None = None


def read_together(
    paths: Sequence[Path],
    extractors: Sequence[FeatureExtractor],
    contracts: Sequence[Preprocessing],
    bit_depth: int = 16,
    pixels: PixelCache | None = None,
    description: str = "Reading photographs",
    measured: Measured | None = None,
) -> Together:
    """Fill the caches: features of every extractor, and pixels of every contract, decoding each photograph once.

    A photograph of which nothing is missing is not decoded; where nothing is wanted at all, it is decoded to see
    whether it can be. Nothing is raised for a photograph that cannot be read.

    Args:
        paths: the photographs.
        extractors: see `union_extractors`; all of this bit depth.
        contracts: sizes and filters that are kept as pixels, for detectors that learn from these.
        bit_depth: bits that 16-bit photographs really use.
        pixels: where pixels are kept; the usual cache when None.
        description: of the progress shown.
        measured: what is measured of each; nothing when None.
    """
    pixels = PixelCache() if pixels is None else pixels
    together = Together({}, {}, {}, 0, [None] * len(extractors))
    runs = [_Runs(extractor, len(paths)) for extractor in extractors]
    prepared = look_ahead(
        lambda path: _prepare(path, extractors, contracts, bit_depth, pixels, measured),
        paths,
        *(() if learning_device() is None else (DECODING, BATCH)),
    )
    for wanted in track(prepared, description, len(paths)):
        if wanted.problem is not None:
            together.problems[wanted.path] = wanted.problem
        else:
            together.digests[wanted.path] = wanted.digest
            together.contents[wanted.path] = wanted.content
            if wanted.measures is not None:
                together.measures[wanted.path] = wanted.measures
        together.decoded += wanted.decoded
        for position, planes in wanted.inputs.items():
            runs[position].add(wanted.digest, planes)
    for one in runs:
        one.end()
    together.seconds = [one.seconds for one in runs]
    return together


class _Runs:
    """What an extractor runs, photograph by photograph, or on a card in batches; and how long one takes."""

    def __init__(self, extractor: FeatureExtractor, photographs: int) -> None:
        self._extractor, self._alone = extractor, photographs == 1
        self._most = 1 if learning_device() is None else BATCH
        self._waiting: list[tuple[str, FloatArray]] = []
        self._spent, self._timed, self._begun = 0.0, 0, False

    def add(self, digest: str, planes: FloatArray) -> None:
        """Run the network on one more photograph, now or with the next ones."""
        self._waiting.append((digest, planes))
        if len(self._waiting) == self._most:
            self.end()

    def end(self) -> None:
        """Run what waits."""
        if not self._waiting:
            return
        started, count = time.perf_counter(), len(self._waiting)
        self._extractor.run_batch(self._waiting)
        if self._begun or self._alone:  # the first run compiles the network
            self._spent += time.perf_counter() - started
            self._timed += count
        self._begun, self._waiting = True, []

    @property
    def seconds(self) -> float | None:
        """Mean time of a photograph; None if the network never had to run."""
        return self._spent / max(self._timed, 1) if self._begun else None


def identities(extractor: FeatureExtractor) -> set[tuple[str, str, int, str]]:
    """What each feature map that an extractor gives depends on, but for the photograph."""
    backbone, contract = extractor.backbone, extractor.contract.key
    return {(backbone.name, backbone.tap_digest(tap), tap, contract) for tap in backbone.taps}


def union_extractors(extractors: Sequence[FeatureExtractor]) -> list[tuple[FeatureExtractor, list[int]]]:
    """Extractors that leave in the cache all that the given ones want, each network being run once.

    An extractor whose taps another one has too, of the same network behind the same preprocessing, is left out.

    Returns:
        Extractors to run, and for each the positions of the given ones that it serves.
    """
    serving: list[tuple[FeatureExtractor, list[int]]] = []
    by_taps = sorted(range(len(extractors)), key=lambda position: -len(extractors[position].backbone.taps))
    for position in by_taps:
        wanted = identities(extractors[position])
        for server, served in serving:
            if wanted <= identities(server):
                served.append(position)
                break
        else:
            serving.append((extractors[position], [position]))
    return serving


def _prepare(
    path: Path,
    extractors: Sequence[FeatureExtractor],
    contracts: Sequence[Preprocessing],
    bit_depth: int,
    pixels: PixelCache,
    measured: Measured | None,
) -> _Wanted:
    """Decode a photograph if anything of it is missing, keep its pixels, and make the networks' inputs."""
    wanted = _Wanted(path)
    try:
        content = read_content(path, DEFAULT_LIMITS.max_bytes)
        wanted.digest = digest_of(path, content)
        unread = [n for n, extractor in enumerate(extractors) if extractor.known(wanted.digest) is None]
        unkept = [contract for contract in contracts if pixels.get(wanted.digest, contract) is None]
        kept = pixels.content(wanted.digest, bit_depth)
        if measured is not None:
            wanted.measures = pixels.measures(wanted.digest, measured.key)
        unmeasured = measured is not None and wanted.measures is None
        wants_more = bool(unread or unkept or unmeasured)
        if not wants_more and kept is not None and (extractors or contracts):
            wanted.content = kept
            return wanted
        decoded = _Decoded(content, str(path), bit_depth)
        if kept is None:
            kept = pixels.put_content(wanted.digest, decoded.at(None), bit_depth)
        for contract in unkept:
            pixels.put(wanted.digest, decoded.at(enough_for(contract)), contract)
        looks: dict[str, Look] = {}
        wanted.inputs = _inputs(decoded, {n: extractors[n].contract for n in unread}, looks)
        if measured is not None and wanted.measures is None:
            wanted.measures = _measures(decoded, measured, looks)
            pixels.put_measures(wanted.digest, measured.key, wanted.measures)
    except ImageError as error:
        wanted.problem = error
        return wanted
    wanted.decoded, wanted.content = True, kept
    return wanted


class _Decoded:
    """A file's photograph, decoded once for each scale that is asked for; `size` is its width and height then."""

    def __init__(self, content: bytes, name: str, bit_depth: int) -> None:
        self._content, self._name, self._bit_depth = content, name, bit_depth
        self._pixels: dict[tuple[int, int] | None, ByteArray] = {}
        self.size = 0, 0

    def at(self, least: tuple[int, int] | None) -> ByteArray:
        """Its pixels, at least so many (see `decode_photograph`); all for None."""
        if least not in self._pixels:
            photograph = decode_photograph(self._content, self._name, bit_depth=self._bit_depth, least=least)
            self._pixels[least] = photograph.pixels
            self.size = photograph.width, photograph.height
        return self._pixels[least]


def _inputs(
    decoded: _Decoded, contracts: Mapping[int, Preprocessing], looks: dict[str, Look]
) -> dict[int, FloatArray]:
    """What networks are given of a photograph, by position, each picture being made once and put into `looks`."""
    return {
        position: standardise(_look(decoded, contract, looks).picture, contract)
        for position, contract in contracts.items()
    }


def _look(decoded: _Decoded, contract: Preprocessing, looks: dict[str, Look]) -> Look:
    key = contract.picture_key
    if key not in looks:
        looks[key] = look(decoded.at(enough_for(contract)), contract)
    return looks[key]


def _measures(decoded: _Decoded, measured: Measured, looks: dict[str, Look]) -> FloatArray:
    """Measures of a photograph as `blemish.line.runtime.Inspector.unlike` takes them."""
    if measured.whole:
        return measures_of(decoded.at(measured.least), None, *decoded.size)
    seen = _look(decoded, measured.contract, looks)
    return measures_of(seen.picture, seen.counted, *decoded.size)
