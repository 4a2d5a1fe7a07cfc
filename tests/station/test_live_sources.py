"""Cameras: frames that come by themselves, from cameras that stall, die, hang and come back."""

from __future__ import annotations

import importlib.util
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from rtsp_server import RtspServer
from source_runs import drawn, encoded, running

from blemish.core.errors import UsageError
from blemish.core.images import decode_image
from blemish.station.sources.camera import UsbCamera
from blemish.station.sources.encoding import Encoding, Pixels
from blemish.station.sources.genicam import frame_of
from blemish.station.sources.live import CameraError, LiveOptions, LiveSource
from blemish.station.sources.opening import open_source
from blemish.station.sources.reconnecting import BackOff
from blemish.station.sources.settings import (
    AtMostEvery,
    CameraSource,
    EveryFrame,
    GenicamSource,
    HardwareLine,
    StreamSource,
    VideoSource,
)
from blemish.station.sources.stream import NetworkStream, without_password
from blemish.station.sources.trigger import Every
from blemish.station.sources.video import VideoFile

RED = np.full((48, 64, 3), (20, 30, 220), np.uint8)  # blue, green, red


def written_video(path: Path, frames: int) -> list[int]:
    """A video whose n-th frame is of brightness 10 + 8 n; returns these."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    levels = [10 + 8 * number for number in range(frames)]
    for level in levels:
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    return levels


def test_a_video_gives_all_its_frames_once_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    levels = written_video(tmp_path / "line.avi", 24)
    keys: set[str] = set()

    def source(**more: object) -> VideoFile:
        settings = {"name": "v", "path": tmp_path / "line.avi"} | more
        return VideoFile(VideoSource.model_validate(settings))

    half = source().arrivals(threading.Event(), keys.__contains__)
    for _ in range(10):
        keys.add(str(next(half).key))
    half.close()
    with running(source(), known=keys.__contains__) as run:
        run.wait_for(lambda: not run.thread.is_alive())
        means = [decode_image(one.photograph.content, "frame").mean() for one in run.arrivals]
        assert np.abs(np.array(means) - levels[10:]).max() < 2.5
        assert run.names[0] == "line-000010.png"
        assert run.source.state().trouble is None
    with running(source(trigger={"kind": "interval", "seconds": 0.2})) as run:
        run.wait_for(lambda: not run.thread.is_alive())
        assert [name[-7:-4] for name in run.names] == ["000", "005", "010", "015", "020"]


def test_a_video_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "none.avi").write_bytes(b"no video at all")
    for name, word in (("none.avi", "no video"), ("gone.avi", "no such file")):
        source = VideoFile(VideoSource(name="v", path=tmp_path / name))
        assert list(source.arrivals(threading.Event(), lambda key: False)) == []
        assert word in str(source.state().trouble)


@pytest.mark.parametrize(("kind", "quality", "difference"), [("png", 95, 0), ("jpeg", 95, 3)])
def test_frames_are_encoded_with_their_colours_right(kind: str, quality: int, difference: int) -> None:
    content = Encoding(kind, quality).of(RED)  # type: ignore[arg-type]
    pixels = decode_image(content, "frame")
    assert np.abs(pixels[10, 10].astype(int) - (220, 30, 20)).max() <= difference
    grey = decode_image(Encoding(kind, quality).of(RED[:, :, 2]), "frame")  # type: ignore[arg-type]
    assert np.abs(grey[10, 10].astype(int) - 220).max() <= difference


def test_more_than_8_bits_stay_in_a_png_and_do_not_fit_a_jpeg() -> None:
    samples = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    pixels = decode_image(Encoding().of(samples), "frame", bit_depth=12)
    assert (pixels[:, :, 0] == samples >> 4).all()
    with pytest.raises(Exception, match="more than 8 bits"):
        Encoding("jpeg").of(samples)


class Scripted:
    """A camera that does what it is told: its connections are lists of what each read gives."""

    what, open_seconds = "Camera S", 0.2

    def __init__(self, script: list[object], opened: list[float]) -> None:
        self._script, self._opened, self.closed = script, opened, False

    def open(self) -> None:
        self._opened.append(time.monotonic())
        if self._script and self._script[0] == "absent":
            raise CameraError("Camera S is not there.")

    def read(self) -> Pixels | None:
        if not self._script:
            time.sleep(0.01)
            return None
        following = self._script.pop(0)
        if following == "lost":
            raise CameraError("Camera S is lost.")
        if isinstance(following, threading.Event):
            following.wait(30)
            return None
        time.sleep(0.005)
        return np.full((8, 8), following, np.uint8)  # type: ignore[call-overload]

    def close(self) -> None:
        self.closed = True


def scripted(connections: list[list[object]], opened: list[float], stall: float = 0.3) -> LiveSource:
    left = iter(connections)
    return LiveSource(
        "s",
        lambda: Scripted(next(left, []), opened),
        Every(),
        LiveOptions(stall),
        BackOff(first=0.02, most=0.1),
    )


def test_a_camera_that_is_lost_absent_or_silent_is_opened_anew() -> None:
    opened: list[float] = []
    source = scripted([[1, "lost"], ["absent"], ["absent"], [2], [3]], opened)
    with running(source) as run:
        run.wait_for(lambda: len(run.arrivals) == 3)
        values = [int(decode_image(one.photograph.content, "f")[0, 0, 0]) for one in run.arrivals]
        assert values == [1, 2, 3] and len(opened) == 5
        assert opened[4] - opened[3] > 0.3, "the fourth was silent first"
        run.wait_for(lambda: "no frame for 0.3 s" in str(source.state().trouble))
        assert not source.state().connected


def test_a_camera_that_hangs_is_left_behind_and_said() -> None:
    never = threading.Event()
    opened: list[float] = []
    source = scripted([[1, never], [2, never], [3, never]], opened, stall=0.1)
    try:
        with running(source) as run:
            run.wait_for(lambda: len(run.arrivals) == 3)
            run.wait_for(lambda: "hangs and cannot be closed" in str(source.state().trouble))
            assert len(opened) == 3
    finally:
        never.set()


def test_old_frames_give_way_to_new_ones_and_are_counted() -> None:
    source = scripted([list(range(1, 201))], [], stall=30)
    arrivals = source.arrivals(threading.Event(), lambda key: False)
    numbers = []
    for _ in range(4):
        arrival = next(arrivals)
        numbers.append(int(decode_image(arrival.photograph.content, "f")[0, 0, 0]))
        time.sleep(0.2)  # a slow inspector
    arrivals.close()
    steps = np.diff(numbers)
    assert numbers == sorted(numbers) and steps[1:].min() > 8, "each is the newest of its time"
    assert source.state().dropped >= numbers[-1] - 4 - 2
    assert time.monotonic() - arrival.closed < 0.5


def test_the_waits_between_tries_grow_and_are_drawn() -> None:
    waits = [[one.next() for _ in range(9)] for one in (BackOff(1, 30), BackOff(1, 30))]
    assert waits[0] != waits[1]
    for tries in waits:
        for number, seconds in enumerate(tries):
            assert 0.75 * min(2**number, 30) <= seconds <= 1.25 * min(2**number, 30)


class MjpegServer:
    """A camera in the network: multipart JPEG over HTTP; it can stall, and die, and come back at its port."""

    def __init__(self) -> None:
        self.paused = threading.Event()
        self.port = 0
        self.start()

    def start(self) -> None:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                try:
                    while not camera.ended.is_set():
                        if camera.paused.is_set():
                            time.sleep(0.02)
                            continue
                        content = encoded(number % 7, ".jpg", 64)
                        head = (
                            f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                        )
                        self.wfile.write(head.encode() + content + b"\r\n")
                        number += 1
                        time.sleep(0.02)
                except OSError:
                    return

            def log_message(self, *arguments: object) -> None:
                pass

        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def kill(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_mjpeg_that_stalls_and_dies_and_comes_back() -> None:
    server = MjpegServer()
    url = f"http://operator:secret@127.0.0.1:{server.port}/video?key=1"
    settings = StreamSource(
        name="cam", url=url, stall_seconds=0.5, open_seconds=2, trigger=AtMostEvery(seconds=0.05)
    )
    source = open_source(settings)
    try:
        with running(source) as run:
            run.wait_for(lambda: len(run.arrivals) >= 5)
            pixels = decode_image(run.arrivals[4].photograph.content, "frame")
            nearest = min(
                range(7), key=lambda n: np.abs(drawn(n, 64)[:, :, ::-1].astype(int) - pixels).mean()
            )
            assert np.abs(drawn(nearest, 64)[:, :, ::-1].astype(int) - pixels).mean() < 20, "colours in order"
            server.paused.set()
            run.wait_for(lambda: not source.state().connected)
            server.paused.clear()
            count = len(run.arrivals)
            run.wait_for(lambda: len(run.arrivals) > count + 3 and source.state().connected)
            server.kill()
            run.wait_for(lambda: "sends no video" in str(source.state().trouble))
            assert "secret" not in str(source.state().trouble) and "key=1" not in str(source.state().trouble)
            server.start()
            count = len(run.arrivals)
            run.wait_for(lambda: len(run.arrivals) > count + 3)
            assert source.state().trouble is None
    finally:
        if not server.ended.is_set():
            server.kill()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp_by_both_transports(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "p@ss/word")
    with RtspServer([encoded(number, ".jpg", 64) for number in range(7)], "operator", "p@ss/word") as server:
        settings = StreamSource.model_validate({
            "name": "cam", "url": f"rtsp://operator@127.0.0.1:{server.port}/live", "transport": transport,
            "password_env": "CAMERA_PASSWORD", "stall_seconds": 1, "open_seconds": 5,
        })  # fmt: skip
        source = open_source(settings)
        with running(source) as run:
            run.wait_for(lambda: len(run.arrivals) >= 5)
            assert server.transports == {transport}
            pixels = decode_image(run.arrivals[4].photograph.content, "frame").astype(int)
            assert min(np.abs(drawn(n, 64)[:, :, ::-1].astype(int) - pixels).mean() for n in range(7)) < 20
            server.drop()
            count = len(run.arrivals)
            run.wait_for(lambda: len(run.arrivals) > count + 3)


def test_a_wrong_password_is_no_video_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "wrong-one")
    with RtspServer([encoded(1, ".jpg")], "operator", "right") as server:
        url = f"rtsp://operator@127.0.0.1:{server.port}/live"
        stream = NetworkStream(
            StreamSource(name="cam", url=url, password_env="CAMERA_PASSWORD", open_seconds=3)
        )
        with pytest.raises(CameraError, match="user and password are right") as error:
            stream.open()
        assert "wrong-one" not in str(error.value) and "operator" not in str(error.value)
    monkeypatch.delenv("CAMERA_PASSWORD")
    with pytest.raises(UsageError, match="CAMERA_PASSWORD, which is not set"):
        NetworkStream(StreamSource(name="cam", url=url, password_env="CAMERA_PASSWORD"))


def test_addresses_are_shown_without_what_opens_them() -> None:
    assert without_password("rtsp://u:p@10.0.0.7:554/a?token=x") == "rtsp://10.0.0.7:554/a"


def test_a_usb_camera_that_is_not_there_is_said() -> None:
    camera = UsbCamera(CameraSource(name="c", device=Path("/dev/v4l/by-id/none")))
    with pytest.raises(CameraError, match="is not there: plug it in"):
        camera.open()
    numbered = UsbCamera(CameraSource(name="c", device=97))
    with pytest.raises(CameraError, match="Camera 97 cannot be opened"):
        numbered.open()
    numbered.close()


def test_a_usb_camera_is_read_until_it_delivers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV opens a file as it opens a device: frames come, and then no more."""
    monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", raising=False)  # a file is read with those of streams
    video = tmp_path / "device.avi"
    levels = written_video(video, 12)
    camera = UsbCamera(CameraSource(name="c", device=video, width=64, height=48))
    camera.open()
    means: list[float] = []
    while len(means) < len(levels):  # a busy machine keeps it waiting, and it says so by None
        if (frame := camera.read()) is not None:
            means.append(float(frame.mean()))
    assert np.abs(np.array(means) - levels).max() < 2.5
    with pytest.raises(CameraError, match="delivers nothing any more"):
        while camera.read() is None:
            pass
    camera.close()
    with pytest.raises(CameraError, match="has no width of 1920: it offers 64"):
        UsbCamera(CameraSource(name="c", device=video, width=1920)).open()


