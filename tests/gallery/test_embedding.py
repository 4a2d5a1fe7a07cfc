"""Defects as vectors, and the verbs: on inspectors that `blemish fit` has made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qdrant_client")

from blemish.core.errors import ArtifactError
from blemish.core.images import list_images, read_image
from blemish.gallery.embedding import AnomalyEmbedder, describe
from blemish.line.artifact import FEATURES, read_artifact, write_artifact
from blemish.line.runtime import Inspector


@pytest.fixture(scope="module")
def embedder(fitted: Path) -> AnomalyEmbedder:
    return AnomalyEmbedder(Inspector.load(fitted))


def without_backbone(fitted: Path, out: Path) -> Path:
    artifact = read_artifact(fitted)
    members = {name: content for name, content in artifact.members.items() if name != FEATURES}
    write_artifact(out, artifact.manifest, members)
    return out


def test_the_exported_backbone_gives_what_the_laboratory_gives(
    embedder: AnomalyEmbedder, washers: Path
) -> None:
    import torch

    from blemish.features.backbones import load_backbone
    from blemish.view.preprocessing import preprocess

    image = read_image(list_images(washers / "test" / "scratch")[0])
    backbone = load_backbone(taps=(8, 16))
    planes = preprocess(image, backbone.preprocessing(352, 352))
    with torch.inference_mode():
        expected = [features[0].numpy() for features in backbone(torch.from_numpy(planes[None]))]
    for mine, theirs in zip(embedder.inspector.features.maps(image), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3 * np.abs(theirs).max())


def test_vectors_have_length_one_and_repeat(embedder: AnomalyEmbedder, washers: Path) -> None:
    for path in [*list_images(washers / "test" / "hole"), *list_images(washers / "test" / "good")[:1]]:
        image = read_image(path)
        vector = embedder.vector(image)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        np.testing.assert_array_equal(vector, embedder.vector_of(image, embedder.inspector.inspect(image)))


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 3), (50, 9, 3)])
def test_odd_photographs_have_vectors_too(embedder: AnomalyEmbedder, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.isfinite(embedder.vector(image)).all()


def test_what_counts_is_under_the_map() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(5, 11, 11)).astype(np.float32)
    anomaly_map = np.zeros((88, 88), np.float32)
    anomaly_map[16:24, 40:48] = 1  # one place of the feature map: row 2, column 5
    vector = describe([([features], anomaly_map)])
    there = features[:, 2, 5]
    np.testing.assert_allclose(vector, there / np.linalg.norm(there), atol=1e-6)
    elsewhere = features.copy()
    elsewhere[:, 6:, :] = random.normal(size=(5, 5, 11))
    np.testing.assert_allclose(describe([([elsewhere], anomaly_map)]), vector, atol=1e-6)


def test_without_a_place_all_places_count_alike(embedder: AnomalyEmbedder, washers: Path) -> None:
    image = read_image(list_images(washers / "test" / "hole")[0])
    inspection = replace(embedder.inspector.inspect(image), gives_map=False)
    vector = embedder.vector_of(image, inspection)
    first = embedder.inspector.features.maps(image)[0].mean(axis=(1, 2))
    np.testing.assert_allclose(vector[: len(first)], first / np.linalg.norm(first) / 2, atol=1e-4)


def test_inspectors_of_all_detectors_share_a_space(
    embedder: AnomalyEmbedder, washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "padim.blemish"
    assert blemish("fit", washers, "--out", out, "--size", 64, "--detector", "padim").status == 0
    assert AnomalyEmbedder(Inspector.load(out)).space == embedder.space


def test_an_inspector_of_an_earlier_blemish_still_judges_and_says_what_it_lacks(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    old = Inspector.load(without_backbone(fitted, tmp_path / "old.blemish"))
    image = read_image(list_images(washers / "test" / "hole")[0])
    assert old.inspect(image).score == Inspector.load(fitted).inspect(image).score
    with pytest.raises(ArtifactError, match="made by an earlier Blemish: fit it anew"):
        AnomalyEmbedder(old).vector(image)
    with pytest.raises(ArtifactError, match="made by an earlier Blemish"):
        AnomalyEmbedder(old).space  # noqa: B018


@pytest.mark.parametrize("swap", ["model.onnx", None])
def test_a_backbone_that_is_none_is_refused(fitted: Path, tmp_path: Path, swap: str | None) -> None:
    artifact = read_artifact(fitted)
    content = artifact.members[swap] if swap else b"not a network"
    write_artifact(tmp_path / "x.blemish", artifact.manifest, {**artifact.members, FEATURES: content})
    with pytest.raises(ArtifactError, match=r"features.onnx that cannot be run here"):
        AnomalyEmbedder(Inspector.load(tmp_path / "x.blemish")).vector(np.zeros((8, 8, 3), np.uint8))


def test_a_defect_is_found_among_those_indexed(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    place = ("--inspector", fitted, "--gallery", tmp_path / "gallery", "--json")
    indexed = blemish("gallery", "index", washers, *place)
    assert indexed.status == 0, indexed.stderr
    assert indexed.document["count"] == 12
    assert set(indexed.document["types"].values()) == {2}
    assert blemish("gallery", "index", washers, *place).document["count"] == 12  # replaced, not doubled

    inspector = Inspector.load(fitted)
    defects = [path for path in list_images(washers / "test") if path.parent.name != "good"]
    photograph = next(path for path in defects if inspector.inspect(read_image(path)).verdict == "reject")
    kind = photograph.parent.name
    found = blemish("similar", photograph, *place, "--top", 3)
    assert found.status == 0, found.stderr
    neighbours = found.document["neighbours"]
    assert len(neighbours) == 3
    assert photograph.name not in [one["name"] for one in neighbours if one["defect_type"] == kind]
    assert neighbours == sorted(neighbours, key=lambda one: one["distance"])
    assert found.document["proposal"]["defect_type"] in {one["defect_type"] for one in neighbours}

    copy = tmp_path / "copy.png"
    image = read_image(photograph)
    shutil.copy(photograph, copy)
    copy.write_bytes(copy.read_bytes() + b"\0")  # another file with the same pixels
    assert (read_image(copy) == image).all()
    nearest = blemish("similar", copy, *place, "--top", 1).document["neighbours"][0]
    assert (nearest["name"], nearest["defect_type"]) == (photograph.name, kind)
    assert nearest["distance"] == pytest.approx(0, abs=1e-5)

    only = blemish("similar", photograph, *place, "--defect-type", "stain").document["neighbours"]
    assert {one["defect_type"] for one in only} == {"stain"}
    assert blemish("similar", photograph, *place, "--since", "2999-01-01").document["neighbours"] == []
    text = blemish("similar", photograph, *place[:-1])
    assert f"{found.document['verdict'].upper()}  score" in text.stdout
    assert "Proposal: " in text.stdout


def test_no_type_is_proposed_for_a_good_part(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    place = ("--inspector", fitted, "--gallery", tmp_path / "gallery")
    blemish("gallery", "index", washers, *place)
    inspector = Inspector.load(fitted)
    passed = next(
        path
        for path in list_images(washers / "test" / "good")
        if inspector.inspect(read_image(path)).verdict == "pass"
    )
    found = blemish("similar", passed, *place, "--json").document
    assert found["verdict"] == "pass"
    assert len(found["neighbours"]) == 5
    assert found["proposal"] == {"defect_type": None, "confidence": 0.0, "votes": {}}
    text = blemish("similar", passed, *place).stdout
    assert text.startswith("PASS  score") and "No defect type is proposed: the photograph passes." in text
    assert "Proposal: " not in text


def test_an_unreadable_photograph_is_named_and_the_others_go_on(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    data = tmp_path / "washer"
    shutil.copytree(washers, data)
    broken = list_images(data / "test" / "hole")[0]
    broken.write_bytes(b"no photograph")
    outcome = blemish("gallery", "index", data, "--inspector", fitted, "--gallery", tmp_path / "g", "--json")
    assert outcome.status == 1
    assert outcome.document["count"] == 11
    assert [one["path"] for one in outcome.document["skipped"]] == [str(broken)]
    assert str(broken) in outcome.stderr


def test_mistakes_are_one_sentence(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph = list_images(washers / "test" / "hole")[0]
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    cases = {
        "There is no gallery at": ("similar", photograph, "--inspector", fitted),
        "is no time": ("similar", photograph, "--inspector", fitted, "--since", "yesterday"),
        "No Qdrant server answers": (
            "similar", photograph, "--inspector", fitted, "--gallery", "http://127.0.0.1:9",
        ),
        "earlier Blemish": (
            "gallery", "index", washers, "--inspector", without_backbone(fitted, tmp_path / "old.blemish"),
        ),
        "no defective photographs": ("gallery", "index", washers / "train" / "good", "--inspector", fitted),
    }  # fmt: skip
    for sentence, arguments in cases.items():
        outcome = blemish(*arguments, "--json")
        assert outcome.status != 0, arguments
        error = json.loads(outcome.stdout)["error"]
        assert sentence in error
        assert "\n" not in error
        assert "Traceback" not in outcome.stderr
