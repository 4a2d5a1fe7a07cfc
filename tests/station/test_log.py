"""The log: what is added is read back, in every database; pages, filters, feedback."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter, NewFeedback, NewInspection

Make = Callable[..., NewInspection]

NAUGHTY = [
    "",
    "a\0b",
    "\ud800",
    "'; DROP TABLE inspections; --",
    "../../etc/passwd",
    "é\u202e😀" * 300,
    "%s %(x)s ?",
]


def test_what_is_added_is_read_back_to_the_last_bit(log: InspectionLog, inspection: Make) -> None:
    given_ones = [
        inspection(0, score=0.1 + 0.2, threshold=5e-324),
        inspection(1, regions=(), parts={}, image_suffix=None),
    ]
    numbers = log.add(given_ones)
    for number, expected in zip(numbers, given_ones, strict=True):
        record = log.get(number)
        for field in dataclasses.fields(NewInspection):
            assert getattr(record, field.name) == getattr(expected, field.name), field.name
        assert (record.id, record.truth, record.defect_type, record.note) == (number, None, None, "")


def test_numbers_come_in_the_order_of_the_inspections(log: InspectionLog, inspection: Make) -> None:
    numbers = log.add([inspection(number) for number in range(64)])
    assert numbers == sorted(set(numbers))
    assert [log.get(number).file_name for number in numbers] == [f"{number:06d}.png" for number in range(64)]
    assert log.add([]) == []


@pytest.mark.parametrize("text", NAUGHTY)
def test_text_of_strangers_is_stored_as_text(log: InspectionLog, inspection: Make, text: str) -> None:
    plain = text.replace("\0", "?").replace("\ud800", "?")
    (number,) = log.add([inspection(file_name=text, by=text)])
    assert (log.get(number).file_name, log.get(number).by) == (plain, plain)
    log.give_feedback(number, NewFeedback("bad", by=text))
    assert log.feedback(number)[0].by == plain
    assert log.page(InspectionFilter(defect_type=text)).records == ()
    assert log.page(InspectionFilter(inspector=text)).records == ()


def test_times_of_any_zone_are_one_moment(log: InspectionLog, inspection: Make) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 0, 123457, timezone(timedelta(hours=5, minutes=45)))
    (number,) = log.add([inspection(time=moment)])
    assert log.get(number).time == moment
    assert log.get(number).time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "changes", [{"time": datetime(2026, 1, 1)}, {"score": float("nan")}, {"p_value": float("inf")}]
)
def test_what_cannot_be_logged_is_refused(inspection: Make, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        inspection(0, **changes)


def test_a_batch_is_logged_whole_or_not_at_all(log: InspectionLog, inspection: Make) -> None:
    broken = inspection(1, parts={"a": object()})
    with pytest.raises(Exception, match="JSON serializable"):
        log.add([inspection(0), broken])
    assert log.page().records == ()


@pytest.mark.parametrize("number", [0, -1, 10**6, 2**63, 10**40])
def test_what_is_not_there_is_said(log: InspectionLog, number: int) -> None:
    for ask in (log.get, log.feedback, lambda n: log.give_feedback(n, NewFeedback("good"))):
        with pytest.raises(NotFoundError, match="There is no inspection"):
            ask(number)


def test_pages_show_everything_once_newest_first_while_parts_arrive(
    log: InspectionLog, inspection: Make
) -> None:
    # Ten inspections share each time, so the order also needs the numbers.
    log.add([inspection(number, time=inspection(number // 10).time) for number in range(95)])
    expected = [(record.time, record.id) for record in log.records()][::-1]
    seen, cursor, first = [], None, True
    while first or cursor:
        page = log.page(limit=7, cursor=cursor)
        seen += [(record.time, record.id) for record in page.records]
        cursor, first = page.next_cursor, False
        log.add([inspection(1000 + len(seen))])
    assert seen == expected
    assert expected == sorted(expected, reverse=True)


def test_the_last_page_says_that_it_is_the_last(log: InspectionLog, inspection: Make) -> None:
    log.add([inspection(number) for number in range(10)])
    assert log.page(limit=10).next_cursor is None
    cursor = log.page(limit=5).next_cursor
    assert cursor is not None
    assert log.page(limit=5, cursor=cursor).next_cursor is None


def test_filters_agree_with_a_search_by_hand(log: InspectionLog, inspection: Make) -> None:
    verdicts = list(Verdict)
    numbers = log.add(
        [inspection(n, inspector=("screw", "nut")[n % 2], verdict=verdicts[n % 3]) for n in range(60)]
    )
    for number in numbers[::4]:
        log.give_feedback(number, NewFeedback("bad", ("crack", "stain")[number % 2]))
    for number in numbers[1::7]:
        log.give_feedback(number, NewFeedback("good"))
    records = list(log.records())
    start = records[0].time
    filters = [
        InspectionFilter(
            inspector=inspector, verdict=verdict, defect_type=defect_type, truth=truth, since=since
        )
        for inspector in (None, "nut")
        for verdict in (None, Verdict.REVIEW)
        for defect_type in (None, "crack")
        for truth in (None, "good", "bad")
        for since in (None, start + timedelta(seconds=30))
    ]
    filters.append(InspectionFilter(since=start + timedelta(seconds=10), until=start + timedelta(seconds=20)))
    for which in filters:
        expected = [
            record.id
            for record in records
            if (which.since is None or record.time >= which.since)
            and (which.until is None or record.time < which.until)
            and which.inspector in (None, record.inspector)
            and which.verdict in (None, record.verdict)
            and which.defect_type in (None, record.defect_type)
            and which.truth in (None, record.truth)
        ]
        assert [record.id for record in log.records(which)] == expected
        assert [record.id for record in log.page(which, 1000).records] == expected[::-1]


def test_parts_are_found_by_what_is_known_of_them(log: InspectionLog, inspection: Make) -> None:
    names = ("serial_number", "batch", "shift", "camera")
    log.add(
        [
            inspection(
                n,
                serial_number=f"SN{n // 2}",
                batch=f"L-{n % 5}",
                shift="ab"[n % 2],
                camera=(None, "top")[n % 3 > 0],
            )
            for n in range(40)
        ]
    )
    records = list(log.records())
    for asked in (
        {"serial_number": "SN7"}, {"batch": "L-3"}, {"shift": "b"}, {"camera": "top"}, {"camera": "to"},
        {"batch": "L-3", "shift": "b"}, {"batch": "L-3", "camera": "top", "search": "sn1"},
    ):  # fmt: skip
        exactly = {name: value for name, value in asked.items() if name in names}
        expected = [
            one.id
            for one in records
            if all(getattr(one, name) == value for name, value in exactly.items())
            and ("search" not in asked or asked["search"] in str(one.serial_number).lower())
        ]
        assert [one.id for one in log.records(InspectionFilter(**asked))] == expected
        assert log.count(InspectionFilter(**asked)) == len(expected)
    assert log.count(InspectionFilter(search="l-3")) == 8


def test_records_streams_more_than_one_piece_and_stops_at_what_was_there(
    log: InspectionLog, inspection: Make
) -> None:
    log.add([inspection(number) for number in range(2500)])
    names = []
    for record in log.records():
        if not names:
            log.add([inspection(10_000)])
        names.append(record.file_name)
    assert names == [f"{number:06d}.png" for number in range(2500)]


@given(cursor=st.one_of(st.text(max_size=120), st.binary(max_size=60).map(lambda b: b.decode("latin-1"))))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_cursor_of_ones_own_making_is_refused_or_harmless(log: InspectionLog, cursor: str) -> None:
    try:
        log.page(cursor=cursor)
    except UsageError as error:
        assert "begin again without it" in str(error)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_pages_have_a_size(log: InspectionLog, limit: int) -> None:
    with pytest.raises(UsageError, match="1 to 1000"):
        log.page(limit=limit)


def test_feedback_is_kept_and_the_latest_counts(log: InspectionLog, inspection: Make) -> None:
    (number,) = log.add([inspection(2)])
    log.give_feedback(number, NewFeedback("bad", "crack", "at the thread", "anna"))
    last = log.give_feedback(number, NewFeedback("good", note="only dust", by="ben"))
    assert [said.truth for said in log.feedback(number)] == ["bad", "good"]
    assert log.feedback(number)[-1] == last
    record = log.get(number)
    assert (record.truth, record.defect_type, record.note) == ("good", None, "only dust")
    assert record.verdict is Verdict.REJECT


@pytest.mark.parametrize(
    "said",
    [
        {"truth": "good", "defect_type": "crack"},
        {"truth": "perhaps"},
        {"truth": "bad", "defect_type": ""},
        {"truth": "bad", "defect_type": "x" * 81},
        {"truth": "bad", "defect_type": "two\nlines"},
        {"truth": "bad", "note": "a\0b"},
        {"truth": "bad", "note": "x" * 2001},
    ],
)
def test_feedback_that_nobody_can_mean_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        NewFeedback(**said)


def test_many_threads_lose_nothing(log: InspectionLog, inspection: Make) -> None:
    written: list[int] = []

    def work(start: int) -> None:
        for batch in range(10):
            numbers = log.add([inspection(start + batch * 4 + k) for k in range(4)])
            log.give_feedback(numbers[0], NewFeedback("bad", "crack"))
            written.extend(numbers)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == len(set(written)) == 240
    assert sorted(record.id for record in log.records()) == sorted(written)
    assert len(log.page(InspectionFilter(truth="bad"), 1000).records) == 60


def test_forgotten_images_are_forgotten_everywhere(log: InspectionLog, inspection: Make) -> None:
    same = inspection(1)
    numbers = log.add([same, same, inspection(2)])
    log.forget_image([same.image_digest, "0" * 64] * 400)
    assert [log.get(number).image_suffix for number in numbers] == [None, None, ".png"]
    log.forget_image([])


@pytest.mark.parametrize(
    "which",
    [
        InspectionFilter(),
        InspectionFilter(inspector="screw"),
        InspectionFilter(verdict=Verdict.REJECT),
        InspectionFilter(defect_type="crack"),
        InspectionFilter(truth="bad"),
    ],
)
def test_pages_use_an_index_and_never_sort(
    database: Database, log: InspectionLog, inspection: Make, which: InspectionFilter
) -> None:
    if not database.is_sqlite:
        pytest.skip("the planner of PostgreSQL prefers to sort small tables")
    log.add([inspection(number) for number in range(3)])
    statements: list[tuple[str, object]] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3]))
    )
    log.page(which, cursor="MTc5NTU1OTUwOTQwNjY1NC4yMzY3")
    statement, parameters = next(call for call in statements if call[0].startswith("SELECT"))
    assert "OFFSET" not in statement.split("LIMIT")[0]
    with database.session() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    said = " ".join(str(row[-1]) for row in plan)
    assert "USING INDEX ix_inspections_" in said, said
    assert "TEMP B-TREE" not in said and "SCAN" not in said, said


def test_regions_keep_their_order_and_type(log: InspectionLog, inspection: Make) -> None:
    regions = tuple(Region(n, n + 1, n + 2, n + 3, 9.5 - n) for n in range(50))
    (number,) = log.add([inspection(regions=regions)])
    assert log.get(number).regions == regions
