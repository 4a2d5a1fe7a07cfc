"""The gallery through its own doors: Qdrant embedded in a real folder, and over HTTP."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qdrant_client")
from qdrant_stand_in import qdrant_server

from blemish.core.errors import GalleryError
from blemish.core.types import FloatArray
from blemish.gallery.defect import Defect, Neighbour
from blemish.gallery.gallery import Gallery
from blemish.gallery.proposal import propose

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def defect(number: int, defect_type: str | None = None, **changes: object) -> Defect:
    values: dict[str, object] = {
        "category": "washer", "time": NOON + timedelta(hours=number), "inspector": "first", "inspection_id": number,
        "image_digest": f"{number:064x}", "name": f"{number}.png",
    }  # fmt: skip
    return Defect(defect_type=defect_type, **{**values, **changes})  # type: ignore[arg-type]


def unit(seed: int, size: int = 16) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


KEY = "a-secret-key"


@pytest.fixture(params=["folder", "server"])
def gallery(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gallery]:
    if request.param == "folder":
        with Gallery(tmp_path / "gallery") as opened:
            yield opened
        return
    monkeypatch.setenv("BLEMISH_QDRANT_KEY", KEY)
    with qdrant_server(KEY) as address, Gallery(address) as opened:
        yield opened


def test_equally_near_defects_come_in_one_order_however_they_were_added(tmp_path: Path) -> None:
    found = []
    for order in (range(12), reversed(range(12))):
        with Gallery(tmp_path / str(len(found))) as opened:
            for number in order:
                opened.add(unit(0), "space", defect(number))
            near = opened.similar(unit(0), "space", top=5)
            found.append([neighbour.defect.image_digest for neighbour in near])
    assert found[0] == found[1] and len(set(found[0])) == 5


def test_neighbours_are_those_of_a_plain_computation(gallery: Gallery) -> None:
    vectors = np.stack([unit(seed) for seed in range(40)])
    for number, vector in enumerate(vectors):
        gallery.add(vector, "space", defect(number))
    asked = unit(99)
    found = gallery.similar(asked, "space", top=7)
    distances = 1 - vectors @ asked
    assert [one.defect.inspection_id for one in found] == np.argsort(distances)[:7].tolist()
    assert [one.distance for one in found] == pytest.approx(np.sort(distances)[:7].tolist(), abs=1e-5)


def test_everything_known_of_a_defect_comes_back_after_opening_again(tmp_path: Path) -> None:
    kept = defect(3, "scratch", name="Teil 3 \U0001f529.png")
    with Gallery(tmp_path) as gallery:
        gallery.add(unit(3), "space", kept)
    with Gallery(tmp_path) as gallery:
        (found,) = gallery.similar(unit(3), "space")
    assert found.defect == kept
    assert found.distance == pytest.approx(0, abs=1e-6)


def test_a_type_that_was_taken_back_stays_so_after_opening_again(tmp_path: Path) -> None:
    with Gallery(tmp_path) as gallery:
        gallery.add(unit(3), "space", defect(3, "scratch"))
        gallery.set_defect_type(defect(3).image_digest, None)
    with Gallery(tmp_path) as gallery:
        (found,) = gallery.similar(unit(3), "space")
        assert found.defect == defect(3)
        assert gallery.groups()[0].defects == (defect(3),)


def test_filters_leave_out_what_is_not_wanted(gallery: Gallery) -> None:
    for number in range(12):
        kind, category = ("hole", "scratch", None)[number % 3], ("washer", "board")[number % 2]
        gallery.add(unit(number), "space", defect(number, kind, category=category))

    def numbers(**wanted: object) -> set[int | None]:
        return {one.defect.inspection_id for one in gallery.similar(unit(50), "space", 50, **wanted)}  # type: ignore[arg-type]

    assert numbers(category="board") == {1, 3, 5, 7, 9, 11}
    assert numbers(defect_type="hole") == {0, 3, 6, 9}
    assert numbers(since=NOON + timedelta(hours=10)) == {10, 11}
    assert numbers(exclude_digest=f"{4:064x}") == set(range(12)) - {4}
    assert numbers(category="board", defect_type="hole", since=NOON + timedelta(hours=5)) == {9}
    assert numbers(category="nothing") == set()


def test_adding_again_replaces_but_keeps_what_a_person_has_said(gallery: Gallery) -> None:
    first = gallery.add(unit(1), "space", defect(1))
    gallery.set_defect_type(defect(1).image_digest, "hole")
    assert gallery.add(unit(2), "space", defect(1)) == first
    assert gallery.count() == 1
    (found,) = gallery.similar(unit(2), "space")
    assert found.defect.defect_type == "hole"
    assert found.distance < 1e-5
    gallery.add(unit(2), "space", defect(1, inspector="second"))
    assert gallery.count() == 2


def test_types_and_removals_reach_every_space(gallery: Gallery) -> None:
    gallery.add(unit(1), "one", defect(1))
    gallery.add(unit(1, 20), "two", defect(1))
    gallery.set_defect_type(defect(1).image_digest, "stain")
    assert [found.defect.defect_type for found in gallery.similar(unit(1), "one")] == ["stain"]
    assert [found.defect.defect_type for found in gallery.similar(unit(1, 20), "two")] == ["stain"]
    gallery.set_defect_type(defect(1).image_digest, None)
    assert gallery.similar(unit(1), "one", defect_type="stain") == []
    gallery.remove(defect(1).image_digest)
    gallery.remove("unknown")
    assert gallery.count() == 0


def test_vectors_of_different_spaces_never_meet(gallery: Gallery) -> None:
    gallery.add(unit(1), "one", defect(1))
    assert gallery.similar(unit(1), "two") == []
    assert gallery.similar(unit(1, 20), "one") == []


def test_threads_share_a_gallery(gallery: Gallery) -> None:
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(worker * 10, worker * 10 + 10):
                gallery.add(unit(number), "space", defect(number))
                assert gallery.similar(unit(number), "space", 1)[0].defect.inspection_id == number
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert gallery.count() == 60


ADDING = """
import sys
import numpy as np
from datetime import UTC, datetime
from pathlib import Path
from blemish.gallery.defect import Defect
from blemish.gallery.gallery import Gallery
gallery = Gallery(Path(sys.argv[1]))
for number in range(100_000):
    vector = np.random.default_rng(number).normal(size=16).astype(np.float32)
    name = f"{sys.argv[2]}-{number}"
    gallery.add(vector, "space", Defect("washer", None, datetime.now(UTC), "first", name))
    print(name, flush=True)
