"""`/metrics` of a station, at a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blemish.core.errors import UsageError
from blemish.station.running_station import RunningStation


@contextmanager
def metrics_served(station: RunningStation) -> Iterator[int | None]:
    """Serve the station's metrics while the context lasts; gives the port, None where its settings name none.

    Raises:
        UsageError: the address cannot be listened on.
    """
    line = station.settings.station
    if line.metrics_port is None:
        yield None
        return
    from prometheus_client import CollectorRegistry, start_http_server

    from blemish.station.station_metrics import StationCollector

    registry = CollectorRegistry()
    registry.register(StationCollector(lambda: [station.status()]))
    try:
        server, thread = start_http_server(line.metrics_port, line.metrics_host, registry)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"{line.metrics_host}:{line.metrics_port} cannot be listened on ({reason}): give another metrics_port."
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
