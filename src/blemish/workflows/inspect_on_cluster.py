"""`inspect` over the machines of a Ray cluster: the same results, as Parquet. Imports only what runs on the line."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from blemish.cluster.object_store import ObjectStore, address_of, is_stored
from blemish.cluster.session import cluster
from blemish.cluster.workers import spread
from blemish.core.errors import BlemishError, UsageError
from blemish.core.execution import AUTO
from blemish.core.explanation import STOPPED
from blemish.core.images import DEFAULT_LIMITS
from blemish.core.network import limit_threads
from blemish.core.progress import say, task
from blemish.core.storage import write_text
from blemish.line.inspection import Inspection
from blemish.line.journal import State, state_of
from blemish.line.parquet_results import FOLDER, ParquetResults
from blemish.line.photographs import Photograph, find_photographs, placed
from blemish.line.precision_choice import choice_in_words
from blemish.line.results import FAILED, Result
from blemish.line.runtime import Inspector
from blemish.view.shapes import require_no_shape
from blemish.workflows.inspect import (
    InspectRequest,
    Save,
    has_explanation,
    has_overlay,
    judge_of,
    judged,
    reading_names,
)
from blemish.workflows.request import Outcome

_LARGEST_CHUNK = 32
"""Photographs that a worker is given at a time: about a second of work, which is what a dead one costs."""

_CHUNKS_A_WORKER = 8
"""As few of them as leave so many chunks to each worker, so that all end at about the same time."""

Judged = tuple[str, State | None, dict[str, Any]]
"""Of a photograph the address, the state it was judged in, and the result, JSON-ready."""


@dataclass(frozen=True)
class ClusterInspectResult(Outcome):
    """What came of all photographs; the results themselves lie in Parquet files.

    Attributes:
        counts: photographs by verdict, or by the kind of error where there is none.
        earlier: of them by an earlier run.
        total: photographs and others that there were.
        folder: of the Parquet files.
        stopped: whether Ctrl-C ended the work before all were judged.
    """

    counts: dict[str, int]
    earlier: int
    total: int
    folder: Path
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether every photograph was judged and passed."""
        return not self.stopped and self.counts.get("pass", 0) == self.total

    @property
    def exit_status(self) -> int:
        """As of every workflow; 130 where Ctrl-C ended it."""
        return STOPPED if self.stopped else super().exit_status

    def to_json(self) -> dict[str, Any]:
        """The counts, and where the results are."""
        return {
            "photographs": self.total,
            "counts": dict(sorted(self.counts.items())),
            "earlier": self.earlier,
            "results": str(self.folder),
            "stopped": self.stopped,
        }


def inspect_on_cluster(request: InspectRequest) -> ClusterInspectResult:
    """Judge photographs on the workers of a cluster; each ends up in the results once, whatever dies meanwhile.

    Files must lie under the same path on every machine, and `out` too unless no overlays are written.

    Raises:
        UsageError: there is no `out`, it is one of the folders to inspect, or `file_name` is no template.
        ArtifactError: the inspector cannot be used.
        MissingExtraError: the extra [scale] is not installed.
        BlemishError: the cluster cannot be joined, its machines do not share `out`, or nothing can be written there.
    """
    if (out := request.out) is None:
        raise UsageError("--executor ray writes Parquet files: name a folder for them with --out.")
    require_no_shape(request.ignore)
    reading_names(request.file_name)
    store = ObjectStore.of_environment()
    photographs, states = _found(request, store)
    inspector = Inspector.load(request.inspector, device=request.device, precision=request.precision)
    if request.precision == AUTO:
        say(choice_in_words(inspector.name, inspector.manifest.precisions, request.device))
    # One precision for all machines: that which is kept for the processor of this one.
    request = request.model_copy(update={"precision": inspector.execution.precision})
    results = _results(inspector, request)
    counts: Counter[str] = Counter()
    open_ones = _open_ones(request, photographs, states, results, counts)
    earlier = counts.total()
    stopped = False
    try:
        with (
            cluster(request.address, request.workers) as ray,
            _token(request) as token,
            task(f"Inspecting with {inspector.name}", len(open_ones)) as advance,
        ):
            judge = Judge(request, request.inspector.read_bytes(), store, token, Path.cwd())
            for address, state, result in _judgements(ray, judge, open_ones, states, request.workers):
                results.add(address, state, result)
                counts[_kind(result)] += 1
                advance(1)
    except KeyboardInterrupt:
        stopped = True
    finally:
        results.flush()
    return ClusterInspectResult(dict(counts), earlier, len(photographs), out / FOLDER, stopped)


