"""The outbox and its dispatcher: every committed signal arrives at least once and in order, whatever fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_makers import make_new, until

from blemish.core.errors import DatabaseError
from blemish.station.audit import AuditLog
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionRecord, NewInspection
from blemish.station.signals.backoff import Backoff
from blemish.station.signals.dispatcher import Dispatcher
from blemish.station.signals.outbox import Outbox
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import SinkError

MakeInspection = Callable[..., NewInspection]
HERE = "here"


class Recorder:
    """A sink that keeps what it is sent, and fails by a plan: None, or an error for the next sending."""

    def __init__(self, name: str = "recorder", plan: Sequence[SinkError | None] = ()) -> None:
        self.name = name
        self.plan: Iterator[SinkError | None] = iter(plan)
        self.seen: list[Signal] = []
        self.refused: frozenset[int] = frozenset()
        self.opened = self.closed = 0
        self.reachable = True

    @property
    def numbers(self) -> list[int]:
        return [signal.record.id for signal in self.seen]

    def open(self) -> None:
        self.opened += 1
        if not self.reachable:
            raise SinkError("The recorder is not there.")

    def check(self) -> None:
        if not self.reachable:
            raise SinkError("The recorder is not there.")

    def send(self, signals: Sequence[Signal]) -> None:
        self.check()
        error = next(self.plan, None)
        arrived = len(signals) if error is None else min(error.arrived, len(signals))
        for place, signal in enumerate(signals[:arrived]):
            if signal.record.id in self.refused:
                raise SinkError("The recorder refuses the signal.", place, for_good=True)
            self.seen.append(signal)
        if error is not None:
            raise SinkError(str(error), arrived, error.for_good)

    def close(self) -> None:
        self.closed += 1


def note(
    database: Database,
    news: Sequence[NewInspection],
    sinks: Sequence[str] = ("recorder",),
    origin: Path | None = None,
) -> list[int]:
    """Log inspections together with their notes."""
    outbox = Outbox(database, HERE)

    def within(session: object, records: list[InspectionRecord]) -> None:
        outbox.note(session, sinks, [(record.id, origin) for record in records])  # type: ignore[arg-type]

    return [record.id for record in InspectionLog(database).logged(news, within)]


def dispatcher(database: Database, *sinks: Recorder) -> Dispatcher:
    return Dispatcher(database, HERE, sinks, first=0.001, cap=0.01)


def test_notes_are_committed_with_their_inspections_or_not_at_all(
    database: Database, inspection: MakeInspection
) -> None:
    outbox = Outbox(database, HERE)
    odd = Path("/line/Pr\udcfcfling 50%.png")  # a name that is no UTF-8
    (first,) = note(database, [inspection(1)], ["a", "b"], odd)

    def fails(session: object, records: list[InspectionRecord]) -> None:
        outbox.note(session, ["a"], [(record.id, None) for record in records])  # type: ignore[arg-type]
        raise DatabaseError("The power is gone.")

    with pytest.raises(DatabaseError):
        InspectionLog(database).logged([inspection(2)], fails)
    (waiting,) = outbox.waiting("a", 10)
    assert waiting.signal.record.id == first and waiting.signal.origin == odd and not waiting.signal.repeated
    assert waiting.signal.id == f"{HERE}:{first}"
    assert waiting.signal.record == InspectionLog(database).get(first)
    assert {sink: count.waiting for sink, count in outbox.counts().items()} == {"a": 1, "b": 1}
    assert outbox.counts()["a"].oldest == inspection(1).time
    assert (
        Outbox(database, "elsewhere").counts() == {} and Outbox(database, "elsewhere").waiting("a", 9) == []
    )
    outbox.forget([waiting.note])
    assert list(outbox.counts()) == ["b"]
    assert outbox.drop("b") == 1 and outbox.counts() == {}


def test_a_sink_that_is_down_holds_up_nobody_and_loses_nothing(
    database: Database, inspection: MakeInspection
) -> None:
    up, down = Recorder("up"), Recorder("down")
    down.reachable = False
    sender = dispatcher(database, up, down)
    sender.start()
    numbers = note(database, [inspection(number) for number in range(150)], ["up", "down"])
    sender.wake()
    until(lambda: len(up.seen) == 150)
    until(lambda: sender.states()[1].waiting == 150 and sender.states()[0].waiting == 0)
    state = sender.states()[1]
    assert not state.connected and state.trouble == "The recorder is not there." and state.oldest is not None
    down.reachable = True
    until(lambda: len(down.seen) == 150)
    until(lambda: sender.states()[1].connected and sender.states()[1].waiting == 0)
    sender.stop(5)
    assert up.numbers == down.numbers == numbers
    assert down.closed > 0 and Outbox(database, HERE).counts() == {}
    assert not any(signal.repeated for signal in up.seen)


def test_a_signal_refused_for_good_is_set_aside_and_sent_again_on_request(
    database: Database, inspection: MakeInspection
) -> None:
    numbers = note(database, [inspection(number) for number in range(5)])
    sink, outbox = Recorder(), Outbox(database, HERE)
    sink.refused = frozenset(numbers[1:3])
    sender = dispatcher(database, sink)
    sender.start()
    until(lambda: len(sink.seen) == 3)
    assert sink.numbers == [numbers[0], *numbers[3:]]
    aside = until(lambda: len(found := outbox.set_aside()) == 2 and found)
    assert [one.inspection_id for one in aside] == numbers[1:3]
    assert aside[0].problem == "The recorder refuses the signal." and aside[0].sink == "recorder"
    until(lambda: sender.states()[0].set_aside == 2 and sender.states()[0].trouble is None)
    sink.refused = frozenset()
    assert outbox.send_again("recorder") == 2
    sender.wake()
    until(lambda: len(sink.seen) == 5)
    assert sink.numbers[3:] == numbers[1:3] and all(signal.repeated for signal in sink.seen[3:])
    sender.stop(5)
    assert outbox.counts() == {}


def test_stopping_sends_what_waits(database: Database, inspection: MakeInspection) -> None:
    sink = Recorder()
    sender = dispatcher(database, sink)
    sender.start()
    until(lambda: sink.opened)
    numbers = note(database, [inspection(number) for number in range(200)])
    sender.stop(60)
    assert sink.numbers == numbers and Outbox(database, HERE).counts() == {}


def test_a_sink_that_hangs_does_not_hold_up_the_end(database: Database, inspection: MakeInspection) -> None:
    class Hanging(Recorder):
        def send(self, signals: Sequence[Signal]) -> None:
            begun.set()
            go_on.wait(20)

    begun, go_on = threading.Event(), threading.Event()
    sender = dispatcher(database, Hanging())
    sender.start()
    note(database, [inspection(1)])
    sender.wake()
    assert begun.wait(10)
    started = time.monotonic()
    sender.stop(0.2)
    assert time.monotonic() - started < 5
    go_on.set()
    until(lambda: not any(thread.name == "sink-recorder" for thread in threading.enumerate()))


def test_what_an_ended_process_may_have_sent_is_marked(
    database: Database, inspection: MakeInspection
) -> None:
    note(database, [inspection(1)])
    sink = Recorder()
    sender = dispatcher(database, sink)
    sender.start()
    until(lambda: sink.seen)
    note(database, [inspection(2)])
    sender.wake()
    until(lambda: len(sink.seen) == 2)
    sender.stop(5)
    assert [signal.repeated for signal in sink.seen] == [True, False]


def test_waits_double_up_to_the_cap_and_differ() -> None:
    backoff = Backoff(0.5, 30.0)
    waits = [backoff.next() for _ in range(2000)]
    for number, wait in enumerate(waits):
        longest = min(30.0, 0.5 * 2 ** min(number, 10))
        assert longest / 2 <= wait <= longest
    assert len(set(waits[10:])) > 1000
    backoff.reset()
    assert backoff.next() <= 0.5


failures = st.one_of(
    st.none(),
    st.builds(
        SinkError,
        st.just("The recorder fails."),
        st.integers(0, 7),
        st.booleans(),
    ),
)


@pytest.fixture(scope="module")
def plain_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One SQLite database for all examples."""
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('outbox')}/log.db")
    opened.upgrade()
    yield opened
    opened.close()


