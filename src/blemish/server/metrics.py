"""What Prometheus reads of a running server: https://prometheus.io/docs/practices/naming/."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from blemish.station.records import InspectionRecord
from blemish.station.station_metrics import StationCollector
from blemish.station.station_status import StationStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one server, in a registry of their own.

    Labels are routes and inspectors that exist, never what a client has written: their number is bounded.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "blemish_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "blemish_inspection_seconds",
            "From acceptance to the committed record, of each photograph.",
            ("inspector",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.verdicts = Counter(
            "blemish_verdicts", "Inspections by verdict.", ("inspector", "verdict"), registry=self.registry
        )
        self.refusals = Counter(
            "blemish_refused_photographs", "Photographs not judged.", ("kind",), registry=self.registry
        )
        self.queued = Gauge(
            "blemish_queue_photographs", "Photographs accepted and not yet answered.", registry=self.registry
        )
        self.queue_size = Gauge(
            "blemish_queue_size", "Photographs that the queue takes.", registry=self.registry
        )
        self.kept_bytes = Gauge(
            "blemish_kept_image_bytes", "Bytes of kept photographs.", registry=self.registry
        )
        self.keeping = Gauge(
            "blemish_keeping_images", "1 while photographs can be kept, 0 in trouble.", registry=self.registry
        )
        self.logging = Gauge(
            "blemish_logging_verdicts",
            "1 while verdicts can be logged, 0 in trouble.",
            registry=self.registry,
        )
        self.devices = Gauge(
            "blemish_device_well",
            "1 while networks are computed where it was asked for, 0 once the CPU goes on for a lost device.",
            registry=self.registry,
        )
        self.clock = Gauge(
            "blemish_clock_trusted",
            "0 for a day after the clock was set forward, else 1.",
            registry=self.registry,
        )
        self.drift = Gauge(
            "blemish_drift_evidence",
            "Evidence that a number of the parts has changed, 0 to 1; 1 once it is told.",
            ("inspector", "statistic"),
            registry=self.registry,
        )
        self.shadow_waiting = Gauge(
            "blemish_shadow_waiting",
            "Photographs that wait to be judged beside the line by another version.",
            registry=self.registry,
        )
        self.gallery_waiting = Gauge(
            "blemish_gallery_waiting",
            "Rejected parts that wait to enter the gallery.",
            registry=self.registry,
        )

    def watch_stations(self, read: Callable[[], Iterable[StationStatus]]) -> None:
        """Tell of stations, too, as `read` gives them."""
        self.registry.register(StationCollector(read))

    def judged(self, record: InspectionRecord, seconds: float) -> None:
        """Count a photograph that was judged and logged, so many seconds after it was accepted."""
        self.seconds.labels(record.inspector).observe(seconds)
        self.verdicts.labels(record.inspector, record.verdict).inc()

    def refused(self, kind: str) -> None:
        """Count a photograph that cannot be judged."""
        self.refusals.labels(kind).inc()

    def text(self) -> bytes:
        """All of them in the exposition format."""
        return generate_latest(self.registry)