@pytest.mark.parametrize(
    ("kind", "data", "pixel"),
    [
        ("Mono8", [[7]], 7),
        ("RGB8", [[1, 2, 3]], [3, 2, 1]),
        ("BGR8", [[1, 2, 3]], [1, 2, 3]),
        ("RGBa8", [[1, 2, 3, 9]], [3, 2, 1]),
    ],
)
def test_pixels_of_a_genicam_buffer(kind: str, data: list[list[int]], pixel: object) -> None:
    row = np.tile(np.array(data, np.uint8).ravel(), 4)
    padded = np.concatenate([row, np.zeros(2, np.uint8)])
    frame = frame_of(np.tile(padded, 3), 4, 3, kind, x_padding=2)
    assert frame.shape[:2] == (3, 4) and (frame == np.array(pixel)).all()


def test_bayer_patterns_give_the_colours_that_they_were_made_of() -> None:
    places = {"R": 0, "G": 1, "B": 2}
    colour = (200, 120, 40)  # red, green, blue
    for pattern in ("RGGB", "GRBG", "GBRG", "BGGR"):
        tile = np.array([[colour[places[pattern[2 * y + x]]] for x in range(2)] for y in range(2)], np.uint8)
        frame = frame_of(np.tile(tile, (8, 8)).ravel(), 16, 16, f"Bayer{pattern[:2]}8")
        assert (frame[8, 8] == colour[::-1]).all(), pattern