"""


def test_nothing_that_was_added_is_lost_by_kill(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for turn, wanted in enumerate((1, 7, 40)):
        with subprocess.Popen(
            [sys.executable, "-c", ADDING, str(tmp_path / "g"), str(turn)], stdout=subprocess.PIPE, text=True
        ) as adding:
            assert adding.stdout is not None
            acknowledged += [adding.stdout.readline().strip() for _ in range(wanted)]
            adding.send_signal(signal.SIGKILL)
            acknowledged += adding.stdout.read().split()
        with Gallery(tmp_path / "g") as gallery:
            found = gallery.similar(unit(1), "space", 100_000)
        digests = [one.defect.image_digest for one in found]
        assert set(acknowledged) <= set(digests)
        assert len(set(digests)) == len(digests) <= len(acknowledged) + turn + 1


def test_a_folder_killed_while_it_was_made_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "meta.json").touch()
    with Gallery(tmp_path) as gallery:
        gallery.add(unit(1), "space", defect(1))
        assert gallery.count() == 1


@pytest.mark.parametrize("gallery", ["folder"], indirect=True)
def test_another_process_is_told_that_the_folder_is_in_use(tmp_path: Path, gallery: Gallery) -> None:
    code = (
        "import sys; from blemish.core.errors import GalleryError\n"
        "from blemish.gallery.gallery import Gallery\n"
        "try: Gallery(sys.argv[1])\nexcept GalleryError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "gallery")], capture_output=True, text=True, check=True
    )
    assert "in use by another process" in told.stdout
    assert told.stdout.count("\n") == 1
    assert told.stderr == ""


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    Gallery(tmp_path / "mine").close()
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


class _Harmful:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.proof),)


def test_a_folder_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.add(unit(1), "space", defect(1))
    (storage,) = (tmp_path / "g").rglob("*.sqlite")
    connection = sqlite3.connect(storage)
    connection.execute("INSERT INTO points VALUES ('x', ?)", (pickle.dumps(_Harmful(tmp_path / "proof")),))
    connection.commit()
    connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Qdrant's own, of the file it could not finish
        with pytest.raises(GalleryError, match="refused because it holds something else"):
            Gallery(tmp_path / "g")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"collections": 3, "aliases": {}}'])
def test_a_damaged_folder_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(GalleryError, match="cannot be used"):
        Gallery(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="cannot be used"):
        Gallery(tmp_path / "file")


def test_no_server_is_one_sentence_without_the_password() -> None:
    with pytest.raises(GalleryError, match=r"No Qdrant server answers at http://127\.0\.0\.1:9:") as raised:
        Gallery("http://someone:secret@127.0.0.1:9")
    assert "secret" not in str(raised.value)


def test_a_server_that_wants_a_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLEMISH_QDRANT_KEY", raising=False)
    with qdrant_server(KEY) as address, pytest.raises(GalleryError, match=r"403.*set BLEMISH_QDRANT_KEY"):
        Gallery(address)


def test_a_server_that_ends_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_QDRANT_KEY", KEY)
    with qdrant_server(KEY) as address:
        gallery = Gallery(address)
    with gallery, pytest.raises(GalleryError, match="No Qdrant server answers"):
        gallery.count()


def test_a_closed_gallery_says_so(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError, match="is closed"):
        gallery.count()


def test_nothing_heavy_is_loaded_and_nothing_printed(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, datetime\n"
        "from blemish.gallery.defect import Defect\nfrom blemish.gallery.embedding import AnomalyEmbedder\n"
        "from blemish.gallery.gallery import Gallery\n"
        "with Gallery(sys.argv[1]) as gallery:\n"
        "    now = datetime.datetime.now(datetime.UTC)\n"
        "    gallery.add(np.ones(4, np.float32), 's', Defect('c', None, now, 'i', 'd'))\n"
        "    gallery.similar(np.ones(4, np.float32), 's', since=now)\n"
        "assert not {'torch', 'fastembed', 'pandas', 'gradio', 'timm'} & set(sys.modules), sorted(sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, str(tmp_path / "g")], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def neighbour(defect_type: str | None, distance: float) -> Neighbour:
    return Neighbour(defect(0, defect_type), distance)


def test_near_neighbours_outvote_far_ones() -> None:
    proposal = propose([neighbour("hole", 0.1), neighbour("scratch", 0.5), neighbour("scratch", 0.5)])
    assert proposal.defect_type == "hole"
    assert proposal.confidence == pytest.approx(10 / 14)
    assert proposal.votes == {"hole": 1, "scratch": 2}


def test_neighbours_without_a_type_make_a_proposal_less_sure() -> None:
    proposal = propose([neighbour("hole", 0.2), neighbour(None, 0.2)])
    assert (proposal.defect_type, proposal.confidence) == ("hole", pytest.approx(0.5))


@pytest.mark.parametrize("neighbours", [[], [neighbour(None, 0.1)]])
def test_there_is_no_proposal_without_a_type(neighbours: list[Neighbour]) -> None:
    assert propose(neighbours).to_json() == {"defect_type": None, "confidence": 0.0, "votes": {}}


def test_the_same_defect_at_distance_zero_can_vote() -> None:
    assert propose([neighbour("hole", 0.0)]).confidence == 1.0
