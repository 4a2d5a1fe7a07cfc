"""What a station's log says of the process: which defects, where, since when, in which shift, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.workflows.fields import GalleryLocation, HistoryUrl, StationHome
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.gallery.clusters import Cluster
    from blemish.station.home import Home
    from blemish.station.insight.insight import Insight
    from blemish.workflows.station import Station

_MOST_CLUSTERED = 1000


class InsightRequest(Request):
    """Read what the log says of a part."""

    part: Annotated[str | None, Argument("PART")] = Field(
        None,
        description="The part, as its inspector is called; may be absent where the station has one alone.",
    )
    home: StationHome = None
    database: HistoryUrl = None
    gallery: GalleryLocation = None
    since: str = Field(
        "7d", description="Where the span begins: 12h, 7d, 4w before its end, or a date as 2026-11-01."
    )
    until: str | None = Field(None, description="A date or time at which it ends; now if absent.")
    by: Literal["shift", "batch", "camera", "hour"] | None = Field(
        None, description="Compare these alone; all that are known if absent."
    )
    bucket: Literal["hour", "day"] | None = Field(
        None, description="Samples of the control charts; hours in up to four days if absent, else days."
    )
    version: int | None = Field(None, ge=1, description="Only what this version judged.")
    batch: str | None = Field(None, description="Only this batch.")
    shift: str | None = Field(None, description="Only this shift.")
    camera: str | None = Field(None, description="Only this camera.")
    time_zone: str | None = Field(
        None, description="Clock of days and hours, as Europe/Berlin; that of this machine if absent."
    )
    out: Annotated[Path | None, Option(metavar="REPORT.html")] = Field(
        None, description="Write the report, one HTML file."
    )
    csv: Annotated[Path | None, Option(metavar="TABLE.csv")] = Field(
        None, description="Write all of it as one table."
    )


@dataclass(frozen=True)
class InsightResult(Outcome):
    """What the log says, and the files that were written; a notebook shows the charts."""

    insight: Insight
    report: Path | None = None
    table: Path | None = None

    @property
    def headline(self) -> str:
        """The span in one sentence."""
        from blemish.station.insight.findings import headline

        return headline(self.insight)

    @property
    def findings(self) -> list[str]:
        """What stands out, in sentences."""
        from blemish.station.insight.findings import findings

        return findings(self.insight)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        from blemish.station.insight.documents import document

        files = {"report": self.report, "csv": self.table}
        return document(self.insight) | {name: path and str(path) for name, path in files.items()}

    def _repr_html_(self) -> str:
        from blemish.station.insight.report import STYLE, render_body

        return f"<style>{STYLE.read_text('utf-8')}</style>{render_body(self.insight, lambda number: f'{number} ')}"


def insight(request: InsightRequest) -> InsightResult:
    """Read a span of a station's log, and write the report and the table if they are asked for.

    Raises:
        NotFoundError: the station has no such part.
        UsageError: several parts could be meant, or the span or the time zone cannot be.
        BlemishError: the history or the gallery cannot be read, or a file cannot be written.
    """
    from blemish.core.spans import zone_of
    from blemish.core.storage import write_text
    from blemish.station.drift import DriftWatch
    from blemish.station.home import Home
    from blemish.station.insight.documents import table
    from blemish.station.insight.reading import read_insight, span
    from blemish.station.records import InspectionFilter
    from blemish.workflows.station import opened_station

    zone = zone_of(request.time_zone)
    since, until = span(request.since, request.until, zone, datetime.now(UTC))
    home = Home(request.home)
    with opened_station(request.home, request.database) as station:
        which = InspectionFilter(
            since, until, _part(station, request.part), version=request.version, batch=request.batch,
            shift=request.shift, camera=request.camera,
        )  # fmt: skip
        watch = DriftWatch(station.database, station.shelf, None, None)
        look = partial(_clusters, request.gallery or str(home.gallery))
        found = read_insight(station.database, watch, which, look, bucket=request.bucket, zone=zone)
    if request.by is not None:
        groups = {by: rates for by, rates in found.groups.items() if by == request.by}
        found = replace(found, groups=groups)
    if request.out is not None:
        from blemish.station.insight.report import render_report

        write_text(request.out, render_report(found, _picture(home, found)))
    if request.csv is not None:
        write_text(request.csv, table(found))
    return InsightResult(found, request.out, request.csv)


def _part(station: Station, asked: str | None) -> str:
    if asked is not None:
        if not station.shelf.versions(asked):
            raise NotFoundError(
                f"The station has no part {asked[:80]!a}: see `blemish drift` for those that it has."
            )
        return asked
    names = [version.name for version in station.shelf.active_all()]
    if len(names) != 1:
        listed = ", ".join(names[:10]) or "none"
        raise UsageError(f"Say which part is meant: the station judges {listed}.")
    return names[0]


def _clusters(gallery: str, part: str) -> Sequence[Cluster]:
    """Clusters of the latest defects of a part in a gallery."""
    from blemish.explore.clusters import cluster_vectors
    from blemish.gallery.clusters import find_clusters
    from blemish.gallery.gallery import Gallery
    from blemish.workflows.index_defects import existing_gallery

    with Gallery(existing_gallery(gallery)) as opened:
        groups = opened.groups(part, _MOST_CLUSTERED)
    return find_clusters(groups, cluster_vectors).clusters


def _picture(home: Home, found: Insight) -> Any:
    """Small pictures of inspections by number, in the report itself, where their photographs are kept."""
    from markupsafe import escape

    from blemish.core.image_formats import IMAGE_SUFFIXES
    from blemish.core.images import decode_image
    from blemish.core.pictures import data_uri, fitted
    from blemish.station.image_store import ImageStore

    images = ImageStore(home.images)
    digests = {
        number: digest
        for kind in found.kinds or ()
        for number, digest in zip(kind.inspections, kind.digests, strict=False)
    }

    def shown(number: int) -> str:
        places = (images.path(digests[number], suffix) for suffix in sorted(IMAGE_SUFFIXES))
        place = next((one for one in places if one is not None), None)
        if place is None:
            return f"<span>{number}</span>"
        try:
            pixels = decode_image(place.read_bytes(), str(number))
        except (OSError, BlemishError):
            return f"<span>{number}</span>"
        return f'<img src="{escape(data_uri(fitted(pixels, 192), ".jpg"))}" alt="Inspection {number}">'

    return shown
