"""Downloads from a server of our own that breaks, lies and redirects; safe unpacking; ELPV's layout."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blemish.core.errors import BlemishError, DownloadError, UsageError
from blemish.core.progress import Advance, use_reporter
from blemish.data import downloads, mvtec_ad
from blemish.data.archives import extract_tar
from blemish.data.downloads import RemoteFile, download
from blemish.data.elpv import get_elpv, read_cells
from blemish.data.mvtec_ad import get_mvtec_ad

CONTENT = np.random.default_rng(0).bytes(900_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server on this machine serves and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)  # bytes after which each next answer breaks off
    etag: str | None = '"v1"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)  # answered before anything else
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    url: str = ""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            if server.statuses:
                self.send_error(server.statuses.pop(0))
            elif self.path in server.redirects:
                self.send_response(302)
                self.send_header("Location", server.redirects[self.path])
                self.end_headers()
            elif self.path not in server.files:
                self.send_error(404)
            else:
                self._send(server.files[self.path], wanted)

        def _send(self, body: bytes, wanted: str | None) -> None:
            start = 0
            if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))  # type: ignore[union-attr]
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - start))
            if server.etag:
                self.send_header("ETag", server.etag)
            self.end_headers()
            stop = start + server.cut_after.pop(0) if server.cut_after else len(body)
            self.wfile.write(body[start:stop])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server(files={"/set.bin": CONTENT})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(state)) as http:
        state.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield state
        http.shutdown()
        thread.join()


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_whole_file_arrives_with_its_digest(server: Server, tmp_path: Path) -> None:
    assert (
        download(RemoteFile(f"{server.url}/set.bin", SHA256, len(CONTENT)), tmp_path / "a" / "set.bin")
        == SHA256
    )
    assert (tmp_path / "a" / "set.bin").read_bytes() == CONTENT
    assert leftovers(tmp_path / "a") == ["set.bin"]
    download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "a" / "set.bin")
    assert len(server.asked) == 1  # what is there is checked, not fetched again


def test_a_broken_connection_is_taken_up_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut_after = [300_000, 250_000]
    seen: list[float] = []

    class Counter:
        @contextmanager
        def task(self, description: str, total: float | None, unit: str) -> Iterator[Advance]:
            assert unit == "bytes"
            yield seen.append

    with use_reporter(Counter()):
        download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300000-", "bytes=550000-"]
    assert sum(seen) == len(CONTENT)


def test_the_next_call_resumes_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    server.cut_after = [400_000] + [0] * 10
    with pytest.raises(DownloadError, match="400,000 bytes that arrived are kept"):
        download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "set.bin")
    assert not (tmp_path / "set.bin").exists()
    server.cut_after, server.asked = [], []
    download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "set.bin")
    assert server.asked == [("/set.bin", "bytes=400000-")]
    assert leftovers(tmp_path) == ["set.bin"]


@pytest.mark.parametrize("change", ["another version", "no ranges", "no validator"])
def test_halves_of_two_versions_are_never_joined(server: Server, tmp_path: Path, change: str) -> None:
    if change == "no validator":
        server.etag = None
    server.cut_after = [400_000] + [0] * 10
    with pytest.raises(DownloadError):
        download(RemoteFile(f"{server.url}/set.bin"), tmp_path / "set.bin")
    newer = CONTENT[::-1]
    server.cut_after, server.files["/set.bin"] = [], newer
    server.ranges = change != "no ranges"
    server.etag = None if change == "no validator" else '"v2"'
    download(RemoteFile(f"{server.url}/set.bin"), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == newer


def test_a_part_that_is_already_complete_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    (tmp_path / "set.bin.part.etag").write_text('"v1"')
    download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.files["/set.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadError, match=f"instead of {SHA256}, so it was thrown away: try again"):
        download(RemoteFile(f"{server.url}/set.bin", SHA256), tmp_path / "set.bin")
    assert leftovers(tmp_path) == []


def test_another_size_is_refused_before_it_fills_the_disk(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="900,000 bytes where 1,000 were expected"):
        download(RemoteFile(f"{server.url}/set.bin", SHA256, 1000), tmp_path / "set.bin")
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 1000


def test_absent_and_refused_files_say_so_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"gone\.bin is not there \(HTTP 404\).*--mirror"):
        download(RemoteFile(f"{server.url}/gone.bin"), tmp_path / "gone.bin")
    server.statuses = [403]
    with pytest.raises(DownloadError, match=r"refused \(HTTP 403\)"):
        download(RemoteFile(f"{server.url}/set.bin"), tmp_path / "set.bin")
    assert len(server.asked) == 2


def test_redirects_are_followed_but_not_to_files_or_plain_http(server: Server, tmp_path: Path) -> None:
    server.redirects = {"/moved": "/set.bin", "/file": "file:///etc/passwd", "/plain": "http://example.org/x"}
    server.redirects["/loop"] = "/loop"
    assert download(RemoteFile(f"{server.url}/moved", SHA256), tmp_path / "moved") == SHA256
    for path in ("/file", "/plain", "/loop"):
        with pytest.raises(DownloadError, match="not followed"):
            download(RemoteFile(server.url + path), tmp_path / "x")
    assert "x" not in leftovers(tmp_path)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://example.org/a", "ftp://127.0.0.1/a", "set.bin", ""]
)
def test_unsafe_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an https address"):
        download(RemoteFile(url), tmp_path / "x")


def test_offline_gives_one_sentence_with_the_ways_out(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DownloadError) as caught:
        download(RemoteFile(f"http://127.0.0.1:{port}/set.bin"), tmp_path / "set.bin")
    for way_out in (
        "run again where there is a network",
        "--mirror URL",
        "copy the folder",
        "blemish sample",
    ):
        assert way_out in str(caught.value)


def test_a_silent_server_times_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/set.bin"
        with pytest.raises(DownloadError, match="timed out"):
            download(RemoteFile(address), tmp_path / "set.bin", timeout=0.2)


# MVTec AD


def archive_of(entries: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 90).save(buffer, "PNG")
    return buffer.getvalue()


def category_files(name: str) -> dict[str, bytes | tarfile.TarInfo]:
    places = (
        "train/good/000.png",
        "test/good/000.png",
        "test/bent/000.png",
        "ground_truth/bent/000_mask.png",
    )
    return {f"{name}/{place}": png() for place in places} | {f"{name}/license.txt": b"CC BY-NC-SA 4.0"}


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, name: str, body: bytes) -> None:
    """Serve `body` as a category's archive, and expect its checksum."""
    server.files[f"/{name}.tar.xz"] = body
    share, _ = mvtec_ad.ARCHIVES[name]
    monkeypatch.setitem(mvtec_ad.ARCHIVES, name, (share, hashlib.sha256(body).hexdigest()))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no waiting between attempts."""
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.001)
    folder = tmp_path_factory.mktemp("downloads")
    monkeypatch.setenv("BLEMISH_CACHE", str(folder))
    return folder


def test_a_category_of_mvtec_ad_comes_from_a_mirror(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    publish(server, monkeypatch, "screw", archive_of(category_files("screw")))
    server.cut_after = [100]
    folders = get_mvtec_ad(tmp_path, "screw", server.url + "/", accept_licence=True)
    assert folders == [tmp_path / "screw"]
    files = {
        p.relative_to(tmp_path / "screw").as_posix() for p in (tmp_path / "screw").rglob("*") if p.is_file()
    }
    assert files == {name.removeprefix("screw/") for name in category_files("screw")} | {"origin.json"}
    assert leftovers(tmp_path) == ["screw"] and leftovers(empty_cache / "downloads") == []
    assert (
        get_mvtec_ad(tmp_path, "screw", server.url, accept_licence=True) == folders
    )  # replaces its own work


def test_all_of_mvtec_ad_comes_as_one_archive(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        name: content for category in mvtec_ad.ARCHIVES for name, content in category_files(category).items()
    }
    body = archive_of(files)
    server.files["/mvtec_anomaly_detection.tar.xz"] = body
    remote = RemoteFile(mvtec_ad.WHOLE.url, hashlib.sha256(body).hexdigest(), len(body))
    monkeypatch.setattr(mvtec_ad, "WHOLE", remote)
    assert len(get_mvtec_ad(tmp_path, None, server.url, accept_licence=True)) == 15
    assert leftovers(tmp_path) == sorted(mvtec_ad.ARCHIVES)


def test_the_mirror_is_held_to_the_publishers_checksum(server: Server, tmp_path: Path) -> None:
    server.files["/screw.tar.xz"] = archive_of(category_files("screw"))
    with pytest.raises(DownloadError, match=mvtec_ad.ARCHIVES["screw"][1]):
        get_mvtec_ad(tmp_path, "screw", server.url, accept_licence=True)
    assert leftovers(tmp_path) == []


def test_licence_category_and_foreign_folders_are_settled_before_the_network(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"CC BY-NC-SA 4\.0.*--accept-licence"):
        get_mvtec_ad(tmp_path, "screw", server.url)
    with pytest.raises(UsageError, match="no category 'bolt': choose of bottle"):
        get_mvtec_ad(tmp_path, "bolt", server.url, accept_licence=True)
    (tmp_path / "screw").mkdir()
    (tmp_path / "screw" / "mine.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="already holds files of yours"):
        get_mvtec_ad(tmp_path, "screw", server.url, accept_licence=True)
    assert server.asked == []


def test_an_archive_of_something_else_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, monkeypatch, "screw", archive_of(category_files("bottle")))
    with pytest.raises(DownloadError, match="does not hold screw/train/good"):
        get_mvtec_ad(tmp_path, "screw", server.url, accept_licence=True)
    assert leftovers(tmp_path) == []


def test_every_known_archive_has_an_address_and_a_checksum() -> None:
    assert len(mvtec_ad.ARCHIVES) == 15
    for share, sha256 in mvtec_ad.ARCHIVES.values():
        assert re.fullmatch(r"\d+/[0-9a-f]{32}/download/\d+-\d+", share)
        assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    assert len({sha256 for _, sha256 in mvtec_ad.ARCHIVES.values()}) == 15


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"../evil.png": b"x"}, "wants to write outside its folder"),
        ({"screw/../../evil.png": b"x"}, "wants to write outside its folder"),
        ({"/tmp/evil.png": b"x"}, "wants to write outside its folder"),
        ({"C:/evil.png": b"x"}, "wants to write outside its folder"),
        ({"..\\evil.png": b"x"}, "wants to write outside its folder"),
        ({"l": special("screw/l", tarfile.SYMTYPE, "/etc/passwd")}, "holds a link or device"),
        ({"l": special("screw/l", tarfile.LNKTYPE, "../../x")}, "holds a link or device"),
        ({"p": special("screw/p", tarfile.FIFOTYPE)}, "holds a link or device"),
        ({"d": special("screw/d", tarfile.CHRTYPE)}, "holds a link or device"),
        ({"screw/a": b"x" * 600, "screw/b": b"x" * 600}, "unpacks to more than 1,000 bytes"),
    ],
)
def test_hostile_archives_write_nothing_outside(
    tmp_path: Path, entries: dict[str, bytes | tarfile.TarInfo], sentence: str
) -> None:
    archive, folder = tmp_path / "a.tar.xz", tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    archive.write_bytes(archive_of(entries))
    with pytest.raises(DownloadError, match=sentence):
        extract_tar(archive, folder, most_bytes=1000)
    outside = {p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents}
    assert outside == {archive} and not any(p.is_symlink() for p in tmp_path.rglob("*"))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not an archive"])
def test_damaged_archives_get_one_sentence(tmp_path: Path, damage: str) -> None:
    body = bytearray(archive_of({"screw/a": np.random.default_rng(0).bytes(50_000)}))
    if damage == "truncated":
        del body[len(body) // 2 :]
    elif damage == "flipped":
        body[len(body) // 2] ^= 255
    else:
        body = bytearray(b"<html>moved</html>")
    (tmp_path / "a.tar.xz").write_bytes(bytes(body))
    with pytest.raises(DownloadError, match=r"cannot be unpacked .*delete it and download it again"):
        extract_tar(tmp_path / "a.tar.xz", tmp_path, most_bytes=10**6)


# ELPV


@pytest.fixture
def small_package(tmp_path: Path) -> Path:
    """A package laid out as elpv_dataset is, with a handful of cells."""
    package = tmp_path / "elpv_dataset"
    (package / "data" / "images").mkdir(parents=True)
    shares = ["0.0"] * 12 + ["0.3333333333333333"] * 2 + ["0.6666666666666666"] * 2 + ["1.0"] * 4
    rows = []
    for index, share in enumerate(shares * 2):
        (package / "data" / "images" / f"cell{index:04d}.png").write_bytes(png())
        rows.append(f"images/cell{index:04d}.png  {share}  {'mono' if index < len(shares) else 'poly'}")
    (package / "data" / "labels.csv").write_text("\n".join(rows) + "\n")
    return package


def test_elpv_becomes_two_categories(small_package: Path, tmp_path: Path) -> None:
    folders = get_elpv(tmp_path / "out", test_share=0.25, package=small_package)
    assert [f.name for f in folders] == ["elpv_mono", "elpv_poly"]
    for folder in folders:
        counts = {p.relative_to(folder).as_posix(): len(list(p.iterdir())) for p in folder.glob("*/*")}
        assert counts == {
            "train/good": 9,
            "test/good": 3,
            "test/possibly_defective": 2,
            "test/likely_defective": 2,
            "test/defective": 4,
        }
    again = get_elpv(tmp_path / "again", test_share=0.25, package=small_package)
    other = get_elpv(tmp_path / "other", test_share=0.25, seed=1, package=small_package)
    names = [sorted(p.name for p in (f[0] / "train" / "good").iterdir()) for f in (folders, again, other)]
    assert names[0] == names[1] != names[2]


def test_elpv_that_is_absent_or_damaged_says_what_to_install(
    small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BlemishError, match=r"pip install elpv-dataset.*CC BY-NC-SA 4\.0"):
        get_elpv(tmp_path / "out")
    (small_package / "data" / "images" / "cell0003.png").unlink()
    with pytest.raises(BlemishError, match=r"cell0003\.png is missing or mislabelled"):
        get_elpv(tmp_path / "out", package=small_package)
    assert not (tmp_path / "out").exists()


def test_the_installed_elpv_package_is_read() -> None:
    package = pytest.importorskip("elpv_dataset.utils", reason="elpv-dataset is not installed")
    cells = read_cells(Path(package.__file__).parent)
    assert len(cells) == 2624
    assert [sum(c.thirds == t for c in cells) for t in range(4)] == [1508, 295, 106, 715]