@settings(max_examples=25)
@given(plan=st.lists(failures, max_size=8), count=st.integers(1, 9), restart=st.booleans())
def test_each_signal_arrives_at_least_once_and_in_order_or_is_set_aside(
    plain_database: Database, plan: list[SinkError | None], count: int, restart: bool
) -> None:
    outbox = Outbox(plain_database, HERE)
    outbox.drop("recorder")
    numbers = note(plain_database, [make_new(number) for number in range(count)])
    sink = Recorder(plan=plan)
    sender = dispatcher(plain_database, sink)
    sender.start()
    if restart:
        sender.stop(0.0)
        sender = dispatcher(plain_database, sink)
        sender.start()

    def is_done() -> bool:
        return outbox.newest("recorder") == 0

    until(lambda: is_done() or sender.states()[0].waiting == 0)
    sender.stop(5)
    aside = {one.inspection_id for one in outbox.set_aside()}
    firsts = list(dict.fromkeys(sink.numbers))
    assert firsts == sorted(firsts)
    assert set(firsts) | aside == set(numbers)
    assert is_done()


def test_the_verb_shows_what_waits_and_changes_it_with_a_word_in_the_audit_log(
    tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    home = Home(tmp_path)
    opened = Database(home.database_url)
    opened.upgrade()
    numbers = note(opened, [make_new(number) for number in range(3)], ["mes", "broker"])
    outbox = Outbox(opened, HERE)
    first = outbox.waiting("mes", 1)[0].note
    outbox.refused(first, "http://mes refuses the signal (status 400).", set_aside=True)
    shown = blemish("signals", "--home", tmp_path)
    assert shown.status == 0 and "mes: 2 wait since" in shown.stdout and "1 set aside" in shown.stdout
    assert f"mes, inspection {numbers[0]}: http://mes refuses the signal (status 400)." in shown.stdout
    again = blemish("signals", "--send-again", "mes", "--home", tmp_path, "--json").document
    assert again["changed"] == 1 and again["set_aside"] == []
    assert [(one["sink"], one["waiting"]) for one in again["sinks"]] == [("broker", 3), ("mes", 3)]
    assert blemish("signals", "--drop", "broker", "--home", tmp_path).stdout.startswith(
        "3 signals are dropped."
    )
    entries = AuditLog(opened).page().entries
    assert [(str(one.action), one.detail["sink"], one.detail["signals"]) for one in entries] == [
        ("drop-signals", "broker", 3),
        ("send-again", "mes", 1),
    ]
    assert blemish("signals", "--drop", "broker", "--home", tmp_path).status == 1
    assert blemish("signals", "--drop", "mes", "--send-again", "mes", "--home", tmp_path).status == 2
    with opened.transaction() as session:
        Outbox(opened, "elsewhere").note(session, ["mes"], [(numbers[0], None)])
    both = blemish("signals", "--drop", "mes", "--home", tmp_path)
    assert both.status == 2 and "--station" in both.stderr
    assert blemish("signals", "--drop", "mes", "--station", HERE, "--home", tmp_path).status == 0
    assert list(outbox.counts()) == [] and Outbox(opened, "elsewhere").counts()["mes"].waiting == 1
    opened.close()
