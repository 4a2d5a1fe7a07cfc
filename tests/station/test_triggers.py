"""Which frames a trigger takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_makers import MOSQUITTO, Broker, until

from blemish.core.errors import UsageError
from blemish.station.photograph import PartMetadata
from blemish.station.sources.encoding import Frame
from blemish.station.sources.mqtt_trigger import MqttTrigger, part_of
from blemish.station.sources.settings import AtMostEvery, EveryFrame, MqttMessage, StillnessAfterMotion
from blemish.station.sources.trigger import open_trigger

SIDE = 96
GREY = np.full((SIDE, SIDE, 3), 90, np.uint8)


def taken(settings: Any, pictures: Sequence[np.ndarray], per_second: float) -> list[int]:
    """Numbers of the frames that are taken."""
    trigger = open_trigger(settings)
    frames = (Frame(one, number / per_second, number) for number, one in enumerate(pictures))
    return [frame.number for frame in frames if trigger.fires(frame) is not None]


@given(st.integers(1, 9), st.integers(0, 40))
def test_every_nth_frame(nth: int, count: int) -> None:
    assert taken(EveryFrame(nth=nth), [GREY] * count, 25) == list(range(0, count, nth))


@given(st.floats(0.05, 3), st.integers(5, 60), st.integers(1, 300))
@settings(max_examples=60)
def test_at_most_so_often_and_no_seldomer_than_frames_allow(
    seconds: float, per_second: int, count: int
) -> None:
    numbers = taken(AtMostEvery(seconds=seconds), [GREY] * count, per_second)
    assert numbers[0] == 0
    allowed = (count - 1) / per_second / seconds
    assert len(numbers) <= allowed + 1 + 1e-6
    # On the beat: it does not fall behind by a part of a frame each time.
    beat = max(seconds, 1 / per_second)
    assert len(numbers) >= (count - 1) / per_second / beat - 1


def line_with_parts(steps: int, noise: float = 0, moving: int = 8, still: int = 12) -> Iterator[np.ndarray]:
    """A belt that steps: each part slides in, and lies still at the middle; frames at 25 a second."""
    rng = np.random.default_rng(3)

    def noisy(picture: np.ndarray) -> np.ndarray:
        return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)

    for _ in range(steps):
        for place in [*np.linspace(0, 36, moving, dtype=int), *([36] * still)]:
            picture = GREY.copy()
            picture[36:60, place : place + 24] = 200
            yield noisy(picture)


def test_one_frame_for_each_part_that_comes_to_rest() -> None:
    numbers = taken(StillnessAfterMotion(still_seconds=0.2), list(line_with_parts(5)), 25)
    assert len(numbers) == 5
    assert all(number % 20 >= 8 + 5 - 1 for number in numbers), "after it lay still for 0.2 s"


def test_noise_and_light_that_changes_slowly_move_nothing() -> None:
    assert len(taken(StillnessAfterMotion(), list(line_with_parts(4, noise=6)), 25)) == 4
    rng = np.random.default_rng(5)
    flicker = [np.clip(GREY + rng.normal(0, 8, GREY.shape), 0, 255).astype(np.uint8) for _ in range(60)]
    assert taken(StillnessAfterMotion(), flicker, 25) == []
    dawn = [np.full_like(GREY, 60 + number // 2) for number in range(200)]
    assert taken(StillnessAfterMotion(), dawn, 25) == []


def test_what_never_rests_is_never_taken() -> None:
    rng = np.random.default_rng(6)
    pictures = [np.roll(GREY + rng.integers(0, 90, GREY.shape, np.uint8), 7 * n, axis=1) for n in range(50)]
    assert taken(StillnessAfterMotion(), pictures, 25) == []


def test_stillness_of_frames_of_more_bits() -> None:
    pictures = [one[:, :, 0].astype(np.uint16) * 257 for one in line_with_parts(3)]
    assert len(taken(StillnessAfterMotion(), pictures, 25)) == 3


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (b"", PartMetadata()),
        (b" A-17 \n", PartMetadata(serial_number="A-17")),
        (b'{"serial_number": 17, "batch": "B", "other": 1}', PartMetadata(serial_number="17", batch="B")),
        (b"{", None),
        (b"x" * 81, None),
        (b"\xff\xfe", None),
        (b"1" * 5000, None),
        (b"a\nb", None),
    ],
)
def test_what_a_message_says_of_a_part(payload: bytes, part: PartMetadata | None) -> None:
    if part is None:
        with pytest.raises(UsageError):
            part_of(payload)
    else:
        assert part_of(payload) == part


def say(broker: Broker, payload: str, retain: bool = False) -> None:
    from paho.mqtt import publish

    publish.single("line/trigger", payload, qos=1, retain=retain, hostname="127.0.0.1", port=broker.port)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    one = Broker(tmp_path)
    one.start()
    yield one
    one.end()


def test_a_message_takes_the_next_frame_and_says_which_part_it_is(broker: Broker) -> None:
    trigger = MqttTrigger(MqttMessage(topic="line/trigger", port=broker.port, within=5))

    def frame(moment: float | None = None) -> Frame:
        return Frame(GREY, time.monotonic() if moment is None else moment, 0)

    assert "not connected yet" in str(trigger.trouble())
    trigger.open()
    try:
        until(lambda: trigger.trouble() is None)
        old = time.monotonic()
        say(broker, "kept", retain=True)
        assert until(lambda: trigger.fires(frame())) == PartMetadata(serial_number="kept")
        assert trigger.fires(frame()) is None
        say(broker, json.dumps({"serial_number": "A-1", "batch": "7"}))
        say(broker, "A-2")
        assert until(lambda: trigger.fires(frame())) == PartMetadata(serial_number="A-1", batch="7")
        assert trigger.fires(frame(old)) is None, "that frame was read before the message"
        assert until(lambda: trigger.fires(frame())) == PartMetadata(serial_number="A-2")
        assert trigger.fires(frame()) is None and trigger.missed() == 0
        broker.kill()
        until(lambda: "is not there" in str(trigger.trouble()))
        broker.start()
        until(lambda: trigger.trouble() is None)
        say(broker, "A-3")
        assert until(lambda: trigger.fires(frame())) == PartMetadata(serial_number="A-3")
    finally:
        trigger.close()


def test_what_a_broker_has_kept_triggers_nothing(broker: Broker) -> None:
    say(broker, "the part of yesterday", retain=True)
    trigger = MqttTrigger(MqttMessage(topic="line/trigger", port=broker.port, within=5))
    trigger.open()
    try:
        until(lambda: trigger.trouble() is None)
        say(broker, "now")
        first = until(lambda: trigger.fires(Frame(GREY, time.monotonic(), 0)))
        assert first == PartMetadata(serial_number="now")
    finally:
        trigger.close()


def test_a_message_without_a_frame_is_counted_as_missed(broker: Broker) -> None:
    trigger = MqttTrigger(MqttMessage(topic="line/trigger", port=broker.port, within=0.1))
    trigger.open()
    try:
        until(lambda: trigger.trouble() is None)
        say(broker, "A-1")
        say(broker, "A-2")
        missed = until(trigger.missed)
        while missed < 2:
            missed += until(trigger.missed)
        assert missed == 2
        assert trigger.fires(Frame(GREY, time.monotonic(), 0)) is None
    finally:
        trigger.close()
