"""Every door through which files of strangers come: what each takes, and how it is knocked at."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from mutations import Random, odd_name
from PIL import Image

from blemish.core.errors import BlemishError
from blemish.core.image_inputs import pixels_of
from blemish.core.images import (
    DecodeLimits,
    bits_per_sample,
    decode_image,
    read_mask,
    stored_channels,
    upright_size,
)

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

LIMITS = DecodeLimits(max_pixels=4_000_000)


def photograph(side: int = 24, seed: int = 0) -> Image.Image:
    """A small picture with edges and noise."""
    random = np.random.default_rng(seed)
    pixels = random.normal(120, 12, (side, side + 8, 3)).clip(0, 255).astype(np.uint8)
    pixels[6:14, 8:20] = (200, 40, 30)
    return Image.fromarray(pixels)


def encoded_photographs() -> list[bytes]:
    """The picture in every format and many kinds of each, as far as this installation writes them."""
    image, kinds = photograph(), []
    grey, palette, deep = image.convert("L"), image.convert("P"), np.asarray(image).astype(np.uint16) * 257
    alpha = image.convert("RGBA")
    alpha.putalpha(grey)
    for picture, kind, options in (
        *((one, "PNG", {}) for one in (image, grey, palette, alpha, image.convert("1"))),
        (image, "JPEG", {"quality": 90}),
        (image, "JPEG", {"progressive": True, "quality": 70}),
        (image, "JPEG", {"subsampling": 0, "restart_marker_blocks": 2}),
        (grey, "JPEG", {"optimize": True}),
        (image.convert("CMYK"), "JPEG", {}),
        *((one, "BMP", {}) for one in (image, grey, palette, image.convert("1"))),
        *(
            (image, "TIFF", {"compression": name})
            for name in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg")
        ),
        (alpha, "TIFF", {}),
        (image, "WEBP", {"quality": 80}),
        (alpha, "WEBP", {"lossless": True}),
        (image, "GIF", {}),
        (image, "PPM", {}),
        (image, "JPEG2000", {}),
        (image, "AVIF", {}),
    ):
        buffer = io.BytesIO()
        try:
            picture.save(buffer, kind, **options)
        except (OSError, KeyError):
            continue  # a format that this installation does not write
        kinds.append(buffer.getvalue())
    for suffix in (".png", ".tiff"):
        kinds.append(cv2.imencode(suffix, deep[:, :, ::-1])[1].tobytes())
        kinds.append(cv2.imencode(suffix, deep[:, :, 0])[1].tobytes())
    return kinds


class Door(ABC):
    """One way in; `knock` raises nothing but the project's own errors."""

    name: str
    share: float

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Whole files that it takes."""

    @abstractmethod
    def knock(self, content: bytes, random: Random) -> None:
        """Bring one file."""


class Bytes(Door):
    """Photographs in memory, through everything that looks at them."""

    name, share = "bytes", 0.6

    def seeds(self) -> Sequence[bytes]:
        return encoded_photographs()

    def knock(self, content: bytes, random: Random) -> None:
        for look in (bits_per_sample, stored_channels):
            allowed(lambda look=look: look(content, "x.png"))
        allowed(lambda: decode_image(content, "x.png", LIMITS, int(random.integers(8, 17))))
        allowed(lambda: pixels_of(content))


class Files(Door):
    """Photographs on the disk, under names of any bytes."""

    name, share = "files", 0.1

    def seeds(self) -> Sequence[bytes]:
        return encoded_photographs()

    def knock(self, content: bytes, random: Random) -> None:
        place = os.path.join(os.fsencode(self.folder), odd_name(random))  # noqa: PTH118 (bytes)
        try:
            with open(place, "wb") as file:  # noqa: PTH123 (bytes)
                file.write(content)
            path = Path(os.fsdecode(place))
            allowed(lambda: upright_size(path))
            allowed(lambda: read_mask(path, LIMITS))
        finally:
            os.unlink(place)  # noqa: PTH108 (bytes)


class Folders(Door):
    """Folders of thirty photographs and other files, checked as a catalog and listed for the line."""

    name, share = "folders", 0.1
    _most = 30

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._here = folder / "parts"

    def seeds(self) -> Sequence[bytes]:
        return encoded_photographs()

    def knock(self, content: bytes, random: Random) -> None:
        inside = self._here / str(
            random.choice(["", "good", "bad", "x", "train/good", "test/bad", "ground_truth/bad"])
        )
        inside.mkdir(parents=True, exist_ok=True)
        with open(os.path.join(os.fsencode(inside), odd_name(random)), "wb") as file:  # noqa: PTH118, PTH123
            file.write(content)
        if sum(len(files) for _, _, files in os.walk(self._here)) < self._most:
            return
        from blemish.data.catalog import open_catalogs
        from blemish.data.checks import check_catalog
        from blemish.line.photographs import find_photographs

        try:
            allowed(lambda: [check_catalog(one, LIMITS) for one in open_catalogs(self._here, guess=True)])
            allowed(lambda: find_photographs([self._here], self.folder / "out"))
        finally:
            shutil.rmtree(self._here)


class Tables(Door):
    """Annotations and manifests beside photographs."""

    name, share = "tables", 0.08

    def seeds(self) -> Sequence[bytes]:
        box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 9, 9], "area": 81, "iscrowd": 0}
        shape = {"label": "hole", "shape_type": "polygon", "points": [[1, 1], [9, 2], [5, 8]], "flags": {}}
        size = "<size><width>32</width><height>24</height><depth>3</depth></size>"
        bounds = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        coco = {
            "images": [{"id": 1, "file_name": "a.png", "width": 32, "height": 24}],
            "annotations": [box, {**box, "segmentation": {"size": [24, 32], "counts": [40, 9, 719]}}],
            "categories": [{"id": 1, "name": "hole"}],
        }
        labelme = {
            "imagePath": "a.png",
            "imageWidth": 32,
            "imageHeight": 24,
            "shapes": [shape],
            "imageData": None,
        }
        return [
            json.dumps(coco).encode(),
            json.dumps(labelme).encode(),
            b"0 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.3 0.1 0.2 0.4\n",
            b"path,split,label,mask\na.png,train,good,\nb.png,test,bad,\n",
            f"<annotation><filename>a.png</filename>{size}<object><name>x</name>{bounds}</object></annotation>".encode(),
            b"ImageId,ClassId,EncodedPixels\na.png,1,3 4 30 2\n",
            b"names: [hole]\ntrain: images/train\n",
            b"# label:color:parts:actions\nbackground:0,0,0::\nhole:250,50,83::\n",
        ]

    def knock(self, content: bytes, random: Random) -> None:
        from blemish.data.catalog import open_catalogs

        root = self.folder / "tables"
        places = ("_annotations.coco.json", "a.json", "labels/a.txt", "manifest.csv", "a.xml", "train.csv")
        places += ("data.yaml", "labelmap.txt", "annotations.xml", "train/_annotations.coco.json", "a.txt")
        place = root / str(random.choice(places))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        for name in ("a.png", "b.png", "images/a.png", "train_images/a.png", "train/a.png", "good/a.png"):
            if random.random() < 0.5:
                (root / name).parent.mkdir(exist_ok=True)
                photograph().save(root / name)
        try:
            allowed(lambda: open_catalogs(root, guess=True))
        finally:
            shutil.rmtree(root)


class Zips(Door):
    """Archives of photographs, as the service unpacks them."""

    name, share = "zips", 0.06

    def seeds(self) -> Sequence[bytes]:
        found = []
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", compression) as packed:
                for number, content in enumerate(encoded_photographs()[:4]):
                    packed.writestr(f"good/{number}.png", content)
                packed.writestr("notes.txt", "x" * 200)
            found.append(buffer.getvalue())
        return found

    def knock(self, content: bytes, random: Random) -> None:
        from blemish.server.uploads import unpack_images

        archive, inside = self.folder / "a.zip", self.folder / "unpacked"
        archive.write_bytes(content)
        try:
            allowed(lambda: unpack_images(archive, inside))
        finally:
            shutil.rmtree(inside, ignore_errors=True)


class Inspectors(Door):
    """Artifacts, opened and never run."""

    name, share = "inspectors", 0.06

    def seeds(self) -> Sequence[bytes]:
        return [Path(os.environ["BLEMISH_FUZZED_INSPECTOR"]).read_bytes()]

    def knock(self, content: bytes, random: Random) -> None:
        from blemish.line.artifact import read_artifact

        place = self.folder / "a.blemish"
        place.write_bytes(content)
        allowed(lambda: read_artifact(place))


class Requests(Door):
    """Bodies of requests for an inspection, as clients and their bugs send them."""

    name, share = "requests", 0.02
    boundary = b"----edge"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client: TestClient | None = None

    def seeds(self) -> Sequence[bytes]:
        found = []
        for number, content in enumerate(encoded_photographs()[:6]):
            named = f'form-data; name="images"; filename="p{number}.png"'.encode()
            parts = ((b'form-data; name="inspector"', b"washer"), (named, content))
            body = b"".join(
                b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (self.boundary, *part) for part in parts
            )
            found.append(body + b"--%s--\r\n" % self.boundary)
        return found

    def knock(self, content: bytes, random: Random) -> None:
        kind = random.choice(
            ["multipart/form-data; boundary=----edge"] * 6 + ["application/json", "", "\xe9"]
        )
        headers = {"Content-Type": str(kind).encode("latin-1")}
        answer = self._served().post("/v1/inspect", content=content, headers=headers)
        assert answer.status_code in {200, 400, 404, 408, 413, 415, 422, 503, 507}, answer.text

    def _served(self) -> TestClient:
        if self._client is None:
            from fastapi.testclient import TestClient

            from blemish.server.app import create_app
            from blemish.server.service import Service
            from blemish.server.settings import ServerSettings

            service = Service(ServerSettings(home=self.folder / "home", page=False, rate_per_minute=0))
            version = service.inspectors.add(Path(os.environ["BLEMISH_FUZZED_INSPECTOR"]), "washer")
            service.inspectors.activate(version.name, version.version)
            self._client = TestClient(create_app(service), base_url="http://localhost").__enter__()
        return self._client


def allowed(act: object) -> None:
    """Call it; what the project says itself is an answer."""
    try:
        act()  # type: ignore[operator]
    except BlemishError as error:
        text = str(error)
        assert text.strip() and "Traceback" not in text, text


DOORS: tuple[type[Door], ...] = (Bytes, Files, Folders, Tables, Zips, Inspectors, Requests)
