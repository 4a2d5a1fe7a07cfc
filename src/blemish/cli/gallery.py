"""`blemish gallery`: past defects are kept, to find similar ones and to see which are alike."""

from __future__ import annotations

import typer

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows.cluster_defects import ClusterDefectsRequest, ClusterDefectsResult, cluster_defects
from blemish.workflows.index_defects import IndexDefectsRequest, IndexDefectsResult, index_defects

app = typer.Typer(rich_markup_mode=None, help="Keep defects, to find similar ones.", no_args_is_help=True)


@app.callback()
def gallery() -> None:
    """Keep defects, to find similar ones."""


@app.command()
@verb(IndexDefectsRequest)
def index(request: IndexDefectsRequest) -> IndexDefectsResult:
    """Put the defective photographs of a category into the gallery.

    All that are labelled as defective are kept with their defect type. A photograph that cannot be read is named,
    and the others go on; then the exit status is 1. What is in the gallery already is replaced, not doubled.

    \b
    blemish gallery index photographs/ --inspector part.blemish
    """
    result = index_defects(request)
    kept = sum(result.types.values())
    console.print(f"{kept} defects of {result.category} kept; the gallery holds {result.count}.")
    for name, number in result.types.items():
        console.print(f"  {name}: {number}")
    return result


@app.command()
@verb(ClusterDefectsRequest)
def clusters(request: ClusterDefectsRequest) -> ClusterDefectsResult:
    """Show which defects of the gallery look alike, and which are new.

    Each category is clustered for itself by density (HDBSCAN). A cluster's likely type is the one that most of its
    members were given. New are clusters none of whose members has a type, and defects in no cluster.

    \b
    blemish gallery clusters --report clusters.html
    """
    result = cluster_defects(request)
    found = result.clusters
    console.print(found.sentence, style="bold")
    for cluster in found.clusters:
        others = list(cluster.types.items())[1:]
        also = f" (also {', '.join(f'{name} {count}' for name, count in others)})" if others else ""
        console.print(f"  {cluster.number}. {cluster.category}, {cluster.headline}{also}")
    if result.report is not None:
        console.print(f"Report: {result.report}")
    return result
