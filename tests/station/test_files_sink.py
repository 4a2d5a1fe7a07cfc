"""Photographs in a folder for each verdict: repeated, crashed, with names that are taken or odd."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_makers import make_record, make_signal

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.signals.files import Files, place_of
from blemish.station.signals.opening import check_sinks
from blemish.station.signals.settings import FilesSink
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import SinkError
from blemish.station.sources.settings import FolderSource


def not_kept(digest: str, suffix: str | None) -> bytes:
    raise NotFoundError("It is not kept.")


def sink(folder: Path, **settings: object) -> Files:
    opened = Files(FilesSink(name="folders", folder=folder, **settings), not_kept)  # type: ignore[arg-type]
    opened.open()
    return opened


def photograph(folder: Path, name: str, content: bytes, number: int = 1, **changes: object) -> Signal:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    digest = sha256(content).hexdigest()
    return make_signal(number, folder / name, file_name=name, image_digest=digest, **changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_photographs_go_to_the_folder_of_their_verdict(tmp_path: Path) -> None:
    line, out = tmp_path / "line", tmp_path / "out"
    signals = [
        photograph(line, f"{number}.png", b"%d" % number, number, verdict=verdict)
        for number, verdict in enumerate(Verdict)
    ]
    sink(out).send(signals)
    expected = {"pass/0.png": b"0", "review/1.png": b"1", "reject/2.png": b"2", "not-judged/3.png": b"3"}
    assert contents(out) == expected and len(contents(line)) == 4
    mover = sink(out, action="move")
    mover.send(signals)
    assert contents(out) == expected and contents(line) == {}
    mover.send(signals)  # sent once more after a crash
    assert contents(out) == expected


def test_names_that_are_taken_get_a_number_and_new_photographs_under_an_old_name_stay(tmp_path: Path) -> None:
    line, out = tmp_path / "line", tmp_path / "out"
    mover = sink(out, action="move")
    first = photograph(line, "frame.png", b"first", 1, verdict=Verdict.PASS)
    mover.send([first])
    second = photograph(line, "frame.png", b"other", 2, verdict=Verdict.PASS)
    mover.send([second])
    third = photograph(line, "frame.png", b"third", 3, verdict=Verdict.PASS)
    mover.send([first, second])  # again, while a new photograph has the name at the line
    assert contents(line) == {"frame.png": b"third"}
    mover.send([third, third, second])
    assert contents(line) == {}
    expected = {"pass/frame.png": b"first", "pass/frame-2.png": b"other", "pass/frame-3.png": b"third"}
    assert contents(out) == expected


def test_a_photograph_that_is_nowhere_is_refused_for_good_and_one_that_is_kept_is_found(
    tmp_path: Path,
) -> None:
    gone = make_signal(1, tmp_path / "gone.png")
    here = photograph(tmp_path / "line", "here.png", b"here", 2)
    with pytest.raises(SinkError, match="not there any more") as refused:
        sink(tmp_path / "out").send([here, gone])
    assert refused.value.for_good and refused.value.arrived == 1
    kept = Files(FilesSink(name="folders", folder=tmp_path / "kept"), lambda digest, suffix: digest.encode())
    frame = make_signal(4, file_name="camera", image_suffix=".png", verdict=Verdict.PASS)
    kept.send([frame])
    assert contents(tmp_path / "kept") == {"pass/camera.png": frame.record.image_digest.encode()}


def test_a_folder_that_is_away_is_the_sinks_fault(tmp_path: Path) -> None:
    out = tmp_path / "out"
    opened = sink(out)
    out.rmdir()
    with pytest.raises(SinkError, match="mount it"):
        opened.check()
    out.write_bytes(b"a file in its place")
    one = photograph(tmp_path / "line", "part.png", b"part")
    with pytest.raises(SinkError) as error:
        opened.send([one])
    assert not error.value.for_good and error.value.arrived == 0
    with pytest.raises(SinkError, match="cannot be used"):
        sink(out)


def test_a_full_disk_leaves_the_photograph_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = photograph(tmp_path / "line", "part.png", b"part")
    opened = sink(tmp_path / "out", action="move")
    with monkeypatch.context() as full:

        def no_space(*args: object, **kwargs: object) -> tuple[int, str]:
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr(tempfile, "mkstemp", no_space)
        with pytest.raises(SinkError, match="disk is full") as error:
            opened.send([one])
    assert not error.value.for_good and contents(tmp_path / "line") == {"part.png": b"part"}
    opened.send([one])
    assert contents(tmp_path / "line") == {} and len(contents(tmp_path / "out")) == 1


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    """A folder on another file system than /tmp's."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system here")
    folder = Path(tempfile.mkdtemp(dir=shared))
    yield folder
    shutil.rmtree(folder)


