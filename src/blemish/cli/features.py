"""`blemish features`: images as a table of numbers, for other tools."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import features as workflow
from blemish.workflows.features import FeaturesRequest, FeaturesResult


@verb(FeaturesRequest)
def features(request: FeaturesRequest) -> FeaturesResult:
    """Write features of whole images as a table, a row an image.

    Images that cannot be read are named and left out; exit status 0.

    \b
    blemish features photographs/ --out features.parquet
    blemish features photographs/ --out features.csv --deep mid
    blemish features photographs/ --out components.csv --features pixels --transform pca
    """
    result = workflow.features(request)
    console.print(f"{request.out}: {result.images} images, {result.columns} columns")
    if found := result.explained:
        console.print(
            f"{len(found)} principal components explain {sum(found):.1%} of the variance of the good training images, "
            f"the first {found[0]:.1%}."
        )
    return result