def test_pixel_formats_that_are_not_read_are_named() -> None:
    with pytest.raises(CameraError, match="YUV422_8, which is not read"):
        frame_of(np.zeros(64, np.uint8), 4, 4, "YUV422_8")
    with pytest.raises(CameraError, match="8 of 16"):
        frame_of(np.zeros(8, np.uint8), 4, 4, "Mono8")


@pytest.fixture
def producer() -> Path:
    """The simulated camera that comes with the package genicam: a red square that bounces on white."""
    pytest.importorskip("harvesters")
    found = importlib.util.find_spec("genicam")
    assert found is not None and found.origin is not None
    return Path(found.origin).with_name("viky.cti")


def test_a_simulated_genicam_camera(producer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(producer.parent))
    settings = GenicamSource(name="g", trigger=EveryFrame(nth=2), features={"AcquisitionFrameRate": 60})
    with running(open_source(settings)) as run:
        run.wait_for(lambda: len(run.arrivals) >= 5)
        pixels = decode_image(run.arrivals[4].photograph.content, "frame")
        assert pixels.shape == (400, 400, 3)
        red = (pixels == (255, 0, 0)).all(axis=2)
        assert 300 <= red.sum() <= 500 and (pixels == 255).all(axis=2).sum() > 150_000
        assert run.source.state().connected
    grey = GenicamSource(name="g", producer=producer, device="1", features={"PixelFormat": "Mono8"})
    with running(open_source(grey)) as run:
        run.wait_for(lambda: bool(run.arrivals))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"device": "X-9"}, "is not among those that are there"),
        ({"features": {"ExposureTimes": 3.0}}, "has no feature ExposureTimes"),
        ({"features": {"PixelFormat": "Colourful"}}, "does not take PixelFormat = Colourful"),
        ({"trigger": HardwareLine()}, "has no feature TriggerSource"),
    ],
)
def test_what_a_genicam_camera_cannot_do_is_said(
    producer: Path, more: dict[str, object], sentence: str
) -> None:
    settings = GenicamSource.model_validate({"name": "g", "producer": producer} | more)
    with running(open_source(settings)) as run:
        run.wait_for(lambda: sentence in str(run.source.state().trouble))


def test_a_genicam_camera_needs_a_producer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("harvesters")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    with pytest.raises(UsageError, match="No GenTL producer"):
        open_source(GenicamSource(name="g"))
    with pytest.raises(UsageError, match=r"none\.cti is not there"):
        open_source(GenicamSource(name="g", producer=tmp_path / "none.cti"))
