"""An explanation: why an inspector says what it says of one photograph, in words, figures and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

from blemish.core.pictures import data_uri, encoded
from blemish.core.types import ByteArray, FloatArray, Region, Verdict
from blemish.line.inspection import Inspection

if TYPE_CHECKING:
    from blemish.line.nearest_good import NearestGood


@dataclass(frozen=True)
class RegionReason:
    """Why a region is one.

    Attributes:
        region: where it is.
        times: its highest map value over the pixel threshold, 1 and more; None where the threshold is not above 0.
        percentile: share of the good parts' scores below its highest map value, 0 to 100; None where the score is not
            the highest value of the map, so that the two cannot be compared.
    """

    region: Region
    times: float | None
    percentile: float | None

    def in_words(self) -> str:
        """Figures in words, as `peak 38.1, 1.40 times the pixel threshold, 34 x 20 pixels at 102, 44, area 510 pixels
        (p 0.012)`."""
        one = self.region
        said = [f"peak {one.score:.4g}"]
        if self.times is not None:
            said.append(f"{self.times:.2f} times the pixel threshold")
        if self.percentile is not None:
            said.append(f"above {self.percentile:.3g} % of the good parts' scores")
        said.append(f"{one.width} x {one.height} pixels at {one.x}, {one.y}")
        if one.area is not None:
            millimetres = "" if one.square_millimetres is None else f", {one.square_millimetres:.3g} mm²"
            rarity = "" if one.p_value is None else f" (p {one.p_value:.3f})"
            said.append(f"area {one.area:.0f} pixels{millimetres}{rarity}")
        return ", ".join(said)

    def to_json(self) -> dict[str, Any]:
        """The region with its figures as JSON-ready values."""
        figures = {"times_threshold": self.times, "percentile": self.percentile}
        return self.region.to_json() | figures


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why an inspection came out as it did; a notebook shows it as sentences and a picture.

    What an inspector cannot show is None, or empty.

    Attributes:
        inspection: what is explained, with its map and photograph.
        percentile: share of the good parts' scores below this score, 0 to 100.
        n_scores: how many good parts' scores these are.
        regions: a reason for each region, highest first; empty for a pass.
        types: probability of each defect type known, if the part is defective, by name, whatever the verdict.
        defect_probability: of a classifier, that the part is defective if as many are as are good, 0 to 1.
        nearest: for each region the most similar good patch.
        looked: what the network saw, uint8 RGB H x W x 3 of its input: of several parts the worst one.
        reconstruction: what an autoencoder gives back of it, likewise.
        difference: mean over the colours of how far they are apart, float32 H x W, 0 to 1.
        attention: what speaks for the defect, Grad-CAM, float32 H x W over the photograph, 0 and more.
        attention_of: the defect type that `attention` is of; "defective" where no types are known.
        part: which of several parts `looked` is, from 1.
    """

    inspection: Inspection
    percentile: float
    n_scores: int
    regions: tuple[RegionReason, ...] = ()
    types: Mapping[str, float] = field(default_factory=dict)
    defect_probability: float | None = None
    nearest: tuple[NearestGood, ...] = ()
    looked: ByteArray | None = None
    reconstruction: ByteArray | None = None
    difference: FloatArray | None = None
    attention: FloatArray | None = None
    attention_of: str | None = None
    part: int | None = None

    def __repr__(self) -> str:
        return f"Explanation({self.sentence})"

    @property
    def sentence(self) -> str:
        """Why the verdict is what it is."""
        said = self.inspection
        score, limit = f"{said.score:.4g}", f"{said.threshold:.4g}"
        lower = said.threshold if said.review_threshold is None else said.review_threshold
        where = {
            Verdict.REJECT: f"the score {score} is above the threshold {limit}",
            Verdict.REVIEW: f"the score {score} is between {lower:.4g} and the threshold {limit}",
            Verdict.PASS: f"the score {score} is not above {lower:.4g}",
        }.get(said.verdict, f"the score is {score}")
        share = "all" if self.percentile == 100 else f"{self.percentile:.3g} % of the"
        of_good = f"above {share} {self.n_scores} good parts' scores (p {said.p_value:.3f})"
        kind = f"; it looks like {named}" if (named := said.type_in_words()) else ""
        return f"{said.verdict}: {where}, {of_good}{kind}"

    @property
    def sentences(self) -> list[str]:
        """Why, and for each region why it is one."""
        return [
            self.sentence,
            *(
                f"region {number}: {self.region_in_words(number)}"
                for number in range(1, len(self.regions) + 1)
            ),
        ]

    def region_in_words(self, number: int) -> str:
        """Why a region is one, counted from 1: its figures, and how far it is from the most similar good patch."""
        near = [one.in_words() for one in self.nearest if one.region == number - 1]
        return "; ".join([self.regions[number - 1].in_words(), *near])

    def picture(self) -> Image.Image:
        """All that can be shown, as one picture of labelled rows.

        Raises:
            UsageError: the photograph was not kept.
        """
        return Image.fromarray(self.picture_pixels())

    def picture_pixels(self) -> ByteArray:
        """As `picture`, uint8 RGB H x W x 3."""
        from blemish.line.explanation_picture import explanation_picture

        return explanation_picture(self)

    def to_json(self) -> dict[str, Any]:
        """Sentences and figures as JSON-ready values; no picture."""
        document: dict[str, Any] = {
            "sentence": self.sentence,
            "percentile": self.percentile,
            "n_scores": self.n_scores,
            "regions": [
                one.to_json() | {"sentence": self.region_in_words(number)}
                for number, one in enumerate(self.regions, 1)
            ],
        }
        if self.types:
            document["types"] = dict(self.types)
        if self.defect_probability is not None:
            document["defect_probability"] = self.defect_probability
        if self.nearest:
            document["nearest"] = [one.to_json() for one in self.nearest]
        if self.difference is not None:
            document["reconstruction"] = {
                "mean_difference": float(self.difference.mean()),
                "highest_difference": float(self.difference.max()),
            }
        if self.attention is not None:
            document["attention"] = {"of": self.attention_of, "highest": float(self.attention.max())}
        if self.part is not None:
            document["part"] = self.part
        return document

    def _repr_png_(self) -> bytes | None:
        return None if self.inspection.photograph is None else encoded(self.picture_pixels(), ".png")

    def _repr_html_(self) -> str:
        said = "<br>".join(escape(one) for one in self.sentences)
        if self.inspection.photograph is None:
            return f"<div>{said}</div>"
        uri = data_uri(self.picture_pixels(), ".jpg")
        return f'<div>{said}<br><img src="{uri}" alt="Why" style="max-width: 100%"></div>'
