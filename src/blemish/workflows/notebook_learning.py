"""What a notebook asks where an inspector is to learn from corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blemish.workflows.learn import LearnResult


def learn(
    inspector: Path | str,
    good: Path | str | None = None,
    defective: Path | str | None = None,
    *,
    from_history: bool = False,
    confirm: Sequence[int | str] = (),
    activate_anyway: bool = False,
    keep_only: bool = False,
    roll_back: bool = False,
    passes: int = 300,
    recent: int = 200,
    out: Path | str | None = None,
    home: Path | str | None = None,
    database: str | None = None,
    by: str = "local",
) -> LearnResult:
    """Make a version that has learnt from corrections, replay it on the past, and let it judge if nothing gets worse.

    `learn("screw", from_history=True, home="/var/lib/blemish")` at a station; of a file and folders
    `learn("screw.blemish", "rejected/good", "missed/", out="screw-2.blemish")`.

    Args:
        inspector: name of one at the station, or a file.
        good: folder of photographs of good parts, judged wrongly or not.
        defective: likewise of defective parts.
        from_history: learn from what people corrected at the station.
        confirm: numbers of inspections, or names of files in `good`, that are good although far from all good parts.
        activate_anyway: let it judge even if an earlier correction gets worse.
        keep_only: put it on the shelf alone; the active version goes on judging.
        roll_back: let the version judge that judged before; nothing is learnt.
        passes: latest photographs that passed, for the calibration, at most.
        recent: latest photographs kept that it is replayed on, at most.
        out: of a file, where to write; `inspector` itself where None, if nothing gets worse.
        home: folder of the station; `BLEMISH_HOME` where None.
        database: URL of its history, if that is not in the home.
        by: who lets it learn, for the record.

    Returns:
        What was learnt: `version_after`, `activated`, `waiting`, and `replay` with all verdicts that turn.

    Raises:
        NotFoundError: the station has no such inspector, or none of its versions judged before.
        UsageError: what is asked for does not go together, there is nothing to learn from, or the detector cannot.
        BlemishError: a file cannot be read or written.
    """
    from blemish.workflows.learn import LearnRequest
    from blemish.workflows.learn import learn as learnt

    request = LearnRequest(
        inspector=str(inspector),
        good=None if good is None else Path(good),
        defective=None if defective is None else Path(defective),
        from_history=from_history,
        confirm=tuple(str(one) for one in confirm),
        activate_anyway=activate_anyway,
        keep_only=keep_only,
        roll_back=roll_back,
        passes=passes,
        recent=recent,
        out=None if out is None else Path(out),
        home=None if home is None else Path(home),
        database=database,
        by=by,
    )
    return learnt(request)
