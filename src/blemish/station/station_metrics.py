"""What Prometheus reads of stations, of what they say of themselves: by the station's own port, and by the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from blemish.station.station_status import LATENCY_SECONDS, StationStatus


class StationCollector(Collector):
    """Makes metrics of statuses; labels are names of stations, sources and sinks, whose number is bounded.

    Args:
        read: the statuses as they are now.
    """

    def __init__(self, read: Callable[[], Iterable[StationStatus]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        statuses = list(self._read())
        yield from _of_stations(statuses)
        yield from _of_sources(statuses)
        yield from _of_sinks(statuses)


def _of_stations(statuses: Sequence[StationStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily("blemish_station_up", "1 while the station runs and says so.", labels=["station"])
    waiting = GaugeMetricFamily(
        "blemish_station_waiting", "Photographs that have no verdict yet.", labels=["station"]
    )
    troubles = GaugeMetricFamily(
        "blemish_station_trouble", "1 for each thing that does not work.", labels=["station", "what"]
    )
    memory = GaugeMetricFamily(
        "blemish_station_memory_bytes", "Resident memory of the station.", labels=["station"]
    )
    verdicts = CounterMetricFamily(
        "blemish_station_verdicts", "Inspections by verdict.", labels=["station", "verdict"]
    )
    refused = CounterMetricFamily(
        "blemish_station_refused", "Photographs that cannot be judged.", labels=["station"]
    )
    latency = HistogramMetricFamily(
        "blemish_station_latency_seconds",
        "From the complete photograph to the committed verdict.",
        labels=["station"],
    )
    for one in statuses:
        up.add_metric([one.name], 1 if one.state == "running" else 0)
        waiting.add_metric([one.name], one.waiting if one.runs else 0)
        if one.memory_bytes is not None and one.runs:
            memory.add_metric([one.name], one.memory_bytes)
        for trouble in one.troubles if one.runs else ():
            troubles.add_metric([one.name, trouble.what], 1)
        for verdict, count in one.verdicts.items():
            verdicts.add_metric([one.name, verdict], count)
        refused.add_metric([one.name], one.refused)
        if one.latency_buckets:
            latency.add_metric([one.name], _buckets(one.latency_buckets), one.latency_seconds)
    yield from (up, waiting, troubles, memory, verdicts, refused, latency)


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Counts up to each bound, the last without one."""
    total, found = 0, []
    for end, count in zip([*map(str, LATENCY_SECONDS), "+Inf"], counts, strict=True):
        total += count
        found.append((end, float(total)))
    return found


def _of_sources(statuses: Sequence[StationStatus]) -> Iterator[Metric]:
    labels = ["station", "source"]
    connected = GaugeMetricFamily("blemish_source_connected", "1 while photographs can come.", labels=labels)
    given = CounterMetricFamily("blemish_source_photographs", "Photographs that have come.", labels=labels)
    dropped = CounterMetricFamily(
        "blemish_source_dropped", "Frames that gave way to newer ones.", labels=labels
    )
    refused = CounterMetricFamily("blemish_source_refused", "What could not be read.", labels=labels)
    for status in statuses:
        for one in status.sources:
            names = [status.name, one.name]
            connected.add_metric(names, 1 if one.connected and status.runs else 0)
            given.add_metric(names, one.given)
            dropped.add_metric(names, one.dropped)
            refused.add_metric(names, one.refused)
    yield from (connected, given, dropped, refused)


def _of_sinks(statuses: Sequence[StationStatus]) -> Iterator[Metric]:
    labels = ["station", "sink"]
    connected = GaugeMetricFamily("blemish_sink_connected", "1 while the sink takes signals.", labels=labels)
    waiting = GaugeMetricFamily("blemish_sink_waiting", "Signals that have still to arrive.", labels=labels)
    set_aside = GaugeMetricFamily("blemish_sink_set_aside", "Signals that the sink refuses.", labels=labels)
    sent = CounterMetricFamily("blemish_sink_signals", "Signals that have arrived.", labels=labels)
    for status in statuses:
        for one in status.sinks:
            names = [status.name, one.name]
            connected.add_metric(names, 1 if one.connected and status.runs else 0)
            waiting.add_metric(names, one.waiting)
            set_aside.add_metric(names, one.set_aside)
            sent.add_metric(names, one.sent)
    yield from (connected, waiting, set_aside, sent)
