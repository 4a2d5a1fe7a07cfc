"""What decides, and how it is changed: a policy becomes a new version on the shelf, which judges at once."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from blemish.core.conformal import Calibration
from blemish.core.errors import BlemishError, ConflictError
from blemish.line.artifact import read_artifact, write_artifact
from blemish.line.decision import Decision
from blemish.line.manifest import Manifest
from blemish.line.pixel_policy import SAME_REGIONS, PixelPolicy, decided_whole
from blemish.line.policy import Policy
from blemish.line.region_statistics import region_statistics
from blemish.line.runtime import Inspector
from blemish.server.defects_of_jobs import defects_of
from blemish.server.jobs import Jobs
from blemish.station.audit import Action, Change
from blemish.station.database import Database
from blemish.station.decision_history import CorrectedScores, DecisionHistory
from blemish.station.decision_preview import Previewed, Seen, known_scores, previewed, seen, seen_at
from blemish.station.inspectors import Inspectors
from blemish.station.scoring import scored_alike
from blemish.station.shelf import InspectorShelf, InspectorVersion

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of good parts rejected that are looked at, besides the smallest that the calibration can promise."""

_MOST_REMEMBERED = 16


@dataclass(frozen=True)
class DecisionState:
    """The decision of an inspector, and what it could be.

    Attributes:
        version: the one that judges.
        manifest, calibration: its own.
        corrected: scores of photographs that people have corrected, by versions that score alike.
        in_effect: what the threshold in effect means.
        table: what others would mean, by their rates.
    """

    version: InspectorVersion
    manifest: Manifest
    calibration: Calibration
    corrected: CorrectedScores
    in_effect: Seen
    table: tuple[Seen, ...]


class _Known(NamedTuple):
    """What a version says of itself, and the highest map values of good parts, where it has them."""

    manifest: Manifest
    calibration: Calibration
    maxima: Calibration | None


