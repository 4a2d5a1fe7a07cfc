"""A better inspector from corrections, replayed on the past before it takes over."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.records import Text
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.artifact import Artifact
    from blemish.line.correction import Correction, LinePhotograph
    from blemish.line.replay import Replay
    from blemish.making.learn_corrections import Learnt, SetAside
    from blemish.station.corrections import StationCorrections
    from blemish.station.shelf import InspectorShelf, InspectorVersion
    from blemish.workflows.station import Station

_MOST_BACK = 1000


class LearnRequest(Request):
    """Learn from corrections; or go back to the version that judged before."""

    inspector: Annotated[str, Argument("INSPECTOR")] = Field(
        description="Name of an inspector of the station, or a file NAME.blemish."
    )
    from_history: bool = Field(False, description="Learn from what people corrected at the station.")
    good: Path | None = Field(None, description="Folder of photographs of good parts that it rejects.")
    defective: Path | None = Field(
        None, description="Folder of photographs of defective parts, missed or not."
    )
    confirm: Annotated[tuple[str, ...], Option(metavar="ID", repeated=True)] = Field(
        (),
        description="The part of this inspection, or file of --good, is good although it is far from all good parts; "
        "repeat for more.",
    )
    activate_anyway: bool = Field(False, description="Let it judge even if an earlier correction gets worse.")
    keep_only: bool = Field(
        False, description="Put the new version on the shelf; the active one goes on judging."
    )
    roll_back: bool = Field(False, description="Let the version judge that judged before; learn nothing.")
    passes: int = Field(
        300, ge=0, le=10_000, description="Latest photographs that passed, for the calibration, at most."
    )
    recent: int = Field(
        200, ge=0, le=10_000, description="Latest photographs kept that it is replayed on, at most."
    )
    out: Path | None = Field(None, description="Of a file: write here, and leave INSPECTOR as it is.")
    home: StationHome = None
    database: HistoryUrl = None
    by: Text = Field("local", description="Who lets it learn, for the record.")


@dataclass(frozen=True)
class LearnResult(Outcome):
    """What an inspector has become.

    Attributes:
        inspector: its name.
        version_before, version_after: at a station; of a file both are None.
        activated: whether the new one judges from now on, or the file was written.
        rolled_back: whether nothing was learnt, and the version before judges again.
        good, patches: photographs found good that entered the memory bank, and how many patches of them.
        calibrated: good photographs of the line that the calibration rests on besides.
        defects: known defects that it remembers.
        head_found: share of them whose score the head raises, each as if unseen; None where there is none, and
            `no_head` says why.
        set_aside: corrections that were not learnt from, and `waiting`, those of them that ask a second person.
        replay: what it would have said of the past; None after a roll-back.
        out: the file that was written, of a file.
    """

    inspector: str
    version_before: int | None = None
    version_after: int | None = None
    activated: bool = False
    rolled_back: bool = False
    good: int = 0
    patches: int = 0
    calibrated: int = 0
    defects: int = 0
    head_found: float | None = None
    no_head: str = ""
    set_aside: tuple[SetAside, ...] = ()
    replay: Replay | None = None
    out: Path | None = None

    @property
    def waiting(self) -> tuple[SetAside, ...]:
        """Corrections that ask a second person."""
        return tuple(one for one in self.set_aside if one.asks_second)

    @property
    def complete(self) -> bool:
        """Whether it judges from now on, or that was not asked for."""
        return self.activated or self.rolled_back or self.replay is None or self.replay.safe

    def sentences(self) -> list[str]:
        """What was done, in words."""
        if self.rolled_back:
            return [f"Version {self.version_after} judges again, as before version {self.version_before}."]
        said = [
            f"{self.good} good parts brought {self.patches} patches into the memory bank; {self.calibrated} good parts "
            f"of the line are new in the calibration; {self.defects} known defects are remembered."
        ]
        if self.head_found is not None:
            said.append(
                f"A head beside the bank raises the score of {self.head_found:.0%} of them, each as if unseen, and of "
                "a tenth of good parts."
            )
        elif self.no_head:
            said.append(self.no_head)
        if self.waiting:
            said.append(f"{len(self.waiting)} corrections wait for a second person.")
        said += self.replay.sentences() if self.replay else []
        if self.version_after is not None:
            judges = "judges from now on" if self.activated else "is on the shelf, and does not judge"
            said.append(f"Version {self.version_after} {judges}.")
        return said

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return vars(self) | {
            "set_aside": [one.to_json() for one in self.set_aside],
            "waiting": [one.to_json() for one in self.waiting],
            "replay": self.replay and self.replay.to_json(),
            "out": self.out and str(self.out),
            "sentences": self.sentences(),
        }


def learn(request: LearnRequest) -> LearnResult:
    """Make a version that has learnt from corrections, replay it on the past, and let it judge if nothing gets worse.

    Raises:
        NotFoundError: the station has no such inspector, or none of its versions judged before.
        UsageError: what is asked for does not go together, there is nothing to learn from, or the detector cannot.
        ConflictError: another version became active meanwhile.
        BlemishError: a file cannot be read or written, or the changed network is not what was computed beside it.
    """
    file = Path(request.inspector)
    if file.suffix == ".blemish" or file.is_file():
        return _of_file(request, file)
    from blemish.workflows.station import opened_station

    if request.out is not None:
        raise UsageError("--out is of a file: a station keeps every version on its shelf.")
    with opened_station(request.home, request.database) as station:
        if request.roll_back:
            return _rolled_back(request, station.shelf)
        return _at_station(request, station)


def _rolled_back(request: LearnRequest, shelf: InspectorShelf) -> LearnResult:
    before = shelf.active(request.inspector)
    after = shelf.roll_back(request.inspector, request.by)
    return LearnResult(request.inspector, before.version, after.version, rolled_back=True)


def _at_station(request: LearnRequest, station: Station) -> LearnResult:
    """Learn at a station: the new version stands on its shelf."""
    from blemish.line.artifact import read_artifact, write_artifact
    from blemish.line.runtime import Inspector
    from blemish.making.learn_corrections import learn_corrections
    from blemish.station.audit import Action, Change
    from blemish.station.corrections import StationCorrections
    from blemish.station.home import Home

    active = station.shelf.active(request.inspector)
    log = StationCorrections(station.database, Home(request.home), active.name)
    if request.from_history:
        for number in request.confirm:
            log.confirm(_number(number), request.by)
    said = [*(log.all() if request.from_history else ()), *_of_folders(request)]
    base = _base(station.shelf, active, said)
    artifact = read_artifact(base.path, digest=base.digest)
    passes, recent = _beside(request, station, log, active)
    learnt = learn_corrections(_decided_as(artifact, active), said, passes, by=request.by)
    with tempfile.TemporaryDirectory(dir=active.path.parent, prefix=".learn-") as folder:
        path = Path(folder) / f"{active.name}.blemish"
        write_artifact(path, learnt.manifest, learnt.members)
        judged = _replayed(Inspector.load(active.path, digest=active.digest), path, said, recent)
        takes_over = not request.keep_only and (judged.safe or request.activate_anyway)
        change = Change(
            action=Action.LEARN,
            by=request.by,
            version_before=active.version,
            detail=_detail(learnt, judged, takes_over, request.activate_anyway),
        )
        if takes_over:
            version = station.shelf.supersede(path, active.name, change)
        else:
            version = station.shelf.add(path, active.name, change=change)
    result = _result(active.name, learnt, judged, takes_over)
    return dataclasses.replace(result, version_before=active.version, version_after=version.version)


def _of_file(request: LearnRequest, file: Path) -> LearnResult:
    """Learn from folders alone; the file is replaced where nothing gets worse."""
    from blemish.line.artifact import read_artifact, write_artifact
    from blemish.line.inspector_title import kept_version
    from blemish.line.runtime import Inspector
    from blemish.making.learn_corrections import learn_corrections

    if request.from_history or request.roll_back or request.keep_only:
        raise UsageError(f"{file} is a file: name an inspector of the station for its history and versions.")
    if request.out is None and (kept := kept_version(file)):
        raise UsageError(
            f"{file} is version {kept[1]} of {kept[0]} at a station, whose files never change: let it learn there, or "
            "write another file with --out."
        )
    said = _of_folders(request)
    artifact = read_artifact(file)
    learnt = learn_corrections(artifact, said, by=request.by)
    out = request.out or file
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".learn-") as folder:
        path = Path(folder) / out.name
        write_artifact(path, learnt.manifest, learnt.members)
        judged = _replayed(Inspector(artifact), path, said, ())
        written = request.out is not None or judged.safe or request.activate_anyway
        if written:
            path.replace(out)
    result = _result(artifact.manifest.name, learnt, judged, written)
    return dataclasses.replace(result, out=out if written else None)


def _of_folders(request: LearnRequest) -> list[Correction]:
    """Corrections of photographs in folders, each file once.

    Raises:
        UsageError: nothing is asked for, or a folder holds no photograph.
    """
    from blemish.core.storage import file_digest
    from blemish.line.correction import Correction, LinePhotograph
    from blemish.line.photographs import find_photographs

    if not request.from_history and request.good is None and request.defective is None:
        raise UsageError("Nothing to learn from is named: give --from-history, --good or --defective.")
    found: dict[str, Correction] = {}
    for folder, good in ((request.good, True), (request.defective, False)):
        if folder is None:
            continue
        paths = [one.path for one in find_photographs([folder]) if one.error is None]
        if not paths:
            raise UsageError(f"{folder} holds no photograph: name a folder with photographs of parts.")
        for path in paths:
            digest = file_digest(path)
            if digest in found and found[digest].good != good:
                raise UsageError(
                    f"{path} is among the good and the defective parts: leave it in one of the folders."
                )
            photograph = LinePhotograph(path.name, digest, path.read_bytes)
            found[digest] = Correction(photograph, good, request.by, path.name in request.confirm)
    return list(found.values())


def _base(shelf: InspectorShelf, active: InspectorVersion, said: Sequence[Correction]) -> InspectorVersion:
    """The version that is learnt from: the active one, or, where people have changed their minds about what it has
    learnt, the nearest one before it that has not learnt that.

    Raises:
        NotFoundError: that one is on the shelf no longer.
    """
    from blemish.line.artifact import read_manifest

    by_digest = {one.digest: one for one in shelf.versions(active.name)}
    found = active
    for _ in range(_MOST_BACK):
        record = read_manifest(found.path).corrections
        if record is None or not any(record.contradicts(one) for one in said):
            return found
        if record.parent not in by_digest:
            break
        found = by_digest[record.parent]
    raise NotFoundError(
        f"{active.title} has learnt the opposite of what people say now, and no version from before is on the shelf: "
        "fit it anew."
    )


def _decided_as(artifact: Artifact, active: InspectorVersion) -> Artifact:
    """What is learnt from, with the decision that is in effect now."""
    from blemish.line.artifact import read_manifest

    decisions = read_manifest(active.path).decisions
    return dataclasses.replace(
        artifact, manifest=artifact.manifest.model_copy(update={"decisions": decisions})
    )


def _beside(
    request: LearnRequest, station: Station, log: StationCorrections, active: InspectorVersion
) -> tuple[list[Correction], list[LinePhotograph]]:
    """Parts that passed, and the latest photographs."""
    if not request.from_history:
        return [], []
    versions = [one.version for one in station.shelf.versions(active.name)]
    return log.passes(versions, request.passes), log.recent(request.recent)


def _replayed(
    before: Any, after: Path, said: Sequence[Correction], recent: Sequence[LinePhotograph]
) -> Replay:
    from blemish.line.replay import replay
    from blemish.line.runtime import Inspector

    return replay(before, Inspector.load(after), said, recent)


def _result(name: str, learnt: Learnt, judged: Replay, takes_over: bool) -> LearnResult:
    return LearnResult(
        name,
        activated=takes_over,
        good=learnt.good,
        patches=learnt.patches,
        calibrated=learnt.calibrated,
        defects=learnt.defects,
        head_found=None if learnt.head is None else learnt.head.found,
        no_head=learnt.no_head,
        set_aside=learnt.set_aside,
        replay=judged,
    )


def _detail(learnt: Learnt, judged: Replay, takes_over: bool, anyway: bool) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "good": learnt.good,
        "calibrated": learnt.calibrated,
        "defects": learnt.defects,
        "waiting": [one.id for one in learnt.waiting],
        "worse": [one.id for one in judged.worse],
        "better": judged.n_better,
        "activated": takes_over,
        "by_a_persons_word": takes_over and anyway and not judged.safe,
    }


def _number(said: str) -> int:
    """Number of an inspection.

    Raises:
        UsageError: it is none.
    """
    if not said.isdecimal() or len(said) > 18:
        raise UsageError(f"--confirm {said[:40]!a} is no number of an inspection: give one, as --confirm 42.")
    return int(said)