@dataclass
class Judge:
    """What a worker does: the inspector, loaded once, and the photographs that it is given.

    Attributes:
        request: as of the verb.
        inspector: the bytes of the artifact, so that it need not lie on every machine.
        store: where photographs with an address lie.
        token: a file in the folder for overlays, by which a worker knows it; None where none are written.
        folder: from which relative paths are meant.
    """

    request: InspectRequest
    inspector: bytes
    store: ObjectStore
    token: Path | None
    folder: Path
    _loaded: Inspector | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Load the inspector.

        Raises:
            BlemishError: it cannot be used here, or the folder for overlays is not shared.
        """
        import cv2

        self._go_to_folder()
        if self.token is not None and not self.token.is_file():
            raise BlemishError(
                f"The machine {socket.gethostname()} does not see the folder {self.request.out}: name one with "
                "--out that all machines share, or write no overlays with --save none."
            )
        limit_threads(1)  # a worker has one processor
        cv2.setNumThreads(1)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, self.request.inspector.name)
            file.write_bytes(self.inspector)
            self._loaded = Inspector.load(
                file, threads=1, device=self.request.device, precision=self.request.precision
            )
        self.inspector = b""

    def _go_to_folder(self) -> None:
        """Let relative paths mean what they mean where the verb was called."""
        try:
            os.chdir(self.folder)
        except OSError as error:
            if not all(path.is_absolute() or is_stored(path) for path in self.request.paths):
                raise BlemishError(
                    f"The machine {socket.gethostname()} has no folder {self.folder}: name photographs by "
                    "absolute paths that all machines share."
                ) from error

    def answer(self, items: Sequence[Photograph]) -> list[Judged]:
        """The photographs judged, one after another; an error becomes a result too."""
        return [self._judged(one) for one in items]

    def _judged(self, photograph: Photograph) -> Judged:
        assert self._loaded is not None
        named = reading_names(self.request.file_name)
        if not is_stored(photograph.path):
            state = state_of(photograph.path)
            result = judged(self._loaded, photograph, self.request).of_part(named(photograph.path))
            return str(photograph.path.absolute()), state, result.to_json()
        address = address_of(photograph.path)
        look = partial(self._look, self._loaded)
        result = judged(self._loaded, photograph, self.request, look).of_part(named(photograph.path))
        return address, None, result.to_json() | {"path": address}

    def _look(self, inspector: Inspector, path: Path) -> Inspection:
        address = address_of(path)
        content = self.store.read(address, DEFAULT_LIMITS.max_bytes)
        return inspector.inspect_photograph(inspector.open_photograph(content, address), address)


def _judgements(
    ray: Any,
    judge: Judge,
    photographs: Sequence[Photograph],
    states: dict[str, State | None],
    workers: int | None,
) -> Iterator[Judged]:
    """Of each photograph one judgement, as they come; of one that no worker survives, an error."""
    room = workers or int(ray.cluster_resources().get("CPU", 1))
    chunk = max(1, min(_LARGEST_CHUNK, len(photographs) // (_CHUNKS_A_WORKER * room)))
    for done in spread(ray, judge, photographs, chunk, workers):
        if done.answers is not None:
            yield from ((name, state or states.get(name), found) for name, state, found in done.answers)
            continue
        path = done.items[0].path
        name = _key(path)
        sentence = (
            f"{name if is_stored(path) else path}: every worker that took it ended: inspect it by itself."
        )
        found = Result(path, error=sentence, kind=FAILED).to_json()
        yield name, None, found | ({"path": name} if is_stored(path) else {})


@contextmanager
def _token(request: InspectRequest) -> Iterator[Path | None]:
    """A file in the folder for overlays by which a worker knows it; None where none are to be written."""
    if request.out is None or (request.save == Save.NONE and not request.explain):
        yield None
        return
    token = (request.out / f".shared-{secrets.token_hex(8)}").absolute()
    write_text(token, "")
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


def _found(request: InspectRequest, store: ObjectStore) -> tuple[list[Photograph], dict[str, State | None]]:
    """The photographs, and the states of those that lie in a store."""
    files = [path for path in request.paths if not is_stored(path)]
    found = find_photographs(files, request.out, request.ignore) if files else []
    states: dict[str, State | None] = {}
    stored = []
    for path in request.paths:
        if is_stored(path):
            prefix = address_of(path)
            for one in store.objects(prefix):
                states[one.address] = [one.size, one.changed, 0]
                key = one.address.removeprefix("s3://").partition("/")[2]
                stored.append(Photograph(Path(one.address), Path(key)))
    return found + (placed(stored, request.out) if request.out else stored), states


def _key(path: Path) -> str:
    """What a photograph is known by from run to run."""
    return address_of(path) if is_stored(path) else str(path.absolute())


def _results(inspector: Inspector, request: InspectRequest) -> ParquetResults:
    """Where results go; says what becomes of those that lay there."""
    assert request.out is not None
    judge = judge_of(inspector) | {"file_name": request.file_name}
    results = ParquetResults(request.out, judge, request.resume)
    if request.resume and results.earlier is None:
        say(f"The results in {request.out} are of another inspector, template or Blemish: judging all anew.")
    elif request.resume and not results.earlier:
        say(f"There are no results in {request.out} to go on with: judging all.")
    return results


def _open_ones(
    request: InspectRequest,
    photographs: Sequence[Photograph],
    states: dict[str, State | None],
    results: ParquetResults,
    counts: Counter[str],
) -> list[Photograph]:
    """The photographs that are still to be judged; what is known of the others is counted, all else taken out."""
    by_key = {_key(one.path): one for one in photographs}

    def is_kept(address: str, state: State | None, result: dict[str, Any]) -> bool:
        photograph = by_key.get(address)
        if photograph is None or photograph.error or "error" in result or state is None:
            return False
        now = states[address] if address in states else state_of(photograph.path)
        has = has_overlay, has_explanation
        if state != now or not all(one(result, photograph, request) for one in has):
            return False
        del by_key[address]
        return True

    for result in results.keep(is_kept):
        counts[_kind(result)] += 1
    return list(by_key.values())


def _kind(result: dict[str, Any]) -> str:
    """What a result is counted as: its verdict, or the kind of its error."""
    return str(result.get("verdict") or result["kind"])