class Decisions:
    """The decisions of the inspectors on a shelf; may be used by many threads.

    Args:
        database: the history.
        shelf: where versions are.
        inspectors: which of them judge.
        jobs: that have scored known defects.
    """

    def __init__(self, database: Database, shelf: InspectorShelf, inspectors: Inspectors, jobs: Jobs) -> None:
        self._database, self._shelf, self._inspectors, self._jobs = database, shelf, inspectors, jobs
        self._remembered: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def state(self, name: str) -> DecisionState:
        """What decides now.

        Raises:
            NotFoundError: there is no such inspector.
            ArtifactError: its file is damaged.
        """
        version = self._shelf.active(name)
        manifest, calibration, _ = self._read(version)
        corrected = self._history(version).corrected()
        rates = sorted({*RATES, calibration.smallest_rate})
        return DecisionState(
            version,
            manifest,
            calibration,
            corrected,
            seen(manifest.decision.threshold, None, calibration, corrected),
            tuple(seen_at(rate, calibration, corrected) for rate in rates),
        )

    def change(
        self,
        name: str,
        policy: Policy,
        by: str,
        note: str | None = None,
        expected_version: int | None = None,
        regions: PixelPolicy = SAME_REGIONS,
        defects_of_job: str | None = None,
    ) -> DecisionState:
        """Make a version that decides by a policy, and let it judge from now on.

        Args:
            name: of the inspector.
            policy: what is asked for, or that the last decision is to be undone.
            by, note: who, and why.
            expected_version: the one that is to be active still; whichever is when None.
            regions: what is asked of them.
            defects_of_job: a job whose known defects count besides those that people found.

        Raises:
            NotFoundError: there is no such inspector or job.
            ConflictError: another version is active than the one expected, or than the job scored by; nothing is
                changed then.
            UsageError: the policy is not possible.
            ArtifactError: the file of the active version is damaged.
        """
        active = self._shelf.active(name)
        if expected_version not in (None, active.version):
            raise ConflictError(
                f"{name} was changed meanwhile (version {active.version} is active now, not version "
                f"{expected_version}): look at it again."
            )
        artifact = read_artifact(active.path, digest=active.digest)
        before = artifact.manifest.decision
        corrected = self._corrected(active, artifact.manifest, defects_of_job)
        defects = known_scores(corrected)
        statistics = region_statistics(artifact) if regions.asked else None
        maxima = None if statistics is None else statistics.calibration
        manifest, calibration = artifact.manifest, artifact.calibration()
        changed = decided_whole(manifest, calibration, policy, regions, maxima, defects, by=by, note=note)
        change = Change(
            action=Action.UNDO_DECISION if policy.undo else Action.DECIDE,
            by=by,
            inspector=name,
            version_before=active.version,
            detail={
                "policy": policy.model_dump(mode="json", exclude_defaults=True)
                | regions.model_dump(mode="json", exclude_defaults=True)
                | ({} if defects_of_job is None else {"defects_of_job": defects_of_job}),
                "before": before.model_dump(mode="json", exclude_none=True),
                "after": changed.decision.model_dump(mode="json", exclude_none=True),
            },
        )
        with tempfile.TemporaryDirectory(dir=active.path.parent, prefix=".decided-") as folder:
            path = Path(folder) / f"{name}.blemish"
            write_artifact(path, changed, artifact.members)
            self._inspectors.supersede(path, change)
        return self.state(name)

    def preview(
        self,
        name: str,
        policy: Policy,
        last: int,
        regions: PixelPolicy = SAME_REGIONS,
        defects_of_job: str | None = None,
    ) -> Previewed:
        """The decision that a policy would become, and what it would have made of past inspections; the one in effect
        where nothing is asked for.

        Raises:
            NotFoundError: there is no such inspector.
            UsageError: the policy or the number of inspections is not possible.
            ArtifactError: the inspector's file is damaged.
        """
        version = self._shelf.active(name)
        known = self._read(version)
        history = self._history(version)
        corrected = self._corrected(version, known.manifest, defects_of_job)
        asked = policy, regions, last

        def decided_by(number: int) -> Decision | None:
            with suppress(BlemishError):
                return self._read(self._shelf.get(name, number)).manifest.decision
            return None

        return previewed(history, *known, corrected, *asked, decided_by)

    def considered(
        self,
        name: str,
        policy: Policy,
        regions: PixelPolicy = SAME_REGIONS,
        defects_of_job: str | None = None,
    ) -> tuple[InspectorVersion, Callable[[Inspector], Inspector]]:
        """The version that judges, and what gives its inspector the decision that a policy would become.

        Raises:
            NotFoundError: there is no such inspector or job.
            ConflictError: another version than the one that the job scored by judges.
            ArtifactError: the inspector's file is damaged.
        """
        version = self._shelf.active(name)
        if not (policy.asked or regions.asked):
            return version, lambda inspector: inspector
        scores = known_scores(self._corrected(version, self._read(version).manifest, defects_of_job))
        asked = policy.model_dump(exclude_defaults=True) | regions.model_dump(exclude_defaults=True)
        return version, lambda inspector: inspector.decide(defect_scores=scores, **asked)

    def manifest(self, name: str, version: int | None = None) -> tuple[InspectorVersion, Manifest]:
        """A version of an inspector, and what it says of itself; the active one if `version` is None.

        Raises:
            NotFoundError: there is no such inspector or version.
            ArtifactError: its file is damaged.
        """
        found = self._shelf.active(name) if version is None else self._shelf.get(name, version)
        return found, self._read(found).manifest

    def _corrected(
        self, version: InspectorVersion, manifest: Manifest, defects_of_job: str | None
    ) -> CorrectedScores:
        """What people have corrected, and known defects that a job has scored."""
        corrected = self._history(version).corrected()
        if defects_of_job is None:
            return corrected
        found = defects_of(self._jobs.get(defects_of_job), version.name, manifest)
        return corrected.with_defects(found.scores, found.digests)

    def _history(self, version: InspectorVersion) -> DecisionHistory:
        alike = scored_alike(self._database, self._shelf, version)
        return DecisionHistory(self._database, version.name, alike)

    def _read(self, version: InspectorVersion) -> _Known:
        """What a version says of itself, remembered, as a slider asks many times."""
        with self._lock:
            if found := self._remembered.get(version.digest):
                self._remembered.move_to_end(version.digest)
                return found
        artifact = read_artifact(version.path, digest=version.digest)
        statistics = region_statistics(artifact)
        maxima = None if statistics is None else statistics.calibration
        found = _Known(artifact.manifest, artifact.calibration(), maxima)
        with self._lock:
            self._remembered[version.digest] = found
            while len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return found