def test_moving_to_another_file_system(tmp_path: Path, other_file_system: Path) -> None:
    one = photograph(tmp_path / "line", "part.png", b"part", verdict=Verdict.PASS)
    sink(other_file_system, action="move").send([one])
    assert contents(other_file_system) == {"pass/part.png": b"part"} and contents(tmp_path / "line") == {}


def killed_at(step: int, moves: Callable[[], None]) -> bool:
    """Whether a process that moves is killed at so many steps on the disk, or is done before."""
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def wrapped(*arguments: object, **more: object) -> object:
                if next(steps) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **more)

            return wrapped

        os.fsync, Path.replace, Path.unlink = map(counted, (os.fsync, Path.replace, Path.unlink))  # type: ignore
        moves()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_at_each_step_of_a_move_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    content = b"photograph" * 1000
    killed = 0
    for step in range(1, 8):
        line, out = tmp_path / f"line-{step}", tmp_path / f"out-{step}"
        moved = photograph(line, "part.png", content)
        killed += killed_at(step, partial(sink(out, action="move").send, [moved]))
        whole = [
            *contents(line).values(),
            *(found for name, found in contents(out).items() if ".part" not in name),
        ]
        assert whole and all(found == content for found in whole)
        sink(out, action="move").send([moved])
        assert contents(line) == {}
        assert [name for name in contents(out) if not name.endswith(".part")] == ["pass/part.png"]
        if killed < step:
            break  # all steps are done
    assert killed >= 4  # two syncs, the rename, the removal of the temporary name and of the photograph


@settings(max_examples=50)
@given(
    name=st.text(max_size=300),
    serial=st.text(min_size=1, max_size=80).filter(lambda text: text.strip() != ""),
    template=st.sampled_from(
        ["{file_name}", "{serial_number}/{date}/{verdict}-{stem}{suffix}", "a/{batch}/{digest}"]
    ),
)
def test_no_value_leads_out_of_the_folder(name: str, serial: str, template: str) -> None:
    record = make_record(7, file_name=name, serial_number=serial, batch=serial)
    place = place_of(record, template)
    assert len(place.parts) == template.count("/") + 1 and not place.is_absolute()
    for part in place.parts:
        assert (
            part not in ("", ".", "..") and "/" not in part and "\0" not in part and not part.startswith(".")
        )
        assert len(part.encode("utf-8", "surrogateescape")) <= 255


@pytest.mark.parametrize(
    "template",
    [
        "../{file_name}",
        "/{file_name}",
        "{stem.__class__}",
        "{nothing}",
        "{stem",
        "fixed.png",
        "a//{stem}",
        "{}",
    ],
)
def test_templates_that_cannot_be_meant(tmp_path: Path, template: str) -> None:
    with pytest.raises(UsageError):
        sink(tmp_path / "out", template=template)


def test_one_sink_may_not_move_away_what_another_needs(tmp_path: Path) -> None:
    make: Callable[..., FilesSink] = FilesSink
    copier = make(name="copier", folder=tmp_path / "a", verdicts=("pass",))
    mover = make(name="mover", folder=tmp_path / "b", action="move", verdicts=("reject", "review"))
    check_sinks([copier, mover])
    with pytest.raises(UsageError, match="mover moves photographs away that copier needs"):
        check_sinks([copier, mover.model_copy(update={"verdicts": None})])
    with pytest.raises(UsageError, match="the name copier"):
        check_sinks([copier, copier])


def test_no_photograph_comes_back_as_a_new_one(tmp_path: Path) -> None:
    line = tmp_path / "line"

    def check(folder: Path, template: str = "{verdict}/{file_name}", **source: object) -> None:
        watched = FolderSource(name="camera", path=line, **source)  # type: ignore[arg-type]
        check_sinks([FilesSink(name="sorted", folder=folder, template=template)], [watched])

    check(line / "sorted")
    check(tmp_path / "sorted", subfolders=True)
    check(line / "sorted", subfolders=True, ignore=("sorted/*",))
    check(line)
    for folder, template, subfolders in (
        (line, "{verdict}-{file_name}", False),
        (line / "a" / ".." / "sorted" / "deep", "{verdict}/{file_name}", True),
        (line, "{verdict}/{file_name}", True),
    ):
        with pytest.raises(UsageError, match="takes them for new ones"):
            check(folder, template, subfolders=subfolders)
